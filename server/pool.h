/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_POOL_H
#define MTLOG_SERVER_POOL_H

#include "server/enclosure.h"
#include "server/head.h"
#include "server/lookup.h"

/*
 * One admitted leaf on its way into the log. Who made it owns it and gets it
 * back through `done`, once, on the sequencer's thread, which must not wait
 * there. Then either `err` is set, or `index` is its place under `head` (a
 * reference for the owner).
 */
struct submission {
	struct buf leaf;
	struct lookup_keys keys;
	struct enclosure *enclosure; /* NULL: no envelope; the owner's */
	bool known;		     /* the leaf is the entry `index` already,
					only the enclosure is to be stored */
	void (*done)(void *arg, struct submission *s);
	void *arg;

	uint64_t index;
	struct head *head;
	struct error err;
	bool enclosed; /* this envelope is stored, and found at this signer */

	uint64_t queued_ns;	  /* monotonic, when the pool took it */
	struct submission *next;  /* the pool's */
	struct submission *twins; /* the same leaf, submitted meanwhile */
	struct submission *chain;
	bool reserved;
	size_t reserved_bytes; /* with it: of what pool_reserve has kept */
};

void submission_release(struct submission *s);

/*
 * The bounded queue in front of the sequencer, which also knows every leaf in
 * flight: the same leaf submitted again joins the first one.
 */
struct pool;

struct pool *pool_open(size_t max_entries, size_t max_bytes, struct error *err)
    MUST_USE;
void pool_close(struct pool *p);

/*
 * pool_epoch changes whenever leaves leave the flight. Take it before looking a
 * leaf up; pool_put with an old one says POOL_LOOK_AGAIN, because the leaf may
 * have entered the log since.
 */
uint64_t pool_epoch(struct pool *p);

enum pool_result { POOL_TAKEN, POOL_LOOK_AGAIN, POOL_REFUSED };

/* pool_join lets `s` wait for an equal leaf in flight; false if there is none.
 * What it waits for may come without an envelope: see submission.enclosed. */
bool pool_join(struct pool *p, struct submission *s);

/* pool_put queues `s` (or joins); one leaf is taken whatever its size. One that
 * is known is never in flight: nobody joins it, and it joins nobody.
 * POOL_REFUSED sets ERR_UNAVAILABLE, reason "queue-full" or (stopped)
 * "draining". */
enum pool_result pool_put(
    struct pool *p, struct submission *s, uint64_t epoch, struct error *err);

/*
 * pool_reserve keeps room for a batch's entries and, as far as they are known
 * before they are parsed, their bytes, all or nothing; each submission put with
 * `reserved` uses up one and its `reserved_bytes`, the rest is given back.
 */
bool pool_reserve(
    struct pool *p, size_t entries, size_t bytes, struct error *err) MUST_USE;
void pool_unreserve(struct pool *p, size_t entries, size_t bytes);

/*
 * pool_take waits until something is queued and returns up to `max` entries and
 * `max_bytes`, in order, as a chain by `next`; NULL when the pool was stopped.
 * When more than a handful wait it gathers for `gather_ms` first.
 */
struct submission *pool_take(struct pool *p, size_t max, size_t max_bytes,
    unsigned gather_ms, size_t *count);

/* pool_finish ends the flight of a taken chain and calls every `done`. `index`,
 * `head` and `err` of each are copied to its twins. */
void pool_finish(struct pool *p, struct submission *chain);

/* pool_stop makes pool_take return NULL once the queue is empty. */
void pool_stop(struct pool *p);

/* pool_load: entries and bytes queued or in flight. */
void pool_load(struct pool *p, size_t *entries, size_t *bytes);

#endif
