/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/encoding.h"
#include "core/model/statement_parts.h"

/*
 * How many subjects a kind has, how long their names may be, and whether they
 * have no other members than ours: a model's statement may come from other
 * signers.
 */
struct form {
	enum statement_kind kind;
	size_t least, most, name_max;
	bool strict;
};

#define V02_NAME_MAX 4096 /* bytes of a path */

static const struct form forms[] = {
    {STATEMENT_MODEL, 1, 1, STATEMENT_TEXT_MAX, false},
    {STATEMENT_MODEL_V02, 1, STATEMENT_V02_SUBJECTS, V02_NAME_MAX, false},
    {STATEMENT_APPROVAL, 1, 1, STATEMENT_NAME_MAX, true},
    {STATEMENT_WITHDRAWAL, 1, STATEMENT_MAX_SUBJECTS, STATEMENT_NAME_MAX, true},
    {STATEMENT_REVOCATION, 1, 1, STATEMENT_NAME_MAX, true},
    {STATEMENT_STATUS, 0, STATEMENT_MAX_SUBJECTS, STATEMENT_NAME_MAX, true},
};

static const struct form *
form_of(enum statement_kind kind)
{
	const struct form *f = forms;

	while (f->kind != kind)
		f++;
	return f;
}

/* One subject as it stands there. */
struct subject {
	struct bytes name, version, hash_algorithm;
	struct hash digest;
	bool has_digest;
};

static bool
read_digest(struct json_reader *r, const struct form *form, struct subject *s)
{
	struct json_object o;
	struct bytes name, hex;
	bool ok = json_object_open(r, &o);

	while (ok && json_object_next(r, &o, &name)) {
		if (!bytes_equal(name, BYTES_LIT("sha256"))) {
			ok = form->strict
			    ? json_reader_fail(
				  r, "a subject's digest is sha256 only")
			    : json_reader_skip(r);
			continue;
		}
		ok = json_reader_string(r, &hex) &&
		    (hex_decode(hex, s->digest.b, HASH_LEN) ||
			json_reader_fail(r,
			    "a subject's sha256 is not 64 lower-case hex "
			    "digits"));
		s->has_digest = ok;
	}
	return ok && json_reader_ok(r);
}

/* A version in another form than ours is somebody else's annotation. */
static bool
read_annotations(struct json_reader *r, struct subject *s)
{
	struct json_object o;
	struct bytes name, text;
	bool ok;

	if (json_reader_next(r) != '{')
		return json_reader_skip(r);
	ok = json_object_open(r, &o);
	while (ok && json_object_next(r, &o, &name)) {
		if (json_reader_next(r) != '"') {
			ok = json_reader_skip(r);
			continue;
		}
		ok = json_reader_string(r, &text);
		if (!ok)
			break;
		if (bytes_equal(name, BYTES_LIT("version")) &&
		    model_version_valid(text))
			s->version = text;
		if (bytes_equal(name, BYTES_LIT("actual_hash_algorithm")))
			s->hash_algorithm = text;
	}
	return ok && json_reader_ok(r);
}

static bool
read_subject(struct json_reader *r, const struct form *form, struct subject *s)
{
	struct json_object o;
	struct bytes name;
	bool ok = json_object_open(r, &o);

	*s = (struct subject){0};
	while (ok && json_object_next(r, &o, &name)) {
		if (bytes_equal(name, BYTES_LIT("name")))
			ok = json_reader_string(r, &s->name);
		else if (bytes_equal(name, BYTES_LIT("digest")))
			ok = read_digest(r, form, s);
		else if (form->strict)
			ok = json_reader_fail(
			    r, "a subject has a name and a digest only");
		else if (bytes_equal(name, BYTES_LIT("annotations")))
			ok = read_annotations(r, s);
		else
			ok = json_reader_skip(r);
	}
	if (!ok || !json_reader_ok(r))
		return false;
	if (s->name.len == 0 || !s->has_digest)
		return json_reader_fail(
		    r, "a subject needs a name and a sha256 digest");
	if (form->kind == STATEMENT_MODEL_V02 &&
	    !bytes_equal(s->hash_algorithm, BYTES_LIT("file-sha256")))
		return json_reader_fail(
		    r, "a subject's actual_hash_algorithm is not file-sha256");
	return s->name.len <= form->name_max ||
	    error_set(r->err, ERR_LIMIT, "a subject's name is too long");
}

/* Counts first, so that what is allocated is what is there. */
static bool
count_subjects(struct json_reader *r, const struct form *form, size_t *out)
{
	struct json_reader copy = *r;
	struct json_array a;
	bool ok = json_array_open(&copy, &a);

	*out = 0;
	while (ok && json_array_next(&copy, &a)) {
		/* One of two would have to be believed. */
		if (++*out > 1 && form->most == 1)
			return json_reader_fail(
			    r, "the statement has more than one subject");
		if (*out > form->most)
			return error_set(r->err, ERR_LIMIT,
			    "the statement has too many subjects");
		ok = json_reader_skip(&copy);
	}
	if (!ok || !json_reader_end(&copy))
		return false;
	return *out >= form->least ||
	    json_reader_fail(r, "the statement has no subject");
}

/* What a kind asks of its subjects beyond their form. */
static bool
check_subjects(struct json_reader *r, const struct statement *s)
{
	const struct statement_subject *list = s->subjects;

	if (s->kind == STATEMENT_REVOCATION &&
	    !bytes_equal(list[0].name, BYTES_LIT("key")))
		return json_reader_fail(
		    r, "a revocation's subject is named \"key\"");
	/* There is one newest statement of a name. */
	for (size_t i = 0; s->kind == STATEMENT_STATUS && i < s->subject_count;
	     i++)
		for (size_t k = 0; k < i; k++)
			if (bytes_equal(list[i].name, list[k].name))
				return json_reader_fail(
				    r, "a status names a model twice");
	return true;
}

bool
statement_subjects(struct json_reader *r, struct statement *s)
{
	const struct form *form = form_of(s->kind);
	struct json_array a;
	struct subject one;
	size_t n;

	if (!count_subjects(r, form, &n))
		return false;
	s->subjects = arena_alloc(r->arena, n, sizeof(*s->subjects), r->err);
	if (!s->subjects || !json_array_open(r, &a))
		return false;
	while (json_array_next(r, &a)) {
		if (!read_subject(r, form, &one))
			return false;
		s->subjects[s->subject_count++] =
		    (struct statement_subject){one.name, one.digest};
		if (s->kind == STATEMENT_MODEL)
			s->version = one.version;
	}
	return json_reader_ok(r) && check_subjects(r, s);
}
