/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "server/command.h"
#include "server/signed_head.h"

static bool
freeze(const struct config *c, struct error *err)
{
	struct signer_options o;
	struct signer_hello hello;
	struct signer *s;
	struct vkey vkey;
	bool ok;

	log_signer_options(c, &vkey, &o);
	s = signer_start(&o, &hello, err);
	if (!s)
		return err->code == ERR_CONFLICT
		    ? error_prefix(err, "stop the server first")
		    : false;
	ok = hello.guard == SIGNER_GUARD_OK
	    ? signer_freeze(s, err)
	    : error_set(err, ERR_CONFLICT, "the guard: %s", hello.note_error);
	signer_close(s);
	return ok;
}

int
cmd_freeze(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"yes", NULL};
	struct config c = {0};
	struct arguments a;
	bool ok = arguments_read(argc, argv, own, &a, err) &&
	    command_config(&a, &c, err);

	if (ok && !arguments_value(&a, "yes"))
		ok = error_set(err, ERR_USAGE,
		    "this ends the log for ever: nothing new is signed and no "
		    "backup brings it back. Say --yes");
	ok = ok && freeze(&c, err);
	if (ok)
		(void)printf("%s is frozen. Start the server again: it answers "
			     "reads, and known entries; new ones get 405.\n",
		    c.origin);
	config_release(&c);
	arguments_release(&a);
	return ok ? 0 : -1;
}
