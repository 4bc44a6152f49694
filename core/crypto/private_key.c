/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/key.h"

#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "core/base/cleanup.h"

CLEANUP_PTR(BIO, BIO_free_all);
CLEANUP_PTR(EVP_MD_CTX, EVP_MD_CTX_free);
CLEANUP_PTR(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
CLEANUP_PTR(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free);
CLEANUP_PTR(X509_SIG, X509_SIG_free);

/* scrypt's cost: 16 MiB and about 50 ms, OpenSSL's own default. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 1

struct private_key {
	EVP_PKEY *pkey;
	enum key_algorithm algorithm;
};

/*
 * OpenSSL leaves errors in the thread's queue, sometimes even where it
 * succeeds. Every function that calls it declares one of these, whose scope
 * empties it.
 */
struct error_queue {
	int unused;
} __attribute__((unused));

static void
error_queue_release(struct error_queue *q)
{
	(void)q;
	ERR_clear_error();
}

/* What the passphrase callback may give away, and whether it was asked. */
struct passphrase {
	struct bytes text;
	bool asked;
};

/* Called by OpenSSL in place of a prompt on the terminal. */
static int
give_passphrase(char *out, int size, int for_writing, void *arg)
{
	struct passphrase *p = arg;

	(void)for_writing;
	p->asked = true;
	if (size < 0 || p->text.len == 0 || p->text.len > (size_t)size)
		return -1;
	memcpy(out, p->text.ptr, p->text.len);
	return (int)p->text.len;
}

static bool
failed(struct error *err, const char *doing)
{
	return error_set(err, ERR_INTERNAL, "OpenSSL failed %s", doing);
}

static bool
put_spki(EVP_PKEY *pkey, struct buf *out, struct error *err)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(pkey, &der);

	if (len <= 0)
		return failed(err, "to encode the public key");
	buf_put(out, bytes_of(der, (size_t)len));
	OPENSSL_free(der);
	return buf_ok(out, err);
}

/* Finds the algorithm by the public half, which must be one that
 * public_key_parse takes: named curve, uncompressed point. */
static bool
find_algorithm(EVP_PKEY *pkey, enum key_algorithm *out, struct error *err)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct error why = {0};
	struct public_key key;

	if (!put_spki(pkey, &spki, &why) ||
	    !public_key_parse(buf_bytes(&spki), &key, &why) ||
	    (key.algorithm != KEY_ED25519 && key.algorithm != KEY_ECDSA_P256))
		return error_set(err, ERR_SYNTAX,
		    "the private key is neither Ed25519 nor ECDSA P-256");
	*out = key.algorithm;
	return true;
}

/* A public half that is not the private one's would sign what nobody can
 * verify, and with Ed25519 give the key away. */
static bool
halves_agree(EVP_PKEY *pkey, struct error *err)
{
	AUTO_PTR(EVP_PKEY_CTX)
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

	if (!ctx)
		return failed(err, "to check the private key");
	if (EVP_PKEY_pairwise_check(ctx) != 1)
		return error_set(err, ERR_SYNTAX,
		    "the private key does not belong to its public key");
	return true;
}

/* Wraps `pkey`, which it takes over, also when it fails. */
static struct private_key *
wrap(EVP_PKEY *pkey, struct error *err)
{
	struct private_key *key = calloc(1, sizeof(*key));

	if (!key) {
		EVP_PKEY_free(pkey);
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	key->pkey = pkey;
	if (!find_algorithm(pkey, &key->algorithm, err) ||
	    !halves_agree(pkey, err)) {
		private_key_close(key);
		return NULL;
	}
	return key;
}

struct private_key *
private_key_parse(struct bytes pem, struct bytes passphrase, struct error *err)
{
	AUTO(error_queue) queue = {0};
	struct passphrase p = {.text = passphrase};
	AUTO_PTR(BIO) bio = NULL;
	EVP_PKEY *pkey;

	if (pem.len > PRIVATE_KEY_MAX_LEN) {
		(void)error_set(err, ERR_LIMIT,
		    "a private key of %zu bytes is larger than the limit of %d",
		    pem.len, PRIVATE_KEY_MAX_LEN);
		return NULL;
	}
	bio =
	    BIO_new_mem_buf(pem.len ? (const void *)pem.ptr : "", (int)pem.len);
	if (!bio) {
		(void)failed(err, "to read the private key");
		return NULL;
	}
	pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &p);
	if (pkey)
		return wrap(pkey, err);
	if (!p.asked)
		(void)error_set(
		    err, ERR_SYNTAX, "not a private key in PEM (PKCS#8, SEC1)");
	else if (passphrase.len == 0)
		(void)error_reason(err, ERR_DENIED, "passphrase-missing",
		    "the private key is encrypted and no passphrase is given");
	else
		(void)error_reason(err, ERR_DENIED, "passphrase-wrong",
		    "the private key cannot be decrypted by this passphrase");
	return NULL;
}

void
private_key_close(struct private_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

struct private_key *
private_key_generate(enum key_algorithm algorithm, struct error *err)
{
	AUTO(error_queue) queue = {0};
	EVP_PKEY *pkey = NULL;

	if (algorithm == KEY_ED25519) {
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else if (algorithm == KEY_ECDSA_P256) {
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	} else {
		(void)error_set(
		    err, ERR_USAGE, "private keys are Ed25519 or ECDSA P-256");
		return NULL;
	}
	if (!pkey) {
		(void)failed(err, "to make a private key");
		return NULL;
	}
	return wrap(pkey, err);
}

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
		return failed(err, "to write the private key");
	len = BIO_get_mem_data(bio, &text);
	if (len <= 0)
		return failed(err, "to write the private key");
	buf_put(pem, bytes_of(text, (size_t)len));
	return buf_ok(pem, err);
}

bool
private_key_public(
    const struct private_key *key, struct buf *spki, struct error *err)
{
	AUTO(error_queue) queue = {0};

	return put_spki(key->pkey, spki, err);
}

enum key_algorithm
private_key_algorithm(const struct private_key *key)
{
	return key->algorithm;
}

bool
private_key_sign(struct private_key *key, struct bytes message,
    struct buf *signature, struct error *err)
{
	AUTO(error_queue) queue = {0};
	AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
	const char *md = key->algorithm == KEY_ED25519 ? NULL : "SHA2-256";
	size_t len = SIGNATURE_MAX_LEN;
	uint8_t out[SIGNATURE_MAX_LEN];

	if (!ctx ||
	    EVP_DigestSignInit_ex(ctx, NULL, md, NULL, NULL, key->pkey, NULL) !=
		1 ||
	    EVP_DigestSign(ctx, out, &len, message.ptr, message.len) != 1)
		return failed(err, "to sign");
	buf_put(signature, bytes_of(out, len));
	return buf_ok(signature, err);
}
