/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "server/signer_message.h"
#include "server/signer_process.h"

/* How long the signer may take for an answer, and to end. */
#define ANSWER_MS 10000
#define END_MS	  10000

struct signer {
	pid_t pid;
	int fd;
	bool down; /* latched: a late answer must not meet a later request */
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The process. */

static bool
process_fork(
    struct signer *s, const struct signer_task *task, struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return error_set(
		    err, ERR_IO, "signer: no socket: %s", strerror(errno));
	s->pid = fork();
	if (s->pid == 0)
		signer_process_run(pair[1], task); /* never returns */
	(void)close(pair[1]);
	s->fd = pair[0];
	if (s->pid < 0)
		return error_set(
		    err, ERR_IO, "signer: cannot fork: %s", strerror(errno));
	return true;
}

/* Waits for the process' end. False: it still runs. */
static bool
process_reap(struct signer *s, unsigned wait_ms, int *status)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	uint64_t end = now_ms() + wait_ms;
	pid_t rc;

	while (s->pid > 0) {
		rc = waitpid(s->pid, status, WNOHANG);
		if (rc == s->pid || (rc < 0 && errno != EINTR))
			s->pid = -1;
		else if (now_ms() >= end)
			return false;
		else
			(void)nanosleep(&pause, NULL);
	}
	return true;
}

/*
 * No signal is sent: at end of file the process ends by itself, and one that
 * hangs in a failing disk would not hear a signal either.
 */
void
signer_close(struct signer *s)
{
	int status;

	if (!s)
		return;
	if (s->fd >= 0)
		(void)close(s->fd);
	(void)process_reap(s, END_MS, &status);
	free(s);
}

int
signer_fd(const struct signer *s)
{
	return s->fd;
}

pid_t
signer_pid(const struct signer *s)
{
	return s->pid;
}

/* Talking to it. */

/* Gives the signer up for good; at end of file it will end, if it can. */
static bool
signer_down(struct signer *s, struct error *err, const char *why)
{
	char end[60] = "";
	int status = 0;

	if (!s->down) {
		s->down = true;
		(void)shutdown(s->fd, SHUT_RDWR);
		if (s->pid > 0 && process_reap(s, 100, &status) &&
		    WIFSIGNALED(status))
			(void)snprintf(end, sizeof(end),
			    " (killed by signal %d)", WTERMSIG(status));
	}
	return error_reason(
	    err, ERR_UNAVAILABLE, "signer-down", "signer: %s%s", why, end);
}

static bool
packet_receive(struct signer *s, uint64_t wait_ms,
    uint8_t packet[SIGNER_MESSAGE_MAX], size_t *len, struct error *err)
{
	uint64_t end = now_ms() + wait_ms;
	uint64_t now;
	ssize_t n;
	int rc;

	do {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};

		now = now_ms();
		rc = poll(&p, 1, now < end ? (int)(end - now) : 0);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return signer_down(s, err, "no answer in time");
	n = recv(s->fd, packet, SIGNER_MESSAGE_MAX, MSG_DONTWAIT);
	if (n <= 0)
		return signer_down(s, err, "the process has ended");
	*len = (size_t)n;
	return true;
}

static bool
request_send(
    struct signer *s, const struct signer_request *request, struct error *err)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
	ssize_t n;

	if (s->down)
		return signer_down(s, err, "the process has ended");
	signer_request_format(request, &packet);
	if (!buf_ok(&packet, err))
		return false;
	do
		n = send(
		    s->fd, packet.ptr, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)packet.len)
		return signer_down(s, err, "the process has ended");
	return true;
}

/* One request, one answer; what it brings is appended to `note`. */
static bool
exchange(struct signer *s, const struct signer_request *request,
    struct buf *note, struct error *err)
{
	uint8_t packet[SIGNER_MESSAGE_MAX];
	struct signer_reply reply;
	struct error malformed = {0};
	size_t len;

	if (!request_send(s, request, err) ||
	    !packet_receive(s, ANSWER_MS, packet, &len, err))
		return false;
	if (!signer_reply_parse(bytes_of(packet, len), &reply, &malformed))
		return signer_down(s, err, malformed.text);
	if (reply.error.code != ERR_NONE)
		return error_reason(err, reply.error.code, reply.error.reason,
		    "%s", reply.error.text);
	if (!note)
		return true;
	buf_put(note, reply.note);
	return buf_ok(note, err);
}

bool
signer_sign(struct signer *s, uint64_t size, const struct hash *root,
    const struct proof *proof, uint64_t store_identity, struct buf *note,
    struct error *err)
{
	struct signer_request request = {
	    .verb = SIGNER_SIGN,
	    .size = size,
	    .root = *root,
	    .store_identity = store_identity,
	    .proof = *proof,
	};

	if (proof->len > PROOF_MAX_HASHES)
		return error_set(err, ERR_USAGE, "signer: proof too long");
	return exchange(s, &request, note, err);
}

bool
signer_freeze(struct signer *s, struct error *err)
{
	struct signer_request request = {.verb = SIGNER_FREEZE};

	return exchange(s, &request, NULL, err);
}

/* Starting it. */

/* Locks may be waited for one after the other. */
static uint64_t
hello_wait_ms(const struct signer_options *options)
{
	uint64_t locks = 2;

	for (const char *const *p = options->guard_copies; p && *p; p++)
		locks++;
	return ANSWER_MS + locks * options->lock_wait_ms;
}

static bool
hello_receive(struct signer *s, const struct signer_options *options,
    struct signer_hello *hello, struct error *err)
{
	AUTO(hasher) h = {0};
	uint8_t packet[SIGNER_MESSAGE_MAX];
	size_t len = 0;

	return hasher_open(&h, err) &&
	    packet_receive(s, hello_wait_ms(options), packet, &len, err) &&
	    signer_hello_parse(&h, bytes_of(packet, len), hello, err);
}

static struct signer *
signer_launch(const struct signer_task *task, struct signer_hello *hello,
    struct error *err)
{
	struct signer *s = calloc(1, sizeof(*s));

	if (!s) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	*s = (struct signer){.pid = -1, .fd = -1};
	if (process_fork(s, task, err) &&
	    hello_receive(s, task->options, hello, err))
		return s;
	signer_close(s);
	return NULL;
}

struct signer *
signer_start(const struct signer_options *options, struct signer_hello *hello,
    struct error *err)
{
	struct signer_task task = {.options = options};

	return signer_launch(&task, hello, err);
}

bool
signer_init(const struct signer_options *options, uint64_t store_identity,
    struct vkey *vkey, struct error *err)
{
	struct signer_task task = {
	    .options = options,
	    .init = true,
	    .store_identity = store_identity,
	};
	struct signer_hello hello;
	struct signer *s = signer_launch(&task, &hello, err);

	if (!s)
		return false;
	signer_close(s);
	*vkey = hello.vkey;
	return true;
}
