/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_FAIR_H
#define MTLOG_SERVER_FAIR_H

#include "core/base/bytes.h"
#include "server/exchange.h"

#define FAIR_BUCKETS 256

/*
 * A fair queue: clients fall into buckets, each bucket has a virtual time that
 * its work moves forward, and the bucket that is furthest behind is served
 * next. A client that costs much waits behind those that cost little. No lock
 * of its own: the caller holds one.
 */
struct fair_item {
	struct fair_item *next;
	unsigned bucket;
};

struct fair_queue {
	size_t max, total;
	uint64_t clock; /* virtual time of who was served last */
	uint64_t seed;	/* so that nobody chooses whose bucket to share */
	struct {
		struct fair_item *first, **last;
		size_t count;
		uint64_t time;
	} buckets[FAIR_BUCKETS];
};

/* fair_init makes an empty queue of at most `max` items. */
void fair_init(struct fair_queue *q, size_t max, uint64_t seed);

/*
 * fair_put queues an item of `client`; false when the queue is full, or when
 * the client alone holds more than what is left for all others (and more than
 * 64).
 */
bool fair_put(struct fair_queue *q, struct fair_item *item,
    const struct http_client *client) MUST_USE;

/* fair_again queues an item that was taken before, unfinished: never refused.
 */
void fair_again(struct fair_queue *q, struct fair_item *item);

/* fair_take removes the next item; NULL when empty. */
struct fair_item *fair_take(struct fair_queue *q);

/* fair_charge adds `cost` (any unit, the same for all) to an item's bucket. */
void fair_charge(
    struct fair_queue *q, const struct fair_item *item, uint64_t cost);

#endif
