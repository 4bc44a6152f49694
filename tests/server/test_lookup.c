/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "server/lookup.h"

#define SIGNERS 3
#define ROWS	1000 /* the most one search gives */
#define TRIES	30000

struct place {
	char dir[64];
	struct index_file *file;
	struct lookup *lookup;
};

static void
must(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s (%s)", err->text, error_reason_name(err));
}

static void
place_open(struct place *p)
{
	struct error err = {0};

	p->file = index_open(p->dir, false, &err);
	must(p->file != NULL, &err);
	p->lookup = lookup_open(p->file, &err);
	must(p->lookup != NULL, &err);
}

static void
place_make(struct place *p)
{
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/mtlog-lookup.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	place_open(p);
}

static void
place_close(struct place *p)
{
	lookup_close(p->lookup);
	index_close(p->file);
}

static void
place_end(struct place *p)
{
	static const char *const names[] = {
	    "index.db", "index.db-wal", "index.db-shm"};

	place_close(p);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
}

static void
start(struct place *p)
{
	struct error err = {0};

	must(lookup_start(p->lookup, &err), &err);
}

static struct hash
key_of(enum index_kind kind, uint64_t n)
{
	struct hash h;
	uint64_t x = (n * 4 + kind + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < HASH_LEN; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		h.b[i] = (uint8_t)x;
	}
	return h;
}

static struct hash
root_of(uint64_t size)
{
	return key_of(INDEX_LEAF, size + 1000000007);
}

/* Entry i: its own leaf, a digest that two share, one of few signers. */
static struct lookup_keys
keys_of(uint64_t i)
{
	return (struct lookup_keys){
	    .leaf = key_of(INDEX_LEAF, i),
	    .digest = key_of(INDEX_DIGEST, i / 2),
	    .signer = key_of(INDEX_SIGNER, i % SIGNERS),
	};
}

static bool
add_to(struct lookup *l, uint64_t first, uint64_t end, struct error *err)
{
	size_t count = (size_t)(end - first);
	struct lookup_keys *keys = calloc(count + 1, sizeof(*keys));
	struct hash root = root_of(end);
	bool ok;

	if (!keys)
		abort();
	for (size_t i = 0; i < count; i++)
		keys[i] = keys_of(first + i);
	ok = lookup_add(l,
	    &(struct lookup_batch){.first = first,
		.keys = keys,
		.count = count,
		.marker = {end, root, LOOKUP_LINKS_SAME}},
	    err);
	free(keys);
	return ok;
}

static void
add(struct place *p, uint64_t first, uint64_t end)
{
	struct error err = {0};

	must(add_to(p->lookup, first, end, &err), &err);
}

static size_t
find(struct place *p, uint64_t size, enum index_kind kind, uint64_t n,
    uint64_t from, bool newest, size_t max, uint64_t *out)
{
	struct hash key = key_of(kind, n);
	struct error err = {0};
	uint64_t complete = 77;
	size_t count = 77;

	must(lookup_find(p->lookup, kind, &key, from, newest, max, out, &count,
		 &complete, &err),
	    &err);
	assert_true(complete == size);
	assert_true(count <= max);
	return count;
}

/* One answer against what a plain search of 0..size-1 gives. */
static void
check_signer(struct place *p, uint64_t size, uint64_t signer, uint64_t from,
    bool newest, size_t max)
{
	static uint64_t out[ROWS], want[ROWS];
	uint64_t at = newest && from >= size ? size - 1 : from;
	size_t n = 0;

	for (; n < max && at < size; at = newest ? at - 1 : at + 1)
		if (at % SIGNERS == signer)
			want[n++] = at;
	assert_int_equal(
	    find(p, size, INDEX_SIGNER, signer, from, newest, max, out), n);
	if (n > 0)
		assert_memory_equal(out, want, n * sizeof(out[0]));
}

/* Everything below `size` is found, and nothing else. */
static void
check_all(struct place *p, uint64_t size)
{
	static const size_t maxima[] = {0, 1, 2, 7, 100, ROWS};
	uint64_t step = size / 97 + 1, out[4];

	for (uint64_t i = 0; i < size; i += step) {
		size_t pair = i / 2 * 2 + 1 < size ? 2 : 1;

		assert_int_equal(
		    find(p, size, INDEX_LEAF, i, 0, false, 4, out), 1);
		assert_true(out[0] == i);
		assert_int_equal(find(p, size, INDEX_DIGEST, i / 2, UINT64_MAX,
				     true, 4, out),
		    pair);
		assert_true(out[pair - 1] == i / 2 * 2);
		/* a kind is part of the key */
		assert_int_equal(
		    find(p, size, INDEX_LEAF, size + i, 0, false, 4, out), 0);
		for (size_t m = 0; m < 5; m++) {
			check_signer(p, size, i % 3, i, false, maxima[m]);
			check_signer(p, size, i % 3, i, true, maxima[m]);
		}
	}
	for (size_t m = 0; size > 0 && m < 6; m++) {
		check_signer(p, size, 1, 0, false, maxima[m]);
		check_signer(p, size, 1, size, false, maxima[m]);
		check_signer(p, size, 1, size, true, maxima[m]);
		check_signer(p, size, 1, UINT64_MAX, true, maxima[m]);
		check_signer(p, size, 1, UINT64_MAX, false, maxima[m]);
	}
}

static void
marker_is(struct place *p, uint64_t size)
{
	struct hash want = size ? root_of(size) : (struct hash){{0}};
	struct error err = {0};
	struct index_marker got;

	must(index_marker(p->file, &got, &err), &err);
	assert_true(got.size == size);
	assert_true(hash_equal(&got.root, &want));
}

static void
test_empty(void **state)
{
	struct place p;
	struct error err = {0};
	uint64_t out[4];

	(void)state;
	lookup_close(NULL);
	place_make(&p);
	assert_int_equal(lookup_tail(p.lookup), 0);
	assert_true(lookup_generation(p.lookup) == 0);
	assert_false(lookup_failed(p.lookup, &err));
	assert_int_equal(err.code, ERR_NONE);
	assert_int_equal(find(&p, 0, INDEX_LEAF, 0, 0, false, 4, out), 0);
	assert_int_equal(
	    find(&p, 0, INDEX_SIGNER, 0, UINT64_MAX, true, 4, out), 0);
	start(&p);
	lookup_flush_now(p.lookup);
	assert_true(lookup_generation(p.lookup) == 0);
	place_end(&p);
}

/* Entries in memory alone; batches of every kind of size. */
static void
test_tail(void **state)
{
	static const uint64_t sizes[] = {
	    1, 2, 3, 10, 11, 300, 341, 342, 343, 700, 2000, 2000, 5000};
	struct place p;
	uint64_t size = 0;

	(void)state;
	place_make(&p);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		add(&p, size, sizes[i]);
		size = sizes[i];
		assert_int_equal(lookup_tail(p.lookup), size);
		check_all(&p, size);
	}
	marker_is(&p, 0);
	place_end(&p);
}

/* Tail and file together, before, between and after flushes. */
static void
test_merged(void **state)
{
	static const uint64_t sizes[] = {2, 3, 500, 501, 1500, 6000};
	struct place p;
	uint64_t size = 0;

	(void)state;
	place_make(&p);
	start(&p);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t filed = size + (sizes[i] - size) / 2;

		add(&p, size, filed);
		lookup_flush_now(p.lookup);
		assert_int_equal(lookup_tail(p.lookup), 0);
		marker_is(&p, filed);
		if (filed > 0)
			check_all(&p, filed);
		add(&p, filed, sizes[i]);
		size = sizes[i];
		assert_int_equal(lookup_tail(p.lookup), size - filed);
		check_all(&p, size);
		marker_is(&p, filed);
	}
	place_end(&p);
}

/* The generation counts flushes that moved something. */
static void
test_generation(void **state)
{
	struct place p;

	(void)state;
	place_make(&p);
	start(&p);
	for (uint64_t i = 0; i < 10; i++) {
		add(&p, i, i + 1);
		assert_true(lookup_generation(p.lookup) == i);
		lookup_flush_now(p.lookup);
		assert_true(lookup_generation(p.lookup) == i + 1);
	}
	lookup_flush_now(p.lookup);
	assert_true(lookup_generation(p.lookup) == 10);
	place_end(&p);
}

/* What was not flushed is replayed from the marker on, or from before it. */
static void
test_replay(void **state)
{
	struct place p;
	uint64_t out[4];

	(void)state;
	place_make(&p);
	start(&p);
	add(&p, 0, 1000);
	lookup_flush_now(p.lookup);
	add(&p, 1000, 1500);
	place_close(&p);
	place_open(&p);
	assert_int_equal(lookup_tail(p.lookup), 0);
	marker_is(&p, 1000);
	check_all(&p, 1000);
	assert_int_equal(find(&p, 1000, INDEX_LEAF, 1200, 0, false, 4, out), 0);
	for (uint64_t i = 1000; i < 1500; i += 100)
		add(&p, i, i + 100);
	check_all(&p, 1500);
	place_close(&p);
	place_open(&p);
	add(&p, 500, 1500);
	assert_int_equal(lookup_tail(p.lookup), 1000);
	check_all(&p, 1500);
	start(&p);
	lookup_flush_now(p.lookup);
	marker_is(&p, 1500);
	check_all(&p, 1500);
	add(&p, 1500, 1600);
	check_all(&p, 1600);
	place_end(&p);
}

static void
test_find_refuses(void **state)
{
	static uint64_t out[ROWS + 1];
	struct hash key = key_of(INDEX_LEAF, 1);
	struct place p;
	struct error err = {0};
	uint64_t complete;
	size_t count;

	(void)state;
	place_make(&p);
	add(&p, 0, 10);
	assert_false(lookup_find(p.lookup, INDEX_LEAF, &key, 0, false, ROWS + 1,
	    out, &count, &complete, &err));
	assert_int_equal(err.code, ERR_USAGE);
	check_all(&p, 10);
	place_end(&p);
}

/* Other entries of the same key are not taken for it, though the table has
 * them in one chain. */
static void
test_shared_chain(void **state)
{
	static struct lookup_keys keys[256];
	struct hash root = root_of(256);
	struct place p;
	struct error err = {0};

	(void)state;
	place_make(&p);
	for (size_t i = 0; i < 256; i++)
		keys[i] = (struct lookup_keys){
		    .leaf.b[HASH_LEN - 1] = (uint8_t)i,
		    .digest.b[HASH_LEN - 1] = (uint8_t)(i / 2),
		    .signer.b[HASH_LEN - 1] = (uint8_t)(i % 2),
		};
	must(lookup_add(p.lookup,
		 &(struct lookup_batch){
		     .keys = keys, .count = 256, .marker = {256, root, 0}},
		 &err),
	    &err);
	for (uint64_t i = 0; i < 256; i++) {
		uint64_t out[4], complete;
		size_t count;

		must(lookup_find(p.lookup, INDEX_LEAF, &keys[i].leaf, 0, false,
			 4, out, &count, &complete, &err),
		    &err);
		assert_int_equal(count, 1);
		assert_true(out[0] == i);
		must(lookup_find(p.lookup, INDEX_DIGEST, &keys[i].digest, 0,
			 false, 4, out, &count, &complete, &err),
		    &err);
		assert_int_equal(count, 2);
		assert_true(out[0] == i / 2 * 2 && out[1] == out[0] + 1);
	}
	place_end(&p);
}

static void
nap(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Many entries start a flush by themselves; while it runs and more come,
 * everything is found. */
static void
test_flushes_itself(void **state)
{
	const uint64_t many = LOOKUP_FLUSH_ENTRIES;
	struct place p;
	uint64_t size = many - 1;

	(void)state;
	place_make(&p);
	start(&p);
	add(&p, 0, size);
	for (unsigned i = 0; i < 5; i++)
		nap();
	assert_true(lookup_generation(p.lookup) == 0);
	assert_int_equal(lookup_tail(p.lookup), size);
	add(&p, size, many);
	size = many;
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t out[4];

		if (lookup_generation(p.lookup) > 0)
			break;
		assert_int_equal(
		    find(&p, size, INDEX_LEAF, i, 0, false, 4, out), 1);
		assert_true(out[0] == i);
		check_signer(&p, size, i % SIGNERS, many - 20, false, 10);
		check_signer(&p, size, i % SIGNERS, UINT64_MAX, true, 10);
		if (i < 100) {
			add(&p, size, size + 10);
			size += 10;
		} else {
			nap();
		}
	}
	assert_true(lookup_generation(p.lookup) > 0);
	check_all(&p, size);
	assert_true(lookup_tail(p.lookup) < size);
	lookup_flush_now(p.lookup);
	check_all(&p, size);
	place_end(&p);
}

/* Who asks for a flush waits for what is under way, too. */
static void
test_flush_waits(void **state)
{
	struct place p;
	struct index_marker marker;
	struct error err = {0};
	size_t tail;

	(void)state;
	place_make(&p);
	start(&p);
	add(&p, 0, LOOKUP_FLUSH_ENTRIES);
	nap();
	lookup_flush_now(p.lookup);
	tail = lookup_tail(p.lookup);
	must(index_marker(p.file, &marker, &err), &err);
	place_end(&p);
	assert_int_equal(tail, 0);
	assert_true(marker.size == LOOKUP_FLUSH_ENTRIES);
}

/* Every page of a key's entries, from everywhere, is right. */
static void
check_links(
    struct place *p, const struct hash *key, const uint64_t *want, size_t n)
{
	uint64_t out[16], complete;
	struct error err = {0};
	size_t count, a, k;

	for (size_t max = 1; max <= 12; max++)
		for (uint64_t from = 0; from < 60; from++) {
			must(lookup_find(p->lookup, INDEX_MODEL, key, from,
				 false, max, out, &count, &complete, &err),
			    &err);
			assert_int_equal(complete, 54);
			for (a = 0; a < n && want[a] < from;)
				a++;
			for (k = 0; k < max && a + k < n; k++)
				assert_int_equal(out[k], want[a + k]);
			assert_int_equal(count, k);
			must(lookup_find(p->lookup, INDEX_MODEL, key, from,
				 true, max, out, &count, &complete, &err),
			    &err);
			while (a < n && want[a] <= from)
				a++;
			for (k = 0; k < max && k < a; k++)
				assert_int_equal(out[k], want[a - 1 - k]);
			assert_int_equal(count, k);
		}
}

/* Rows of links: those of new entries in order, and of entries that were there
 * before in any order; found in order either way, in memory and in the file. */
static void
test_links(void **state)
{
	static const uint64_t late[] = {5, 1, 30, 2, 3, 31, 4};
	struct hash key = key_of(INDEX_MODEL, 1),
		    other = key_of(INDEX_MODEL, 2);
	struct index_row rows[20];
	struct lookup_batch b = {.first = 40, .rows = rows};
	struct place p;
	struct error err = {0};
	struct index_marker marker;
	uint64_t want[16];
	size_t n = 0;

	(void)state;
	place_make(&p);
	add(&p, 0, 40);
	for (size_t i = 0; i < 7; i++) {
		rows[b.row_count++] =
		    (struct index_row){INDEX_MODEL, key, late[i]};
		rows[b.row_count++] =
		    (struct index_row){INDEX_VERSION, key, late[i] + 1};
	}
	rows[b.row_count++] = (struct index_row){INDEX_MODEL, other, 6};
	b.marker = (struct index_marker){40, root_of(40), 9};
	must(lookup_add(p.lookup, &b, &err), &err);
	add(&p, 40, 50); /* links: as before */
	b.first = 50;
	b.row_count = 0;
	for (uint64_t i = 50; i < 54; i++)
		rows[b.row_count++] = (struct index_row){INDEX_MODEL, key, i};
	b.keys = calloc(4, sizeof(struct lookup_keys));
	b.count = 4;
	b.marker = (struct index_marker){54, root_of(54), 14};
	must(lookup_add(p.lookup, &b, &err), &err);
	free((void *)(uintptr_t)b.keys);
	for (uint64_t i = 0; i < 60; i++)
		if ((i >= 1 && i <= 5) || i == 30 || i == 31 ||
		    (i >= 50 && i < 54))
			want[n++] = i;
	check_links(&p, &key, want, n);
	start(&p);
	lookup_flush_now(p.lookup);
	assert_int_equal(lookup_tail(p.lookup), 0);
	assert_int_equal(lookup_stored(p.lookup), 54);
	check_links(&p, &key, want, n);
	must(index_marker(p.file, &marker, &err), &err);
	assert_int_equal(marker.links, 14);
	place_end(&p);
}

/* The limit counts what is in memory and what is to come; a refused batch
 * leaves nothing behind. */
static void
test_behind(void **state)
{
	static const size_t beyond[] = {1, 2, LOOKUP_TAIL_MAX};
	struct lookup_keys *keys = calloc(10000, sizeof(*keys));
	struct hash root = root_of(LOOKUP_TAIL_MAX);
	struct place p;
	uint64_t out[4];

	(void)state;
	assert_non_null(keys);
	for (uint64_t i = 0; i < 10000; i++)
		keys[i] = keys_of(i);
	place_make(&p);
	for (uint64_t size = 0; size < LOOKUP_TAIL_MAX; size += 10000) {
		struct error err = {0};
		size_t left = LOOKUP_TAIL_MAX - size;

		for (size_t i = 0; i < 3; i++) {
			err = (struct error){0};
			assert_false(lookup_add(p.lookup,
			    &(struct lookup_batch){.first = size,
				.keys = keys,
				.count = left + beyond[i],
				.marker = {size + left + beyond[i], root, 0}},
			    &err));
			assert_int_equal(err.code, ERR_UNAVAILABLE);
			assert_string_equal(
			    error_reason_name(&err), "index-behind");
			assert_int_equal(lookup_tail(p.lookup), size);
		}
		err = (struct error){0};
		must(lookup_add(p.lookup,
			 &(struct lookup_batch){.first = size,
			     .keys = keys,
			     .count = 10000,
			     .marker = {size + 10000, root, 0}},
			 &err),
		    &err);
	}
	assert_int_equal(lookup_tail(p.lookup), LOOKUP_TAIL_MAX);
	assert_int_equal(
	    find(&p, LOOKUP_TAIL_MAX, INDEX_LEAF, 77, UINT64_MAX, true, 4, out),
	    4);
	assert_true(out[0] == LOOKUP_TAIL_MAX - 10000 + 77);
	assert_int_equal(
	    find(&p, LOOKUP_TAIL_MAX, INDEX_LEAF, 77, 0, false, 4, out), 4);
	assert_true(out[0] == 77 && out[3] == 30077);
	free(keys);
	place_end(&p);
}

/* A flush into a file that takes no more. */
static void
flush_failing(struct place *p)
{
	struct rlimit old, small = {.rlim_cur = 200000};
	struct error err = {0};

	assert_false(lookup_failed(p->lookup, &err));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	lookup_flush_now(p->lookup);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(lookup_failed(p->lookup, &err));
	assert_int_equal(err.code, ERR_IO);
}

/* The rows stay in memory, it is told, and a restart replays them. */
static void
test_flush_fails(void **state)
{
	struct place p;

	(void)state;
	place_make(&p);
	start(&p);
	add(&p, 0, 200);
	lookup_flush_now(p.lookup);
	add(&p, 200, 20000);
	check_all(&p, 20000);
	flush_failing(&p);
	assert_true(lookup_generation(p.lookup) == 1);
	assert_int_equal(lookup_tail(p.lookup), 19800);
	check_all(&p, 20000);
	/* New entries are kept and found; no flush is waited for any more. */
	add(&p, 20000, 20500);
	lookup_flush_now(p.lookup);
	assert_int_equal(lookup_tail(p.lookup), 20300);
	check_all(&p, 20500);
	place_close(&p);
	place_open(&p);
	marker_is(&p, 0);
	add(&p, 0, 20500);
	check_all(&p, 20500);
	place_end(&p);
}

/*
 * What the file had at a start is found while it is being read for the first
 * time, and when that is done; and so is what comes meanwhile.
 */
static void
test_reopened(void **state)
{
	uint64_t out[4];
	struct place p;

	(void)state;
	place_make(&p);
	start(&p);
	add(&p, 0, 3000);
	lookup_flush_now(p.lookup);
	place_close(&p);
	place_open(&p);
	start(&p);
	for (uint64_t round = 0; round < 20; round++) {
		uint64_t size = 3000 + round * 10;

		for (uint64_t i = 0; i < size; i += 7)
			assert_int_equal(
			    find(&p, size, INDEX_LEAF, i, 0, false, 4, out), 1);
		for (uint64_t i = size; i < size + 500; i++)
			assert_int_equal(
			    find(&p, size, INDEX_LEAF, i, 0, false, 4, out), 0);
		add(&p, size, size + 10);
		if (round % 5 == 4)
			lookup_flush_now(p.lookup);
	}
	place_end(&p);
}

/* An index that cannot be read is an error, never an absence. */
static void
test_no_reader(void **state)
{
	struct hash key = key_of(INDEX_LEAF, 5);
	uint64_t out[4], complete = 0;
	struct error err = {0};
	struct place p;
	size_t count = 0;

	(void)state;
	place_make(&p);
	start(&p);
	add(&p, 0, 200);
	lookup_flush_now(p.lookup);
	add(&p, 200, 20000);
	flush_failing(&p);
	if (!lookup_find(p.lookup, INDEX_LEAF, &key, 0, false, 4, out, &count,
		&complete, &err))
		count = 1;
	place_end(&p);
	assert_int_not_equal(err.code, ERR_NOTFOUND);
	assert_int_equal(count, 1);
}

/* A few pages with leaves, as a disk may give them back one day. */
static void
damage(struct place *p)
{
	char path[128];
	FILE *f;
	long at;

	/* All of it is in the file: a flush of this size is checkpointed. */
	(void)snprintf(path, sizeof(path), "%s/index.db-wal", p->dir);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/index.db", p->dir);
	f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	at = ftell(f) / 8 / 8192 * 8192;
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	for (long i = 0; i < 10L * 8192; i++)
		assert_int_equal(fputc(0xff, f), 0xff);
	assert_int_equal(fclose(f), 0);
}

/* Damage is an error, is told, and is gone after a restart. */
static void
test_damage(void **state)
{
	struct error err = {0}, told = {0};
	uint64_t out[4], complete;
	size_t count, failed = 0;
	struct place p;

	(void)state;
	place_make(&p);
	start(&p);
	add(&p, 0, 50000);
	lookup_flush_now(p.lookup);
	place_close(&p);
	damage(&p);
	place_open(&p);
	marker_is(&p, 50000);
	for (uint64_t i = 0; i < 50000; i += 50) {
		struct hash key = key_of(INDEX_LEAF, i);

		err = (struct error){0};
		if (lookup_find(p.lookup, INDEX_LEAF, &key, 0, false, 4, out,
			&count, &complete, &err)) {
			assert_int_equal(count, 1);
			continue;
		}
		failed++;
		if (failed == 1)
			assert_string_equal(
			    error_reason_name(&err), "store-corrupt");
	}
	assert_true(failed > 0);
	assert_true(lookup_failed(p.lookup, &told));
	assert_string_equal(error_reason_name(&told), "store-corrupt");
	place_close(&p);
	place_open(&p);
	marker_is(&p, 0);
	add(&p, 0, 500);
	check_all(&p, 500);
	place_end(&p);
}

/* What a start reads is looked at as well. */
static void
test_damage_at_start(void **state)
{
	struct error told = {0};
	struct place p;

	(void)state;
	place_make(&p);
	start(&p);
	add(&p, 0, 50000);
	lookup_flush_now(p.lookup);
	place_close(&p);
	damage(&p);
	place_open(&p);
	start(&p);
	for (int i = 0; i < 500 && !lookup_failed(p.lookup, &told); i++)
		nap();
	assert_string_equal(error_reason_name(&told), "store-corrupt");
	place_end(&p);
}

/* An entry that was acknowledged before a search is found by it. */
#define READERS 3

struct searcher {
	struct place *place;
	atomic_uint_fast64_t *size; /* acknowledged */
	atomic_bool *stop;
	uint64_t seed;
	const char *wrong;
	struct error err;
};

static bool
search(struct searcher *s, enum index_kind kind, uint64_t n, uint64_t from,
    bool newest, uint64_t size, uint64_t out[4], size_t *count)
{
	struct hash key = key_of(kind, n);
	uint64_t complete;

	if (!lookup_find(s->place->lookup, kind, &key, from, newest, 4, out,
		count, &complete, &s->err))
		s->wrong = "failed";
	else if (complete < size)
		s->wrong = "not complete";
	for (size_t i = 1; !s->wrong && i < *count; i++)
		if (newest ? out[i] >= out[i - 1] : out[i] <= out[i - 1])
			s->wrong = "out of order";
	return !s->wrong;
}

static void
search_one(struct searcher *s)
{
	uint64_t size = atomic_load(s->size), i, out[4];
	size_t count;

	if (size < 10)
		return;
	s->seed = s->seed * 6364136223846793005u + 1442695040888963407u;
	i = s->seed >> 33 & 1 ? size - 1 - (s->seed >> 40) % 9
			      : (s->seed >> 34) % size;
	if (!search(s, INDEX_LEAF, i, 0, false, size, out, &count))
		return;
	if (count != 1 || out[0] != i)
		s->wrong = "a leaf is missed";
	if (!search(s, INDEX_SIGNER, i % SIGNERS, i, true, size, out, &count))
		return;
	for (uint64_t k = 0; k < 4 && i >= k * SIGNERS; k++)
		if (k >= count || out[k] != i - k * SIGNERS)
			s->wrong = "a signer's entry is missed, going back";
	if (!search(s, INDEX_SIGNER, i % SIGNERS, i, false, size, out, &count))
		return;
	for (uint64_t k = 0; k < 4 && i + k * SIGNERS < size; k++)
		if (k >= count || out[k] != i + k * SIGNERS)
			s->wrong = "a signer's entry is missed";
}

static void *
search_along(void *arg)
{
	struct searcher *s = arg;

	while (!atomic_load(s->stop) && !s->wrong)
		search_one(s);
	return NULL;
}

static void
test_threads(void **state)
{
	struct searcher searchers[READERS];
	pthread_t threads[READERS];
	atomic_uint_fast64_t size = 0;
	atomic_bool stop = false;
	struct place p;

	(void)state;
	place_make(&p);
	start(&p);
	for (size_t i = 0; i < READERS; i++) {
		searchers[i] = (struct searcher){
		    .place = &p, .size = &size, .stop = &stop, .seed = i};
		assert_int_equal(pthread_create(&threads[i], NULL, search_along,
				     &searchers[i]),
		    0);
	}
	for (uint64_t i = 0; i < 20000; i += 100) {
		add(&p, i, i + 100);
		atomic_store(&size, i + 100);
		if (i % 1000 == 0)
			lookup_flush_now(p.lookup);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		if (searchers[i].wrong)
			fail_msg(
			    "%s %s", searchers[i].wrong, searchers[i].err.text);
	}
	assert_true(lookup_generation(p.lookup) >= 20);
	check_all(&p, 20000);
	place_end(&p);
}

/* More than one flush asked for at once: each comes back. */
static void *
flush_often(void *arg)
{
	struct place *p = arg;

	for (unsigned i = 0; i < 50; i++)
		lookup_flush_now(p->lookup);
	return NULL;
}

static void
test_flushes_together(void **state)
{
	pthread_t threads[2];
	struct place p;

	(void)state;
	place_make(&p);
	start(&p);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, flush_often, &p), 0);
	for (uint64_t i = 0; i < 1000; i += 10)
		add(&p, i, i + 10);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	check_all(&p, 1000);
	lookup_flush_now(p.lookup);
	check_all(&p, 1000);
	place_end(&p);
}

static void
test_keys(void **state)
{
	static const size_t lengths[] = {32, 48, 64};
	uint8_t digest[DIGEST_MAX_LEN], spki[91];
	struct hash leaf = key_of(INDEX_LEAF, 1), want;
	struct hasher h;
	struct error err = {0};

	(void)state;
	must(hasher_open(&h, &err), &err);
	memset(spki, 7, sizeof(spki));
	for (size_t i = 0; i < sizeof(digest); i++)
		digest[i] = (uint8_t)(i + 1);
	for (size_t i = 0; i < 3; i++) {
		struct entry e = {
		    .digest = bytes_of(digest, lengths[i]),
		    .verifier = BYTES_LIT("not what is looked up"),
		    .key.spki = BYTES_OF(spki),
		};
		struct lookup_keys keys;
		struct hash key;

		lookup_keys_of(&h, &e, &leaf, &keys);
		assert_true(hash_equal(&keys.leaf, &leaf));
		sha256(&h, BYTES_OF(spki), &want);
		assert_true(hash_equal(&keys.signer, &want));
		lookup_digest_key(&h, e.digest, &key);
		assert_true(hash_equal(&keys.digest, &key));
		if (lengths[i] == HASH_LEN)
			memcpy(want.b, digest, HASH_LEN);
		else
			sha256(&h, e.digest, &want);
		assert_true(hash_equal(&key, &want));
	}
	must(hasher_ok(&h, &err), &err);
	hasher_release(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_tail),
	    cmocka_unit_test(test_merged),
	    cmocka_unit_test(test_generation),
	    cmocka_unit_test(test_replay),
	    cmocka_unit_test(test_find_refuses),
	    cmocka_unit_test(test_shared_chain),
	    cmocka_unit_test(test_flushes_itself),
	    cmocka_unit_test(test_flush_waits),
	    cmocka_unit_test(test_links),
	    cmocka_unit_test(test_behind),
	    cmocka_unit_test(test_flush_fails),
	    cmocka_unit_test(test_reopened),
	    cmocka_unit_test(test_no_reader),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_damage_at_start),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_flushes_together),
	    cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
