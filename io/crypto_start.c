/* SPDX-License-Identifier: Apache-2.0 */
#include "io/crypto_start.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

void
crypto_start_short(void)
{
	/* Where it fails, the first use of anything does, and says so. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
		OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ATEXIT |
		OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
		OPENSSL_INIT_NO_ADD_ALL_DIGESTS,
	    NULL);
	/* What certificates and time-stamps still look up by these names. */
	(void)EVP_add_digest(EVP_sha1());
	(void)EVP_add_digest(EVP_sha224());
	(void)EVP_add_digest(EVP_sha256());
	(void)EVP_add_digest(EVP_sha384());
	(void)EVP_add_digest(EVP_sha512());
}
