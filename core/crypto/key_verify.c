/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/key.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include "core/base/cleanup.h"
#include "core/crypto/der.h"
#include "core/crypto/ed25519ph.h"

CLEANUP_PTR(BIGNUM, BN_free);
CLEANUP_PTR(EVP_PKEY, EVP_PKEY_free);
CLEANUP_PTR(EVP_PKEY_CTX, EVP_PKEY_CTX_free);

/* The orders n of the curves' groups (SEC 2), big-endian. */
static const uint8_t p256_order[] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00,
    0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25,
    0x51};
static const uint8_t p384_order[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d,
    0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19,
    0x6a, 0xcc, 0xc5, 0x29, 0x73};
static const uint8_t p521_order[] = {0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xfa, 0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f,
    0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89,
    0x9c, 0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09};

static const struct {
	const char *group;
	struct bytes order;
} curves[] = {
    [KEY_ECDSA_P256] = {"P-256", BYTES_OF(p256_order)},
    [KEY_ECDSA_P384] = {"P-384", BYTES_OF(p384_order)},
    [KEY_ECDSA_P521] = {"P-521", BYTES_OF(p521_order)},
};

#define CURVES (sizeof(curves) / sizeof(curves[0]))

struct key_verifier {
	EVP_MD *digests[DIGEST_SHA512 + 1];
	EVP_PKEY *curve_keys[CURVES]; /* by key_algorithm; the point changes */
	EVP_PKEY_CTX *rsa;	      /* ready for EVP_PKEY_fromdata */
};

/*
 * Empties OpenSSL's error queue, which is the thread's and would mislead
 * whoever looks at it next. True if memory ran out: a key or signature that
 * could not be looked at is not a bad one.
 */
static bool
openssl_ran_out(void)
{
	bool ran_out = false;
	unsigned long e;

	while ((e = ERR_get_error()) != 0)
		if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
			ran_out = true;
	return ran_out;
}

static bool
openssl_failed(struct error *err)
{
	ERR_clear_error();
	return error_set(err, ERR_INTERNAL, "OpenSSL failed");
}

static EVP_PKEY *
open_curve(const char *group)
{
	AUTO_PTR(EVP_PKEY_CTX)
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(
		OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)group, 0),
	    OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEY_PARAMETERS, params) != 1)
		return NULL;
	return key;
}

/* What few verifiers need all of, and a curve takes longer to make than a
 * signature to verify: made when it is asked for. NULL: OpenSSL failed. */

static const EVP_MD *
digest_of(struct key_verifier *v, enum digest_algorithm alg)
{
	static const char *const names[] = {
	    [DIGEST_SHA256] = "SHA2-256",
	    [DIGEST_SHA384] = "SHA2-384",
	    [DIGEST_SHA512] = "SHA2-512",
	};

	if (!v->digests[alg])
		v->digests[alg] = EVP_MD_fetch(NULL, names[alg], NULL);
	return v->digests[alg];
}

static EVP_PKEY *
curve_of(struct key_verifier *v, enum key_algorithm algorithm)
{
	if (!v->curve_keys[algorithm])
		v->curve_keys[algorithm] = open_curve(curves[algorithm].group);
	return v->curve_keys[algorithm];
}

static EVP_PKEY_CTX *
rsa_of(struct key_verifier *v)
{
	if (v->rsa)
		return v->rsa;
	v->rsa = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (v->rsa && EVP_PKEY_fromdata_init(v->rsa) != 1) {
		EVP_PKEY_CTX_free(v->rsa);
		v->rsa = NULL;
	}
	return v->rsa;
}

struct key_verifier *
key_verifier_open(struct error *err)
{
	struct key_verifier *v = calloc(1, sizeof(*v));

	if (!v)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	return v;
}

void
key_verifier_close(struct key_verifier *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < sizeof(v->digests) / sizeof(v->digests[0]); i++)
		EVP_MD_free(v->digests[i]);
	for (size_t i = 0; i < CURVES; i++)
		EVP_PKEY_free(v->curve_keys[i]);
	EVP_PKEY_CTX_free(v->rsa);
	free(v);
}

/* True if 1 <= n < order; `n` is a magnitude without leading zeros. */
static bool
below_order(struct bytes n, struct bytes order)
{
	if (n.len != order.len)
		return n.len < order.len;
	return memcmp(n.ptr, order.ptr, n.len) < 0;
}

static bool
ecdsa_signature_check(
    enum key_algorithm algorithm, struct bytes signature, struct error *err)
{
	struct reader in = {signature}, fields;
	struct bytes r, s, order = curves[algorithm].order;

	if (!der_enter(&in, DER_SEQUENCE, &fields) || !reader_done(&in) ||
	    !der_positive(&fields, &r) || !der_positive(&fields, &s) ||
	    !reader_done(&fields))
		return error_set(err, ERR_SYNTAX,
		    "an ECDSA signature is a DER SEQUENCE of two positive "
		    "INTEGERs r and s");
	if (!below_order(r, order) || !below_order(s, order))
		return error_set(err, ERR_SYNTAX,
		    "r or s of the ECDSA signature is not below the order of "
		    "%s",
		    curves[algorithm].group);
	return true;
}

static bool
length_check(enum key_algorithm algorithm, struct bytes signature, size_t len,
    struct error *err)
{
	if (signature.len != len)
		return error_set(err, ERR_SYNTAX,
		    "an %s signature has %zu bytes, this one %zu",
		    key_algorithm_name(algorithm), len, signature.len);
	return true;
}

bool
key_signature_check(
    enum key_algorithm algorithm, struct bytes signature, struct error *err)
{
	switch (algorithm) {
	case KEY_ECDSA_P256:
	case KEY_ECDSA_P384:
	case KEY_ECDSA_P521:
		return ecdsa_signature_check(algorithm, signature, err);
	case KEY_RSA_2048:
		return length_check(algorithm, signature, 2048 / 8, err);
	case KEY_RSA_3072:
		return length_check(algorithm, signature, 3072 / 8, err);
	case KEY_RSA_4096:
		return length_check(algorithm, signature, 4096 / 8, err);
	case KEY_ED25519:
		return length_check(
		    algorithm, signature, ED25519_SIGNATURE_LEN, err);
	}
	return error_set(err, ERR_INTERNAL, "no such key algorithm");
}

static bool
bad_signature(enum key_algorithm algorithm, struct error *err)
{
	return error_set(err, ERR_BADSIG, "the %s signature does not verify",
	    key_algorithm_name(algorithm));
}

/* Verifies by OpenSSL; `md` is RSA's, NULL for ECDSA. */
static bool
verify_with(EVP_PKEY *pkey, const EVP_MD *md, const struct public_key *key,
    struct bytes digest, struct bytes signature, struct error *err)
{
	AUTO_PTR(EVP_PKEY_CTX)
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool ran_out;
	int verified;

	if (!ctx || EVP_PKEY_verify_init(ctx) != 1)
		return openssl_failed(err);
	if (md &&
	    (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
		EVP_PKEY_CTX_set_signature_md(ctx, md) != 1))
		return openssl_failed(err);
	verified = EVP_PKEY_verify(
	    ctx, signature.ptr, signature.len, digest.ptr, digest.len);
	ran_out = openssl_ran_out();
	if (verified == 1)
		return true;
	if (ran_out || verified < 0)
		return openssl_failed(err);
	return bad_signature(key->algorithm, err);
}

static bool
verify_ecdsa(struct key_verifier *v, const struct public_key *key,
    struct bytes digest, struct bytes signature, struct error *err)
{
	EVP_PKEY *pkey = curve_of(v, key->algorithm);

	if (!pkey)
		return openssl_failed(err);
	/* Refuses a point that is not on the curve. The verification context
	 * is made anew afterwards, so it can see no earlier point. */
	if (EVP_PKEY_set1_encoded_public_key(
		pkey, key->raw.ptr, key->raw.len) != 1) {
		if (openssl_ran_out())
			return openssl_failed(err);
		return error_set(err, ERR_SYNTAX,
		    "the public key is no point on %s",
		    curves[key->algorithm].group);
	}
	return verify_with(pkey, NULL, key, digest, signature, err);
}

/* OpenSSL wants big integers in the machine's own byte order. */
static bool
to_native(struct bytes in, uint8_t *out)
{
	AUTO_PTR(BIGNUM) n = BN_bin2bn(in.ptr, (int)in.len, NULL);

	return n && BN_bn2nativepad(n, out, (int)in.len) == (int)in.len;
}

static bool
verify_rsa(struct key_verifier *v, const struct public_key *key,
    struct bytes digest, struct bytes signature, struct error *err)
{
	uint8_t modulus[SPKI_MAX_LEN];
	unsigned exponent = key->rsa_exponent;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_BN(
		OSSL_PKEY_PARAM_RSA_N, modulus, key->raw.len),
	    OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &exponent),
	    OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *rsa = rsa_of(v);
	const EVP_MD *md = digest_of(v, DIGEST_SHA256);
	AUTO_PTR(EVP_PKEY) pkey = NULL;

	if (!rsa || !md || !to_native(key->raw, modulus) ||
	    EVP_PKEY_fromdata(rsa, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return openssl_failed(err);
	return verify_with(pkey, md, key, digest, signature, err);
}

bool
key_verify_digest(struct key_verifier *v, const struct public_key *key,
    enum digest_algorithm alg, struct bytes digest, struct bytes signature,
    struct error *err)
{
	struct error form = {0};

	if (alg != key_digest_algorithm(key->algorithm) ||
	    digest.len != digest_len(alg))
		return error_set(err, ERR_USAGE,
		    "the digest is not the one that belongs to the key");
	if (!key_signature_check(key->algorithm, signature, &form))
		return error_set(err, ERR_BADSIG, "%s", form.text);
	switch (key->algorithm) {
	case KEY_ECDSA_P256:
	case KEY_ECDSA_P384:
	case KEY_ECDSA_P521:
		return verify_ecdsa(v, key, digest, signature, err);
	case KEY_RSA_2048:
	case KEY_RSA_3072:
	case KEY_RSA_4096:
		return verify_rsa(v, key, digest, signature, err);
	case KEY_ED25519:
		break;
	}
	if (!ed25519ph_verify(key->raw, digest, signature))
		return bad_signature(key->algorithm, err);
	return true;
}

bool
key_verify_ecdsa_sha256(struct key_verifier *v, const struct public_key *key,
    struct bytes digest, struct bytes signature, struct error *err)
{
	struct error form = {0};

	if (key->algorithm > KEY_ECDSA_P521 || digest.len != HASH_LEN)
		return error_set(err, ERR_USAGE, "no ECDSA key or no SHA-256");
	if (!key_signature_check(key->algorithm, signature, &form))
		return error_set(err, ERR_BADSIG, "%s", form.text);
	return verify_ecdsa(v, key, digest, signature, err);
}

bool
key_verify_message(struct key_verifier *v, const struct public_key *key,
    struct bytes message, struct bytes signature, struct error *err)
{
	enum digest_algorithm alg = key_digest_algorithm(key->algorithm);
	uint8_t digest[DIGEST_MAX_LEN];
	const EVP_MD *md;

	if (key->algorithm == KEY_ED25519) {
		/* libsodium also refuses keys and R of small order, twice as
		 * fast as OpenSSL does without. */
		if (signature.len != ED25519_SIGNATURE_LEN ||
		    crypto_sign_verify_detached(signature.ptr, message.ptr,
			message.len, key->raw.ptr) != 0)
			return bad_signature(key->algorithm, err);
		return true;
	}
	md = digest_of(v, alg);
	if (!md ||
	    EVP_Digest(message.ptr, message.len, digest, NULL, md, NULL) != 1)
		return openssl_failed(err);
	return key_verify_digest(
	    v, key, alg, bytes_of(digest, digest_len(alg)), signature, err);
}
