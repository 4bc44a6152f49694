/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_COLLECT_H
#define MTLOG_SERVER_WITNESS_COLLECT_H

#include "server/head.h"
#include "server/tree.h"
#include "server/witness_ask.h"

/* Files of the database's folder that are there once a witness has shown that
 * our key signed what this log does not know: a fork, as core/tlog/evidence.h
 * has it; or a checkpoint that is larger than ours. A start with either is
 * doubt. */
#define WITNESS_EVIDENCE "evidence"
#define WITNESS_UNKNOWN	 "unknown-checkpoint"

/*
 * Collects cosignatures: a thread for each witness, so that a slow, dead or
 * lying one stands in nobody's way. All are asked about one signed head, the
 * candidate, until a quorum has cosigned it; then it is made durable and
 * published, and the newest signed head of that moment is the next candidate.
 *
 * A signed head comes here when its guard is durable; the sequencer never
 * waits for anything that happens here.
 */
struct witness_collect;

/* Everything it touches. Borrowed; outlives it. Callbacks come from its
 * threads, without locks of its own held. */
struct witness_collect_parts {
	const struct witness_policy *policy;
	const struct witness_transport *transport;
	const struct vkey *log;
	const char *folder; /* of the cosigned checkpoint, and of evidence */
	bool required; /* a start waits for a set that every quorum needs */
	struct head_slot *cosigned; /* where what has its quorum is published */
	/* a larger head has its quorum; it is in the slot */
	void (*published)(void *arg, uint64_t size);
	/* the start's question is answered; see witness_collect_asked */
	void (*asked)(void *arg);
	/* a witness shows that our key signed what we do not know */
	void (*doubt)(void *arg, const struct error *why);
	/* one line for the log: a witness fails, or answers again */
	void (*event)(void *arg, bool bad, const char *what, const char *text);
	void *arg;
};

/* witness_collect_open also opens the transport: call it before the sandbox.
 * witness_collect_stop ends its threads and their calls under way: nothing is
 * called back any more. witness_collect_close does so, too; NULL-safe. */
struct witness_collect *witness_collect_open(
    const struct witness_collect_parts *parts, struct error *err) MUST_USE;
void witness_collect_stop(struct witness_collect *c);
void witness_collect_close(struct witness_collect *c);

/*
 * witness_collect_load publishes the checkpoint that was published last, from
 * its file, if it has its quorum under today's policy. `head` is the newest
 * signed one, whose tree is `tree`. ERR_CONFLICT reason "inconsistent" where
 * the file has a head that does not belong to this tree, or a larger one;
 * ERR_BADSIG, ERR_SYNTAX … for a file that is damaged.
 */
bool witness_collect_load(struct witness_collect *c, struct tree *tree,
    const struct head *head, struct error *err) MUST_USE;

/* witness_collect_start begins to ask, with this head (signed before, so that
 * nothing is signed for it) as the first candidate. After _load. */
bool witness_collect_start(
    struct witness_collect *c, struct head *head, struct error *err) MUST_USE;

/*
 * witness_collect_asked tells whether the log may sign: no witness showed that
 * it must not, and all have been asked since the start, or, in required mode, a
 * set that is part of every quorum has cosigned since. Waits up to `wait_ms`.
 */
bool witness_collect_asked(struct witness_collect *c, unsigned wait_ms);

/* witness_collect_signed: there is a newer signed head, in order. Never waits
 * for long. Call it before anybody else sees that head. */
void witness_collect_signed(struct witness_collect *c, struct head *head);

/* How things stand. */
struct witness_collect_state {
	uint64_t signed_size, cosigned_size;
	uint64_t waiting;     /* entries that are signed and not cosigned */
	uint64_t waiting_ns;  /* how long the oldest of them has waited */
	uint64_t patience_ns; /* longer than that is too long */
	uint64_t quorum_time; /* when a quorum last cosigned, seconds since
				 1970 by the witnesses' clocks; 0: not known */
};
void witness_collect_state(
    struct witness_collect *c, struct witness_collect_state *out);

/* What one witness did, for the metrics. */
struct witness_stats {
	const char *name;
	uint64_t results[WITNESS_RESULTS];
	uint64_t size;	  /* that it cosigned last */
	uint64_t time;	  /* when, by its clock; 0: not since the start */
	uint64_t took_ns; /* by all requests together */
};

/* witness_collect_stats fills up to `max` and returns how many there are. */
size_t witness_collect_stats(
    struct witness_collect *c, struct witness_stats *out, size_t max);

#endif
