/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_CHILD_H
#define MTLOG_IO_CHILD_H

#include "core/base/bytes.h"
#include "core/base/error.h"

/*
 * child_run starts the program at the path `program`, without arguments and
 * without a shell, and waits for it. It finds `input` on its standard input,
 * what it prints goes to our standard error, and its environment is ours and
 * the "NAME=value" strings of `extra` (NULL-ended). It has a process group of
 * its own, which is killed after `timeout_ms`, and again when it is done, with
 * whatever it left behind there. ERR_IO: it could not be started, ended with
 * another code than 0, died, or took too long.
 */
bool child_run(const char *program, struct bytes input,
    const char *const *extra, unsigned timeout_ms, struct error *err) MUST_USE;

#endif
