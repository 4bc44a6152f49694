/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/times.h"
#include "core/verify/verdict.h"

static void
key(struct buf *out, const char *name)
{
	if (out->len > 0 && out->ptr[out->len - 1] != '{')
		buf_put_u8(out, ',');
	buf_put_u8(out, '"');
	buf_put_str(out, name);
	buf_put_str(out, "\":");
}

/* A path or name may hold any bytes; JSON holds UTF-8. */
static void
put_string(struct buf *out, struct bytes text)
{
	AUTO(buf) shown = BUF_INIT(65536);

	if (utf8_valid(text)) {
		json_put_string(out, text);
		return;
	}
	escaped_put(&shown, text);
	json_put_string(out, buf_bytes(&shown));
}

static void
text(struct buf *out, const char *name, struct bytes value)
{
	key(out, name);
	if (value.len > 0)
		put_string(out, value);
	else
		buf_put_str(out, "null");
}

static void
word(struct buf *out, const char *name, const char *value)
{
	text(out, name, value ? bytes_str(value) : (struct bytes){0});
}

static void
number(struct buf *out, const char *name, bool there, uint64_t n)
{
	key(out, name);
	if (!there) {
		buf_put_str(out, "null");
		return;
	}
	buf_put_u8(out, '"');
	buf_put_decimal(out, n);
	buf_put_u8(out, '"');
}

static void
plain(struct buf *out, const char *name, bool there, uint64_t n)
{
	key(out, name);
	if (there)
		buf_put_decimal(out, n);
	else
		buf_put_str(out, "null");
}

static void
hex(struct buf *out, const char *name, bool there, struct bytes raw)
{
	key(out, name);
	if (!there) {
		buf_put_str(out, "null");
		return;
	}
	buf_put_u8(out, '"');
	hex_put(out, raw);
	buf_put_u8(out, '"');
}

static void
when(struct buf *out, const char *name, uint64_t seconds)
{
	key(out, name);
	if (seconds == 0) {
		buf_put_str(out, "null");
		return;
	}
	buf_put_u8(out, '"');
	time_put(out, seconds);
	buf_put_u8(out, '"');
}

static void
open_object(struct buf *out, const char *name, bool there)
{
	key(out, name);
	buf_put_str(out, there ? "{" : "null");
}

static void
names(struct buf *out, const char *name, const struct bytes *list, uint64_t n)
{
	key(out, name);
	buf_put_u8(out, '[');
	for (size_t i = 0; i < n && i < VERDICT_MAX_NAMES; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		put_string(out, list[i]);
	}
	buf_put_u8(out, ']');
}

static void
put_changed(struct buf *out, const struct verdict_files *f)
{
	key(out, "changed");
	buf_put_u8(out, '[');
	for (size_t i = 0; i < f->changed_count && i < VERDICT_MAX_NAMES; i++) {
		const struct verdict_change *c = &f->changed[i];

		buf_put_str(out, i > 0 ? ",{" : "{");
		text(out, "name", c->name);
		hex(out, "expected", true,
		    bytes_of(c->expected, c->digest_len));
		hex(out, "actual", c->digest_len > 0,
		    bytes_of(c->actual, c->digest_len));
		buf_put_u8(out, '}');
	}
	buf_put_u8(out, ']');
}

static void
put_files(struct buf *out, const struct verdict_files *f)
{
	open_object(out, "files", true);
	plain(out, "listed", true, f->listed);
	plain(out, "checked", true, f->checked);
	put_changed(out, f);
	names(out, "missing", f->missing, f->missing_count);
	names(out, "unsigned", f->unsigned_files, f->unsigned_count);
	buf_put_u8(out, '}');
}

static void
put_signer(struct buf *out, const struct verdict *v)
{
	AUTO(buf) identity = BUF_INIT(65536);

	open_object(out, "signer", v->has_key);
	if (!v->has_key)
		return;
	text(out, "party", v->party);
	word(out, "kind", v->signer_kind);
	hex(out, "key", true, hash_bytes(&v->key));
	if (v->identity_kind) {
		buf_put_str(&identity, v->identity_kind);
		buf_put_u8(&identity, ':');
		buf_put(&identity, v->identity);
	}
	text(out, "identity", buf_bytes(&identity));
	text(out, "issuer", v->issuer);
	buf_put_u8(out, '}');
}

static void
put_log(struct buf *out, const struct verdict *v)
{
	bool there = v->origin.len > 0;

	open_object(out, "log", there);
	if (!there)
		return;
	text(out, "origin", v->origin);
	number(out, "index", true, v->index);
	number(out, "size", true, v->size);
	names(out, "witnesses", v->witnesses, v->witness_count);
	when(out, "existedBy", v->existed_by);
	when(out, "freshSince", v->fresh_since);
	buf_put_u8(out, '}');
}

static void
put_current(struct buf *out, const struct verdict *v)
{
	open_object(out, "current", v->current_by != NULL);
	if (!v->current_by)
		return;
	word(out, "by", v->current_by);
	word(out, "proven", v->current_proven);
	number(out, "size", true, v->current_size);
	plain(out, "age", true, v->current_age);
	buf_put_u8(out, '}');
}

static void
put_policy(struct buf *out, const struct verdict *v)
{
	open_object(out, "policy", true);
	hex(out, "sha256", v->has_policy, hash_bytes(&v->policy));
	number(out, "serial", v->serial > 0, v->serial);
	when(out, "expires", v->expires);
	plain(out, "line", v->rule_line > 0, v->rule_line);
	text(out, "pattern", v->pattern);
	buf_put_u8(out, '}');
}

static void
put_weakened(struct buf *out, unsigned weakened)
{
	static const struct {
		enum verdict_weakness bit;
		const char *name;
	} words[] = {
	    {WEAK_LOGGED_OFF, "logged-off"},
	    {WEAK_ANY_IDENTITY, "any-identity"},
	    {WEAK_ANY_NAME, "any-name"},
	    {WEAK_NO_QUORUM, "no-quorum"},
	    {WEAK_UNSIGNED_IGNORED, "unsigned-ignored"},
	    {WEAK_HOLD_OPEN, "hold-open"},
	    {WEAK_LEGACY_V02, "legacy-v0.2"},
	    {WEAK_FILES_CHOSEN, "files-chosen"},
	};
	bool first = true;

	key(out, "weakened");
	buf_put_u8(out, '[');
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((weakened & words[i].bit) == 0)
			continue;
		buf_put_str(out, first ? "\"" : ",\"");
		buf_put_str(out, words[i].name);
		buf_put_u8(out, '"');
		first = false;
	}
	buf_put_u8(out, ']');
}

static void
put_checks(struct buf *out, const struct verdict *v)
{
	static const char *const results[] = {
	    [CHECK_NOT_REACHED] = "not-reached",
	    [CHECK_PASS] = "pass",
	    [CHECK_FAIL] = "fail",
	    [CHECK_NOT_ASKED] = "not-asked",
	};

	key(out, "checks");
	buf_put_u8(out, '[');
	for (size_t i = 0; i < v->check_count; i++) {
		const struct verdict_check *c = &v->checks[i];

		buf_put_str(out, i > 0 ? ",{" : "{");
		word(out, "name", c->name);
		word(out, "result", results[c->result]);
		plain(out, "line", c->line > 0, c->line);
		word(out, "reason", c->reason);
		word(out, "message", c->message[0] ? c->message : NULL);
		buf_put_u8(out, '}');
	}
	buf_put_u8(out, ']');
}

void
verdict_json(const struct verdict *v, struct buf *out)
{
	AUTO(buf) o = BUF_INIT(VERDICT_JSON_MAX);

	buf_put_str(&o, "{");
	word(&o, "schema", "mtlog-verdict/1");
	text(&o, "model", v->model);
	key(&o, "accepted");
	buf_put_str(&o, v->code == VERDICT_ACCEPTED ? "true" : "false");
	plain(&o, "code", true, (uint64_t)v->code);
	word(&o, "reason", v->reason);
	word(&o, "message", v->message[0] ? v->message : NULL);
	text(&o, "name", v->name);
	text(&o, "version", v->version);
	open_object(&o, "asked", true);
	text(&o, "name", v->asked_name);
	text(&o, "version", v->asked_version);
	buf_put_u8(&o, '}');
	hex(&o, "statement", v->has_statement, hash_bytes(&v->statement));
	hex(&o, "root", v->has_root, hash_bytes(&v->root));
	put_files(&o, &v->files);
	put_signer(&o, v);
	put_log(&o, v);
	put_current(&o, v);
	put_policy(&o, v);
	word(&o, "hold",
	    v->hold == HOLD_NONE ? NULL : hold_strength_name(v->hold));
	put_weakened(&o, v->weakened);
	put_checks(&o, v);
	buf_put_u8(&o, '}');
	if (o.failed)
		out->failed = true;
	buf_put(out, buf_bytes(&o));
}
