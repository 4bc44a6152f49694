/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_JUDGE_H
#define MTLOG_CLIENT_LIB_SCAN_JUDGE_H

#include "client/lib/scan_book.h"
#include "client/lib/sources.h"

/* What a book says, judged by a policy: what verifying and issuing a status
 * have in common. */

/*
 * scan_head_of reads the head up to which every leaf was scanned, and how fresh
 * this policy's quorum says that it is: the book may have been made under
 * another. One that the quorum has not seen is not dated. ERR_IO.
 */
bool scan_head_of(const struct scan_book *b, const struct policy *p,
    struct scan_head *out, struct error *err) MUST_USE;

/* scan_by tells whether a credential of these parties signed this, within the
 * credential's `below`. */
bool scan_by(struct hasher *h, const struct policy *p, struct bytes origin,
    const struct party_set *parties, const struct scan_found *f);

/* scan_counts tells whether a missing envelope makes the scan incomplete: by a
 * signer of this policy, and the policy does not deny the digest. */
bool scan_counts(
    struct hasher *h, const struct policy *p, const struct scan_found *f);

/*
 * scan_newest finds, among the models of this name that a signed-by party of
 * the rule signed, the statement whose first entry has the highest index.
 */
bool scan_newest(const struct scan_book *b, const struct policy *p,
    const struct policy_rule *rule, struct bytes name, bool *has,
    struct hash *out, struct error *err) MUST_USE;

/* scan_missing counts the envelopes that are missing; `*first` is the lowest
 * index of such a leaf. */
bool scan_missing(const struct scan_book *b, const struct policy *p,
    uint64_t *count, uint64_t *first, struct error *err) MUST_USE;

/* scan_refusals adds the withdrawals and revocations about one of these digests
 * (S, or of a key). ERR_LIMIT if there are more than can be looked at. */
bool scan_refusals(const struct scan_book *b, const struct hash *about,
    size_t count, struct evidence_list *out, struct error *err) MUST_USE;

/* scan_origin is the log whose book it is. */
struct bytes scan_origin(const struct scan_book *b);

#endif
