/* SPDX-License-Identifier: Apache-2.0 */
#include "server/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define TABLE	16384 /* chains of leaves in flight; a power of two */
#define HANDFUL 4     /* so few are committed at once, without gathering */

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	size_t max_entries, max_bytes;
	size_t entries, bytes; /* queued or in flight */
	size_t reserved, reserved_bytes;
	size_t queued;
	bool stopped;
	uint64_t epoch;
	struct submission *first, **last;
	struct submission *flight[TABLE];
};

void
submission_release(struct submission *s)
{
	buf_release(&s->leaf);
	head_release(s->head);
	s->head = NULL;
}

struct pool *
pool_open(size_t max_entries, size_t max_bytes, struct error *err)
{
	struct pool *p = calloc(1, sizeof(*p));
	pthread_condattr_t monotonic;

	if (!p) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	p->max_entries = max_entries;
	p->max_bytes = max_bytes;
	p->last = &p->first;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	return p;
}

void
pool_close(struct pool *p)
{
	if (!p)
		return;
	(void)pthread_cond_destroy(&p->wake);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

uint64_t
pool_epoch(struct pool *p)
{
	uint64_t n;

	(void)pthread_mutex_lock(&p->lock);
	n = p->epoch;
	(void)pthread_mutex_unlock(&p->lock);
	return n;
}

static size_t
bytes_of_submission(const struct submission *s)
{
	return s->leaf.len + (s->enclosure ? enclosure_bytes(s->enclosure) : 0);
}

static struct submission **
flight_slot(struct pool *p, const struct hash *leaf)
{
	uint32_t x;

	memcpy(&x, leaf->b, sizeof(x));
	return &p->flight[x & (TABLE - 1)];
}

/* The submission in flight with the same bytes; the hash alone is not asked. */
static struct submission *
flight_find(struct pool *p, const struct submission *s)
{
	struct submission *f = *flight_slot(p, &s->keys.leaf);

	while (f &&
	    !(hash_equal(&f->keys.leaf, &s->keys.leaf) &&
		bytes_equal(buf_bytes(&f->leaf), buf_bytes(&s->leaf))))
		f = f->chain;
	return f;
}

static void
flight_remove(struct pool *p, struct submission *s)
{
	struct submission **f = flight_slot(p, &s->keys.leaf);

	while (*f && *f != s)
		f = &(*f)->chain;
	if (*f)
		*f = s->chain;
	s->chain = NULL;
}

/* What was kept for it is used up, or given back. */
static void
use_reserved(struct pool *p, struct submission *s)
{
	if (s->reserved) {
		p->reserved--;
		p->reserved_bytes -= s->reserved_bytes;
	}
	s->reserved = false;
}

static bool
join_locked(struct pool *p, struct submission *s)
{
	struct submission *f = flight_find(p, s);

	if (!f)
		return false;
	s->twins = f->twins;
	f->twins = s;
	use_reserved(p, s);
	return true;
}

bool
pool_join(struct pool *p, struct submission *s)
{
	bool joined;

	(void)pthread_mutex_lock(&p->lock);
	joined = join_locked(p, s);
	(void)pthread_mutex_unlock(&p->lock);
	return joined;
}

static bool
room(const struct pool *p, size_t entries, size_t bytes)
{
	return p->entries + p->reserved + entries <= p->max_entries &&
	    p->bytes + p->reserved_bytes + bytes <= p->max_bytes;
}

static bool
queue_full(struct error *err)
{
	return error_reason(err, ERR_UNAVAILABLE, "queue-full",
	    "too many submissions are waiting; try again");
}

enum pool_result
pool_put(
    struct pool *p, struct submission *s, uint64_t epoch, struct error *err)
{
	enum pool_result result = POOL_TAKEN;
	struct submission **slot = flight_slot(p, &s->keys.leaf);
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	s->queued_ns =
	    (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	(void)pthread_mutex_lock(&p->lock);
	if (!s->known && join_locked(p, s)) {
		/* nothing to queue */
	} else if (!s->known && epoch != p->epoch) {
		result = POOL_LOOK_AGAIN;
	} else if (p->stopped) {
		(void)error_reason(err, ERR_UNAVAILABLE, "draining",
		    "the server is shutting down; try again");
		result = POOL_REFUSED;
	} else if (!s->reserved && !room(p, 1, bytes_of_submission(s))) {
		(void)queue_full(err);
		result = POOL_REFUSED;
	} else {
		use_reserved(p, s);
		p->entries++;
		p->queued++;
		p->bytes += bytes_of_submission(s);
		s->next = NULL;
		*p->last = s;
		p->last = &s->next;
		if (!s->known) {
			s->chain = *slot;
			*slot = s;
		}
		if (p->queued == 1)
			(void)pthread_cond_signal(&p->wake);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return result;
}

bool
pool_reserve(struct pool *p, size_t entries, size_t bytes, struct error *err)
{
	bool ok;

	(void)pthread_mutex_lock(&p->lock);
	ok = !p->stopped && room(p, entries, bytes);
	if (ok) {
		p->reserved += entries;
		p->reserved_bytes += bytes;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return ok || queue_full(err);
}

void
pool_unreserve(struct pool *p, size_t entries, size_t bytes)
{
	(void)pthread_mutex_lock(&p->lock);
	p->reserved -= entries;
	p->reserved_bytes -= bytes;
	(void)pthread_mutex_unlock(&p->lock);
}

static void
gather(struct pool *p, unsigned ms, size_t max)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ms * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!p->stopped && p->queued < max &&
	    pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
		;
}

struct submission *
pool_take(struct pool *p, size_t max, size_t max_bytes, unsigned gather_ms,
    size_t *count)
{
	struct submission *chain = NULL, **end = &chain;
	size_t bytes = 0;

	*count = 0;
	(void)pthread_mutex_lock(&p->lock);
	while (!p->stopped && !p->first)
		(void)pthread_cond_wait(&p->wake, &p->lock);
	if (p->queued > HANDFUL && gather_ms > 0)
		gather(p, gather_ms, max);
	while (p->first && *count < max &&
	    (*count == 0 ||
		bytes + bytes_of_submission(p->first) <= max_bytes)) {
		struct submission *s = p->first;

		p->first = s->next;
		bytes += bytes_of_submission(s);
		(*count)++;
		*end = s;
		end = &s->next;
	}
	*end = NULL;
	p->queued -= *count;
	if (!p->first)
		p->last = &p->first;
	(void)pthread_mutex_unlock(&p->lock);
	return chain;
}

/* Ends one flight; returns the submission and its twins as a chain. */
static struct submission *
land(struct pool *p, struct submission *s)
{
	struct submission *twins = s->twins;

	if (!s->known)
		flight_remove(p, s);
	p->entries--;
	p->bytes -= bytes_of_submission(s);
	s->twins = NULL;
	s->next = twins;
	for (struct submission *t = twins; t; t = t->twins) {
		t->next = t->twins;
		t->index = s->index;
		t->err = s->err;
		t->enclosed = s->enclosed;
		t->head = s->head;
		if (t->head)
			httpd_body_hold(&t->head->body);
	}
	return s;
}

void
pool_finish(struct pool *p, struct submission *chain)
{
	struct submission *landed = NULL, **end = &landed;

	(void)pthread_mutex_lock(&p->lock);
	while (chain) {
		struct submission *next = chain->next;

		*end = land(p, chain);
		while (*end)
			end = &(*end)->next;
		chain = next;
	}
	p->epoch++;
	(void)pthread_mutex_unlock(&p->lock);
	while (landed) {
		struct submission *next = landed->next;

		landed->next = landed->twins = NULL;
		landed->done(landed->arg, landed);
		landed = next;
	}
}

void
pool_stop(struct pool *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->stopped = true;
	(void)pthread_cond_broadcast(&p->wake);
	(void)pthread_mutex_unlock(&p->lock);
}

void
pool_load(struct pool *p, size_t *entries, size_t *bytes)
{
	(void)pthread_mutex_lock(&p->lock);
	*entries = p->entries;
	*bytes = p->bytes;
	(void)pthread_mutex_unlock(&p->lock);
}
