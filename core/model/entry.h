/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_ENTRY_H
#define MTLOG_CORE_MODEL_ENTRY_H

#include "core/base/buf.h"
#include "core/crypto/key.h"

#define ENTRY_REQUEST_MAX (1024 * 1024) /* bytes of JSON in a submission */

/*
 * An entry of the log: Rekor v2's `hashedrekord` 0.0.2 (rekor-tiles
 * api/proto/rekor/v2). Who signed which digest, with which key.
 *
 *	{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":
 *	{"data":{"algorithm":"SHA2_256","digest":"…"},"signature":{"content":"…",
 *	"verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":
 *	{"rawBytes":"…"}}}}}}                        (one line, RFC 8785)
 *
 * Self-contained: the views point into `storage`. Release with entry_release.
 */
struct entry {
	enum digest_algorithm digest_algorithm;
	struct bytes digest;	/* raw, digest_len bytes */
	struct bytes signature; /* raw */
	struct bytes verifier;	/* DER: SPKI, or X.509 if is_certificate */
	bool is_certificate;
	struct public_key key; /* parsed from `verifier` */
	struct buf storage;
};

/*
 * entry_request_parse reads a submission: {"hashedRekordRequestV002":{…}} or
 * {"dsseRequestV002":{…}} (logged as the hash of its PAE), field names in
 * camelCase or snake_case, enums by name or number, base64 standard or
 * URL-safe. Checks everything except the signature itself: known and exactly
 * matching keyDetails, lengths, key form. Errors carry stable reasons (listed
 * in schema/openapi.yaml) and say what is wrong in the submitter's words.
 */
bool entry_request_parse(
    struct bytes json, struct entry *out, struct error *err) MUST_USE;

/* entry_verify checks the signature over the digest. ERR_BADSIG. */
bool entry_verify(
    const struct entry *e, struct key_verifier *v, struct error *err) MUST_USE;

/* entry_format appends the canonical leaf bytes ("canonicalizedBody"). */
void entry_format(const struct entry *e, struct buf *out);

/*
 * entry_parse reads canonical leaf bytes back; ERR_SYNTAX unless entry_format
 * would write exactly `leaf`.
 */
bool entry_parse(struct bytes leaf, struct entry *out, struct error *err)
    MUST_USE;

void entry_release(struct entry *e);

#endif
