/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verify/evidence.h"

static bool
stale(struct error *err, const char *text)
{
	return error_reason(err, ERR_DENIED, "no-fresh-status", "%s", text);
}

/* Whether this status speaks about our log and is young enough. */
static bool
status_usable(struct judge *j, const struct policy_rule *rule,
    const struct claim *c, const struct claim *model, struct error *err)
{
	const struct statement *s = &c->statement;

	if (s->checked > j->now + CLAIM_CLOCK_SKEW)
		return error_reason(err, ERR_DENIED, "clock",
		    "the status is from %llu s ahead of this machine's clock; "
		    "set the clock",
		    (unsigned long long)(s->checked - j->now));
	if (model->logged && !bytes_equal(s->log, model->head.head.origin))
		return stale(err, "the status is about another log");
	if (model->logged && s->tree_size <= model->entry.index)
		return stale(err, "the status is older than the model's entry");
	if (j->now > s->checked && j->now - s->checked > rule->fresh_seconds)
		return error_reason(err, ERR_DENIED, "status-expired",
		    "the newest status is %llu s old; the rule wants at most "
		    "%llu s",
		    (unsigned long long)(j->now - s->checked),
		    (unsigned long long)rule->fresh_seconds);
	return true;
}

static bool
listed(const struct hash *list, size_t count, const struct hash *want)
{
	for (size_t i = 0; i < count; i++)
		if (hash_equal(&list[i], want))
			return true;
	return false;
}

/* What the status says about the approvals that the model needed. */
static bool
approvals_stand(
    const struct evidence *e, const struct claim *status, struct error *err)
{
	const struct statement *s = &status->statement;

	for (size_t i = 0; i < e->count; i++) {
		const struct claim *c = &e->claims[i];

		if (c->counted &&
		    (listed(s->withdrawn, s->withdrawn_count, &c->digest) ||
			listed(s->revoked, s->revoked_count, &c->key_digest)))
			return error_reason(err, ERR_DENIED, "withdrawn",
			    "an approval was withdrawn, as the status says; "
			    "see %s",
			    status->source);
	}
	return true;
}

/* What the status says about this model. */
static bool
status_says(const struct claim *c, const struct claim *model, struct error *err)
{
	const struct statement *s = &c->statement;
	struct bytes name = model->statement.subjects[0].name;

	if (listed(s->withdrawn, s->withdrawn_count, &model->digest))
		return error_reason(err, ERR_DENIED, "withdrawn",
		    "withdrawn, as the status says; see %s", c->source);
	if (listed(s->revoked, s->revoked_count, &model->key_digest))
		return error_reason(err, ERR_DENIED, "key-revoked",
		    "the key that signed this was revoked, as the status says; "
		    "see %s",
		    c->source);
	for (size_t i = 0; i < s->subject_count; i++) {
		if (!bytes_equal(s->subjects[i].name, name))
			continue;
		if (hash_equal(&s->subjects[i].digest, &model->digest))
			return s->complete ||
			    stale(err, "the status says that it is incomplete");
		return error_reason(err, ERR_DENIED, "superseded",
		    "there is a newer statement of this name, as the status "
		    "says; see %s",
		    c->source);
	}
	return stale(err, "the status does not speak about this model");
}

static bool
signed_by_them(struct judge *j, struct claim *c, const struct policy_rule *rule,
    struct error *err)
{
	return claim_signature(j, c, err) &&
	    claim_signer(j, c, &rule->fresh_by, err) &&
	    claim_times(j, c, err) && claim_certificate(j, c, err) &&
	    claim_limits(j, c, err);
}

/* As in claim_refusing: the newest status may be the one that refuses. */
static bool
status_by(struct judge *j, struct claim *c, const struct policy_rule *rule,
    struct error *err)
{
	struct error first = {0};

	if (signed_by_them(j, c, rule, &first))
		return true;
	if (first.code != ERR_INTERNAL)
		return signed_by_them(j, c, rule, err);
	*err = first;
	return false;
}

bool
evidence_status(struct judge *j, struct evidence *e,
    const struct policy_rule *rule, const struct claim *model,
    const struct claim **out, struct error *err)
{
	struct error why = {0};

	*out = NULL;
	(void)stale(&why, "there is no status by who the rule names");
	for (size_t i = 0; i < e->count; i++) {
		struct claim *c = &e->claims[i];
		struct error no = {0};

		if (c->statement.kind != STATEMENT_STATUS)
			continue;
		if (!status_by(j, c, rule, &no)) {
			if (no.code == ERR_INTERNAL)
				return *err = no, false;
			continue;
		}
		if (!status_usable(j, rule, c, model, &no)) {
			why = no;
			continue;
		}
		if (!*out || c->statement.checked > (*out)->statement.checked)
			*out = c;
	}
	if (*out)
		return status_says(*out, model, err) &&
		    approvals_stand(e, *out, err);
	*err = why;
	return false;
}
