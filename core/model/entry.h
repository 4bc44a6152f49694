/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_ENTRY_H
#define MTLOG_CORE_MODEL_ENTRY_H

#include "core/base/buf.h"
#include "core/crypto/key.h"

#define ENTRY_REQUEST_MAX   (1024 * 1024) /* bytes of JSON in a submission */
#define ENTRY_LEAF_MAX	    24576	  /* bytes of the longest leaf */
#define ENTRY_DSSE_TYPE_MAX 255		  /* bytes of a DSSE payloadType */

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
 * matching keyDetails, lengths, key and signature form. `null` is an absent
 * field, as in protojson; an empty `bytes` or string, too. Errors name the
 * field in the submitter's spelling and carry one of these stable reasons
 * (schema/openapi.yaml lists them too):
 *
 *	too-large             more than ENTRY_REQUEST_MAX bytes (ERR_LIMIT)
 *	bad-json              no JSON, a field twice, trailing data, invalid
 *	                      UTF-8 or deep nesting
 *	unknown-field         not in the request's definition
 *	duplicate-field       both spellings, camelCase and snake_case
 *	conflicting-fields    both requests, or both a key and a certificate
 *	missing-field         a required field is absent, null or empty
 *	field-type            an object, array, string or number is another
 *	bad-base64            a `bytes` field is not base64
 *	digest-length         not the length of the hash keyDetails names
 *	key-details-unknown   a keyDetails that is not logged here
 *	key-details-mismatch  keyDetails of another kind than the key
 *	key-form              not a public key in DER of a known kind; also
 *	                      entry_verify, for a point not on its curve
 *	certificate-form      not an X.509 certificate in DER with such a key
 *	signature-form        not a signature of that kind of key (an ECDSA one
 *	                      as raw r and s, say)
 *	signature-invalid     the signature does not verify (entry_verify)
 *	payload-type          a payloadType over ENTRY_DSSE_TYPE_MAX bytes
 *	too-many-signatures   an envelope with more than the one that is logged
 *	too-many-verifiers    likewise
 *
 * All are ERR_SYNTAX but too-large and a key or certificate over its limit
 * (ERR_LIMIT) and signature-invalid (ERR_BADSIG).
 */
bool entry_request_parse(
    struct bytes json, struct entry *out, struct error *err) MUST_USE;

/*
 * entry_request_parse_whole is the same, and gives the envelope of a
 * dsseRequestV002, of which the leaf has a digest only: its payload type and
 * payload replace what the two empty buffers hold, which stay empty for a
 * hashedRekordRequestV002.
 */
bool entry_request_parse_whole(struct bytes json, struct entry *out,
    struct buf *type, struct buf *payload, struct error *err) MUST_USE;

/* entry_verify checks the signature over the digest. ERR_BADSIG; ERR_SYNTAX if
 * the key is no point on its curve. */
bool entry_verify(
    const struct entry *e, struct key_verifier *v, struct error *err) MUST_USE;

/* entry_format appends the canonical leaf bytes ("canonicalizedBody"), at most
 * ENTRY_LEAF_MAX of them. */
void entry_format(const struct entry *e, struct buf *out);

/* entry_key_details is the keyDetails word of a kind of key as a leaf has it;
 * entry_key_details_find looks one up by name, false if it is not logged here.
 */
const char *entry_key_details(enum key_algorithm algorithm);
bool entry_key_details_find(struct bytes name, enum key_algorithm *out)
    MUST_USE;

/*
 * entry_parse reads canonical leaf bytes back; ERR_SYNTAX unless entry_format
 * would write exactly `leaf`.
 */
bool entry_parse(struct bytes leaf, struct entry *out, struct error *err)
    MUST_USE;

/*
 * entry_fill makes an entry of its raw parts, which are copied: what the two
 * parsers above have in common. The digest must have the length that belongs
 * to the key; the signature is not looked at beyond being there and within
 * SIGNATURE_MAX_LEN. ERR_SYNTAX, ERR_LIMIT.
 */
bool entry_fill(struct entry *out, struct bytes digest, struct bytes signature,
    struct bytes verifier, bool is_certificate, struct error *err) MUST_USE;

/* entry_release frees the storage; safe on zero, twice. */
void entry_release(struct entry *e);

#endif
