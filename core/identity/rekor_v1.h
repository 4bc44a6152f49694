/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_IDENTITY_REKOR_V1_H
#define MTLOG_CORE_IDENTITY_REKOR_V1_H

#include "core/identity/trust_root.h"
#include "core/tlog/proof.h"

#define REKOR_V1_MAX_LEN (1024 * 1024) /* bytes of an entry's JSON */

/* The kinds of entry that are read, each in version 0.0.1. */
enum rekor_v1_kind { REKOR_V1_HASHEDREKORD = 1, REKOR_V1_DSSE };

/*
 * A TransparencyLogEntry (protobuf-specs sigstore_rekor.proto) of a Rekor v1
 * log: as tle.h has it, but with a time and the log's promise (the "signed
 * entry timestamp") over it:
 *
 *	{"logIndex":"206344181","logId":{"keyId":"…"},"kindVersion":{"kind":
 *	"dsse","version":"0.0.1"},"integratedTime":"1746236086",
 *	"inclusionPromise":{"signedEntryTimestamp":"…"},"inclusionProof":
 *	{"logIndex":"84439919", … },"canonicalizedBody":"…"}
 *
 * The index of the proof is another: that within the shard. The bytes are in
 * `storage` (rekor_v1_release).
 */
struct rekor_v1 {
	enum rekor_v1_kind kind;
	uint64_t index; /* over all shards */
	struct hash log_id;
	uint64_t time;	      /* POSIX seconds; believed with a promise only */
	struct bytes promise; /* signature; empty: none */
	bool has_proof;
	uint64_t proof_index;
	uint64_t size;
	struct hash root;
	struct proof proof;
	struct bytes checkpoint; /* the signed note */
	struct bytes body;	 /* the leaf */
	struct buf storage;
};

/*
 * rekor_v1_parse: members in any order, others ignored, numbers as strings or
 * integers. ERR_SYNTAX or ERR_LIMIT, reason "malformed-bundle"; another kind
 * (intoto, too): ERR_DENIED, "wrong-entry". Believes nothing. Release in either
 * case.
 */
bool rekor_v1_parse(struct bytes json, struct rekor_v1 *out, struct error *err)
    MUST_USE;
void rekor_v1_release(struct rekor_v1 *e);

/*
 * rekor_v1_verify checks what there is: the promise with the log's key; the
 * proof, to the root of a checkpoint that the log signed. One must be there,
 * and all that is there must be right. ERR_BADSIG: reason "log-signature"
 * (promise or checkpoint) or "inclusion"; ERR_DENIED "inclusion" without
 * either. Whether the log may be used at that time is the caller's question.
 */
bool rekor_v1_verify(const struct rekor_v1 *e, const struct trust_log *log,
    struct hasher *h, struct key_verifier *v, struct error *err) MUST_USE;

/* What an entry must be of: one DSSE envelope and its signer. */
struct rekor_v1_subject {
	struct hash payload;	  /* SHA-256 */
	struct hash signed_bytes; /* that of the pre-authentication encoding */
	struct bytes signature;
	struct bytes certificate; /* DER */
};

/*
 * rekor_v1_match compares the values in the body with the subject: digest,
 * signature and certificate, each. ERR_BADSIG or (malformed) ERR_SYNTAX, reason
 * "wrong-entry".
 */
bool rekor_v1_match(const struct rekor_v1 *e,
    const struct rekor_v1_subject *subject, struct error *err) MUST_USE;

#endif
