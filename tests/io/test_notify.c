/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/notify.h"

/* A manager: a datagram socket of our own at a path or an abstract name. */
static int
manager(const char *name, char variable[128])
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	size_t len = strlen(name);

	assert_true(fd >= 0 && len < sizeof(a.sun_path));
	memcpy(a.sun_path, name, len);
	(void)snprintf(variable, 128, "%s", name);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&a,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	    0);
	return fd;
}

static const char *
heard(int fd)
{
	static char text[2048];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static struct notify *
open_with(const char *socket, const char *usec, const char *pid)
{
	static const char *const names[] = {
	    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
	const char *const values[] = {socket, usec, pid};
	struct error err = {0};
	struct notify *n;

	for (size_t i = 0; i < 3; i++) {
		if (values[i])
			(void)setenv(names[i], values[i], 1);
		else
			(void)unsetenv(names[i]);
	}
	n = notify_open(&err);
	assert_non_null(n);
	return n;
}

static void
test_messages(void **state)
{
	char name[64], variable[128];

	(void)state;
	for (int abstract = 0; abstract < 2; abstract++) {
		struct notify *n;
		int fd;

		(void)snprintf(name, sizeof(name), "%s%d",
		    abstract ? "@test-notify-" : "/tmp/test-notify-",
		    (int)getpid());
		fd = manager(name, variable);
		n = open_with(variable, NULL, NULL);
		notify_send(n, "READY=1\nSTATUS=serving");
		assert_string_equal(heard(fd), "READY=1\nSTATUS=serving");
		notify_send(n, "WATCHDOG=1");
		notify_send(n, "STOPPING=1");
		assert_string_equal(heard(fd), "WATCHDOG=1");
		assert_string_equal(heard(fd), "STOPPING=1");
		notify_status(n, "%s %d", "a\nREADY=1\x1b\x7f", 5);
		assert_string_equal(heard(fd), "STATUS=a READY=1   5");
		assert_string_equal(heard(fd), "");
		notify_close(n);
		(void)close(fd);
		if (!abstract)
			(void)unlink(name);
	}
}

static void
test_long_status(void **state)
{
	char variable[128], name[64], text[5000];
	struct notify *n;
	int fd;

	(void)state;
	(void)snprintf(name, sizeof(name), "@test-long-%d", (int)getpid());
	fd = manager(name, variable);
	n = open_with(variable, NULL, NULL);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	notify_status(n, "%s", text);
	assert_true(strncmp(heard(fd), "STATUS=xxx", 10) == 0);
	notify_close(n);
	(void)close(fd);
}

static void
test_reloading(void **state)
{
	uint64_t before = clock_monotonic_ns() / 1000, at;
	char variable[128], name[64];
	const char *text;
	struct notify *n;
	char *end;
	int fd;

	(void)state;
	(void)snprintf(name, sizeof(name), "@test-reload-%d", (int)getpid());
	fd = manager(name, variable);
	n = open_with(variable, NULL, NULL);
	notify_reloading(n);
	text = heard(fd);
	assert_true(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27) == 0);
	at = strtoull(text + 27, &end, 10);
	assert_int_equal(*end, '\0');
	assert_in_range(at, before, clock_monotonic_ns() / 1000);
	notify_close(n);
	(void)close(fd);
}

static void
test_no_manager(void **state)
{
	static const char long_path[] =
	    "/tmp/a-name-that-is-longer-than-an-address-of-a-local-socket-may-"
	    "be-which-are-one-hundred-and-eight-bytes-on-linux";
	static const char *const places[] = {NULL, "", "/", "@", "relative",
	    "vsock:2:1234", long_path, "/tmp/test-notify-nobody-is-here"};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct notify *n = open_with(places[i], "1000000", NULL);

		notify_send(n, "READY=1");
		notify_status(n, "x");
		notify_reloading(n);
		if (i < 7)
			assert_int_equal(notify_watchdog_ns(n), 0);
		notify_close(n);
	}
	notify_close(NULL);
}

static void
test_watchdog(void **state)
{
	static const struct {
		const char *usec;
		uint64_t want;
	} cases[] = {{"30000000", 15000000000u}, {"1", 500}, {"0", 0},
	    {NULL, 0}, {"", 0}, {"-1", 0}, {"10s", 0}, {" 10", 0}, {"010", 0},
	    {"9223372036854775807", 0}, {"99999999999999999999", 0}};
	char pid[20];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct notify *n =
		    open_with("@test-watchdog", cases[i].usec, NULL);

		assert_int_equal(notify_watchdog_ns(n), cases[i].want);
		notify_close(n);
	}
	/* It may be another process that the manager watches. */
	for (int other = 0; other < 2; other++) {
		struct notify *n;

		(void)snprintf(pid, sizeof(pid), "%d", (int)getpid() + other);
		n = open_with("@test-watchdog", "2000", pid);
		assert_int_equal(notify_watchdog_ns(n), other ? 0 : 1000000);
		notify_close(n);
	}
}

/* A manager that does not read holds nobody up for long. */
static void
test_deaf_manager(void **state)
{
	char variable[128], name[64];
	struct notify *n;
	uint64_t start;
	int fd;

	(void)state;
	(void)snprintf(name, sizeof(name), "@test-deaf-%d", (int)getpid());
	fd = manager(name, variable);
	n = open_with(variable, NULL, NULL);
	start = clock_monotonic_ns();
	do
		notify_send(n, "WATCHDOG=1");
	while (clock_monotonic_ns() - start < 500000000u);
	assert_in_range(clock_monotonic_ns() - start, 500000000u, 3000000000u);
	notify_close(n);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_long_status),
	    cmocka_unit_test(test_reloading),
	    cmocka_unit_test(test_no_manager),
	    cmocka_unit_test(test_watchdog),
	    cmocka_unit_test(test_deaf_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
