/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_POLICY_POLICY_EXPLAIN_H
#define MTLOG_CORE_POLICY_POLICY_EXPLAIN_H

#include "core/policy/policy.h"

#define POLICY_MAX_RULE_LINES (POLICY_MAX_APPROVALS + 6)

/* A requirement of a rule, for those who explain it. */
enum policy_line_kind {
	POLICY_LINE_SIGNED_BY = 1,
	POLICY_LINE_APPROVED_BY,
	POLICY_LINE_WITHDRAWN_BY,
	POLICY_LINE_LOGGED,
	POLICY_LINE_FRESH,
	POLICY_LINE_UNSIGNED,
	POLICY_LINE_HOLD,
};

struct policy_rule_line {
	enum policy_line_kind kind;
	size_t approval; /* POLICY_LINE_APPROVED_BY: which of them */
	unsigned line;	 /* 0: it is not written, but the default */
};

/*
 * policy_rule_lines lists what a rule asks for, in the order of the file, the
 * defaults last (`logged`, `unsigned` and `hold` are always in the list), and
 * returns how many there are. policy_rule_line_put appends one as a file has
 * it ("approved-by 2 alice bob").
 */
size_t policy_rule_lines(const struct policy_rule *r,
    struct policy_rule_line out[POLICY_MAX_RULE_LINES]);
void policy_rule_line_put(const struct policy *p, const struct policy_rule *r,
    const struct policy_rule_line *line, struct buf *out);

/* policy_credential_put appends a credential as a `signer` line has it behind
 * the name ("cert corp uri:https://…", "key MFkw…"), limits included. */
void policy_credential_put(
    const struct policy *p, const struct policy_credential *c, struct buf *out);

#endif
