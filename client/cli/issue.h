/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_ISSUE_H
#define MTLOG_CLIENT_CLI_ISSUE_H

#include "client/cli/signing.h"
#include "core/model/statement.h"

/* The options of verbs that issue a statement about something signed. */
#define CLI_ISSUE_OPTIONS                                                      \
	CLI_KEY_OPTIONS, CLI_LOG_OPTIONS,                                      \
	{                                                                      \
		"--no-log", NULL, "only sign; mtlog submit logs it later",     \
		    false                                                      \
	}

/* Who issues, and the log that keeps it. `{0}` is closed. */
struct issuer {
	const struct cli_args *args;
	bool signs;
	struct cli_signer who;
	bool logs;
	struct cli_log log;
};

/*
 * A statement on its way. `bundle` is signed, later completed by the log; the
 * name of its file is "<word>-<first 16 digits of its S>.sigstore.json", with "-2" and so on where
 * another key has stated the same before.
 */
struct issued {
	const char *word; /* "approval" */
	struct buf bundle;
	struct hash statement; /* S */
	uint64_t index;
};

/* issuer_open reads CLI_ISSUE_OPTIONS; without `signs` the key stays shut. */
bool issuer_open(const struct cli_args *a, bool signs, struct issuer *out,
    struct error *err) MUST_USE;
void issuer_close(struct issuer *i);

/* issue_sign makes the bundle of a statement. ERR_USAGE if what the caller was
 * given makes no statement that a verifier reads. Release. */
bool issue_sign(struct issuer *i, const char *word, const struct statement *s,
    struct issued *out, struct error *err) MUST_USE;
void issued_release(struct issued *s);

/*
 * issue_log asks, submits, and fails unless the answer proves the entry and the
 * log gives the statement back by S. `verifier` is the SPKI of a bare key, or
 * empty. With --no-log it does nothing.
 */
bool issue_log(struct issuer *i, const char *what, struct bytes verifier,
    struct issued *s, struct error *err) MUST_USE;

/* issue_verifier is what issue_log takes for the issuer's own key. */
struct bytes issue_verifier(const struct issuer *i);

/* issue_write keeps the bundle in a folder, which is made if it is missing, and
 * says so. */
bool issue_write(const struct issuer *i, const struct issued *s,
    const char *folder, struct error *err) MUST_USE;

#endif
