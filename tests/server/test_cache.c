/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/cache.h"

/* Something to cache; `serial` tells two of one key apart. */
struct thing {
	struct cache_item item;
	uint64_t serial;
};

static atomic_size_t alive;

static void
thing_free(struct httpd_body *b)
{
	atomic_fetch_sub(&alive, 1);
	free(b);
}

static struct thing *
thing_new(enum cache_kind kind, uint8_t level, uint64_t index, size_t bytes)
{
	static _Atomic uint64_t serial;
	struct thing *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->item = (struct cache_item){
	    .body = {.refs = 1, .free = thing_free},
	    .kind = kind,
	    .level = level,
	    .index = index,
	    .bytes = bytes,
	};
	t->serial = atomic_fetch_add(&serial, 1);
	atomic_fetch_add(&alive, 1);
	return t;
}

static void
let_go(struct cache_item *i)
{
	httpd_body_release(&i->body);
}

/* Puts an entry bundle and keeps no reference. */
static void
put(struct cache *c, uint64_t index, size_t bytes, bool pinned)
{
	struct thing *t = thing_new(CACHE_BUNDLE, 0, index, bytes);

	t->item.pinned = pinned;
	cache_put(c, &t->item);
	let_go(&t->item);
}

/* Whether it is there; a look makes it the newest. */
static bool
has(struct cache *c, uint64_t index)
{
	struct cache_item *i = cache_get(c, CACHE_BUNDLE, 0, index);

	if (!i)
		return false;
	assert_int_equal(i->kind, CACHE_BUNDLE);
	assert_true(i->index == index);
	let_go(i);
	return true;
}

static struct cache *
cache_make(size_t budget)
{
	struct error err = {0};
	struct cache *c = cache_open(budget, &err);

	assert_non_null(c);
	assert_int_equal(atomic_load(&alive), 0);
	return c;
}

static void
end(struct cache *c)
{
	cache_close(c);
	assert_int_equal(atomic_load(&alive), 0);
}

static void
test_references(void **state)
{
	struct cache *c = cache_make(1000);
	struct thing *t = thing_new(CACHE_TILE, 3, 7, 10);
	struct cache_item *got;

	(void)state;
	assert_null(cache_get(c, CACHE_TILE, 3, 7));
	cache_put(c, &t->item);
	assert_int_equal(t->item.body.refs, 2);
	got = cache_get(c, CACHE_TILE, 3, 7);
	assert_ptr_equal(got, &t->item);
	assert_int_equal(t->item.body.refs, 3);
	let_go(got);
	let_go(&t->item);
	assert_int_equal(atomic_load(&alive), 1);
	/* The cache's reference goes to who takes it. */
	got = cache_take(c, CACHE_TILE, 3, 7);
	assert_ptr_equal(got, &t->item);
	assert_int_equal(got->body.refs, 1);
	assert_null(cache_get(c, CACHE_TILE, 3, 7));
	assert_null(cache_take(c, CACHE_TILE, 3, 7));
	assert_int_equal(cache_bytes(c), 0);
	cache_put(c, got);
	let_go(got);
	assert_int_equal(cache_bytes(c), 10);
	end(c);
}

/* Kind, level and index are the key. */
static void
test_keys(void **state)
{
	static const struct {
		enum cache_kind kind;
		uint8_t level;
		uint64_t index;
	} keys[] = {
	    {CACHE_TILE, 0, 0},
	    {CACHE_TILE, 0, 1},
	    {CACHE_TILE, 1, 0},
	    {CACHE_TILE, 7, 0},
	    {CACHE_BUNDLE, 0, 0},
	    {CACHE_BUNDLE, 1, 0},
	    {CACHE_BUNDLE, 0, UINT64_MAX},
	    {CACHE_TILE, 0, UINT64_MAX},
	    {CACHE_TILE, 255, (uint64_t)1 << 32},
	};
	const size_t count = sizeof(keys) / sizeof(keys[0]);
	struct cache *c = cache_make(1000);
	struct thing *things[sizeof(keys) / sizeof(keys[0])];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_null(
		    cache_get(c, keys[i].kind, keys[i].level, keys[i].index));
		things[i] =
		    thing_new(keys[i].kind, keys[i].level, keys[i].index, 10);
		cache_put(c, &things[i]->item);
		let_go(&things[i]->item);
	}
	assert_int_equal(cache_bytes(c), count * 10);
	for (size_t i = 0; i < count; i++) {
		struct cache_item *got =
		    cache_take(c, keys[i].kind, keys[i].level, keys[i].index);

		assert_ptr_equal(got, &things[i]->item);
		let_go(got);
	}
	end(c);
}

/* Who reads an item keeps it, whatever the cache does with it. */
static void
test_replaced(void **state)
{
	struct cache *c = cache_make(1000);
	struct thing *old = thing_new(CACHE_BUNDLE, 0, 5, 100);
	struct thing *new = thing_new(CACHE_BUNDLE, 0, 5, 30);
	struct cache_item *reader, *got;

	(void)state;
	put(c, 4, 1, false);
	cache_put(c, &old->item);
	let_go(&old->item);
	put(c, 6, 1, false);
	reader = cache_get(c, CACHE_BUNDLE, 0, 5);
	cache_put(c, &new->item);
	let_go(&new->item);
	assert_int_equal(cache_bytes(c), 32);
	got = cache_get(c, CACHE_BUNDLE, 0, 5);
	assert_ptr_equal(got, &new->item);
	let_go(got);
	assert_int_equal(reader->body.refs, 1);
	assert_true(((struct thing *)reader)->serial == old->serial);
	let_go(reader);
	assert_int_equal(atomic_load(&alive), 3);
	assert_true(has(c, 4) && has(c, 6));
	end(c);
}

static void
test_budget(void **state)
{
	struct cache *c = cache_make(100);
	struct cache_item *reader;

	(void)state;
	for (uint64_t i = 0; i < 10; i++)
		put(c, i, 10, false);
	assert_int_equal(cache_bytes(c), 100);
	assert_int_equal(atomic_load(&alive), 10);
	reader = cache_get(c, CACHE_BUNDLE, 0, 0);
	/* The order is now 1 2 … 9 0. */
	put(c, 10, 10, false);
	assert_int_equal(cache_bytes(c), 100);
	assert_false(has(c, 1));
	put(c, 11, 35, false);
	assert_int_equal(cache_bytes(c), 95);
	for (uint64_t i = 2; i <= 5; i++)
		assert_false(has(c, i));
	for (uint64_t i = 6; i <= 11; i++)
		assert_true(has(c, i));
	assert_true(has(c, 0));
	put(c, 12, 100, false);
	assert_int_equal(cache_bytes(c), 100);
	assert_true(has(c, 12));
	/* Evicted, but someone is reading it. */
	assert_int_equal(atomic_load(&alive), 2);
	assert_int_equal(reader->body.refs, 1);
	let_go(reader);
	put(c, 13, 101, false);
	assert_in_range(cache_bytes(c), 0, 100);
	end(c);
}

/* The one looked at least recently goes first. */
static void
test_order(void **state)
{
	static const struct {
		const char *looks, *gone;
	} cases[] = {
	    {"", "abcdef"},
	    {"a", "bcdefa"},
	    {"f", "abcdef"},
	    {"fedcba", "fedcba"},
	    {"cac", "bdefac"},
	    {"aaaaab", "cdefab"},
	};

	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		struct cache *c = cache_make(60);

		for (uint64_t i = 'a'; i <= 'f'; i++)
			put(c, i, 10, false);
		for (const char *p = cases[k].looks; *p; p++)
			assert_true(has(c, (uint64_t)*p));
		for (size_t i = 0; i < 6; i++) {
			struct cache_item *gone;

			put(c, 'A' + i, 10, false);
			gone = cache_take(
			    c, CACHE_BUNDLE, 0, (uint64_t)cases[k].gone[i]);
			assert_null(gone);
			assert_int_equal(atomic_load(&alive), 6);
		}
		end(c);
	}
}

static void
test_pinned(void **state)
{
	struct cache *c = cache_make(50);
	struct cache_item *i;

	(void)state;
	for (uint64_t k = 0; k < 8; k++)
		put(c, k, 10, true);
	assert_int_equal(cache_bytes(c), 80);
	for (uint64_t k = 100; k < 200; k++)
		put(c, k, 10, false);
	for (uint64_t k = 0; k < 8; k++)
		assert_true(has(c, k));
	/* No longer pinned: the next to come drives out as many as it takes. */
	for (uint64_t k = 0; k < 4; k++) {
		i = cache_get(c, CACHE_BUNDLE, 0, k);
		cache_unpin(c, i);
		let_go(i);
	}
	put(c, 8, 10, true);
	assert_in_range(cache_bytes(c), 40, 50);
	for (uint64_t k = 0; k < 4; k++)
		assert_false(has(c, k));
	for (uint64_t k = 4; k < 9; k++)
		assert_true(has(c, k));
	i = cache_take(c, CACHE_BUNDLE, 0, 6);
	assert_non_null(i);
	assert_true(i->pinned);
	let_go(i);
	assert_int_equal(cache_bytes(c), 40);
	end(c);
}

/* Pinned ones in between do not shield others from their turn. */
static void
test_pinned_among_others(void **state)
{
	struct cache *c = cache_make(100);

	(void)state;
	for (uint64_t k = 0; k < 10; k++)
		put(c, k, 10, k % 2 == 0);
	for (uint64_t k = 10; k < 15; k++)
		put(c, k, 10, false);
	assert_int_equal(cache_bytes(c), 100);
	for (uint64_t k = 0; k < 10; k++)
		assert_true(has(c, k) == (k % 2 == 0));
	for (uint64_t k = 10; k < 15; k++)
		assert_true(has(c, k));
	end(c);
}

/*
 * Against a plain list, newest first, for so many keys that they share chains
 * of the table.
 */
#define KEYS   9000
#define BUDGET 6000

struct model {
	uint64_t keys[BUDGET + 1];
	size_t count;
};

static bool
model_remove(struct model *m, uint64_t key)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->keys[i] != key)
			continue;
		memmove(&m->keys[i], &m->keys[i + 1],
		    (m->count - i - 1) * sizeof(m->keys[0]));
		m->count--;
		return true;
	}
	return false;
}

static void
model_add(struct model *m, uint64_t key)
{
	memmove(&m->keys[1], &m->keys[0], m->count * sizeof(m->keys[0]));
	m->keys[0] = key;
	m->count++;
	if (m->count > BUDGET)
		m->count = BUDGET;
}

static void
test_model(void **state)
{
	static struct model m;
	struct cache *c = cache_make(BUDGET);
	uint64_t x = 88172645463325252u;

	(void)state;
	for (size_t step = 0; step < 30000; step++) {
		struct cache_item *i;
		uint64_t key;
		bool there;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		key = x % KEYS;
		there = model_remove(&m, key);
		if (x >> 60 == 0) {
			i = cache_take(c, CACHE_BUNDLE, 0, key);
			assert_true((i != NULL) == there);
			if (i)
				let_go(i);
		} else if (x >> 62 == 1) {
			assert_true(has(c, key) == there);
			if (there)
				model_add(&m, key);
		} else {
			put(c, key, 1, false);
			model_add(&m, key);
		}
		assert_int_equal(cache_bytes(c), m.count);
		assert_int_equal(atomic_load(&alive), m.count);
	}
	for (size_t i = 0; i < m.count; i++)
		assert_true(has(c, m.keys[i]));
	end(c);
}

#define THREADS 4

struct worker {
	struct cache *cache;
	uint64_t x;
	unsigned wrong;
};

static void
work_one(struct worker *w, uint64_t x)
{
	enum cache_kind kind = x >> 30 & 1 ? CACHE_TILE : CACHE_BUNDLE;
	uint64_t index = x >> 40 & 63;
	struct cache_item *i;
	struct thing *t;

	switch (x % 8) {
	case 0:
		i = cache_take(w->cache, kind, 1, index);
		break;
	case 1:
	case 2:
		t = thing_new(kind, 1, index, 1 + x % 3);
		t->item.pinned = x >> 33 & 1;
		cache_put(w->cache, &t->item);
		i = &t->item;
		break;
	case 3:
		i = cache_get(w->cache, kind, 1, index);
		if (i)
			cache_unpin(w->cache, i);
		break;
	default:
		i = cache_get(w->cache, kind, 1, index);
	}
	if (!i)
		return;
	w->wrong += i->kind != kind || i->level != 1 || i->index != index;
	let_go(i);
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (size_t step = 0; step < 20000; step++) {
		w->x ^= w->x << 13;
		w->x ^= w->x >> 7;
		w->x ^= w->x << 17;
		work_one(w, w->x);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct cache *c = cache_make(60);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){c, 1000003 * (i + 1), 0};
		assert_int_equal(
		    pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(workers[i].wrong, 0);
	}
	for (uint64_t k = 0; k < 64; k++)
		for (int kind = CACHE_TILE; kind <= CACHE_BUNDLE; kind++) {
			struct cache_item *i =
			    cache_take(c, (enum cache_kind)kind, 1, k);

			if (!i)
				continue;
			assert_int_equal(i->body.refs, 1);
			let_go(i);
		}
	assert_int_equal(cache_bytes(c), 0);
	assert_int_equal(atomic_load(&alive), 0);
	end(c);
}

/* What is being sent outlives the cache. */
static void
test_close(void **state)
{
	struct cache *c = cache_make(1000);
	struct cache_item *reader;

	(void)state;
	cache_close(NULL);
	put(c, 1, 10, false);
	put(c, 2, 10, true);
	reader = cache_get(c, CACHE_BUNDLE, 0, 2);
	cache_close(c);
	assert_int_equal(atomic_load(&alive), 1);
	assert_int_equal(reader->body.refs, 1);
	let_go(reader);
	assert_int_equal(atomic_load(&alive), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_references),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_replaced),
	    cmocka_unit_test(test_budget),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_pinned),
	    cmocka_unit_test(test_pinned_among_others),
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
