/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_KEYS_H
#define MTLOG_CLIENT_CLI_KEYS_H

#include "client/cli/cli.h"
#include "client/lib/sign.h"

/* The options that name a signing key, for the tables of those verbs. */
#define CLI_KEY_OPTIONS                                                        \
	{"--key", "PEM|URI", "private key: a PEM file or a pkcs11: URI",       \
	    false},                                                            \
	    {"--passphrase-file", "FILE",                                      \
		"its passphrase (or the token's PIN), the file's first line",  \
		false},                                                        \
	    {"--passphrase-fd", "N", "the same, from an open descriptor",      \
		false},                                                        \
	    {"--certificate", "PEM",                                           \
		"sign with this certificate of the key's", false},             \
	{                                                                      \
		"--chain", "PEM", "its issuers, without the root", true        \
	}

/* Who signs, with all that has to be closed. `{0}` is closed. */
struct cli_signer {
	struct private_key *key;
	struct pkcs11 *token;
	struct signer signer;
	struct buf certificates; /* DER, one after the other */
	struct sign_identity identity;
};

/*
 * cli_signer_open reads what CLI_KEY_OPTIONS name; a passphrase that is needed
 * and not named is asked for on the terminal. ERR_USAGE; reason
 * "key-unavailable".
 */
bool cli_signer_open(const struct cli_args *a, struct cli_signer *out,
    struct error *err) MUST_USE;
/* cli_signer_open_as is that for a verb whose key has an option of another
 * name. */
bool cli_signer_open_as(const struct cli_args *a, const char *option,
    struct cli_signer *out, struct error *err) MUST_USE;
void cli_signer_close(struct cli_signer *s);

/* cli_new_passphrase asks for one twice, or reads the one that is named; empty:
 * none is wanted. Wipe `out` (secret_release). */
bool cli_new_passphrase(
    const struct cli_args *a, struct buf *out, struct error *err) MUST_USE;
void cli_secret_release(struct buf *secret);

#endif
