/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_PRIVATE_KEY_H
#define MTLOG_CORE_CRYPTO_PRIVATE_KEY_H

#include "core/crypto/key.h"

#define PRIVATE_KEY_MAX_LEN 65536 /* bytes of PEM */
#define PASSPHRASE_MAX_LEN  1024

/* A private key in memory. Opaque; holds secrets until closed. */
struct private_key;

/*
 * private_key_parse reads the first key of a PEM text: PKCS#8 (plain or
 * encrypted), SEC1 or PKCS#1, of any algorithm above. `passphrase` is empty for
 * a plain key; an encrypted key with an empty or wrong passphrase is
 * ERR_DENIED, never a prompt. NULL on failure. Caller closes.
 */
struct private_key *private_key_parse(
    struct bytes pem, struct bytes passphrase, struct error *err) MUST_USE;
void private_key_close(struct private_key *key);

/* private_key_generate makes a new key; RSA with exponent 65537. */
struct private_key *private_key_generate(
    enum key_algorithm algorithm, struct error *err) MUST_USE;

/* private_key_format appends PEM PKCS#8, encrypted (AES-256-CBC, scrypt) if
 * `passphrase` is not empty. */
bool private_key_format(const struct private_key *key, struct bytes passphrase,
    struct buf *pem, struct error *err) MUST_USE;

/* private_key_public appends the DER SubjectPublicKeyInfo. */
bool private_key_public(const struct private_key *key, struct buf *spki,
    struct error *err) MUST_USE;

enum key_algorithm private_key_algorithm(const struct private_key *key);

/* private_key_sign appends what key_verify_message takes: pure Ed25519, ECDSA
 * in DER or RSA PKCS#1 v1.5 over the key's digest of `message`. */
bool private_key_sign(struct private_key *key, struct bytes message,
    struct buf *signature, struct error *err) MUST_USE;

/* private_key_sign_digest appends what key_verify_digest takes, after it has
 * verified it. ERR_USAGE if the digest is not the one of the key. */
bool private_key_sign_digest(struct private_key *key, enum digest_algorithm alg,
    struct bytes digest, struct buf *signature, struct error *err) MUST_USE;

#endif
