/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_BUNDLE_H
#define MTLOG_CORE_MODEL_BUNDLE_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/model/dsse.h"

#define BUNDLE_MAX_LEN		(128u << 20) /* bytes of JSON */
#define BUNDLE_MAX_CERTIFICATES 10
#define BUNDLE_MAX_ENTRIES	32
#define BUNDLE_MAX_TIMESTAMPS	32

/* What a signature is verified with. */
enum bundle_material {
	BUNDLE_KEY = 1,	    /* publicKey: the verifier brings the key */
	BUNDLE_CERTIFICATE, /* certificate: one, Sigstore v0.3 */
	BUNDLE_CHAIN,	    /* x509CertificateChain: leaf first */
};

/*
 * A Sigstore bundle with a DSSE envelope (protobuf-specs sigstore_bundle.proto;
 * OMS v1.0): media types of v0.1 to v0.3, JSON of protobuf. Exactly one
 * signature. Unknown members are tolerated and never used; duplicate ones, more
 * than one kind of material, a messageSignature, bad base64, an entry or time
 * stamp twice, and sizes over the limits are refused. `null` is an absent
 * member, as in protojson. Does not borrow: the JSON may be freed.
 *
 * A chain is read in every version: OMS puts one into v0.3, Sigstore does not.
 * What a publicKey holds beside its hint (older releases of model_signing put
 * the key itself there) is never used. Which payloadType it is, and that an
 * entry is one, is for the caller to see.
 *
 *	{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
 *	"verificationMaterial":{"publicKey":{"hint":"…"},"tlogEntries":[…],
 *	"timestampVerificationData":{"rfc3161Timestamps":
 *	[{"signedTimestamp":"…"}]}},"dsseEnvelope":{"payload":"…",
 *	"payloadType":"application/vnd.in-toto+json","signatures":
 *	[{"sig":"…","keyid":""}]}}
 */
struct bundle {
	unsigned version; /* 1, 2, 3: of v0.1, v0.2, v0.3 */
	enum bundle_material material;
	struct bytes hint; /* BUNDLE_KEY; empty: none */
	size_t certificate_count;
	struct bytes certificates[BUNDLE_MAX_CERTIFICATES]; /* DER */
	struct envelope envelope;
	size_t entry_count;
	struct bytes entries[BUNDLE_MAX_ENTRIES]; /* an object: tle_parse */
	size_t timestamp_count;
	struct bytes timestamps[BUNDLE_MAX_TIMESTAMPS]; /* DER TimeStampResp */
	struct arena storage;
};

/* bundle_parse: ERR_SYNTAX or ERR_LIMIT, reason "malformed-bundle". Release
 * with bundle_release in either case. */
bool bundle_parse(struct bytes json, struct bundle *out, struct error *err)
    MUST_USE;
void bundle_release(struct bundle *b);

/* bundle_format appends the bundle as v0.3 (OMS: a chain stays a chain), on one
 * line if the entries are, which are put in as they are: those of bundle_parse
 * have lost their white space. */
void bundle_format(const struct bundle *b, struct buf *out);

/*
 * bundle_leaf appends the leaf (hashedrekord 0.0.2) that a log must hold for
 * this bundle: built from the bundle alone, with `verifier` (the SPKI of the
 * caller's key for BUNDLE_KEY, else the first certificate). ERR_SYNTAX.
 */
bool bundle_leaf(const struct bundle *b, struct bytes verifier, struct buf *out,
    struct error *err) MUST_USE;

#endif
