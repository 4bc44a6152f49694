/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/dsse.h"
#include "core/model/entry.h"
#include "core/tlog/entries.h"
#include "io/clock.h"

#define CHUNK	    1024       /* entries between two writes of the state */
#define PAYLOAD_MAX (1u << 20) /* bytes; a log keeps no larger ones */
#define ASK_AGAIN   200	       /* requests, before a client's time is new */

/* Reading a run of entries. */
struct scan {
	struct monitor *m;
	struct watched *w;
	bool reads;    /* every statement */
	bool late;     /* only what could not be said before */
	bool progress; /* something was read */
	bool found;    /* the statement of a late one was there, and right */
	struct error local; /* of ours, not of the log */
};

/* An entry and all that is known of it. */
struct seen {
	uint64_t index;
	struct entry e;
	struct certificate certificate;
	struct buf payload;
	struct hash s;
	struct statement statement;
	struct manifest manifest;
	struct watch_entry facts;
	const char *envelope;
};

static void
seen_release(struct seen *s)
{
	manifest_release(&s->manifest);
	statement_release(&s->statement);
	entry_release(&s->e);
	buf_release(&s->payload);
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
	x->facts.digest = x->e.digest;
	sha256(&s->m->hasher, x->e.key.spki, &x->facts.key);
	if (x->e.is_certificate &&
	    certificate_parse(x->e.verifier, &x->certificate, &why)) {
		x->facts.names = x->certificate.names;
		x->facts.name_count = x->certificate.name_count;
	}
	return hasher_ok(&s->m->hasher, err);
}

/* Whether a rule is about the signer as the leaf shows it. */
static bool
is_watched(const struct scan *s, const struct seen *x)
{
	for (size_t i = 0; i < s->m->watch.rule_count; i++) {
		struct watch_rule r = s->m->watch.rules[i];

		r.statements = WATCH_STATEMENTS;
		if ((r.kind == WATCH_SIGNER || r.kind == WATCH_IDENTITY) &&
		    watch_match(&r, &x->facts))
			return true;
	}
	return false;
}

/* --- envelopes --- */

static bool
ask_log(struct scan *s, struct bytes digest, struct buf *out, struct error *err)
{
	struct watched *w = s->w;
	AUTO(buf) path = BUF_INIT(256);
	char *text;
	bool ok;

	if (w->log->envelope)
		return w->log->envelope(w->log->arg, digest, out, err);
	if (w->client && w->asked >= ASK_AGAIN) {
		log_client_close(w->client);
		w->client = NULL;
	}
	if (!w->client) {
		w->asked = 0;
		w->client =
		    log_client_open(w->log->url, NULL, s->m->o.timeout_ms, err);
	}
	if (!w->client)
		return false;
	w->asked++;
	buf_put_str(&path, "/api/v1/envelopes/");
	hex_put(&path, digest);
	text = buf_dup_string(&path);
	if (!text)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = log_client_get(w->client, text, out, err);
	free(text);
	return ok;
}

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
	sha256(&s->m->hasher, bytes_str(message), &f.about);
	return monitor_event_finding(s->m, s->w, &f, &s->local) ||
	    error_set(err, ERR_INTERNAL, "%s", s->local.text);
}

static bool
take_statement(struct seen *x, struct error *err)
{
	struct error why = {0};
	struct envelope e = {
	    BYTES_LIT(DSSE_IN_TOTO), buf_bytes(&x->payload), {0}};

	if (!dsse_statement_digest(&e, &x->s, err))
		return false;
	x->facts.s = &x->s;
	x->envelope = "present";
	if (!statement_parse(buf_bytes(&x->payload), &x->statement, &why))
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

/*
 * Asks the log for a statement: `*there`, or it does not have it. Where only
 * the client's own time is over, that is no failure of the log.
 */
static bool
ask_twice(struct scan *s, struct bytes digest, struct buf *out, bool *there,
    struct error *err)
{
	struct error why = {0};

	*there = ask_log(s, digest, out, &why);
	if (!*there && why.code == ERR_UNAVAILABLE && s->w->asked > 1) {
		s->w->asked = ASK_AGAIN;
		buf_clear(out);
		why = (struct error){0};
		*there = ask_log(s, digest, out, &why);
	}
	if (*there || why.code == ERR_NOTFOUND ||
	    strcmp(error_reason_name(&why), "rejected") == 0)
		return true;
	*err = why;
	return false;
}

static bool
take_envelope(struct scan *s, struct seen *x, struct error *err)
{
	uint8_t digest[DIGEST_MAX_LEN];
	bool there;

	buf_init(&x->payload, PAYLOAD_MAX);
	if (x->e.digest_algorithm == DIGEST_SHA256 &&
	    x->e.digest.len == HASH_LEN) {
		memcpy(x->s.b, x->e.digest.ptr, HASH_LEN);
		x->facts.s = &x->s;
	}
	if (!ask_twice(s, x->e.digest, &x->payload, &there, err))
		return false;
	if (!there) {
		x->envelope = "missing";
		return true;
	}
	if (!dsse_digest(x->e.digest_algorithm, BYTES_LIT(DSSE_IN_TOTO),
		buf_bytes(&x->payload), digest, err))
		return false;
	if (!bytes_equal(bytes_of(digest, digest_len(x->e.digest_algorithm)),
		x->e.digest))
		return forged(s, x, err);
	return take_statement(x, err);
}

/* --- rules --- */

static bool
matches_any(const struct scan *s, const struct seen *x)
{
	for (size_t i = 0; i < s->m->watch.rule_count; i++)
		if (watch_match(&s->m->watch.rules[i], &x->facts))
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
	};
	struct error why = {0};

	/* No exception is made of a signature that is not checked. */
	if (!matches_any(s, x))
		return true;
	x->facts.signature_valid =
	    x->e.digest.len > 0 && entry_verify(&x->e, s->m->verifier, &why);
	if (why.code == ERR_INTERNAL)
		return error_set(err, why.code, "%s", why.text);
	for (size_t i = 0; i < s->m->watch.rule_count; i++) {
		hit.rule = &s->m->watch.rules[i];
		if (watch_match(hit.rule, &x->facts) &&
		    !was_told(s, hit.rule, x) &&
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
look(struct scan *s, uint64_t index, struct bytes leaf, struct error *err)
{
	AUTO(seen) x = {.index = index};

	if (!take_leaf(s, leaf, &x, err))
		return false;
	if (x.e.digest.len > 0 && (s->reads || is_watched(s, &x)) &&
	    !take_envelope(s, &x, err))
		return false;
	s->found = strcmp(x.envelope, "present") == 0;
	if (!report(s, &x, err))
		return false;
	/* Only now: what is not reported is looked at again. */
	if (!s->late && !x.facts.statement && (s->reads || is_watched(s, &x)))
		s->w->opaque++;
	if (!s->late && s->reads && !s->found && x.e.digest.len > 0)
		remember(s->w, &x);
	return true;
}

/* A log that is slow, or has very many, does not keep the others waiting. */
static bool
must_wait(struct scan *s)
{
	if (!s->late && s->progress && s->w->until > 0 &&
	    clock_monotonic_ns() >= s->w->until)
		s->w->cut = true;
	return s->w->cut;
}

static bool
run(void *arg, unsigned worker, const struct tiles_run *r, struct error *err)
{
	struct scan *s = arg;
	struct reader rest = {r->bytes};
	struct bytes leaf;

	(void)worker;
	for (unsigned i = 0; i < r->count; i++) {
		if (monitor_stops(s->m) || must_wait(s))
			return error_reason(
			    err, ERR_UNAVAILABLE, "cancelled", "stopped");
		if (!entries_next(&rest, &leaf, err) ||
		    !look(s, r->first + i, leaf, err))
			return false;
		if (s->late)
			continue;
		s->w->next = r->first + i + 1;
		s->w->dirty = true;
		s->progress = true;
	}
	return true;
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
	sha256(&m->hasher, buf_bytes(&about), &f.about);
	return monitor_event_finding(m, w, &f, err);
}

/* What was found is durable before it is said how far we are. */
static bool
keep(struct monitor *m, struct watched *w, struct error *err)
{
	if (!journal_sync(m->journal, err))
		return false;
	/* All that an interrupted round may have reported was seen again. */
	if (w->next == w->size &&
	    (w->late_seen >= w->late_count || !watch_reads(&m->watch)))
		w->settled = true;
	if (w->settled && w->journal != journal_last(m->journal)) {
		w->journal = journal_last(m->journal);
		w->dirty = true;
	}
	return !w->dirty || monitor_state_write(w, err);
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
forget(struct watched *w, size_t i)
{
	w->late_count--;
	memmove(&w->late[i], &w->late[i + 1],
	    (w->late_count - i) * sizeof(w->late[0]));
	w->dirty = true;
}

/* One whose turn it is: read again if its statement is there now. `*ok`: the log
 * answered. */
static bool
late_one(struct scan *s, size_t i, bool *ok, struct error *err)
{
	struct tiles_walk how = {.threads = 1, .run = run, .arg = s};
	AUTO(buf) payload = BUF_INIT(PAYLOAD_MAX);
	struct late l = s->w->late[i];
	struct error why = {0};
	bool there = false, over;

	*ok = ask_twice(s, bytes_of(l.digest, l.len), &payload, &there, &why) &&
	    (!there ||
		tiles_walk(s->w->tiles, l.index, l.index + 1, &how, &why));
	if (!ours_failed(s->m, s->w, s, &over, err))
		return false;
	if (over)
		*ok = false;
	else if (!*ok)
		return bad_bundle(s->m, s->w, &why, err);
	else if (there && s->found)
		forget(s->w, i);
	else
		s->w->late_turn++;
	return true;
}

/* A few in each round: a log is not asked for all of them all the time. */
static bool
read_late(struct monitor *m, struct watched *w, struct error *err)
{
	struct scan s = {.m = m, .w = w, .reads = true, .late = true};
	size_t turns = w->late_count < MONITOR_LATE_ROUND ? w->late_count
							  : MONITOR_LATE_ROUND;
	bool ok = watch_reads(&m->watch);

	for (; ok && turns > 0 && w->late_count > 0 && !monitor_stops(m);
	     turns--) {
		w->late_turn %= w->late_count;
		w->late_seen++;
		if (!late_one(&s, w->late_turn, &ok, err))
			return false;
	}
	return keep(m, w, err);
}

static bool
read_new(struct monitor *m, struct watched *w, bool *whole, struct error *err)
{
	struct scan s = {.m = m, .w = w, .reads = watch_reads(&m->watch)};
	struct tiles_walk how = {.threads = 1, .run = run, .arg = &s};

	do {
		uint64_t left = w->size - w->next;
		struct error why = {0};
		bool over,
		    ok = left == 0 ||
		    tiles_walk(w->tiles, w->next,
			w->next + (left < CHUNK ? left : CHUNK), &how, &why);

		if (!keep(m, w, err) || !monitor_tell(m, err) ||
		    !monitor_tidy(m, err) || !ours_failed(m, w, &s, &over, err))
			return false;
		if (over)
			return true;
		if (!ok)
			return bad_bundle(m, w, &why, err);
	} while (w->next < w->size && !monitor_stops(m) && !must_wait(&s));
	*whole = w->next == w->size;
	return true;
}

bool
monitor_entries(struct monitor *m, struct watched *w, struct error *err)
{
	bool whole = false;

	/* Its time began in an earlier round. */
	log_client_close(w->client);
	w->client = NULL;
	return read_new(m, w, &whole, err) && (!whole || read_late(m, w, err));
}
