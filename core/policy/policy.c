/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy/policy.h"

#include <stddef.h>

#include "core/model/statement.h"
#include "core/policy/policy_parts.h"

/* All but the quorum: its tables are large, and its counts say what is used. */
#define AFTER_QUORUM (offsetof(struct policy, quorum) + sizeof(struct quorum))

void
policy_clear(struct policy *p)
{
	_Static_assert(offsetof(struct policy, quorum) == 0, "it is first");
	quorum_init(&p->quorum);
	memset((char *)p + AFTER_QUORUM, 0, sizeof(*p) - AFTER_QUORUM);
}

void
policy_release(struct policy *p)
{
	arena_release(&p->storage);
	policy_clear(p);
}

bool
policy_party_find(const struct policy *p, struct bytes name, size_t *out)
{
	for (size_t i = 0; i < p->party_count; i++)
		if (bytes_equal(name, p->parties[i])) {
			*out = i;
			return true;
		}
	return false;
}

/* How well a pattern fits: 0 not at all, then the longer the better; exactly
 * fits best. */
static size_t
fit(struct bytes pattern, struct bytes name, bool valid)
{
	struct bytes prefix;

	if (bytes_equal(pattern, BYTES_LIT("*")))
		return 1;
	if (!valid)
		return 0;
	if (pattern.ptr[pattern.len - 1] != '*')
		return bytes_equal(pattern, name) ? SIZE_MAX : 0;
	prefix = bytes_slice(pattern, 0, pattern.len - 1);
	return bytes_starts(name, prefix) ? pattern.len : 0;
}

const struct policy_rule *
policy_rule_for(const struct policy *p, struct bytes name)
{
	bool valid = model_name_valid(name);
	const struct policy_rule *found = NULL;
	size_t best = 0;

	for (size_t i = 0; i < p->rule_count; i++) {
		size_t n = fit(p->rules[i].pattern, name, valid);

		if (n > best) {
			best = n;
			found = &p->rules[i];
		}
	}
	return found;
}
