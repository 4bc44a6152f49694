/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/front.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/base/encoding.h"
#include "io/clock.h"
#include "server/api/reply.h"
#include "server/fair.h"
#include "server/witness/front_metrics.h"

enum job_kind { JOB_ADD, JOB_GET, JOB_METRICS };

/* A request that waits for the keeper. */
struct job {
	struct fair_item item; /* first: a job is its item */
	struct exchange *x;
	enum job_kind kind;
	struct hash log; /* of a GET */
};

struct front {
	struct keeper *keeper;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct fair_queue queue;
	bool ending;
	pthread_t thread;
	atomic_bool draining, down;
	atomic_bool trouble; /* the last submission was not answered for */
	struct front_figures figures;
};

/* Answers. */

static void
begin(struct response *r, unsigned status, const char *type)
{
	reply_text(r, status, type);
	response_header(r, "Cache-Control", "no-store");
	response_header(r, "Access-Control-Allow-Origin", "*");
}

static void
answer_text(struct exchange *x, unsigned status, const char *text)
{
	struct response r;

	begin(&r, status, "text/plain; charset=utf-8");
	buf_printf(&r.text, "%s\n", text);
	exchange_reply(x, &r);
}

static void
answer_busy(struct exchange *x, const char *why)
{
	uint8_t chance = 0;
	struct response r;

	/* Jittered, or all the refused come back at once. */
	(void)!getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
	begin(&r, 503, "text/plain; charset=utf-8");
	response_header(&r, "Retry-After", "%u", 1 + chance % 4U);
	buf_printf(&r.text, "%s\n", why);
	exchange_reply(x, &r);
}

static void
answer_method(struct exchange *x, const char *allow)
{
	struct response r;

	begin(&r, 405, "text/plain; charset=utf-8");
	response_header(&r, "Allow", "%s", allow);
	buf_printf(&r.text, "this address takes %s\n", allow);
	exchange_reply(x, &r);
}

/* The keeper's answer, as it stands. */
static void
answer_kept(struct exchange *x, struct cosigner_answer *a)
{
	struct response r;

	begin(&r, a->status,
	    a->status == 409 ? "text/x.tlog.size"
			     : "text/plain; charset=utf-8");
	if (a->status == 429 || a->status == 503)
		response_header(&r, "Retry-After", "%llu",
		    (unsigned long long)(a->retry_s > 0 ? a->retry_s : 1));
	buf_put(&r.text, buf_bytes(&a->text));
	exchange_reply(x, &r);
}

/* The thread that asks. */

static bool
ask(struct front *f, const struct job *j, struct cosigner_answer *a)
{
	struct error err = {0};
	struct bytes in = exchange_request(j->x)->body;

	if (j->kind == JOB_GET)
		in = hash_bytes(&j->log);
	if (!atomic_load(&f->down) &&
	    keeper_ask(f->keeper, j->kind == JOB_GET ? KEEPER_GET : KEEPER_ADD,
		in, a, &err))
		return true;
	atomic_store(&f->down, true);
	return false;
}

static void
work_metrics(struct front *f, const struct job *j)
{
	struct response r;

	reply_text(&r, 200, "text/plain; version=0.0.4; charset=utf-8");
	front_metrics_render(
	    &f->figures, atomic_load(&f->down) ? NULL : f->keeper, &r.text);
	exchange_reply(j->x, &r);
}

static void
work(struct front *f, const struct job *j)
{
	struct cosigner_answer a = {0};

	if (j->kind == JOB_METRICS) {
		work_metrics(f, j);
		return;
	}
	if (!ask(f, j, &a)) {
		answer_busy(j->x, "the witness starts again; try again");
		return;
	}
	if (j->kind == JOB_ADD) {
		front_figures_add(&f->figures, a.row, a.status);
		if (a.status == 200)
			atomic_store(&f->trouble, false);
		else if (a.status >= 500)
			atomic_store(&f->trouble, true);
	}
	answer_kept(j->x, &a);
	cosigner_answer_release(&a);
}

/* The next job; NULL: the end. */
static struct job *
take(struct front *f)
{
	struct fair_item *item = NULL;

	(void)pthread_mutex_lock(&f->lock);
	while (!f->ending && !(item = fair_take(&f->queue)))
		(void)pthread_cond_wait(&f->work, &f->lock);
	(void)pthread_mutex_unlock(&f->lock);
	return (struct job *)item;
}

static void *
run(void *arg)
{
	struct front *f = arg;
	struct job *j;

	while ((j = take(f))) {
		uint64_t began = clock_monotonic_ns();

		work(f, j);
		(void)pthread_mutex_lock(&f->lock);
		fair_charge(
		    &f->queue, &j->item, (clock_monotonic_ns() - began) / 1000);
		(void)pthread_mutex_unlock(&f->lock);
		free(j);
	}
	return NULL;
}

static void
put(struct front *f, struct exchange *x, enum job_kind kind,
    const struct hash *log)
{
	struct job *j = calloc(1, sizeof(*j));
	bool queued = false;

	if (j) {
		j->x = x;
		j->kind = kind;
		if (log)
			j->log = *log;
		(void)pthread_mutex_lock(&f->lock);
		queued = !f->ending &&
		    fair_put(&f->queue, &j->item, &exchange_request(x)->client);
		(void)pthread_cond_signal(&f->work);
		(void)pthread_mutex_unlock(&f->lock);
	}
	if (queued)
		return;
	free(j);
	answer_busy(x, "too many requests wait; try again");
}

/* Routes. */

static void
route_add(struct front *f, struct exchange *x)
{
	const struct request *q = exchange_request(x);

	if (q->method != HTTP_POST) {
		answer_method(x, "POST");
	} else if (q->body.len > WITNESS_REQUEST_MAX_LEN) {
		front_figures_add(&f->figures, JUDGE_MALFORMED, 400);
		answer_text(x, 400, "the body is too long");
	} else {
		put(f, x, JOB_ADD, NULL);
	}
}

static void
route_ready(struct front *f, struct exchange *x)
{
	if (atomic_load(&f->draining))
		answer_text(x, 503, "draining");
	else if (atomic_load(&f->down))
		answer_text(x, 503, "keeper-down");
	else if (atomic_load(&f->trouble))
		answer_text(x, 503, "trouble");
	else
		answer_text(x, 200, "ready");
}

/* "/<64 hex digits>/checkpoint" */
static bool
is_checkpoint(struct bytes path, struct hash *log)
{
	struct bytes end = BYTES_LIT("/checkpoint");

	return path.len == 1 + 2 * (size_t)HASH_LEN + end.len &&
	    path.ptr[0] == '/' &&
	    hex_decode(bytes_slice(path, 1, 1 + 2 * (size_t)HASH_LEN), log->b,
		HASH_LEN) &&
	    bytes_equal(
		bytes_slice(path, 1 + 2 * (size_t)HASH_LEN, path.len), end);
}

void
front_handle(void *arg, struct exchange *x)
{
	const struct request *q = exchange_request(x);
	bool read = q->method == HTTP_GET || q->method == HTTP_HEAD;
	struct front *f = arg;
	struct hash log;

	if (bytes_equal(q->path, BYTES_LIT("/add-checkpoint")))
		route_add(f, x);
	else if (is_checkpoint(q->path, &log) && read)
		put(f, x, JOB_GET, &log);
	else if (bytes_equal(q->path, BYTES_LIT("/healthz")) && read)
		answer_text(x, 200, "serving");
	else if (bytes_equal(q->path, BYTES_LIT("/readyz")) && read)
		route_ready(f, x);
	else if (read || q->method == HTTP_POST)
		answer_text(x, 404, "there is nothing at this address");
	else
		answer_method(x, "GET, HEAD");
}

void
front_handle_metrics(void *arg, struct exchange *x)
{
	if (bytes_equal(exchange_request(x)->path, BYTES_LIT("/metrics")))
		put(arg, x, JOB_METRICS, NULL);
	else
		answer_text(x, 404, "the metrics are at /metrics");
}

void
front_refuse(void *arg, unsigned status, const char *reason,
    const char *message, struct response *r)
{
	(void)arg;
	(void)reason;
	/* A submission of any length that is over the limit is malformed
	 * (c2sp.org/tlog-witness): there is no other word for it. */
	begin(r, status == 413 ? 400 : status, "text/plain; charset=utf-8");
	buf_printf(&r->text, "%s\n", message);
}

/* Beginning and end. */

struct front *
front_open(struct keeper *keeper, struct error *err)
{
	struct front *f = calloc(1, sizeof(*f));
	uint64_t seed = 0;

	if (!f) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	(void)!getrandom(&seed, sizeof(seed), 0);
	f->keeper = keeper;
	(void)pthread_mutex_init(&f->lock, NULL);
	(void)pthread_cond_init(&f->work, NULL);
	fair_init(&f->queue, FRONT_QUEUE_MAX, seed);
	if (pthread_create(&f->thread, NULL, run, f) == 0)
		return f;
	error_set(err, ERR_INTERNAL, "no thread for the keeper");
	(void)pthread_cond_destroy(&f->work);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

void
front_drain(struct front *f)
{
	atomic_store(&f->draining, true);
}

void
front_close(struct front *f)
{
	struct fair_item *item;

	if (!f)
		return;
	(void)pthread_mutex_lock(&f->lock);
	f->ending = true;
	(void)pthread_cond_broadcast(&f->work);
	(void)pthread_mutex_unlock(&f->lock);
	(void)pthread_join(f->thread, NULL);
	while ((item = fair_take(&f->queue))) {
		struct job *j = (struct job *)item;

		answer_busy(j->x, "the witness is going down");
		free(j);
	}
	(void)pthread_cond_destroy(&f->work);
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}

void
front_stats_of(struct front *f, const struct httpd *h, const char *sandbox,
    const char *keeper_sandbox)
{
	f->figures.httpd = h;
	f->figures.sandbox = sandbox;
	f->figures.keeper_sandbox = keeper_sandbox;
}
