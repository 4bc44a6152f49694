/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/entries.h"
#include "tests/support/vector_file.h"

static struct hasher hasher;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	return hasher_open(&hasher, &err) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	hasher_release(&hasher);
	return 0;
}

static void
test_put_and_next(void **state)
{
	static uint8_t longest[ENTRY_MAX_LEN];
	const struct bytes entries[] = {
	    BYTES_LIT("one"),
	    {0},
	    BYTES_OF(longest),
	    BYTES_LIT("\0\0"),
	};
	AUTO(buf) bundle = BUF_INIT(1 << 20);
	struct error err = {0};
	struct reader r;
	struct bytes entry;

	(void)state;
	memset(longest, 0xa5, sizeof(longest));
	for (size_t i = 0; i < 4; i++)
		entries_put(&bundle, entries[i]);
	assert_true(buf_ok(&bundle, &err));
	assert_int_equal(bundle.len, 4 * 2 + 3 + ENTRY_MAX_LEN + 2);
	reader_init(&r, buf_bytes(&bundle));
	for (size_t i = 0; i < 4; i++) {
		assert_true(entries_next(&r, &entry, &err));
		assert_true(bytes_equal(entry, entries[i]));
	}
	assert_false(entries_next(&r, &entry, &err));
	assert_int_equal(err.code, ERR_NONE);
}

static void
test_put_is_big_endian(void **state)
{
	AUTO(buf) bundle = BUF_INIT(64);

	(void)state;
	entries_put(&bundle, BYTES_LIT("abc"));
	assert_true(bytes_equal(buf_bytes(&bundle), BYTES_LIT("\0\3abc")));
}

static void
test_put_too_long(void **state)
{
	static const uint8_t longer[ENTRY_MAX_LEN + 1];
	AUTO(buf) bundle = BUF_INIT(1 << 20);
	AUTO(buf) small = BUF_INIT(4);
	struct error err = {0};

	(void)state;
	entries_put(&bundle, BYTES_OF(longer));
	assert_false(buf_ok(&bundle, &err));
	assert_int_equal(bundle.len, 0);
	entries_put(&small, BYTES_LIT("abc"));
	assert_true(small.failed);
}

static void
test_next_refusals(void **state)
{
	static const struct {
		struct bytes in;
		size_t good;
	} cases[] = {
	    {{(const uint8_t *)"\0", 1}, 0},
	    {{(const uint8_t *)"\0\1", 2}, 0},
	    {{(const uint8_t *)"\0\2a", 3}, 0},
	    {{(const uint8_t *)"\xff\xff_", 3}, 0},
	    {{(const uint8_t *)"\0\1a\0", 4}, 1},
	    {{(const uint8_t *)"\0\0\0\0\1", 5}, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reader r = {cases[i].in};
		struct error err = {0};
		struct bytes entry = BYTES_LIT("untouched"), before;

		for (size_t n = 0; n < cases[i].good; n++)
			assert_true(entries_next(&r, &entry, &err));
		before = r.rest;
		assert_false(entries_next(&r, &entry, &err));
		assert_int_equal(err.code, ERR_SYNTAX);
		/* A failed call takes nothing. */
		assert_ptr_equal(r.rest.ptr, before.ptr);
		assert_int_equal(r.rest.len, before.len);
	}
}

static enum error_code
verdict_of(struct bytes word)
{
	for (int c = ERR_USAGE; c <= ERR_INTERNAL; c++)
		if (bytes_equal(
			word, bytes_str(error_code_name((enum error_code)c))))
			return (enum error_code)c;
	assert_true(bytes_equal(word, BYTES_LIT("ok")));
	return ERR_NONE;
}

static void
check_case(struct reader *words)
{
	AUTO(buf) bundle = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX], name[128];
	struct hash leaves[TILE_WIDTH];
	struct error err = {0};
	struct bytes word;
	enum error_code want;
	unsigned count = 0;
	bool ok;

	assert_true(vector_word(words, &word));
	(void)snprintf(name, sizeof(name), "entries/%.*s.bundle", (int)word.len,
	    (const char *)word.ptr);
	assert_true(vector_word(words, &word));
	want = verdict_of(word);
	while (count < TILE_WIDTH && vector_hash(words, &leaves[count]))
		count++;
	assert_true(reader_done(words));
	assert_true(vector_read(vector_own(path, name), &bundle));
	ok = entries_verify(&hasher, buf_bytes(&bundle), leaves, count, &err);
	if (ok != (want == ERR_NONE) || err.code != want)
		fail_msg(
		    "%s: %s %s", name, error_code_name(err.code), err.text);
}

static void
test_verify_vectors(void **state)
{
	AUTO(buf) file = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX];
	struct reader lines;
	struct bytes line;
	unsigned count = 0;

	(void)state;
	assert_true(vector_read(vector_own(path, "entries/cases.txt"), &file));
	reader_init(&lines, buf_bytes(&file));
	while (reader_line(&lines, &line)) {
		struct reader words = {line};

		check_case(&words);
		count++;
	}
	assert_true(count > 15);
}

/* The public log of 14 entries: bundle, tile, at every even size. */
static void
test_public_log(void **state)
{
	char path[VECTOR_PATH_MAX], name[64];

	(void)state;
	for (unsigned n = 2; n <= 14; n += 2) {
		AUTO(buf) bundle = BUF_INIT(1 << 16);
		AUTO(buf) tile = BUF_INIT(1 << 16);
		struct hash leaves[TILE_WIDTH];
		struct error err = {0};

		(void)snprintf(
		    name, sizeof(name), "tessera-log/tile/entries/000.p/%u", n);
		if (!vector_read(vector_public(path, name), &bundle))
			skip();
		(void)snprintf(
		    name, sizeof(name), "tessera-log/tile/0/000.p/%u", n);
		assert_true(vector_read(vector_public(path, name), &tile));
		assert_int_equal(tile.len, n * HASH_LEN);
		memcpy(leaves, tile.ptr, tile.len);
		assert_true(entries_verify(
		    &hasher, buf_bytes(&bundle), leaves, n, &err));
		assert_false(entries_verify(
		    &hasher, buf_bytes(&bundle), leaves, n - 1, &err));
		assert_int_equal(err.code, ERR_SYNTAX);
		err = (struct error){0};
		leaves[n - 1].b[31] ^= 1;
		assert_false(entries_verify(
		    &hasher, buf_bytes(&bundle), leaves, n, &err));
		assert_int_equal(err.code, ERR_BADSIG);
	}
}

/* A hasher that failed answers with zeros: those must match nothing. */
static void
test_hasher_failure(void **state)
{
	struct hasher broken = hasher;
	struct hash zero = {{0}};
	struct error err = {0};

	(void)state;
	broken.failed = true;
	assert_false(
	    entries_verify(&broken, BYTES_LIT("\0\1a"), &zero, 1, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_put_and_next),
	    cmocka_unit_test(test_put_is_big_endian),
	    cmocka_unit_test(test_put_too_long),
	    cmocka_unit_test(test_next_refusals),
	    cmocka_unit_test(test_verify_vectors),
	    cmocka_unit_test(test_public_log),
	    cmocka_unit_test(test_hasher_failure),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
