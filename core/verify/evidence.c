/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verify/evidence.h"

#include <stdio.h>
#include <stdlib.h>

void
evidence_release(struct evidence *e)
{
	for (size_t i = 0; i < e->count; i++)
		claim_release(&e->claims[i]);
	free(e->claims);
	*e = (struct evidence){0};
}

bool
evidence_open(struct judge *j, const struct evidence_item *items, size_t count,
    struct evidence *out, struct error *err)
{
	*out = (struct evidence){0};
	if (count > EVIDENCE_MAX)
		return error_reason(err, ERR_LIMIT, "malformed-bundle",
		    "%zu bundles of evidence; at most %d are looked at", count,
		    EVIDENCE_MAX);
	out->claims = calloc(count > 0 ? count : 1, sizeof(*out->claims));
	if (!out->claims)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < count; i++) {
		struct claim *c = &out->claims[out->count++];

		if (items[i].json.len > EVIDENCE_FILE_MAX)
			(void)error_reason(err, ERR_LIMIT, "malformed-bundle",
			    "larger than %u bytes", EVIDENCE_FILE_MAX);
		else if (claim_open(c, items[i].source, items[i].json, err) &&
		    claim_statement(j, c, err))
			continue;
		return error_prefix(err, "%s", items[i].source);
	}
	return true;
}

static bool
any_of(const struct claim *c, const struct party_set *set)
{
	for (size_t i = 0; i < c->candidate_count; i++)
		if (party_set_has(set, c->candidates[i]->party))
			return true;
	return false;
}

static bool
names_digest(const struct claim *c, const struct hash *digest)
{
	for (size_t i = 0; i < c->statement.subject_count; i++)
		if (hash_equal(&c->statement.subjects[i].digest, digest))
			return true;
	return false;
}

/* Whether who signed `by` also signed `c`: the same key, or the same party. */
static bool
same_signer(const struct claim *by, const struct claim *c)
{
	if (hash_equal(&by->key_digest, &c->key_digest))
		return true;
	for (size_t i = 0; i < c->candidate_count; i++)
		for (size_t k = 0; k < by->candidate_count; k++)
			if (c->candidates[i]->party == by->candidates[k]->party)
				return true;
	return false;
}

static bool
may_withdraw(const struct policy_rule *rule, const struct claim *by,
    const struct claim *c)
{
	if (same_signer(by, c) || any_of(by, &rule->signed_by) ||
	    any_of(by, &rule->withdrawn_by))
		return true;
	for (size_t i = 0; i < rule->approval_count; i++)
		if (any_of(by, &rule->approvals[i].parties))
			return true;
	return false;
}

static bool
withdrawn_by(struct judge *j, const struct policy_rule *rule,
    const struct claim *by, const struct claim *c, struct error *err)
{
	struct bytes who = j->policy->parties[claim_party(by)];

	if (!names_digest(by, &c->digest) || !may_withdraw(rule, by, c))
		return true;
	return error_reason(err, ERR_DENIED, "withdrawn",
	    "withdrawn by %.*s (%.*s); see %s", (int)who.len,
	    (const char *)who.ptr, (int)by->statement.reason.len,
	    (const char *)by->statement.reason.ptr, by->source);
}

/* The index below which a revoked key's entries stay good; 0: none do. */
static uint64_t
revoked_from(struct judge *j, struct claim *by, const struct claim *c)
{
	struct error ignored = {0};

	if (by->statement.earlier_withdrawn || !c->logged)
		return 0;
	if (!claim_entry(j, by, &ignored) || !by->has_entry ||
	    !claim_inclusion(j, by, &ignored) ||
	    !claim_checkpoint(j, by, &ignored) || !claim_quorum(by, &ignored) ||
	    !bytes_equal(by->head.head.origin, c->head.head.origin))
		return 0;
	return by->entry.index;
}

static bool
revoked_by(struct judge *j, const struct policy_rule *rule, struct claim *by,
    const struct claim *c, struct error *err)
{
	uint64_t from;

	if (!names_digest(by, &c->key_digest) ||
	    (!hash_equal(&by->key_digest, &c->key_digest) &&
		!any_of(by, &rule->withdrawn_by)))
		return true;
	from = revoked_from(j, by, c);
	if (from > 0 && c->entry.index < from)
		return true;
	return error_reason(err, ERR_DENIED, "key-revoked",
	    "the key that signed this was revoked (%.*s); see %s",
	    (int)by->statement.reason.len,
	    (const char *)by->statement.reason.ptr, by->source);
}

bool
evidence_not_refused(struct judge *j, struct evidence *e,
    const struct policy_rule *rule, const struct claim *c, struct error *err)
{
	for (size_t i = 0; i < e->count; i++) {
		struct claim *by = &e->claims[i];
		bool withdrawal = by->statement.kind == STATEMENT_WITHDRAWAL;
		struct error why = {0};

		if (!withdrawal && by->statement.kind != STATEMENT_REVOCATION)
			continue;
		if (!claim_refusing(j, by, &why)) {
			/* By nobody the policy knows: anyone can write one. */
			if (why.code != ERR_INTERNAL)
				continue;
			*err = why;
			return false;
		}
		if (withdrawal ? !withdrawn_by(j, rule, by, c, err)
			       : !revoked_by(j, rule, by, c, err))
			return false;
	}
	return true;
}

/* All that a helping statement must pass. */
static bool
helps(struct judge *j, struct claim *c, const struct party_set *parties,
    bool logged, struct error *err)
{
	if (!claim_signature(j, c, err) || !claim_signer(j, c, parties, err) ||
	    !claim_entry(j, c, err))
		return false;
	if (logged && !c->has_entry)
		return error_reason(
		    err, ERR_DENIED, "no-entry", "it is not logged");
	if (c->has_entry && !claim_inclusion(j, c, err))
		return false;
	if (logged && (!claim_checkpoint(j, c, err) || !claim_quorum(c, err)))
		return false;
	return claim_times(j, c, err) && claim_certificate(j, c, err) &&
	    claim_limits(j, c, err);
}

/* An approval of this model by one of these parties, in force. */
static bool
approves(struct judge *j, struct evidence *e, const struct policy_rule *rule,
    const struct policy_approval *line, struct claim *c,
    const struct claim *model, struct error *err)
{
	const struct statement_subject *s = c->statement.subjects;

	if (!hash_equal(&s->digest, &model->digest) ||
	    !bytes_equal(s->name, model->statement.subjects[0].name))
		return error_set(
		    err, ERR_DENIED, "it is about another statement");
	return helps(j, c, &line->parties, rule->logged, err) &&
	    evidence_not_refused(j, e, rule, c, err);
}

static void
party_set_remove(struct party_set *s, size_t party)
{
	s->bits[party / 64] &= ~(UINT64_C(1) << party % 64);
}

static void
list_missing(
    const struct policy *p, const struct party_set *set, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->party_count && at + 1 < size; i++) {
		int n;

		if (!party_set_has(set, i))
			continue;
		n = snprintf(out + at, size - at, "%s%.*s", at ? ", " : "",
		    (int)p->parties[i].len, (const char *)p->parties[i].ptr);
		at += n > 0 ? (size_t)n : 0;
	}
}

static bool
line_met(struct judge *j, struct evidence *e, const struct policy_rule *rule,
    const struct policy_approval *line, const struct claim *model,
    struct error *err)
{
	struct party_set left = line->parties;
	struct error why = {0};
	unsigned got = 0;
	char who[128];

	/* Who signed the model does not count as its approver, under whatever
	 * names a certificate gives them. */
	for (size_t i = 0; i < model->candidate_count; i++)
		party_set_remove(&left, model->candidates[i]->party);
	for (size_t i = 0; i < e->count; i++) {
		struct claim *c = &e->claims[i];
		struct error no = {0};

		if (c->statement.kind != STATEMENT_APPROVAL)
			continue;
		if (!approves(j, e, rule, line, c, model, &no)) {
			why = no;
			(void)error_prefix(&why, "%s", c->source);
			if (no.code == ERR_INTERNAL)
				return *err = no, false;
			continue;
		}
		if (same_signer(c, model) ||
		    !party_set_has(&left, claim_party(c)))
			continue;
		party_set_remove(&left, claim_party(c));
		c->counted = true;
		got++;
	}
	if (got >= line->needed)
		return true;
	list_missing(j->policy, &left, who, sizeof(who));
	return error_reason(err, ERR_DENIED, "approval-missing",
	    "%u of %u approvals (line %u); missing: %s%s%.180s", got,
	    line->needed, line->line, who, why.text[0] ? "; " : "", why.text);
}

bool
evidence_approved(struct judge *j, struct evidence *e,
    const struct policy_rule *rule, const struct claim *model,
    struct error *err)
{
	for (size_t i = 0; i < rule->approval_count; i++)
		if (!line_met(j, e, rule, &rule->approvals[i], model, err))
			return false;
	return true;
}
