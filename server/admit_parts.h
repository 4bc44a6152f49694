/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_ADMIT_PARTS_H
#define MTLOG_SERVER_ADMIT_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/reader.h"
#include "server/admit.h"
#include "server/bundle_work.h"
#include "server/fair.h"

/* What admit.c (requests and workers) and admit_envelope.c (what a bundle needs
 * beyond its entry) share and nobody else sees. */

#define WORKERS_MAX 64

enum line_state { LINE_REFUSED, LINE_KNOWN, LINE_NEW };

/* One submission within a request. */
struct line {
	struct submission s;
	struct job *job;
	enum line_state state;
	struct error err;
	struct admit_report report;
};

/* A request: one line, or a batch of them. */
struct job {
	struct fair_item item; /* first: the queue's view of a job */
	struct job *next;      /* in the list of the finished */
	struct admit *admit;
	struct exchange *x;
	enum admit_kind kind;
	struct bundle_work *bundle; /* of what brings an envelope, or NULL */
	bool begun;
	struct reader rest; /* what has not been looked at yet */
	size_t done, count;
	struct line *lines;
	atomic_size_t waiting; /* submissions in the pool, and 1 for us */
	/* admit_quorum.c: the size it waits for, how long, and that it has */
	uint64_t needs, until_ns;
	bool late;
};

/* What one worker thread keeps for itself. */
struct worker {
	struct admit *admit;
	struct key_verifier *verifier;
	struct tree_cursor cursor;
	pthread_t thread;
};

struct admit {
	struct admit_parts p;
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;
	struct fair_queue queue;
	struct job *finished, **finished_last;
	size_t open; /* jobs not yet answered */
	bool stopping;
	struct job *parked; /* finished, and not cosigned */
	uint64_t cosigned;  /* size of the newest head with a quorum */
	bool closing;	    /* nobody waits for quorums any more */
	unsigned started;
	struct worker workers[WORKERS_MAX];
};

/* admit_step: one of what a job waits for is done; the last one has it
 * answered, by whoever is free. The job may be gone afterwards. */
void admit_step(struct job *job);

/* admit_enclose makes a bundle's envelope part of its submission, if there is
 * any need: it may be stored for this signer (submission.enclosed). */
bool admit_enclose(struct worker *w, struct line *line, const struct entry *e,
    struct error *err) MUST_USE;

/* admit_unenclose: it did not come to that; nothing is charged. */
void admit_unenclose(struct worker *w, struct line *line);

/*
 * admit_enclose_known: a known leaf, submitted with an envelope that may not be
 * kept yet, goes through the pool for that alone. Whatever comes in between,
 * the leaf is known and is answered.
 */
void admit_enclose_known(
    struct worker *w, struct line *line, const struct entry *e);

/*
 * admit_enclose_late: a bundle's leaf joined one that came without an envelope.
 * It is in the log now; the envelope has to follow before the answer. True: the
 * job waits once more, or is answered by somebody else.
 */
bool admit_enclose_late(struct worker *w, struct job *job) MUST_USE;

/* admit_park: true where the job's answer has to wait for a quorum; then it
 * comes back among the finished. */
bool admit_park(struct job *job) MUST_USE;

/* admit_covered: whether what waited for a quorum has it (always true where
 * nothing has to). ERR_UNAVAILABLE reason "not-cosigned". */
bool admit_covered(const struct line *line, const struct head *head,
    struct error *err) MUST_USE;

/* admit_put_entry appends the entry with its proof under `head`; completed, the
 * bundle that asked for it. Sets line->err. */
bool admit_put_entry(struct worker *w, struct line *line,
    const struct head *head, struct buf *out) MUST_USE;

#endif
