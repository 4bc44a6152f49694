/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_HTTPD_FIXTURE_H
#define MTLOG_TESTS_HTTPD_FIXTURE_H

/* What the tests of the HTTP side share: a handler whose answers depend on the
 * path, a server, and a client that looks at every byte. */
#include "server/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cleanup.h"

#define MAX_BODY   4096
#define BIG_BODY   (8u << 20)
#define WAIT_MS	   10000 /* for what must happen */
#define ANSWER_MAX (1u << 20)

static inline uint64_t
ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static inline void
nap(unsigned n)
{
	(void)usleep(n * 1000);
}

/* A handler: what it does depends on the path. */

static struct httpd *server;
static struct exchange *_Atomic kept;
static atomic_uint handled;
static atomic_bool big_freed;

static inline void
reply_text(struct exchange *x, const char *text)
{
	struct response r = {.status = 200, .content_type = "text/plain"};

	buf_init(&r.text, ANSWER_MAX);
	buf_put_str(&r.text, text);
	response_header(&r, "X-Test", "a%cb", '\n');
	exchange_reply(x, &r);
}

static inline void
reply_echo(struct exchange *x)
{
	static const char *const methods[] = {
	    [HTTP_GET] = "GET",
	    [HTTP_HEAD] = "HEAD",
	    [HTTP_POST] = "POST",
	    [HTTP_OPTIONS] = "OPTIONS",
	    [HTTP_OTHER] = "OTHER",
	};
	const struct request *q = exchange_request(x);
	struct bytes header = exchange_header(x, "x-echo");
	struct response r = {.status = 200};

	buf_init(&r.text, ANSWER_MAX);
	buf_printf(&r.text, "%s|%.*s|%.*s|%.*s|", methods[q->method],
	    (int)q->path.len, (const char *)q->path.ptr, (int)q->query.len,
	    (const char *)q->query.ptr, (int)header.len,
	    (const char *)header.ptr);
	buf_put(&r.text, q->body);
	exchange_reply(x, &r);
}

static inline void
reply_client(struct exchange *x)
{
	const uint8_t *a = exchange_request(x)->client.address;
	char text[INET6_ADDRSTRLEN];

	assert_non_null(inet_ntop(AF_INET6, a, text, sizeof(text)));
	reply_text(x, text);
}

static inline void
free_big(struct httpd_body *b)
{
	free((void *)(uintptr_t)b->data.ptr);
	free(b);
	atomic_store(&big_freed, true);
}

static inline void
reply_big(struct exchange *x)
{
	struct httpd_body *b = calloc(1, sizeof(*b));
	struct response r = {.status = 200, .shared = b};

	assert_non_null(b);
	b->data = bytes_of(calloc(1, BIG_BODY), BIG_BODY);
	b->refs = 1;
	b->free = free_big;
	r.shared_offset = 1;
	r.shared_len = BIG_BODY - 1;
	exchange_reply(x, &r);
}

/* What everybody reads: built once, then repeated. */
static struct httpd_body *fixed;
static atomic_uint built;

static inline void
free_fixed(struct httpd_body *b)
{
	free(b);
	atomic_store(&big_freed, true);
}

static inline void
open_fixed(void)
{
	fixed = calloc(1, sizeof(*fixed));
	assert_non_null(fixed);
	fixed->data = BYTES_LIT("the same for all");
	fixed->refs = 1;
	fixed->free = free_fixed;
	atomic_store(&built, 0);
}

static inline void
reply_fixed(struct exchange *x)
{
	struct response r = {
	    .status = 200,
	    .content_type = "text/x",
	    .shared = fixed,
	    .shared_len = fixed->data.len,
	    .fixed = true,
	};

	httpd_body_hold(fixed);
	if (exchange_reply_again(x, fixed))
		return;
	(void)atomic_fetch_add(&built, 1);
	response_header(&r, "X-Fixed", "yes");
	exchange_reply(x, &r);
}

static inline void *
reply_thread(void *arg)
{
	struct exchange *x = arg;
	struct bytes path = exchange_request(x)->path;

	if (bytes_equal(path, BYTES_LIT("/later")))
		nap(20);
	reply_text(x, "by a thread");
	return NULL;
}

static inline void
handle(void *arg, struct exchange *x)
{
	struct bytes path = exchange_request(x)->path;
	pthread_t t;

	(void)arg;
	(void)atomic_fetch_add(&handled, 1);
	if (bytes_equal(path, BYTES_LIT("/client"))) {
		reply_client(x);
	} else if (bytes_equal(path, BYTES_LIT("/big"))) {
		reply_big(x);
	} else if (bytes_equal(path, BYTES_LIT("/fixed"))) {
		reply_fixed(x);
	} else if (bytes_equal(path, BYTES_LIT("/keep"))) {
		atomic_store(&kept, x);
	} else if (bytes_equal(path, BYTES_LIT("/later")) ||
	    bytes_equal(path, BYTES_LIT("/at-once"))) {
		assert_int_equal(pthread_create(&t, NULL, reply_thread, x), 0);
		(void)pthread_detach(t);
	} else if (bytes_equal(path, BYTES_LIT("/before"))) {
		/* Answered by another thread before the handler is back. */
		assert_int_equal(pthread_create(&t, NULL, reply_thread, x), 0);
		(void)pthread_join(t, NULL);
	} else {
		reply_echo(x);
	}
}

static inline void
refuse(void *arg, unsigned status, const char *reason, const char *message,
    struct response *r)
{
	(void)arg;
	r->status = status;
	r->content_type = "application/json";
	buf_printf(&r->text, "{\"reason\":\"%s\",\"message\":\"%s\"}", reason,
	    message);
}

static const struct httpd_options usual = {
    .listen = "127.0.0.1:0",
    .max_body = MAX_BODY,
    .header_timeout_ms = 20000,
    .handler = handle,
    .refuse = refuse,
};

static inline void
serve(struct httpd_options o)
{
	struct error err = {0};

	atomic_store(&kept, NULL);
	atomic_store(&handled, 0);
	atomic_store(&big_freed, false);
	server = httpd_open(&o, &err);
	if (!server)
		fail_msg("%s", err.text);
	assert_true(httpd_start(server, &err));
	assert_int_not_equal(httpd_port(server), 0);
}

static inline int
stop(void **state)
{
	(void)state;
	httpd_close(server);
	server = NULL;
	return 0;
}

static inline struct httpd_stats
stats(void)
{
	struct httpd_stats s;

	httpd_stats(server, &s);
	return s;
}

static inline void
await_connections(uint64_t n)
{
	uint64_t until = ms() + WAIT_MS;

	while (stats().connections != n && ms() < until)
		nap(5);
	assert_int_equal(stats().connections, n);
}

static inline struct exchange *
await_kept(void)
{
	uint64_t until = ms() + WAIT_MS;
	struct exchange *x;

	while (!(x = atomic_exchange(&kept, NULL)) && ms() < until)
		nap(2);
	assert_non_null(x);
	return x;
}

/* A client. */

static inline struct sockaddr_in
where(void)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)httpd_port(server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int
dial_small(int receive_buffer)
{
	struct sockaddr_in to = where();
	struct timeval limit = {WAIT_MS / 1000, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (receive_buffer > 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
		    sizeof(receive_buffer));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static inline int
dial(void)
{
	return dial_small(0);
}

static inline bool
put(int fd, const char *text)
{
	size_t len = strlen(text);

	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

struct answer {
	unsigned status; /* 0: none came */
	char text[8192]; /* head and body */
	const char *body;
	bool closed;
};

/* One answer, without touching what follows it. */
static inline void
take(int fd, bool no_body, struct answer *a)
{
	size_t len = 0, need = 0;
	char *end = NULL, *length;

	*a = (struct answer){0};
	while (!end || len < need) {
		ssize_t n = recv(fd, a->text + len, 1, 0);

		if (n <= 0) {
			a->closed = true;
			break;
		}
		len++;
		assert_true(len < sizeof(a->text) - 1);
		if (!end && (end = strstr(a->text, "\r\n\r\n")) != NULL) {
			length = strcasestr(a->text, "content-length: ");
			need = len;
			if (length && !no_body)
				need += strtoul(length + 16, NULL, 10);
			a->body = end + 4;
		}
	}
	(void)sscanf(a->text, "HTTP/1.1 %u", &a->status);
	if (a->status == 100)
		take(fd, no_body, a);
}

static inline void
ask(const char *request, struct answer *a)
{
	int fd = dial();

	assert_true(put(fd, request));
	take(fd, strncmp(request, "HEAD", 4) == 0, a);
	(void)close(fd);
}

/* How long until the server ends the connection. */
static inline uint64_t
time_to_end(int fd)
{
	uint64_t since = ms();
	char c[4096];

	while (recv(fd, c, sizeof(c), 0) > 0)
		;
	return ms() - since;
}

#define H " HTTP/1.1\r\nHost: a\r\n"

static const char post[] = "POST /p?q=1&r HTTP/1.1\r\nHost: a\r\nX-Echo: e\r\n"
			   "Content-Length: 5\r\n\r\nhello";
static const char chunked[] =
    "POST /p?q=1&r HTTP/1.1\r\nHost: a\r\nX-Echo: e\r\n"
    "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n";
static const char get_keep[] = "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n";
static const char get_big[] = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n";

#endif
