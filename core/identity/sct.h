/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_IDENTITY_SCT_H
#define MTLOG_CORE_IDENTITY_SCT_H

#include "core/identity/certificate.h"
#include "core/identity/trust_root.h"

#define SCT_MAX 16 /* of a certificate */

/*
 * Signed certificate timestamps (RFC 6962 section 3.2), as a certificate
 * carries them: a log of certificates promised to show it.
 *
 *	u16 total { u16 length { u8 version (0), 32 log ID, u64 milliseconds,
 *	u16 length { extensions }, u8 4 (SHA-256), u8 3 or 1 (ECDSA, RSA),
 *	u16 length { signature } } … }
 *
 * What is signed is the certificate without that extension, and the key of its
 * issuer.
 *
 * sct_verify wants a good one from at least one log of `logs` that is known,
 * usable and valid at the time in it. Those of other logs are passed over, but
 * one of a known log that does not verify is an error. `issuer` is the subject
 * key (SPKI) of whoever issued `leaf`. ERR_BADSIG; ERR_DENIED where no log is
 * known or there is no timestamp at all; ERR_SYNTAX, ERR_LIMIT; reason "chain".
 */
bool sct_verify(const struct certificate *leaf, struct bytes issuer,
    size_t log_count, const struct trust_log *logs, struct key_verifier *v,
    struct error *err) MUST_USE;

#endif
