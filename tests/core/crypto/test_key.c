/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/crypto/key.h"
#include "tests/support/key_vectors.h"

static struct key_verifier *verifier;

/* OpenSSL's allocations are counted, and one of them may be made to fail. */
static long allocations;
static long failing = -1;

static bool
must_fail(void)
{
	return allocations++ == failing;
}

static void *
counted_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return must_fail() ? NULL : malloc(n);
}

static void *
counted_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n == 0) {
		free(p);
		return NULL;
	}
	return must_fail() ? NULL : realloc(p, n);
}

static void
counted_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	verifier = key_verifier_open(&err);
	return verifier ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	key_verifier_close(verifier);
	return 0;
}

static const struct {
	const char *name;
	enum key_algorithm algorithm;
	enum digest_algorithm digest;
	const char *title;
} algorithms[] = {
    {"p256", KEY_ECDSA_P256, DIGEST_SHA256, "ECDSA P-256"},
    {"p384", KEY_ECDSA_P384, DIGEST_SHA384, "ECDSA P-384"},
    {"p521", KEY_ECDSA_P521, DIGEST_SHA512, "ECDSA P-521"},
    {"rsa2048", KEY_RSA_2048, DIGEST_SHA256, "RSA 2048"},
    {"rsa3072", KEY_RSA_3072, DIGEST_SHA256, "RSA 3072"},
    {"rsa4096", KEY_RSA_4096, DIGEST_SHA256, "RSA 4096"},
    {"ed25519", KEY_ED25519, DIGEST_SHA512, "Ed25519"},
};

#define ALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static enum key_algorithm
algorithm_named(struct bytes name)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (bytes_equal(name, bytes_str(algorithms[i].name)))
			return algorithms[i].algorithm;
	return 0;
}

/* Compares an outcome with the word of the vector: "ok", or an error class. */
static void
check_verdict(
    struct bytes name, struct bytes verdict, bool ok, const struct error *err)
{
	const char *got = ok ? "ok" : error_code_name(err->code);

	if (!bytes_equal(verdict, bytes_str(got)))
		fail_msg("%.*s: got %s (%s)", (int)name.len,
		    (const char *)name.ptr, got, err->text);
	assert_int_equal(ok, err->code == ERR_NONE);
	assert_int_equal(ERR_peek_error(), 0);
}

static bool
parse_exact(bool (*parse)(struct bytes, struct public_key *, struct error *),
    struct bytes der, struct public_key *out, struct error *err)
{
	/* A copy without slack, so that a read past the end is seen. */
	uint8_t *copy = malloc(der.len ? der.len : 1);
	struct public_key key = {0};
	bool ok;

	assert_non_null(copy);
	memcpy(copy, der.ptr ? der.ptr : copy, der.len);
	ok = parse(bytes_of(copy, der.len), &key, err);
	free(copy);
	if (!ok)
		return false;
	assert_true(parse(der, out, err));
	return true;
}

static void
check_key(const struct key_row *row, bool is_certificate)
{
	struct bytes der = buf_bytes(&row->value[2]);
	struct public_key key = {0};
	struct error err = {0};
	enum key_algorithm want = algorithm_named(row->text[1]);
	bool ok = parse_exact(
	    is_certificate ? certificate_key_parse : public_key_parse, der,
	    &key, &err);

	if (!want) {
		check_verdict(row->text[0], row->text[1], ok, &err);
		assert_int_equal(key.algorithm, 0); /* left alone */
		return;
	}
	check_verdict(row->text[0], BYTES_LIT("ok"), ok, &err);
	assert_int_equal(key.algorithm, want);
	if (!is_certificate)
		assert_true(bytes_equal(key.spki, der));
	assert_true(key.spki.ptr >= der.ptr);
	assert_true(key.raw.ptr > key.spki.ptr);
	assert_true(key.raw.ptr + key.raw.len <= key.spki.ptr + key.spki.len);
	assert_int_equal(key.rsa_exponent != 0,
	    want == KEY_RSA_2048 || want == KEY_RSA_3072 ||
		want == KEY_RSA_4096);
}

static void
check_spki_row(const struct key_row *row)
{
	check_key(row, false);
}

static void
check_certificate_row(const struct key_row *row)
{
	check_key(row, true);
}

static void
test_spki(void **state)
{
	(void)state;
	assert_int_equal(key_rows_each("spki.txt", 2, 3, check_spki_row), 90);
}

static void
test_certificate(void **state)
{
	(void)state;
	assert_int_equal(
	    key_rows_each("certificate.txt", 2, 3, check_certificate_row), 29);
}

static bool
verify_row(const struct key_row *row, struct key_verifier *v, struct error *err)
{
	struct bytes data = buf_bytes(&row->value[4]);
	struct bytes signature = buf_bytes(&row->value[5]);
	struct public_key key;

	if (!public_key_parse(buf_bytes(&row->value[3]), &key, err))
		return false;
	if (bytes_equal(row->text[1], BYTES_LIT("message")))
		return key_verify_message(v, &key, data, signature, err);
	return key_verify_digest(
	    v, &key, key_digest_algorithm(key.algorithm), data, signature, err);
}

static void
check_verify_row(const struct key_row *row)
{
	struct error err = {0};
	bool ok = verify_row(row, verifier, &err);

	check_verdict(row->text[0], row->text[2], ok, &err);
}

static void
test_verify(void **state)
{
	(void)state;
	assert_int_equal(
	    key_rows_each("verify.txt", 3, 6, check_verify_row), 316);
}

/*
 * The verifier keeps one key object per curve. A key that is refused must not
 * leave the one before in its place: the signature of row "good" would verify.
 */
static struct buf good_key = BUF_INIT(SPKI_MAX_LEN);
static size_t stale_checks;

static void
check_not_stale(const struct key_row *row)
{
	struct error err = {0};
	struct public_key good;

	if (bytes_equal(row->text[0], BYTES_LIT("p256-good"))) {
		buf_put(&good_key, buf_bytes(&row->value[3]));
	} else if (bytes_starts(row->text[0], BYTES_LIT("p256-")) &&
	    bytes_equal(row->text[2], BYTES_LIT("syntax"))) {
		assert_true(
		    public_key_parse(buf_bytes(&good_key), &good, &err));
		assert_true(key_verify_digest(verifier, &good, DIGEST_SHA256,
		    buf_bytes(&row->value[4]), buf_bytes(&row->value[5]),
		    &err));
		check_verify_row(row);
		stale_checks++;
	}
}

static void
test_key_does_not_stay(void **state)
{
	(void)state;
	assert_int_equal(
	    key_rows_each("verify.txt", 3, 6, check_not_stale), 316);
	assert_int_equal(stale_checks, 3);
	buf_release(&good_key);
}

static void
test_wrong_digest(void **state)
{
	static const uint8_t zeros[DIGEST_MAX_LEN];

	(void)state;
	for (size_t i = 0; i < ALGORITHMS; i++) {
		struct public_key key = {.algorithm = algorithms[i].algorithm};

		for (size_t alg = DIGEST_SHA256; alg <= DIGEST_SHA512; alg++) {
			size_t n = digest_len((enum digest_algorithm)alg);
			struct error err = {0};

			if (alg == algorithms[i].digest)
				n--;
			assert_false(key_verify_digest(verifier, &key,
			    (enum digest_algorithm)alg, bytes_of(zeros, n),
			    (struct bytes){0}, &err));
			assert_int_equal(err.code, ERR_USAGE);
		}
	}
}

static void
test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ALGORITHMS; i++) {
		enum key_algorithm algorithm = algorithms[i].algorithm;

		assert_int_equal(
		    key_digest_algorithm(algorithm), algorithms[i].digest);
		assert_string_equal(
		    key_algorithm_name(algorithm), algorithms[i].title);
	}
}

static void
test_ed25519_spki(void **state)
{
	static const uint8_t raw[32] = {1, 2, 3};
	AUTO(buf) spki = BUF_INIT(100);
	AUTO(buf) bad = BUF_INIT(100);
	struct public_key key;
	struct error err = {0};

	(void)state;
	ed25519_spki_put(&spki, BYTES_OF(raw));
	assert_int_equal(spki.len, 44);
	assert_true(public_key_parse(buf_bytes(&spki), &key, &err));
	assert_int_equal(key.algorithm, KEY_ED25519);
	assert_true(bytes_equal(key.raw, BYTES_OF(raw)));
	ed25519_spki_put(&bad, bytes_of(raw, 31));
	assert_false(buf_ok(&bad, &err));
}

/*
 * With the n-th allocation of OpenSSL failing, for every n: the verdict is the
 * right one or ERR_INTERNAL, never "valid" and never "forged".
 */
static size_t injected;

static void
inject(const struct key_row *row)
{
	bool good = bytes_equal(row->text[2], BYTES_LIT("ok"));

	if (!good && !bytes_equal(row->text[2], BYTES_LIT("syntax")))
		return;
	for (long n = 0; n < 1000; n++) {
		struct error err = {0};
		bool ok, used;

		allocations = 0;
		failing = n;
		ok = verify_row(row, verifier, &err);
		used = allocations > n;
		failing = -1;
		if (ok || err.code != ERR_INTERNAL)
			check_verdict(row->text[0], row->text[2], ok, &err);
		assert_int_equal(ERR_peek_error(), 0);
		if (!used)
			return;
		injected++;
	}
	fail_msg("more allocations than expected");
}

static void
test_failing_verification(void **state)
{
	(void)state;
	assert_int_equal(key_rows_each("verify.txt", 3, 6, inject), 316);
	assert_true(injected > 100);
}

static void
test_failing_open(void **state)
{
	(void)state;
	for (long n = 0; n < 10000; n++) {
		struct error err = {0};
		struct key_verifier *v;
		bool used;

		allocations = 0;
		failing = n;
		v = key_verifier_open(&err);
		used = allocations > n;
		failing = -1;
		assert_int_equal(v == NULL, err.code == ERR_INTERNAL);
		key_verifier_close(v);
		if (!used)
			return;
	}
	fail_msg("more allocations than expected");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_spki),
	    cmocka_unit_test(test_certificate),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_key_does_not_stay),
	    cmocka_unit_test(test_wrong_digest),
	    cmocka_unit_test(test_tables),
	    cmocka_unit_test(test_ed25519_spki),
	    cmocka_unit_test(test_failing_verification),
	    cmocka_unit_test(test_failing_open),
	};

	if (!CRYPTO_set_mem_functions(
		counted_malloc, counted_realloc, counted_free))
		return 1;
	return cmocka_run_group_tests(tests, setup, teardown);
}
