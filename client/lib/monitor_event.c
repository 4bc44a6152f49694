/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/times.h"
#include "core/verify/verdict.h"

#define SCHEMA	     "mtlog-event/1"
#define TEXT_CUT     300  /* bytes of a name that are shown */
#define LISTED	     16	  /* subjects, or names of a certificate */
#define NOTE_CUT     8192 /* bytes of a note that are shown */
#define SENTENCE_MAX 4096

static const struct {
	const char *name;
	int code;
	bool kept; /* all but entries: journal_add */
} kinds[MONITOR_KINDS] = {
    [MONITOR_ENTRY] = {"entry", VERDICT_WATCH_HIT, false},
    [MONITOR_FORK] = {"fork", VERDICT_LOG_FORK, true},
    [MONITOR_ROLLBACK] = {"rollback", VERDICT_NOT_CURRENT, true},
    [MONITOR_BAD_DATA] = {"bad-data", VERDICT_LOG_BAD_DATA, true},
    [MONITOR_BEHIND] = {"behind", VERDICT_LOG_STALLED, true},
    [MONITOR_STALLED] = {"stalled", VERDICT_LOG_STALLED, true},
    [MONITOR_RESUMED] = {"resumed", VERDICT_WATCH_HIT, true},
};

const char *
monitor_kind_name(enum monitor_kind kind)
{
	return kinds[kind].name;
}

/* --- writing --- */

/* What came from outside, escaped and cut, as part of a sentence. */
static void
put_shown(struct buf *out, struct bytes text)
{
	bool cut = text.len > TEXT_CUT;

	escaped_put(out, cut ? bytes_slice(text, 0, TEXT_CUT) : text);
	if (cut)
		buf_put_str(out, "...");
}

static void
put_string(struct buf *out, struct bytes text)
{
	AUTO(buf) shown = BUF_INIT(8 * TEXT_CUT);

	put_shown(&shown, text);
	json_put_string(out, buf_bytes(&shown));
}

static void
text(struct buf *out, const char *name, struct bytes value)
{
	buf_printf(out, ",\"%s\":", name);
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

/* Of ours, or checked: not escaped, not cut. */
static void
whole(struct buf *out, const char *name, struct bytes value)
{
	buf_printf(out, ",\"%s\":", name);
	if (value.len > 0)
		json_put_string(out, value);
	else
		buf_put_str(out, "null");
}

static void
number(struct buf *out, const char *name, uint64_t n)
{
	buf_printf(out, ",\"%s\":\"%llu\"", name, (unsigned long long)n);
}

static void
hex(struct buf *out, const char *name, const struct hash *h)
{
	if (!h) {
		buf_printf(out, ",\"%s\":null", name);
		return;
	}
	buf_printf(out, ",\"%s\":\"", name);
	hex_put(out, hash_bytes(h));
	buf_put_u8(out, '"');
}

/* What makes an event the same one when it is found again. */
static bool
id_of(struct watched *w, const char *kind, struct bytes about, struct hash *out,
    struct error *err)
{
	AUTO(buf) all = BUF_INIT(65536);

	buf_printf(&all, "mtlog-event/1\n%s\n%s\n", kind, w->log->key.name);
	buf_put(&all, about);
	sha256(&w->hasher, buf_bytes(&all), out);
	return buf_ok(&all, err) && hasher_ok(&w->hasher, err);
}

static void
begin(const struct monitor *m, const struct watched *w, enum monitor_kind kind,
    const struct hash *id, struct buf *out)
{
	buf_put_str(out, "{\"schema\":\"" SCHEMA "\"");
	hex(out, "id", id);
	word(out, "kind", kinds[kind].name);
	buf_put_str(out, ",\"time\":\"");
	time_put(out, monitor_now(m));
	buf_put_u8(out, '"');
	whole(out, "log", vkey_name(&w->log->key));
}

static bool
add(struct monitor *m, struct watched *w, enum monitor_kind kind,
    const struct hash *id, struct buf *out, struct error *err)
{
	uint64_t before;
	bool ok;

	buf_put_u8(out, '}');
	if (!buf_ok(out, err))
		return false;
	monitor_lock(m);
	before = journal_last(m->journal);
	ok = journal_add(m->journal, id, buf_bytes(out), kinds[kind].kept, err);
	/* Durable at once: what is known of the log changes next. */
	if (ok && kinds[kind].kept)
		ok = journal_sync(m->journal, err);
	w->events[kind] += journal_last(m->journal) - before;
	monitor_news(m);
	monitor_unlock(m);
	return ok;
}

/* --- entries --- */

/* Nobody tells what is in the journal, or not in this round. */
static bool
stuck(const struct monitor *m)
{
	return atomic_load(&m->ending) ||
	    (m->hook_failed &&
		journal_pending(m->journal, JOURNAL_HOOK) >= JOURNAL_PENDING);
}

bool
monitor_event_room(
    struct monitor *m, const struct watched *w, struct error *err)
{
	bool full, late = false;

	monitor_lock(m);
	while ((full = journal_full(m->journal)) && !late && !stuck(m))
		late = !monitor_wait(m, &m->moved, w->until);
	monitor_unlock(m);
	return !full ||
	    error_reason(err, ERR_LIMIT, "too-many-files",
		"%d events wait to be told; no more are taken in",
		JOURNAL_PENDING);
}

static const char *
statement_word(const struct statement *s)
{
	switch (s->kind) {
	case STATEMENT_MODEL:
	case STATEMENT_MODEL_V02:
		return "model";
	case STATEMENT_APPROVAL:
		return "approval";
	case STATEMENT_WITHDRAWAL:
		return "withdrawal";
	case STATEMENT_REVOCATION:
		return "key-revocation";
	case STATEMENT_STATUS:
		return "status";
	}
	return "other";
}

static void
put_statement(struct buf *out, const struct watch_entry *e)
{
	const struct statement *s = e->statement;

	hex(out, "s", e->s);
	if (!s) {
		buf_put_str(out, ",\"statement\":null");
		return;
	}
	buf_printf(out, ",\"statement\":{\"type\":\"%s\"", statement_word(s));
	text(out, "version", s->version);
	text(out, "role", s->role);
	text(out, "reason", s->reason);
	text(out, "comment", s->comment);
	number(out, "subjectsTotal", s->subject_count);
	buf_put_str(out, ",\"subjects\":[");
	for (size_t i = 0; i < s->subject_count && i < LISTED; i++) {
		buf_put_str(out, i > 0 ? ",{\"name\":" : "{\"name\":");
		put_string(out, s->subjects[i].name);
		hex(out, "sha256", &s->subjects[i].digest);
		buf_put_u8(out, '}');
	}
	buf_put_str(out, "]}");
}

static void
put_name(const struct certificate_name *n, struct buf *out)
{
	static const char *const types[] = {
	    [CERTIFICATE_EMAIL] = "email",
	    [CERTIFICATE_URI] = "uri",
	    [CERTIFICATE_DNS] = "dns",
	    [CERTIFICATE_OTHER] = "other",
	};

	buf_printf(out, "%s:", types[n->kind]);
	put_shown(out, n->value);
}

static void
put_signer(struct buf *out, const struct monitor_hit *hit)
{
	const struct watch_entry *e = hit->entry;

	if (!hit->known) {
		buf_put_str(out, ",\"signer\":null");
		return;
	}
	buf_put_str(out, ",\"signer\":{\"key\":\"");
	hex_put(out, hash_bytes(&e->key));
	buf_printf(out,
	    "\",\"signature\":\"%s\",\"certificate\":%s,"
	    "\"names\":[",
	    e->signature_valid ? "valid" : "invalid",
	    hit->certificate ? "true" : "false");
	for (size_t i = 0; i < e->name_count && i < LISTED; i++) {
		AUTO(buf) name = BUF_INIT(8 * TEXT_CUT);

		put_name(&e->names[i], &name);
		buf_put_str(out, i > 0 ? "," : "");
		json_put_string(out, buf_bytes(&name));
	}
	buf_put_str(out, "]}");
}

static const char *
digest_word(enum digest_algorithm a)
{
	return a == DIGEST_SHA256 ? "sha256"
	    : a == DIGEST_SHA384  ? "sha384"
				  : "sha512";
}

static void
put_digest(struct buf *out, const struct monitor_hit *hit)
{
	if (!hit->known) {
		buf_put_str(out, ",\"digest\":null");
		return;
	}
	buf_printf(out, ",\"digest\":\"%s:", digest_word(hit->algorithm));
	hex_put(out, hit->entry->digest);
	buf_put_u8(out, '"');
}

/* What it says, and who. */
static void
put_content(const struct monitor_hit *hit, struct buf *out)
{
	const struct watch_entry *e = hit->entry;
	const struct statement *s = e->statement;

	if (s && s->subject_count > 0) {
		buf_printf(out, "%s of ", statement_word(s));
		put_shown(out, s->subjects[0].name);
		if (s->version.len > 0) {
			buf_put_u8(out, ' ');
			put_shown(out, s->version);
		}
		if (s->subject_count > 1)
			buf_printf(out, " and %zu more", s->subject_count - 1);
	} else {
		buf_printf(out, "a statement that cannot be read (envelope %s)",
		    hit->envelope);
	}
	buf_put_str(out, ", by key ");
	hex_put(out, bytes_of(e->key.b, 8));
	if (e->name_count > 0) {
		buf_put_str(out, " with a certificate for ");
		put_name(&e->names[0], out);
		buf_put_str(out, " (not checked)");
	}
	if (!e->signature_valid)
		buf_put_str(out, ", whose signature is WRONG");
}

static void
entry_sentence(
    const struct monitor_hit *hit, struct bytes rule, struct buf *out)
{
	buf_printf(out, "entry %llu: ", (unsigned long long)hit->index);
	if (hit->known)
		put_content(hit, out);
	else
		buf_put_str(out,
		    "of a kind that this program does not know: whose it is, "
		    "and what it says, was not checked");
	buf_put_str(out, "; rule: ");
	put_shown(out, rule);
}

bool
monitor_event_entry(struct monitor *m, struct watched *w,
    const struct monitor_hit *hit, struct error *err)
{
	AUTO(buf) out = BUF_INIT(JOURNAL_EVENT_MAX);
	AUTO(buf) rule = BUF_INIT(WATCH_LINE_MAX);
	AUTO(buf) about = BUF_INIT(2 * WATCH_LINE_MAX);
	AUTO(buf) sentence = BUF_INIT(SENTENCE_MAX);
	struct hash id;

	watch_rule_put(hit->rule, &rule);
	buf_printf(&about, "%llu\n", (unsigned long long)hit->index);
	buf_put(&about, buf_bytes(&rule));
	if (!buf_ok(&rule, err) ||
	    !id_of(w, "entry", buf_bytes(&about), &id, err))
		return false;
	entry_sentence(hit, buf_bytes(&rule), &sentence);
	begin(m, w, MONITOR_ENTRY, &id, &out);
	whole(&out, "message", buf_bytes(&sentence));
	number(&out, "index", hit->index);
	whole(&out, "rule", buf_bytes(&rule));
	put_signer(&out, hit);
	put_digest(&out, hit);
	word(&out, "envelope", hit->envelope);
	put_statement(&out, hit->entry);
	number(&out, "size", w->size);
	hex(&out, "root", &w->root);
	return buf_ok(&sentence, err) &&
	    add(m, w, MONITOR_ENTRY, &id, &out, err);
}

/* --- the log itself --- */

bool
monitor_event_finding(struct monitor *m, struct watched *w,
    const struct monitor_finding *f, struct error *err)
{
	AUTO(buf) out = BUF_INIT(JOURNAL_EVENT_MAX);
	int code = f->code ? f->code : kinds[f->kind].code;
	struct error why = {0};
	struct hash id;

	if (!id_of(w, kinds[f->kind].name, hash_bytes(&f->about), &id, err))
		return false;
	begin(m, w, f->kind, &id, &out);
	whole(&out, "message", bytes_str(f->message));
	buf_printf(&out, ",\"code\":%d", code);
	word(&out, "reason", f->reason);
	word(&out, "from", f->from);
	whole(&out, "evidence",
	    f->evidence ? bytes_str(f->evidence) : (struct bytes){0});
	if (w->has_head)
		number(&out, "size", w->size);
	else
		word(&out, "size", NULL);
	hex(&out, "root", w->has_head ? &w->root : NULL);
	whole(&out, "checkpoint",
	    w->note.len <= NOTE_CUT ? buf_bytes(&w->note) : (struct bytes){0});
	whole(&out, "shown",
	    f->shown.len <= NOTE_CUT ? f->shown : (struct bytes){0});
	monitor_counts(&w->code, code);
	if (add(m, w, f->kind, &id, &out, &why))
		return true;
	if (why.code != ERR_LIMIT)
		return error_set(err, why.code, "%s", why.text);
	/* Nobody was told of very many: the code tells of this one. */
	monitor_trouble(m, w, &why);
	return true;
}

/* --- telling --- */

void
monitor_event_json(const struct journal_event *e, struct buf *out)
{
	buf_put(out, bytes_slice(e->json, 0, e->json.len - 1));
	buf_printf(out, ",\"seq\":\"%llu\",\"repeated\":%s}",
	    (unsigned long long)e->seq, e->repeated ? "true" : "false");
}

bool
monitor_event_text(
    const struct journal_event *e, struct buf *out, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;
	const char *time, *log, *kind, *message;

	if (!json_parse(e->json, JOURNAL_EVENT_MAX, &value, err))
		return false;
	time = json_string_value(json_object_get(value, "time"));
	log = json_string_value(json_object_get(value, "log"));
	kind = json_string_value(json_object_get(value, "kind"));
	message = json_string_value(json_object_get(value, "message"));
	if (!time || !log || !kind || !message)
		return error_set(err, ERR_IO, "the journal has no event there");
	buf_printf(out, "%s %s %s: ", time, log, kind);
	buf_put(out, json_text(json_object_get(value, "message")));
	buf_put_str(out, e->repeated ? " (perhaps told before)\n" : "\n");
	return buf_ok(out, err);
}
