/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/crypto/der.h"
#include "core/crypto/key_encode.h"

#define P521_LEN 66

/* A SubjectPublicKeyInfo taken apart and put together again is the same. */
static void
check_spki(enum key_algorithm algorithm)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) again = BUF_INIT(SPKI_MAX_LEN);
	struct error err = {0};
	struct private_key *key = private_key_generate(algorithm, &err);
	struct reader r, fields, identifier;
	struct public_key public;
	uint8_t modulus[1 + 512] = {0};

	assert_non_null(key);
	assert_true(private_key_public(key, &spki, &err));
	private_key_close(key);
	assert_true(public_key_parse(buf_bytes(&spki), &public, &err));
	if (public.rsa_exponent) {
		/* PKCS#11 numbers may begin with zeros. */
		memcpy(modulus + 1, public.raw.ptr, public.raw.len);
		spki_put_rsa(&again, bytes_of(modulus, public.raw.len + 1),
		    BYTES_LIT("\x00\x01\x00\x01"));
	} else {
		reader_init(&r, buf_bytes(&spki));
		assert_true(der_enter(&r, DER_SEQUENCE, &fields));
		assert_true(der_enter(&fields, DER_SEQUENCE, &identifier));
		assert_true(der_skip(&identifier, DER_OID));
		spki_put_ec(&again, identifier.rest, public.raw);
	}
	assert_true(buf_ok(&again, &err));
	assert_true(bytes_equal(buf_bytes(&spki), buf_bytes(&again)));
}

static void
test_spki(void **state)
{
	static const enum key_algorithm all[] = {KEY_ECDSA_P256, KEY_ECDSA_P384,
	    KEY_ECDSA_P521, KEY_RSA_2048, KEY_RSA_3072, KEY_RSA_4096};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		check_spki(all[i]);
}

static void
test_spki_too_long(void **state)
{
	static const uint8_t long_one[SPKI_MAX_LEN];
	uint8_t ones[SPKI_MAX_LEN];
	AUTO(buf) a = BUF_INIT(2 * SPKI_MAX_LEN);
	AUTO(buf) b = BUF_INIT(2 * SPKI_MAX_LEN);
	AUTO(buf) c = BUF_INIT(2 * SPKI_MAX_LEN);
	struct error err = {0};

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	spki_put_ec(&a, BYTES_LIT("\x06\x00"), BYTES_OF(long_one));
	assert_false(buf_ok(&a, &err));
	spki_put_ec(&b, BYTES_OF(long_one), BYTES_LIT("\x04"));
	assert_false(buf_ok(&b, &err));
	spki_put_rsa(&c, BYTES_OF(ones), BYTES_LIT("\x03"));
	assert_false(buf_ok(&c, &err));
}

/* Signatures r || s and what strict DER makes of them. First and
 * last byte of each half are given, the others are zero. */
static const struct {
	const char *name;
	enum key_algorithm algorithm;
	size_t half;
	uint8_t first_r, last_r, first_s, last_s;
	struct bytes der_head; /* or empty: refused */
	size_t der_len;
} signatures[] = {
    {"short r and s", KEY_ECDSA_P256, 32, 0, 1, 0, 2,
	BYTES_LIT("\x30\x06\x02\x01\x01\x02\x01\x02"), 8},
    {"one byte with its high bit", KEY_ECDSA_P256, 32, 0, 0x80, 0, 0xff,
	BYTES_LIT("\x30\x08\x02\x02\x00\x80\x02\x02\x00\xff"), 10},
    {"0x80 leads r and s", KEY_ECDSA_P256, 32, 0x80, 1, 0x80, 1,
	BYTES_LIT("\x30\x46\x02\x21\x00\x80"), 72},
    {"0x7f leads r, 0x80 s", KEY_ECDSA_P256, 32, 0x7f, 1, 0x80, 1,
	BYTES_LIT("\x30\x45\x02\x20\x7f"), 71},
    {"P-384, 0x80 leads both", KEY_ECDSA_P384, 48, 0x80, 1, 0xff, 1,
	BYTES_LIT("\x30\x66\x02\x31\x00\x80"), 104},
    {"P-521, longest", KEY_ECDSA_P521, 66, 1, 1, 1, 1,
	BYTES_LIT("\x30\x81\x88\x02\x42\x01"), 139},
    {"P-521, one zero in front", KEY_ECDSA_P521, 66, 0, 9, 0, 9,
	BYTES_LIT("\x30\x06\x02\x01\x09\x02\x01\x09"), 8},
    {"halves shorter than the order", KEY_ECDSA_P256, 1, 1, 1, 2, 2,
	BYTES_LIT("\x30\x06\x02\x01\x01\x02\x01\x02"), 8},
    {"r is zero", KEY_ECDSA_P256, 32, 0, 0, 0, 1, {0}, 0},
    {"s is zero", KEY_ECDSA_P256, 32, 0, 1, 0, 0, {0}, 0},
    {"both are zero", KEY_ECDSA_P521, 66, 0, 0, 0, 0, {0}, 0},
    {"nothing", KEY_ECDSA_P256, 0, 0, 0, 0, 0, {0}, 0},
    {"halves longer than the order", KEY_ECDSA_P256, 33, 0, 1, 0, 1, {0}, 0},
    {"P-384 with halves of P-521", KEY_ECDSA_P384, 66, 0, 1, 0, 1, {0}, 0},
    {"P-521, r above the order", KEY_ECDSA_P521, 66, 2, 1, 0, 1, {0}, 0},
    {"P-521, s all ones", KEY_ECDSA_P521, 66, 0, 1, 0xff, 0xff, {0}, 0},
    {"a key that is no ECDSA key", KEY_RSA_2048, 32, 0, 1, 0, 1, {0}, 0},
    {"Ed25519", KEY_ED25519, 32, 0, 1, 0, 1, {0}, 0},
};

static void
test_signatures(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]);
	     i++) {
		uint8_t raw[2 * P521_LEN] = {0};
		size_t half = signatures[i].half;
		AUTO(buf) der = BUF_INIT(SIGNATURE_MAX_LEN);
		struct error err = {0};
		bool ok;

		if (half > 0) {
			raw[half - 1] = signatures[i].last_r;
			raw[2 * half - 1] = signatures[i].last_s;
			if (half > 1) {
				raw[0] = signatures[i].first_r;
				raw[half] = signatures[i].first_s;
			}
		}
		ok = ecdsa_signature_put(signatures[i].algorithm,
		    bytes_of(raw, 2 * half), &der, &err);
		if (ok != (signatures[i].der_len > 0) ||
		    (!ok && err.code != ERR_SYNTAX))
			fail_msg("%s: %s", signatures[i].name, err.text);
		assert_int_equal(der.len, signatures[i].der_len);
		assert_true(
		    bytes_starts(buf_bytes(&der), signatures[i].der_head));
		/* Odd lengths have no halves. */
		err = (struct error){0};
		if (half > 0)
			assert_false(
			    ecdsa_signature_put(signatures[i].algorithm,
				bytes_of(raw, 2 * half - 1), &der, &err));
	}
}

static void
test_signature_does_not_fit(void **state)
{
	static const uint8_t raw[64] = {1, [32] = 1};
	AUTO(buf) small = BUF_INIT(69);
	struct error err = {0};

	(void)state;
	assert_false(
	    ecdsa_signature_put(KEY_ECDSA_P256, BYTES_OF(raw), &small, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_spki),
	    cmocka_unit_test(test_spki_too_long),
	    cmocka_unit_test(test_signatures),
	    cmocka_unit_test(test_signature_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
