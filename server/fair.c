/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fair.h"

#define CLIENT_MIN 64 /* items that any client may always hold */

void
fair_init(struct fair_queue *q, size_t max, uint64_t seed)
{
	*q = (struct fair_queue){.max = max, .seed = seed};
	for (size_t i = 0; i < FAIR_BUCKETS; i++)
		q->buckets[i].last = &q->buckets[i].first;
}

/* Every bit in changes half of the bits out, multiplied in between. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 33;
}

/* The seed goes through `mix` with each half of the address: who shares a
 * bucket by one seed does not by another. */
static unsigned
bucket_of(const struct fair_queue *q, const struct http_client *client)
{
	uint64_t half[2];

	memcpy(half, client->address, sizeof(half));
	return (unsigned)(mix(mix(q->seed ^ half[0]) ^ half[1]) % FAIR_BUCKETS);
}

static void
append(struct fair_queue *q, struct fair_item *item)
{
	if (q->buckets[item->bucket].count++ == 0 &&
	    q->buckets[item->bucket].time < q->clock)
		q->buckets[item->bucket].time = q->clock;
	q->total++;
	item->next = NULL;
	*q->buckets[item->bucket].last = item;
	q->buckets[item->bucket].last = &item->next;
}

bool
fair_put(struct fair_queue *q, struct fair_item *item,
    const struct http_client *client)
{
	size_t held;

	item->bucket = bucket_of(q, client);
	held = q->buckets[item->bucket].count;
	if (q->total >= q->max ||
	    (held >= CLIENT_MIN && held > q->max - q->total))
		return false;
	append(q, item);
	return true;
}

void
fair_again(struct fair_queue *q, struct fair_item *item)
{
	append(q, item);
}

struct fair_item *
fair_take(struct fair_queue *q)
{
	size_t best = FAIR_BUCKETS;
	struct fair_item *item;

	if (q->total == 0)
		return NULL;
	for (size_t i = 0; i < FAIR_BUCKETS; i++)
		if (q->buckets[i].count > 0 &&
		    (best == FAIR_BUCKETS ||
			q->buckets[i].time < q->buckets[best].time))
			best = i;
	item = q->buckets[best].first;
	q->buckets[best].first = item->next;
	if (!item->next)
		q->buckets[best].last = &q->buckets[best].first;
	q->buckets[best].count--;
	q->total--;
	q->clock = q->buckets[best].time;
	return item;
}

void
fair_charge(struct fair_queue *q, const struct fair_item *item, uint64_t cost)
{
	q->buckets[item->bucket].time += cost;
}
