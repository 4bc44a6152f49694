/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/hash.h"

#include <openssl/err.h>

bool
hasher_open(struct hasher *h, struct error *err)
{
	*h = (struct hasher){
	    .md = EVP_MD_fetch(NULL, "SHA2-256", NULL),
	    .ctx = EVP_MD_CTX_new(),
	};
	if (!h->md || !h->ctx) {
		hasher_release(h);
		ERR_clear_error();
		return error_set(
		    err, ERR_INTERNAL, "OpenSSL has no SHA-256 to offer");
	}
	return true;
}

void
hasher_release(struct hasher *h)
{
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
	*h = (struct hasher){0};
}

bool
hasher_ok(const struct hasher *h, struct error *err)
{
	if (h->failed)
		return error_set(err, ERR_INTERNAL, "SHA-256 failed");
	return true;
}

void
sha256_two(struct hasher *h, struct bytes a, struct bytes b, struct hash *out)
{
	if (EVP_DigestInit_ex2(h->ctx, h->md, NULL) != 1 ||
	    EVP_DigestUpdate(h->ctx, a.ptr, a.len) != 1 ||
	    EVP_DigestUpdate(h->ctx, b.ptr, b.len) != 1 ||
	    EVP_DigestFinal_ex(h->ctx, out->b, NULL) != 1) {
		h->failed = true;
		ERR_clear_error();
		memset(out->b, 0, HASH_LEN);
	}
}

void
sha256(struct hasher *h, struct bytes in, struct hash *out)
{
	sha256_two(h, in, (struct bytes){0}, out);
}

static const struct {
	const char *name;
	size_t len;
} digests[] = {
    [DIGEST_SHA256] = {"SHA2-256", 32},
    [DIGEST_SHA384] = {"SHA2-384", 48},
    [DIGEST_SHA512] = {"SHA2-512", 64},
};

size_t
digest_len(enum digest_algorithm alg)
{
	return digests[alg].len;
}

bool
digest_compute(enum digest_algorithm alg, struct bytes in,
    uint8_t out[DIGEST_MAX_LEN], struct error *err)
{
	size_t len = 0;

	if (EVP_Q_digest(NULL, digests[alg].name, NULL, in.ptr, in.len, out,
		&len) != 1 ||
	    len != digests[alg].len) {
		ERR_clear_error();
		return error_set(
		    err, ERR_INTERNAL, "%s failed", digests[alg].name);
	}
	return true;
}

bool
digest_compute_two(enum digest_algorithm alg, struct bytes a, struct bytes b,
    uint8_t out[DIGEST_MAX_LEN], struct error *err)
{
	EVP_MD *md = EVP_MD_fetch(NULL, digests[alg].name, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned len = 0;
	bool ok = md && ctx && EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
	    EVP_DigestUpdate(ctx, a.ptr, a.len) == 1 &&
	    EVP_DigestUpdate(ctx, b.ptr, b.len) == 1 &&
	    EVP_DigestFinal_ex(ctx, out, &len) == 1 && len == digests[alg].len;

	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	if (ok)
		return true;
	ERR_clear_error();
	return error_set(err, ERR_INTERNAL, "%s failed", digests[alg].name);
}
