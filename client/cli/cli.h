/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_CLI_H
#define MTLOG_CLIENT_CLI_CLI_H

#include "core/base/buf.h"
#include "core/model/entry.h"
#include "core/tlog/note.h"

/* Exit codes, as mtlog(1) lists them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_INTERNAL = 1,
	CLI_USAGE = 2,
	CLI_BAD_SIGNATURE = 11,
	CLI_MALFORMED = 12,
	CLI_NOT_LOGGED = 15,
	CLI_UNTRUSTED = 16,
	CLI_NETWORK = 30,
	CLI_THROTTLED = 31,
	CLI_SERVER_ERROR = 32,
	CLI_LOCAL_IO = 40,
	CLI_REJECTED = 43,
};

/* cli_exit_of maps a failure to its exit code: the one table. */
int cli_exit_of(const struct error *err);

/*
 * cli_log_key fills `out` from a vkey, or from a file that holds one (a word
 * without '+' is a file name). ERR_USAGE, ERR_SYNTAX.
 */
bool cli_log_key(const char *word, struct vkey *out, struct error *err)
    MUST_USE;

/* cli_submission reads a submission (JSON as Rekor v2 takes it) from a file
 * into `json` and its canonical leaf into `leaf`. */
bool cli_submission(const char *path, struct buf *json, struct buf *leaf,
    struct error *err) MUST_USE;

/* The verbs: exit code, or -1 with `err`. */
typedef int cli_verb(int argc, char **argv, struct error *err);
cli_verb cli_submit, cli_proof;

#endif
