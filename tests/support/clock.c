/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/*
 * Clocks that a test sets: preloaded into a program (LD_PRELOAD). The file
 * $MTLOG_TEST_CLOCK has two numbers of 64 bits, of this machine's order: seconds
 * that are added to the system's time, and seconds that are added to the
 * monotonic clock; the test changes them while the program runs. It is mapped
 * at the start, before there is a sandbox, and read without a system call after.
 *
 * faketime(1) would do the first half; it opens its file again and again, which
 * seccomp forbids to what is to be tested, and its jumps leave those asleep who
 * wait for a moment of the monotonic clock.
 */
#define LOOK_NS 100000000L /* whoever waits looks at the clock so often */
#define YEAR_S	31536000

struct offsets {
	volatile int64_t wall_s, monotonic_s;
};

static const struct offsets none;
static const struct offsets *offsets = &none;

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_timedwait)(
    pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

/* A function that the program means is never one of ours. */
static void *
real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f) {
		(void)fprintf(stderr, "clock.so: no %s\n", name);
		abort();
	}
	return f;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("MTLOG_TEST_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p = MAP_FAILED;

	*(void **)&real_clock_gettime = real("clock_gettime");
	*(void **)&real_timedwait = real("pthread_cond_timedwait");
	if (fd >= 0)
		p = mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		(void)fprintf(stderr, "clock.so: no $MTLOG_TEST_CLOCK\n");
		abort();
	}
	offsets = p;
	(void)close(fd);
}

static int64_t
offset_of(clockid_t clock)
{
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		return offsets->wall_s;
	if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ||
	    clock == CLOCK_BOOTTIME)
		return offsets->monotonic_s;
	return 0;
}

int
clock_gettime(clockid_t clock, struct timespec *out)
{
	if (!real_clock_gettime)
		*(void **)&real_clock_gettime = real("clock_gettime");
	if (real_clock_gettime(clock, out) != 0)
		return -1;
	out->tv_sec += offset_of(clock);
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return (time_t)-1;
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return -1;
	*out = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
	return 0;
}

/* Of the two clocks that one can wait for, this machine has run for less than
 * 30 years, and it is later than 2000. */
static clockid_t
clock_of(const struct timespec *until)
{
	return until->tv_sec > 30LL * YEAR_S ? CLOCK_REALTIME : CLOCK_MONOTONIC;
}

static int
before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	    (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* In short pieces: what it waits for may come by a jump. To wake up too early is
 * allowed. */
int
pthread_cond_timedwait(pthread_cond_t *restrict cond,
    pthread_mutex_t *restrict lock, const struct timespec *restrict until)
{
	clockid_t clock = clock_of(until);
	struct timespec now, soon;
	int rc;

	if (clock_gettime(clock, &now) != 0)
		return EINVAL;
	if (!before(&now, until))
		return ETIMEDOUT;
	soon = now;
	soon.tv_nsec += LOOK_NS;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	if (before(until, &soon))
		soon = *until;
	soon.tv_sec -= offset_of(clock);
	rc = real_timedwait(cond, lock, &soon);
	if (rc != ETIMEDOUT)
		return rc;
	(void)clock_gettime(clock, &now);
	return before(&now, until) ? 0 : ETIMEDOUT;
}
