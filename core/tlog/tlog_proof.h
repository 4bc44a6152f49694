/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_TLOG_PROOF_H
#define MTLOG_CORE_TLOG_TLOG_PROOF_H

#include "core/tlog/checkpoint.h"
#include "core/tlog/proof.h"

#define TLOG_PROOF_MAX_LEN   (NOTE_MAX_LEN + 65536)
#define TLOG_PROOF_EXTRA_MAX 49152 /* base64 digits of the extra data */

/*
 * A proof that verifies offline with nothing but the log's key
 * (c2sp.org/tlog-proof):
 *
 *	c2sp.org/tlog-proof@v1
 *	extra <base64>                  optional, not authenticated
 *	index <decimal>
 *	<base64 hash>                   leaf to root, one a line
 *
 *	<the signed checkpoint, verbatim>
 *
 * The views borrow from the text that was parsed.
 */
struct tlog_proof {
	struct bytes extra; /* base64 as it stands there; empty: none */
	uint64_t index;
	struct proof proof;
	struct bytes checkpoint;
};

/*
 * tlog_proof_parse reads exactly what tlog_proof_format writes. ERR_SYNTAX,
 * ERR_LIMIT. `out` borrows from `text` and needs no release.
 */
bool tlog_proof_parse(
    struct bytes text, struct tlog_proof *out, struct error *err) MUST_USE;
void tlog_proof_format(const struct tlog_proof *p, struct buf *out);

/*
 * tlog_proof_verify: the checkpoint is signed by `log` and of its origin, and
 * includes the leaf hash at the index, in this order. `*head` is the
 * checkpoint, borrowing from the proof, and means nothing on failure.
 * ERR_BADSIG (reason "log-signature" or "inclusion"), ERR_SYNTAX. No witness is
 * asked for: see quorum_verify_proof.
 */
bool tlog_proof_verify(const struct tlog_proof *p, const struct hash *leaf,
    const struct vkey *log, struct hasher *h, struct key_verifier *verifier,
    struct checkpoint *head, struct error *err) MUST_USE;

/*
 * tlog_proof_verify_inclusion is the last of these checks alone, for a `head`
 * that the caller has authenticated. ERR_BADSIG, reason "inclusion".
 */
bool tlog_proof_verify_inclusion(const struct tlog_proof *p,
    const struct hash *leaf, const struct checkpoint *head, struct hasher *h,
    struct error *err) MUST_USE;

#endif
