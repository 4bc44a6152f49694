/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_MLDSA_H
#define MTLOG_CORE_CRYPTO_MLDSA_H

#include "core/base/error.h"

#define MLDSA44_KEY_LEN	      1312
#define MLDSA44_SIGNATURE_LEN 2420

/*
 * mldsa44_available tells whether the OpenSSL at hand has ML-DSA-44
 * (3.5 and later, unless its configuration leaves it out).
 */
bool mldsa44_available(void) MUST_USE;

/*
 * mldsa44_verify checks a pure ML-DSA-44 signature (FIPS 204, empty context)
 * over whole `message` bytes. ERR_BADSIG, also for a wrong length; ERR_SYNTAX
 * for a key of another length; ERR_UNAVAILABLE where OpenSSL has no ML-DSA-44.
 */
bool mldsa44_verify(struct bytes key, struct bytes message,
    struct bytes signature, struct error *err) MUST_USE;

#endif
