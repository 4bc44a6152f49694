/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_ENCODING_H
#define MTLOG_CORE_BASE_ENCODING_H

#include "core/base/buf.h"

/* BASE64_LEN is the length of the padded base64 of `n` bytes. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* base64_put appends standard base64 with padding (RFC 4648 section 4). */
void base64_put(struct buf *out, struct bytes in);

/*
 * base64_decode appends the bytes of strict base64: standard alphabet, with
 * padding, no white space, unused bits zero. False (and `out` as before) if
 * `in` is not what base64_put would write, or does not fit.
 */
bool base64_decode(struct bytes in, struct buf *out) MUST_USE;

/*
 * base64_decode_lenient reads what protojson takes: standard or URL-safe
 * alphabet (not mixed), padded or not; unused bits must still be zero.
 */
bool base64_decode_lenient(struct bytes in, struct buf *out) MUST_USE;

/* hex_put appends lower-case hex. */
void hex_put(struct buf *out, struct bytes in);

/* hex_decode reads exactly `n` bytes from 2n lower-case hex digits. */
bool hex_decode(struct bytes in, uint8_t *out, size_t n) MUST_USE;

/* utf8_valid: well-formed UTF-8 (RFC 3629: no surrogates, no overlong). */
bool utf8_valid(struct bytes in) MUST_USE;

#endif
