/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESSING_H
#define MTLOG_SERVER_WITNESSING_H

#include "server/admit.h"
#include "server/metrics.h"
#include "server/witness_collect.h"

/*
 * What the server does with witnesses: the collector, what it is asked at the
 * start, and what its state means for submissions and for /readyz. Everything
 * takes NULL: witness-mode = off.
 */
struct witnessing;

/* It outlives what it is given. `restart`: see witnessing_restart. */
struct witnessing_parts {
	const struct config *config;
	const struct vkey *log;
	struct health *health;
	void (*restart)(void *arg);
	void *arg;
};

/* witnessing_open reads the policy and opens the transport, before the sandbox.
 * No mode but off is without one: NULL is a failure. */
struct witnessing *witnessing_open(
    const struct witnessing_parts *parts, struct error *err) MUST_USE;
/* witnessing_stop: nobody is asked or told any more. */
void witnessing_stop(struct witnessing *w);
void witnessing_close(struct witnessing *w);

/* What a name and a certificate are looked up in, beside what the server reads
 * anyway: for the sandbox. */
#define WITNESSING_FILES 10
extern const char *const witnessing_files[WITNESSING_FILES];

/* witnessing_tree tells whose proofs are sent. Before anything below. */
void witnessing_tree(struct witnessing *w, struct tree *tree);

/* witnessing_ask is recover_parts.ask; `arg` is the witnessing. */
bool witnessing_ask(void *arg, struct head *head, struct error *err) MUST_USE;

/* witnessing_begin: recovery is over, with this head (NULL: nothing to serve).
 * What was shown before is shown again even if nothing will be signed. */
void witnessing_begin(struct witnessing *w, struct head *head);

/* witnessing_restart has `restart` called as soon as witnesses have said enough
 * for the log to sign. */
void witnessing_restart(struct witnessing *w);

/* witnessing_signed is sequencer_parts.signed_head. */
void witnessing_signed(struct witnessing *w, struct head *head);

/* witnessing_admit tells who waits for quorums (witness-mode = required). */
void witnessing_admit(struct witnessing *w, struct admit *a);

/* witnessing_slot is where the newest cosigned head stands; NULL if off. */
struct head_slot *witnessing_slot(struct witnessing *w);

/* witnessing_required tells whether nothing else may be shown. */
bool witnessing_required(const struct witnessing *w);

/* witnessing_tick looks at what waits; call it twice a second. */
void witnessing_tick(struct witnessing *w);

/* witnessing_ready: ERR_UNAVAILABLE reason "cosigning-behind" where something
 * waits for too long, "quorum-stale" where no quorum has cosigned for two
 * hours. */
bool witnessing_ready(struct witnessing *w, struct error *err);

/* witnessing_metrics fills what the page says of witnesses. */
void witnessing_metrics(struct witnessing *w, struct metrics_now *now);

#endif
