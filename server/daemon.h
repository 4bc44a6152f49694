/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_DAEMON_H
#define MTLOG_SERVER_DAEMON_H

#include "server/config.h"

/* Exit code of a server that must be started again at once (sysexits.h's
 * EX_TEMPFAIL): after a storage error or the signer's death. */
#define DAEMON_EXIT_RESTART 75

/*
 * daemon_run serves the log of `config` until TERM or INT, and returns the
 * exit code: 0 after a clean drain, 75 to be started again, 1 with `err` set
 * when it could not start. Prints "ready http://ADDR:PORT" on standard output.
 * Call it once, from a process without threads.
 */
int daemon_run(struct config *config, struct error *err) MUST_USE;

#endif
