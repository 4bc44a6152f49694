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
