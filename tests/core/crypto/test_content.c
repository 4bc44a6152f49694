/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/base/cleanup.h"
#include "core/crypto/blake3.h"
#include "core/crypto/blake3_lanes.h"
#include "core/crypto/content.h"
#include "tests/support/vector_file.h"

#define INPUT_MAX   3000001
#define VECTORS_MAX 20000

/* OpenSSL's allocations are counted, and one of them may be made to fail. */
static long allocations;
static long failing = -1;

static void *
counted_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return allocations++ == failing ? NULL : malloc(n);
}

static void *
plain_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return realloc(p, n);
}

static void
plain_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* The input of the published BLAKE3 vectors: byte i is i modulo 251. */
static const uint8_t *
input(void)
{
	static uint8_t bytes[INPUT_MAX];

	if (bytes[1] == 0)
		for (size_t i = 0; i < INPUT_MAX; i++)
			bytes[i] = (uint8_t)(i % 251);
	return bytes;
}

/* Hashes the first `len` bytes of the input, `step` bytes at a time. */
static void
hash_input(struct content_hasher *h, size_t len, size_t step, struct bytes want)
{
	struct error err = {0};
	uint8_t got[CONTENT_DIGEST_MAX];

	content_begin(h);
	for (size_t at = 0; at < len; at += step)
		content_put(h,
		    bytes_of(input() + at, len - at < step ? len - at : step));
	assert_true(content_end(h, got, &err));
	assert_memory_equal(got, want.ptr, want.len);
}

static void
check_line(struct reader *line, struct content_hasher **hashers)
{
	static const size_t steps[] = {INPUT_MAX, 1, 63, 64, 1000, 1024, 1025,
	    2048, 4096, 16384, 16385, 65536, 65537, 100000};
	enum content_algorithm algorithm;
	struct bytes name;
	uint64_t len;
	uint8_t want[CONTENT_DIGEST_MAX];
	size_t n;

	assert_true(vector_word(line, &name));
	assert_true(content_algorithm_find(name, &algorithm));
	n = content_digest_len(algorithm);
	assert_true(vector_number(line, &len));
	assert_true(hex_decode(line->rest, want, n));
	assert_true(len <= INPUT_MAX);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (len / steps[i] < 200000)
			hash_input(hashers[algorithm], (size_t)len, steps[i],
			    bytes_of(want, n));
}

/* Every vector, whole and in pieces, by one hasher each. */
static void
test_vectors(void **state)
{
	char path[VECTOR_PATH_MAX];
	AUTO(buf) text = BUF_INIT(VECTORS_MAX);
	struct content_hasher *hashers[CONTENT_BLAKE3 + 1] = {0};
	struct error err = {0};
	struct reader lines;
	struct bytes line;
	size_t count = 0;

	(void)state;
	for (size_t i = CONTENT_SHA256; i <= CONTENT_BLAKE3; i++) {
		hashers[i] =
		    content_hasher_open((enum content_algorithm)i, &err);
		assert_non_null(hashers[i]);
	}
	assert_true(vector_read(vector_own(path, "content/hashes"), &text));
	reader_init(&lines, buf_bytes(&text));
	for (; reader_line(&lines, &line); count++)
		check_line(&(struct reader){line}, hashers);
	assert_true(reader_done(&lines));
	assert_int_equal(count, 115);
	for (size_t i = CONTENT_SHA256; i <= CONTENT_BLAKE3; i++)
		content_hasher_close(hashers[i]);
}

static void
test_names(void **state)
{
	static const char *const others[] = {"", "sha", "SHA256", "sha256 ",
	    "sha-256", "sha2560", "sha384", "blake2", "blake2b-512",
	    "blake3\n"};
	enum content_algorithm found;

	(void)state;
	assert_int_equal(content_digest_len(CONTENT_SHA256), 32);
	assert_int_equal(content_digest_len(CONTENT_BLAKE2B), 64);
	assert_int_equal(content_digest_len(CONTENT_BLAKE3), 32);
	assert_string_equal(content_algorithm_name(CONTENT_SHA256), "sha256");
	assert_string_equal(content_algorithm_name(CONTENT_BLAKE2B), "blake2b");
	assert_string_equal(content_algorithm_name(CONTENT_BLAKE3), "blake3");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(
		    content_algorithm_find(bytes_str(others[i]), &found));
	content_hasher_close(NULL);
}

/* Begun anew, also half-way, a hasher remembers nothing, and a small file costs
 * no look-up of the algorithm: one allocation, which is OpenSSL 3.0's. */
static void
test_many_files(void **state)
{
	(void)state;
	for (size_t i = CONTENT_SHA256; i <= CONTENT_BLAKE3; i++) {
		struct error err = {0};
		struct content_hasher *h =
		    content_hasher_open((enum content_algorithm)i, &err);
		uint8_t first[CONTENT_DIGEST_MAX], then[CONTENT_DIGEST_MAX];
		size_t n = content_digest_len((enum content_algorithm)i);
		long before;

		assert_non_null(h);
		content_put(h, BYTES_LIT("a file"));
		assert_true(content_end(h, first, &err));
		before = allocations;
		for (size_t k = 0; k < 1000; k++) {
			content_begin(h);
			content_put(h, bytes_of(input(), 3000));
			content_begin(h);
			content_put(h, (struct bytes){0});
			content_put(h, BYTES_LIT("a file"));
			assert_true(content_end(h, then, &err));
			assert_memory_equal(first, then, n);
		}
		assert_true(allocations - before <= 2000);
		content_hasher_close(h);
	}
}

/* Every length up to several subtrees: in one piece as byte by byte. */
static void
test_blake3_lengths(void **state)
{
	struct blake3 slow;

	(void)state;
	blake3_init(&slow);
	for (size_t n = 0; n < 140000; n++) {
		uint8_t want[BLAKE3_LEN], got[BLAKE3_LEN];
		struct blake3 fast;

		/* Each around the ends of chunks, few of the others. */
		if (n % 1024 < 2 || n % 1024 == 1023 || n % 997 == 0) {
			blake3_end(&slow, want);
			blake3_init(&fast);
			blake3_put(&fast, bytes_of(input(), n));
			blake3_end(&fast, got);
			assert_memory_equal(got, want, BLAKE3_LEN);
		}
		blake3_put(&slow, bytes_of(input() + n, 1));
	}
}

/* However many lanes hash neighbouring chunks, beyond the 2^32nd too, each
 * gets what it gets from the next narrower ones. */
static void
test_blake3_lanes(void **state)
{
	static const uint64_t counters[] = {
	    0, 16, 0xfffffff0, 1ull << 32, 3ull << 32, (1ull << 54) - 16};
	const struct blake3_lanes *l = blake3_lanes_list();

	(void)state;
	assert_true(l->lanes > 0);
	for (; l[1].lanes > 0; l++)
		for (size_t i = 0; i < sizeof(counters) / sizeof(*counters);
		     i++) {
			uint8_t wide[16 * BLAKE3_LEN], parts[16 * BLAKE3_LEN];
			struct blake3_inputs in = {.ptr = input(),
			    .blocks = 16,
			    .counter = counters[i],
			    .counted = true,
			    .first = BLAKE3_CHUNK_START,
			    .last = BLAKE3_CHUNK_END};

			l->hash(&in, wide);
			for (size_t at = 0; at < l->lanes; at += l[1].lanes) {
				l[1].hash(&in, parts + at * BLAKE3_LEN);
				in.ptr += l[1].lanes * BLAKE3_CHUNK_LEN;
				in.counter += l[1].lanes;
			}
			assert_memory_equal(wide, parts, l->lanes * BLAKE3_LEN);
			in.counter = counters[i] ^ 1ull << 33;
			in.ptr = input();
			l->hash(&in, parts);
			assert_memory_not_equal(wide, parts, BLAKE3_LEN);
		}
}

static void
test_failing_allocations(void **state)
{
	bool used = true;

	(void)state;
	for (long n = 0; used; n++) {
		struct error err = {0};
		struct content_hasher *h;
		uint8_t out[CONTENT_DIGEST_MAX];
		bool ok;

		allocations = 0;
		failing = n;
		h = content_hasher_open(CONTENT_BLAKE2B, &err);
		ok = h != NULL;
		if (h) {
			content_put(h, BYTES_LIT("abc"));
			ok = content_end(h, out, &err);
		}
		used = allocations > n;
		failing = -1;
		assert_int_equal(ok, err.code == ERR_NONE);
		if (!ok)
			assert_int_equal(ERR_peek_error(), 0);
		if (h) {
			/* Once failed is not for ever. */
			err = (struct error){0};
			content_begin(h);
			content_put(h, BYTES_LIT("abc"));
			assert_true(content_end(h, out, &err));
		}
		ERR_clear_error();
		content_hasher_close(h);
		assert_true(n < 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_many_files),
	    cmocka_unit_test(test_blake3_lengths),
	    cmocka_unit_test(test_blake3_lanes),
	    cmocka_unit_test(test_failing_allocations),
	};

	if (!CRYPTO_set_mem_functions(
		counted_malloc, plain_realloc, plain_free))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
