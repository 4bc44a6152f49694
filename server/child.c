/* SPDX-License-Identifier: Apache-2.0 */
#include "server/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_MS 10000 /* that it may take to end */

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool
child_start(struct child *c, void (*run)(int fd, const void *arg),
    const void *arg, struct error *err)
{
	int pair[2];

	c->pid = -1;
	c->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return error_set(
		    err, ERR_IO, "%s: no socket: %s", c->name, strerror(errno));
	c->pid = fork();
	if (c->pid == 0) {
		run(pair[1], arg);
		_exit(1); /* it never returns */
	}
	(void)close(pair[1]);
	c->fd = pair[0];
	if (c->pid < 0)
		return error_set(err, ERR_IO, "%s: cannot fork: %s", c->name,
		    strerror(errno));
	return true;
}

/* Waits for the process' end. False: it still runs. */
static bool
reap(struct child *c, unsigned wait_ms, int *status)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	uint64_t end = now_ms() + wait_ms;
	pid_t rc;

	while (c->pid > 0) {
		rc = waitpid(c->pid, status, WNOHANG);
		if (rc == c->pid || (rc < 0 && errno != EINTR))
			c->pid = -1;
		else if (now_ms() >= end)
			return false;
		else
			(void)nanosleep(&pause, NULL);
	}
	return true;
}

void
child_stop(struct child *c)
{
	int status;

	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	(void)reap(c, END_MS, &status);
}

/* Talking to it. */

/* At end of file it will end, if it can. */
bool
child_down(struct child *c, struct error *err, const char *why)
{
	char end[60] = "";
	int status = 0;

	if (!c->ended) {
		c->ended = true;
		(void)shutdown(c->fd, SHUT_RDWR);
		if (c->pid > 0 && reap(c, 100, &status) && WIFSIGNALED(status))
			(void)snprintf(end, sizeof(end),
			    " (killed by signal %d)", WTERMSIG(status));
	}
	return error_reason(
	    err, ERR_UNAVAILABLE, c->down, "%s: %s%s", c->name, why, end);
}

bool
child_receive(struct child *c, uint64_t wait_ms, uint8_t *packet, size_t size,
    size_t *len, struct error *err)
{
	uint64_t end = now_ms() + wait_ms;
	uint64_t now;
	ssize_t n;
	int rc;

	do {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};

		now = now_ms();
		rc = poll(&p, 1, now < end ? (int)(end - now) : 0);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return child_down(c, err, "no answer in time");
	n = recv(c->fd, packet, size, MSG_DONTWAIT);
	if (n <= 0)
		return child_down(c, err, "the process has ended");
	*len = (size_t)n;
	return true;
}

bool
child_send(struct child *c, struct bytes packet, struct error *err)
{
	ssize_t n;

	if (c->ended)
		return child_down(c, err, "the process has ended");
	do
		n = send(
		    c->fd, packet.ptr, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)packet.len ||
	    child_down(c, err, "the process has ended");
}

/* In the process. */

/*
 * The parent's handlers must not run here: not those that end the server (it
 * may need a last signature, and its end closes the socket), and no others,
 * which would carry on with the parent's business in this process.
 */
static void
signals_reset(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

	for (int i = 1; i <= SIGRTMAX; i++)
		(void)signal(i, SIG_DFL); /* fails where none is allowed */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
}

int
child_forget(int fd, const char *name)
{
	const struct rlimit none = {0, 0};
	int null;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	signals_reset();
	if (fd != 3 && dup2(fd, 3) != 3)
		return -1;
	if (close_range(4, ~0U, 0) != 0)
		return -1;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) != 0 || dup2(null, 1) != 1)
		return -1;
	(void)close(null);
	return 3;
}
