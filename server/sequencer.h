/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SEQUENCER_H
#define MTLOG_SERVER_SEQUENCER_H

#include "core/tlog/frontier.h"
#include "server/head.h"
#include "server/health.h"
#include "server/lookup.h"
#include "server/pool.h"
#include "server/signer.h"
#include "server/tree.h"

/* What one batch took, for the metrics; nanoseconds. */
struct batch_report {
	size_t count;
	uint64_t size; /* of the tree after it */
	uint64_t oldest_wait, integrate, commit, read_back, sign, publish;
};

/* Everything a batch touches. Borrowed; outlives the sequencer. */
struct sequencer_parts {
	struct pool *pool;
	struct tree *tree;
	const struct store_backend *backend;
	struct store *store;
	uint64_t store_identity;
	struct signer *signer;
	struct lookup *lookup;
	struct head_slot *heads;
	struct health *health;
	size_t batch_max;
	unsigned gather_ms;
	/* asked before each batch; false with ERR_UNAVAILABLE or ERR_DENIED:
	 * not now; with any other error: start again */
	bool (*may_write)(void *arg, struct error *err);
	void (*report)(void *arg, const struct batch_report *r);
	/* a head was signed, and nobody has seen it yet; NULL: nobody asks */
	void (*signed_head)(void *arg, struct head *head);
	/* one line for the log, when the log stops taking entries */
	void (*alarm)(void *arg, const char *what, const struct error *err);
	/* the process must end and be started again (exit 75) */
	void (*restart)(void *arg);
	void *arg;
};

struct sequencer;

/*
 * sequencer_open starts from the published head `last` (its tree is loaded).
 * sequencer_start begins taking batches; sequencer_close stops after the
 * queue is empty (NULL-safe).
 */
struct sequencer *sequencer_open(
    const struct sequencer_parts *parts, struct error *err) MUST_USE;
bool sequencer_start(struct sequencer *s, struct error *err) MUST_USE;
void sequencer_close(struct sequencer *s);

#endif
