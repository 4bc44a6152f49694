/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_IDENTITY_TRUST_ROOT_H
#define MTLOG_CORE_IDENTITY_TRUST_ROOT_H

#include "core/tlog/note.h"

#define TRUST_ROOT_MAX_LEN	    (1024 * 1024) /* bytes of JSON */
#define TRUST_ROOT_MAX_LOGS	    32		  /* of each kind */
#define TRUST_ROOT_MAX_AUTHORITIES  32		  /* of each kind */
#define TRUST_ROOT_MAX_CERTIFICATES 8		  /* of an authority */

/* When something may be used: POSIX seconds, both ends included. */
struct trust_period {
	uint64_t start;
	uint64_t end; /* UINT64_MAX: open */
};

/*
 * A transparency log, of artifacts or of certificates. A key of a kind that is
 * not known here (a newer one, or PKCS #1) makes it one that nothing verifies
 * under: `usable` is false.
 */
struct trust_log {
	struct bytes url;
	struct bytes name; /* of its checkpoints: `url` without the scheme */
	bool usable;
	struct public_key key;
	struct hash log_id;
	struct trust_period valid;
};

/* An authority of certificates (Fulcio) or of time stamps. */
struct trust_authority {
	struct bytes uri; /* may be empty */
	size_t certificate_count;
	/* DER; the nearest first (a TSA: its own), the root last. */
	struct bytes certificates[TRUST_ROOT_MAX_CERTIFICATES];
	struct trust_period valid;
};

/*
 * What a Sigstore instance is trusted for (protobuf-specs
 * sigstore_trustroot.proto, trusted_root.json, media types of v0.1 and v0.2):
 *
 *	{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1",
 *	"tlogs":[{"baseUrl":"https://…","hashAlgorithm":"SHA2_256","publicKey":
 *	{"rawBytes":"…","keyDetails":"PKIX_ECDSA_P256_SHA_256","validFor":
 *	{"start":"2021-01-12T11:53:27Z"}},"logId":{"keyId":"…"}}],
 *	"certificateAuthorities":[{"uri":"…","certChain":{"certificates":
 *	[{"rawBytes":"…"}]},"validFor":{"start":"…","end":"…"}}],
 *	"ctlogs":[…],"timestampAuthorities":[…]}
 *
 * Fixed in size, some 20 KiB; the bytes are in `storage` (trust_root_release).
 */
struct trust_root {
	size_t log_count;
	struct trust_log logs[TRUST_ROOT_MAX_LOGS];
	size_t ct_log_count;
	struct trust_log ct_logs[TRUST_ROOT_MAX_LOGS];
	size_t ca_count;
	struct trust_authority cas[TRUST_ROOT_MAX_AUTHORITIES];
	size_t tsa_count;
	struct trust_authority tsas[TRUST_ROOT_MAX_AUTHORITIES];
	struct buf storage;
};

/*
 * trust_root_parse reads the whole JSON: members in any order, unknown ones
 * tolerated and never used, duplicate ones, another media type, bad base64, a
 * missing key, log ID, chain or start of a period refused. ERR_SYNTAX,
 * ERR_LIMIT. Release in either case.
 */
bool trust_root_parse(
    struct bytes json, struct trust_root *out, struct error *err) MUST_USE;
void trust_root_release(struct trust_root *r);

/*
 * trust_log_vkey makes the verifier key of a log's checkpoints (Ed25519 or
 * ECDSA). ERR_DENIED, reason "unknown-log", for a log that cannot have one.
 */
bool trust_log_vkey(
    const struct trust_log *log, struct vkey *out, struct error *err) MUST_USE;

/* trust_period_has tells whether `time` lies in the period. */
static inline bool
trust_period_has(const struct trust_period *p, uint64_t time)
{
	return p->start <= time && time <= p->end;
}

#endif
