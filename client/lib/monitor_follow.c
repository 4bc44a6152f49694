/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "client/lib/monitor_parts.h"
#include "core/verify/verdict_code.h"
#include "io/clock.h"

#define NS_PER_S   UINT64_C(1000000000)
#define LOOK_NS	   UINT64_C(100000000) /* between two looks at `stop` */
#define LOOK_MS	   100
#define READ_NS	   (5 * NS_PER_S) /* at least, before a head is looked at */
#define FEED_NS	   NS_PER_S	  /* between two looks at the feed */
#define STACK_SIZE ((size_t)1 << 20)

bool
monitor_wait(struct monitor *m, pthread_cond_t *what, uint64_t until)
{
	struct timespec t = {
	    (time_t)(until / NS_PER_S), (long)(until % NS_PER_S)};

	if (until == 0)
		return pthread_cond_wait(what, &m->lock) == 0;
	return pthread_cond_timedwait(what, &m->lock, &t) == 0;
}

void
monitor_news(struct monitor *m)
{
	m->news_known = true;
	(void)pthread_cond_broadcast(&m->news);
}

/* --- the threads of the logs --- */

/* With the lock held. */
static void
end_all(struct monitor *m)
{
	atomic_store(&m->ending, true);
	for (size_t i = 0; i < m->o.log_count; i++) {
		struct watched *w = &m->logs[i];

		tile_fetch_cancel(w->fetch);
		statements_cancel(w->statements);
		for (size_t k = 0; k < MONITOR_MAX_COMPARED; k++)
			if (w->compared[k])
				tile_fetch_cancel(w->compared[k]);
	}
	(void)pthread_cond_broadcast(&m->moved);
	monitor_news(m);
}

/* With the lock held. What failed first is why the rest did. */
static void
fail_all(struct monitor *m, const struct error *why)
{
	if (m->failure.code == ERR_NONE)
		m->failure = *why;
	end_all(m);
}

static void
begin_visit(struct monitor *m, struct watched *w)
{
	uint64_t length = m->pause_ns > READ_NS ? m->pause_ns : READ_NS;

	w->until = m->pause_ns > 0 ? clock_monotonic_ns() + length : 0;
	monitor_lock(m);
	w->visited = true;
	w->synced = journal_last(m->journal);
	monitor_unlock(m);
}

static void
end_visit(
    struct monitor *m, struct watched *w, bool ok, const struct error *why)
{
	monitor_lock(m);
	/* After a failure its events may be of what was not remembered. */
	w->visited = !ok;
	monitor_show(w);
	monitor_counts(&m->code, w->code);
	if (!ok)
		fail_all(m, why);
	monitor_news(m);
	monitor_unlock(m);
}

/* False: all ends. */
static bool
wait_turn(struct monitor *m, const struct watched *w)
{
	uint64_t until = clock_monotonic_ns() + m->pause_ns;

	monitor_lock(m);
	while (
	    !w->cut && !monitor_stops(m) && monitor_wait(m, &m->moved, until))
		;
	monitor_unlock(m);
	return !monitor_stops(m);
}

static void *
follow(void *arg)
{
	struct watched *w = arg;
	struct monitor *m = w->m;

	do {
		struct error err = {0};
		bool ok;

		begin_visit(m, w);
		ok = monitor_visit(m, w, &err);
		end_visit(m, w, ok, &err);
	} while (m->pause_ns > 0 && wait_turn(m, w));
	monitor_lock(m);
	m->running--;
	monitor_news(m);
	monitor_unlock(m);
	return NULL;
}

static void *
call_hook(void *arg)
{
	struct monitor *m = arg;
	struct error err = {0};
	bool ok = monitor_hook(m, &err);

	monitor_lock(m);
	if (!ok)
		fail_all(m, &err);
	m->hooking = false;
	monitor_news(m);
	monitor_unlock(m);
	return NULL;
}

/* How many were started, `*hooks` if there is one for the hook, too. Not all:
 * with `err`. */
static size_t
start(struct monitor *m, bool *hooks, struct error *err)
{
	pthread_attr_t attr;
	sigset_t all, before;
	size_t n = 0;

	*hooks = false;
	if (pthread_attr_init(&attr) != 0) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return 0;
	}
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	/* Signals are the caller's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	monitor_lock(m);
	for (; n < m->o.log_count; n++) {
		if (pthread_create(
			&m->logs[n].thread, &attr, follow, &m->logs[n]) != 0) {
			(void)error_set(
			    err, ERR_INTERNAL, "cannot start a thread");
			break;
		}
		m->running++;
	}
	if (m->o.hook && n == m->o.log_count) {
		m->hooking = pthread_create(&m->hook, &attr, call_hook, m) == 0;
		if (!m->hooking)
			(void)error_set(
			    err, ERR_INTERNAL, "cannot start a thread");
	}
	*hooks = m->hooking;
	monitor_unlock(m);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return n;
}

/* --- the caller's --- */

static bool
publish(struct monitor *m, struct error *err)
{
	return monitor_feed(m, err) && monitor_metrics(m, err) &&
	    monitor_tidy(m, err);
}

/* A round of those that go on: what the hook could not do is tried again. */
static bool
take_round(
    struct monitor *m, void (*round)(void *arg, int code), struct error *err)
{
	int code;

	monitor_lock(m);
	code = m->code;
	m->code = VERDICT_ACCEPTED;
	m->hook_failed = false;
	monitor_news(m);
	monitor_unlock(m);
	if (round)
		round(m->o.arg, code);
	return publish(m, err);
}

/* Until there is something to do, for a moment at most. */
static void
wait_news(struct monitor *m, bool blocked)
{
	uint64_t until = clock_monotonic_ns() + LOOK_NS;
	struct pollfd p = {.fd = m->o.output, .events = POLLOUT};

	if (blocked) {
		(void)poll(&p, 1, LOOK_MS);
		return;
	}
	monitor_lock(m);
	if (!m->news_known)
		(void)monitor_wait(m, &m->news, until);
	m->news_known = false;
	monitor_unlock(m);
}

/* The journal has it. */
static void
unread(struct monitor *m)
{
	struct error why = {0};

	(void)error_set(&why, ERR_IO,
	    "stopped while nobody read the output: the next run tells it");
	monitor_trouble(m, NULL, &why);
}

/* Tells what is there: `*done`, if nothing is and nothing will be. */
static bool
attend(struct monitor *m, bool *done, struct error *err)
{
	bool blocked, over;

	/* What comes after this look is seen in the next one. */
	monitor_lock(m);
	if (m->o.stop && !monitor_stops(m) && m->o.stop(m->o.arg))
		end_all(m);
	over = m->running == 0 && !m->hooking;
	monitor_unlock(m);
	if (!monitor_tell(m, &blocked, err))
		return false;
	*done = over && (!blocked || monitor_stops(m));
	if (*done && blocked)
		unread(m);
	if (!*done)
		wait_news(m, blocked);
	return true;
}

static bool
attend_all(
    struct monitor *m, void (*round)(void *arg, int code), struct error *err)
{
	uint64_t now = clock_monotonic_ns(), feed = now;
	uint64_t next = now + m->pause_ns;
	bool done = false, ok = true;

	while (ok && !done) {
		ok = attend(m, &done, err);
		now = clock_monotonic_ns();
		if (!ok || m->pause_ns == 0)
			continue;
		if (now >= next) {
			next = now + m->pause_ns;
			ok = take_round(m, round, err);
		} else if (now >= feed) {
			feed = now + FEED_NS;
			ok = monitor_feed(m, err);
		}
	}
	return ok;
}

static bool
run(struct monitor *m, void (*round)(void *arg, int code), struct error *err)
{
	struct error why = {0};
	size_t started;
	bool ok, hooks;

	m->code = VERDICT_ACCEPTED;
	m->hook_failed = false;
	started = start(m, &hooks, &why);
	ok = why.code == ERR_NONE && attend_all(m, round, &why);
	monitor_lock(m);
	if (m->running > 0 || m->hooking)
		end_all(m);
	monitor_unlock(m);
	for (size_t i = 0; i < started; i++)
		(void)pthread_join(m->logs[i].thread, NULL);
	if (hooks)
		(void)pthread_join(m->hook, NULL);
	if (m->failure.code != ERR_NONE)
		why = m->failure;
	if (ok && m->failure.code == ERR_NONE && publish(m, &why))
		return true;
	if (err->code == ERR_NONE)
		*err = why;
	return false;
}

bool
monitor_round(struct monitor *m, int *code, struct error *err)
{
	m->pause_ns = 0;
	if (!run(m, NULL, err))
		return false;
	*code = m->code;
	return true;
}

bool
monitor_follow(struct monitor *m, unsigned seconds,
    void (*round)(void *arg, int code), struct error *err)
{
	m->pause_ns = seconds * NS_PER_S;
	return run(m, round, err);
}
