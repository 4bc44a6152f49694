/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/mldsa.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/base/cleanup.h"

CLEANUP_PTR(EVP_MD_CTX, EVP_MD_CTX_free);
CLEANUP_PTR(EVP_PKEY, EVP_PKEY_free);

static const char algorithm[] = "ML-DSA-44";

bool
mldsa44_available(void)
{
	EVP_SIGNATURE *s = EVP_SIGNATURE_fetch(NULL, algorithm, NULL);
	bool available = s != NULL;

	EVP_SIGNATURE_free(s);
	ERR_clear_error();
	return available;
}

static bool
openssl_failed(struct error *err)
{
	ERR_clear_error();
	return error_set(err, ERR_INTERNAL, "OpenSSL failed");
}

bool
mldsa44_verify(struct bytes key, struct bytes message, struct bytes signature,
    struct error *err)
{
	AUTO_PTR(EVP_MD_CTX) ctx = NULL;
	AUTO_PTR(EVP_PKEY) pkey = NULL;
	int verified;

	if (key.len != MLDSA44_KEY_LEN)
		return error_set(err, ERR_SYNTAX,
		    "an ML-DSA-44 key has %d bytes", MLDSA44_KEY_LEN);
	if (signature.len != MLDSA44_SIGNATURE_LEN)
		return error_set(err, ERR_BADSIG,
		    "an ML-DSA-44 signature has %d bytes, this one %zu",
		    MLDSA44_SIGNATURE_LEN, signature.len);
	if (!mldsa44_available())
		return error_set(err, ERR_UNAVAILABLE,
		    "this OpenSSL cannot check ML-DSA-44 signatures");
	pkey = EVP_PKEY_new_raw_public_key_ex(
	    NULL, algorithm, NULL, key.ptr, key.len);
	ctx = EVP_MD_CTX_new();
	if (!pkey || !ctx ||
	    EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, pkey, NULL) !=
		1)
		return openssl_failed(err);
	verified = EVP_DigestVerify(
	    ctx, signature.ptr, signature.len, message.ptr, message.len);
	ERR_clear_error();
	if (verified != 1)
		return error_set(
		    err, ERR_BADSIG, "the ML-DSA-44 signature does not verify");
	return true;
}
