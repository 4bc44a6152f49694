/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_POLICY_EQUAL_H
#define MTLOG_TESTS_SUPPORT_POLICY_EQUAL_H

#include "core/policy/policy.h"

/* Whether two policies say the same: all but their lines and digests. */

static inline bool
party_set_equal(const struct party_set *a, const struct party_set *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool
credential_equal(
    const struct policy_credential *a, const struct policy_credential *b)
{
	return a->party == b->party && a->kind == b->kind &&
	    bytes_equal(a->spki, b->spki) && hash_equal(&a->key, &b->key) &&
	    a->ca == b->ca && a->name.kind == b->name.kind &&
	    bytes_equal(a->name.value, b->name.value) &&
	    bytes_equal(a->issuer, b->issuer) && a->has_until == b->has_until &&
	    a->until == b->until &&
	    bytes_equal(a->below_origin, b->below_origin) &&
	    a->below == b->below;
}

static inline bool
rule_equal(const struct policy_rule *a, const struct policy_rule *b)
{
	if (!bytes_equal(a->pattern, b->pattern) ||
	    !party_set_equal(&a->signed_by, &b->signed_by) ||
	    a->approval_count != b->approval_count ||
	    !party_set_equal(&a->withdrawn_by, &b->withdrawn_by) ||
	    a->logged != b->logged || a->fresh != b->fresh ||
	    a->fresh_seconds != b->fresh_seconds ||
	    !party_set_equal(&a->fresh_by, &b->fresh_by) ||
	    a->unsigned_ignored != b->unsigned_ignored || a->hold != b->hold)
		return false;
	for (size_t i = 0; i < a->approval_count; i++)
		if (a->approvals[i].needed != b->approvals[i].needed ||
		    !party_set_equal(
			&a->approvals[i].parties, &b->approvals[i].parties))
			return false;
	return true;
}

static inline bool
policy_lists_equal(const struct policy *a, const struct policy *b)
{
	for (size_t i = 0; i < a->ca_count; i++)
		if (!bytes_equal(a->cas[i].name, b->cas[i].name) ||
		    !bytes_equal(a->cas[i].der, b->cas[i].der) ||
		    !hash_equal(&a->cas[i].key, &b->cas[i].key))
			return false;
	for (size_t i = 0; i < a->party_count; i++)
		if (!bytes_equal(a->parties[i], b->parties[i]))
			return false;
	for (size_t i = 0; i < a->credential_count; i++)
		if (!credential_equal(&a->credentials[i], &b->credentials[i]))
			return false;
	for (size_t i = 0; i < a->deny_count; i++)
		if (a->denies[i].kind != b->denies[i].kind ||
		    !hash_equal(&a->denies[i].digest, &b->denies[i].digest))
			return false;
	for (size_t i = 0; i < a->rule_count; i++)
		if (!rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

/* The log and witness lines are compared by test_quorum and fuzz_quorum. */
static inline bool
policy_equal(const struct policy *a, const struct policy *b)
{
	return a->quorum.log_count == b->quorum.log_count &&
	    a->quorum.witness_count == b->quorum.witness_count &&
	    a->quorum.group_count == b->quorum.group_count &&
	    a->quorum.kind == b->quorum.kind &&
	    a->quorum.index == b->quorum.index && a->serial == b->serial &&
	    a->has_expires == b->has_expires && a->expires == b->expires &&
	    a->ca_count == b->ca_count && a->party_count == b->party_count &&
	    a->credential_count == b->credential_count &&
	    a->deny_count == b->deny_count && a->rule_count == b->rule_count &&
	    policy_lists_equal(a, b);
}

#endif
