/* SPDX-License-Identifier: Apache-2.0 */
#include "server/quota.h"

#include <pthread.h>
#include <stdlib.h>

#define COUNTERS    16384 /* for each of the two; a power of two */
#define DAY_SECONDS 86400

struct quota {
	pthread_mutex_t lock;
	uint64_t per_day, seed, day;
	uint64_t used[2][COUNTERS];
};

struct quota *
quota_open(uint64_t per_day, uint64_t seed, struct error *err)
{
	struct quota *q = calloc(1, sizeof(*q));

	if (!q) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	q->per_day = per_day;
	q->seed = seed;
	(void)pthread_mutex_init(&q->lock, NULL);
	return q;
}

void
quota_close(struct quota *q)
{
	if (!q)
		return;
	(void)pthread_mutex_destroy(&q->lock);
	free(q);
}

static uint64_t *
counter_of(struct quota *q, unsigned which, struct bytes who)
{
	uint64_t x = q->seed + which;

	for (size_t i = 0; i < who.len; i++) {
		x = (x ^ who.ptr[i]) * 0xff51afd7ed558ccdu;
		x ^= x >> 33;
	}
	return &q->used[which][x & (COUNTERS - 1)];
}

bool
quota_take(struct quota *q, struct bytes address, struct bytes signer,
    uint64_t n, uint64_t now)
{
	uint64_t *a = counter_of(q, 0, address), *s = counter_of(q, 1, signer);
	bool ok;

	(void)pthread_mutex_lock(&q->lock);
	if (q->day != now / DAY_SECONDS) {
		q->day = now / DAY_SECONDS;
		memset(q->used, 0, sizeof(q->used));
	}
	ok = n <= q->per_day && *a <= q->per_day - n && *s <= q->per_day - n;
	if (ok) {
		*a += n;
		*s += n;
	}
	(void)pthread_mutex_unlock(&q->lock);
	return ok;
}

static void
give(uint64_t *counter, uint64_t n)
{
	*counter -= n < *counter ? n : *counter;
}

void
quota_give(struct quota *q, struct bytes address, struct bytes signer,
    uint64_t n, uint64_t now)
{
	(void)pthread_mutex_lock(&q->lock);
	if (q->day == now / DAY_SECONDS) {
		give(counter_of(q, 0, address), n);
		give(counter_of(q, 1, signer), n);
	}
	(void)pthread_mutex_unlock(&q->lock);
}
