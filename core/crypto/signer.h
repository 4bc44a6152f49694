/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_SIGNER_H
#define MTLOG_CORE_CRYPTO_SIGNER_H

#include "core/crypto/private_key.h"

/*
 * How anything signs a digest, whatever holds the key: memory (signer_of_key)
 * or a PKCS#11 token (io/pkcs11.h). `spki` is the public half.
 *
 * `sign` appends a signature as key_verify_digest takes it. The digest must be
 * the one that belongs to the key (ERR_USAGE). What it gives out it has
 * verified. `arg` is borrowed: what it points to outlives the signer.
 */
struct signer {
	bool (*sign)(void *arg, enum digest_algorithm alg, struct bytes digest,
	    struct buf *signature, struct error *err);
	void *arg;
	struct buf spki;
	enum key_algorithm algorithm;
};

/* signer_of_key makes a signer of a key in memory, which stays the caller's to
 * close after the signer. Release with signer_release; {0} is released. */
bool signer_of_key(
    struct private_key *key, struct signer *out, struct error *err) MUST_USE;
void signer_release(struct signer *s);

/*
 * signature_confirm verifies a signature that was just made, for those who
 * write a `sign`: one that does not verify is nobody's forgery but a fault of
 * the key or of what holds it (ERR_INTERNAL), and may not leave.
 */
bool signature_confirm(struct bytes spki, enum digest_algorithm alg,
    struct bytes digest, struct bytes signature, struct error *err) MUST_USE;

#endif
