/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/httpd_fixture.h"

#include "server/httpd_head.h"

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

static const struct {
	const char *request;
	unsigned status;
	const char *says;
} exchanges[] = {
    {"GET /a%2Fb?c=%20d&e" H "\r\n", 200, "GET|/a%2Fb|c=%20d&e||"},
    {"HEAD /x" H "\r\n", 200, "Content-Length: 10"},
    {"OPTIONS /x" H "\r\n", 200, "OPTIONS|/x|||"},
    {"OPTIONS *" H "\r\n", 200, "OPTIONS|*|||"},
    {"GET http://a:1/b/c?d" H "\r\n", 200, "GET|/b/c|d||"},
    {"GET HTTPS://a?d" H "\r\n", 200, "GET|/|d||"},
    {"GET http://a" H "\r\n", 200, "GET|/|||"},
    {"\r\nGET /" H "\r\n", 200, "GET|/|||"},
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
    {"POST /" H "Content-Length: 1152921504606846976\r\n\r\n", 413,
	"4096 bytes"},
    {"POST /" H "Content-Length: 1152921504606846977\r\n\r\n", 413,
	"4096 bytes"},
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
    {"GET  /" H "\r\n", 400, "target"},
    {"GET /\x01" H "\r\n", 400, "target"},
    {"GET checkpoint" H "\r\n", 400, "target"},
    {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400, "unsupported-version"},
    {"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400, "unsupported-version"},
    {"GET /\r\n\r\n", 400, "unsupported-version"},
    {"GET / BLAH/1.1\r\nHost: a\r\n\r\n", 400, ""},
    {"GET /" H "no colon\r\n\r\n", 400, "colon"},
    {"POST /" H "Content-Length: -1\r\n\r\n", 400, "plain number"},
    {"\x16\x03\x01", 400, "TLS"},
    {"rubbish\r\n\r\n", 400, "method"},
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
		    !strstr(a.text, exchanges[i].says) ||
		    (a.status >= 400 && !strstr(a.text, "\r\n\r\n{\"reason") &&
			strncmp(exchanges[i].request, "HEAD", 4) != 0))
			fail_msg("%s\n%u %s", exchanges[i].request, a.status,
			    a.text);
	}
	await_connections(0);
	assert_true(stats().refused[HTTPD_REFUSED_MALFORMED] >= 13);
	assert_int_equal(stats().refused[HTTPD_REFUSED_TOO_LARGE], 6);
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
	assert_int_equal(a.status, 414);
	assert_non_null(strstr(a.text, "target-too-long"));
	(void)snprintf(huge, 40000, "GET /" H "X-A: %020000d\r\n\r\n", 0);
	ask(huge, &a);
	assert_int_equal(a.status, 431);
	assert_non_null(strstr(a.text, "head-too-large"));
	assert_int_equal(atomic_load(&handled), 0);
	/* Many headers: all are judged, the first 32 kept. */
	for (int i = 0; i < 40; i++)
		buf_printf(&many, "%sX-%d: y\r\n", i == 0 ? "GET /" H : "", i);
	buf_put(&many, BYTES_LIT("X-Echo: z\r\n\r\n\0"));
	ask((const char *)many.ptr, &a);
	assert_string_equal(a.body, "GET|/|||");
	free(huge);
}

/* What our check lets through, the library has room for. */
static void
test_heads_at_the_limit(void **state)
{
	static const struct {
		const char *start, *piece, *end;
	} kinds[] = {
	    {"GET /", "a", H "\r\n"},
	    {"GET /?", "a", H "\r\n"},
	    {"GET /?", "a&", H "\r\n"},
	    {"GET /?", "?=&&", H "\r\n"},
	    {"GET /?", "a=b&", H "Cookie: a=b; c=d\r\n\r\n"},
	    {"GET /" H, "X: y\r\n", "\r\n"},
	    {"GET /" H, "Accept-Something: text/plain\r\n", "\r\n"},
	    {"GET /" H "X: ", "a", "\r\n\r\n"},
	    {"GET /" H "X: ", " ", "\r\n\r\n"},
	    {"GET /" H "Cookie: ", "a", "\r\n\r\n"},
	    {"GET /" H "Cookie: ", "a;", "\r\n\r\n"},
	    {"GET /" H "Cookie: ", "=", "\r\n\r\n"},
	    {"GET /" H "Cookie: ", ",", "\r\n\r\n"},
	    {"GET /" H "Cookie: ", "a=b; ", "\r\n\r\n"},
	    {"GET /" H, "Cookie: a=b\r\n", "\r\n"},
	    {"POST /" H "Content-Length: 3\r\nX: ", "a", "\r\n\r\nabc"},
	    {"POST /" H "Transfer-Encoding: chunked\r\nX: ", "a",
		"\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n"},
	    {"POST /" H "Transfer-Encoding: chunked\r\n", "X: y\r\n",
		"\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n"},
	    {"POST /" H "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n",
		"\r\n"},
	};

	(void)state;
	serve(usual);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t fits = 0, too_large = HTTP_HEAD_MAX;

		while (fits + 1 < too_large) {
			AUTO(buf) text = BUF_INIT(1 << 16);
			size_t n = (fits + too_large) / 2;
			struct answer a;

			buf_put_str(&text, kinds[i].start);
			for (size_t k = 0; k < n; k++)
				buf_put_str(&text, kinds[i].piece);
			buf_put_str(&text, kinds[i].end);
			buf_put_u8(&text, 0);
			ask((const char *)text.ptr, &a);
			if (a.status == 200)
				fits = n;
			else
				too_large = n;
			if (a.status != 200 && !strstr(a.text, "too-l"))
				fail_msg("%s %zu times: %s", kinds[i].piece, n,
				    a.text);
		}
		assert_true(fits > 10);
	}
}

/* After requests that are well, too: these are answered first. */
static void
test_faults_come_last(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned status;
	} faults[] = {
	    {"GET / HTTP/9.9\r\n", "unsupported-version", 400},
	    {"GET /" H "bad\r\n\r\n", "colon", 400},
	    {"POST /" H "Transfer-Encoding: chunked\r\n\r\nxx\r\n", "chunk",
		400},
	    {"POST /" H "Content-Length: 4097\r\n\r\n", "4096 bytes", 413},
	};
	AUTO(buf) text = BUF_INIT(4096);
	struct answer a;

	(void)state;
	serve(usual);
	for (size_t i = 0; i < 2 * sizeof(faults) / sizeof(faults[0]); i++) {
		int fd = dial();

		buf_clear(&text);
		buf_printf(&text, "GET /1" H "\r\nGET /later" H "\r\n%s%c",
		    i % 2 ? "" : faults[i / 2].text, 0);
		assert_true(put(fd, (const char *)text.ptr));
		take(fd, false, &a);
		assert_string_equal(a.body, "GET|/1|||");
		take(fd, false, &a);
		assert_string_equal(a.body, "by a thread");
		if (i % 2)
			assert_true(put(fd, faults[i / 2].text));
		take(fd, false, &a);
		assert_int_equal(a.status, faults[i / 2].status);
		assert_non_null(strstr(a.text, faults[i / 2].says));
		assert_non_null(strstr(a.text, "Connection: close"));
		take(fd, false, &a);
		assert_int_equal(a.status, 0);
		(void)close(fd);
	}
	await_connections(0);
}

static void
test_cut_requests(void **state)
{
	static const char *const cuts[] = {
	    "G", "GET /" H, "POST /" H "Content-Length: 2\r\n\r\n1"};
	struct answer a;

	(void)state;
	serve(usual);
	for (size_t i = 0; i < 3; i++) {
		int fd = dial();

		assert_true(put(fd, cuts[i]));
		(void)shutdown(fd, SHUT_WR);
		take(fd, false, &a);
		assert_int_equal(a.status, 400);
		assert_non_null(strstr(a.text, "ends before"));
		(void)close(fd);
	}
	/* A whole one is answered, though the client has said all it will. */
	for (unsigned i = 0; i < 20; i++) {
		int fd = dial();

		assert_true(put(fd, "GET /later" H "\r\n"));
		nap(i % 5);
		(void)shutdown(fd, SHUT_WR);
		take(fd, false, &a);
		assert_string_equal(a.body, "by a thread");
		assert_true(time_to_end(fd) < 1000);
		(void)close(fd);
	}
	await_connections(0);
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

#define LARGE_BODY (MAX_BODY + 500)

/* One path takes more; nothing that only looks like it. */
static void
test_large_path(void **state)
{
	static const struct {
		const char *target;
		bool large;
	} cases[] = {
	    {"/large", true},
	    {"/large?a=b", true},
	    {"/large/", false},
	    {"/larg", false},
	    {"/Large", false},
	    {"/x?/large", false},
	};
	static char request[4 * MAX_BODY];
	struct httpd_options o = usual;
	struct answer a;

	(void)state;
	o.large_path = "/large";
	o.max_large_body = LARGE_BODY;
	serve(o);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t n = MAX_BODY; n <= LARGE_BODY + 1; n++) {
			bool fits;

			if (n == MAX_BODY + 2)
				n = LARGE_BODY;
			fits = n <= (cases[i].large ? LARGE_BODY : MAX_BODY);
			(void)snprintf(request, sizeof(request),
			    "POST %s" H "Content-Length: %zu\r\n\r\n%0*d",
			    cases[i].target, n, (int)n, 0);
			ask(request, &a);
			assert_int_equal(a.status, fits ? 200 : 413);
			if (!fits)
				assert_non_null(strstr(a.body,
				    cases[i].large ? "4596 bytes"
						   : "4096 bytes"));
			(void)snprintf(request, sizeof(request),
			    "POST %s" H "Transfer-Encoding: chunked\r\n\r\n"
			    "%zx\r\n%0*d\r\n0\r\n\r\n",
			    cases[i].target, n, (int)n, 0);
			ask(request, &a);
			assert_int_equal(a.status, fits ? 200 : 413);
		}
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
	(void)close(fd);
	await_connections(0);
	assert_int_equal(stats().answer_bytes, 0);
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

int
main(void)
{
#define T(f) cmocka_unit_test_teardown(f, stop)
	const struct CMUnitTest tests[] = {
	    T(test_split_everywhere),
	    T(test_answers),
	    T(test_nul_and_huge_heads),
	    T(test_heads_at_the_limit),
	    T(test_faults_come_last),
	    T(test_cut_requests),
	    T(test_bodies_at_the_limit),
	    T(test_large_path),
	    T(test_refused_while_sending),
	    T(test_keep_alive_and_pipeline),
	    T(test_fixed_answers),
	    T(test_fixed_answers_close),
	    T(test_client_leaves),
	    T(test_close_with_suspended),
	    T(test_drain),
	    T(test_options_refused),
	    T(test_ipv6),
	};

	return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
