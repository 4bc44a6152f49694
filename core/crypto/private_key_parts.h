/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_PRIVATE_KEY_PARTS_H
#define MTLOG_CORE_CRYPTO_PRIVATE_KEY_PARTS_H

#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/crypto/private_key.h"

/* What the files private_key*.c share, and no one else has. */
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

static inline void
error_queue_release(struct error_queue *q)
{
	(void)q;
	ERR_clear_error();
}

/* openssl_refused is ERR_INTERNAL, "OpenSSL failed to …". */
static inline bool
openssl_refused(struct error *err, const char *doing)
{
	return error_set(err, ERR_INTERNAL, "OpenSSL failed %s", doing);
}

#endif
