/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>

#include "core/crypto/ed25519ph.h"
#include "core/crypto/key.h"
#include "tests/support/key_vectors.h"

/* RFC 8032 section 7.3, "abc". */
static const char rfc_key[] =
    "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf";
static const char rfc_signature[] =
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";

struct signed_digest {
	uint8_t key[ED25519_KEY_LEN];
	uint8_t digest[ED25519PH_DIGEST_LEN];
	uint8_t signature[ED25519_SIGNATURE_LEN];
};

static void
rfc_case(struct signed_digest *s)
{
	struct error err = {0};

	assert_true(hex_decode(bytes_str(rfc_key), s->key, sizeof(s->key)));
	assert_true(hex_decode(
	    bytes_str(rfc_signature), s->signature, sizeof(s->signature)));
	assert_true(
	    digest_compute(DIGEST_SHA512, BYTES_LIT("abc"), s->digest, &err));
}

static bool
verifies(const struct signed_digest *s)
{
	return ed25519ph_verify(
	    BYTES_OF(s->key), BYTES_OF(s->digest), BYTES_OF(s->signature));
}

static void
test_rfc(void **state)
{
	struct signed_digest s;

	(void)state;
	rfc_case(&s);
	assert_true(verifies(&s));
}

static void
test_every_bit(void **state)
{
	struct signed_digest s;
	uint8_t *all = s.key;

	(void)state;
	rfc_case(&s);
	_Static_assert(sizeof(s) == 160, "the parts have no gaps");
	for (size_t bit = 0; bit < 8 * sizeof(s); bit++) {
		all[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(verifies(&s));
		all[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(verifies(&s));
}

static void
test_lengths(void **state)
{
	struct signed_digest s;

	(void)state;
	rfc_case(&s);
	for (size_t cut = 1; cut <= 32; cut++) {
		assert_false(ed25519ph_verify(bytes_of(s.key, 32 - cut),
		    BYTES_OF(s.digest), BYTES_OF(s.signature)));
		assert_false(ed25519ph_verify(BYTES_OF(s.key),
		    bytes_of(s.digest, 64 - cut), BYTES_OF(s.signature)));
		assert_false(ed25519ph_verify(BYTES_OF(s.key),
		    BYTES_OF(s.digest), bytes_of(s.signature, 64 - cut)));
	}
	assert_false(ed25519ph_verify(
	    (struct bytes){0}, (struct bytes){0}, (struct bytes){0}));
}

/* RFC 8032 section 7.3: the seed of that key leads to that signature. */
static void
test_rfc_signature(void **state)
{
	static const char rfc_seed[] = "833fe62409237b9d62ec77587520911e"
				       "9a759cec1d19755b7da901b96dca3d42";
	uint8_t seed[ED25519_SEED_LEN], signature[ED25519_SIGNATURE_LEN];
	struct signed_digest s;

	(void)state;
	rfc_case(&s);
	assert_true(hex_decode(bytes_str(rfc_seed), seed, sizeof(seed)));
	assert_true(ed25519ph_sign(seed, s.digest, signature));
	assert_memory_equal(signature, s.signature, sizeof(signature));
}

/* libsodium's Ed25519ph, which wants the message, agrees. */
static void
test_against_libsodium(void **state)
{
	uint8_t message[200], secret[crypto_sign_SECRETKEYBYTES];
	struct error err = {0};

	(void)state;
	for (size_t n = 0; n < sizeof(message); n++) {
		uint8_t seed[crypto_sign_SEEDBYTES] = {(uint8_t)n, 7};
		crypto_sign_ed25519ph_state signing;
		struct signed_digest s;
		uint8_t ours[ED25519_SIGNATURE_LEN];

		message[n] = (uint8_t)(n * 31);
		assert_int_equal(
		    crypto_sign_seed_keypair(s.key, secret, seed), 0);
		crypto_sign_ed25519ph_init(&signing);
		crypto_sign_ed25519ph_update(&signing, message, n);
		crypto_sign_ed25519ph_final_create(
		    &signing, s.signature, NULL, secret);
		assert_true(digest_compute(
		    DIGEST_SHA512, bytes_of(message, n), s.digest, &err));
		assert_true(verifies(&s));
		assert_true(ed25519ph_sign(seed, s.digest, ours));
		assert_memory_equal(ours, s.signature, sizeof(ours));
		/* Pure Ed25519 over the same bytes is another thing. */
		crypto_sign_detached(
		    s.signature, NULL, s.digest, sizeof(s.digest), secret);
		assert_false(verifies(&s));
	}
}

/* The made vectors: small order, mixed order, S + L, other encodings. */
static size_t visited;

static void
check_row(const struct key_row *row)
{
	bool want = bytes_equal(row->text[2], BYTES_LIT("ok"));
	struct bytes spki = buf_bytes(&row->value[3]);

	if (!bytes_starts(row->text[0], BYTES_LIT("ed25519ph-")))
		return;
	assert_int_equal(spki.len, 44);
	if (ed25519ph_verify(bytes_slice(spki, 12, 44),
		buf_bytes(&row->value[4]), buf_bytes(&row->value[5])) != want)
		fail_msg("%.*s", (int)row->text[0].len,
		    (const char *)row->text[0].ptr);
	visited++;
}

static void
test_made(void **state)
{
	(void)state;
	assert_int_not_equal(key_rows_each("verify.txt", 3, 6, check_row), 0);
	assert_true(visited > 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rfc),
	    cmocka_unit_test(test_rfc_signature),
	    cmocka_unit_test(test_every_bit),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_against_libsodium),
	    cmocka_unit_test(test_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
