/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/ed25519ph.h"

#include <sodium.h>

#define POINT_LEN  crypto_core_ed25519_BYTES
#define SCALAR_LEN crypto_core_ed25519_SCALARBYTES
#define WIDE_LEN   crypto_core_ed25519_NONREDUCEDSCALARBYTES

/* RFC 8032 section 2: dom2(phflag = 1, empty context). */
#define DOM2 "SigEd25519 no Ed25519 collisions\x01\x00"

/* The neutral point, the only one of small order in the group of order L. */
static const uint8_t neutral[POINT_LEN] = {1};

/* A scalar is below L if reducing it changes nothing. */
static bool
scalar_is_reduced(const uint8_t s[SCALAR_LEN])
{
	uint8_t wide[WIDE_LEN] = {0}, reduced[SCALAR_LEN];

	memcpy(wide, s, SCALAR_LEN);
	crypto_core_ed25519_scalar_reduce(reduced, wide);
	return bytes_equal(BYTES_OF(reduced), bytes_of(s, SCALAR_LEN));
}

static void
hash_to_scalar(const uint8_t r[POINT_LEN], struct bytes key,
    struct bytes digest, uint8_t out[SCALAR_LEN])
{
	crypto_hash_sha512_state state;
	uint8_t wide[WIDE_LEN];

	crypto_hash_sha512_init(&state);
	crypto_hash_sha512_update(
	    &state, (const uint8_t *)DOM2, sizeof(DOM2) - 1);
	crypto_hash_sha512_update(&state, r, POINT_LEN);
	crypto_hash_sha512_update(&state, key.ptr, key.len);
	crypto_hash_sha512_update(&state, digest.ptr, digest.len);
	crypto_hash_sha512_final(&state, wide);
	crypto_core_ed25519_scalar_reduce(out, wide);
}

bool
ed25519ph_verify(struct bytes key, struct bytes digest, struct bytes signature)
{
	uint8_t h[SCALAR_LEN], ha[POINT_LEN], sb[POINT_LEN], r[POINT_LEN];
	const uint8_t *s;

	if (key.len != ED25519_KEY_LEN || digest.len != ED25519PH_DIGEST_LEN ||
	    signature.len != ED25519_SIGNATURE_LEN)
		return false;
	s = signature.ptr + POINT_LEN;
	if (!scalar_is_reduced(s) ||
	    bytes_equal(bytes_of(signature.ptr, POINT_LEN), BYTES_OF(neutral)))
		return false;
	hash_to_scalar(signature.ptr, key, digest, h);
	/*
	 * The multiplication refuses a key that is not canonical, of small
	 * order or outside the main subgroup. R needs no such checks beyond
	 * the one above: it must be, byte for byte, what is computed here.
	 */
	if (crypto_scalarmult_ed25519_noclamp(ha, h, key.ptr) != 0 ||
	    crypto_scalarmult_ed25519_base_noclamp(sb, s) != 0 ||
	    crypto_core_ed25519_sub(r, sb, ha) != 0)
		return false;
	return bytes_equal(BYTES_OF(r), bytes_of(signature.ptr, POINT_LEN));
}

/* What is secret in a signature. */
struct ed25519_secrets {
	uint8_t expanded[crypto_hash_sha512_BYTES]; /* scalar, then prefix */
	uint8_t wide[WIDE_LEN];
	uint8_t a[SCALAR_LEN], r[SCALAR_LEN], ha[SCALAR_LEN];
	crypto_hash_sha512_state hash;
};

/* The private scalar `a`, clamped, then reduced: times a point of the group of
 * order L it is the same. */
static void
expand(const uint8_t seed[ED25519_SEED_LEN], struct ed25519_secrets *s)
{
	crypto_hash_sha512(s->expanded, seed, ED25519_SEED_LEN);
	s->expanded[0] &= 0xf8;
	s->expanded[SCALAR_LEN - 1] &= 0x7f;
	s->expanded[SCALAR_LEN - 1] |= 0x40;
	memset(s->wide, 0, WIDE_LEN);
	memcpy(s->wide, s->expanded, SCALAR_LEN);
	crypto_core_ed25519_scalar_reduce(s->a, s->wide);
}

/* The nonce r = SHA-512(dom2 || prefix || digest) mod L. */
static void
make_nonce(
    const uint8_t digest[ED25519PH_DIGEST_LEN], struct ed25519_secrets *s)
{
	crypto_hash_sha512_init(&s->hash);
	crypto_hash_sha512_update(
	    &s->hash, (const uint8_t *)DOM2, sizeof(DOM2) - 1);
	crypto_hash_sha512_update(&s->hash, s->expanded + SCALAR_LEN,
	    sizeof(s->expanded) - SCALAR_LEN);
	crypto_hash_sha512_update(&s->hash, digest, ED25519PH_DIGEST_LEN);
	crypto_hash_sha512_final(&s->hash, s->wide);
	crypto_core_ed25519_scalar_reduce(s->r, s->wide);
}

bool
ed25519ph_sign(const uint8_t seed[ED25519_SEED_LEN],
    const uint8_t digest[ED25519PH_DIGEST_LEN],
    uint8_t signature[ED25519_SIGNATURE_LEN])
{
	struct ed25519_secrets s;
	uint8_t key[POINT_LEN], h[SCALAR_LEN];
	bool ok;

	expand(seed, &s);
	make_nonce(digest, &s);
	ok = crypto_scalarmult_ed25519_base_noclamp(key, s.a) == 0 &&
	    crypto_scalarmult_ed25519_base_noclamp(signature, s.r) == 0;
	if (ok) {
		hash_to_scalar(signature, BYTES_OF(key),
		    bytes_of(digest, ED25519PH_DIGEST_LEN), h);
		crypto_core_ed25519_scalar_mul(s.ha, h, s.a);
		crypto_core_ed25519_scalar_add(
		    signature + POINT_LEN, s.ha, s.r);
	}
	sodium_memzero(&s, sizeof(s));
	return ok;
}
