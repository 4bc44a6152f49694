/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/monitor_statements.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "client/lib/log_client.h"
#include "client/lib/monitor.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/workers.h"

struct statements {
	const struct monitor_log *log;
	unsigned timeout_ms;
	atomic_bool cancelled;
	/* A connection for each worker, opened when first used. */
	_Atomic(struct log_client *) clients[MONITOR_WORKERS];
};

/* A list that is shared out to the workers. */
struct batch {
	struct statements *s;
	struct statement_wanted *list;
	size_t n;
	_Atomic(size_t) next; /* the next to take */
	atomic_bool failed;
};

struct statements *
statements_open(
    const struct monitor_log *log, unsigned timeout_ms, struct error *err)
{
	struct statements *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	s->log = log;
	s->timeout_ms = timeout_ms;
	return s;
}

void
statements_close(struct statements *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < MONITOR_WORKERS; i++)
		log_client_close(atomic_load(&s->clients[i]));
	free(s);
}

void
statements_cancel(struct statements *s)
{
	/* Whoever opens one afterwards looks at this. */
	atomic_store(&s->cancelled, true);
	for (size_t i = 0; i < MONITOR_WORKERS; i++) {
		struct log_client *c = atomic_load(&s->clients[i]);

		if (c)
			log_client_cancel(c);
	}
}

static bool
no_more(struct error *err)
{
	return error_reason(err, ERR_UNAVAILABLE, "cancelled", "stopped");
}

/* The connection of a worker; each statement has all the time there is. */
static struct log_client *
client_of(struct statements *s, unsigned worker, struct error *err)
{
	struct log_client *c = atomic_load(&s->clients[worker]);

	if (!c) {
		c = log_client_open(s->log->url, NULL, s->timeout_ms, err);
		atomic_store(&s->clients[worker], c);
	}
	if (!c)
		return NULL;
	if (atomic_load(&s->cancelled)) {
		(void)no_more(err);
		return NULL;
	}
	log_client_renew(c, s->timeout_ms);
	return c;
}

static bool
get(struct statements *s, unsigned worker, struct statement_wanted *x,
    struct error *err)
{
	AUTO(buf) path = BUF_INIT(256);
	struct log_client *c;
	char *text;
	bool ok;

	if (s->log->envelope)
		return s->log->envelope(
		    s->log->arg, x->digest, &x->payload, err);
	c = client_of(s, worker, err);
	if (!c)
		return false;
	buf_put_str(&path, "/api/v1/envelopes/");
	hex_put(&path, x->digest);
	text = buf_dup_string(&path);
	if (!text)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = log_client_get(c, text, &x->payload, err);
	free(text);
	return ok;
}

static void
ask(struct batch *b, unsigned worker, struct statement_wanted *x)
{
	struct error why = {0};

	x->err = (struct error){0};
	x->there = get(b->s, worker, x, &why);
	if (x->there || why.code == ERR_NOTFOUND ||
	    strcmp(error_reason_name(&why), "rejected") == 0)
		return;
	x->err = why;
	atomic_store(&b->failed, true);
}

static void
work(void *arg, unsigned worker)
{
	struct batch *b = arg;

	while (!atomic_load(&b->failed)) {
		size_t i = atomic_fetch_add(&b->next, 1);

		if (i >= b->n)
			return;
		ask(b, worker, &b->list[i]);
	}
}

void
statements_get(struct statements *s, struct statement_wanted *list, size_t n)
{
	struct batch b = {.s = s, .list = list, .n = n};

	for (size_t i = 0; i < n; i++)
		(void)no_more(&list[i].err);
	if (n > 0)
		workers_run(workers_count(MONITOR_WORKERS, n), work, NULL, &b);
}
