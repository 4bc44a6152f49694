/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/content.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/crypto/blake3.h"

/* `evp` is OpenSSL's name, NULL for what it does not have. */
static const struct {
	const char *name;
	const char *evp;
	size_t len;
} kinds[] = {
    [CONTENT_SHA256] = {"sha256", "SHA2-256", 32},
    [CONTENT_BLAKE2B] = {"blake2b", "BLAKE2B-512", 64},
    [CONTENT_BLAKE3] = {"blake3", NULL, BLAKE3_LEN},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct content_hasher {
	enum content_algorithm algorithm;
	bool failed;
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	struct blake3 blake3;
};

size_t
content_digest_len(enum content_algorithm algorithm)
{
	return kinds[algorithm].len;
}

const char *
content_algorithm_name(enum content_algorithm algorithm)
{
	return kinds[algorithm].name;
}

bool
content_algorithm_find(struct bytes name, enum content_algorithm *out)
{
	for (size_t i = CONTENT_SHA256; i < KINDS; i++) {
		if (!bytes_equal(name, bytes_str(kinds[i].name)))
			continue;
		*out = (enum content_algorithm)i;
		return true;
	}
	return false;
}

static bool
open_evp(struct content_hasher *h, const char *name)
{
	h->md = EVP_MD_fetch(NULL, name, NULL);
	h->ctx = EVP_MD_CTX_new();
	return h->md && h->ctx;
}

struct content_hasher *
content_hasher_open(enum content_algorithm algorithm, struct error *err)
{
	struct content_hasher *h = calloc(1, sizeof(*h));
	const char *evp = kinds[algorithm].evp;

	if (!h || (evp && !open_evp(h, evp))) {
		content_hasher_close(h);
		ERR_clear_error();
		(void)error_set(err, ERR_INTERNAL, "no %s to be had",
		    kinds[algorithm].name);
		return NULL;
	}
	h->algorithm = algorithm;
	content_begin(h);
	return h;
}

void
content_hasher_close(struct content_hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
	free(h);
}

void
content_begin(struct content_hasher *h)
{
	h->failed = false;
	if (!h->md)
		blake3_init(&h->blake3);
	else if (EVP_DigestInit_ex2(h->ctx, h->md, NULL) != 1)
		h->failed = true;
}

void
content_put(struct content_hasher *h, struct bytes data)
{
	if (!h->md)
		blake3_put(&h->blake3, data);
	else if (!h->failed &&
	    EVP_DigestUpdate(h->ctx, data.ptr, data.len) != 1)
		h->failed = true;
}

bool
content_end(struct content_hasher *h, uint8_t out[CONTENT_DIGEST_MAX],
    struct error *err)
{
	if (!h->md)
		blake3_end(&h->blake3, out);
	else if (!h->failed && EVP_DigestFinal_ex(h->ctx, out, NULL) != 1)
		h->failed = true;
	if (!h->failed)
		return true;
	ERR_clear_error();
	return error_set(
	    err, ERR_INTERNAL, "%s failed", kinds[h->algorithm].name);
}
