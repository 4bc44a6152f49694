/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_KEY_ENCODE_H
#define MTLOG_CORE_CRYPTO_KEY_ENCODE_H

#include "core/crypto/key.h"

/*
 * Keys and signatures as other interfaces (PKCS#11) give them, written as
 * key.h reads them. What comes out of the first two goes to public_key_parse,
 * which says whether it is a key.
 */

/* spki_put_ec appends the SubjectPublicKeyInfo of a point (0x04 X Y) on a
 * curve, whose parameters are the DER of its OBJECT IDENTIFIER. */
void spki_put_ec(struct buf *out, struct bytes parameters, struct bytes point);

/* spki_put_rsa appends that of an RSA key, of big-endian numbers; zeros in
 * front do not matter. */
void spki_put_rsa(struct buf *out, struct bytes modulus, struct bytes exponent);

/*
 * ecdsa_signature_put appends the strict DER of a signature r || s, two
 * big-endian halves of the same length, at most that of the group's order.
 * ERR_SYNTAX if it is not such a signature for a key of this algorithm.
 */
bool ecdsa_signature_put(enum key_algorithm algorithm, struct bytes raw,
    struct buf *out, struct error *err) MUST_USE;

#endif
