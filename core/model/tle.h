/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_TLE_H
#define MTLOG_CORE_MODEL_TLE_H

#include "core/base/buf.h"
#include "core/tlog/checkpoint.h"
#include "core/tlog/proof.h"

#define TLE_MAX_LEN (1024 * 1024)

/*
 * A TransparencyLogEntry (protobuf-specs sigstore_rekor.proto) as a Rekor v2
 * log answers it: an entry, its index, and its inclusion proof under a signed
 * checkpoint. JSON, int64 as strings, unset fields emitted:
 *
 *	{"logIndex":"7","logId":{"keyId":"…"},"kindVersion":{"kind":
 *	"hashedrekord","version":"0.0.2"},"integratedTime":"0",
 *	"inclusionPromise":null,"inclusionProof":{"logIndex":"7","rootHash":"…",
 *	"treeSize":"8","hashes":["…"],"checkpoint":{"envelope":"…"}},
 *	"canonicalizedBody":"…"}
 *
 * When formatting, the views are the caller's; a parsed one keeps its bytes in
 * `storage` (tle_release).
 */
struct tle {
	uint64_t index;
	struct hash log_id;
	uint64_t size;
	struct hash root;
	struct proof proof;
	struct bytes checkpoint; /* the signed note */
	struct bytes body;	 /* the leaf */
	struct buf storage;
};

/* tle_format appends the JSON. The checkpoint must be UTF-8. */
void tle_format(const struct tle *t, struct buf *out);

/*
 * tle_parse reads what logs of this kind answer: members in any order, others
 * ignored, numbers as strings or integers. Duplicate members, a second index
 * or size that differ, a wrong kind: ERR_SYNTAX. Believes nothing: see
 * tle_verify.
 */
bool tle_parse(struct bytes json, struct tle *out, struct error *err) MUST_USE;
void tle_release(struct tle *t);

/*
 * tle_verify checks the checkpoint's signature and origin with the log's key,
 * that root and size are the checkpoint's, and the inclusion of `leaf`, which
 * the caller has built itself: ERR_BADSIG unless it is the body's bytes too.
 */
bool tle_verify(const struct tle *t, const struct vkey *log, struct bytes leaf,
    struct hasher *h, struct key_verifier *verifier, struct error *err)
    MUST_USE;

#endif
