/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_KEY_H
#define MTLOG_CORE_CRYPTO_KEY_H

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/crypto/hash.h"

/* Kinds of public key that the log knows; no others parse. */
enum key_algorithm {
	KEY_ECDSA_P256 = 1,
	KEY_ECDSA_P384,
	KEY_ECDSA_P521,
	KEY_RSA_2048,
	KEY_RSA_3072,
	KEY_RSA_4096,
	KEY_ED25519,
};

#define SPKI_MAX_LEN	    1024
#define CERTIFICATE_MAX_LEN 16384
#define SIGNATURE_MAX_LEN   1024

/*
 * A public key, taken apart. Borrows from the DER it was parsed from.
 * `raw` is the uncompressed point (0x04 X Y), the RSA modulus without leading
 * zeros, or the 32 bytes of an Ed25519 key.
 */
struct public_key {
	enum key_algorithm algorithm;
	struct bytes spki; /* the whole SubjectPublicKeyInfo, DER */
	struct bytes raw;
	uint32_t rsa_exponent; /* RSA only */
};

/*
 * public_key_parse reads a DER SubjectPublicKeyInfo (RFC 5280 section 4.1,
 * RFC 5480, RFC 8410, RFC 3279) and accepts one encoding only: named curve and
 * uncompressed point (whether it lies on the curve is found at verification);
 * RSA with a modulus of exactly 2048, 3072 or 4096 bits and an odd exponent
 * 3 <= e < 2^32 (a long exponent costs a verifier 6 ms); nothing trailing.
 * `out` borrows from `der`. ERR_LIMIT, ERR_SYNTAX.
 */
bool public_key_parse(
    struct bytes der, struct public_key *out, struct error *err) MUST_USE;

/*
 * certificate_key_parse finds the SubjectPublicKeyInfo in a DER certificate
 * (RFC 5280) of at most CERTIFICATE_MAX_LEN bytes and reads it. The rest of
 * the certificate is checked for shape (definite lengths, nothing trailing),
 * not believed. `out` borrows from `der`. ERR_LIMIT, ERR_SYNTAX.
 */
bool certificate_key_parse(
    struct bytes der, struct public_key *out, struct error *err) MUST_USE;

/*
 * key_signature_check looks at the form of a signature alone: ECDSA strict DER
 * SEQUENCE { r, s } with 1 <= r, s < n (so the raw r || s of other interfaces
 * is refused), RSA as long as the modulus, Ed25519 64 bytes. ERR_SYNTAX.
 */
bool key_signature_check(enum key_algorithm algorithm, struct bytes signature,
    struct error *err) MUST_USE;

/* key_algorithm_name is for people: "ECDSA P-256", "RSA 2048", "Ed25519" … */
const char *key_algorithm_name(enum key_algorithm algorithm);

/*
 * What verification needs between calls: fetched algorithms and one key object
 * per curve whose point is replaced, because decoding an EC key through
 * OpenSSL's decoders costs more than the verification itself. One per thread;
 * not shared.
 */
struct key_verifier;

/* key_verifier_open; NULL with ERR_INTERNAL. It holds nothing yet: each
 * algorithm is prepared at its first use. key_verifier_close is NULL-safe.
 */
struct key_verifier *key_verifier_open(struct error *err) MUST_USE;
void key_verifier_close(struct key_verifier *v);

/*
 * key_verify_digest checks `signature` over a digest that was computed
 * elsewhere: ECDSA (strict DER r,s), RSA PKCS#1 v1.5, or Ed25519ph
 * (RFC 8032 section 5.1, prehash SHA-512, empty context). `alg` must be the
 * digest that belongs to the key (P-256 and RSA: SHA-256, P-384: SHA-384,
 * P-521 and Ed25519: SHA-512) and `digest` have its length.
 * ERR_BADSIG if it does not verify; ERR_SYNTAX if the key is no valid point.
 */
bool key_verify_digest(struct key_verifier *v, const struct public_key *key,
    enum digest_algorithm alg, struct bytes digest, struct bytes signature,
    struct error *err) MUST_USE;

/*
 * key_verify_ecdsa_sha256 is key_verify_digest with SHA-256 for an ECDSA key of
 * any curve (ERR_USAGE for another kind): what model_signing 0.2 signed.
 */
bool key_verify_ecdsa_sha256(struct key_verifier *v,
    const struct public_key *key, struct bytes digest, struct bytes signature,
    struct error *err) MUST_USE;

/*
 * key_verify_message checks a signature over whole `message` bytes: pure
 * Ed25519, or ECDSA/RSA with the digest that belongs to the key.
 */
bool key_verify_message(struct key_verifier *v, const struct public_key *key,
    struct bytes message, struct bytes signature, struct error *err) MUST_USE;

/* key_digest_algorithm: the digest that belongs to a key (as above). */
enum digest_algorithm key_digest_algorithm(enum key_algorithm algorithm);

/* ed25519_spki_put appends the 44-byte SPKI of a raw 32-byte Ed25519 key. */
void ed25519_spki_put(struct buf *out, struct bytes raw);

#endif
