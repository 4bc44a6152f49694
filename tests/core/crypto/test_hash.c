/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/base/encoding.h"
#include "core/crypto/hash.h"

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

/* FIPS 180-4's examples, of NIST's example values. */
static const struct {
	enum digest_algorithm alg;
	const char *message;
	const char *hex;
} known[] = {
    {DIGEST_SHA256, "",
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {DIGEST_SHA256, "abc",
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {DIGEST_SHA384, "abc",
	"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	"8086072ba1e7cc2358baeca134c825a7"},
    {DIGEST_SHA512, "abc",
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {DIGEST_SHA512, "",
	"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
	"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static void
test_digests(void **state)
{
	(void)state;
	assert_int_equal(digest_len(DIGEST_SHA256), 32);
	assert_int_equal(digest_len(DIGEST_SHA384), 48);
	assert_int_equal(digest_len(DIGEST_SHA512), 64);
	for (size_t i = 0; i < KNOWN; i++) {
		uint8_t got[DIGEST_MAX_LEN], want[DIGEST_MAX_LEN];
		size_t n = digest_len(known[i].alg);
		struct error err = {0};

		assert_true(hex_decode(bytes_str(known[i].hex), want, n));
		assert_true(digest_compute(
		    known[i].alg, bytes_str(known[i].message), got, &err));
		assert_memory_equal(got, want, n);
	}
}

static void
test_sha256(void **state)
{
	struct error err = {0};
	struct hasher h;

	(void)state;
	assert_true(hasher_open(&h, &err));
	for (size_t i = 0; i < KNOWN; i++) {
		struct bytes in = bytes_str(known[i].message);
		struct hash got, want;

		if (known[i].alg != DIGEST_SHA256)
			continue;
		assert_true(
		    hex_decode(bytes_str(known[i].hex), want.b, HASH_LEN));
		sha256(&h, in, &got);
		assert_true(hash_equal(&got, &want));
		for (size_t cut = 0; cut <= in.len; cut++) {
			sha256_two(&h, bytes_slice(in, 0, cut),
			    bytes_slice(in, cut, in.len), &got);
			assert_true(hash_equal(&got, &want));
		}
		want.b[HASH_LEN - 1] ^= 1;
		assert_false(hash_equal(&got, &want));
	}
	assert_true(hasher_ok(&h, &err));
	hasher_release(&h);
	hasher_release(&h);
}

/* A hasher that fails stays failed, and what it gives equals no hash. */
static void
test_failed_latches(void **state)
{
	static const struct hash zero;
	struct error err = {0};
	struct hasher h;
	struct hash out;
	EVP_MD *md;

	(void)state;
	assert_true(hasher_open(&h, &err));
	md = h.md;
	h.md = NULL; /* a context without a digest cannot start */
	memset(&out, 0xff, sizeof(out));
	sha256(&h, BYTES_LIT("abc"), &out);
	assert_true(hash_equal(&out, &zero));
	h.md = md;
	sha256(&h, BYTES_LIT("abc"), &out);
	assert_false(hasher_ok(&h, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	hasher_release(&h);
}

static void
test_failing_allocations(void **state)
{
	bool used = true;

	(void)state;
	for (long n = 0; used; n++) {
		uint8_t out[DIGEST_MAX_LEN];
		struct error err = {0};
		struct hasher h;
		bool ok, computed;

		allocations = 0;
		failing = n;
		ok = hasher_open(&h, &err);
		assert_int_equal(ok, err.code == ERR_NONE);
		assert_true(ok || ERR_peek_error() == 0);
		err = (struct error){0};
		computed =
		    digest_compute(DIGEST_SHA512, BYTES_LIT("abc"), out, &err);
		assert_int_equal(computed, err.code == ERR_NONE);
		assert_true(computed || ERR_peek_error() == 0);
		ERR_clear_error();
		used = allocations > n;
		failing = -1;
		if (ok)
			hasher_release(&h);
		assert_true(n < 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_digests),
	    cmocka_unit_test(test_sha256),
	    cmocka_unit_test(test_failed_latches),
	    cmocka_unit_test(test_failing_allocations),
	};

	if (!CRYPTO_set_mem_functions(
		counted_malloc, plain_realloc, plain_free))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
