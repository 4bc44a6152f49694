/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <time.h>

#include "io/clock.h"
#include "server/witness_seat.h"

#define SECOND_NS    1000000000ull
#define BACKOFF_NS   (SECOND_NS / 4)
#define BACKOFF_MAX  (10 * SECOND_NS)
#define PATIENCE_NS  (3 * SECOND_NS)
#define CANDIDATE_NS (30 * SECOND_NS) /* when some witnesses are beyond it */

static bool
prove(void *arg, uint64_t old, uint64_t size, struct proof *out,
    struct error *err)
{
	struct seat *s = arg;
	struct witness_collect *c = s->collect;
	struct node_reader nodes = tree_nodes(&s->cursor);
	bool found = false;

	(void)pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < WITNESS_PROOFS && !found; i++) {
		found = c->proofs[i].old == old && c->proofs[i].size == size;
		if (found)
			*out = c->proofs[i].proof;
	}
	(void)pthread_mutex_unlock(&c->lock);
	if (found)
		return true;
	if (!proof_consistency(&s->cursor.hasher, &nodes, old, size, out, err))
		return false;
	(void)pthread_mutex_lock(&c->lock);
	c->proofs[c->proof_at] = (struct witness_proof){old, size, *out};
	c->proof_at = (c->proof_at + 1) % WITNESS_PROOFS;
	(void)pthread_mutex_unlock(&c->lock);
	return true;
}

/* What a seat's thread does next, taken under the lock. */
struct task {
	struct head *head; /* held */
	uint64_t serial;
	uint64_t old, newer_than;
};

static bool
beyond(const struct witness_collect *c, const struct seat *s)
{
	return s->last_size > c->candidate->size;
}

/*
 * Whether another head is to be cosigned now. As long as the candidate has no
 * quorum it stays, or witnesses of different paces would never sign the same
 * one. Those who say that they are beyond it (somebody else submitted a newer
 * head, or they lie) are passed over, unless it does not go without them, or
 * takes too long.
 */
static bool
outdated(const struct witness_collect *c, uint64_t now)
{
	uint64_t others = witness_policy_set(c->p.policy);
	bool any = false;

	if (!c->newest || c->newest->size <= c->candidate->size)
		return false;
	if (c->met)
		return true;
	for (size_t i = 0; i < c->count; i++) {
		const struct seat *s = &c->seats[i];

		any |= beyond(c, s);
		if (beyond(c, s) || s->failing)
			others &= ~(1ull << s->witness->number);
	}
	return any &&
	    (!quorum_met(c->p.policy->quorum, others) ||
		now - c->candidate_ns > CANDIDATE_NS);
}

static void
replace_candidate(struct witness_collect *c, uint64_t now)
{
	head_release(c->candidate);
	c->candidate = c->newest;
	httpd_body_hold(&c->candidate->body);
	c->serial++;
	c->candidate_ns = now;
	c->met = false;
	c->version = c->shown = 0;
	/* Who was idle has something to do again. */
	(void)pthread_cond_broadcast(&c->wake);
}

/* True: something is to be asked. Else `*wake` says when to look again. */
static bool
want(struct seat *s, uint64_t now, struct task *out, uint64_t *wake, bool *idle)
{
	struct witness_collect *c = s->collect;
	bool due = now >= s->next_ns, has;

	if (due && outdated(c, now))
		replace_candidate(c, now);
	has = s->serial == c->serial && now - s->line_ns < WITNESS_RENEW_NS;
	*idle = has && due && c->met;
	if (!due || has || beyond(c, s)) {
		*wake = !due ? s->next_ns
		    : *idle  ? s->line_ns + WITNESS_RENEW_NS
			     : now + SECOND_NS;
		return false;
	}
	*out = (struct task){
	    .head = c->candidate,
	    .serial = c->serial,
	    .old = s->last_size,
	    .newer_than = s->serial == c->serial ? s->time : 0,
	};
	httpd_body_hold(&out->head->body);
	s->next_ns = now + s->witness->interval_ns;
	return true;
}

/* The lock is held, and given up while waiting. */
static void
rest(struct witness_collect *c, uint64_t until, bool idle)
{
	struct timespec t = {
	    .tv_sec = (time_t)(until / SECOND_NS),
	    .tv_nsec = (long)(until % SECOND_NS),
	};

	c->idle += idle;
	(void)pthread_cond_timedwait(&c->wake, &c->lock, &t);
	c->idle -= idle;
}

static uint64_t
newest_size(struct witness_collect *c)
{
	uint64_t size;

	(void)pthread_mutex_lock(&c->lock);
	size = c->newest->size;
	(void)pthread_mutex_unlock(&c->lock);
	return size;
}

/* Whether this checkpoint, signed by our key, is one of our tree. */
static bool
is_ours(struct seat *s, const struct checkpoint *theirs, struct error *err)
{
	struct node_reader nodes = tree_nodes(&s->cursor);
	struct hash root;

	if (theirs->size > newest_size(s->collect))
		return false;
	if (!merkle_root(&s->cursor.hasher, &nodes, theirs->size, &root, err))
		return true; /* what cannot be computed is no contradiction */
	return hash_equal(&root, &theirs->root);
}

/* Looks at the checkpoint that it shows; that may end the log's signing. */
static void
look(struct seat *s)
{
	struct witness_collect *c = s->collect;
	struct buf note = BUF_INIT(WITNESS_NOTE_MAX);
	struct checkpoint shown;
	struct error why = {0};

	if (witness_shown(s->witness, c->p.transport, s->handle, c->p.log,
		s->verifier, &note, &shown, &why) &&
	    !is_ours(s, &shown, &why))
		witness_doubt(s, buf_bytes(&note), &shown);
	buf_release(&note);
}

/*
 * It says that it cosigned a size beyond what we signed, or that our proof is
 * wrong (422). That alone stops nothing: it must show the checkpoint.
 */
static void
examine(struct seat *s, struct witness_reply *r)
{
	if (r->result == WITNESS_REFUSED && r->status == 422)
		look(s);
	if (r->result != WITNESS_CONFLICT || r->size <= newest_size(s->collect))
		return;
	r->result = WITNESS_LYING;
	r->why = (struct error){0};
	(void)error_set(&r->why, ERR_CONFLICT,
	    "it says that it has cosigned %llu entries, more than were signed",
	    (unsigned long long)r->size);
	look(s);
}

static void
back_off(struct seat *s, const struct witness_reply *r, uint64_t now)
{
	unsigned shift = s->failures < 8 ? s->failures : 8;
	uint64_t delay = BACKOFF_NS << shift;

	s->failures++;
	if (delay > BACKOFF_MAX)
		delay = BACKOFF_MAX;
	/* Some chance, so that not all who were refused come back at once. */
	delay += delay / 64 * (now >> 10 & 15);
	if (delay < s->witness->interval_ns)
		delay = s->witness->interval_ns;
	if (delay < r->retry_after * SECOND_NS)
		delay = r->retry_after * SECOND_NS;
	s->next_ns = now + delay;
}

static void
take_line(
    struct seat *s, const struct task *t, struct witness_reply *r, uint64_t now)
{
	struct witness_collect *c = s->collect;

	s->last_size = t->head->size;
	s->stats.size = t->head->size;
	s->stats.time = r->time;
	s->cosigned_since = true;
	if (t->serial != c->serial)
		return; /* a quorum has gone on without it */
	buf_release(&s->line);
	s->line = r->line;
	r->line = (struct buf){0};
	s->serial = t->serial;
	s->time = r->time;
	s->line_ns = now;
	c->version++;
}

/* Whether the question of the start is answered by now. */
static bool
decide(struct witness_collect *c)
{
	uint64_t since = 0;
	bool all = true;

	for (size_t i = 0; i < c->count; i++) {
		all &= c->seats[i].asked;
		if (c->seats[i].cosigned_since)
			since |= 1ull << c->seats[i].witness->number;
	}
	return !c->doubtful &&
	    (c->p.required ? witness_policy_decides(c->p.policy, since) : all);
}

/* Books the answer; what is to be told is told without the lock. */
static void
book(struct seat *s, const struct task *t, struct witness_reply *r,
    uint64_t took)
{
	struct witness_collect *c = s->collect;
	uint64_t now = clock_monotonic_ns();
	bool well, told, decided;

	(void)pthread_mutex_lock(&c->lock);
	s->stats.results[r->result]++;
	s->stats.took_ns += took;
	well = r->result == WITNESS_COSIGNED || r->result == WITNESS_CONFLICT;
	if (r->result == WITNESS_COSIGNED)
		take_line(s, t, r, now);
	else if (r->result == WITNESS_CONFLICT)
		s->last_size = r->size;
	else
		back_off(s, r, now);
	if (well)
		s->failures = 0;
	told = s->failing == !well;
	s->failing = !well;
	s->asked = true;
	decided = !c->decided && decide(c);
	c->decided |= decided;
	(void)pthread_cond_broadcast(&c->wake);
	(void)pthread_mutex_unlock(&c->lock);
	if (decided)
		c->p.asked(c->p.arg);
	if (!told) {
		char text[600];

		(void)snprintf(text, sizeof(text), "witness %s: %s",
		    s->witness->name, well ? "answers" : r->why.text);
		c->p.event(c->p.arg, !well,
		    well ? "witness-well" : "witness-failing", text);
	}
}

static void
attend(struct seat *s, const struct task *t)
{
	struct witness_collect *c = s->collect;
	struct witness_question q = {
	    .log = c->p.log,
	    .note = buf_bytes(&t->head->note),
	    .size = t->head->size,
	    .old = t->old,
	    .newer_than = t->newer_than,
	    .prove = prove,
	    .arg = s,
	};
	uint64_t start = clock_monotonic_ns();
	struct witness_reply r;
	struct error err = {0};

	if (!witness_ask(s->witness, c->p.transport, s->handle, &q, s->verifier,
		&r, &err)) {
		r.result = WITNESS_UNREACHABLE;
		r.why = err;
	}
	examine(s, &r);
	tree_cursor_rest(&s->cursor);
	book(s, t, &r, clock_monotonic_ns() - start);
	witness_reply_release(&r);
	witness_publish(c, s->verifier);
}

static void *
seat_thread(void *arg)
{
	struct seat *s = arg;
	struct witness_collect *c = s->collect;

	(void)pthread_mutex_lock(&c->lock);
	while (!c->stopping) {
		uint64_t now = clock_monotonic_ns(), wake;
		struct task t;
		bool idle, due = witness_publish_due(c, now);

		if (!due && !want(s, now, &t, &wake, &idle)) {
			rest(c, wake, idle);
			continue;
		}
		(void)pthread_mutex_unlock(&c->lock);
		if (due) {
			witness_publish(c, s->verifier);
		} else {
			attend(s, &t);
			head_release(t.head);
		}
		(void)pthread_mutex_lock(&c->lock);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct witness_collect *
witness_collect_open(
    const struct witness_collect_parts *parts, struct error *err)
{
	struct witness_collect *c = calloc(1, sizeof(*c));
	pthread_condattr_t monotonic;

	if (!c) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	c->p = *parts;
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_mutex_init(&c->publishing, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	c->seats = calloc(parts->policy->count, sizeof(*c->seats));
	if (!c->seats)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	while (c->seats && c->count < parts->policy->count) {
		struct seat *s = &c->seats[c->count];

		s->collect = c;
		s->witness = &parts->policy->witnesses[c->count];
		s->stats.name = s->witness->name;
		s->verifier = key_verifier_open(err);
		s->handle = s->verifier
		    ? parts->transport->open(s->witness->timeout_ms, err)
		    : NULL;
		c->count++;
		if (!s->handle)
			break;
	}
	if (!c->seats || (c->count > 0 && !c->seats[c->count - 1].handle)) {
		witness_collect_close(c);
		return NULL;
	}
	return c;
}

bool
witness_collect_start(
    struct witness_collect *c, struct head *head, struct error *err)
{
	uint64_t now = clock_monotonic_ns();
	/* From the first thread on it may change. */
	uint64_t cosigned = c->backlog.cosigned_size;

	httpd_body_hold(&head->body);
	c->newest = head;
	c->candidate = head;
	httpd_body_hold(&head->body);
	c->serial = 1;
	c->candidate_ns = now;
	backlog_signed(&c->backlog, head->size, now);
	for (size_t i = 0; i < c->count; i++) {
		struct seat *s = &c->seats[i];

		/* Rightly guessed where nothing went wrong; else it says so. */
		s->last_size = cosigned;
		if (!tree_cursor_open(&s->cursor, c->tree, err))
			return false;
		s->open = true;
		if (pthread_create(&s->thread, NULL, seat_thread, s) != 0)
			return error_set(
			    err, ERR_INTERNAL, "cannot start a thread");
		s->started = true;
	}
	return true;
}

void
witness_collect_stop(struct witness_collect *c)
{
	(void)pthread_mutex_lock(&c->lock);
	c->stopping = true;
	(void)pthread_cond_broadcast(&c->wake);
	(void)pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->count; i++)
		if (c->seats[i].handle)
			c->p.transport->cancel(c->seats[i].handle);
	for (size_t i = 0; i < c->count; i++) {
		if (c->seats[i].started)
			(void)pthread_join(c->seats[i].thread, NULL);
		c->seats[i].started = false;
	}
}

void
witness_collect_close(struct witness_collect *c)
{
	if (!c)
		return;
	witness_collect_stop(c);
	for (size_t i = 0; i < c->count; i++) {
		struct seat *s = &c->seats[i];

		if (s->open)
			tree_cursor_release(&s->cursor);
		if (s->handle)
			c->p.transport->close(s->handle);
		key_verifier_close(s->verifier);
		buf_release(&s->line);
	}
	head_release(c->newest);
	head_release(c->candidate);
	(void)pthread_cond_destroy(&c->wake);
	(void)pthread_mutex_destroy(&c->lock);
	(void)pthread_mutex_destroy(&c->publishing);
	free(c->seats);
	free(c);
}

bool
witness_collect_asked(struct witness_collect *c, unsigned wait_ms)
{
	uint64_t until = clock_monotonic_ns() + wait_ms * 1000000ull;
	bool ok;

	(void)pthread_mutex_lock(&c->lock);
	while (!c->decided && !c->doubtful && clock_monotonic_ns() < until)
		rest(c, until, false);
	ok = c->decided && !c->doubtful;
	(void)pthread_mutex_unlock(&c->lock);
	return ok;
}

void
witness_collect_signed(struct witness_collect *c, struct head *head)
{
	struct head *old;

	httpd_body_hold(&head->body);
	(void)pthread_mutex_lock(&c->lock);
	old = c->newest;
	c->newest = head;
	backlog_signed(&c->backlog, head->size, clock_monotonic_ns());
	/* Those who are not idle look by themselves when they may ask. */
	if (c->idle > 0)
		(void)pthread_cond_broadcast(&c->wake);
	(void)pthread_mutex_unlock(&c->lock);
	head_release(old);
}

void
witness_collect_state(
    struct witness_collect *c, struct witness_collect_state *out)
{
	uint64_t patience = PATIENCE_NS;

	for (size_t i = 0; i < c->count; i++)
		if (2 * c->seats[i].witness->interval_ns > patience)
			patience = 2 * c->seats[i].witness->interval_ns;
	(void)pthread_mutex_lock(&c->lock);
	*out = (struct witness_collect_state){
	    .signed_size = c->backlog.signed_size,
	    .cosigned_size = c->backlog.cosigned_size,
	    .waiting = backlog_size(&c->backlog),
	    .waiting_ns = backlog_age(&c->backlog, clock_monotonic_ns()),
	    .patience_ns = patience,
	    .quorum_time = c->quorum_time,
	};
	(void)pthread_mutex_unlock(&c->lock);
}

size_t
witness_collect_stats(
    struct witness_collect *c, struct witness_stats *out, size_t max)
{
	size_t n = c->count < max ? c->count : max;

	(void)pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < n; i++)
		out[i] = c->seats[i].stats;
	(void)pthread_mutex_unlock(&c->lock);
	return n;
}
