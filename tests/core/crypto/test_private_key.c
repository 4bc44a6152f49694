/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/base/cleanup.h"
#include "core/crypto/key.h"
#include "core/crypto/private_key.h"
#include "core/crypto/signer.h"
#include "tests/support/vector_file.h"

#define PEM_MAX (2 * PRIVATE_KEY_MAX_LEN)

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
counted_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n == 0) {
		free(p);
		return NULL;
	}
	return allocations++ == failing ? NULL : realloc(p, n);
}

static void
counted_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static void
load(const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[64];

	(void)snprintf(inside, sizeof(inside), "key/private/%s.pem", name);
	assert_true(vector_read(vector_own(path, inside), out));
}

/* Signs a digest by a signer of the key; no other digest gets a signature. */
static void
check_signer(struct private_key *key, struct key_verifier *v)
{
	enum digest_algorithm alg =
	    key_digest_algorithm(private_key_algorithm(key));
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	AUTO(buf) none = BUF_INIT(10);
	AUTO(signer) signer = {0};
	struct public_key public;
	uint8_t digest[DIGEST_MAX_LEN];
	struct bytes right = bytes_of(digest, digest_len(alg));
	struct error err = {0};

	assert_true(digest_compute(alg, BYTES_LIT("message"), digest, &err));
	assert_true(signer_of_key(key, &signer, &err));
	assert_int_equal(signer.algorithm, private_key_algorithm(key));
	assert_true(public_key_parse(buf_bytes(&signer.spki), &public, &err));
	assert_true(signer.sign(signer.arg, alg, right, &signature, &err));
	assert_true(key_verify_digest(
	    v, &public, alg, right, buf_bytes(&signature), &err));
	assert_false(signer.sign(signer.arg, alg, right, &none, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	buf_clear(&signature);
	for (size_t i = DIGEST_SHA256; i <= DIGEST_SHA512; i++) {
		enum digest_algorithm other = (enum digest_algorithm)i;

		err = (struct error){0};
		assert_false(signer.sign(signer.arg, other,
		    bytes_of(digest, digest_len(other) - (other == alg)),
		    &signature, &err));
		assert_int_equal(err.code, ERR_USAGE);
	}
	assert_int_equal(signature.len, 0);
}

/* A signature by `key` verifies under its public half, and only as it is. */
static void
check_works(struct private_key *key)
{
	struct bytes message = BYTES_LIT("to be signed");
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	struct error err = {0};
	struct key_verifier *v = key_verifier_open(&err);
	struct public_key public;

	assert_non_null(v);
	assert_true(private_key_public(key, &spki, &err));
	assert_true(public_key_parse(buf_bytes(&spki), &public, &err));
	assert_int_equal(public.algorithm, private_key_algorithm(key));
	assert_true(private_key_sign(key, message, &signature, &err));
	assert_true(key_verify_message(
	    v, &public, message, buf_bytes(&signature), &err));
	assert_false(key_verify_message(v, &public, BYTES_LIT("to be singed"),
	    buf_bytes(&signature), &err));
	assert_int_equal(err.code, ERR_BADSIG);
	check_signer(key, v);
	key_verifier_close(v);
	assert_int_equal(ERR_peek_error(), 0);
}

static const struct {
	const char *name;
	const char *passphrase;
	enum key_algorithm algorithm; /* or 0 and */
	enum error_code code;
} cases[] = {
    {"ed25519", "", KEY_ED25519, ERR_NONE},
    {"ed25519", "not needed", KEY_ED25519, ERR_NONE},
    {"ed25519-pbkdf2", "secret", KEY_ED25519, ERR_NONE},
    {"p256-pkcs8", "", KEY_ECDSA_P256, ERR_NONE},
    {"p256-pkcs8-no-public", "", KEY_ECDSA_P256, ERR_NONE},
    {"p256-pkcs8-pbkdf2", "secret", KEY_ECDSA_P256, ERR_NONE},
    {"p256-sec1", "", KEY_ECDSA_P256, ERR_NONE},
    {"p256-sec1-encrypted", "secret", KEY_ECDSA_P256, ERR_NONE},
    {"p256-with-parameters", "", KEY_ECDSA_P256, ERR_NONE},
    {"ed25519-pbkdf2", "", 0, ERR_DENIED},
    {"ed25519-pbkdf2", "Secret", 0, ERR_DENIED},
    {"p256-pkcs8-pbkdf2", "", 0, ERR_DENIED},
    {"p256-pkcs8-pbkdf2", "secret ", 0, ERR_DENIED},
    {"p256-sec1-encrypted", "", 0, ERR_DENIED},
    {"p256-sec1-encrypted", "wrong", 0, ERR_DENIED},
    {"ed25519-short", "", 0, ERR_SYNTAX},
    {"p256-wrong-public", "", 0, ERR_SYNTAX},
    {"p256-zero", "", 0, ERR_SYNTAX},
    {"p256-order", "", 0, ERR_SYNTAX},
    {"p384", "", KEY_ECDSA_P384, ERR_NONE},
    {"p384-sec1", "", KEY_ECDSA_P384, ERR_NONE},
    {"p521-sec1", "", KEY_ECDSA_P521, ERR_NONE},
    {"rsa2048-pkcs1", "", KEY_RSA_2048, ERR_NONE},
    {"rsa2048-pkcs8", "", KEY_RSA_2048, ERR_NONE},
    {"rsa3072-pkcs1", "", KEY_RSA_3072, ERR_NONE},
    {"rsa3072-pkcs8", "", KEY_RSA_3072, ERR_NONE},
    {"rsa4096-pkcs1", "", KEY_RSA_4096, ERR_NONE},
    {"rsa4096-pkcs8", "", KEY_RSA_4096, ERR_NONE},
    {"rsa-e-3", "", KEY_RSA_2048, ERR_NONE},
    /* OpenSSL sees that its short way by p and q is wrong, takes the long one.
     */
    {"rsa-wrong-p", "", KEY_RSA_2048, ERR_NONE},
    {"p384-wrong-public", "", 0, ERR_SYNTAX},
    {"p521-wrong-public", "", 0, ERR_SYNTAX},
    {"p256-explicit", "", 0, ERR_SYNTAX},
    {"k256", "", 0, ERR_SYNTAX},
    {"rsa-e-long", "", 0, ERR_SYNTAX},
    {"rsa-wrong-d", "", 0, ERR_SYNTAX},
    {"rsa-1024", "", 0, ERR_SYNTAX},
    {"rsa-2056", "", 0, ERR_SYNTAX},
    {"rsa-pss", "", 0, ERR_SYNTAX},
    {"ed448", "", 0, ERR_SYNTAX},
    {"x25519", "", 0, ERR_SYNTAX},
    {"public", "", 0, ERR_SYNTAX},
    {"damaged", "", 0, ERR_SYNTAX},
};

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) pem = BUF_INIT(PEM_MAX);
		struct error err = {0};
		struct private_key *key;

		load(cases[i].name, &pem);
		key = private_key_parse(
		    buf_bytes(&pem), bytes_str(cases[i].passphrase), &err);
		if (err.code != cases[i].code)
			fail_msg("%s: %s (%s)", cases[i].name,
			    error_code_name(err.code), err.text);
		assert_int_equal(ERR_peek_error(), 0);
		assert_int_equal(key != NULL, cases[i].algorithm != 0);
		if (!key)
			continue;
		assert_int_equal(
		    private_key_algorithm(key), cases[i].algorithm);
		check_works(key);
		private_key_close(key);
	}
}

static void
test_not_pem(void **state)
{
	static const uint8_t big[PRIVATE_KEY_MAX_LEN + 1];
	static const struct {
		struct bytes pem;
		enum error_code code;
	} texts[] = {
	    {{0}, ERR_SYNTAX},
	    {BYTES_LIT("\n"), ERR_SYNTAX},
	    {BYTES_LIT("-----BEGIN PRIVATE KEY-----"), ERR_SYNTAX},
	    {BYTES_LIT("-----BEGIN PRIVATE KEY-----\n"
		       "-----END PRIVATE KEY-----\n"),
		ERR_SYNTAX},
	    {BYTES_OF(big), ERR_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct error err = {0};

		assert_null(
		    private_key_parse(texts[i].pem, (struct bytes){0}, &err));
		assert_int_equal(err.code, texts[i].code);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

/* RFC 8410's form of a key leads to the public half that RFC 8032 computes. */
static void
test_known_public(void **state)
{
	AUTO(buf) pem = BUF_INIT(PEM_MAX);
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) again = BUF_INIT(SPKI_MAX_LEN);
	struct error err = {0};
	struct private_key *key;
	struct public_key public;

	(void)state;
	load("ed25519", &pem);
	key = private_key_parse(buf_bytes(&pem), (struct bytes){0}, &err);
	assert_non_null(key);
	assert_true(private_key_public(key, &spki, &err));
	assert_true(public_key_parse(buf_bytes(&spki), &public, &err));
	ed25519_spki_put(&again, public.raw);
	assert_true(bytes_equal(buf_bytes(&spki), buf_bytes(&again)));
	private_key_close(key);
}

static void
check_round_trip(enum key_algorithm algorithm, struct bytes passphrase)
{
	AUTO(buf) pem = BUF_INIT(PEM_MAX);
	AUTO(buf) before = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) after = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) none = BUF_INIT(10);
	struct error err = {0};
	struct private_key *key = private_key_generate(algorithm, &err);
	struct private_key *back;

	assert_non_null(key);
	assert_int_equal(private_key_algorithm(key), algorithm);
	check_works(key);
	assert_true(private_key_format(key, passphrase, &pem, &err));
	assert_true(bytes_starts(buf_bytes(&pem),
	    passphrase.len
		? BYTES_LIT("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
		: BYTES_LIT("-----BEGIN PRIVATE KEY-----\n")));
	back = private_key_parse(buf_bytes(&pem), passphrase, &err);
	assert_non_null(back);
	assert_true(private_key_public(key, &before, &err));
	assert_true(private_key_public(back, &after, &err));
	assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	assert_int_equal(err.code, ERR_NONE);

	assert_false(private_key_format(key, passphrase, &none, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	if (passphrase.len > 0) {
		err = (struct error){0};
		assert_null(private_key_parse(
		    buf_bytes(&pem), (struct bytes){0}, &err));
		assert_int_equal(err.code, ERR_DENIED);
		assert_string_equal(
		    error_reason_name(&err), "passphrase-missing");
	}
	private_key_close(back);
	private_key_close(key);
}

static void
test_round_trip(void **state)
{
	static const uint8_t longest[PASSPHRASE_MAX_LEN] = {'a', 0xff, '\n'};

	(void)state;
	check_round_trip(KEY_ED25519, (struct bytes){0});
	check_round_trip(KEY_ED25519, BYTES_LIT("x"));
	check_round_trip(KEY_ECDSA_P256, (struct bytes){0});
	check_round_trip(KEY_ECDSA_P256, BYTES_OF(longest));
	check_round_trip(KEY_ECDSA_P384, BYTES_LIT("x"));
	check_round_trip(KEY_ECDSA_P521, (struct bytes){0});
	check_round_trip(KEY_RSA_2048, BYTES_LIT("x"));
	check_round_trip(KEY_RSA_3072, (struct bytes){0});
}

static void
test_refusals(void **state)
{
	static const uint8_t too_long[PASSPHRASE_MAX_LEN + 1];
	AUTO(buf) pem = BUF_INIT(PEM_MAX);
	struct error err = {0};
	struct private_key *key = private_key_generate(KEY_ED25519, &err);

	(void)state;
	assert_non_null(key);
	assert_false(private_key_format(key, BYTES_OF(too_long), &pem, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(pem.len, 0);
	private_key_close(key);
	private_key_close(NULL);
}

/* The kind of key that nobody takes is named, so that one knows what to do. */
static void
test_refusals_say_why(void **state)
{
	static const struct {
		const char *name;
		const char *said;
	} refused[] = {
	    {"rsa-1024", "1024 bits"},
	    {"rsa-2056", "2056 bits"},
	    {"k256", "elliptic curve"},
	    {"p256-explicit", "by name"},
	    {"ed448", "Ed25519"},
	    {"rsa-wrong-d", "does not belong to its public key"},
	    {"p256-wrong-public", "does not belong to its public key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		AUTO(buf) pem = BUF_INIT(PEM_MAX);
		struct error err = {0};

		load(refused[i].name, &pem);
		assert_null(private_key_parse(
		    buf_bytes(&pem), (struct bytes){0}, &err));
		if (!strstr(err.text, refused[i].said))
			fail_msg("%s: %s", refused[i].name, err.text);
	}
}

/* Everything a key is used for; false with `err` set wherever it fails. */
static bool
use(struct bytes pem, struct bytes passphrase, struct error *err)
{
	AUTO(buf) out = BUF_INIT(PEM_MAX);
	struct private_key *key = private_key_parse(pem, passphrase, err);
	static const uint8_t digest[DIGEST_MAX_LEN];
	enum digest_algorithm alg;
	bool ok;

	if (!key)
		return false;
	alg = key_digest_algorithm(private_key_algorithm(key));
	ok = private_key_public(key, &out, err) &&
	    private_key_sign(key, BYTES_LIT("message"), &out, err) &&
	    private_key_sign_digest(
		key, alg, bytes_of(digest, digest_len(alg)), &out, err) &&
	    private_key_format(key, (struct bytes){0}, &out, err);
	private_key_close(key);
	return ok;
}

static void
test_failing_allocations(void **state)
{
	static const char *const names[] = {
	    "ed25519", "p256-sec1", "rsa2048-pkcs8"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) pem = BUF_INIT(PEM_MAX);
		bool used = true;

		load(names[i], &pem);
		/* Every one at first, then ever fewer of the thousands. */
		for (long n = 0; used; n += 1 + n / 60) {
			struct error err = {0};
			bool ok;

			allocations = 0;
			failing = n;
			ok = use(buf_bytes(&pem), BYTES_LIT("secret"), &err);
			used = allocations > n;
			failing = -1;
			assert_int_equal(ok, err.code == ERR_NONE);
			assert_int_equal(ERR_peek_error(), 0);
			assert_true(n < 10000);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_not_pem),
	    cmocka_unit_test(test_known_public),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_refusals_say_why),
	    cmocka_unit_test(test_failing_allocations),
	};

	if (!CRYPTO_set_mem_functions(
		counted_malloc, counted_realloc, counted_free))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
