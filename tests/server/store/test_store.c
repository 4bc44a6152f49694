/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "tests/support/store_place.h"

/* The contract of store.h against each backend. */
static const struct store_backend *const backends[] = {
    &store_sqlite,
    &store_memory,
};

static void
test_empty(struct place *p)
{
	struct error err = {0};
	struct hash tile[TILE_WIDTH];
	uint64_t seen = 0;
	assert_int_equal(size_of(p), 0);
	must_read(p, 0, 0);
	refused(
	    p->backend->read_entries(p->reader, 0, 1, count_leaf, &seen, &err),
	    &err, ERR_IO, "store-missing");
	err = (struct error){0};
	refused(p->backend->read_tile(p->reader, 0, 0, tile, &err), &err,
	    ERR_IO, "store-missing");
	assert_int_equal(seen, 0);
}

static void
test_append(struct place *p)
{
	must_append(p, 0, 1);
	must_append(p, 1, 0); /* an empty batch is one */
	must_append(p, 1, 699);
	must_append(p, 700, 3);
	assert_int_equal(size_of(p), 703);
	must_read(p, 0, 703); /* by a reader older than the entries */
	must_read(p, 255, 2);
	must_read(p, 702, 1);
}

static void
test_missing(struct place *p)
{
	static const struct {
		uint64_t first, count, seen;
	} cases[] = {
	    {9, 2, 1},
	    {10, 1, 0},
	    {0, 300, 10},
	    {1u << 20, 1, 0},
	    {UINT64_MAX, 1, 0},
	    {UINT64_MAX - 3, 9, 0},
	    {INT64_MAX, 1, 0},
	};
	must_append(p, 0, 10);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		uint64_t seen = 0;
		refused(p->backend->read_entries(p->reader, cases[i].first,
			    cases[i].count, count_leaf, &seen, &err),
		    &err, ERR_IO, "store-missing");
		assert_int_equal(seen, cases[i].seen);
	}
	must_append(p, 10, 1); /* asking too much is not the log's fault */
}

static bool
refuse_third(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	(void)leaf;
	++*(uint64_t *)arg;
	return index != 2 || error_set(err, ERR_DENIED, "enough");
}

static void
test_stop(struct place *p)
{
	struct error err = {0};
	uint64_t seen = 0;
	must_append(p, 0, 10);
	refused(p->backend->read_entries(
		    p->reader, 0, 10, refuse_third, &seen, &err),
	    &err, ERR_DENIED, "denied");
	assert_int_equal(seen, 3);
	must_read(p, 0, 10);
}

/* A hole, an overlap, a number that does not fit: never again a write. */
static void
test_wrong_place(struct place *p)
{
	static const uint64_t firsts[] = {6, 4, 0, UINT64_MAX, INT64_MAX};
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct error err = {0};
		struct place q;
		make_place(&q, p->backend);
		must_append(&q, 0, 5);
		assert_false(append(&q, firsts[i], 2, NULL, 0, &err));
		assert_int_not_equal(err.code, ERR_UNAVAILABLE);
		err = (struct error){0};
		refused(append(&q, 5, 1, NULL, 0, &err), &err, ERR_IO,
		    "store-unknown");
		err = (struct error){0};
		refused(q.backend->settle(q.store, &err), &err, ERR_IO,
		    "store-unknown");
		assert_int_equal(size_of(&q), 5);
		must_read(&q, 0, 5); /* reads go on */
		end_place(&q);
	}
}

static void
fill(uint8_t hashes[TILE_LEN], int value)
{
	memset(hashes, value, TILE_LEN);
}

static void
expect_tile(struct place *p, uint8_t level, uint64_t index, int value)
{
	struct error err = {0};
	struct hash got[TILE_WIDTH];
	uint8_t want[TILE_LEN];
	fill(want, value);
	must(p->backend->read_tile(p->reader, level, index, got, &err), &err);
	assert_memory_equal(got, want, TILE_LEN);
}

static void
expect_no_tile(struct place *p, uint8_t level, uint64_t index)
{
	struct error err = {0};
	struct hash got[TILE_WIDTH];
	refused(p->backend->read_tile(p->reader, level, index, got, &err), &err,
	    ERR_IO, "store-missing");
}

static void
test_tiles(struct place *p)
{
	static uint8_t a[TILE_LEN], b[TILE_LEN], c[TILE_LEN], d[TILE_LEN];
	struct error err = {0};
	fill(a, 1);
	fill(b, 2);
	fill(c, 3);
	fill(d, 4);
	const struct store_tile tiles[] = {
	    {0, 0, a}, {0, 1, b}, {1, 0, c}, {7, 0, d}};
	must(append(p, 0, 600, tiles, 4, &err), &err);
	expect_tile(p, 0, 0, 1);
	expect_tile(p, 0, 1, 2);
	expect_tile(p, 1, 0, 3);
	expect_tile(p, 7, 0, 4);
	expect_no_tile(p, 0, 2);
	expect_no_tile(p, 1, 1);
	expect_no_tile(p, 2, 0);
	expect_no_tile(p, 0, UINT64_MAX);
	must(
	    p->backend->put_tile(p->store, &(struct store_tile){0, 1, d}, &err),
	    &err);
	expect_tile(p, 0, 1, 4);
	expect_tile(p, 0, 0, 1);
	assert_int_equal(size_of(p), 600);
}

static void
test_truncate(struct place *p)
{
	static const struct {
		uint64_t size;
		bool tile0, tile1;
	} cases[] = {
	    {900, true, true},
	    {600, true, true},
	    {512, true, true},
	    {511, true, false},
	    {256, true, false},
	    {255, false, false},
	    {0, false, false},
	};
	static uint8_t a[TILE_LEN], b[TILE_LEN];
	fill(a, 1);
	fill(b, 2);
	const struct store_tile tiles[] = {{0, 0, a}, {0, 1, b}, {1, 0, a}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct place q;
		uint64_t left = cases[i].size < 600 ? cases[i].size : 600;
		make_place(&q, p->backend);
		must(append(&q, 0, 600, tiles, 3, &err), &err);
		must(q.backend->truncate(q.store, cases[i].size, &err), &err);
		assert_int_equal(size_of(&q), left);
		must_read(&q, 0, left);
		if (cases[i].tile0)
			expect_tile(&q, 0, 0, 1);
		else
			expect_no_tile(&q, 0, 0);
		if (cases[i].tile1)
			expect_tile(&q, 0, 1, 2);
		else
			expect_no_tile(&q, 0, 1);
		expect_no_tile(&q, 1, 0); /* 65,536 entries never were there */
		must_append(&q, left, 50);
		must_read(&q, 0, left + 50);
		end_place(&q);
	}
}

/* Readers beside the writer: each sees a prefix, and what was appended before
 * it looked. */
struct shared {
	struct place *place;
	atomic_uint_least64_t published;
	atomic_bool stop, failed;
};

static void *
read_along(void *arg)
{
	struct shared *s = arg;
	const struct store_backend *b = s->place->backend;
	struct error err = {0};
	struct store_reader *r = b->reader_open(s->place->store, &err);
	while (r && !atomic_load(&s->stop)) {
		uint64_t size = atomic_load(&s->published), seen = 0;
		uint64_t first = size > 300 ? size - 300 : 0;
		if (!b->read_entries(
			r, first, size - first, count_leaf, &seen, &err))
			break;
	}
	if (!atomic_load(&s->stop))
		atomic_store(&s->failed, true);
	b->reader_close(r);
	return NULL;
}

static void
test_readers(struct place *p)
{
	struct shared s = {.place = p};
	struct error err = {0};
	pthread_t thread[2];
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, read_along, &s), 0);
	for (uint64_t i = 0; i < 100; i++) {
		must_append(p, i * 100, 100);
		must(p->backend->compact(p->store, &err), &err);
		atomic_store(&s.published, (i + 1) * 100);
	}
	atomic_store(&s.stop, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_false(atomic_load(&s.failed));
}

static void
test_contract(void **state)
{
	static const struct {
		const char *name;
		void (*run)(struct place *p);
	} cases[] = {
	    {"empty", test_empty},
	    {"append", test_append},
	    {"missing", test_missing},
	    {"stop", test_stop},
	    {"wrong place", test_wrong_place},
	    {"tiles", test_tiles},
	    {"truncate", test_truncate},
	    {"readers", test_readers},
	};
	(void)state;
	for (size_t b = 0; b < sizeof(backends) / sizeof(backends[0]); b++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct place p;
			print_message(
			    "  %s: %s\n", backends[b]->name, cases[i].name);
			make_place(&p, backends[b]);
			cases[i].run(&p);
			end_place(&p);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contract),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
