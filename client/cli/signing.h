/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_SIGNING_H
#define MTLOG_CLIENT_CLI_SIGNING_H

#include "client/cli/keys.h"
#include "client/cli/pinned.h"

/* The options of verbs that sign a model. */
#define CLI_SIGN_OPTIONS                                                       \
	CLI_KEY_OPTIONS,                                                       \
	    {"--signature", "FILE", "where the bundle goes", false},           \
	    {"--name", "NAME", "the model's name; else its folder's", false},  \
	    {"--version", "V", "the model's version", false},                  \
	    {"--hash", "WORD", "sha256 (default), blake2b or blake3", false},  \
	    {"--shard-size", "N", "hash in pieces of N bytes", false},         \
	    {"--ignore", "PATH", "leave this path out", true},                 \
	    {"--allow-symlinks", NULL, "sign what links below it lead to",     \
		false},                                                        \
	    {"--allow-empty-in-shards", NULL,                                  \
		"although shards do not list empty files", false},             \
	    {"--dot-name", NULL,                                               \
		"name a single file \".\", as "                                \
		"model_signing up to 1.1 wants it",                            \
		false},                                                        \
	{                                                                      \
		"--threads", "N", "for hashing; else one a processor", false   \
	}

/* The options of verbs that log something. */
#define CLI_LOG_OPTIONS                                                        \
	{"--log", "URL", "the log's address", false},                          \
	    {"--vkey", "VKEY",                                                 \
		"the log's key, or a file with it; else the "                  \
		"log is asked once and remembered",                            \
		false},                                                        \
	    CLI_PINS_OPTION,                                                   \
	    {"--token-file", "FILE", "a token that the log wants", false},     \
	    {"--timeout", "MS", "for all that goes over the network", false},  \
	    {"--wait", "SECONDS",                                              \
		"for the log's witnesses; else 5, 0: not at all", false},      \
	    {"--witnesses", "FILE",                                            \
		"a policy whose quorum must have cosigned the proof", false},  \
	{                                                                      \
		"--yes", NULL, "do not ask before it is published", false      \
	}

/* What publish and submit take beside them. */
#define CLI_DIGEST_OPTION                                                      \
	{                                                                      \
		"--no-envelope", NULL,                                         \
		    "log the digest alone: no name, no search", false          \
	}

/* A model that was signed here. */
struct cli_signed {
	char *path; /* where its bundle belongs */
	struct buf payload, bundle;
	struct hash statement; /* S */
	struct bytes name, version;
	struct buf base; /* what `name` borrows from, without --name */
	size_t resources;
};

/* cli_sign_with hashes and signs the verb's one operand. Release. The key comes
 * first: who waits for hashes wants no question after them. */
bool cli_sign_with(const struct cli_args *a, const struct cli_signer *who,
    struct cli_signed *out, struct error *err) MUST_USE;
void cli_signed_release(struct cli_signed *s);

/* A log to submit to, and the key that its answers must be signed with. */
struct cli_log {
	struct log_client *client;
	struct vkey key;
	bool digest_only;	  /* --no-envelope */
	char *pins;		  /* the file of pins; NULL: there is none */
	uint64_t wait_ms;	  /* --wait, for all entries together */
	uint64_t waited_ms;	  /* of it */
	bool no_witnesses;	  /* so the log says */
	bool witnessed;		  /* so the pin remembers */
	bool alone_said;	  /* that it has none: once is enough */
	struct policy *witnesses; /* --witnesses; NULL: any */
	unsigned uncosigned;	  /* proofs that were kept without a quorum */
};

/*
 * cli_log_open reads CLI_LOG_OPTIONS. A log that is pinned (mtlog log trust) has
 * the pin's key and address. Else, without --vkey, the log's key is asked of
 * itself at first contact and remembered for the user; another one later is
 * ERR_DENIED "unknown-log".
 */
bool cli_log_open(
    const struct cli_args *a, struct cli_log *out, struct error *err) MUST_USE;
void cli_log_close(struct cli_log *l);

/*
 * cli_log_bundle submits a bundle, verifies the answer with the log's key (the
 * leaf is built here, the checkpoint consistent with the pin if there is one,
 * and the envelope must come back by S), and appends the completed bundle.
 * `*index` is its entry. `verifier` is the SPKI of a bare key, or empty for a
 * certificate. Where `digest_only` is set the log gets the digest and not the
 * envelope. If the log has witnesses it is their proof (cosigned.h), or
 * `uncosigned` counts. Errors of log_client.h and of claims.
 */
bool cli_log_bundle(struct cli_log *l, struct bytes bundle,
    struct bytes verifier, struct buf *out, uint64_t *index, struct error *err)
    MUST_USE;

/* cli_log_fits refuses (ERR_USAGE) what the log would not keep for its size,
 * and says what to do: before anything is sent. */
bool cli_log_fits(const struct cli_log *l, const struct envelope *e,
    struct error *err) MUST_USE;

/* cli_log_has finds the entry of this log in a bundle and verifies it, with the
 * errors of cli_log_bundle. */
bool cli_log_has(const struct cli_log *l, const struct bundle *b,
    struct bytes verifier, uint64_t *index, struct error *err) MUST_USE;

/*
 * cli_log_upgrade does the same for a bundle whose entry is verified already:
 * where the proof in it lacks the witnesses and theirs is there, `*done` is the
 * bundle with it, appended.
 */
bool cli_log_upgrade(struct cli_log *l, struct bytes bundle,
    struct bytes verifier, struct buf *done, struct error *err) MUST_USE;

/* cli_log_keeps: whoever meets S later asks the log for it, so it must come
 * back. ERR_NOTFOUND: it does not. */
bool cli_log_keeps(
    struct cli_log *l, const struct envelope *e, struct error *err) MUST_USE;

/* cli_ask_to_publish says what becomes public and permanent, and asks. */
bool cli_ask_to_publish(const struct cli_args *a, const struct cli_signer *who,
    const struct cli_log *log, const struct cli_signed *what, struct error *err)
    MUST_USE;

/* cli_say_public begins such a question: where it becomes public. */
void cli_say_public(const struct cli_log *log);

/* cli_say_digest tells what --no-envelope means, on standard error. */
void cli_say_digest(void);

#endif
