/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command.h"
#include "server/daemon.h"

static void
warn(const char *text)
{
	log_event(LOG_LEVEL_WARN, "configuration", "%s", text);
}

int
cmd_serve(int argc, char **argv, struct error *err)
{
	struct config config = {0};
	struct arguments a;
	int code = -1;

	if (arguments_read(argc, argv, NULL, &a, err) &&
	    command_config(&a, &config, err) &&
	    config_check(&config, warn, err))
		code = daemon_run(&config, err);
	config_release(&config);
	arguments_release(&a);
	return code;
}
