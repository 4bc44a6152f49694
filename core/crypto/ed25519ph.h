/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_ED25519PH_H
#define MTLOG_CORE_CRYPTO_ED25519PH_H

#include "core/base/bytes.h"

#define ED25519_KEY_LEN	      32
#define ED25519_SIGNATURE_LEN 64
#define ED25519PH_DIGEST_LEN  64
#define ED25519_SEED_LEN      32

/*
 * ed25519ph_verify checks an Ed25519ph signature (RFC 8032 section 5.1, empty
 * context) over the SHA-512 digest of the message, where OpenSSL 3.0 has no
 * Ed25519ph and libsodium's wants the message itself. With signature = R || S:
 *
 *	h = SHA-512("SigEd25519 no Ed25519 collisions" || 01 || 00 ||
 *	    R || A || digest) mod L
 *
 * true if 0 < S < L, the key A is the canonical encoding of a point in the
 * group of order L (so neither of small nor of mixed order), R is not the
 * neutral point, and R is the encoding of S B - h A. Wrong lengths are false.
 */
bool ed25519ph_verify(
    struct bytes key, struct bytes digest, struct bytes signature) MUST_USE;

/*
 * ed25519ph_sign is the other direction (RFC 8032 section 5.1.6), by the
 * private key's seed. The public key is computed from it too: one that came
 * from elsewhere could give the private key away. Leaves no secret behind.
 * False if a multiplication fails, which has a chance of 2^-252.
 */
bool ed25519ph_sign(const uint8_t seed[ED25519_SEED_LEN],
    const uint8_t digest[ED25519PH_DIGEST_LEN],
    uint8_t signature[ED25519_SIGNATURE_LEN]) MUST_USE;

#endif
