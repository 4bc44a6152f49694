/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a policy. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/policy/policy_explain.h"
#include "tests/support/policy_equal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* Too large for the stack of a sanitizer build. */
static struct policy first, second;

static void
check_format(void)
{
	AUTO(buf) a = BUF_INIT(2 * POLICY_MAX_LEN);
	AUTO(buf) b = BUF_INIT(2 * POLICY_MAX_LEN);
	struct error err = {0};

	policy_format(&first, &a);
	must(buf_ok(&a, &err));
	must(policy_parse(buf_bytes(&a), &second, &err));
	must(policy_equal(&first, &second));
	policy_format(&second, &b);
	must(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
	policy_release(&second);
}

/* Each rule decides for the name that it was made for, and is whole. */
static void
check_rules(void)
{
	for (size_t i = 0; i < first.rule_count; i++) {
		const struct policy_rule *r = &first.rules[i];
		struct policy_rule_line list[POLICY_MAX_RULE_LINES];
		size_t n = policy_rule_lines(r, list);

		must(n >= 4 && n <= POLICY_MAX_RULE_LINES);
		must(party_set_count(&r->signed_by) > 0);
		must((r->fresh == FRESH_STATUS) ==
		    (party_set_count(&r->fresh_by) > 0));
		if (r->pattern.ptr[r->pattern.len - 1] != '*')
			must(policy_rule_for(&first, r->pattern) == r);
		for (size_t k = 0; k < r->approval_count; k++)
			must(r->approvals[k].needed > 0 &&
			    r->approvals[k].needed <=
				party_set_count(&r->approvals[k].parties));
		for (size_t k = 1; k < n; k++)
			must(list[k].line == 0 ||
			    list[k - 1].line < list[k].line);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};

	if (!policy_parse(bytes_of(data, size), &first, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT ||
		    err.code == ERR_CONFLICT);
		must(err.text[0] != '\0');
		return 0;
	}
	check_format();
	check_rules();
	policy_release(&first);
	return 0;
}
