/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_SANDBOX_PARTS_H
#define MTLOG_IO_SANDBOX_PARTS_H

#include "io/sandbox.h"

/* What sandbox.c is made of; for no one else. */

/* Sanitizers read their own process and start helpers at its end. */
#ifdef MTLOG_SANITIZED
#define SANDBOX_SANITIZED true
#else
#define SANDBOX_SANITIZED false
#endif

/* What a part has to say for the status: its level, or that the kernel lacks
 * it (which is no failure). */
struct sandbox_part {
	bool available;
	int level; /* 0: none to tell */
};

/*
 * sandbox_landlock_enter forbids all file access but that below the given
 * folders, and new TCP listeners. A read-only path that does not exist is
 * skipped; a read-write path that does not is an error.
 */
bool sandbox_landlock_enter(const struct sandbox_options *options,
    struct sandbox_part *part, struct error *err) MUST_USE;

/* sandbox_seccomp_enter loads the profile's filter, for all threads. */
bool sandbox_seccomp_enter(enum sandbox_profile profile,
    struct sandbox_part *part, struct error *err) MUST_USE;

#endif
