/* SPDX-License-Identifier: Apache-2.0 */
#include "server/admit_parts.h"

#include <stdlib.h>
#include <sys/random.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "io/clock.h"
#include "server/api/reply.h"

#define SLICE	    32 /* lines of a batch before others get their turn */
#define FAILED_COST 10 /* how much dearer a refused submission counts */

static void
drop_bundle(struct job *job)
{
	if (job->bundle)
		bundle_work_release(job->bundle);
	free(job->bundle);
	job->bundle = NULL;
}

static void
job_free(struct job *job)
{
	for (size_t i = 0; i < job->count; i++)
		submission_release(&job->lines[i].s);
	drop_bundle(job);
	free(job->lines);
	free(job);
}

/* The last submission of a job came back: somebody may answer it. */
void
admit_step(struct job *job)
{
	struct admit *a = job->admit;

	if (atomic_fetch_sub(&job->waiting, 1) != 1)
		return;
	(void)pthread_mutex_lock(&a->lock);
	job->next = NULL;
	*a->finished_last = job;
	a->finished_last = &job->next;
	(void)pthread_cond_signal(&a->wake);
	(void)pthread_mutex_unlock(&a->lock);
}

static void
submission_done(void *arg, struct submission *s)
{
	struct line *line = arg;

	(void)s;
	admit_step(line->job);
}

/*
 * Looks for the same leaf in the log. Equal hashes are not enough: the bytes
 * are compared (a truncated key once let a log answer for what it lacked).
 */
static bool
find_known(
    struct worker *w, struct submission *s, bool *known, struct error *err)
{
	AUTO(buf) stored = BUF_INIT(UINT16_MAX);
	uint64_t found[8], complete;
	size_t n = 0;

	*known = false;
	if (!lookup_find(w->admit->p.lookup, INDEX_LEAF, &s->keys.leaf, 0,
		false, sizeof(found) / sizeof(found[0]), found, &n, &complete,
		err))
		return false;
	for (size_t i = 0; i < n && !*known; i++) {
		buf_clear(&stored);
		if (!tree_entry(&w->cursor, found[i], &stored, err))
			return false;
		*known = bytes_equal(buf_bytes(&stored), buf_bytes(&s->leaf));
		s->index = found[i];
	}
	return true;
}

/* LINE_KNOWN, or LINE_NEW with a place in the pool's flight. */
static bool
enter_pool(
    struct worker *w, struct line *line, uint64_t epoch, struct error *err)
{
	struct pool *pool = w->admit->p.pool;
	bool known;

	for (;;) {
		atomic_fetch_add(&line->job->waiting, 1);
		switch (pool_put(pool, &line->s, epoch, err)) {
		case POOL_TAKEN:
			line->state = LINE_NEW;
			return true;
		case POOL_REFUSED:
			atomic_fetch_sub(&line->job->waiting, 1);
			return false;
		case POOL_LOOK_AGAIN:
			atomic_fetch_sub(&line->job->waiting, 1);
			break;
		}
		epoch = pool_epoch(pool);
		if (!find_known(w, &line->s, &known, err))
			return false;
		if (known) {
			line->state = LINE_KNOWN;
			return true;
		}
	}
}

static bool
ask_rules(struct worker *w, const struct line *line, struct rules_asked *asked,
    struct error *err)
{
	const struct bundle_work *b = line->job->bundle;

	if (rules_anyone(w->admit->p.rules))
		return true;
	asked->authorization = exchange_header(line->job->x, "authorization");
	asked->now = (uint64_t)clock_wall_s();
	if (b) {
		const struct statement *s = &b->enclosure.catalog.statement;

		asked->name = s->subjects[0].name;
		if (b->bundle.certificate_count > 1) {
			asked->intermediate_count =
			    b->bundle.certificate_count - 1;
			asked->intermediates = b->bundle.certificates + 1;
		}
	}
	return rules_admit(w->admit->p.rules, &w->cursor.hasher, asked, err);
}

/*
 * Makes the enclosure of what brought an envelope. Of a bundle it must be one
 * that is kept here; stock clients log envelopes of any kind, and those of
 * others are logged as the digest that they asked for.
 */
static bool
enclose_new(struct worker *w, struct line *line, const struct entry *e,
    struct error *err)
{
	struct bundle_work *b = line->job->bundle;
	struct error why = {0};

	if (!b || bundle_work_enclose(b, &w->cursor.hasher, e, &why))
		return true;
	if (!b->of_request || why.code == ERR_INTERNAL) {
		*err = why;
		return false;
	}
	drop_bundle(line->job);
	return true;
}

/* signature → room → rules → pool, for a leaf that is not known. */
static bool
admit_new(struct worker *w, struct line *line, const struct entry *e,
    uint64_t epoch, struct error *err)
{
	struct rules_asked asked = {.entry = e};

	if (!entry_verify(e, w->verifier, err) ||
	    !health_writable(w->admit->p.health, err) ||
	    !enclose_new(w, line, e, err) || !ask_rules(w, line, &asked, err))
		return false;
	if ((!line->job->bundle || admit_enclose(w, line, e, err)) &&
	    enter_pool(w, line, epoch, err) && line->state == LINE_NEW)
		return true;
	/* In the pool it is charged, whatever becomes of it there. */
	rules_give_back(w->admit->p.rules, &asked);
	if (line->state != LINE_KNOWN) {
		admit_unenclose(w, line);
		return false;
	}
	admit_enclose_known(w, line, e);
	return true;
}

/* The submission's entry and leaf, and in job->bundle an envelope, if it brings
 * one that may be kept. Of a batch none is. */
static bool
read_submission(
    struct line *line, struct bytes json, struct entry *e, struct error *err)
{
	struct job *job = line->job;
	bool has = false;

	if (job->kind == ADMIT_BUNDLE)
		return bundle_work_parse(job->bundle, json,
		    exchange_header(job->x, "mtlog-public-key"), &line->s.leaf,
		    e, err);
	if (job->kind == ADMIT_BATCH) {
		if (!entry_request_parse(json, e, err))
			return false;
	} else {
		job->bundle = calloc(1, sizeof(*job->bundle));
		if (!job->bundle)
			return error_set(err, ERR_INTERNAL, "out of memory");
		if (!bundle_work_of_request(job->bundle, json, e, &has, err))
			return false;
		if (!has)
			drop_bundle(job);
	}
	entry_format(e, &line->s.leaf);
	return true;
}

static bool
read_line(struct worker *w, struct line *line, struct bytes json,
    struct entry *e, struct error *err)
{
	struct submission *s = &line->s;
	struct hash leaf;

	if (!read_submission(line, json, e, err))
		return false;
	if (!buf_ok(&s->leaf, err))
		return false;
	merkle_leaf(&w->cursor.hasher, buf_bytes(&s->leaf), &leaf);
	lookup_keys_of(&w->cursor.hasher, e, &leaf, &s->keys);
	return hasher_ok(&w->cursor.hasher, err);
}

/*
 * decode → canonical leaf → known leaf? → signature → room → rules → pool. A
 * known leaf is answered whatever health, quota or rules say today: a retry
 * must succeed, and it costs no verification.
 */
static bool
admit_line(
    struct worker *w, struct line *line, struct bytes json, struct error *err)
{
	AUTO(entry) e = {0};
	struct submission *s = &line->s;
	uint64_t epoch = pool_epoch(w->admit->p.pool);
	bool known;

	buf_init(&s->leaf, UINT16_MAX);
	s->done = submission_done;
	s->arg = line;
	if (!read_line(w, line, json, &e, err))
		return false;
	/* An envelope waits for an equal leaf, too, but has to be kept. */
	if (!line->job->bundle) {
		atomic_fetch_add(&line->job->waiting, 1);
		if (pool_join(w->admit->p.pool, s)) {
			line->state = LINE_NEW;
			return true;
		}
		atomic_fetch_sub(&line->job->waiting, 1);
	}
	if (!find_known(w, s, &known, err))
		return false;
	if (!known)
		return admit_new(w, line, &e, epoch, err);
	line->state = LINE_KNOWN;
	admit_enclose_known(w, line, &e);
	return true;
}

/* The request's next line; single requests are one line whatever they hold. */
static struct bytes
next_line(struct job *job)
{
	struct bytes line = job->rest.rest;

	if (job->kind != ADMIT_BATCH || !reader_line(&job->rest, &line))
		job->rest.rest = (struct bytes){0};
	if (job->kind == ADMIT_BATCH && line.len > 0 &&
	    line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static size_t
count_lines(struct bytes body)
{
	size_t n = 0;

	for (size_t i = 0; i < body.len; i++)
		n += body.ptr[i] == '\n';
	return n + (body.len > 0 && body.ptr[body.len - 1] != '\n');
}

static bool
job_begin(struct job *job, struct error *err)
{
	struct bytes body = exchange_request(job->x)->body;
	size_t count = job->kind == ADMIT_BATCH ? count_lines(body) : 1, share;

	job->begun = true;
	reader_init(&job->rest, body);
	if (count == 0)
		return error_reason(err, ERR_SYNTAX, "empty-batch",
		    "the batch has no line; send one submission a line");
	if (count > ADMIT_BATCH_MAX)
		return error_reason(err, ERR_LIMIT, "batch-too-long",
		    "the batch has %zu lines; at most %d fit", count,
		    ADMIT_BATCH_MAX);
	/* A leaf is about as long as its line; which ones, is not known yet. */
	share = body.len / count;
	if (job->kind == ADMIT_BATCH &&
	    !pool_reserve(job->admit->p.pool, count, count * share, err))
		return false;
	job->lines = calloc(count, sizeof(*job->lines));
	if (job->kind == ADMIT_BUNDLE)
		job->bundle = calloc(1, sizeof(*job->bundle));
	if (!job->lines || (job->kind == ADMIT_BUNDLE && !job->bundle)) {
		if (job->kind == ADMIT_BATCH)
			pool_unreserve(
			    job->admit->p.pool, count, count * share);
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	job->count = count;
	for (size_t i = 0; i < count; i++) {
		job->lines[i].job = job;
		job->lines[i].s.reserved = job->kind == ADMIT_BATCH;
		job->lines[i].s.reserved_bytes = share;
	}
	return true;
}

static void
run_line(struct worker *w, struct line *line, struct bytes json)
{
	struct pool *pool = w->admit->p.pool;
	uint64_t start = clock_monotonic_ns();
	bool ok = admit_line(w, line, json, &line->err);

	line->report.admit = clock_monotonic_ns() - start;
	if (!ok)
		line->state = LINE_REFUSED;
	/* In the pool the submission is no longer ours to look at. Those of
	 * bundles are never reserved. */
	if ((ok && line->state == LINE_NEW) || line->job->bundle)
		return;
	if (line->s.reserved)
		pool_unreserve(pool, 1, line->s.reserved_bytes);
	line->s.reserved = false;
}

static void
job_close(struct job *job)
{
	struct admit *a = job->admit;

	job_free(job);
	(void)pthread_mutex_lock(&a->lock);
	if (--a->open == 0)
		(void)pthread_cond_broadcast(&a->idle);
	(void)pthread_mutex_unlock(&a->lock);
}

/* Works on a request for a slice; true when it has to come again. */
static bool
job_run(struct worker *w, struct job *job, uint64_t *cost)
{
	struct error err = {0};
	uint64_t start = clock_monotonic_ns();

	if (!job->begun && !job_begin(job, &err)) {
		exchange_fail(job->x, &err);
		job_close(job);
		return false;
	}
	for (size_t i = 0; i < SLICE && job->done < job->count; i++) {
		struct line *line = &job->lines[job->done++];
		uint64_t line_start = clock_monotonic_ns();

		run_line(w, line, next_line(job));
		if (line->state == LINE_REFUSED)
			*cost += (FAILED_COST - 1) *
			    (clock_monotonic_ns() - line_start);
	}
	tree_cursor_rest(&w->cursor);
	*cost += clock_monotonic_ns() - start;
	if (job->done < job->count)
		return true;
	admit_step(job);
	return false;
}

static bool
answer_line(struct worker *w, struct line *line, const struct head *head,
    struct buf *out)
{
	size_t len = out->len;

	if (line->state == LINE_NEW && line->s.err.code != ERR_NONE) {
		line->err = line->s.err;
		line->state = LINE_REFUSED;
	}
	if (line->state != LINE_REFUSED &&
	    (!admit_covered(line, head, &line->err) ||
		!admit_put_entry(w, line, head, out))) {
		out->len = len;
		line->state = LINE_REFUSED;
	}
	if (line->state == LINE_REFUSED)
		reply_error_body(out, &line->err);
	return line->state != LINE_REFUSED;
}

static void
report_line(struct worker *w, struct line *line, uint64_t began, uint64_t now)
{
	struct admit_report *r = &line->report;

	r->accepted = line->state == LINE_NEW;
	r->duplicate = line->state == LINE_KNOWN;
	r->reason =
	    line->state == LINE_REFUSED ? error_reason_name(&line->err) : NULL;
	r->answer = now - began;
	if (line->state == LINE_NEW && began > line->s.queued_ns)
		r->queue = began - line->s.queued_ns;
	w->admit->p.report(w->admit->p.arg, r);
}

/* Every line has its fate: build, verify and send the answer. */
static void
job_answer(struct worker *w, struct job *job)
{
	struct head *head = head_current(w->admit->p.heads);
	struct response r;
	bool ok = true;

	reply_text(&r, job->kind == ADMIT_BATCH ? 200 : 201,
	    job->kind == ADMIT_BATCH ? "application/x-ndjson"
				     : "application/json");
	for (size_t i = 0; i < job->count; i++) {
		uint64_t began = clock_monotonic_ns();

		ok = answer_line(w, &job->lines[i], head, &r.text);
		if (job->kind == ADMIT_BATCH)
			buf_put_u8(&r.text, '\n');
		report_line(w, &job->lines[i], began, clock_monotonic_ns());
	}
	head_release(head);
	tree_cursor_rest(&w->cursor);
	if (job->kind != ADMIT_BATCH && !ok) {
		response_release(&r);
		reply_error(&r, &job->lines[0].err);
	} else {
		response_header(&r, "Cache-Control", "no-store");
	}
	exchange_reply(job->x, &r);
	job_close(job);
}

static void *
worker_thread(void *arg)
{
	struct worker *w = arg;
	struct admit *a = w->admit;

	(void)pthread_mutex_lock(&a->lock);
	for (;;) {
		struct job *job = a->finished;
		uint64_t cost = 0;

		if (job) {
			a->finished = job->next;
			if (!job->next)
				a->finished_last = &a->finished;
			(void)pthread_mutex_unlock(&a->lock);
			if (!admit_enclose_late(w, job) && !admit_park(job))
				job_answer(w, job);
			(void)pthread_mutex_lock(&a->lock);
			continue;
		}
		job = (struct job *)fair_take(&a->queue);
		if (job) {
			struct fair_item bucket = job->item;
			bool again;

			(void)pthread_mutex_unlock(&a->lock);
			again = job_run(w, job, &cost);
			(void)pthread_mutex_lock(&a->lock);
			fair_charge(&a->queue, &bucket, cost);
			if (again)
				fair_again(&a->queue, &job->item);
			continue;
		}
		if (a->stopping)
			break;
		(void)pthread_cond_wait(&a->wake, &a->lock);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return NULL;
}

static bool
worker_start(struct admit *a, struct error *err)
{
	struct worker *w = &a->workers[a->started];

	w->admit = a;
	w->verifier = key_verifier_open(err);
	if (w->verifier && tree_cursor_open(&w->cursor, a->p.tree, err)) {
		if (pthread_create(&w->thread, NULL, worker_thread, w) == 0) {
			a->started++;
			return true;
		}
		(void)error_set(err, ERR_INTERNAL, "cannot start a thread");
		tree_cursor_release(&w->cursor);
	}
	key_verifier_close(w->verifier);
	return false;
}

struct admit *
admit_open(const struct admit_parts *parts, struct error *err)
{
	struct admit *a = calloc(1, sizeof(*a));
	uint64_t seed = 0;

	if (!a) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	a->p = *parts;
	a->finished_last = &a->finished;
	(void)!getrandom(&seed, sizeof(seed), 0);
	fair_init(&a->queue, parts->queue_max, seed);
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->wake, NULL);
	(void)pthread_cond_init(&a->idle, NULL);
	while (a->started < parts->workers && a->started < WORKERS_MAX) {
		if (!worker_start(a, err)) {
			admit_close(a);
			return NULL;
		}
	}
	return a;
}

void
admit_close(struct admit *a)
{
	if (!a)
		return;
	admit_hurry(a);
	(void)pthread_mutex_lock(&a->lock);
	while (a->open > 0 && a->started > 0)
		(void)pthread_cond_wait(&a->idle, &a->lock);
	a->stopping = true;
	(void)pthread_cond_broadcast(&a->wake);
	(void)pthread_mutex_unlock(&a->lock);
	for (unsigned i = 0; i < a->started; i++) {
		(void)pthread_join(a->workers[i].thread, NULL);
		tree_cursor_release(&a->workers[i].cursor);
		key_verifier_close(a->workers[i].verifier);
	}
	(void)pthread_cond_destroy(&a->wake);
	(void)pthread_cond_destroy(&a->idle);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}

void
admit_take(struct admit *a, struct exchange *x, enum admit_kind kind)
{
	struct job *job = calloc(1, sizeof(*job));
	struct error err = {0};
	bool taken = false, full = false;

	if (job) {
		job->admit = a;
		job->x = x;
		job->kind = kind;
		atomic_init(&job->waiting, 1);
		job->until_ns =
		    clock_monotonic_ns() + a->p.quorum_wait_ms * 1000000;
		(void)pthread_mutex_lock(&a->lock);
		full = a->p.quorum && a->open >= a->p.open_max;
		taken = !full &&
		    fair_put(
			&a->queue, &job->item, &exchange_request(x)->client);
		if (taken) {
			a->open++;
			(void)pthread_cond_signal(&a->wake);
		}
		(void)pthread_mutex_unlock(&a->lock);
	}
	if (taken)
		return;
	free(job);
	if (full)
		(void)error_reason(&err, ERR_UNAVAILABLE, "quorum-busy",
		    "too many submissions wait for the witnesses; try again");
	else
		(void)error_reason(&err, ERR_UNAVAILABLE, "admission-busy",
		    "too many submissions wait to be checked; try again");
	exchange_fail(x, &err);
}

size_t
admit_waiting(struct admit *a)
{
	size_t n;

	(void)pthread_mutex_lock(&a->lock);
	n = a->queue.total;
	(void)pthread_mutex_unlock(&a->lock);
	return n;
}
