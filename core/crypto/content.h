/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_CONTENT_H
#define MTLOG_CORE_CRYPTO_CONTENT_H

#include "core/base/bytes.h"
#include "core/base/error.h"

/*
 * The hashes of files in a manifest (OMS v1.0 `hash_type`): sha256, blake2b
 * with 64 bytes (RFC 7693), blake3 with 32.
 */
enum content_algorithm { CONTENT_SHA256 = 1, CONTENT_BLAKE2B, CONTENT_BLAKE3 };

#define CONTENT_DIGEST_MAX 64

/* content_digest_len is 32 or 64 bytes. */
size_t content_digest_len(enum content_algorithm algorithm);

/* content_algorithm_name is the word in a manifest; content_algorithm_find
 * looks one up, false if it is no such word. */
const char *content_algorithm_name(enum content_algorithm algorithm);
bool content_algorithm_find(struct bytes name, enum content_algorithm *out)
    MUST_USE;

/*
 * A running hash; keeps what it fetched between files, so that a small file
 * costs its bytes. One per thread; not shared.
 */
struct content_hasher;

/* content_hasher_open; NULL with ERR_INTERNAL. _close is NULL-safe. */
struct content_hasher *content_hasher_open(
    enum content_algorithm algorithm, struct error *err) MUST_USE;
void content_hasher_close(struct content_hasher *h);

/*
 * content_begin starts anew, content_put adds bytes, content_end writes
 * content_digest_len bytes to `out`. A failure inside OpenSSL latches and comes
 * out of content_end (ERR_INTERNAL).
 */
void content_begin(struct content_hasher *h);
void content_put(struct content_hasher *h, struct bytes data);
bool content_end(struct content_hasher *h, uint8_t out[CONTENT_DIGEST_MAX],
    struct error *err) MUST_USE;

#endif
