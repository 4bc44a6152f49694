/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_KEEPER_H
#define MTLOG_SERVER_WITNESS_KEEPER_H

#include "server/witness/cosigner.h"

/*
 * The cosigner in a process of its own (the keeper), forked before there are
 * threads or a listener. What speaks HTTP has neither the key nor the database,
 * and the keeper sees nothing of the network but whole bodies.
 */
struct keeper;

/* What it says when it has begun. */
struct keeper_hello {
	struct vkey vkey;
	char sandbox[100];
};

enum keeper_verb {
	KEEPER_ADD = 1,	 /* in: the body */
	KEEPER_GET = 2,	 /* in: 32 bytes, a log's ID */
	KEEPER_NEXT = 3, /* in: 32 bytes, or none */
};

/* keeper_start; NULL with the errors of cosigner_open. keeper_close is NULL-safe
 * and waits for the process' end. */
struct keeper *keeper_start(
    const char *dir, struct keeper_hello *hello, struct error *err) MUST_USE;
void keeper_close(struct keeper *k);

/*
 * keeper_ask asks and waits for the answer; one thread at a time. The answer's
 * `reason` is not carried over. ERR_UNAVAILABLE "keeper-down": it is dead or
 * hangs, and it is not known what it did.
 */
bool keeper_ask(struct keeper *k, enum keeper_verb verb, struct bytes in,
    struct cosigner_answer *a, struct error *err) MUST_USE;

/* keeper_fd polls readable (end of file) when it has died. */
int keeper_fd(const struct keeper *k);

#endif
