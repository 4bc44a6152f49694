/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_SEAT_H
#define MTLOG_SERVER_WITNESS_SEAT_H

#include <pthread.h>

#include "server/backlog.h"
#include "server/witness_collect.h"

/* What witness_collect.c (who is asked what, and when) and witness_publish.c
 * (what becomes of the answers) share and nobody else sees. */

#define WITNESS_PROOFS 8

/* One witness, and the thread that asks it. */
struct seat {
	struct witness_collect *collect;
	const struct witness *witness;
	void *handle; /* of the transport */
	struct tree_cursor cursor;
	struct key_verifier *verifier;
	pthread_t thread;
	bool open, started;

	/* By the collector's lock. */
	uint64_t last_size; /* what it is thought to have cosigned last */
	uint64_t next_ns;   /* not asked before */
	unsigned failures;  /* in a row */
	bool failing;	    /* and that was told */
	bool asked, cosigned_since; /* since the start */
	/* its cosignature of candidate number `serial` */
	uint64_t serial, time, line_ns;
	struct buf line;
	struct witness_stats stats;
};

struct witness_collect {
	struct witness_collect_parts p;
	struct tree *tree;
	size_t count;
	struct seat *seats;

	pthread_mutex_t publishing; /* taken before `lock` */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	bool decided, doubtful; /* what the start's question came to */
	struct head *newest;	/* signed */
	struct head *candidate;
	uint64_t serial, candidate_ns;
	bool met;	   /* the candidate is published */
	uint64_t version;  /* counts its cosignatures, */
	uint64_t shown;	   /* up to here they are published */
	uint64_t retry_ns; /* publishing failed; not again before */
	size_t idle;	   /* seats that wait for a newer head alone */
	struct backlog backlog;
	uint64_t quorum_time;
	size_t proof_at;
	struct witness_proof {
		uint64_t old, size;
		struct proof proof;
	} proofs[WITNESS_PROOFS];
};

/* Cosignatures are renewed after this, and count as long as the second. */
#define WITNESS_RENEW_NS (45ull * 60 * 1000000000)
#define WITNESS_FRESH_NS (60ull * 60 * 1000000000)

/* witness_publish makes durable and shows what has its quorum, if there is
 * anything new to show. No lock is held. */
void witness_publish(struct witness_collect *c, struct key_verifier *verifier);

/* witness_publish_due tells whether it would. The lock is held. */
bool witness_publish_due(const struct witness_collect *c, uint64_t now);

/* witness_doubt: the checkpoint `theirs` of the note is signed by our key, and
 * contradicts what we signed or goes beyond it. Keeps it and tells. */
void witness_doubt(
    struct seat *s, struct bytes note, const struct checkpoint *theirs);

#endif
