/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_IDENTITY_TIMESTAMP_H
#define MTLOG_CORE_IDENTITY_TIMESTAMP_H

#include "core/identity/x509_chain.h"

#define TIMESTAMP_MAX_LEN 65536 /* bytes of a TimeStampResp */

/*
 * A time-stamp token (RFC 3161; a TimeStampResp in DER): an authority says that
 * some bytes existed at a time.
 *
 * timestamp_verify: status granted; the imprint is that of `message`, with
 * SHA-256, -384 or -512; exactly one signer, whose certificate (among
 * `certificates` or in the token) is the one that the signed ESSCertID names;
 * its chain (from both, too) ends in an anchor and is valid at the token's own
 * time for time stamping. `*time` is the token's time (POSIX seconds, a
 * fraction cut off), `*anchor` the number of the anchor. ERR_BADSIG for another
 * message or a wrong signature, ERR_DENIED for a signer who may not, ERR_SYNTAX,
 * ERR_LIMIT; reason "timestamp".
 */
bool timestamp_verify(struct bytes token, struct bytes message,
    size_t anchor_count, const struct bytes *anchors, size_t certificate_count,
    const struct bytes *certificates, uint64_t *time, size_t *anchor,
    struct error *err) MUST_USE;

/*
 * timestamp_verify_by is the same with the authority as a chain, of which
 * `time` is not used. Where its `leaf` is not empty, nobody else may have
 * signed, whatever the token contains (Sigstore's rule).
 */
bool timestamp_verify_by(struct bytes token, struct bytes message,
    const struct chain *authority, uint64_t *time, size_t *anchor,
    struct error *err) MUST_USE;

#endif
