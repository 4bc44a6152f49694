/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_HASH_H
#define MTLOG_CORE_CRYPTO_HASH_H

#include <openssl/evp.h>

#include "core/base/bytes.h"
#include "core/base/error.h"

#define HASH_LEN       32
#define DIGEST_MAX_LEN 64

/* A SHA-256 value, raw. */
struct hash {
	uint8_t b[HASH_LEN];
};

/*
 * What SHA-256 needs between calls: the fetched digest and one context, so
 * that a hash costs no look-up and no allocation. One per thread; not shared.
 * A failure inside OpenSSL latches `failed` and leaves the output all zero,
 * which equals no root; who produces hashes to keep (rather than to compare)
 * asks hasher_ok first.
 */
struct hasher {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	bool failed;
};

/* hasher_open fetches SHA-256. Release with hasher_release. ERR_INTERNAL. */
bool hasher_open(struct hasher *h, struct error *err) MUST_USE;
void hasher_release(struct hasher *h);

/* hasher_ok is false, with ERR_INTERNAL, once any hash has failed. */
bool hasher_ok(const struct hasher *h, struct error *err) MUST_USE;

/* sha256 hashes `in`; sha256_two the concatenation of `a` and `b`. */
void sha256(struct hasher *h, struct bytes in, struct hash *out);
void sha256_two(
    struct hasher *h, struct bytes a, struct bytes b, struct hash *out);

/* hash_equal compares two public hashes. */
static inline bool
hash_equal(const struct hash *a, const struct hash *b)
{
	return memcmp(a->b, b->b, HASH_LEN) == 0;
}

/* hash_bytes views the 32 bytes. */
static inline struct bytes
hash_bytes(const struct hash *h)
{
	return bytes_of(h->b, HASH_LEN);
}

/* The digests that signatures in the log use. */
enum digest_algorithm { DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

/* digest_len is 32, 48 or 64 bytes. */
size_t digest_len(enum digest_algorithm alg);

/* digest_compute hashes `in`; `out` takes digest_len bytes. ERR_INTERNAL. */
bool digest_compute(enum digest_algorithm alg, struct bytes in,
    uint8_t out[DIGEST_MAX_LEN], struct error *err) MUST_USE;

/* digest_compute_two hashes `a` and then `b`, which need not be joined. */
bool digest_compute_two(enum digest_algorithm alg, struct bytes a,
    struct bytes b, uint8_t out[DIGEST_MAX_LEN], struct error *err) MUST_USE;

#endif
