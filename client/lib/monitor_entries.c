/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/dsse.h"
#include "core/model/entry.h"
#include "core/tlog/entries.h"
#include "io/clock.h"

#define CHUNK	    1024       /* entries between two writes of the state */
#define PAYLOAD_MAX (1u << 20) /* bytes; a log keeps no larger ones */

/* Reading a run of entries. */
struct scan {
	struct monitor *m;
	struct watched *w;
	bool reads;			     /* every statement */
	bool progress;			     /* something was read */
	const struct statement_wanted *late; /* what could not be said before */
	bool found; /* the statement of a late one is there, and right */
	struct error local; /* of ours, not of the log */
};

/* An entry and all that is known of it. */
struct seen {
	uint64_t index;
	bool known; /* it is one of those that are known here */
	struct entry e;
	struct certificate certificate;
	const struct statement_wanted *wanted; /* NULL: it was not asked for */
	struct hash s;
	struct statement statement;
	struct manifest manifest;
	struct watch_entry facts;
	const char *envelope;
};

/* As many as are asked for at once. */
struct window {
	size_t count, asked;
	struct seen seen[MONITOR_AT_ONCE];
	struct statement_wanted wanted[MONITOR_AT_ONCE];
};

static void
seen_release(struct seen *s)
{
	manifest_release(&s->manifest);
	statement_release(&s->statement);
	entry_release(&s->e);
}

/* What is in the leaf. One that is no `hashedrekord` has neither key nor
 * digest, and nothing can be read of it. */
static bool
take_leaf(struct scan *s, struct bytes leaf, struct seen *x, struct error *err)
{
	struct error why = {0};

	x->envelope = "unknown";
	if (!entry_parse(leaf, &x->e, &why)) {
		if (why.code == ERR_INTERNAL)
			return error_set(err, why.code, "%s", why.text);
		return true;
	}
	x->known = true;
	x->facts.digest = x->e.digest;
	sha256(&s->w->hasher, x->e.key.spki, &x->facts.key);
	if (x->e.is_certificate &&
	    certificate_parse(x->e.verifier, &x->certificate, &why)) {
		x->facts.names = x->certificate.names;
		x->facts.name_count = x->certificate.name_count;
	}
	return hasher_ok(&s->w->hasher, err);
}

/* Whether a rule is about the signer as the leaf shows it. */
static bool
is_watched(const struct scan *s, const struct seen *x)
{
	for (size_t i = 0; i < s->w->watch.rule_count; i++) {
		struct watch_rule r = s->w->watch.rules[i];

		r.statements = WATCH_STATEMENTS;
		if ((r.kind == WATCH_SIGNER || r.kind == WATCH_IDENTITY) &&
		    watch_match(&r, &x->facts))
			return true;
	}
	return false;
}

/* --- envelopes --- */

/* Wrong for the entry: the log says what its own leaf refutes. */
static bool
forged(struct scan *s, struct seen *x, struct error *err)
{
	struct monitor_finding f = {
	    .kind = MONITOR_BAD_DATA, .reason = "envelope"};
	char message[200];

	x->envelope = "forged";
	(void)snprintf(message, sizeof(message),
	    "the envelope that the log serves for entry %llu does not hash to "
	    "the entry's digest",
	    (unsigned long long)x->index);
	f.message = message;
	sha256(&s->w->hasher, bytes_str(message), &f.about);
	return (monitor_event_room(s->m, s->w, &s->local) &&
		   monitor_event_finding(s->m, s->w, &f, &s->local)) ||
	    error_set(err, ERR_INTERNAL, "%s", s->local.text);
}

static bool
take_statement(struct seen *x, struct error *err)
{
	struct bytes payload = buf_bytes(&x->wanted->payload);
	struct error why = {0};
	struct envelope e = {BYTES_LIT(DSSE_IN_TOTO), payload, {0}};

	if (!dsse_statement_digest(&e, &x->s, err))
		return false;
	x->facts.s = &x->s;
	x->envelope = "present";
	if (!statement_parse(payload, &x->statement, &why))
		return why.code != ERR_INTERNAL ||
		    error_set(err, why.code, "%s", why.text);
	x->facts.statement = &x->statement;
	if (x->statement.kind != STATEMENT_MODEL)
		return true;
	if (manifest_parse(x->statement.predicate,
		&x->statement.subjects[0].digest, &x->manifest, &why))
		x->facts.manifest = &x->manifest;
	return why.code != ERR_INTERNAL ||
	    error_set(err, why.code, "%s", why.text);
}

static bool
take_envelope(struct scan *s, struct seen *x, struct error *err)
{
	uint8_t digest[DIGEST_MAX_LEN];

	if (x->e.digest_algorithm == DIGEST_SHA256 &&
	    x->e.digest.len == HASH_LEN) {
		memcpy(x->s.b, x->e.digest.ptr, HASH_LEN);
		x->facts.s = &x->s;
	}
	if (x->wanted->err.code != ERR_NONE) {
		*err = x->wanted->err;
		return false;
	}
	if (!x->wanted->there) {
		x->envelope = "missing";
		return true;
	}
	if (!dsse_digest(x->e.digest_algorithm, BYTES_LIT(DSSE_IN_TOTO),
		buf_bytes(&x->wanted->payload), digest, err))
		return false;
	if (!bytes_equal(bytes_of(digest, digest_len(x->e.digest_algorithm)),
		x->e.digest))
		return forged(s, x, err);
	return take_statement(x, err);
}

/* --- rules --- */

/* Of what is not known there is no key that could be the one of a rule. */
static bool
matches(const struct watch_rule *r, const struct seen *x)
{
	return (x->known || r->kind == WATCH_OPAQUE) &&
	    watch_match(r, &x->facts);
}

static bool
matches_any(const struct scan *s, const struct seen *x)
{
	for (size_t i = 0; i < s->w->watch.rule_count; i++)
		if (matches(&s->w->watch.rules[i], x))
			return true;
	return false;
}

/* Of a late statement, what was told without it is not told again. */
static bool
was_told(const struct scan *s, const struct watch_rule *r, const struct seen *x)
{
	struct watch_entry before = x->facts;

	before.statement = NULL;
	before.manifest = NULL;
	if (x->e.digest_algorithm != DIGEST_SHA256)
		before.s = NULL;
	return s->late && watch_match(r, &before);
}

static bool
report(struct scan *s, struct seen *x, struct error *err)
{
	struct monitor_hit hit = {
	    .index = x->index,
	    .entry = &x->facts,
	    .algorithm = x->e.digest_algorithm,
	    .certificate = x->e.is_certificate,
	    .envelope = x->envelope,
	    .known = x->known,
	};
	struct error why = {0};

	/* No exception is made of a signature that is not checked. */
	if (!matches_any(s, x))
		return true;
	/* All of its events or none: it is read again. */
	if (!monitor_event_room(s->m, s->w, &s->local))
		return error_set(err, ERR_INTERNAL, "%s", s->local.text);
	x->facts.signature_valid =
	    x->e.digest.len > 0 && entry_verify(&x->e, s->w->verifier, &why);
	if (why.code == ERR_INTERNAL)
		return error_set(err, why.code, "%s", why.text);
	for (size_t i = 0; i < s->w->watch.rule_count; i++) {
		hit.rule = &s->w->watch.rules[i];
		if (matches(hit.rule, x) && !was_told(s, hit.rule, x) &&
		    !monitor_event_entry(s->m, s->w, &hit, &s->local))
			return error_set(
			    err, ERR_INTERNAL, "%s", s->local.text);
	}
	return true;
}

/* The log may be given the statement later. Of too many the oldest goes. */
static void
remember(struct watched *w, const struct seen *x)
{
	struct late *l;

	if (x->e.digest.len > sizeof(l->digest))
		return;
	if (w->late_count == MONITOR_LATE_MAX) {
		w->late_count--;
		memmove(
		    w->late, &w->late[1], w->late_count * sizeof(w->late[0]));
	}
	l = &w->late[w->late_count++];
	l->index = x->index;
	l->len = x->e.digest.len;
	memcpy(l->digest, x->e.digest.ptr, l->len);
}

static bool
asks(const struct scan *s, const struct seen *x)
{
	return x->e.digest.len > 0 && (s->reads || is_watched(s, x));
}

/* The next entries, and the statements that are wanted of them. */
static bool
take_window(struct scan *s, struct reader *rest, uint64_t first,
    struct window *win, struct error *err)
{
	for (size_t i = 0; i < win->count; i++) {
		struct statement_wanted *want = &win->wanted[win->asked];
		struct seen *x = &win->seen[i];
		struct bytes leaf;

		x->index = first + i;
		if (!entries_next(rest, &leaf, err) ||
		    !take_leaf(s, leaf, x, err))
			return false;
		if (!asks(s, x))
			continue;
		x->wanted = s->late ? s->late : want;
		if (s->late)
			continue;
		buf_init(&want->payload, PAYLOAD_MAX);
		want->digest = x->e.digest;
		win->asked++;
	}
	statements_get(s->w->statements, win->wanted, win->asked);
	return true;
}

static void
window_clear(struct window *win)
{
	for (size_t i = 0; i < win->count; i++)
		seen_release(&win->seen[i]);
	for (size_t i = 0; i < win->asked; i++)
		buf_release(&win->wanted[i].payload);
	memset(win, 0, sizeof(*win));
}

static bool
look(struct scan *s, struct seen *x, struct error *err)
{
	if (x->wanted && !take_envelope(s, x, err))
		return false;
	if (!report(s, x, err))
		return false;
	s->found = strcmp(x->envelope, "present") == 0;
	if (s->late)
		return true;
	if (!x->facts.statement && (s->reads || is_watched(s, x)))
		s->w->opaque++;
	/* Not before it was reported: until then it counts as not read. */
	if (s->reads && x->wanted && !s->found)
		remember(s->w, x);
	s->w->next = x->index + 1;
	s->w->dirty = true;
	s->progress = true;
	return true;
}

static bool
read_window(struct scan *s, struct reader *rest, uint64_t first,
    struct window *win, struct error *err)
{
	if (!take_window(s, rest, first, win, err))
		return false;
	for (size_t i = 0; i < win->count; i++)
		if (!look(s, &win->seen[i], err))
			return false;
	return true;
}

/* All ends; or it is time to look at the head again, before it is read on. */
static bool
ends(struct scan *s)
{
	if (!s->late && s->progress && s->w->until > 0 &&
	    clock_monotonic_ns() >= s->w->until)
		s->w->cut = true;
	return s->w->cut || monitor_stops(s->m);
}

static bool
run(void *arg, unsigned worker, const struct tiles_run *r, struct error *err)
{
	struct scan *s = arg;
	struct reader rest = {r->bytes};
	struct window *win = calloc(1, sizeof(*win));
	bool ok = win || error_set(err, ERR_INTERNAL, "out of memory");

	(void)worker;
	for (unsigned i = 0; ok && i < r->count; i += MONITOR_AT_ONCE) {
		unsigned left = r->count - i;

		win->count = left < MONITOR_AT_ONCE ? left : MONITOR_AT_ONCE;
		ok = ends(s)
		    ? error_reason(err, ERR_UNAVAILABLE, "cancelled", "stopped")
		    : read_window(s, &rest, r->first + i, win, err);
		window_clear(win);
	}
	free(win);
	return ok;
}

static bool
bad_bundle(
    struct monitor *m, struct watched *w, struct error *why, struct error *err)
{
	struct monitor_finding f = {.kind = MONITOR_BAD_DATA,
	    .reason =
		strcmp(error_reason_name(why), "tile") == 0 ? "tile" : "leaf",
	    .message = why->text};
	AUTO(buf) about = BUF_INIT(256);

	if (strcmp(error_reason_name(why), "cancelled") == 0)
		return true;
	if (why->code != ERR_BADSIG && why->code != ERR_SYNTAX) {
		monitor_trouble(m, w, why);
		return true;
	}
	buf_printf(&about, "%s %llu", f.reason, (unsigned long long)w->next);
	buf_put(&about, hash_bytes(&w->root));
	sha256(&w->hasher, buf_bytes(&about), &f.about);
	return monitor_event_finding(m, w, &f, err);
}

/* What was found is durable before it is said how far we are. */
static bool
keep(struct monitor *m, struct watched *w, struct error *err)
{
	uint64_t last;
	bool ok;

	monitor_lock(m);
	ok = journal_sync(m->journal, err);
	last = journal_last(m->journal);
	/* All that an interrupted round may have reported was seen again. */
	if (w->next == w->size &&
	    (w->late_seen >= w->late_count || !watch_reads(&w->watch)))
		w->settled = true;
	if (w->settled && w->journal != last) {
		w->journal = last;
		w->dirty = true;
	}
	monitor_unlock(m);
	if (!ok || (w->dirty && !monitor_state_write(w, err)))
		return false;
	monitor_lock(m);
	w->synced = last;
	monitor_unlock(m);
	return true;
}

/* A failure of ours, or too much that waits to be told: `*over`. */
static bool
ours_failed(struct monitor *m, struct watched *w, struct scan *s, bool *over,
    struct error *err)
{
	*over = s->local.code == ERR_LIMIT;
	if (*over)
		monitor_trouble(m, w, &s->local);
	return s->local.code == ERR_NONE ||
	    error_set(err, s->local.code, "%s", s->local.text);
}

static void
forget(struct watched *w, uint64_t index)
{
	for (size_t i = 0; i < w->late_count; i++) {
		if (w->late[i].index != index)
			continue;
		w->late_count--;
		memmove(&w->late[i], &w->late[i + 1],
		    (w->late_count - i) * sizeof(w->late[0]));
		/* Those behind it moved up. */
		if (w->late_turn > i)
			w->late_turn--;
		w->dirty = true;
		return;
	}
}

/* One that was asked for again: it is read if its statement is there now.
 * `*ok`: the log answered. */
static bool
late_one(struct scan *s, uint64_t index, bool *ok, struct error *err)
{
	struct tiles_walk how = {.threads = 1, .run = run, .arg = s};
	struct error why = s->late->err;
	bool over;

	*ok = why.code == ERR_NONE &&
	    (!s->late->there ||
		tiles_walk(s->w->tiles, index, index + 1, &how, &why));
	if (!ours_failed(s->m, s->w, s, &over, err))
		return false;
	if (over)
		*ok = false;
	else if (!*ok)
		return bad_bundle(s->m, s->w, &why, err);
	else if (s->late->there && s->found)
		forget(s->w, index);
	return true;
}

/* Those whose turn it is. */
static size_t
take_turns(struct watched *w, struct late turns[MONITOR_LATE_ROUND],
    struct statement_wanted wanted[MONITOR_LATE_ROUND])
{
	size_t n = w->late_count < MONITOR_LATE_ROUND ? w->late_count
						      : MONITOR_LATE_ROUND;

	for (size_t i = 0; i < n; i++) {
		w->late_turn %= w->late_count;
		turns[i] = w->late[w->late_turn++];
		buf_init(&wanted[i].payload, PAYLOAD_MAX);
		wanted[i].digest = bytes_of(turns[i].digest, turns[i].len);
	}
	return n;
}

/* A few in each round: a log is not asked for all of them all the time. */
static bool
read_late(struct monitor *m, struct watched *w, struct error *err)
{
	struct statement_wanted wanted[MONITOR_LATE_ROUND] = {0};
	struct late turns[MONITOR_LATE_ROUND];
	bool answers = watch_reads(&w->watch), ok = true;
	size_t n = answers ? take_turns(w, turns, wanted) : 0;

	statements_get(w->statements, wanted, n);
	for (size_t i = 0; ok && answers && i < n && !monitor_stops(m); i++) {
		struct scan s = {
		    .m = m, .w = w, .reads = true, .late = &wanted[i]};

		w->late_seen++;
		ok = late_one(&s, turns[i].index, &answers, err);
	}
	for (size_t i = 0; i < n; i++)
		buf_release(&wanted[i].payload);
	return ok && keep(m, w, err);
}

static bool
read_new(struct monitor *m, struct watched *w, bool *whole, struct error *err)
{
	struct scan s = {.m = m, .w = w, .reads = watch_reads(&w->watch)};
	struct tiles_walk how = {.threads = 1, .run = run, .arg = &s};

	do {
		uint64_t left = w->size - w->next;
		struct error why = {0};
		bool over,
		    ok = left == 0 ||
		    tiles_walk(w->tiles, w->next,
			w->next + (left < CHUNK ? left : CHUNK), &how, &why);

		if (!keep(m, w, err) || !ours_failed(m, w, &s, &over, err))
			return false;
		if (over)
			return true;
		if (!ok)
			return bad_bundle(m, w, &why, err);
	} while (w->next < w->size && !ends(&s));
	*whole = w->next == w->size;
	return true;
}

bool
monitor_entries(struct monitor *m, struct watched *w, struct error *err)
{
	bool whole = false;

	return read_new(m, w, &whole, err) && (!whole || read_late(m, w, err));
}
