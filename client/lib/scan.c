/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/fork.h"
#include "client/lib/history.h"
#include "client/lib/lock.h"
#include "client/lib/scan_record.h"
#include "client/lib/scan_walk.h"
#include "client/lib/tiles.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/tle.h"
#include "core/verify/evidence.h"
#include "io/clock.h"
#include "io/file.h"

#define SAVE_ENTRIES 65536
#define CAUGHT_MAX   (64u << 20)
#define SAVE_NS	     (UINT64_C(5) * 1000000000)

struct scan {
	const struct scan_options *o;
	int lock;
	struct scan_book *book;
	struct judge judge;
	struct scan_watch watch;
	struct scan_recorder recorder;
	struct tile_fetch *fetch; /* of the tiles */
	struct tile_fetch *side;  /* of envelopes, between tiles */
	struct tiles *tiles;
	struct buf note;
	struct scan_head head; /* that is scanned now; borrows from `note` */
	struct frontier frontier;
	uint64_t saved_at; /* monotonic, ns */
};

static const struct vkey *
log_key(const struct scan *s)
{
	return &s->o->policy->quorum.logs[s->o->log].key;
}

static void
scan_release(struct scan *s)
{
	tiles_close(s->tiles);
	tile_fetch_close(s->fetch);
	tile_fetch_close(s->side);
	scan_watch_close(&s->watch);
	hasher_release(&s->judge.hasher);
	key_verifier_close(s->judge.verifier);
	buf_release(&s->note);
	if (s->lock >= 0)
		(void)close(s->lock); /* lets the lock go */
}

static bool
take_lock(struct scan *s, struct error *err)
{
	const char *dir = s->o->state;
	char *path = path_join(dir, "scan.lock");

	if (!path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	(void)mkdir(dir, 0700); /* if not, the lock says why */
	s->lock = lock_take(path, 0, dir, err);
	free(path);
	return s->lock >= 0;
}

static char *
address_of(const struct scan_options *o, struct error *err)
{
	struct bytes url = o->policy->quorum.logs[o->log].url;
	struct bytes origin = vkey_name(&o->policy->quorum.logs[o->log].key);
	const char *named = url.ptr ? (const char *)url.ptr : "";
	char *out = o->url ? strdup(o->url) : strndup(named, url.len);

	if (!out)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	if (out && (out[0] || o->source.get))
		return out;
	free(out);
	(void)error_set(err, ERR_USAGE,
	    "where is the log %.*s? Say --log-url URL, or write it into the "
	    "policy's log line",
	    (int)origin.len, (const char *)origin.ptr);
	return NULL;
}

static bool
open_log(struct scan *s, struct error *err)
{
	char *url = address_of(s->o, err);
	struct tile_fetch_options o = {
	    .url = url,
	    .source = s->o->source,
	    .timeout_ms = s->o->timeout_ms,
	};

	if (!url)
		return false;
	s->fetch = tile_fetch_open(&o, err);
	s->side = s->fetch ? tile_fetch_open(&o, err) : NULL;
	s->tiles = s->side ? tiles_open(s->fetch, err) : NULL;
	free(url);
	return s->tiles != NULL;
}

static bool
open_scan(struct scan *s, struct error *err)
{
	buf_init(&s->note, NOTE_MAX_LEN);
	s->judge.policy = s->o->policy;
	s->judge.now = s->o->now;
	s->judge.verifier = key_verifier_open(err);
	if (!s->judge.verifier || !hasher_open(&s->judge.hasher, err) ||
	    !scan_watch_open(s->o->policy, &s->watch, err) ||
	    !take_lock(s, err) || !open_log(s, err))
		return false;
	s->book = scan_book_open(s->o->state, vkey_name(log_key(s)), err);
	if (!s->book)
		return false;
	s->recorder = (struct scan_recorder){
	    .book = s->book,
	    .judge = &s->judge,
	    .watch = &s->watch,
	    .fetch = s->side,
	};
	return true;
}

/* The log's checkpoint today, which the policy's quorum has seen. */
static bool
read_head(struct scan *s, struct error *err)
{
	const struct quorum *q = &s->o->policy->quorum;
	struct quorum_result r = {0};
	AUTO(note) note = {0};

	if (!tile_fetch_checkpoint(s->side, &s->note, err) ||
	    !note_parse(buf_bytes(&s->note), &note, err) ||
	    !quorum_verify(q, &note, s->judge.verifier, &r, err))
		return false;
	if (r.log != s->o->log)
		return error_reason(err, ERR_DENIED, "unknown-log",
		    "the checkpoint shown is another log's");
	if (r.dated && r.fresh_since > s->o->now + CLAIM_CLOCK_SKEW)
		return error_reason(err, ERR_DENIED, "clock",
		    "the log's witnesses are ahead of this machine's clock; "
		    "set the clock");
	s->head = (struct scan_head){
	    .there = true,
	    .size = r.head.size,
	    .root = r.head.root,
	    .note = buf_bytes(&s->note),
	    .dated = r.dated,
	    .time = r.fresh_since,
	};
	return true;
}

static bool
forked(const struct scan *s, const struct scan_head *pin, struct bytes evidence,
    struct error *err)
{
	struct error why = {0};
	char *path = NULL;
	bool kept = fork_write(s->o->state, evidence, &path, &why);

	(void)error_reason(err, ERR_CONFLICT, "inconsistent",
	    "the log's tree of %llu entries and the one of %llu that it signed "
	    "before are not of one history: it forked%s%s",
	    (unsigned long long)s->head.size, (unsigned long long)pin->size,
	    kept ? "; the evidence is in " : "; no evidence: ",
	    kept ? path : why.text);
	free(path);
	return false;
}

/* The log shows less than it did. `gone`: it has no longer what it showed. */
static bool
went_back(const struct scan *s, const struct scan_head *pin, bool gone,
    struct error *err)
{
	unsigned long long shown = s->head.size, before = pin->size;

	if (gone)
		return error_reason(err, ERR_CONFLICT, "inconsistent",
		    "the log shows a tree of %llu entries, and showed one of "
		    "%llu before, of which it has no tiles any more: it went "
		    "back, or forked",
		    shown, before);
	return error_reason(err, ERR_DENIED, "rollback",
	    "the log shows an old checkpoint of the same history: a tree of "
	    "%llu entries, and showed one of %llu before",
	    shown, before);
}

/* Whether the head continues one that was believed before. */
static bool
follows(struct scan *s, const struct scan_head *pin, struct error *err)
{
	struct history h = {
	    .log = log_key(s),
	    .heads = {{pin->note, pin->size, pin->root},
		{s->head.note, s->head.size, s->head.root}},
	};
	bool smaller = s->head.size < pin->size, ok;
	struct error why = {0};
	enum history_is is;

	if (!pin->there)
		return true;
	is = history_judge(s->tiles, &h, &why);
	ok = is == HISTORY_ONE && !smaller;
	if (is == HISTORY_FORKED)
		(void)forked(s, pin, buf_bytes(&h.evidence), err);
	else if (smaller && (is == HISTORY_ONE || is == HISTORY_GONE))
		(void)went_back(s, pin, is == HISTORY_GONE, err);
	else if (!ok)
		*err = why;
	buf_release(&h.evidence);
	return ok;
}

/* The head that mtlog log remembers. */
static bool
read_pin(struct scan *s, struct scan_head *out, struct error *err)
{
	struct checkpoint c;

	*out = (struct scan_head){.note = s->o->pin};
	if (s->o->pin.len == 0)
		return true;
	if (!checkpoint_open(s->o->pin, log_key(s), s->judge.verifier, &c, err))
		return error_prefix(err, "the pin");
	out->there = true;
	out->size = c.size;
	out->root = c.root;
	return true;
}

/* Whether the head continues whatever was believed before. */
static bool
continues(struct scan *s, struct error *err)
{
	struct scan_head pinned, pin;

	return read_pin(s, &pinned, err) && follows(s, &pinned, err) &&
	    scan_book_head(s->book, "pin", &pin, err) &&
	    follows(s, &pin, err) &&
	    (tiles_stand_on(s->tiles, s->head.size, &s->head.root) ||
		tiles_head(s->tiles, s->head.size, &s->head.root, err));
}

/* Where the scan stands; it begins anew for a policy with new signers. */
static bool
take_up(struct scan *s, struct error *err)
{
	struct hash was, is;
	bool watched;

	if (!scan_book_watches(s->book, s->o->policy, &watched, err) ||
	    (!watched && !scan_book_restart(s->book, err)) ||
	    !scan_book_watch(s->book, s->o->policy, err) ||
	    !scan_book_put_head(s->book, "pin", &s->head, err) ||
	    !scan_book_frontier(s->book, &s->frontier, err))
		return false;
	if (s->frontier.size > s->head.size)
		return scan_book_broken(s->book, err);
	frontier_root(&s->judge.hasher, &s->frontier, &was);
	if (!tiles_root(s->tiles, s->frontier.size, &is, err) ||
	    !hasher_ok(&s->judge.hasher, err))
		return false;
	return hash_equal(&was, &is) || scan_book_broken(s->book, err);
}

static bool
save(struct scan *s, struct error *err)
{
	s->saved_at = clock_monotonic_ns();
	return scan_book_put_frontier(s->book, &s->frontier, err) &&
	    scan_book_write(s->book, err);
}

static void
tell(void *arg, uint64_t done)
{
	const struct scan *s = arg;

	if (s->o->progress)
		s->o->progress(
		    s->o->progress_arg, s->frontier.size + done, s->head.size);
}

/* What is recorded before the frontier gets there does no harm: each signer's
 * digest has one place in the book. */
static bool
record(struct scan *s, const struct scan_catch *c, struct error *err)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct scan_caught *one = &c->list[i];
		struct bytes leaf = bytes_slice(
		    buf_bytes(&c->leaves), one->at, one->at + one->len);

		if (!scan_record_leaf(&s->recorder, one->index, leaf, err) ||
		    (clock_monotonic_ns() - s->saved_at >= SAVE_NS &&
			!save(s, err)))
			return false;
	}
	return true;
}

/* The entries up to `to`, or as many as some seconds allow. With `full` they were
 * too many, and are left. */
static bool
walk_part(struct scan *s, uint64_t to, bool *full, struct error *err)
{
	struct node_reader nodes = tiles_nodes(s->tiles);
	struct scan_catch caught = {
	    .limit = s->o->caught_max ? s->o->caught_max : CAUGHT_MAX};
	struct error why = {0};
	uint64_t at = s->frontier.size;
	bool ok =
	    scan_walk(s->tiles, &s->watch, &at, to, tell, s, &caught, &why);

	*full = !ok && caught.full;
	if (!ok && !*full)
		*err = why;
	ok = ok && record(s, &caught, err) &&
	    frontier_read(&nodes, at, &s->frontier, err) && save(s, err);
	scan_catch_release(&caught);
	return ok || *full;
}

static bool
walk(struct scan *s, struct error *err)
{
	uint64_t part = s->o->save_every ? s->o->save_every : SAVE_ENTRIES;
	struct hash root;

	while (s->frontier.size < s->head.size) {
		uint64_t to = (s->frontier.size / part + 1) * part;
		bool full;

		if (!walk_part(
			s, to < s->head.size ? to : s->head.size, &full, err))
			return false;
		if (full && part <= TILE_WIDTH)
			return error_set(err, ERR_LIMIT,
			    "a bundle has more leaves of signers than are "
			    "looked at at a time");
		part = full ? part / 2 : part;
	}
	frontier_root(&s->judge.hasher, &s->frontier, &root);
	return hasher_ok(&s->judge.hasher, err) &&
	    (hash_equal(&root, &s->head.root) ||
		error_set(err, ERR_INTERNAL,
		    "the leaves do not give the root: a defect"));
}

/* The entry with its proof, which says below which index a revoked key's
 * entries stay good. */
static bool
format_entry(struct scan *s, const struct scan_found *f, struct buf *out,
    struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	struct node_reader nodes = tiles_nodes(s->tiles);
	struct tle t = {
	    .index = f->index,
	    .log_id = log_key(s)->log_id,
	    .size = s->head.size,
	    .root = s->head.root,
	    .checkpoint = s->head.note,
	};

	if (!base64_decode(f->leaf, &leaf) || f->index >= s->head.size)
		return scan_book_broken(s->book, err);
	t.body = buf_bytes(&leaf);
	if (!proof_inclusion(&s->judge.hasher, &nodes, f->index, s->head.size,
		&t.proof, err))
		return false;
	tle_format(&t, out);
	return hasher_ok(&s->judge.hasher, err) && buf_ok(out, err);
}

static bool
prove_revocation(struct scan *s, const struct scan_found *f, json_t *record,
    struct error *err)
{
	AUTO(buf) entry = BUF_INIT(TLE_MAX_LEN);
	AUTO(buf) text = BUF_INIT(EVIDENCE_FILE_MAX);
	struct error ignored = {0};
	struct bundle b = {0};
	bool ok = format_entry(s, f, &entry, err);

	if (ok && !bundle_parse(f->bundle, &b, &ignored))
		ok = scan_book_broken(s->book, err);
	if (ok) {
		b.entry_count = 1;
		b.entries[0] = buf_bytes(&entry);
		bundle_format(&b, &text);
		ok = buf_ok(&text, err);
	}
	bundle_release(&b);
	if (!ok)
		return false;
	return (json_object_set_new(record, "bundle",
		    json_stringn((const char *)text.ptr, text.len)) == 0 &&
		   json_object_set_new(record, "proven", json_true()) == 0) ||
	    error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
prove_revocations(struct scan *s, struct error *err)
{
	const char *name;
	json_t *record;

	json_object_foreach(s->book->found, name, record)
	{
		struct scan_found f;

		if (!scan_found_read(s->book, record, &f, err))
			return false;
		if (scan_is_kind(&f, STATEMENT_REVOCATION) && !f.proven &&
		    !prove_revocation(s, &f, record, err))
			return false;
	}
	return true;
}

static bool
run(struct scan *s, struct error *err)
{
	return open_scan(s, err) && read_head(s, err) && continues(s, err) &&
	    take_up(s, err) && save(s, err) &&
	    scan_record_retry(&s->recorder, err) && walk(s, err) &&
	    prove_revocations(s, err) &&
	    scan_book_put_head(s->book, "head", &s->head, err) && save(s, err);
}

bool
scan_run(
    const struct scan_options *o, struct scan_book **book, struct error *err)
{
	struct scan s = {.o = o, .lock = -1};
	bool ok = run(&s, err);

	*book = s.book;
	scan_release(&s);
	return ok;
}
