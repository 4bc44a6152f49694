/* SPDX-License-Identifier: Apache-2.0 */
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

static uint64_t
ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
nap(unsigned n)
{
	(void)usleep(n * 1000);
}

/* A handler: what it does depends on the path. */

static struct httpd *server;
static struct exchange *_Atomic kept;
static atomic_uint handled;
static atomic_bool big_freed;

static void
reply_text(struct exchange *x, const char *text)
{
	struct response r = {.status = 200, .content_type = "text/plain"};

	buf_init(&r.text, ANSWER_MAX);
	buf_put_str(&r.text, text);
	response_header(&r, "X-Test", "a%cb", '\n');
	exchange_reply(x, &r);
}

static void
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

static void
reply_client(struct exchange *x)
{
	const uint8_t *a = exchange_request(x)->client.address;
	char text[INET6_ADDRSTRLEN];

	assert_non_null(inet_ntop(AF_INET6, a, text, sizeof(text)));
	reply_text(x, text);
}

static void
free_big(struct httpd_body *b)
{
	free((void *)(uintptr_t)b->data.ptr);
	free(b);
	atomic_store(&big_freed, true);
}

static void
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

static void
free_fixed(struct httpd_body *b)
{
	free(b);
	atomic_store(&big_freed, true);
}

static void
open_fixed(void)
{
	fixed = calloc(1, sizeof(*fixed));
	assert_non_null(fixed);
	fixed->data = BYTES_LIT("the same for all");
	fixed->refs = 1;
	fixed->free = free_fixed;
	atomic_store(&built, 0);
}

static void
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

static void *
reply_thread(void *arg)
{
	struct exchange *x = arg;
	struct bytes path = exchange_request(x)->path;

	if (bytes_equal(path, BYTES_LIT("/later")))
		nap(20);
	reply_text(x, "by a thread");
	return NULL;
}

static void
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

static void
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

static void
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

static int
stop(void **state)
{
	(void)state;
	httpd_close(server);
	server = NULL;
	return 0;
}

static struct httpd_stats
stats(void)
{
	struct httpd_stats s;

	httpd_stats(server, &s);
	return s;
}

static void
await_connections(uint64_t n)
{
	uint64_t until = ms() + WAIT_MS;

	while (stats().connections != n && ms() < until)
		nap(5);
	assert_int_equal(stats().connections, n);
}

static struct exchange *
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

static struct sockaddr_in
where(void)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)httpd_port(server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int
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

static int
dial(void)
{
	return dial_small(0);
}

static bool
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
static void
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

static void
ask(const char *request, struct answer *a)
{
	int fd = dial();

	assert_true(put(fd, request));
	take(fd, strncmp(request, "HEAD", 4) == 0, a);
	(void)close(fd);
}

/* How long until the server ends the connection. */
static uint64_t
time_to_end(int fd)
{
	uint64_t since = ms();
	char c[4096];

	while (recv(fd, c, sizeof(c), 0) > 0)
		;
	return ms() - since;
}

static const char post[] = "POST /p?q=1&r HTTP/1.1\r\nHost: a\r\nX-Echo: e\r\n"
			   "Content-Length: 5\r\n\r\nhello";
static const char chunked[] =
    "POST /p?q=1&r HTTP/1.1\r\nHost: a\r\nX-Echo: e\r\n"
    "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n";
static const char get_keep[] = "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n";
static const char get_big[] = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n";

static void
test_split_everywhere(void **state)
{
	static const char *const requests[] = {post, chunked};
	struct answer a;

	(void)state;
	serve(usual);
	for (size_t r = 0; r < 2; r++) {
		size_t len = strlen(requests[r]);

		for (size_t at = 1; at < len; at++) {
			int fd = dial(), on = 1;

			(void)setsockopt(
			    fd, IPPROTO_TCP, 1 /* nodelay */, &on, sizeof(on));
			assert_int_equal(
			    send(fd, requests[r], at, MSG_NOSIGNAL), at);
			nap(1);
			assert_true(put(fd, requests[r] + at));
			take(fd, false, &a);
			assert_int_equal(a.status, 200);
			assert_string_equal(a.body, "POST|/p|q=1&r|e|hello");
			(void)close(fd);
		}
	}
	await_connections(0);
	assert_int_equal(stats().body_bytes, 0);
	assert_int_equal(stats().answer_bytes, 0);
}

#define H " HTTP/1.1\r\nHost: a\r\n"

static const struct {
	const char *request;
	unsigned status;
	const char *says;
} exchanges[] = {
    {"GET /a%2Fb?c=%20d&e" H "\r\n", 200, "GET|/a%2Fb|c=%20d&e||"},
    {"HEAD /x" H "\r\n", 200, "Content-Length: 10"},
    {"OPTIONS /x" H "\r\n", 200, "OPTIONS|/x|||"},
    {"BREW /x" H "\r\n", 200, "OTHER|/x|||"},
    {"GET /?" H "X-eCHO:  v \t\r\n\r\n", 200, "GET|/||v|"},
    {"GET / HTTP/1.0\r\n\r\n", 200, "GET|/|||"},
    {"POST /" H "Content-Length: 0\r\n\r\n", 200, "POST|/|||"},
    {"GET /later" H "\r\n", 200, "by a thread"},
    {"GET /at-once" H "\r\n", 200, "by a thread"},
    {"GET /before" H "\r\n", 200, "X-Test: a?b"},
    {"POST /" H "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nz", 200,
	"POST|/|||z"},
    /* too large */
    {"POST /" H "Content-Length: 4097\r\n\r\n", 413, "4096 bytes"},
    {"POST /" H "Content-Length: 18446744073709551615\r\n\r\n", 413,
	"4096 bytes"},
    {"POST /" H "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n", 413,
	"4096 bytes"},
    {"POST /" H "Content-Length: 99999999999999999999999\r\n\r\n", 413, ""},
    /* malformed */
    {"POST /" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400,
	"more than once"},
    {"POST /" H "Content-Length: 1\r\n"
     "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	400, "more than once"},
    {"POST /" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 400, "not chunked"},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0"},
    {"POST /" H "Content-Length: 01\r\n\r\na", 400, "plain number"},
    {"POST /" H "Content-Length: +1\r\n\r\na", 400, ""},
    {"POST /" H "Content-Length : 1\r\n\r\na", 400, "name"},
    {"POST /" H "Transfer-Encoding: chunked\r\n\r\nxx\r\n", 400, ""},
    {"GET /" H "Content-Length: 1\r\n\r\na", 400, "no body"},
    {"HEAD /" H "Transfer-Encoding: chunked\r\n\r\n", 400, ""},
    {"GET / HTTP/1.1\r\n\r\n", 400, "Host"},
    {"GET /" H "Host: b\r\n\r\n", 400, "Host"},
    {"GET /" H "X-A: b\r\n c\r\nX-B: d\r\n\r\n", 400, "folded"},
    {"GET /" H "X-A: b\r\n\tc\r\n\r\n", 400, "folded"},
    {"GET /a b" H "\r\n", 400, "target"},
    {"GET  /" H "\r\n", 200, "GET|/|||"},
    {"GET /\x01" H "\r\n", 400, "target"},
    {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, ""},
    {"GET / BLAH/1.1\r\nHost: a\r\n\r\n", 400, ""},
    {"GET /" H "no colon\r\n\r\n", 400, ""},
};

static void
test_answers(void **state)
{
	const size_t n = sizeof(exchanges) / sizeof(exchanges[0]);

	(void)state;
	serve(usual);
	for (size_t i = 0; i < n; i++) {
		struct answer a;

		ask(exchanges[i].request, &a);
		if (a.status != exchanges[i].status ||
		    !strstr(a.text, exchanges[i].says))
			fail_msg("%s\n%u %s", exchanges[i].request, a.status,
			    a.text);
	}
	await_connections(0);
	assert_true(stats().refused[HTTPD_REFUSED_MALFORMED] >= 13);
	assert_int_equal(stats().refused[HTTPD_REFUSED_TOO_LARGE], 3);
}

static void
test_nul_and_huge_heads(void **state)
{
	static const struct {
		const char *head;
		size_t len;
	} nuls[] = {
#define NUL(s) {s, sizeof(s) - 1}
	    NUL("GET /a\0b" H "\r\n"),
	    NUL("GET /" H "X-A: b\0c\r\n\r\n"),
	    NUL("GET /" H "X-A: b\0c\r\nX-B: d\r\n\r\n"),
	    NUL("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
	    NUL("GET /" H "X\0A: b\r\n\r\n"),
	};
	AUTO(buf) many = BUF_INIT(4096);
	char *huge = malloc(40000);
	struct answer a;
	int fd;

	(void)state;
	assert_non_null(huge);
	serve(usual);
	for (size_t i = 0; i < sizeof(nuls) / sizeof(nuls[0]); i++) {
		fd = dial();
		(void)!send(fd, nuls[i].head, nuls[i].len, MSG_NOSIGNAL);
		take(fd, false, &a);
		assert_int_equal(a.status, 400);
		(void)close(fd);
	}
	(void)snprintf(huge, 40000, "GET /%020000d" H "\r\n", 0);
	ask(huge, &a);
	assert_true(a.status == 414 || (a.status == 0 && a.closed));
	(void)snprintf(huge, 40000, "GET /" H "X-A: %020000d\r\n\r\n", 0);
	ask(huge, &a);
	assert_true(a.status == 431 || (a.status == 0 && a.closed));
	assert_int_equal(atomic_load(&handled), 0);
	/* Many headers: all are judged, the first 32 kept. */
	for (int i = 0; i < 40; i++)
		buf_printf(&many, "%sX-%d: y\r\n", i == 0 ? "GET /" H : "", i);
	buf_put(&many, BYTES_LIT("X-Echo: z\r\n\r\n\0"));
	ask((const char *)many.ptr, &a);
	assert_string_equal(a.body, "GET|/|||");
	free(huge);
}

static void
test_bodies_at_the_limit(void **state)
{
	static char request[3 * MAX_BODY];
	struct answer a;

	(void)state;
	serve(usual);
	for (size_t n = MAX_BODY; n <= MAX_BODY + 1; n++) {
		unsigned want = n > MAX_BODY ? 413 : 200;

		(void)snprintf(request, sizeof(request),
		    "POST /x" H "Content-Length: %zu\r\n\r\n%0*d", n, (int)n,
		    0);
		ask(request, &a);
		assert_int_equal(a.status, want);
		(void)snprintf(request, sizeof(request),
		    "POST /x" H "Transfer-Encoding: chunked\r\n\r\n"
		    "800\r\n%02048d\r\n%zx\r\n%0*d\r\n0\r\n\r\n",
		    0, n - 2048, (int)n - 2048, 0);
		ask(request, &a);
		assert_int_equal(a.status, want);
		if (want == 413)
			assert_non_null(strstr(a.body, "4096 bytes"));
		else
			assert_int_equal(
			    strlen(a.body), strlen("POST|/x|||") + MAX_BODY);
	}
	assert_int_equal(atomic_load(&handled), 2);
	await_connections(0);
	assert_int_equal(stats().body_bytes, 0);
}

/* The refusal must be readable by a client that is still sending. */
static void
test_refused_while_sending(void **state)
{
	static char mass[512 * 1024];
	struct answer a;
	int fd;

	(void)state;
	serve(usual);
	memset(mass, 'x', sizeof(mass) - 1);
	fd = dial();
	assert_true(put(fd, "POST /" H "Content-Length: 524287\r\n\r\n"));
	assert_true(put(fd, mass));
	take(fd, false, &a);
	assert_int_equal(a.status, 413);
	assert_non_null(strstr(a.text, "Connection: close"));
	take(fd, false, &a);
	assert_true(a.closed);
	(void)close(fd);
	await_connections(0);
}

static void
test_keep_alive_and_pipeline(void **state)
{
	struct answer a;
	int fd;

	(void)state;
	serve(usual);
	fd = dial();
	for (int i = 0; i < 3; i++) {
		assert_true(put(fd, i == 1 ? chunked : post));
		take(fd, false, &a);
		assert_string_equal(a.body, "POST|/p|q=1&r|e|hello");
	}
	assert_true(put(fd,
	    "GET /1" H "\r\nGET /later" H "\r\nHEAD /3" H "\r\n"
	    "POST /4" H "Content-Length: 1\r\n\r\n4GET /5" H "\r\n"));
	take(fd, false, &a);
	assert_string_equal(a.body, "GET|/1|||");
	take(fd, false, &a);
	assert_string_equal(a.body, "by a thread");
	take(fd, true, &a);
	assert_non_null(strstr(a.text, "Content-Length: 10"));
	take(fd, false, &a);
	assert_string_equal(a.body, "POST|/4|||4");
	take(fd, false, &a);
	assert_string_equal(a.body, "GET|/5|||");
	assert_int_equal(stats().connections, 1);
	(void)close(fd);
}

static const char get_fixed[] = "GET /fixed HTTP/1.1\r\nHost: a\r\n\r\n";

static void
take_fixed(int fd, bool no_body)
{
	struct answer a;

	take(fd, no_body, &a);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.text, "Content-Type: text/x\r\n"));
	assert_non_null(strstr(a.text, "X-Fixed: yes\r\n"));
	assert_non_null(strstr(a.text, "Content-Length: 16\r\n"));
	assert_string_equal(a.body, no_body ? "" : "the same for all");
}

static void *
read_fixed(void *arg)
{
	int fd = dial();

	(void)arg;
	for (int i = 0; i < 100; i++) {
		assert_true(put(fd, get_fixed));
		take_fixed(fd, false);
	}
	(void)close(fd);
	return NULL;
}

static void
test_fixed_answers(void **state)
{
	pthread_t threads[4];
	int fd;

	(void)state;
	serve(usual);
	open_fixed();
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, read_fixed, NULL), 0);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	/* Each thread of the server's may have come first. */
	assert_in_range(atomic_load(&built), 1, 4);
	fd = dial();
	assert_true(put(fd, "HEAD /fixed HTTP/1.1\r\nHost: a\r\n\r\n"));
	take_fixed(fd, true);
	assert_true(put(fd, get_fixed));
	take_fixed(fd, false);
	assert_int_equal(stats().answer_bytes, 0);
	(void)close(fd);
	await_connections(0);
	assert_false(atomic_load(&big_freed));
	httpd_body_release(fixed);
	assert_true(atomic_load(&big_freed));
}

/* Going down, the server says so in these, too. */
static void
test_fixed_answers_close(void **state)
{
	struct answer a;
	int fd;

	(void)state;
	serve(usual);
	open_fixed();
	fd = dial();
	assert_true(put(fd, get_fixed));
	take_fixed(fd, false);
	assert_true(put(fd, get_keep));
	struct exchange *x = await_kept();
	httpd_drain(server, 1);
	reply_fixed(x);
	take(fd, false, &a);
	assert_string_equal(a.body, "the same for all");
	assert_non_null(strstr(a.text, "X-Fixed: yes\r\n"));
	assert_non_null(strstr(a.text, "Connection: close\r\n"));
	(void)close(fd);
	await_connections(0);
	httpd_body_release(fixed);
	assert_true(atomic_load(&big_freed));
}

static void
test_slow_senders(void **state)
{
	static const char *const starts[] = {"", "GE",
	    "GET /" H "X-Slow: ", "POST /" H "Content-Length: 100\r\n\r\n"};
	struct httpd_options o = usual;

	(void)state;
	o.header_timeout_ms = 400;
	serve(o);
	for (size_t i = 0; i < 4; i++) {
		uint64_t since = ms();
		int fd = dial();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		struct answer a;

		if (starts[i][0] != '\0')
			assert_true(put(fd, starts[i]));
		/* A byte now and then must not help. */
		while (poll(&p, 1, 50) == 0 && ms() - since < WAIT_MS)
			if (starts[i][0] != '\0')
				(void)put(fd, "a");
		assert_in_range(ms() - since, 350, 3000);
		take(fd, false, &a);
		assert_true(
		    i < 2 ? a.status == 0 : a.status == 408 || a.status == 0);
		(void)close(fd);
	}
	await_connections(0);
	assert_int_equal(stats().refused[HTTPD_REFUSED_TIMEOUT], 4);
	assert_int_equal(atomic_load(&handled), 0);
}

static void
test_idle_connection_ends(void **state)
{
	struct httpd_options o = usual;
	struct answer a;
	int fd;

	(void)state;
	o.idle_timeout_ms = 300;
	serve(o);
	fd = dial();
	assert_true(put(fd, post));
	take(fd, false, &a);
	assert_int_equal(a.status, 200);
	assert_in_range(time_to_end(fd), 200, 3000);
	(void)close(fd);
	await_connections(0);
}

static void
test_slow_reader_is_cut(void **state)
{
	struct httpd_options o = usual;
	uint64_t until = ms() + WAIT_MS;
	int fd;

	(void)state;
	o.send_window_ms = 400;
	o.min_send_rate = 1 << 20;
	serve(o);
	fd = dial_small(4096);
	assert_true(put(fd, get_big));
	while (stats().answer_bytes == 0 && ms() < until)
		nap(5);
	assert_in_range(stats().answer_bytes, BIG_BODY, BIG_BODY + 4096);
	assert_false(atomic_load(&big_freed));
	while (!atomic_load(&big_freed) && ms() < until) {
		char c[64];

		(void)recv(fd, c, sizeof(c), MSG_DONTWAIT);
		nap(20);
	}
	assert_true(atomic_load(&big_freed));
	await_connections(0);
	assert_int_equal(stats().answer_bytes, 0);
	assert_int_equal(stats().cut, 1);
	(void)close(fd);
}

static void
test_good_reader_is_not_cut(void **state)
{
	struct httpd_options o = usual;
	static char piece[64 * 1024];
	size_t got = 0;
	int fd;

	(void)state;
	o.send_window_ms = 200;
	o.min_send_rate = 1 << 20;
	serve(o);
	fd = dial_small(64 * 1024);
	assert_true(put(fd, get_big));
	/* About 4 MiB a second, several windows long. */
	while (got < BIG_BODY - 1) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		assert_true(n > 0);
		got += (size_t)n;
		nap(n > 16 * 1024 ? 10 : 2);
	}
	assert_int_equal(stats().cut, 0);
	(void)close(fd);
	await_connections(0);
	assert_true(atomic_load(&big_freed));
}

static void
test_deadline_of_the_handler(void **state)
{
	struct httpd_options o = usual;
	struct exchange *x;
	struct answer a;
	int fd;

	(void)state;
	o.answer_timeout_ms = 200;
	serve(o);
	fd = dial();
	assert_true(put(fd, "POST /keep" H "Content-Length: 3\r\n\r\nabc"));
	take(fd, false, &a);
	assert_int_equal(a.status, 504);
	assert_non_null(strstr(a.body, "deadline"));
	x = await_kept();
	/* The connection goes on with another exchange. */
	assert_true(put(fd, post));
	take(fd, false, &a);
	assert_string_equal(a.body, "POST|/p|q=1&r|e|hello");
	/* The handler still sees its request; what it says is dropped. */
	assert_true(bytes_equal(exchange_request(x)->body, BYTES_LIT("abc")));
	assert_true(bytes_equal(exchange_header(x, "host"), BYTES_LIT("a")));
	reply_text(x, "late");
	for (int i = 0; i < WAIT_MS && stats().body_bytes > 0; i++)
		nap(1);
	assert_int_equal(stats().body_bytes, 0);
	assert_true(put(fd, post));
	take(fd, false, &a);
	assert_string_equal(a.body, "POST|/p|q=1&r|e|hello");
	assert_int_equal(stats().refused[HTTPD_REFUSED_DEADLINE], 1);
	/* Without a next request, too, its memory comes back. */
	assert_true(put(fd, "POST /keep" H "Content-Length: 3\r\n\r\nabc"));
	take(fd, false, &a);
	assert_int_equal(a.status, 504);
	nap(50);
	assert_int_not_equal(stats().body_bytes, 0);
	reply_text(await_kept(), "late");
	assert_int_equal(stats().body_bytes, 0);
	(void)close(fd);
}

static void
test_client_leaves(void **state)
{
	struct linger at_once = {1, 0};
	struct answer a;

	(void)state;
	serve(usual);
	for (int hard = 0; hard < 2; hard++) {
		int fd = dial();

		assert_true(put(fd, get_keep));
		struct exchange *x = await_kept();

		if (hard)
			(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once,
			    sizeof(at_once));
		(void)close(fd);
		nap(30);
		assert_true(
		    bytes_equal(exchange_request(x)->path, BYTES_LIT("/keep")));
		reply_text(x, "nobody reads this");
		await_connections(0);
	}
	ask(post, &a);
	assert_int_equal(a.status, 200);
	await_connections(0);
	assert_int_equal(stats().answer_bytes, 0);
}

static void
test_close_with_suspended(void **state)
{
	struct exchange *held[4];
	int fds[4];

	(void)state;
	serve(usual);
	for (int i = 0; i < 4; i++) {
		fds[i] = dial();
		assert_true(put(fds[i], get_keep));
		held[i] = await_kept();
	}
	reply_text(held[3], "in time");
	httpd_close(server);
	server = NULL;
	for (int i = 0; i < 4; i++) {
		(void)time_to_end(fds[i]);
		if (i < 3)
			reply_text(held[i], "too late");
		(void)close(fds[i]);
	}
}

static void
test_drain(void **state)
{
	struct httpd_stats s;
	struct answer a;
	int idle, busy, late = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to;
	uint64_t since;

	(void)state;
	serve(usual);
	idle = dial();
	assert_true(put(idle, post));
	take(idle, false, &a);
	busy = dial();
	assert_true(put(busy, get_keep));
	struct exchange *x = await_kept();

	since = ms();
	httpd_drain(server, 300);
	assert_in_range(ms() - since, 250, 3000);
	assert_true(time_to_end(idle) < 1000);
	reply_text(x, "last words");
	httpd_drain(server, WAIT_MS);
	assert_true(ms() - since < 5000);
	take(busy, false, &a);
	assert_string_equal(a.body, "last words");
	assert_non_null(strstr(a.text, "Connection: close"));
	/* Nobody listens any more. */
	to = where();
	assert_int_equal(connect(late, (struct sockaddr *)&to, sizeof(to)), -1);
	s = stats();
	assert_int_equal(s.answer_bytes, 0);
	(void)close(late);
	(void)close(idle);
	(void)close(busy);
}

static void
test_connection_limits(void **state)
{
	static const struct {
		unsigned per_client, total, status;
		const char *reason;
	} cases[] = {
	    {2, 100, 429, "too-many-connections"},
	    {0, 2, 503, "server-busy"},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct httpd_options o = usual;
		struct answer a;
		int fds[2];

		o.max_connections_per_client = cases[i].per_client;
		o.max_connections = cases[i].total;
		serve(o);
		for (int k = 0; k < 2; k++) {
			fds[k] = dial();
			assert_true(put(fds[k], post));
			take(fds[k], false, &a);
			assert_int_equal(a.status, 200);
		}
		for (int k = 0; k < 100; k++) {
			ask(post, &a);
			assert_int_equal(a.status, cases[i].status);
			assert_non_null(strstr(a.text, cases[i].reason));
			assert_non_null(strstr(a.text, "Retry-After: "));
		}
		(void)close(fds[0]);
		await_connections(1);
		ask(post, &a);
		assert_int_equal(a.status, 200);
		(void)close(fds[1]);
		await_connections(0);
		(void)stop(NULL);
	}
}

static void
test_body_budget(void **state)
{
	struct httpd_options o = usual;
	struct answer a;
	int fd;

	(void)state;
	o.body_budget = 3000;
	serve(o);
	fd = dial();
	assert_true(put(fd, "POST /" H "Content-Length: 2000\r\n\r\na"));
	while (stats().body_bytes == 0)
		nap(1);
	assert_in_range(stats().body_bytes, 2000, 2048);
	ask("POST /" H "Content-Length: 2000\r\n\r\na", &a);
	assert_int_equal(a.status, 503);
	assert_non_null(strstr(a.text, "Retry-After: "));
	(void)close(fd);
	await_connections(0);
	assert_int_equal(stats().body_bytes, 0);
	ask(post, &a);
	assert_int_equal(a.status, 200);
}

static void
test_announcing_costs_nothing(void **state)
{
	struct httpd_options o = usual;
	int fd;

	(void)state;
	o.max_body = 16 << 20;
	serve(o);
	fd = dial();
	assert_true(put(fd, "POST /" H "Content-Length: 16000000\r\n\r\na"));
	while (stats().body_bytes == 0)
		nap(1);
	assert_true(stats().body_bytes <= 64 * 1024);
	(void)close(fd);
	await_connections(0);
}

static void
test_answer_budget(void **state)
{
	struct httpd_options o = usual;
	struct answer a;
	int fd;

	(void)state;
	o.answer_budget = BIG_BODY + 4096;
	serve(o);
	fd = dial_small(4096);
	assert_true(put(fd, get_big));
	while (stats().answer_bytes == 0)
		nap(1);
	ask(get_big, &a);
	assert_int_equal(a.status, 503);
	assert_non_null(strstr(a.text, "Retry-After: "));
	(void)close(fd);
	await_connections(0);
	assert_int_equal(stats().answer_bytes, 0);
}

static void
test_trusted_proxy(void **state)
{
	static const char *const trusted[] = {
	    "127.0.0.1", "10.0.0.0/8", "2001:db8:ffff::/48", NULL};
	static const struct {
		const char *forwarded, *client;
	} cases[] = {
	    {"", "::ffff:127.0.0.1"},
	    {"X-Forwarded-For: 192.0.2.1\r\n", "::ffff:192.0.2.1"},
	    {"X-Forwarded-For: 198.51.100.7, 192.0.2.1\r\n",
		"::ffff:192.0.2.1"},
	    {"X-Forwarded-For: 198.51.100.7,192.0.2.1 , 10.1.2.3\r\n",
		"::ffff:192.0.2.1"},
	    {"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.1.2.3\r\n",
		"::ffff:192.0.2.1"},
	    {"X-Forwarded-For: 2001:db8:1:2:3:4:5:6\r\n", "2001:db8:1:2::"},
	    {"X-Forwarded-For: [2001:db8:1:2:3::6]:80\r\n", "2001:db8:1:2::"},
	    {"X-Forwarded-For: 192.0.2.1:8080\r\n", "::ffff:192.0.2.1"},
	    {"X-Forwarded-For: 192.0.2.9, 2001:db8:ffff::1\r\n",
		"::ffff:192.0.2.9"},
	    {"X-Forwarded-For: 192.0.2.1, nonsense\r\n", "::ffff:127.0.0.1"},
	    {"X-Forwarded-For: 192.0.2.1, \r\n", "::ffff:127.0.0.1"},
	    {"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", "::ffff:10.0.0.1"},
	};
	struct httpd_options o = usual;
	char request[400];
	struct answer a;

	(void)state;
	for (int on = 1; on >= 0; on--) {
		o.trusted_proxies = on ? trusted : NULL;
		serve(o);
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			(void)snprintf(request, sizeof(request),
			    "GET /client" H "%s\r\n", cases[i].forwarded);
			ask(request, &a);
			assert_string_equal(
			    a.body, on ? cases[i].client : "::ffff:127.0.0.1");
		}
		(void)stop(NULL);
	}
}

static void
test_limit_behind_a_proxy(void **state)
{
	static const char *const trusted[] = {"127.0.0.0/8", NULL};
	static const char first[] =
	    "GET /keep" H "X-Forwarded-For: 192.0.2.1\r\n\r\n";
	static const char again[] =
	    "GET /x" H "X-Forwarded-For: 192.0.2.1\r\n\r\n";
	static const char other[] =
	    "GET /x" H "X-Forwarded-For: 192.0.2.2\r\n\r\n";
	struct httpd_options o = usual;
	struct answer a;
	int fd;

	(void)state;
	o.trusted_proxies = trusted;
	o.max_connections_per_client = 1;
	serve(o);
	fd = dial();
	assert_true(put(fd, first));
	struct exchange *x = await_kept();

	ask(again, &a);
	assert_int_equal(a.status, 429);
	ask(other, &a);
	assert_int_equal(a.status, 200);
	reply_text(x, "done");
	take(fd, false, &a);
	ask(again, &a);
	assert_int_equal(a.status, 200);
	(void)close(fd);
}

static void
test_options_refused(void **state)
{
	static const struct {
		const char *listen, *proxy;
		enum error_code code;
	} cases[] = {
	    {"127.0.0.1", NULL, ERR_USAGE},
	    {":80", NULL, ERR_USAGE},
	    {"127.0.0.1:", NULL, ERR_USAGE},
	    {"127.0.0.1:x", NULL, ERR_USAGE},
	    {"::1:80", NULL, ERR_USAGE},
	    {"[::1]80", NULL, ERR_USAGE},
	    {"192.0.2.1:0", NULL, ERR_IO},
	    {"127.0.0.1:0", "10.0.0.0/33", ERR_USAGE},
	    {"127.0.0.1:0", "10.0.0.0/", ERR_USAGE},
	    {"127.0.0.1:0", "10.0.0.0/8x", ERR_USAGE},
	    {"127.0.0.1:0", "proxy.example", ERR_USAGE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const proxies[] = {cases[i].proxy, NULL};
		struct httpd_options o = usual;
		struct error err = {0};

		o.listen = cases[i].listen;
		o.trusted_proxies = proxies;
		assert_null(httpd_open(&o, &err));
		assert_int_equal(err.code, cases[i].code);
		assert_non_null(strstr(err.text,
		    cases[i].proxy ? cases[i].proxy : cases[i].listen));
	}
	httpd_close(NULL);
	serve(usual);
	struct httpd_options o = usual;
	struct error err = {0};
	char taken[40];

	(void)snprintf(
	    taken, sizeof(taken), "127.0.0.1:%u", httpd_port(server));
	o.listen = taken;
	assert_null(httpd_open(&o, &err));
	assert_int_equal(err.code, ERR_IO);
}

static void
test_ipv6(void **state)
{
	struct sockaddr_in6 to = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct httpd_options o = usual;
	struct error err = {0};
	struct answer a;
	int fd;

	(void)state;
	o.listen = "[::1]:0";
	server = httpd_open(&o, &err);
	if (!server)
		skip(); /* a machine without IPv6 */
	assert_true(httpd_start(server, &err));
	to.sin6_port = htons((uint16_t)httpd_port(server));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_true(put(fd, "GET /client" H "\r\n"));
	take(fd, false, &a);
	assert_string_equal(a.body, "::"); /* ::1 cut to its /64 */
	(void)close(fd);
}

/* Many at once, answered from all sides while some leave and one closes. */
#define CROWD 200

static void *
crowd_client(void *arg)
{
	static const char *const paths[] = {
	    "/later", "/at-once", "/before", "/x", "/later"};
	unsigned seed = (unsigned)(uintptr_t)arg;
	char request[100];
	struct answer a;

	for (unsigned i = 0; i < CROWD; i++) {
		int fd = dial();

		(void)snprintf(request, sizeof(request), "GET %s" H "\r\n",
		    paths[(i + seed) % 5]);
		(void)put(fd, request);
		if ((i + seed) % 3 > 0) {
			take(fd, false, &a);
			if (a.status != 200)
				return arg;
			(void)put(fd, request);
		}
		(void)close(fd);
	}
	return NULL;
}

static void
test_crowd(void **state)
{
	struct httpd_options o = usual;
	pthread_t t[4];
	void *bad;

	(void)state;
	o.answer_timeout_ms = WAIT_MS;
	serve(o);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, crowd_client, (void *)(i + 1)),
		    0);
	for (int i = 0; i < 4; i++) {
		(void)pthread_join(t[i], &bad);
		assert_null(bad);
	}
	await_connections(0);
	assert_int_equal(stats().answer_bytes, 0);
	assert_int_equal(stats().body_bytes, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_teardown(f, stop)
	const struct CMUnitTest tests[] = {
	    T(test_split_everywhere),
	    T(test_answers),
	    T(test_nul_and_huge_heads),
	    T(test_bodies_at_the_limit),
	    T(test_refused_while_sending),
	    T(test_keep_alive_and_pipeline),
	    T(test_fixed_answers),
	    T(test_fixed_answers_close),
	    T(test_slow_senders),
	    T(test_idle_connection_ends),
	    T(test_slow_reader_is_cut),
	    T(test_good_reader_is_not_cut),
	    T(test_deadline_of_the_handler),
	    T(test_client_leaves),
	    T(test_close_with_suspended),
	    T(test_drain),
	    T(test_connection_limits),
	    T(test_body_budget),
	    T(test_announcing_costs_nothing),
	    T(test_answer_budget),
	    T(test_trusted_proxy),
	    T(test_limit_behind_a_proxy),
	    T(test_options_refused),
	    T(test_ipv6),
	    T(test_crowd),
	};

	return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
