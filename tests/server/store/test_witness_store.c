/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "server/store/witness_store.h"
#include "tests/support/folder.h"

static void
need(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s (%s)", err->text, error_reason_name(err));
}

static struct witness_store *
open_store(bool read_only)
{
	struct error err = {0};
	struct witness_store *s =
	    witness_store_open(folder_path, read_only, &err);

	need(s != NULL, &err);
	need(read_only || witness_store_settle(s, &err), &err);
	return s;
}

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	folder_make("/tmp");
	need(witness_store_create(folder_path, &err), &err);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

/* A head of log `n`; the root follows from size and `tree`. */
static void
head_of(struct witness_head *h, unsigned n, uint64_t size, unsigned tree,
    uint64_t time)
{
	*h = (struct witness_head){
	    .log = {{(uint8_t)n}},
	    .size = size,
	    .root = {{(uint8_t)tree, (uint8_t)size}},
	    .time = time,
	    .note = BUF_INIT(WITNESS_NOTE_MAX),
	    .cosignature = BUF_INIT(WITNESS_LINE_MAX),
	};
	(void)snprintf(h->origin, sizeof(h->origin), "log%u.example", n);
	buf_printf(&h->note, "note %u %u %u\n", n, (unsigned)size, tree);
	buf_printf(&h->cosignature, "line %u\n", (unsigned)time);
}

static enum error_code
swap(struct witness_store *s, uint64_t old, unsigned n, uint64_t size,
    unsigned tree, uint64_t time)
{
	AUTO(witness_head) h = {0};
	struct error err = {0};

	head_of(&h, n, size, tree, time);
	return witness_store_swap(s, old, &h, &err) ? ERR_NONE : err.code;
}

static void
has(struct witness_store *s, unsigned n, uint64_t size, unsigned tree,
    uint64_t time)
{
	AUTO(witness_head) h = {0};
	AUTO(witness_head) want = {0};
	struct hash log = {{(uint8_t)n}};
	struct error err = {0};
	bool found = false;

	need(witness_store_get(s, &log, &h, &found, &err), &err);
	assert_true(found);
	head_of(&want, n, size, tree, time);
	assert_string_equal(h.origin, want.origin);
	assert_int_equal(h.size, size);
	assert_int_equal(h.time, time);
	assert_true(hash_equal(&h.root, &want.root));
	assert_true(bytes_equal(buf_bytes(&h.note), buf_bytes(&want.note)));
	assert_true(bytes_equal(
	    buf_bytes(&h.cosignature), buf_bytes(&want.cosignature)));
}

static uint64_t
commits(struct witness_store *s)
{
	struct error err = {0};
	uint64_t n = 0;

	need(witness_store_commits(s, &n, &err), &err);
	return n;
}

/* It compares by itself: size, time, and the root of an equal size. */
static void
test_swap(void **state)
{
	static const struct {
		uint64_t old, size;
		unsigned tree;
		uint64_t time;
		enum error_code code;
	} steps[] = {
	    {5, 9, 1, 100, ERR_CONFLICT}, /* there is none */
	    {0, 5, 1, 100, ERR_NONE},
	    {0, 9, 1, 100, ERR_CONFLICT},
	    {4, 9, 1, 100, ERR_CONFLICT},
	    {6, 9, 1, 100, ERR_CONFLICT},
	    {5, 9, 1, 99, ERR_CONFLICT}, /* back in time */
	    {5, 4, 1, 100, ERR_CONFLICT},
	    {5, 5, 2, 100, ERR_CONFLICT}, /* another root */
	    {5, 5, 1, 101, ERR_NONE},	  /* a newer time */
	    {5, 9, 1, 101, ERR_NONE},
	    {5, 9, 1, 101, ERR_CONFLICT}, /* who comes second */
	    {9, INT64_MAX, 1, INT64_MAX, ERR_NONE},
	};
	struct witness_store *s = open_store(false);
	uint64_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		enum error_code code = swap(s, steps[i].old, 1, steps[i].size,
		    steps[i].tree, steps[i].time);

		if (code != steps[i].code)
			fail_msg("step %zu: %s", i, error_code_name(code));
		n += code == ERR_NONE;
		assert_int_equal(commits(s), n);
		if (code == ERR_NONE)
			has(s, 1, steps[i].size, steps[i].tree, steps[i].time);
	}
	witness_store_close(s);
	s = open_store(false);
	has(s, 1, INT64_MAX, 1, INT64_MAX);
	assert_int_equal(commits(s), n);
	witness_store_close(s);
}

static void
test_empty_head(void **state)
{
	struct witness_store *s = open_store(false);

	(void)state;
	assert_int_equal(swap(s, 0, 1, 0, 1, 5), ERR_NONE);
	assert_int_equal(swap(s, 0, 1, 0, 1, 6), ERR_NONE);
	assert_int_equal(swap(s, 0, 1, 3, 1, 6), ERR_NONE);
	assert_int_equal(swap(s, 0, 1, 3, 1, 6), ERR_CONFLICT);
	witness_store_close(s);
}

static void
test_next(void **state)
{
	struct witness_store *s = open_store(false);
	struct hash after;
	unsigned n = 0;
	bool found = true;

	(void)state;
	for (unsigned i = 20; i > 0; i--)
		assert_int_equal(swap(s, 0, i, i, 1, 5), ERR_NONE);
	while (found) {
		AUTO(witness_head) h = {0};
		struct error err = {0};

		need(witness_store_next(s, n ? &after : NULL, &h, &found, &err),
		    &err);
		after = h.log;
		if (found)
			assert_int_equal(h.size, ++n);
	}
	assert_int_equal(n, 20);
	witness_store_close(s);
}

static void
test_forks(void **state)
{
	struct witness_store *s = open_store(false);
	AUTO(witness_head) ours = {0};
	struct error err = {0};
	struct hash other = {{77}};
	uint64_t n = 0;

	(void)state;
	head_of(&ours, 1, 5, 1, 100);
	need(witness_store_swap(s, 0, &ours, &err), &err);
	for (unsigned i = 0; i < WITNESS_FORKS_MAX + 5; i++) {
		other.b[1] = (uint8_t)i;
		for (int again = 0; again < 2; again++)
			need(witness_store_fork(s, &ours, &other,
				 BYTES_LIT("theirs"), 7, &err),
			    &err);
	}
	need(witness_store_forks(s, &ours.log, &n, &err), &err);
	assert_int_equal(n, WITNESS_FORKS_MAX);
	need(witness_store_forks(s, &other, &n, &err), &err);
	assert_int_equal(n, 0);
	witness_store_close(s);
	/* And they come out again, beside a writer, in the order of the roots. */
	s = open_store(true);
	other.b[1] = 0;
	for (n = 0;; n++) {
		AUTO(witness_fork) f = {0};
		bool found = false;

		need(witness_store_fork_next(
			 s, &ours.log, n > 0 ? &other : NULL, &f, &found, &err),
		    &err);
		if (!found)
			break;
		assert_int_equal(f.root.b[1], n);
		assert_int_equal(f.time, 7);
		assert_true(
		    bytes_equal(buf_bytes(&f.note), BYTES_LIT("theirs")));
		assert_true(
		    bytes_equal(buf_bytes(&f.ours), buf_bytes(&ours.note)));
		other = f.root;
	}
	assert_int_equal(n, WITNESS_FORKS_MAX);
	witness_store_close(s);
}

/* Many commits: the write-ahead log is settled on the way. */
static void
test_many(void **state)
{
	struct witness_store *s = open_store(false);
	struct stat st;

	(void)state;
	for (uint64_t i = 0; i < 400; i++)
		assert_int_equal(swap(s, i, 1, i + 1, 1, 5), ERR_NONE);
	has(s, 1, 400, 1, 5);
	assert_int_equal(stat(folder_at("witness.db-wal"), &st), 0);
	assert_true(st.st_size < 4 << 20);
	witness_store_close(s);
}

/* Readers see what is committed, and cannot write. */
static void
test_reader(void **state)
{
	struct witness_store *w = open_store(false), *r = open_store(true);

	(void)state;
	assert_int_equal(swap(w, 0, 1, 5, 1, 100), ERR_NONE);
	has(r, 1, 5, 1, 100);
	assert_int_equal(swap(r, 5, 1, 9, 1, 100), ERR_IO);
	has(w, 1, 5, 1, 100);
	witness_store_close(w);
	witness_store_close(r);
	r = open_store(true);
	has(r, 1, 5, 1, 100);
	witness_store_close(r);
}

static void
test_files(void **state)
{
	static const char *const damage[] = {"", "not a database at all"};
	struct error err = {0};

	(void)state;
	assert_false(witness_store_create(folder_path, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		err = (struct error){0};
		(void)unlink(folder_at("witness.db-wal"));
		folder_put("witness.db", damage[i], strlen(damage[i]));
		assert_null(witness_store_open(folder_path, false, &err));
		assert_string_equal(error_reason_name(&err), "store-corrupt");
	}
	assert_int_equal(unlink(folder_at("witness.db")), 0);
	err = (struct error){0};
	assert_null(witness_store_open(folder_path, false, &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    TEST(test_swap),
	    TEST(test_empty_head),
	    TEST(test_next),
	    TEST(test_forks),
	    TEST(test_many),
	    TEST(test_reader),
	    TEST(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
