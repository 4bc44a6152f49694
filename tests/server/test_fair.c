/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/fair.h"

#define SEED 12345

/* An item and who it belongs to. */
struct work {
	struct fair_item item;
	size_t owner, number;
	bool queued;
};

/* An IPv4 address in the form that limits see. */
static struct http_client
client_of(uint32_t v4)
{
	struct http_client c = {{[10] = 0xff, [11] = 0xff}};

	for (unsigned i = 0; i < 4; i++)
		c.address[12 + i] = (uint8_t)(v4 >> (24 - 8 * i));
	return c;
}

static unsigned
bucket_of(uint64_t seed, const struct http_client *client)
{
	static struct fair_queue q;
	struct fair_item item;

	fair_init(&q, 1, seed);
	assert_true(fair_put(&q, &item, client));
	assert_true(item.bucket < FAIR_BUCKETS);
	return item.bucket;
}

/* Clients that share no bucket. */
static void
clients_make(struct http_client *out, size_t count)
{
	bool used[FAIR_BUCKETS] = {0};
	size_t n = 0;

	for (uint32_t v4 = 0xc0000201; n < count; v4++) {
		struct http_client c = client_of(v4);
		unsigned b = bucket_of(SEED, &c);

		if (!used[b])
			out[n++] = c;
		used[b] = true;
	}
}

static struct work *
take(struct fair_queue *q)
{
	return (struct work *)fair_take(q);
}

static void
test_one_client_in_order(void **state)
{
	struct fair_queue q;
	struct http_client c = client_of(1);
	struct work works[50];

	(void)state;
	fair_init(&q, 1000, SEED);
	assert_null(fair_take(&q));
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < 50; i++)
			assert_true(fair_put(&q, &works[i].item, &c));
		for (size_t i = 0; i < 50; i++) {
			assert_ptr_equal(take(&q), &works[i]);
			fair_charge(&q, &works[i].item, i * 1000);
		}
		assert_null(fair_take(&q));
	}
}

/* One with much and dear work, and many with one cheap item each, who all go
 * before its second. */
static void
test_no_starving(void **state)
{
	struct fair_queue q;
	struct http_client clients[41];
	struct work dear[100], cheap[40], *w;

	(void)state;
	clients_make(clients, 41);
	fair_init(&q, 1000, SEED);
	for (size_t i = 0; i < 100; i++)
		assert_true(fair_put(&q, &dear[i].item, &clients[40]));
	for (size_t round = 0; round < 50; round++) {
		w = take(&q);
		assert_ptr_equal(w, &dear[round]);
		fair_charge(&q, &w->item, 1000);
		for (size_t i = 0; i < 40; i++)
			assert_true(fair_put(&q, &cheap[i].item, &clients[i]));
		for (size_t i = 0; i < 40; i++) {
			w = take(&q);
			assert_true(w >= cheap && w < cheap + 40);
			fair_charge(&q, &w->item, 1);
		}
	}
}

/* Keeps both clients' queues filled; counts who is served. */
static void
serve(struct fair_queue *q, const struct http_client clients[2],
    const uint64_t cost[2], size_t takes, size_t served[2])
{
	struct work works[2][3];

	served[0] = served[1] = 0;
	for (size_t k = 0; k < 6; k++) {
		works[k % 2][k / 2] = (struct work){.owner = k % 2};
		assert_true(
		    fair_put(q, &works[k % 2][k / 2].item, &clients[k % 2]));
	}
	for (size_t i = 0; i < takes; i++) {
		struct work *w = take(q);

		assert_non_null(w);
		served[w->owner]++;
		fair_charge(q, &w->item, cost[w->owner]);
		assert_true(fair_put(q, &w->item, &clients[w->owner]));
	}
	while (take(q))
		;
}

static void
test_shares(void **state)
{
	static const struct {
		uint64_t cost[2];
		size_t takes, want;
	} cases[] = {
	    {{10, 10}, 200, 100},
	    {{9, 1}, 200, 20},
	    {{1, 99}, 1000, 990},
	    {{300, 100}, 400, 100},
	};
	struct http_client clients[2];

	(void)state;
	clients_make(clients, 2);
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct fair_queue q;
		size_t served[2];

		fair_init(&q, 1000, SEED);
		serve(&q, clients, cases[c].cost, cases[c].takes, served);
		assert_in_range(
		    served[0], cases[c].want - 2, cases[c].want + 2);
	}
}

/* Who was away neither saved up time nor has to make up for any. */
static void
test_absence(void **state)
{
	static const uint64_t cost[2] = {10, 10};
	struct http_client clients[2];
	struct fair_queue q;
	struct work w;
	size_t served[2];

	(void)state;
	clients_make(clients, 2);
	fair_init(&q, 1000, SEED);
	for (size_t i = 0; i < 5000; i++) {
		assert_true(fair_put(&q, &w.item, &clients[0]));
		assert_ptr_equal(take(&q), &w);
		fair_charge(&q, &w.item, 10);
	}
	serve(&q, clients, cost, 100, served);
	assert_in_range(served[0], 48, 52);
	for (size_t i = 0; i < 5000; i++) {
		assert_true(fair_put(&q, &w.item, &clients[1]));
		assert_ptr_equal(take(&q), &w);
		fair_charge(&q, &w.item, 10);
	}
	serve(&q, clients, cost, 100, served);
	assert_in_range(served[0], 48, 52);
}

/* A client that is charged and leaves finds its debt when it comes back. */
static void
test_debt_stays(void **state)
{
	struct http_client clients[2];
	struct fair_queue q;
	struct work a, b[5];

	(void)state;
	clients_make(clients, 2);
	fair_init(&q, 1000, SEED);
	assert_true(fair_put(&q, &a.item, &clients[0]));
	assert_ptr_equal(take(&q), &a);
	fair_charge(&q, &a.item, 1000);
	for (size_t i = 0; i < 5; i++)
		assert_true(fair_put(&q, &b[i].item, &clients[1]));
	assert_true(fair_put(&q, &a.item, &clients[0]));
	for (size_t i = 0; i < 5; i++) {
		assert_ptr_equal(take(&q), &b[i]);
		fair_charge(&q, &b[i].item, 100);
	}
	assert_ptr_equal(take(&q), &a);
}

static void
test_full(void **state)
{
	static const size_t maxima[] = {0, 1, 2, 64, 200};
	struct http_client clients[200];

	(void)state;
	clients_make(clients, 200);
	for (size_t m = 0; m < sizeof(maxima) / sizeof(maxima[0]); m++) {
		struct fair_queue q;
		struct work works[201];

		fair_init(&q, maxima[m], SEED);
		for (size_t i = 0; i < maxima[m]; i++)
			assert_true(fair_put(&q, &works[i].item, &clients[i]));
		for (size_t i = 0; i < 200; i += 50)
			assert_false(
			    fair_put(&q, &works[200].item, &clients[i]));
		if (maxima[m] == 0)
			continue;
		assert_non_null(fair_take(&q));
		assert_true(fair_put(&q, &works[200].item, &clients[0]));
		assert_false(fair_put(&q, &works[200].item, &clients[0]));
	}
}

/* One client alone, while others hold `held`: it is refused as soon as it has
 * more than what is left, and the others are not. */
static void
test_limit_for_one(void **state)
{
	static const size_t held[] = {0, 1, 2, 300, 500, 700, 800};
	const size_t max = 1000;
	struct http_client clients[256];

	(void)state;
	clients_make(clients, 11);
	for (size_t h = 0; h < sizeof(held) / sizeof(held[0]); h++) {
		struct fair_queue q;
		struct work works[1001];
		size_t n = 0, mine = 0;

		fair_init(&q, max, SEED);
		for (; n < held[h]; n++)
			assert_true(
			    fair_put(&q, &works[n].item, &clients[n % 10]));
		for (; mine <= max - n; n++, mine++)
			assert_true(fair_put(&q, &works[n].item, &clients[10]));
		assert_true(n < max);
		assert_false(fair_put(&q, &works[n].item, &clients[10]));
		for (size_t i = 0; i < 10 && n < max; i++, n++)
			assert_true(fair_put(&q, &works[n].item, &clients[i]));
		assert_false(fair_put(&q, &works[1000].item, &clients[10]));
		assert_int_equal(q.total, n);
	}
}

/* Unfinished work goes on, however full the queue is, after what waits. */
static void
test_again(void **state)
{
	struct fair_queue q;
	struct http_client c = client_of(1), other = client_of(2);
	struct http_client third = client_of(3);
	struct work works[5], more, refused, *w;

	(void)state;
	fair_init(&q, 5, SEED);
	for (size_t i = 0; i < 5; i++)
		assert_true(fair_put(&q, &works[i].item, &c));
	w = take(&q);
	assert_ptr_equal(w, &works[0]);
	fair_charge(&q, &w->item, 10);
	assert_true(fair_put(&q, &more.item, &other));
	fair_again(&q, &w->item);
	assert_int_equal(q.total, 6);
	w = take(&q);
	assert_ptr_equal(w, &more);
	fair_charge(&q, &w->item, 10);
	fair_again(&q, &w->item);
	assert_false(fair_put(&q, &refused.item, &third));
	for (size_t left = 6; left > 0; left--) {
		w = take(&q);
		assert_non_null(w);
		fair_charge(&q, &w->item, 1);
	}
	assert_null(fair_take(&q));
}

/* Whatever is done in whatever order, each item comes out once. */
static void
test_nothing_lost(void **state)
{
	static struct work works[500];
	struct http_client clients[20];
	struct fair_queue q;
	uint64_t x = 88172645463325252u;
	size_t queued = 0;

	(void)state;
	clients_make(clients, 20);
	fair_init(&q, 400, SEED);
	for (size_t step = 0; step < 200000; step++) {
		struct work *w;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		w = &works[x % 500];
		if (x >> 40 & 1 && !w->queued) {
			w->queued =
			    fair_put(&q, &w->item, &clients[x >> 20 & 15]);
			queued += w->queued;
			continue;
		}
		w = take(&q);
		assert_true((w != NULL) == (queued > 0));
		if (!w)
			continue;
		assert_true(w->queued);
		fair_charge(&q, &w->item, x >> 50);
		if (x >> 41 & 1) {
			fair_again(&q, &w->item);
		} else {
			w->queued = false;
			queued--;
		}
	}
	while (queued-- > 0)
		assert_non_null(fair_take(&q));
	assert_null(fair_take(&q));
}

/* A client has one bucket; clients fill many of them. */
static void
test_buckets(void **state)
{
	size_t count[FAIR_BUCKETS] = {0};

	(void)state;
	for (uint32_t v4 = 0; v4 < 256 * 40; v4++) {
		struct http_client c = client_of(v4 * 2654435761u);
		unsigned b = bucket_of(SEED, &c);

		assert_int_equal(b, bucket_of(SEED, &c));
		count[b]++;
	}
	for (size_t i = 0; i < FAIR_BUCKETS; i++)
		assert_in_range(count[i], 5, 120);
}

/* Two that share a bucket by one seed hardly ever do by another: nobody can
 * pick an address that always waits in someone else's place. */
static void
test_seed_hides(void **state)
{
	struct http_client victim = client_of(0xc0000201);
	size_t seeds = 64;

	(void)state;
	for (uint32_t x = 1; x < 65536; x++) {
		struct http_client c = client_of(0xc0000201 ^ x);
		size_t shared = 0;

		if (bucket_of(1, &c) != bucket_of(1, &victim))
			continue;
		for (uint64_t seed = 0; seed < seeds; seed++) {
			uint64_t s = (seed + 2) * 0x9e3779b97f4a7c15u;

			shared += bucket_of(s, &c) == bucket_of(s, &victim);
		}
		assert_in_range(shared, 0, 12);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_client_in_order),
	    cmocka_unit_test(test_no_starving),
	    cmocka_unit_test(test_shares),
	    cmocka_unit_test(test_absence),
	    cmocka_unit_test(test_debt_stays),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_limit_for_one),
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_nothing_lost),
	    cmocka_unit_test(test_buckets),
	    cmocka_unit_test(test_seed_hides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
