/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_ADMIT_H
#define MTLOG_SERVER_ADMIT_H

#include "core/tlog/note.h"
#include "server/head.h"
#include "server/health.h"
#include "server/lookup.h"
#include "server/pool.h"
#include "server/quota.h"
#include "server/rules.h"
#include "server/tree.h"

#define ADMIT_BATCH_MAX 1000 /* lines of one batch request */

/* What a submission met, for the metrics; nanoseconds. */
struct admit_report {
	bool accepted;	    /* 201, new */
	bool duplicate;	    /* 201, known */
	const char *reason; /* of a refusal, else NULL */
	uint64_t admit;	    /* parse, look up, verify */
	uint64_t queue;	    /* in the pool until published */
	uint64_t answer;    /* proof built, verified, written */
};

struct admit_parts {
	struct pool *pool;
	struct tree *tree;
	const struct store_backend *backend; /* the tree's */
	struct rules *rules;
	struct quota *quota; /* of envelopes */
	struct lookup *lookup;
	struct head_slot *heads;
	struct health *health;
	struct vkey vkey; /* the log's */
	unsigned workers;
	size_t queue_max; /* requests that may wait for a worker */
	/* answers wait until `heads`, which a quorum has cosigned, covers them;
	 * this long at most, since the request came */
	bool quorum;
	uint64_t quorum_wait_ms;
	size_t open_max; /* with `quorum`: requests in all */
	void (*report)(void *arg, const struct admit_report *r);
	void *arg;
};

/*
 * Admission: worker threads with a bounded queue, fair by client address (what
 * a client's submissions cost counts against it, failed signatures ten times),
 * so that neither reads nor other clients wait behind one submitter.
 */
struct admit;

struct admit *admit_open(const struct admit_parts *parts, struct error *err)
    MUST_USE;

/* admit_close waits until everything taken is answered (NULL-safe). The pool
 * must still be served. */
void admit_close(struct admit *a);

enum admit_kind {
	ADMIT_ONE,    /* a submission; its envelope is kept, if it has one */
	ADMIT_BATCH,  /* one a line */
	ADMIT_BUNDLE, /* a bundle, whose envelope is kept */
};

/* admit_take handles the exchange. Answers it later, or at once with 503 when
 * too much waits. */
void admit_take(struct admit *a, struct exchange *x, enum admit_kind kind);

/* admit_cosigned: `heads` now has a head of this size, for those who wait.
 * admit_expire lets those go whose time is up; call it every half second.
 * admit_hurry: nobody waits for quorums any more (NULL-safe). */
void admit_cosigned(struct admit *a, uint64_t size);
void admit_expire(struct admit *a);
void admit_hurry(struct admit *a);

/* admit_waiting counts requests that wait for a worker. */
size_t admit_waiting(struct admit *a);

#endif
