/* SPDX-License-Identifier: Apache-2.0 */
#include "io/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#define STACK_SIZE ((size_t)1 << 20)
#define IDLE_NS	   100000000

struct crew {
	void (*work)(void *arg, unsigned i);
	void *arg;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned running; /* under `lock` */
};

struct worker {
	struct crew *crew;
	unsigned index;
	pthread_t thread;
};

unsigned
workers_count(unsigned wanted, size_t pieces)
{
	cpu_set_t cpus;
	unsigned n = wanted;

	if (n == 0 && sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		n = (unsigned)CPU_COUNT(&cpus);
	if (n > WORKERS_MAX)
		n = WORKERS_MAX;
	if (n > pieces)
		n = (unsigned)pieces;
	return n > 0 ? n : 1;
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct crew *c = w->crew;

	c->work(c->arg, w->index);
	(void)pthread_mutex_lock(&c->lock);
	c->running--;
	(void)pthread_cond_signal(&c->ended);
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Starts what can be started; how many threads that were. */
static unsigned
start(struct crew *c, struct worker *workers, unsigned n)
{
	pthread_attr_t attr;
	sigset_t all, before;
	unsigned started = 0;

	if (pthread_attr_init(&attr) != 0)
		return 0;
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	/* A thread begins with the mask of the one that starts it. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	c->running = n;
	while (started < n) {
		struct worker *w = &workers[started];

		*w = (struct worker){.crew = c, .index = started + 1};
		if (pthread_create(&w->thread, &attr, worker_main, w) != 0)
			break;
		started++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	(void)pthread_mutex_lock(&c->lock);
	c->running -= n - started;
	(void)pthread_mutex_unlock(&c->lock);
	return started;
}

static void
wait_for_all(struct crew *c, void (*idle)(void *arg))
{
	(void)pthread_mutex_lock(&c->lock);
	while (c->running > 0) {
		struct timespec until;

		if (!idle) {
			(void)pthread_cond_wait(&c->ended, &c->lock);
			continue;
		}
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += IDLE_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		(void)pthread_cond_timedwait(&c->ended, &c->lock, &until);
		(void)pthread_mutex_unlock(&c->lock);
		idle(c->arg);
		(void)pthread_mutex_lock(&c->lock);
	}
	(void)pthread_mutex_unlock(&c->lock);
}

void
workers_run(unsigned n, void (*work)(void *arg, unsigned i),
    void (*idle)(void *arg), void *arg)
{
	struct worker workers[WORKERS_MAX];
	struct crew c = {
	    .work = work, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_condattr_t monotonic;
	unsigned started = 0;

	if (n > WORKERS_MAX)
		n = WORKERS_MAX;
	if (n > 1 && pthread_condattr_init(&monotonic) == 0) {
		(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
		if (pthread_cond_init(&c.ended, &monotonic) == 0)
			started = start(&c, workers, n - 1);
		(void)pthread_condattr_destroy(&monotonic);
	}
	work(arg, 0);
	if (started == 0)
		return;
	wait_for_all(&c, idle);
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(workers[i].thread, NULL);
	(void)pthread_cond_destroy(&c.ended);
}
