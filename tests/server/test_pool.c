/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/pool.h"

#define LONG_MS 900 /* no test waits so long unless something is wrong */

/* A submission and what became of it. */
struct item {
	struct submission s;
	unsigned done;	/* how often */
	unsigned place; /* how many were answered before */
};

static unsigned answered;

static void
item_done(void *arg, struct submission *s)
{
	struct item *i = arg;

	if (s == &i->s)
		i->done++;
	i->place = answered++;
}

/* A leaf of `len` bytes that follows from `n`. */
static void
item_make(struct item *i, uint64_t n, size_t len)
{
	*i = (struct item){.s = {.done = item_done, .arg = i}};
	buf_init(&i->s.leaf, 4096);
	for (size_t k = 0; k < len; k++)
		buf_put_u8(&i->s.leaf, (uint8_t)(n >> (8 * (k % 8))));
	for (size_t k = 0; k < 8; k++)
		i->s.keys.leaf.b[k] = (uint8_t)(n * 0x9e3779b97f4a7c15u >> k);
}

static struct pool *
pool_make(size_t max_entries, size_t max_bytes)
{
	struct error err = {0};
	struct pool *p = pool_open(max_entries, max_bytes, &err);

	assert_non_null(p);
	return p;
}

static void
put(struct pool *p, struct item *i)
{
	struct error err = {0};

	assert_int_equal(pool_put(p, &i->s, pool_epoch(p), &err), POOL_TAKEN);
	assert_int_equal(err.code, ERR_NONE);
}

static void
put_refused(struct pool *p, struct item *i, const char *reason)
{
	struct error err = {0};

	assert_int_equal(pool_put(p, &i->s, pool_epoch(p), &err), POOL_REFUSED);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	if (reason)
		assert_string_equal(error_reason_name(&err), reason);
	assert_int_equal(i->done, 0);
}

static struct submission *
take(struct pool *p, size_t max, size_t max_bytes, size_t want)
{
	size_t count = 77, n = 0;
	struct submission *chain = pool_take(p, max, max_bytes, 0, &count);

	for (struct submission *s = chain; s; s = s->next)
		n++;
	assert_int_equal(count, want);
	assert_int_equal(n, want);
	return chain;
}

static void
load_is(struct pool *p, size_t entries, size_t bytes)
{
	size_t e = 77, b = 77;

	pool_load(p, &e, &b);
	assert_int_equal(e, entries);
	assert_int_equal(b, bytes);
}

static void
release(struct item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		submission_release(&items[i].s);
}

/* In the order they came, up to `max` entries and `max_bytes` at a time. */
static void
test_take(void **state)
{
	static const struct {
		size_t max, max_bytes, first_batch;
	} cases[] = {
	    {100, 10000, 12},
	    {12, 120, 12},
	    {11, 10000, 11},
	    {1, 10000, 1},
	    {100, 119, 11},
	    {100, 20, 2},
	    {100, 19, 1},
	    {3, 50, 3},
	    {5, 30, 3},
	    {100, 10, 1},
	    /* One that is larger alone goes alone, or it would never go. */
	    {100, 9, 1},
	    {100, 0, 1},
	};

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct pool *p = pool_make(100, 10000);
		struct item items[12];
		size_t taken = 0;

		for (size_t i = 0; i < 12; i++) {
			item_make(&items[i], i, 10);
			put(p, &items[i]);
			assert_true(items[i].s.queued_ns > 0);
		}
		load_is(p, 12, 120);
		while (taken < 12) {
			size_t left = 12 - taken, n = cases[c].first_batch;
			struct submission *chain = take(p, cases[c].max,
			    cases[c].max_bytes, n < left ? n : left);

			for (struct submission *s = chain; s; s = s->next)
				assert_ptr_equal(s, &items[taken++].s);
			pool_finish(p, chain);
			load_is(p, 12 - taken, (12 - taken) * 10);
		}
		for (size_t i = 0; i < 12; i++)
			assert_int_equal(items[i].done, 1);
		release(items, 12);
		pool_close(p);
	}
}

/* In the order of the chain, each once, with links that are free again. */
static void
test_finish(void **state)
{
	struct pool *p = pool_make(100, 10000);
	struct item items[6];

	(void)state;
	answered = 0;
	for (size_t i = 0; i < 6; i++) {
		item_make(&items[i], i % 3, 8);
		put(p, &items[i]);
	}
	pool_finish(p, take(p, 100, 10000, 3));
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(items[i].done, 1);
		assert_int_equal(items[i].place / 2, i % 3);
		assert_null(items[i].s.next);
		assert_null(items[i].s.twins);
		assert_null(items[i].s.chain);
	}
	load_is(p, 0, 0);
	release(items, 6);
	pool_close(p);
}

/* Joined before the first was taken, and after. */
static void
test_twins(void **state)
{
	static const struct hash root = {{1}};
	struct pool *p = pool_make(100, 10000);
	struct item items[5];
	struct submission *chain;
	struct head *head = head_new(9, &root, BYTES_LIT("note"));

	(void)state;
	for (size_t i = 0; i < 5; i++)
		item_make(&items[i], 7, 10);
	assert_false(pool_join(p, &items[0].s));
	put(p, &items[0]);
	put(p, &items[1]);
	assert_true(pool_join(p, &items[2].s));
	load_is(p, 1, 10);
	chain = take(p, 100, 10000, 1);
	assert_ptr_equal(chain, &items[0].s);
	put(p, &items[3]);
	assert_true(pool_join(p, &items[4].s));
	load_is(p, 1, 10);
	chain->index = 42;
	chain->head = head;
	pool_finish(p, chain);
	assert_int_equal(head->body.refs, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(items[i].done, 1);
		assert_int_equal(items[i].s.index, 42);
		assert_ptr_equal(items[i].s.head, head);
		assert_int_equal(items[i].s.err.code, ERR_NONE);
	}
	httpd_body_hold(&head->body);
	release(items, 5);
	assert_int_equal(head->body.refs, 1);
	assert_null(items[0].s.head);
	head_release(head);
	load_is(p, 0, 0);
	/* The flight has ended: nothing to join. */
	item_make(&items[0], 7, 10);
	assert_false(pool_join(p, &items[0].s));
	release(items, 1);
	pool_close(p);
}

static void
test_twins_of_an_error(void **state)
{
	struct pool *p = pool_make(100, 10000);
	struct item items[4];
	struct submission *chain;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		item_make(&items[i], i / 3, 10);
		put(p, &items[i]);
	}
	chain = take(p, 100, 10000, 2);
	(void)error_reason(&chain->err, ERR_IO, "disk-gone", "what happened");
	pool_finish(p, chain);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(items[i].done, 1);
		assert_int_equal(items[i].s.err.code, ERR_IO);
		assert_string_equal(
		    error_reason_name(&items[i].s.err), "disk-gone");
		assert_string_equal(items[i].s.err.text, "what happened");
		assert_null(items[i].s.head);
	}
	assert_int_equal(items[3].done, 1);
	assert_int_equal(items[3].s.err.code, ERR_NONE);
	release(items, 4);
	pool_close(p);
}

/* What is not the same leaf does not join, though it lands in the same chain
 * of the table or even has the same hash. */
static void
test_no_twins(void **state)
{
	static const struct {
		uint64_t n;
		size_t len;
		uint8_t last;
	} cases[] = {{7, 10, 0}, {7, 11, 0}, {7, 9, 0}, {7, 10, 1}, {8, 10, 0}};
	struct pool *p = pool_make(100, 10000);
	struct item items[5];
	struct submission *chain;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		item_make(&items[i], cases[i].n, cases[i].len);
		memset(items[i].s.keys.leaf.b, 5, 8);
		items[i].s.keys.leaf.b[HASH_LEN - 1] = cases[i].last;
		assert_false(pool_join(p, &items[i].s));
		put(p, &items[i]);
	}
	/* Ended one at a time: those in the same chain stay in flight. */
	chain = take(p, 1, 10000, 1);
	assert_ptr_equal(chain, &items[0].s);
	pool_finish(p, chain);
	for (size_t i = 1; i < 5; i++) {
		struct item twin;

		item_make(&twin, cases[i].n, cases[i].len);
		twin.s.keys = items[i].s.keys;
		assert_true(pool_join(p, &twin.s));
		pool_finish(p, take(p, 1, 10000, 1));
		assert_int_equal(twin.done, 1);
		assert_int_equal(items[i].done, 1);
		release(&twin, 1);
	}
	release(items, 5);
	pool_close(p);
}

static void
test_epoch(void **state)
{
	struct pool *p = pool_make(2, 10000);
	struct error err = {0};
	struct item a, b, twin;
	struct submission *chain;
	uint64_t old = pool_epoch(p);

	(void)state;
	item_make(&a, 1, 10);
	item_make(&b, 2, 10);
	item_make(&twin, 2, 10);
	put(p, &a);
	chain = take(p, 10, 10000, 1);
	assert_true(pool_epoch(p) == old);
	pool_finish(p, chain);
	assert_true(pool_epoch(p) != old);
	assert_int_equal(pool_put(p, &b.s, old, &err), POOL_LOOK_AGAIN);
	assert_int_equal(err.code, ERR_NONE);
	assert_false(pool_join(p, &twin.s));
	load_is(p, 0, 0);
	put(p, &b);
	/* Whoever joins learns the index from the first. */
	assert_int_equal(pool_put(p, &twin.s, old, &err), POOL_TAKEN);
	old = pool_epoch(p);
	pool_finish(p, take(p, 10, 10000, 1));
	assert_true(pool_epoch(p) != old);
	assert_int_equal(b.done, 1);
	assert_int_equal(twin.done, 1);
	release(&a, 1);
	release(&b, 1);
	release(&twin, 1);
	pool_close(p);
}

/* What was taken still counts; what landed does not. */
static void
test_full(void **state)
{
	static const struct {
		size_t max_entries, max_bytes, len, fit;
	} cases[] = {
	    {3, 10000, 10, 3},
	    {1, 10000, 10, 1},
	    {100, 30, 10, 3},
	    {100, 39, 10, 3},
	    {100, 10, 10, 1},
	    {3, 30, 10, 3},
	};

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct pool *p =
		    pool_make(cases[c].max_entries, cases[c].max_bytes);
		struct item items[4], more, twin;
		struct submission *chain;

		for (size_t i = 0; i < cases[c].fit; i++) {
			item_make(&items[i], i, cases[c].len);
			put(p, &items[i]);
		}
		item_make(&more, 100, cases[c].len);
		item_make(&twin, 0, cases[c].len);
		put_refused(p, &more, "queue-full");
		put(p, &twin);
		chain = take(p, 1, 10000, 1);
		put_refused(p, &more, "queue-full");
		pool_finish(p, chain);
		assert_int_equal(twin.done, 1);
		put(p, &more);
		pool_finish(p, take(p, 100, 10000, cases[c].fit));
		assert_int_equal(more.done, 1);
		release(items, cases[c].fit);
		release(&more, 1);
		release(&twin, 1);
		pool_close(p);
	}
}

static void
test_larger_than_all(void **state)
{
	struct pool *p = pool_make(10, 99);
	struct item large;

	(void)state;
	item_make(&large, 1, 100);
	put_refused(p, &large, "queue-full");
	load_is(p, 0, 0);
	release(&large, 1);
	pool_close(p);
}

/* Envelopes count; those of known leaves are in no flight. */
static void
test_envelopes(void **state)
{
	struct pool *p = pool_make(10, 1000);
	struct enclosure x = {
	    .link = {.type = BYTES_LIT("type"), .payload.len = 396}};
	struct item items[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		item_make(&items[i], i == 3 ? 1 : 0, 100);
	items[0].s.enclosure = items[1].s.enclosure = &x;
	items[0].s.known = items[1].s.known = true;
	items[3].s.enclosure = &x;
	put(p, &items[0]);
	load_is(p, 1, 500);
	put(p, &items[1]); /* does not join */
	load_is(p, 2, 1000);
	put_refused(p, &items[3], "queue-full");
	assert_false(pool_join(p, &items[2].s)); /* nor is it joined */
	pool_finish(p, take(p, 10, 500, 1));
	assert_int_equal(items[0].done, 1);
	load_is(p, 1, 500);
	pool_finish(p, take(p, 10, 500, 1));
	put(p, &items[3]);
	release(&items[2], 1);
	item_make(&items[2], 1, 100);
	assert_true(pool_join(p, &items[2].s));
	items[3].s.enclosed = true;
	pool_finish(p, take(p, 10, 10000, 1));
	assert_true(items[2].s.enclosed); /* its twin was */
	load_is(p, 0, 0);
	release(items, 4);
	pool_close(p);
}

static void
reserve_bytes(struct pool *p, size_t entries, size_t bytes, bool want)
{
	struct error err = {0};

	assert_true(pool_reserve(p, entries, bytes, &err) == want);
	if (want)
		return;
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_string_equal(error_reason_name(&err), "queue-full");
}

static void
reserve(struct pool *p, size_t entries, bool want)
{
	reserve_bytes(p, entries, 0, want);
}

static void
test_reserve_all_or_nothing(void **state)
{
	struct pool *p = pool_make(10, 10000);
	struct item a;

	(void)state;
	reserve(p, 11, false);
	reserve(p, 10, true);
	reserve(p, 1, false);
	reserve(p, 0, true);
	pool_unreserve(p, 4, 0);
	reserve(p, 5, false);
	reserve(p, 4, true);
	item_make(&a, 1, 10);
	put_refused(p, &a, "queue-full");
	pool_unreserve(p, 10, 0);
	put(p, &a);
	reserve(p, 10, false);
	reserve(p, 9, true);
	pool_unreserve(p, 9, 0);
	pool_finish(p, take(p, 10, 10000, 1));
	reserve(p, 10, true);
	load_is(p, 0, 0);
	release(&a, 1);
	pool_close(p);
}

/* Each reserved one uses up one, whether it is queued or joins; one that has
 * to look again keeps its room. */
static void
test_reserve_used(void **state)
{
	struct pool *p = pool_make(4, 10000);
	struct item items[4], other;
	struct error err = {0};
	uint64_t old = pool_epoch(p);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		item_make(&items[i], i == 1 ? 0 : i, 10);
		items[i].s.reserved = true;
	}
	item_make(&other, 50, 10);
	put(p, &other);
	pool_finish(p, take(p, 1, 10000, 1));
	reserve(p, 4, true);
	assert_int_equal(pool_put(p, &items[0].s, old, &err), POOL_LOOK_AGAIN);
	assert_true(items[0].s.reserved);
	reserve(p, 1, false);
	put(p, &items[0]); /* uses up one */
	reserve(p, 1, false);
	put(p, &items[1]); /* joins: gives one back */
	assert_false(items[1].s.reserved);
	reserve(p, 2, false);
	reserve(p, 1, true);
	pool_unreserve(p, 1, 0);
	put(p, &items[2]);
	put(p, &items[3]);
	load_is(p, 3, 30);
	reserve(p, 2, false);
	reserve(p, 1, true);
	pool_unreserve(p, 1, 0);
	pool_finish(p, take(p, 10, 10000, 3));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(items[i].done, 1);
	reserve(p, 4, true);
	release(items, 4);
	release(&other, 1);
	pool_close(p);
}

/* Bytes are kept as well: for others there is less, and a leaf counts with
 * its own once it is there. */
static void
test_reserve_bytes(void **state)
{
	struct pool *p = pool_make(10, 100);
	struct item mine, twin, other;

	(void)state;
	item_make(&mine, 1, 30);
	item_make(&twin, 1, 30);
	item_make(&other, 2, 50);
	reserve_bytes(p, 3, 101, false);
	reserve_bytes(p, 3, 60, true);
	reserve_bytes(p, 1, 41, false);
	put_refused(p, &other, "queue-full");
	mine.s.reserved = twin.s.reserved = true;
	mine.s.reserved_bytes = twin.s.reserved_bytes = 20;
	put(p, &mine); /* 30 in the queue, 40 kept */
	reserve_bytes(p, 1, 31, false);
	put(p, &twin); /* joins: 20 are given back */
	load_is(p, 1, 30);
	put(p, &other); /* 80 in the queue, 20 kept */
	reserve_bytes(p, 1, 1, false);
	pool_unreserve(p, 1, 20);
	reserve_bytes(p, 1, 20, true);
	pool_unreserve(p, 1, 20);
	pool_finish(p, take(p, 10, 10000, 2));
	reserve_bytes(p, 10, 100, true);
	release(&mine, 1);
	release(&twin, 1);
	release(&other, 1);
	pool_close(p);
}

static void
test_reserved_joins(void **state)
{
	struct pool *p = pool_make(2, 10000);
	struct item a, b;

	(void)state;
	item_make(&a, 1, 10);
	item_make(&b, 1, 10);
	put(p, &a);
	reserve(p, 1, true);
	b.s.reserved = true;
	assert_true(pool_join(p, &b.s));
	assert_false(b.s.reserved);
	reserve(p, 1, true);
	pool_finish(p, take(p, 10, 10000, 1));
	assert_int_equal(b.done, 1);
	release(&a, 1);
	release(&b, 1);
	pool_close(p);
}

static void
test_stop(void **state)
{
	struct pool *p = pool_make(10, 10000);
	struct error err = {0};
	struct item items[3], late;
	size_t count = 77;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		item_make(&items[i], i, 10);
		put(p, &items[i]);
	}
	pool_stop(p);
	item_make(&late, 9, 10);
	put_refused(p, &late, NULL);
	assert_false(pool_reserve(p, 1, 0, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	pool_finish(p, take(p, 2, 10000, 2));
	pool_finish(p, take(p, 2, 10000, 1));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(items[i].done, 1);
	assert_null(pool_take(p, 2, 10000, 0, &count));
	assert_int_equal(count, 0);
	assert_null(pool_take(p, 2, 10000, LONG_MS, &count));
	release(items, 3);
	release(&late, 1);
	pool_close(p);
}

struct taker {
	struct pool *pool;
	struct submission *chain;
	size_t count;
	unsigned gather_ms;
};

static void *
take_once(void *arg)
{
	struct taker *t = arg;

	t->chain = pool_take(t->pool, 100, 10000, t->gather_ms, &t->count);
	return NULL;
}

static void
test_take_waits(void **state)
{
	struct taker t = {.pool = pool_make(100, 10000), .count = 77};
	pthread_t thread;
	struct item a;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, take_once, &t), 0);
	sched_yield();
	item_make(&a, 1, 10);
	put(t.pool, &a);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(t.count, 1);
	assert_ptr_equal(t.chain, &a.s);
	pool_finish(t.pool, t.chain);
	assert_int_equal(pthread_create(&thread, NULL, take_once, &t), 0);
	sched_yield();
	pool_stop(t.pool);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_null(t.chain);
	assert_int_equal(t.count, 0);
	release(&a, 1);
	pool_close(t.pool);
}

/* Few are not waited for; for many, those that come meanwhile join the batch,
 * until a stop. */
static void
test_gather(void **state)
{
	struct taker t = {.pool = pool_make(100, 10000)};
	struct item items[60];
	pthread_t thread;

	(void)state;
	for (size_t i = 0; i < 60; i++)
		item_make(&items[i], i, 10);
	put(t.pool, &items[0]);
	t.gather_ms = LONG_MS;
	(void)take_once(&t);
	assert_int_equal(t.count, 1);
	pool_finish(t.pool, t.chain);
	for (size_t i = 1; i < 40; i++)
		put(t.pool, &items[i]);
	t.gather_ms = 2;
	(void)take_once(&t);
	assert_int_equal(t.count, 39);
	assert_ptr_equal(t.chain, &items[1].s);
	pool_finish(t.pool, t.chain);
	for (size_t i = 40; i < 55; i++)
		put(t.pool, &items[i]);
	t.gather_ms = LONG_MS;
	assert_int_equal(pthread_create(&thread, NULL, take_once, &t), 0);
	(void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	for (size_t i = 55; i < 60; i++)
		put(t.pool, &items[i]);
	pool_stop(t.pool);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(t.count, 20);
	pool_finish(t.pool, t.chain);
	for (size_t i = 0; i < 60; i++)
		assert_int_equal(items[i].done, 1);
	release(items, 60);
	pool_close(t.pool);
}

/*
 * Submitters and a sequencer as in the server, over few leaves, so that most
 * meet a twin: no leaf gets into the log twice, and everyone has an answer.
 */
#define SUBMITTERS 4
#define EACH	   2000
#define LEAVES	   700

struct town {
	struct pool *pool;
	pthread_mutex_t lock;
	uint64_t log[LEAVES]; /* index + 1 */
	uint64_t size;
	bool twice;
	struct head *head;
	struct submitter {
		struct town *town;
		uint64_t salt;
		struct item items[EACH];
		unsigned found, wrong;
	} submitters[SUBMITTERS];
};

static uint64_t
leaf_at(const struct submitter *me, size_t i)
{
	return (i * 7 + me->salt * 3) * (i / LEAVES + 1) % LEAVES;
}

static uint64_t
town_find(struct town *t, uint64_t leaf)
{
	uint64_t n;

	(void)pthread_mutex_lock(&t->lock);
	n = t->log[leaf];
	(void)pthread_mutex_unlock(&t->lock);
	return n;
}

static void
submit_one(struct submitter *me, size_t i)
{
	struct item *item = &me->items[i];
	struct town *t = me->town;
	uint64_t leaf = leaf_at(me, i);

	item_make(item, leaf, 16);
	for (;;) {
		struct error err = {0};
		uint64_t epoch = pool_epoch(t->pool);

		if (town_find(t, leaf)) {
			me->found++;
			item->done = 1;
			item->s.index = town_find(t, leaf) - 1;
			return;
		}
		switch (pool_put(t->pool, &item->s, epoch, &err)) {
		case POOL_TAKEN:
			return;
		case POOL_REFUSED:
			me->wrong += err.code != ERR_UNAVAILABLE;
			sched_yield();
			break;
		case POOL_LOOK_AGAIN:
			break;
		}
	}
}

static void *
submit(void *arg)
{
	struct submitter *me = arg;

	for (size_t i = 0; i < EACH; i++)
		submit_one(me, i);
	return NULL;
}

static void *
sequence(void *arg)
{
	struct town *t = arg;
	struct submission *chain;
	size_t count;

	while ((chain = pool_take(t->pool, 16, 200, 0, &count))) {
		for (struct submission *s = chain; s; s = s->next) {
			struct item *item = s->arg;
			uint64_t leaf = item->s.leaf.ptr[0] |
			    (uint64_t)item->s.leaf.ptr[1] << 8;

			(void)pthread_mutex_lock(&t->lock);
			t->twice |= t->log[leaf] != 0;
			s->index = t->size++;
			t->log[leaf] = t->size;
			(void)pthread_mutex_unlock(&t->lock);
			s->head = t->head;
			httpd_body_hold(&t->head->body);
		}
		pool_finish(t->pool, chain);
	}
	return NULL;
}

static void
town_check(struct town *t)
{
	for (size_t k = 0; k < SUBMITTERS; k++) {
		struct submitter *me = &t->submitters[k];

		assert_int_equal(me->wrong, 0);
		for (size_t i = 0; i < EACH; i++) {
			struct item *item = &me->items[i];

			assert_int_equal(item->done, 1);
			assert_int_equal(
			    item->s.index + 1, t->log[leaf_at(me, i)]);
		}
		release(me->items, EACH);
	}
	assert_false(t->twice);
	assert_true(t->size <= LEAVES);
	load_is(t->pool, 0, 0);
	assert_int_equal(t->head->body.refs, 1);
}

static void
test_threads(void **state)
{
	static const struct hash root = {{1}};
	struct town *t = calloc(1, sizeof(*t));
	pthread_t sequencer, threads[SUBMITTERS];

	(void)state;
	assert_non_null(t);
	t->pool = pool_make(40, 400);
	t->head = head_new(1, &root, BYTES_LIT("note"));
	(void)pthread_mutex_init(&t->lock, NULL);
	assert_int_equal(pthread_create(&sequencer, NULL, sequence, t), 0);
	for (size_t k = 0; k < SUBMITTERS; k++) {
		t->submitters[k].town = t;
		t->submitters[k].salt = k;
		assert_int_equal(pthread_create(&threads[k], NULL, submit,
				     &t->submitters[k]),
		    0);
	}
	for (size_t k = 0; k < SUBMITTERS; k++)
		assert_int_equal(pthread_join(threads[k], NULL), 0);
	pool_stop(t->pool);
	assert_int_equal(pthread_join(sequencer, NULL), 0);
	town_check(t);
	head_release(t->head);
	(void)pthread_mutex_destroy(&t->lock);
	pool_close(t->pool);
	free(t);
}

static void
test_nothing_to_close(void **state)
{
	struct submission s = {0};

	(void)state;
	pool_close(NULL);
	submission_release(&s);
	submission_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_take),
	    cmocka_unit_test(test_finish),
	    cmocka_unit_test(test_twins),
	    cmocka_unit_test(test_twins_of_an_error),
	    cmocka_unit_test(test_no_twins),
	    cmocka_unit_test(test_epoch),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_larger_than_all),
	    cmocka_unit_test(test_envelopes),
	    cmocka_unit_test(test_reserve_all_or_nothing),
	    cmocka_unit_test(test_reserve_used),
	    cmocka_unit_test(test_reserve_bytes),
	    cmocka_unit_test(test_reserved_joins),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_take_waits),
	    cmocka_unit_test(test_gather),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_nothing_to_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
