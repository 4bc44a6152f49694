/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_WATCH_H
#define MTLOG_CLIENT_LIB_SCAN_WATCH_H

#include "core/model/entry.h"
#include "core/verify/claim.h"

/*
 * Which leaves of a log are those of a policy's signers. A certificate's chain
 * is judged at the certificate's own beginning, by what the leaf has: the
 * certificate alone, without intermediates. So one with a signer's name that no
 * CA of the policy issued may be that signer's or anybody's, unless the CA says
 * that no other is below it (path length 0).
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

enum scan_whose {
	SCAN_NOBODYS = 0, /* of the policy */
	SCAN_OURS,
	SCAN_UNDECIDED, /* a signer's, if there is a CA between */
};

/*
 * scan_watch_judge fills the claim as the verifier would: the key and the
 * credentials that the signer is or may be, all with a good signature. `c`
 * borrows from `e`. ERR_INTERNAL only.
 */
bool scan_watch_judge(struct judge *j, const struct entry *e, struct claim *c,
    enum scan_whose *whose, struct error *err) MUST_USE;

#endif
