/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/rsa.h>

#include "core/base/cleanup.h"
#include "core/crypto/ed25519ph.h"
#include "core/crypto/private_key_parts.h"
#include "core/crypto/signer.h"

CLEANUP_PTR(EVP_MD_CTX, EVP_MD_CTX_free);
CLEANUP_PTR(EVP_PKEY_CTX, EVP_PKEY_CTX_free);

/* OpenSSL's names of the digests. */
static const char *const digests[] = {
    [DIGEST_SHA256] = "SHA2-256",
    [DIGEST_SHA384] = "SHA2-384",
    [DIGEST_SHA512] = "SHA2-512",
};

bool
private_key_sign(struct private_key *key, struct bytes message,
    struct buf *signature, struct error *err)
{
	AUTO(error_queue) queue = {0};
	AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
	const char *md = key->algorithm == KEY_ED25519
	    ? NULL
	    : digests[key_digest_algorithm(key->algorithm)];
	size_t len = SIGNATURE_MAX_LEN;
	uint8_t out[SIGNATURE_MAX_LEN];

	if (!ctx ||
	    EVP_DigestSignInit_ex(ctx, NULL, md, NULL, NULL, key->pkey, NULL) !=
		1 ||
	    EVP_DigestSign(ctx, out, &len, message.ptr, message.len) != 1)
		return openssl_refused(err, "to sign");
	buf_put(signature, bytes_of(out, len));
	return buf_ok(signature, err);
}

/* Signs by OpenSSL: ECDSA, or RSA PKCS#1 v1.5. */
static bool
sign_with_openssl(struct private_key *key, enum digest_algorithm alg,
    struct bytes digest, uint8_t *out, size_t *len, struct error *err)
{
	AUTO_PTR(EVP_PKEY_CTX)
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	EVP_MD *md = EVP_MD_fetch(NULL, digests[alg], NULL);
	bool ok;

	ok = ctx && md && EVP_PKEY_sign_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
	    (!EVP_PKEY_is_a(key->pkey, "RSA") ||
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1) &&
	    EVP_PKEY_sign(ctx, out, len, digest.ptr, digest.len) == 1;
	EVP_MD_free(md);
	return ok || openssl_refused(err, "to sign");
}

static bool
sign_with_ed25519ph(struct private_key *key, struct bytes digest, uint8_t *out,
    size_t *len, struct error *err)
{
	uint8_t seed[ED25519_SEED_LEN];
	size_t seed_len = sizeof(seed);
	bool ok;

	ok = EVP_PKEY_get_raw_private_key(key->pkey, seed, &seed_len) == 1 &&
	    seed_len == sizeof(seed) && ed25519ph_sign(seed, digest.ptr, out);
	explicit_bzero(seed, sizeof(seed));
	*len = ED25519_SIGNATURE_LEN;
	return ok || openssl_refused(err, "to sign");
}

bool
private_key_sign_digest(struct private_key *key, enum digest_algorithm alg,
    struct bytes digest, struct buf *signature, struct error *err)
{
	AUTO(error_queue) queue = {0};
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	uint8_t out[SIGNATURE_MAX_LEN];
	size_t len = sizeof(out);
	bool made;

	if (alg != key_digest_algorithm(key->algorithm) ||
	    digest.len != digest_len(alg))
		return error_set(err, ERR_USAGE,
		    "the digest is not the one that belongs to the key");
	made = key->algorithm == KEY_ED25519
	    ? sign_with_ed25519ph(key, digest, out, &len, err)
	    : sign_with_openssl(key, alg, digest, out, &len, err);
	if (!made || !private_key_public(key, &spki, err) ||
	    !signature_confirm(
		buf_bytes(&spki), alg, digest, bytes_of(out, len), err))
		return false;
	buf_put(signature, bytes_of(out, len));
	return buf_ok(signature, err);
}

static bool
sign_by_key(void *arg, enum digest_algorithm alg, struct bytes digest,
    struct buf *signature, struct error *err)
{
	return private_key_sign_digest(arg, alg, digest, signature, err);
}

bool
signer_of_key(struct private_key *key, struct signer *out, struct error *err)
{
	struct signer s = {
	    .sign = sign_by_key,
	    .arg = key,
	    .algorithm = key->algorithm,
	};

	buf_init(&s.spki, SPKI_MAX_LEN);
	if (!private_key_public(key, &s.spki, err)) {
		signer_release(&s);
		return false;
	}
	*out = s;
	return true;
}
