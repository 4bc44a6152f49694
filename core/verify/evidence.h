/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_VERIFY_EVIDENCE_H
#define MTLOG_CORE_VERIFY_EVIDENCE_H

#include "core/verify/claim.h"

#define EVIDENCE_MAX	  64
#define EVIDENCE_FILE_MAX (256u * 1024) /* bytes of JSON of one */

/* A bundle that lay beside the model, was named, or came from the log. */
struct evidence_item {
	const char *source; /* a file name or address, for messages */
	struct bytes json;
};

/*
 * Statements about a model: approvals, withdrawals, revocations of keys,
 * statuses. What helps must be signed by who the rule names, and logged as the
 * rule says; what refuses counts as soon as its signature is good.
 */
struct evidence {
	size_t count;
	struct claim *claims;
};

/* evidence_open reads all. An unreadable one is an error, never an absence; a
 * model's statement among them says nothing. Release with evidence_release. */
bool evidence_open(struct judge *j, const struct evidence_item *items,
    size_t count, struct evidence *out, struct error *err) MUST_USE;
void evidence_release(struct evidence *e);

/*
 * evidence_not_refused: no withdrawal of this claim's statement by its signer
 * or a party of the rule, and no revocation of its key. "withdrawn",
 * "key-revoked".
 */
bool evidence_not_refused(struct judge *j, struct evidence *e,
    const struct policy_rule *rule, const struct claim *c, struct error *err)
    MUST_USE;

/* evidence_approved: each approved-by line has its number of parties who
 * approved this model's S. "approval-missing" names who has not. */
bool evidence_approved(struct judge *j, struct evidence *e,
    const struct policy_rule *rule, const struct claim *model,
    struct error *err) MUST_USE;

/* evidence_status finds the newest status by a party of the rule that is young
 * enough and does not refuse. "no-fresh-status", "status-expired",
 * "withdrawn", "key-revoked", "superseded". */
bool evidence_status(struct judge *j, struct evidence *e,
    const struct policy_rule *rule, const struct claim *model,
    const struct claim **out, struct error *err) MUST_USE;

#endif
