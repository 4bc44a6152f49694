/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_SANDBOX_H
#define MTLOG_IO_SANDBOX_H

#include "core/base/error.h"

/*
 * Confinement of the calling process: no new privileges, not dumpable, a
 * seccomp filter that kills on anything unexpected, and Landlock rules where
 * the kernel has them. Irrevocable. Call before threads start (filters are
 * inherited by threads made later).
 */
enum sandbox_profile {
	/* files below the given folders, sockets already bound, accept; no
	 * exec, no ptrace */
	SANDBOX_SERVER,
	/* descriptors already open only; no socket, no open */
	SANDBOX_SIGNER,
	/* those, and files opened for reading only */
	SANDBOX_READER,
};

struct sandbox_options {
	enum sandbox_profile profile;
	const char *const *read_write; /* folders, NULL-ended; may be NULL */
	const char *const *read_only;
};

/*
 * sandbox_enter applies everything the kernel offers and says in `status` (a
 * NUL-terminated text of at most status_len bytes, such as
 * "no-new-privs seccomp landlock-4") what is in force. Fails (ERR_IO) only if
 * something the kernel has could not be applied.
 */
bool sandbox_enter(const struct sandbox_options *options, char *status,
    size_t status_len, struct error *err) MUST_USE;

#endif
