/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SIGNER_GUARDS_H
#define MTLOG_SERVER_SIGNER_GUARDS_H

#include "server/signer.h"

/* The head that a guard holds. */
struct signed_head {
	uint64_t size;
	struct hash root;
};

/*
 * The guard and its copies as one: written together, in this order, so that a
 * copy is never ahead of the guard. Only the signer process has one.
 */
struct signer_guards {
	struct guard *files[1 + SIGNER_MAX_COPIES]; /* the guard first */
	size_t count;
	bool failed; /* a write failed: nothing may be signed any more */
};

/*
 * signer_guards_open locks and reads all, verifies each one's checkpoint with
 * hello->vkey, and compares. Fills guard, state and note_error of `hello`, and
 * `head` if the guard is OK. Fails only where that cannot be found out.
 */
bool signer_guards_open(struct signer_guards *g,
    const struct signer_options *options, struct key_verifier *verifier,
    struct signer_hello *hello, struct signed_head *head, struct error *err)
    MUST_USE;
void signer_guards_release(struct signer_guards *g);

/* signer_guards_write makes `next` durable in all. ERR_IO latches `failed`. */
bool signer_guards_write(struct signer_guards *g, struct guard_state *next,
    struct error *err) MUST_USE;

/* signer_guards_create makes all files, or none. */
bool signer_guards_create(const struct signer_options *options,
    const struct guard_state *first, struct error *err) MUST_USE;

#endif
