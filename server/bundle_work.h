/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_BUNDLE_WORK_H
#define MTLOG_SERVER_BUNDLE_WORK_H

#include "core/crypto/key.h"
#include "core/model/bundle.h"
#include "core/tlog/note.h"
#include "server/enclosure.h"
#include "server/tree.h"

/* Largest body of POST /api/v1/bundles: an envelope in base64, certificates,
 * entries of other logs. */
#define BUNDLE_BODY_MAX (2u << 20)

/*
 * A submitted bundle, between its arrival and its answer; or the envelope of a
 * submission as Rekor v2 takes it, which has nothing but that (`of_request`).
 */
struct bundle_work {
	struct bundle bundle;
	struct buf spki; /* of the header; for BUNDLE_KEY */
	bool of_request;
	struct buf type, payload; /* then: what `bundle.envelope` views */
	bool enclosed;		  /* `enclosure` has been made */
	struct enclosure enclosure;
};

/*
 * bundle_work_parse reads the bundle, makes the leaf that a log must hold for
 * it, and the entry of that. `key` is the header that brings the public key of
 * a bundle that has none (base64 of the SPKI). ERR_SYNTAX, ERR_LIMIT; reasons
 * "malformed-bundle", "missing-key", "key-form", "certificate-form",
 * "signature-form". Release with bundle_work_release in either case.
 */
bool bundle_work_parse(struct bundle_work *b, struct bytes json,
    struct bytes key, struct buf *leaf, struct entry *e, struct error *err)
    MUST_USE;
void bundle_work_release(struct bundle_work *b);

/*
 * bundle_work_of_request reads a submission as Rekor v2 takes it, with the
 * errors of entry_request_parse. `*has` tells whether it brought an envelope
 * whose statement may be one that is kept; whether it is, bundle_work_enclose
 * finds out.
 */
bool bundle_work_of_request(struct bundle_work *b, struct bytes json,
    struct entry *e, bool *has, struct error *err) MUST_USE;

/* bundle_work_enclose makes the enclosure once; see enclosure_make. */
bool bundle_work_enclose(struct bundle_work *b, struct hasher *h,
    const struct entry *e, struct error *err) MUST_USE;

/*
 * bundle_work_complete appends the bundle with the log entry `tle` (JSON) in
 * it, in place of one of the same log; entries of other logs stay. Then reads
 * back what it wrote, and verifies the entry against the log's key and `leaf`:
 * ERR_INTERNAL "proof-failed". ERR_LIMIT: too many entries.
 */
bool bundle_work_complete(const struct bundle_work *b, struct bytes tle,
    struct bytes leaf, const struct vkey *log, struct hasher *h,
    struct key_verifier *v, struct buf *out, struct error *err) MUST_USE;

#endif
