/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/lib/scan_judge.h"
#include "core/base/cleanup.h"
#include "core/identity/certificate.h"
#include "core/model/bundle.h"
#include "core/model/tle.h"

/* S and key of each bundle, and the policy's keys: a bundle that is signed with
 * a bare key does not say with which. */
#define SUBJECTS_MAX (2 * (EVIDENCE_MAX + 1) + POLICY_MAX_CREDENTIALS)

struct subjects {
	struct hasher hasher;
	size_t count;
	struct hash list[SUBJECTS_MAX];
	char origin[NOTE_NAME_MAX + 1]; /* of the model's entry; "": none */
	struct bytes name;		/* borrows from `statement` */
	struct statement statement;
	struct bundle model;
};

static void
add(struct subjects *s, const struct hash *h)
{
	if (s->count < SUBJECTS_MAX)
		s->list[s->count++] = *h;
}

/* What is malformed is for verify() to say; only memory matters here. */
static bool
passable(struct error *why, struct error *err)
{
	if (why->code != ERR_INTERNAL)
		return true;
	*err = *why;
	return false;
}

static bool
add_bundle(struct subjects *s, const struct bundle *b, struct error *err)
{
	struct certificate leaf;
	struct error why = {0};
	struct hash digest;

	if (!dsse_statement_digest(&b->envelope, &digest, err))
		return false;
	add(s, &digest);
	if (b->certificate_count == 0)
		return true;
	if (!certificate_parse(b->certificates[0], &leaf, &why))
		return passable(&why, err);
	sha256(&s->hasher, leaf.key.spki, &digest);
	add(s, &digest);
	return hasher_ok(&s->hasher, err);
}

static bool
add_evidence(
    struct subjects *s, const struct evidence_list *l, struct error *err)
{
	bool ok = true;

	for (size_t i = 0; ok && i < l->count; i++) {
		struct bundle b = {0};
		struct error why = {0};

		ok = bundle_parse(l->items[i].json, &b, &why)
		    ? add_bundle(s, &b, err)
		    : passable(&why, err);
		bundle_release(&b);
	}
	return ok;
}

/* The log whose entry the bundle has, if the policy knows it. */
static bool
find_origin(struct subjects *s, const struct policy *p, struct error *err)
{
	for (size_t i = 0; i < s->model.entry_count; i++) {
		AUTO(tle) t = {0};
		AUTO(note) note = {0};
		struct checkpoint head;
		struct error why = {0};

		if (!tle_parse(s->model.entries[i], &t, &why) ||
		    !note_parse(t.checkpoint, &note, &why) ||
		    !checkpoint_parse(note.text, &head, &why)) {
			if (!passable(&why, err))
				return false;
			continue;
		}
		for (size_t k = 0; k < p->quorum.log_count; k++)
			if (bytes_equal(head.origin,
				vkey_name(&p->quorum.logs[k].key)) &&
			    !s->origin[0])
				(void)snprintf(s->origin, sizeof(s->origin),
				    "%.*s", (int)head.origin.len,
				    (const char *)head.origin.ptr);
	}
	return true;
}

static bool
read_model(struct subjects *s, const struct policy *p, struct bytes json,
    struct error *err)
{
	struct error why = {0};

	if (!bundle_parse(json, &s->model, &why))
		return passable(&why, err);
	if (!add_bundle(s, &s->model, err) || !find_origin(s, p, err))
		return false;
	if (!statement_parse(s->model.envelope.payload, &s->statement, &why))
		return passable(&why, err);
	s->name = s->statement.subjects[0].name;
	return true;
}

static bool
fill(const struct scan_book *b, const struct policy *p, struct bytes name,
    struct scan_view *out, struct error *err)
{
	const struct policy_rule *rule = policy_rule_for(p, name);
	struct verify_scan *s = &out->scan;
	struct scan_head head;

	if (!scan_head_of(b, p, &head, err))
		return false;
	out->there = head.there;
	if (!head.there)
		return true;
	(void)snprintf(out->origin, sizeof(out->origin), "%.*s",
	    (int)scan_origin(b).len, (const char *)scan_origin(b).ptr);
	*s = (struct verify_scan){
	    .origin = bytes_str(out->origin),
	    .size = head.size,
	    .root = head.root,
	    .dated = head.dated,
	    .time = head.time,
	};
	if (!scan_book_watches(b, p, &s->covers, err) ||
	    !scan_missing(b, p, &s->missing, &s->missing_first, err))
		return false;
	s->complete = s->missing == 0;
	return !rule ||
	    scan_newest(b, p, rule, name, &s->has_newest, &s->newest, err);
}

static bool
read_books(const char *dir, const struct policy *p, struct subjects *s,
    struct evidence_list *l, struct scan_view *out, struct error *err)
{
	bool ok = true;

	for (size_t i = 0; ok && i < p->quorum.log_count; i++) {
		struct bytes origin = vkey_name(&p->quorum.logs[i].key);
		struct scan_book *b = scan_book_open(dir, origin, err);

		ok = b && scan_refusals(b, s->list, s->count, l, err) &&
		    (!bytes_equal(origin, bytes_str(s->origin)) ||
			fill(b, p, s->name, out, err));
		scan_book_close(b);
	}
	return ok;
}

bool
scan_view_read(const char *dir, const struct policy *policy,
    struct bytes bundle, struct evidence_list *l, struct scan_view *out,
    struct error *err)
{
	struct subjects *s = calloc(1, sizeof(*s));
	bool ok;

	*out = (struct scan_view){0};
	if (!s)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = hasher_open(&s->hasher, err) &&
	    read_model(s, policy, bundle, err) && add_evidence(s, l, err);
	for (size_t i = 0; i < policy->credential_count; i++)
		if (policy->credentials[i].kind == POLICY_KEY ||
		    policy->credentials[i].kind == POLICY_CERT_KEY)
			add(s, &policy->credentials[i].key);
	ok = ok && read_books(dir, policy, s, l, out, err);
	statement_release(&s->statement);
	bundle_release(&s->model);
	hasher_release(&s->hasher);
	free(s);
	return ok;
}
