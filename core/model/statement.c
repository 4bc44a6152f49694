/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/statement.h"

#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/json_reader.h"
#include "core/base/reader.h"
#include "core/base/times.h"
#include "core/model/statement_parts.h"

#define IN_TOTO_V1 "https://in-toto.io/Statement/v1"

static const char *const kind_types[] = {
    [STATEMENT_MODEL] = "https://model_signing/signature/v1.0",
    [STATEMENT_MODEL_V02] = "https://model_signing/Digests/v0.1",
    [STATEMENT_APPROVAL] = "https://mtlog/approval/v1",
    [STATEMENT_WITHDRAWAL] = "https://mtlog/withdrawal/v1",
    [STATEMENT_REVOCATION] = "https://mtlog/key-revocation/v1",
    [STATEMENT_STATUS] = "https://mtlog/status/v1",
};

#define KINDS (sizeof(kind_types) / sizeof(kind_types[0]))

const char *
statement_kind_type(enum statement_kind kind)
{
	return kind_types[kind];
}

bool
statement_kind_find(struct bytes type, enum statement_kind *out)
{
	for (size_t i = STATEMENT_MODEL; i < KINDS; i++)
		if (bytes_equal(type, bytes_str(kind_types[i]))) {
			*out = (enum statement_kind)i;
			return true;
		}
	return false;
}

static bool
is_alphanumeric(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z');
}

bool
model_name_valid(struct bytes name)
{
	bool start = true;

	if (name.len == 0 || name.len > STATEMENT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];

		if (c == '/' && !start)
			start = true;
		else if (is_alphanumeric(c) ||
		    (!start && (c == '.' || c == '_' || c == '-')))
			start = false;
		else
			return false;
	}
	return !start;
}

bool
model_version_valid(struct bytes version)
{
	if (version.len == 0 || version.len > STATEMENT_VERSION_MAX)
		return false;
	for (size_t i = 0; i < version.len; i++) {
		uint8_t c = version.ptr[i];

		if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '+' &&
		    c != '-')
			return false;
	}
	return true;
}

/* The four members, as text: what a subject may have depends on the type. */
struct members {
	struct bytes type, predicate_type, subject, predicate;
	bool others;
};

static bool
read_members(struct json_reader *r, struct members *m)
{
	struct json_object o;
	struct bytes name;
	bool ok = json_object_open(r, &o);

	while (ok && json_object_next(r, &o, &name)) {
		if (bytes_equal(name, BYTES_LIT("_type")))
			ok = json_reader_string(r, &m->type);
		else if (bytes_equal(name, BYTES_LIT("predicateType")))
			ok = json_reader_string(r, &m->predicate_type);
		else if (bytes_equal(name, BYTES_LIT("subject")))
			ok = json_reader_raw(r, &m->subject);
		else if (bytes_equal(name, BYTES_LIT("predicate")))
			ok = json_reader_raw(r, &m->predicate);
		else
			ok = m->others = json_reader_skip(r);
	}
	if (!ok || !json_reader_end(r))
		return false;
	return (m->type.len > 0 && m->predicate_type.len > 0 &&
		   m->subject.len > 0 && m->predicate.len > 0) ||
	    json_reader_fail(r,
		"a statement needs _type, subject, predicateType and "
		"predicate");
}

static bool
known_kind(const struct members *m, enum statement_kind *out, struct error *err)
{
	if (!bytes_equal(m->type, BYTES_LIT(IN_TOTO_V1)))
		return error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "the statement's _type is not in-toto Statement v1");
	if (!statement_kind_find(m->predicate_type, out))
		return error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "the statement's predicateType is none that is known here");
	return true;
}

static bool
parse_parts(struct json_reader *r, struct statement *s, const struct members *m)
{
	struct json_reader part;
	bool model =
	    s->kind == STATEMENT_MODEL || s->kind == STATEMENT_MODEL_V02;

	if (!model && m->others)
		return json_reader_fail(
		    r, "the statement has members that its type has not");
	if (!model && r->whole.len > STATEMENT_SIDE_MAX)
		return error_set(r->err, ERR_LIMIT,
		    "the statement is larger than %u bytes",
		    STATEMENT_SIDE_MAX);
	json_reader_part(r, m->subject, &part);
	if (!statement_subjects(&part, s))
		return false;
	s->predicate = m->predicate;
	if (model)
		return m->predicate.ptr[0] == '{' ||
		    json_reader_fail(r, "the predicate is no object");
	json_reader_part(r, m->predicate, &part);
	return statement_predicate(&part, s);
}

bool
statement_parse(struct bytes payload, struct statement *out, struct error *err)
{
	struct members m = {0};
	struct error why = {0};
	struct json_reader r;

	/* Escaped strings take no more than the payload; subjects their own. */
	*out = (struct statement){
	    .storage = ARENA_INIT(2 * payload.len + STATEMENT_ARENA_MAX)};
	json_reader_init(&r, payload, &out->storage, &why);
	if (read_members(&r, &m) && known_kind(&m, &out->kind, &why) &&
	    parse_parts(&r, out, &m))
		return true;
	if (why.code != ERR_INTERNAL && !why.reason) {
		why.reason = "malformed-statement";
		(void)error_prefix(&why, "the statement is malformed");
	}
	statement_release(out);
	if (err->code == ERR_NONE)
		*err = why;
	return false;
}

void
statement_release(struct statement *s)
{
	arena_release(&s->storage);
	*s = (struct statement){0};
}
