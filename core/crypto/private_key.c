/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/base/cleanup.h"
#include "core/crypto/private_key_parts.h"

CLEANUP_PTR(BIO, BIO_free_all);
CLEANUP_PTR(EVP_PKEY_CTX, EVP_PKEY_CTX_free);

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
put_spki(EVP_PKEY *pkey, struct buf *out, struct error *err)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(pkey, &der);

	if (len <= 0)
		return openssl_refused(err, "to encode the public key");
	buf_put(out, bytes_of(der, (size_t)len));
	OPENSSL_free(der);
	return buf_ok(out, err);
}

/* What the key is, for someone who wonders why it is refused. */
static bool
other_key(EVP_PKEY *pkey, struct error *err)
{
	const char *known = "ECDSA P-256, P-384 or P-521, RSA 2048, 3072 or "
			    "4096, Ed25519";

	if (EVP_PKEY_is_a(pkey, "RSA"))
		return error_set(err, ERR_SYNTAX,
		    "an RSA private key of %d bits; keys have 2048, 3072 or "
		    "4096 and an odd exponent from 3 to 2^32 - 1",
		    EVP_PKEY_get_bits(pkey));
	if (EVP_PKEY_is_a(pkey, "EC"))
		return error_set(err, ERR_SYNTAX,
		    "an elliptic curve private key that is not on P-256, P-384 "
		    "or P-521, by name");
	return error_set(
	    err, ERR_SYNTAX, "the private key is not one of: %s", known);
}

/* Finds the algorithm by the public half, which must be one that
 * public_key_parse takes: named curve, uncompressed point. */
static bool
find_algorithm(EVP_PKEY *pkey, enum key_algorithm *out, struct error *err)
{
	AUTO(buf) spki = BUF_INIT(2 * PRIVATE_KEY_MAX_LEN);
	struct error why = {0};
	struct public_key key;

	if (!put_spki(pkey, &spki, err))
		return false;
	if (!public_key_parse(buf_bytes(&spki), &key, &why))
		return other_key(pkey, err);
	*out = key.algorithm;
	return true;
}

/*
 * A public half that is not the private one's would sign what nobody can
 * verify, and with Ed25519 give the key away. With RSA OpenSSL would look for
 * the primality of the factors, a fifth of a second; a signature tells, too.
 */
static bool
halves_agree(struct private_key *key, struct error *err)
{
	static const uint8_t digest[DIGEST_MAX_LEN];
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	AUTO_PTR(EVP_PKEY_CTX)
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	struct error why = {0};
	bool agree;

	if (!ctx)
		return openssl_refused(err, "to check the private key");
	if (EVP_PKEY_is_a(key->pkey, "RSA"))
		agree = private_key_sign_digest(key, DIGEST_SHA256,
		    bytes_of(digest, digest_len(DIGEST_SHA256)), &signature,
		    &why);
	else
		agree = EVP_PKEY_pairwise_check(ctx) == 1;
	return agree ||
	    error_set(err, ERR_SYNTAX,
		"the private key does not belong to its public key");
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
	    !halves_agree(key, err)) {
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
		(void)openssl_refused(err, "to read the private key");
		return NULL;
	}
	pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &p);
	if (pkey)
		return wrap(pkey, err);
	if (!p.asked)
		(void)error_set(err, ERR_SYNTAX,
		    "not a private key in PEM (PKCS#8, SEC1, PKCS#1)");
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

/* How OpenSSL makes a key: on a curve, of so many bits, or neither. */
static const struct {
	const char *type;
	const char *curve;
	size_t bits;
} kinds[] = {
    [KEY_ECDSA_P256] = {"EC", "P-256", 0},
    [KEY_ECDSA_P384] = {"EC", "P-384", 0},
    [KEY_ECDSA_P521] = {"EC", "P-521", 0},
    [KEY_RSA_2048] = {"RSA", NULL, 2048},
    [KEY_RSA_3072] = {"RSA", NULL, 3072},
    [KEY_RSA_4096] = {"RSA", NULL, 4096},
    [KEY_ED25519] = {"ED25519", NULL, 0},
};

struct private_key *
private_key_generate(enum key_algorithm algorithm, struct error *err)
{
	AUTO(error_queue) queue = {0};
	const char *type = kinds[algorithm].type;
	EVP_PKEY *pkey;

	if (kinds[algorithm].curve)
		pkey =
		    EVP_PKEY_Q_keygen(NULL, NULL, type, kinds[algorithm].curve);
	else if (kinds[algorithm].bits)
		pkey =
		    EVP_PKEY_Q_keygen(NULL, NULL, type, kinds[algorithm].bits);
	else
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, type);
	if (!pkey) {
		(void)openssl_refused(err, "to make a private key");
		return NULL;
	}
	return wrap(pkey, err);
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
