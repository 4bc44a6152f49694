/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "core/base/times.h"
#include "core/model/statement_parts.h"
#include "core/tlog/note.h"

static const char *const withdrawal_reasons[] = {
    "compromised", "unsafe", "mistake", "superseded", "other", NULL};
static const char *const revocation_reasons[] = {
    "compromised", "lost", "retired", NULL};

static bool
read_text(struct json_reader *r, struct bytes *out)
{
	return json_reader_string(r, out) &&
	    (out->len <= STATEMENT_TEXT_MAX ||
		error_set(r->err, ERR_LIMIT, "a text is longer than %d bytes",
		    STATEMENT_TEXT_MAX));
}

static bool
read_role(struct json_reader *r, struct statement *s)
{
	return read_text(r, &s->role);
}

static bool
read_comment(struct json_reader *r, struct statement *s)
{
	return read_text(r, &s->comment);
}

static bool
read_reason(struct json_reader *r, struct statement *s)
{
	const char *const *words = s->kind == STATEMENT_WITHDRAWAL
	    ? withdrawal_reasons
	    : revocation_reasons;

	if (!json_reader_string(r, &s->reason))
		return false;
	for (size_t i = 0; words[i]; i++)
		if (bytes_equal(s->reason, bytes_str(words[i])))
			return true;
	return json_reader_fail(r, "the reason is none that is defined");
}

static bool
read_earlier(struct json_reader *r, struct statement *s)
{
	struct bytes word;

	if (!json_reader_string(r, &word))
		return false;
	s->earlier_withdrawn = bytes_equal(word, BYTES_LIT("withdraw"));
	return s->earlier_withdrawn || bytes_equal(word, BYTES_LIT("keep")) ||
	    json_reader_fail(r, "\"earlier\" is keep or withdraw");
}

static bool
read_log(struct json_reader *r, struct statement *s)
{
	return json_reader_string(r, &s->log) &&
	    (note_name_valid(s->log) ||
		json_reader_fail(r, "the log's name is none of a log"));
}

static bool
read_size(struct json_reader *r, struct statement *s)
{
	struct bytes text;

	return json_reader_string(r, &text) &&
	    (decimal_parse(text, &s->tree_size) ||
		json_reader_fail(r, "treeSize is not a decimal string"));
}

static bool
read_root(struct json_reader *r, struct statement *s)
{
	/* A buffer that stands there already: never grown. */
	struct buf raw = {.ptr = s->root.b, .cap = HASH_LEN, .limit = HASH_LEN};
	struct bytes text;

	if (!json_reader_string(r, &text))
		return false;
	if (!base64_decode(text, &raw) || raw.len != HASH_LEN)
		return json_reader_fail(r, "rootHash is not base64 of a hash");
	return true;
}

static bool
read_checked(struct json_reader *r, struct statement *s)
{
	struct bytes text;

	/* A date alone is for policies. */
	return json_reader_string(r, &text) &&
	    ((text.len > 10 && time_parse(text, &s->checked)) ||
		json_reader_fail(r, "\"checked\" is not a time in UTC"));
}

static bool
read_complete(struct json_reader *r, struct statement *s)
{
	return json_reader_bool(r, &s->complete);
}

static bool
read_hashes(struct json_reader *r, struct hash **list, size_t *count)
{
	struct json_array a;
	struct bytes text;
	bool ok;

	*list = arena_alloc(
	    r->arena, STATEMENT_STATUS_LISTED, sizeof(**list), r->err);
	ok = *list && json_array_open(r, &a);
	while (ok && json_array_next(r, &a)) {
		if (*count == STATEMENT_STATUS_LISTED)
			return error_set(r->err, ERR_LIMIT,
			    "the status lists more than %d digests",
			    STATEMENT_STATUS_LISTED);
		ok = json_reader_string(r, &text) &&
		    (hex_decode(text, (*list)[*count].b, HASH_LEN) ||
			json_reader_fail(
			    r, "a digest is not 64 lower-case hex digits"));
		(*count)++;
	}
	return ok && json_reader_ok(r);
}

static bool
read_withdrawn(struct json_reader *r, struct statement *s)
{
	return read_hashes(r, &s->withdrawn, &s->withdrawn_count);
}

static bool
read_revoked(struct json_reader *r, struct statement *s)
{
	return read_hashes(r, &s->revoked, &s->revoked_count);
}

/* Every member of every predicate: all of a kind's must be there. */
static const struct {
	enum statement_kind kind;
	const char *name;
	bool (*read)(struct json_reader *r, struct statement *s);
} members[] = {
    {STATEMENT_APPROVAL, "role", read_role},
    {STATEMENT_APPROVAL, "comment", read_comment},
    {STATEMENT_WITHDRAWAL, "reason", read_reason},
    {STATEMENT_WITHDRAWAL, "comment", read_comment},
    {STATEMENT_REVOCATION, "reason", read_reason},
    {STATEMENT_REVOCATION, "earlier", read_earlier},
    {STATEMENT_STATUS, "log", read_log},
    {STATEMENT_STATUS, "treeSize", read_size},
    {STATEMENT_STATUS, "rootHash", read_root},
    {STATEMENT_STATUS, "checked", read_checked},
    {STATEMENT_STATUS, "complete", read_complete},
    {STATEMENT_STATUS, "withdrawn", read_withdrawn},
    {STATEMENT_STATUS, "revoked", read_revoked},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

bool
statement_predicate(struct json_reader *r, struct statement *s)
{
	struct json_object o;
	struct bytes name;
	size_t want = 0;
	bool ok = json_object_open(r, &o);

	while (ok && json_object_next(r, &o, &name)) {
		size_t i = 0;

		while (i < MEMBERS &&
		    (members[i].kind != s->kind ||
			!bytes_equal(name, bytes_str(members[i].name))))
			i++;
		ok = i < MEMBERS
		    ? members[i].read(r, s)
		    : json_reader_fail(r,
			  "the predicate has a member that its type has not");
	}
	if (!ok || !json_reader_end(r))
		return false;
	for (size_t i = 0; i < MEMBERS; i++)
		want += members[i].kind == s->kind;
	return o.count == want ||
	    json_reader_fail(r, "a member of the predicate is missing");
}

static void
put_member(struct buf *out, const char *name, struct bytes value)
{
	if (out->ptr[out->len - 1] != '{')
		buf_put_u8(out, ',');
	json_put_string(out, bytes_str(name));
	buf_put_u8(out, ':');
	json_put_string(out, value);
}

static void
put_hex(struct buf *out, const struct hash *h)
{
	buf_put_u8(out, '"');
	hex_put(out, hash_bytes(h));
	buf_put_u8(out, '"');
}

static void
put_list(struct buf *out, const char *name, const struct hash *list, size_t n)
{
	buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		put_hex(out, &list[i]);
	}
	buf_put_u8(out, ']');
}

static void
format_status(const struct statement *s, struct buf *out)
{
	put_member(out, "log", s->log);
	buf_printf(out, ",\"treeSize\":\"%llu\",\"rootHash\":\"",
	    (unsigned long long)s->tree_size);
	base64_put(out, hash_bytes(&s->root));
	buf_put_str(out, "\",\"checked\":\"");
	time_put(out, s->checked);
	buf_put_str(out,
	    s->complete ? "\",\"complete\":true" : "\",\"complete\":false");
	put_list(out, "withdrawn", s->withdrawn, s->withdrawn_count);
	put_list(out, "revoked", s->revoked, s->revoked_count);
}

static void
format_predicate(const struct statement *s, struct buf *out)
{
	if (s->kind == STATEMENT_MODEL || s->kind == STATEMENT_MODEL_V02) {
		buf_put(out, s->predicate);
		return;
	}
	buf_put_u8(out, '{');
	if (out->failed)
		return;
	if (s->kind == STATEMENT_APPROVAL)
		put_member(out, "role", s->role);
	if (s->kind == STATEMENT_WITHDRAWAL || s->kind == STATEMENT_REVOCATION)
		put_member(out, "reason", s->reason);
	if (s->kind == STATEMENT_APPROVAL || s->kind == STATEMENT_WITHDRAWAL)
		put_member(out, "comment", s->comment);
	if (s->kind == STATEMENT_REVOCATION)
		put_member(out, "earlier",
		    s->earlier_withdrawn ? BYTES_LIT("withdraw")
					 : BYTES_LIT("keep"));
	if (s->kind == STATEMENT_STATUS)
		format_status(s, out);
	buf_put_u8(out, '}');
}

void
statement_format(const struct statement *s, struct buf *out)
{
	buf_put_str(out,
	    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[");
	for (size_t i = 0; i < s->subject_count; i++) {
		buf_put_str(out, i > 0 ? ",{\"name\":" : "{\"name\":");
		json_put_string(out, s->subjects[i].name);
		buf_put_str(out, ",\"digest\":{\"sha256\":");
		put_hex(out, &s->subjects[i].digest);
		buf_put_u8(out, '}');
		if (s->version.len > 0) {
			buf_put_str(out, ",\"annotations\":{\"version\":");
			json_put_string(out, s->version);
			buf_put_u8(out, '}');
		}
		buf_put_u8(out, '}');
	}
	buf_printf(out, "],\"predicateType\":\"%s\",\"predicate\":",
	    statement_kind_type(s->kind));
	format_predicate(s, out);
	buf_put_u8(out, '}');
}
