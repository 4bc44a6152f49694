/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan_status.h"

#include <stdlib.h>

#include "client/lib/scan_judge.h"
#include "core/base/cleanup.h"
#include "core/verify/evidence.h"

/* Summing up. */
struct summing {
	const struct scan_book *book;
	const struct policy *policy;
	struct judge judge;
	struct scan_summary *out;
};

void
scan_summary_release(struct scan_summary *s)
{
	free(s->newest);
	free(s->missing);
	free(s->withdrawn);
	free(s->revoked);
	*s = (struct scan_summary){0};
}

static void
put_hash(struct hash *list, size_t *count, const struct hash *h)
{
	for (size_t i = 0; i < *count; i++)
		if (hash_equal(&list[i], h))
			return;
	list[(*count)++] = *h;
}

static bool
put_newest(struct summing *s, const struct scan_found *f, struct error *err)
{
	const struct policy_rule *rule = policy_rule_for(s->policy, f->name);
	struct scan_newest_of *n = &s->out->newest[s->out->newest_count];
	struct hash newest;
	bool has;

	for (size_t i = 0; i < s->out->newest_count; i++)
		if (bytes_equal(s->out->newest[i].name, f->name))
			return true;
	if (!rule)
		return true;
	if (!scan_newest(s->book, s->policy, rule, f->name, &has, &newest, err))
		return false;
	if (!has)
		return true;
	*n = (struct scan_newest_of){
	    .name = f->name, .statement = newest, .index = UINT64_MAX};
	s->out->newest_count++;
	return true;
}

/* The first entry of each newest statement, for people. */
static bool
put_index(struct summing *s, const struct scan_found *f)
{
	const struct policy_rule *rule = policy_rule_for(s->policy, f->name);

	for (size_t i = 0; rule && i < s->out->newest_count; i++) {
		struct scan_newest_of *n = &s->out->newest[i];

		if (bytes_equal(n->name, f->name) &&
		    hash_equal(&n->statement, &f->statement) &&
		    f->index < n->index &&
		    scan_by(&s->judge.hasher, s->policy, s->out->origin,
			&rule->signed_by, f))
			n->index = f->index;
	}
	return true;
}

/* What evidence_not_refused looks at of a claim that is in the log. */
static void
claim_of(struct summing *s, const struct scan_found *f, struct claim *c)
{
	*c = (struct claim){
	    .source = "the log",
	    .digest = f->statement,
	    .key_digest = f->key,
	    .logged = true,
	    .has_entry = true,
	};
	c->head.head.origin = s->out->origin;
	c->entry.index = f->index;
	for (size_t i = 0; i < s->policy->credential_count; i++) {
		const struct policy_credential *p = &s->policy->credentials[i];
		struct hash id;

		scan_credential_id(&s->judge.hasher, s->policy, p, &id);
		if (scan_list_has(f->by, &id) &&
		    c->candidate_count < CLAIM_MAX_CANDIDATES)
			c->candidates[c->candidate_count++] = p;
	}
}

static bool
put_refused(struct summing *s, const struct scan_found *f, struct error *err)
{
	const struct policy_rule *rule = policy_rule_for(s->policy, f->name);
	struct hash about[2] = {f->statement, f->key};
	struct evidence_list list = {0};
	struct evidence evidence = {0};
	struct error why = {0};
	struct claim c;
	bool ok;

	claim_of(s, f, &c);
	/* Nobody of the policy any more: its book was made for more. */
	if (!rule || c.candidate_count == 0)
		return true;
	ok = scan_refusals(s->book, about, 2, &list, err) &&
	    evidence_open(&s->judge, list.items, list.count, &evidence, err);
	if (ok && !evidence_not_refused(&s->judge, &evidence, rule, &c, &why)) {
		ok = why.code == ERR_DENIED;
		if (ok)
			put_hash(s->out->withdrawn, &s->out->withdrawn_count,
			    &f->statement);
		else
			*err = why;
	}
	evidence_release(&evidence);
	evidence_list_release(&list);
	return ok;
}

/* Whether some rule lets these revoke the keys of others. */
static bool
may_revoke(const struct policy *p, const struct claim *by)
{
	if (hash_equal(&by->key_digest, &by->statement.subjects[0].digest))
		return true;
	for (size_t i = 0; i < p->rule_count; i++)
		for (size_t k = 0; k < by->candidate_count; k++)
			if (party_set_has(&p->rules[i].withdrawn_by,
				by->candidates[k]->party))
				return true;
	return false;
}

static bool
put_revoked(struct summing *s, const struct scan_found *f, struct error *err)
{
	const struct evidence_item item = {"the log", f->bundle};
	struct evidence e = {0};
	struct error why = {0};
	bool ok = evidence_open(&s->judge, &item, 1, &e, err);
	struct claim *by = e.claims;

	if (ok && by->statement.earlier_withdrawn &&
	    claim_refusing(&s->judge, by, &why) && may_revoke(s->policy, by))
		put_hash(s->out->revoked, &s->out->revoked_count,
		    &by->statement.subjects[0].digest);
	evidence_release(&e);
	if (ok && why.code == ERR_INTERNAL) {
		*err = why;
		return false;
	}
	return ok;
}

static void
put_missing(struct summing *s, const struct scan_found *f)
{
	struct scan_missing_leaf *m = &s->out->missing[s->out->missing_count++];

	*m = (struct scan_missing_leaf){
	    .index = f->index,
	    .digest = f->digest,
	    .why = f->missing,
	    .counts = scan_counts(&s->judge.hasher, s->policy, f),
	};
	if (m->counts)
		s->out->complete = false;
}

static bool
take(struct summing *s, const struct scan_found *f, struct error *err)
{
	struct scan_summary *o = s->out;

	if (f->missing.len > 0) {
		put_missing(s, f);
	} else if (scan_is_kind(f, STATEMENT_MODEL)) {
		o->models++;
		return put_newest(s, f, err) && put_refused(s, f, err);
	} else if (scan_is_kind(f, STATEMENT_APPROVAL)) {
		o->approvals++;
		return put_refused(s, f, err);
	} else if (scan_is_kind(f, STATEMENT_WITHDRAWAL)) {
		o->withdrawals++;
	} else if (scan_is_kind(f, STATEMENT_REVOCATION)) {
		o->revocations++;
		return put_revoked(s, f, err);
	} else {
		o->others++;
	}
	return true;
}

static int
by_name(const void *a, const void *b)
{
	const struct scan_newest_of *x = a, *y = b;
	size_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
	int order = n > 0 ? memcmp(x->name.ptr, y->name.ptr, n) : 0;

	return order != 0
	    ? order
	    : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static int
by_index(const void *a, const void *b)
{
	const struct scan_missing_leaf *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

/* Room for whatever can be found. */
static bool
make_room(struct scan_summary *o, size_t n, struct error *err)
{
	o->newest = calloc(n, sizeof(*o->newest));
	o->missing = calloc(n, sizeof(*o->missing));
	o->withdrawn = calloc(n, sizeof(*o->withdrawn));
	o->revoked = calloc(n, sizeof(*o->revoked));
	return (o->newest && o->missing && o->withdrawn && o->revoked) ||
	    error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
begin(struct summing *s, struct error *err)
{
	struct scan_summary *o = s->out;

	if (!scan_head_of(s->book, s->policy, &o->head, err))
		return false;
	if (!o->head.there)
		return error_set(
		    err, ERR_USAGE, "no scan of this log was finished yet");
	o->origin = scan_origin(s->book);
	s->judge.verifier = key_verifier_open(err);
	return s->judge.verifier && hasher_open(&s->judge.hasher, err) &&
	    scan_book_watches(s->book, s->policy, &o->complete, err);
}

static bool
each(struct summing *s,
    bool (*f)(struct summing *, const struct scan_found *, struct error *),
    struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(s->book->found, key, value)
	{
		struct scan_found found;

		if (!scan_found_read(s->book, value, &found, err) ||
		    !f(s, &found, err))
			return false;
	}
	return hasher_ok(&s->judge.hasher, err);
}

static bool
take_index(struct summing *s, const struct scan_found *f, struct error *err)
{
	(void)err;
	return !scan_is_kind(f, STATEMENT_MODEL) || put_index(s, f);
}

bool
scan_summarize(const struct scan_book *b, const struct policy *p, uint64_t now,
    struct scan_summary *out, struct error *err)
{
	struct summing s = {
	    .book = b,
	    .policy = p,
	    .judge = {.policy = p, .now = now},
	    .out = out,
	};
	bool ok;

	*out = (struct scan_summary){0};
	ok = make_room(out, json_object_size(b->found) + 1, err) &&
	    begin(&s, err) && each(&s, take, err) && each(&s, take_index, err);
	if (ok) {
		qsort(out->newest, out->newest_count, sizeof(*out->newest),
		    by_name);
		qsort(out->missing, out->missing_count, sizeof(*out->missing),
		    by_index);
	}
	hasher_release(&s.judge.hasher);
	key_verifier_close(s.judge.verifier);
	return ok;
}

static bool
fits(const struct scan_summary *s, struct error *err)
{
	if (!s->head.dated)
		return error_reason(err, ERR_DENIED, "no-fresh-status",
		    "no witness says how old the checkpoint is: a status would "
		    "promise what nobody knows");
	if (s->newest_count == 0)
		return error_set(err, ERR_USAGE,
		    "there is nothing to state: the log has no model that a "
		    "rule of this policy is about");
	if (s->newest_count > STATEMENT_MAX_SUBJECTS ||
	    s->withdrawn_count > STATEMENT_STATUS_LISTED ||
	    s->revoked_count > STATEMENT_STATUS_LISTED)
		return error_set(err, ERR_LIMIT,
		    "%zu names and %zu withdrawn statements are more than one "
		    "status holds; split the policy",
		    s->newest_count, s->withdrawn_count);
	return true;
}

bool
scan_status(
    const struct scan_summary *s, struct statement *out, struct error *err)
{
	*out = (struct statement){
	    .kind = STATEMENT_STATUS,
	    .log = s->origin,
	    .tree_size = s->head.size,
	    .root = s->head.root,
	    .checked = s->head.time,
	    .complete = s->complete,
	    .withdrawn_count = s->withdrawn_count,
	    .withdrawn = s->withdrawn,
	    .revoked_count = s->revoked_count,
	    .revoked = s->revoked,
	    .subject_count = s->newest_count,
	};
	if (!fits(s, err))
		return false;
	arena_init(&out->storage, STATEMENT_SIDE_MAX);
	out->subjects = arena_alloc(
	    &out->storage, s->newest_count, sizeof(*out->subjects), err);
	for (size_t i = 0; out->subjects && i < s->newest_count; i++)
		out->subjects[i] = (struct statement_subject){
		    s->newest[i].name, s->newest[i].statement};
	return out->subjects != NULL;
}
