/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_AUDIT_EVIDENCE_H
#define MTLOG_CLIENT_CLI_AUDIT_EVIDENCE_H

#include "client/cli/cli.h"

#define CLI_EVIDENCE_PATH 4224

/* Where evidence of a fork goes. It may be had once only: tomorrow the log shows
 * one history again. */
struct cli_evidence {
	const char *said;  /* --evidence; NULL: a name of its own */
	const char *state; /* a file whose folder can be written to, or NULL */
	char path[CLI_EVIDENCE_PATH]; /* where it was written; empty: nowhere */
};

/* cli_evidence_open refuses a place that was asked for and cannot be written to,
 * before anything is found. ERR_IO. */
bool cli_evidence_open(struct cli_evidence *e, const char *said,
    const char *state, struct error *err) MUST_USE;

/*
 * cli_evidence_write writes it where it was asked to, else under a name of its
 * contents (so that none is overwritten) into the current folder, the state's,
 * or the one for temporary files; if none will have it, to standard error, and
 * `path` is empty. Where it is not where it should be, a line there says so. An
 * empty text is none.
 */
void cli_evidence_write(struct cli_evidence *e, struct bytes text);

#endif
