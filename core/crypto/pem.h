/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_PEM_H
#define MTLOG_CORE_CRYPTO_PEM_H

#include "core/base/buf.h"
#include "core/base/reader.h"
#include "core/crypto/hash.h"

/*
 * PEM (RFC 7468) as far as public keys and certificates need it:
 *
 *	-----BEGIN PUBLIC KEY-----
 *	base64 of the DER, lines of a multiple of 4 and at most 76 characters
 *	-----END PUBLIC KEY-----
 *
 * Lines end with LF or CR LF, the last one perhaps with the text. In a block
 * there is nothing else: no blank line, no space, no header. Private keys are
 * private_key_parse's, which leaves no copy behind.
 */
#define PEM_LABEL_MAX 64

/*
 * pem_next takes the next block of the text: `label` ("PUBLIC KEY",
 * "CERTIFICATE") borrows from it, `der` becomes the bytes, at most its limit.
 * Lines between blocks are skipped, but for those that begin with "-----",
 * which must be of a block. False without `err` when there is no further block;
 * false with ERR_SYNTAX or ERR_LIMIT for a broken one.
 */
bool pem_next(struct reader *text, struct bytes *label, struct buf *der,
    struct error *err) MUST_USE;

/* pem_put appends one block: 64 columns, a final newline. */
void pem_put(struct buf *out, const char *label, struct bytes der);

/*
 * pem_public_key reads the one public key in a text: its SubjectPublicKeyInfo
 * is appended to `spki` (public_key_parse reads it). ERR_SYNTAX, also for none
 * or two, and for a private key or certificate, which it names.
 */
bool pem_public_key(struct bytes text, struct buf *spki, struct error *err)
    MUST_USE;

/*
 * key_hint is the `hint` of an OMS bundle: lower-case hex of the SHA-256 of the
 * PEM text (not the DER) of a SubjectPublicKeyInfo. NUL-terminated. A failure
 * latches `h` and gives zeros, as with sha256().
 */
void key_hint(struct hasher *h, struct bytes spki, char out[2 * HASH_LEN + 1]);

#endif
