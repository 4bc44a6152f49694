/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/server/httpd_fixture.h"

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
		/* Who has said nothing is told nothing. */
		assert_true(a.status == 0 || (i > 0 && a.status == 408));
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
	/* The client has the answer a moment before its place is free. */
	for (int tries = 0; tries < 200; tries++) {
		ask(again, &a);
		if (a.status != 429)
			break;
		(void)poll(NULL, 0, 20);
	}
	assert_int_equal(a.status, 200);
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
	    T(test_slow_senders),
	    T(test_idle_connection_ends),
	    T(test_slow_reader_is_cut),
	    T(test_good_reader_is_not_cut),
	    T(test_deadline_of_the_handler),
	    T(test_connection_limits),
	    T(test_body_budget),
	    T(test_announcing_costs_nothing),
	    T(test_answer_budget),
	    T(test_trusted_proxy),
	    T(test_limit_behind_a_proxy),
	    T(test_crowd),
	};

	return cmocka_run_group_tests_name("httpd_limits", tests, NULL, NULL);
}
