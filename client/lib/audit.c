/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/audit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "client/lib/audit_search.h"
#include "client/lib/history.h"
#include "core/base/cleanup.h"
#include "core/model/entry.h"
#include "core/tlog/entries.h"
#include "core/tlog/evidence.h"
#include "io/clock.h"
#include "io/workers.h"

#define SAVE_NS	    UINT64_C(1000000000) /* between two states */
#define WAITING_PER 2 /* threads a processor: some wait for the log */

/* What a thread has of its own. */
struct checker {
	struct key_verifier *verifier;
};

struct audit {
	const struct audit_options *o;
	struct audit_report *out;
	struct hasher hasher;
	struct key_verifier *verifier;
	struct audit_search *search;
	uint64_t at; /* where the walk is, */
	bool walked; /* and there was one */
	uint64_t saved_ns;
	struct error lost; /* the tiles cannot be read any more */
	struct checker checkers[TILE_FETCH_WORKERS];
	pthread_mutex_t lock; /* of what is counted */
};

/* --- results --- */

static struct audit_check *
check_of(struct audit *a, enum audit_step step)
{
	return &a->out->checks[step];
}

static bool
failed(struct audit *a, enum audit_step step, const struct error *why)
{
	struct audit_check *c = check_of(a, step);

	/* A fork is the worst that there is. */
	if (c->result != AUDIT_FAIL ||
	    verdict_worse((int)verdict_code_of(&c->why),
		(int)verdict_code_of(why)) != (int)verdict_code_of(&c->why))
		c->why = *why;
	c->result = AUDIT_FAIL;
	return false;
}

static bool
passed(struct audit *a, enum audit_step step)
{
	check_of(a, step)->result = AUDIT_PASS;
	return true;
}

/* --- one history --- */

/* A tree that somebody was shown. */
struct shown {
	const char *who;
	struct bytes note;
	struct checkpoint head;
	/* We saw it ourselves: that the log does not connect it with what it
	 * shows now is as bad as a fork. Of others it may be a head that is not
	 * yet cosigned, or one that was for them alone: that is not known. */
	bool ours;
};

static bool
forked(const struct audit *a, const struct shown *s, struct error *err)
{
	return error_reason(err, ERR_BADSIG, "inconsistent",
	    "%s signed two trees: %s has one of %" PRIu64
	    " entries that the current one of %" PRIu64
	    " is not consistent with",
	    a->o->log->name, s->who, s->head.size, a->out->head.size);
}

/* The log shows less than it did, and it is of one history; or of what it showed
 * there is nothing any more. */
static bool
went_back(
    const struct audit *a, const struct shown *s, bool gone, struct error *err)
{
	const char *log = a->o->log->name;
	uint64_t size = a->out->head.size;

	if (!gone)
		return error_reason(err, ERR_BADSIG, "rollback",
		    "%s shows an old checkpoint of the same history: a tree of "
		    "%" PRIu64 " entries, but %s has one of %" PRIu64,
		    log, size, s->who, s->head.size);
	return error_reason(err, ERR_BADSIG,
	    s->ours ? "inconsistent" : "rollback",
	    "%s shows a tree of %" PRIu64 " entries, but %s has one of %" PRIu64
	    ", of which it has no tiles any more: it went back, or %s",
	    log, size, s->who, s->head.size,
	    s->ours ? "forked" : "shows it to others only");
}

/* Is this tree of the current one's history? */
static bool
judge(struct audit *a, const struct shown *s, struct error *err)
{
	const struct checkpoint *head = &a->out->head;
	bool larger = s->head.size > head->size;
	struct history h = {
	    .log = a->o->log,
	    .heads = {{buf_bytes(&a->out->note), head->size, head->root},
		{s->note, s->head.size, s->head.root}},
	};
	struct error why = {0};
	enum history_is is = history_judge(a->o->tiles, &h, &why);

	if (a->out->evidence.len == 0)
		buf_put(&a->out->evidence, buf_bytes(&h.evidence));
	buf_release(&h.evidence);
	if (is == HISTORY_FORKED)
		return forked(a, s, err);
	if (larger && (is == HISTORY_ONE || is == HISTORY_GONE))
		return went_back(a, s, is == HISTORY_GONE, err);
	if (is != HISTORY_ONE)
		*err = why;
	return is == HISTORY_ONE;
}

/* Is this checkpoint, signed by the log, of the current one's history? The
 * tiles stand on the current one afterwards, or are `lost`. */
static bool
same_history(struct audit *a, const char *who, struct bytes note, bool ours,
    struct error *err)
{
	const struct checkpoint *head = &a->out->head;
	struct shown s = {.who = who, .note = note, .ours = ours};
	bool ok;

	if (a->lost.code != ERR_NONE) {
		*err = a->lost;
		return false;
	}
	if (!checkpoint_open(note, a->o->log, a->verifier, &s.head, err))
		return false;
	ok = judge(a, &s, err);
	if (!tiles_stand_on(a->o->tiles, head->size, &head->root))
		(void)!tiles_head(
		    a->o->tiles, head->size, &head->root, &a->lost);
	return ok;
}

static bool
read_head(struct audit *a)
{
	struct audit_report *r = a->out;
	struct error err = {0};

	if (tiles_checkpoint(
		a->o->tiles, a->o->log, &r->note, &r->head, &err) &&
	    tiles_head(a->o->tiles, r->head.size, &r->head.root, &err))
		return passed(a, AUDIT_CHECKPOINT);
	if (!err.reason && err.code == ERR_BADSIG)
		err.reason = "log-signature";
	if (!err.reason && err.code == ERR_NOTFOUND)
		err.reason = "unknown-log";
	if (!err.reason && (err.code == ERR_SYNTAX || err.code == ERR_LIMIT))
		err.reason = "server-error";
	return failed(a, AUDIT_CHECKPOINT, &err);
}

/* A log can show one auditor whatever it likes, but not witnesses. */
static bool
check_cosigned(struct audit *a)
{
	struct audit_report *r = a->out;
	struct error err = {0};
	AUTO(note) note = {0};

	if (!a->o->quorum) {
		check_of(a, AUDIT_COSIGNED)->result = AUDIT_NOT_ASKED;
		return true;
	}
	if (note_parse(buf_bytes(&r->note), &note, &err) &&
	    quorum_verify(a->o->quorum, &note, a->verifier, &r->cosigned, &err))
		return passed(a, AUDIT_COSIGNED);
	return failed(a, AUDIT_COSIGNED, &err);
}

/* What was walked before is the beginning of what is there now. */
static bool
check_history(struct audit *a)
{
	const struct audit_state *s = a->o->state;
	struct error err = {0};
	struct hash was, is;

	if (!s || s->note.len == 0) {
		check_of(a, AUDIT_HISTORY)->result = AUDIT_NOT_ASKED;
		return true;
	}
	frontier_root(&a->hasher, &s->done, &was);
	if (!hasher_ok(&a->hasher, &err) ||
	    !same_history(
		a, "the last audit", buf_bytes(&s->note), true, &err) ||
	    !tiles_root(a->o->tiles, s->done.size, &is, &err))
		return failed(a, AUDIT_HISTORY, &err);
	if (hash_equal(&was, &is))
		return passed(a, AUDIT_HISTORY);
	(void)error_set(&err, ERR_IO,
	    "the state of the last audit contradicts itself; remove it to "
	    "begin anew");
	return failed(a, AUDIT_HISTORY, &err);
}

static void
check_seen(struct audit *a)
{
	if (!a->o->seen) {
		check_of(a, AUDIT_SEEN)->result = AUDIT_NOT_ASKED;
		return;
	}
	(void)passed(a, AUDIT_SEEN);
	for (const struct audit_seen *s = a->o->seen; s; s = s->next) {
		struct error err = {0};

		a->out->seen++;
		if (!same_history(
			a, s->name, buf_bytes(&s->note), s->ours, &err))
			(void)failed(a, AUDIT_SEEN, &err);
	}
}

/* --- entries --- */

static void
bad_entry(struct audit *a, uint64_t index, const struct error *why)
{
	struct audit_report *r = a->out;
	struct error err = {0};

	(void)error_reason(&err, ERR_BADSIG, "leaf",
	    "entry %" PRIu64 " is not what a log of signatures has: %s", index,
	    why->text);
	(void)pthread_mutex_lock(&a->lock);
	if (r->bad_signatures < AUDIT_BAD_SHOWN)
		r->bad_at[r->bad_signatures] = index;
	if (r->bad_signatures++ == 0)
		(void)failed(a, AUDIT_ENTRIES, &err);
	(void)pthread_mutex_unlock(&a->lock);
}

/* False where it could not be told; a bad entry is noted, and the walk goes
 * on. */
static bool
check_entry(struct audit *a, struct checker *c, uint64_t index,
    struct bytes bytes, struct error *err)
{
	AUTO(entry) e = {0};
	struct error why = {0};

	if (entry_parse(bytes, &e, &why) && entry_verify(&e, c->verifier, &why))
		return true;
	if (why.code == ERR_INTERNAL) {
		*err = why;
		return false;
	}
	bad_entry(a, index, &why);
	return true;
}

static bool
take_run(
    void *arg, unsigned worker, const struct tiles_run *run, struct error *err)
{
	struct audit *a = arg;
	struct checker *c = &a->checkers[worker];
	struct reader r;

	if (a->o->entries && !c->verifier &&
	    !(c->verifier = key_verifier_open(err)))
		return false;
	if (!a->o->entries && !a->search)
		return true;
	reader_init(&r, run->bytes);
	for (unsigned i = 0; i < run->count; i++) {
		struct bytes entry = {0};

		if (!entries_next(&r, &entry, err))
			return error_set(err, ERR_INTERNAL, "no entry");
		if (a->o->entries &&
		    !check_entry(a, c, run->first + i, entry, err))
			return false;
		if (a->search &&
		    !audit_search_meet(a->search, run->first + i, entry, err))
			return false;
	}
	if (a->o->entries) {
		(void)pthread_mutex_lock(&a->lock);
		a->out->signatures += run->count;
		(void)pthread_mutex_unlock(&a->lock);
	}
	return true;
}

/* --- the walk --- */

static bool
stopped(const struct audit *a)
{
	return a->o->stop && a->o->stop(a->o->arg);
}

/* A log may be so slow that the state would be saved in an hour. */
static bool
enough(void *arg)
{
	const struct audit *a = arg;

	return stopped(a) ||
	    (a->o->state && clock_monotonic_ns() - a->saved_ns >= SAVE_NS);
}

static bool
cancelled(const struct audit *a, struct error *err)
{
	bool kept = a->o->state && a->walked && a->out->bad_signatures == 0;

	return error_reason(err, ERR_UNAVAILABLE, "cancelled",
	    "interrupted, with %" PRIu64 " of %" PRIu64 " entries done%s",
	    a->at, a->out->head.size,
	    kept ? "; the next audit goes on from there" : "");
}

static void
report(void *arg, uint64_t done)
{
	struct audit *a = arg;

	if (a->o->progress)
		a->o->progress(a->o->arg, a->at - a->out->from + done,
		    a->out->to - a->out->from);
}

/* What was walked need not be walked again. A bad signature does: who looks
 * again shall find it again. */
static bool
save(struct audit *a, bool last, struct error *err)
{
	struct audit_state *s = a->o->state;
	struct node_reader nodes = tiles_nodes(a->o->tiles);
	uint64_t now = clock_monotonic_ns();

	if (!s || a->out->bad_signatures > 0 ||
	    (!last && now - a->saved_ns < SAVE_NS))
		return true;
	a->saved_ns = now;
	if (!frontier_read(&nodes, a->at, &s->done, err))
		return false;
	s->entries = a->o->entries || (s->entries && a->out->from == a->at);
	buf_clear(&s->note);
	buf_put(&s->note, buf_bytes(&a->out->note));
	return buf_ok(&s->note, err) &&
	    (!a->o->save || a->o->save(a->o->arg, s, err));
}

static unsigned
threads_of(const struct audit *a)
{
	unsigned n = a->o->threads;

	if (n == 0)
		n = WAITING_PER * workers_count(0, WORKERS_MAX);
	return n < TILE_FETCH_WORKERS ? n : TILE_FETCH_WORKERS;
}

static bool
walk(struct audit *a, struct error *err)
{
	struct tiles_walk how = {.threads = threads_of(a),
	    .all_tiles = true,
	    .run = take_run,
	    .progress = report,
	    .enough = enough,
	    .arg = a};
	uint64_t to = a->out->to;
	bool stop;

	a->at = a->out->from;
	a->walked = true;
	do {
		if (!tiles_walk_some(a->o->tiles, &a->at, to, &how, err))
			return false;
		stop = a->at < to && stopped(a);
		if (!save(a, stop || a->at == to, err))
			return false;
		a->saved_ns = clock_monotonic_ns();
	} while (a->at < to && !stop);
	return !stop || cancelled(a, err);
}

static void
walk_all(struct audit *a, bool history)
{
	const struct audit_state *s = a->o->state;
	struct error err = {0};
	bool ok;

	a->out->to = a->out->head.size;
	a->out->from =
	    s && history && (s->entries || !a->o->entries) ? s->done.size : 0;
	ok = walk(a, &err);
	if (ok)
		(void)passed(a, AUDIT_TREE);
	else
		(void)failed(a, AUDIT_TREE, &err);
	if (!a->o->entries)
		check_of(a, AUDIT_ENTRIES)->result = AUDIT_NOT_ASKED;
	else if (ok && a->out->bad_signatures == 0)
		(void)passed(a, AUDIT_ENTRIES);
}

/* --- search --- */

static bool
choose(struct audit *a)
{
	struct error err = {0};

	if (a->o->search == 0 || !a->o->search_get) {
		check_of(a, AUDIT_SEARCH)->result = AUDIT_NOT_ASKED;
		return true;
	}
	a->search = audit_search_open(&err);
	if (a->search &&
	    audit_search_choose(a->search, a->o->tiles, a->out->head.size,
		a->o->search, a->o->seed, &err))
		return true;
	/* What cannot be read for this is what the walk would read. */
	return failed(a, AUDIT_TREE, &err);
}

static void
ask(struct audit *a)
{
	struct error err = {0};
	bool ok = audit_search_ask(a->search, a->o->tiles, a->out->head.size,
	    a->o->search_get, a->o->arg, &err);

	a->out->digests = audit_search_chosen(a->search);
	a->out->hits = audit_search_met(a->search);
	if (ok) {
		(void)passed(a, AUDIT_SEARCH);
		return;
	}
	if (err.code == ERR_NOTFOUND && !a->o->search_must) {
		check_of(a, AUDIT_SEARCH)->result = AUDIT_NOT_ASKED;
		a->out->digests = 0;
		a->out->hits = 0;
		return;
	}
	if (err.code == ERR_NOTFOUND)
		err.reason = "server-error";
	(void)failed(a, AUDIT_SEARCH, &err);
}

static void
all_steps(struct audit *a)
{
	bool history, cosigned;
	struct error err = {0};

	if (!read_head(a))
		return;
	cosigned = check_cosigned(a);
	history = check_history(a);
	check_seen(a);
	if (a->lost.code != ERR_NONE) {
		(void)failed(a, AUDIT_TREE, &a->lost);
		return;
	}
	/* A tree that nobody else has seen, or that contradicts the last one, is
	 * not what was walked then. */
	if (!cosigned || !choose(a) || !history)
		return;
	walk_all(a, history);
	if (!a->search || check_of(a, AUDIT_TREE)->result != AUDIT_PASS)
		return;
	if (stopped(a)) {
		(void)cancelled(a, &err);
		(void)failed(a, AUDIT_SEARCH, &err);
		return;
	}
	/* Where there is nothing to ask for, nothing was found right. */
	if (audit_search_chosen(a->search) == 0)
		check_of(a, AUDIT_SEARCH)->result = AUDIT_NOT_ASKED;
	else
		ask(a);
}

static int
worst(const struct audit_report *r)
{
	int code = VERDICT_ACCEPTED;
	bool stop = false;

	for (unsigned i = 0; i < AUDIT_STEPS; i++) {
		const struct error *why = &r->checks[i].why;

		if (r->checks[i].result != AUDIT_FAIL)
			continue;
		/* Nothing is known, but for what was found before. */
		if (strcmp(error_reason_name(why), "cancelled") == 0)
			stop = true;
		else
			code = verdict_worse(code, (int)verdict_code_of(why));
	}
	return code == VERDICT_ACCEPTED && stop ? VERDICT_INTERNAL : code;
}

int
audit_run(const struct audit_options *o, struct audit_report *out)
{
	struct audit a = {
	    .o = o, .out = out, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct error err = {0};

	*out = (struct audit_report){.note = BUF_INIT(NOTE_MAX_LEN),
	    .evidence = BUF_INIT(EVIDENCE_MAX_LEN)};
	a.saved_ns = clock_monotonic_ns();
	a.verifier = key_verifier_open(&err);
	if (a.verifier && hasher_open(&a.hasher, &err))
		all_steps(&a);
	else
		(void)failed(&a, AUDIT_CHECKPOINT, &err);
	for (unsigned i = 0; i < TILE_FETCH_WORKERS; i++)
		key_verifier_close(a.checkers[i].verifier);
	audit_search_close(a.search);
	hasher_release(&a.hasher);
	key_verifier_close(a.verifier);
	return worst(out);
}

void
audit_report_release(struct audit_report *r)
{
	buf_release(&r->note);
	buf_release(&r->evidence);
}

const char *
audit_step_name(enum audit_step step)
{
	static const char *const names[] = {
	    [AUDIT_CHECKPOINT] = "checkpoint",
	    [AUDIT_COSIGNED] = "cosigned",
	    [AUDIT_HISTORY] = "history",
	    [AUDIT_SEEN] = "seen",
	    [AUDIT_TREE] = "tree",
	    [AUDIT_ENTRIES] = "entries",
	    [AUDIT_SEARCH] = "search",
	};

	return step < AUDIT_STEPS ? names[step] : "unknown";
}

const char *
audit_result_name(enum audit_result result)
{
	static const char *const names[] = {
	    [AUDIT_NOT_REACHED] = "not-reached",
	    [AUDIT_NOT_ASKED] = "not-asked",
	    [AUDIT_PASS] = "pass",
	    [AUDIT_FAIL] = "fail",
	};

	return names[result];
}
