/* SPDX-License-Identifier: Apache-2.0 */
#include "server/copy.h"

#include "server/fsck.h"
#include "tests/server/log_fixture.h"

#define COPY_BATCH 1024 /* entries that are flushed without being told */

/* A log to copy from, and a store to copy into through the faulty backend. */
static struct {
	struct small_log from;
	struct store_reader *reader;
	struct store *store;
	struct copy copy;
} w;

static void
begin_copy(void)
{
	struct error err = {0};

	must(copy_open(&w.copy, &store_faulty, w.store, &err), &err);
}

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	memset(&w, 0, sizeof(w));
	log_open(&w.from);
	w.reader = store_memory.reader_open(w.from.store, &err);
	w.store = store_memory.open("", false, &err);
	begin_copy();
	return w.reader && w.store ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	copy_release(&w.copy);
	copy_release(&w.copy);
	store_memory.close(w.store);
	store_memory.reader_close(w.reader);
	log_close(&w.from);
	return 0;
}

static uint64_t
copied(void)
{
	struct error err = {0};
	uint64_t size = NONE;

	must(store_memory.size(w.store, &size, &err), &err);
	return size;
}

static void
copy_all(uint64_t first, uint64_t end)
{
	struct error err = {0};

	must(copy_range(&w.copy, w.reader, first, end, &err), &err);
	assert_int_equal(copied(), end);
}

static void
roots_agree(const uint64_t *sizes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct hash want = log_root(&w.from, sizes[i]), got;
		struct error err = {0};

		must(copy_root(&w.copy, sizes[i], &got, &err), &err);
		if (!hash_equal(&want, &got))
			fail_msg("another root at size %d", (int)sizes[i]);
	}
}

static void
no_problem(void *arg, const char *sentence, bool mended)
{
	(void)arg;
	(void)mended;
	fail_msg("%s", sentence);
}

/* Every byte, every tile, and the root. */
static void
copy_is_sound(void)
{
	struct fsck_parts parts = {
	    .backend = &store_memory,
	    .store = w.store,
	    .head = {w.from.size, log_root(&w.from, w.from.size)},
	    .threads = 1,
	    .problem = no_problem,
	};
	struct fsck_result result;
	struct error err = {0};

	must(fsck_run(&parts, &result, &err), &err);
	assert_int_equal(result.problems, 0);
	assert_int_equal(result.entries, w.from.size);
	assert_int_equal(result.tiles, w.from.size / TILE_WIDTH);
}

static void
test_full_copy(void **state)
{
	static const uint64_t sizes[] = {
	    0, 1, 2, 3, 255, 256, 257, 511, 512, 700, 1023, 1024, 1025, 2300};

	(void)state;
	log_grow(&w.from, 2300);
	copy_all(0, 2300);
	roots_agree(sizes, sizeof(sizes) / sizeof(sizes[0]));
	copy_is_sound();
}

/* Each stretch by a copy of its own, which finds what the last one left. */
static void
test_goes_on(void **state)
{
	static const uint64_t ends[] = {0, 1, 2, 255, 256, 257, 1024, 1300};

	(void)state;
	log_grow(&w.from, 1300);
	for (size_t i = 1; i < sizeof(ends) / sizeof(ends[0]); i++) {
		copy_all(ends[i - 1], ends[i]);
		roots_agree(ends, i + 1);
		copy_release(&w.copy);
		begin_copy();
		assert_int_equal(tree_size(w.copy.tree), ends[i]);
		roots_agree(ends, i + 1);
	}
	copy_is_sound();
}

static void
add(uint64_t index)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	struct error err = {0};

	leaf_make(index, &leaf);
	must(copy_entry(&w.copy, buf_bytes(&leaf), &err), &err);
}

/* Entries are there when copy_flush has returned, a full batch by itself. */
static void
test_flush(void **state)
{
	static const uint64_t sizes[] = {0, 3, 1027};
	struct error err = {0};

	(void)state;
	log_grow(&w.from, COPY_BATCH + 3);
	for (uint64_t i = 0; i < 3; i++)
		add(i);
	assert_int_equal(copied(), 0);
	must(copy_flush(&w.copy, &err), &err);
	assert_int_equal(copied(), 3);
	assert_int_equal(faulty.appends, 1);
	must(copy_flush(&w.copy, &err), &err);
	assert_int_equal(faulty.appends, 1);
	for (uint64_t i = 3; i < COPY_BATCH + 2; i++)
		add(i);
	assert_int_equal(copied(), 3);
	add(COPY_BATCH + 2);
	assert_int_equal(copied(), COPY_BATCH + 3);
	must(copy_flush(&w.copy, &err), &err);
	assert_int_equal(faulty.appends, 2);
	roots_agree(sizes, 3);
	copy_is_sound();
}

/* A batch is bounded in bytes, too, and no entry of it is lost or moved. */
static void
test_large_entries(void **state)
{
	static uint8_t leaf[60000];
	struct error err = {0};
	struct hash want, got;

	(void)state;
	for (unsigned i = 0; i < 75; i++) {
		memset(leaf, (int)i, sizeof(leaf));
		log_note(&w.from, BYTES_OF(leaf));
		must(copy_entry(&w.copy, BYTES_OF(leaf), &err), &err);
	}
	assert_true(copied() > 0 && copied() < 75);
	must(copy_flush(&w.copy, &err), &err);
	assert_int_equal(copied(), 75);
	want = log_root(&w.from, 75);
	must(copy_root(&w.copy, 75, &got, &err), &err);
	assert_true(hash_equal(&want, &got));
}

/* A full disk loses nothing: the same entries are flushed later. */
static void
test_flush_again(void **state)
{
	static const uint64_t sizes[] = {200, 300};
	struct error err = {0};

	(void)state;
	log_grow(&w.from, 300);
	copy_all(0, 200);
	for (uint64_t i = 200; i < 300; i++)
		add(i);
	faulty.append = ERR_UNAVAILABLE;
	refused(copy_flush(&w.copy, &err), &err, ERR_UNAVAILABLE, "disk-full");
	assert_int_equal(copied(), 200);
	roots_agree(sizes, 1);
	faulty_none();
	err = (struct error){0};
	must(copy_flush(&w.copy, &err), &err);
	assert_int_equal(copied(), 300);
	roots_agree(sizes, 2);
	copy_is_sound();
}

static const struct refusal {
	const char *name;
	uint64_t end;
	enum error_code append, compact;
	bool no_entry;
	enum error_code code;
	const char *reason;
} refusals[] = {
    {"beyond the end", 301, .code = ERR_IO, .reason = "store-missing"},
    {"a hole", 300, .no_entry = true, .code = ERR_IO,
	.reason = "store-missing"},
    {"append fails", 300, .append = ERR_IO, .code = ERR_IO,
	.reason = "store-unknown"},
    {"disk full", 300, .append = ERR_UNAVAILABLE, .code = ERR_UNAVAILABLE,
	.reason = "disk-full"},
    {"compact fails", 300, .compact = ERR_IO, .code = ERR_IO,
	.reason = "store-unknown"},
};

static void
test_range_refused(void **state)
{
	(void)state;
	log_grow(&w.from, 300);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct error err = {0};

		faulty_none();
		faulty.append = r->append;
		faulty.compact = r->compact;
		faulty.no_entry = r->no_entry ? 299 : NONE;
		refused(copy_range(&w.copy, w.reader, 0, r->end, &err), &err,
		    r->code, r->reason);
		/* only a failure behind the append leaves entries */
		assert_int_equal(copied(), r->compact ? 300 : 0);
		copy_release(&w.copy);
		begin_copy();
	}
}

static void
test_open_refused(void **state)
{
	struct error err = {0};
	struct copy c;

	(void)state;
	log_grow(&w.from, 300);
	copy_all(0, 300);
	faulty.size = ERR_IO;
	refused(copy_open(&c, &store_faulty, w.store, &err), &err, ERR_IO,
	    "store-unknown");
	copy_release(&c);
	faulty_none();
	faulty.tile = ERR_IO;
	err = (struct error){0};
	refused(copy_open(&c, &store_faulty, w.store, &err), &err, ERR_IO,
	    "store-unknown");
	copy_release(&c);
	faulty_none();
	faulty.reader = ERR_IO;
	err = (struct error){0};
	refused(copy_open(&c, &store_faulty, w.store, &err), &err, ERR_IO,
	    "store-unknown");
	copy_release(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Envelopes go along, dropped ones too; not what is beyond the end. */
static void
test_links(void **state)
{
	AUTO(buf) payload = BUF_INIT(4096);
	struct store_envelopes counts;
	struct store_link dropped;
	struct store_reader *r;
	struct error err = {0};

	(void)state;
	log_grow(&w.from, 20);
	for (uint64_t n = 0; n < 6; n++)
		log_grow_statement(&w.from, n / 2, (unsigned)(n % 2));
	statement_make(1, &payload);
	dropped = statement_link(&w.from.hasher, buf_bytes(&payload), 0, 0);
	must(store_memory.drop_envelope(w.from.store, &dropped.s, &err), &err);
	copy_all(0, 25);
	must(copy_links(&w.copy, w.reader, 25, &err), &err);
	r = store_memory.reader_open(w.store, &err);
	must(store_memory.count_envelopes(r, &counts, &err), &err);
	assert_int_equal(counts.kept, 2);
	assert_int_equal(counts.dropped, 1);
	refused(store_memory.read_envelope(
		    r, hash_bytes(&dropped.s), UINT64_MAX, NULL, &err),
	    &err, ERR_NOTFOUND, "envelope-dropped");
	store_memory.reader_close(r);
	w.from.size = 25; /* what was copied */
	copy_is_sound();
	err = (struct error){0};
	faulty.append = ERR_IO;
	refused(copy_links(&w.copy, w.reader, 25, &err), &err, ERR_IO,
	    "store-unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_full_copy),
	    TEST(test_links),
	    TEST(test_goes_on),
	    TEST(test_flush),
	    TEST(test_large_entries),
	    TEST(test_flush_again),
	    TEST(test_range_refused),
	    TEST(test_open_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
