/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "io/sandbox_parts.h"

/* A sanitizer's leak check at the end traces the process: it must stay
 * dumpable for that. Nothing that is shipped is built so. */
static bool
privileges_drop(struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_set(err, ERR_IO,
		    "sandbox: cannot give up privileges: %s", strerror(errno));
	if (!SANDBOX_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return error_set(err, ERR_IO,
		    "sandbox: cannot forbid dumps: %s", strerror(errno));
	return true;
}

static void
part_name(const char *name, struct sandbox_part part, char *out, size_t len)
{
	if (!part.available)
		(void)snprintf(out, len, "%s unavailable", name);
	else if (part.level > 0)
		(void)snprintf(out, len, "%s-%d", name, part.level);
	else
		(void)snprintf(out, len, "%s", name);
}

/*
 * The order matters: both filters want no-new-privs first, and the seccomp
 * filter forbids the calls that build Landlock rules.
 */
bool
sandbox_enter(const struct sandbox_options *options, char *status,
    size_t status_len, struct error *err)
{
	struct sandbox_part landlock = {0};
	struct sandbox_part seccomp = {0};
	char landlock_name[40];
	char seccomp_name[40];

	if (!privileges_drop(err) ||
	    !sandbox_landlock_enter(options, &landlock, err) ||
	    !sandbox_seccomp_enter(options->profile, &seccomp, err))
		return false;
	part_name("landlock", landlock, landlock_name, sizeof(landlock_name));
	part_name("seccomp", seccomp, seccomp_name, sizeof(seccomp_name));
	(void)snprintf(status, status_len, "no-new-privs %s%s %s",
	    SANDBOX_SANITIZED ? "" : "not-dumpable ", seccomp_name,
	    landlock_name);
	return true;
}
