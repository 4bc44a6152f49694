/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "server/command.h"
#include "server/config_write.h"
#include "server/rules.h"
#include "server/signed_head.h"
#include "server/witness_policy.h"

static void
warn(const char *text)
{
	(void)printf("warning: %s\n", text);
}

static bool
check_rule_files(const struct config *c, struct error *err)
{
	struct rules *r = rules_open(c, err);

	rules_close(r);
	return r != NULL;
}

static bool
check_policy(const struct config *c, struct error *err)
{
	struct witness_policy policy = {0};
	struct vkey vkey;
	bool ok = c->witness_mode == CONFIG_WITNESS_OFF ||
	    (log_vkey_read(c->dir, &vkey, err) &&
		witness_policy_read(c, &vkey, warn, &policy, err));

	witness_policy_release(&policy);
	return ok;
}

int
cmd_check(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"list-keys", NULL};
	struct config config = {0};
	struct arguments a;
	int code = -1;

	/* The list needs no log. */
	if (argc == 2 && strcmp(argv[1], "--list-keys") == 0) {
		config_print_keys(stdout);
		return 0;
	}
	if (!arguments_read(argc, argv, own, &a, err)) {
		/* said already */
	} else if (arguments_value(&a, "list-keys")) {
		config_print_keys(stdout);
		code = 0;
	} else if (command_config(&a, &config, err) &&
	    config_check(&config, warn, err) &&
	    check_rule_files(&config, err) && check_policy(&config, err)) {
		(void)printf("ok: %s on %s, database %s\n", config.origin,
		    config.listen, config.database);
		code = 0;
	}
	config_release(&config);
	arguments_release(&a);
	return code;
}
