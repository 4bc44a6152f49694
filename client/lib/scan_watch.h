/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_WATCH_H
#define MTLOG_CLIENT_LIB_SCAN_WATCH_H

#include "core/model/entry.h"
#include "core/verify/claim.h"

/*
 * Which leaves of a log are those of a policy's signers. A certificate's chain
 * is judged at the certificate's own beginning, by what the leaf has: the
 * certificate alone, without intermediates.
 */
struct scan_watch {
	const struct policy *policy;
	bool certificates; /* some credential is one */
	size_t key_count;
	struct bytes *keys; /* the SPKI in base64, as leaves have it */
	struct buf texts;
};

bool scan_watch_open(
    const struct policy *p, struct scan_watch *out, struct error *err) MUST_USE;
void scan_watch_close(struct scan_watch *w);

/* scan_watch_may is false for nearly every leaf that is nobody's, at the price
 * of a look: the others are judged. */
bool scan_watch_may(const struct scan_watch *w, struct bytes leaf);

/*
 * scan_watch_judge fills the claim as the verifier would: the key and the
 * credentials that the signer is, all with a good signature. `*ours` false: by
 * nobody of the policy. `c` borrows from `e`. ERR_INTERNAL only.
 */
bool scan_watch_judge(struct judge *j, const struct entry *e, struct claim *c,
    bool *ours, struct error *err) MUST_USE;

#endif
