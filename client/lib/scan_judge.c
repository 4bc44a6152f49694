/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan_judge.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"

struct bytes
scan_origin(const struct scan_book *b)
{
	return json_text(json_object_get(b->root, "origin"));
}

static bool
date(const struct scan_book *b, const struct policy *p,
    struct key_verifier *verifier, struct scan_head *head, struct error *err)
{
	struct quorum_result r = {0};
	struct error why = {0};
	AUTO(note) note = {0};

	head->dated = false;
	if (!note_parse(head->note, &note, &why) ||
	    !quorum_verify(&p->quorum, &note, verifier, &r, &why)) {
		if (why.code != ERR_INTERNAL)
			return true;
		*err = why;
		return false;
	}
	if (!bytes_equal(r.head.origin, scan_origin(b)) ||
	    r.head.size != head->size || !hash_equal(&r.head.root, &head->root))
		return scan_book_broken(b, err);
	head->dated = r.dated;
	head->time = r.fresh_since;
	return true;
}

bool
scan_head_of(const struct scan_book *b, const struct policy *p,
    struct scan_head *out, struct error *err)
{
	struct key_verifier *verifier;
	bool ok;

	if (!scan_book_head(b, "head", out, err))
		return false;
	if (!out->there)
		return true;
	verifier = key_verifier_open(err);
	ok = verifier && date(b, p, verifier, out, err);
	key_verifier_close(verifier);
	return ok;
}

bool
scan_by(struct hasher *h, const struct policy *p, struct bytes origin,
    const struct party_set *parties, const struct scan_found *f)
{
	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *c = &p->credentials[i];
		struct hash id;

		if (!party_set_has(parties, c->party))
			continue;
		if (c->below_origin.len > 0 &&
		    (!bytes_equal(c->below_origin, origin) ||
			f->index >= c->below))
			continue;
		scan_credential_id(h, p, c, &id);
		if (scan_list_has(f->by, &id))
			return true;
	}
	return false;
}

bool
scan_counts(
    struct hasher *h, const struct policy *p, const struct scan_found *f)
{
	struct hash digest;

	if (hex_decode(f->digest, digest.b, HASH_LEN))
		for (size_t i = 0; i < p->deny_count; i++)
			if (p->denies[i].kind == DENY_STATEMENT &&
			    hash_equal(&p->denies[i].digest, &digest))
				return false;
	for (size_t i = 0; i < p->credential_count; i++) {
		struct hash id;

		scan_credential_id(h, p, &p->credentials[i], &id);
		if (scan_list_has(f->by, &id))
			return true;
	}
	return false;
}

/* A statement at one of its entries. */
struct place {
	struct hash statement;
	uint64_t index;
};

static int
compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = memcmp(x->statement.b, y->statement.b, HASH_LEN);

	return order != 0 ? order
			  : (x->index > y->index) - (x->index < y->index);
}

bool
scan_newest(const struct scan_book *b, const struct policy *p,
    const struct policy_rule *rule, struct bytes name, bool *has,
    struct hash *out, struct error *err)
{
	struct place *list =
	    calloc(json_object_size(b->found) + 1, sizeof(*list));
	AUTO(hasher) h = {0};
	size_t n = 0, best = 0;
	const char *key;
	json_t *value;
	bool ok = list ? hasher_open(&h, err)
		       : error_set(err, ERR_INTERNAL, "out of memory");

	json_object_foreach(b->found, key, value)
	{
		struct scan_found f;

		ok = ok && scan_found_read(b, value, &f, err);
		if (ok && scan_is_kind(&f, STATEMENT_MODEL) &&
		    bytes_equal(f.name, name) &&
		    scan_by(&h, p, scan_origin(b), &rule->signed_by, &f))
			list[n++] = (struct place){f.statement, f.index};
	}
	ok = ok && hasher_ok(&h, err);
	*has = ok && n > 0;
	if (*has) {
		qsort(list, n, sizeof(*list), compare);
		for (size_t i = 1; i < n; i++)
			if (!hash_equal(
				&list[i].statement, &list[i - 1].statement) &&
			    list[i].index > list[best].index)
				best = i;
		*out = list[best].statement;
	}
	free(list);
	return ok;
}

bool
scan_missing(const struct scan_book *b, const struct policy *p, uint64_t *count,
    uint64_t *first, struct error *err)
{
	AUTO(hasher) h = {0};
	const char *key;
	json_t *value;

	*count = *first = 0;
	if (!hasher_open(&h, err))
		return false;
	json_object_foreach(b->found, key, value)
	{
		struct scan_found f;

		if (!scan_found_read(b, value, &f, err))
			return false;
		if (f.missing.len == 0 || !scan_counts(&h, p, &f))
			continue;
		if ((*count)++ == 0 || f.index < *first)
			*first = f.index;
	}
	return hasher_ok(&h, err);
}

static bool
is_about(const struct scan_found *f, const struct hash *about, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (scan_list_has(f->about, &about[i]))
			return true;
	return false;
}

bool
scan_refusals(const struct scan_book *b, const struct hash *about, size_t count,
    struct evidence_list *out, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(b->found, key, value)
	{
		struct buf text = BUF_INIT(EVIDENCE_FILE_MAX);
		struct scan_found f;
		char name[128];

		if (!scan_found_read(b, value, &f, err))
			return false;
		if (f.bundle.len == 0 || !is_about(&f, about, count))
			continue;
		/* What is not looked at may be the one that refuses. */
		if (out->count == EVIDENCE_MAX)
			return error_reason(err, ERR_LIMIT, "search-hit",
			    "the scan found more withdrawals and revocations "
			    "than can be looked at");
		(void)snprintf(name, sizeof(name), "entry %llu of the log",
		    (unsigned long long)f.index);
		buf_put(&text, f.bundle);
		if (!buf_ok(&text, err) ||
		    !evidence_add(out, name, &text, err)) {
			buf_release(&text);
			return false;
		}
	}
	return true;
}
