/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "core/base/cleanup.h"
#include "core/crypto/private_key_parts.h"

CLEANUP_PTR(BIO, BIO_free_all);
CLEANUP_PTR(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free);
CLEANUP_PTR(X509_SIG, X509_SIG_free);

/* scrypt's cost: 16 MiB and about 50 ms, OpenSSL's own default. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 1

/* Writes PKCS#8 encrypted with a key that scrypt derives: slow to guess, which
 * the 2,048 rounds of PBKDF2 in OpenSSL's one-call interface are not. */
static bool
write_encrypted(BIO *bio, const EVP_PKEY *pkey, struct bytes passphrase)
{
	AUTO_PTR(PKCS8_PRIV_KEY_INFO) plain = EVP_PKEY2PKCS8(pkey);
	AUTO_PTR(X509_SIG) sealed = NULL;
	X509_ALGOR *how = PKCS5_pbe2_set_scrypt(
	    EVP_aes_256_cbc(), NULL, 0, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);

	if (plain && how)
		sealed = PKCS8_set0_pbe((const char *)passphrase.ptr,
		    (int)passphrase.len, plain, how);
	if (!sealed) {
		X509_ALGOR_free(how);
		return false;
	}
	return PEM_write_bio_PKCS8(bio, sealed) == 1;
}

bool
private_key_format(const struct private_key *key, struct bytes passphrase,
    struct buf *pem, struct error *err)
{
	AUTO(error_queue) queue = {0};
	AUTO_PTR(BIO) bio = BIO_new(BIO_s_mem());
	bool written = false;
	char *text = NULL;
	long len;

	if (passphrase.len > PASSPHRASE_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "a passphrase has at most %d bytes", PASSPHRASE_MAX_LEN);
	if (bio && passphrase.len > 0)
		written = write_encrypted(bio, key->pkey, passphrase);
	else if (bio)
		written = PEM_write_bio_PKCS8PrivateKey(
			      bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1;
	if (!written)
		return openssl_refused(err, "to write the private key");
	len = BIO_get_mem_data(bio, &text);
	if (len <= 0)
		return openssl_refused(err, "to write the private key");
	buf_put(pem, bytes_of(text, (size_t)len));
	return buf_ok(pem, err);
}
