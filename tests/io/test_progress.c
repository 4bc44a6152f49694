/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/progress.h"

#define MS  1000000U
#define GIB ((uint64_t)1 << 30)

/* Link with -Wl,--wrap=clock_monotonic_ns. */
static uint64_t now;

uint64_t __wrap_clock_monotonic_ns(void);

uint64_t
__wrap_clock_monotonic_ns(void)
{
	return now;
}

static int manager, terminal; /* the two ends */

static int
set_up(void **state)
{
	struct termios mode;

	(void)state;
	now = (uint64_t)5 << 40;
	manager = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (manager < 0 || grantpt(manager) != 0 || unlockpt(manager) != 0)
		return -1;
	terminal = open(ptsname(manager), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0 || tcgetattr(terminal, &mode) != 0)
		return -1;
	cfmakeraw(&mode);
	return tcsetattr(terminal, TCSANOW, &mode);
}

static int
tear_down(void **state)
{
	(void)state;
	(void)close(manager);
	(void)close(terminal);
	return 0;
}

static const char *
seen(int fd)
{
	static char text[4096];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_line(void **state)
{
	static const struct {
		uint64_t after_ms, done, total;
		unsigned short columns;
		const char *name;
		const char *line; /* between \r and ESC [ K */
	} cases[] = {
	    {1000, GIB, 4 * GIB, 100, "model.bin",
		"[#####---------------]  25 %  1.0 GiB of 4.0 GiB  1.0 GiB/s  "
		"0:03 left  model.bin"},
	    {2000, 512, 1024, 100, "a",
		"[##########----------]  50 %  512 B of 1.0 KiB  256 B/s  "
		"0:02 left  a"},
	    {1000, 0, 4 * GIB, 100, "a",
		"[--------------------]   0 %  0 B of 4.0 GiB  0 B/s  a"},
	    {1000, GIB / 4096, 100 * GIB, 100, "a",
		"[--------------------]   0 %  256.0 KiB of 100.0 GiB  "
		"256.0 KiB/s  113:46:39 left  a"},
	    {1000, 3 * GIB, 0, 100, "a", "3.0 GiB  3.0 GiB/s  a"},
	    {1000, 5 * GIB, 4 * GIB, 100, "a",
		"[####################] 100 %  5.0 GiB of 5.0 GiB  5.0 GiB/s  "
		"0:00 left  a"},
	    {1000, GIB, 4 * GIB, 40, "model.bin",
		"[#####---------------]  25 %  1.0 GiB o"},
	    {1000, 1, 0, 18, "model.bin", "1 B  1 B/s  model"},
	    {1000, 1, 0, 18, "\xe6\xa8\xa1\xe6\xa8\xa1\xe6\xa8\xa1",
		"1 B  1 B/s  \xe6\xa8\xa1\xe6\xa8\xa1"},
	    {1000, 1, 0, 0, "a\x1b[2J\xc2\x9b\xff", "1 B  1 B/s  a?[2J???"},
	    {1000, 1, 0, 0, "a\x1b\xc2\x9b\xc3\xa9", "1 B  1 B/s  a??\xc3\xa9"},
	    {1000, 1, 0, 1, "a", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct winsize size = {.ws_col = cases[i].columns};
		struct progress p;
		char want[400];

		assert_int_equal(ioctl(manager, TIOCSWINSZ, &size), 0);
		progress_init(&p, terminal);
		now += cases[i].after_ms * MS;
		assert_true(progress_update(&p, bytes_str(cases[i].name),
		    cases[i].done, cases[i].total));
		(void)snprintf(want, sizeof(want), "\r%s\033[K", cases[i].line);
		assert_string_equal(seen(manager), want);
		progress_release(&p);
		assert_string_equal(seen(manager), "\r\033[K");
		progress_release(&p);
		assert_string_equal(seen(manager), "");
	}
}

/* Other things than bytes are counted. */
static void
test_unit(void **state)
{
	static const struct {
		uint64_t done, total;
		const char *line;
	} cases[] = {
	    {999, 4000,
		"[####----------------]  24 %  999 of 4,000 entries  "
		"999/s  0:03 left  a"},
	    {1234567, 0, "1,234,567 entries  1,234,567/s  a"},
	    {0, 100000,
		"[--------------------]   0 %  0 of 100,000 entries  "
		"0/s  a"},
	    {UINT64_MAX, 0,
		"18,446,744,073,709,551,616 entries  "
		"18,446,744,073,709,551,616/s  a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct winsize size = {.ws_col = 120};
		struct progress p;
		char want[400];

		assert_int_equal(ioctl(manager, TIOCSWINSZ, &size), 0);
		progress_init(&p, terminal);
		p.unit = "entries";
		now += 1000 * MS;
		assert_true(progress_update(
		    &p, BYTES_LIT("a"), cases[i].done, cases[i].total));
		(void)snprintf(want, sizeof(want), "\r%s\033[K", cases[i].line);
		assert_string_equal(seen(manager), want);
		progress_release(&p);
		assert_string_equal(seen(manager), "\r\033[K");
	}
}

/* Nothing in the first half second, then ten times a second. */
static void
test_pace(void **state)
{
	struct progress p;
	unsigned drawn = 0;

	(void)state;
	progress_init(&p, terminal);
	for (unsigned ms = 0; ms < 500; ms++, now += MS)
		assert_true(progress_update(&p, BYTES_LIT("a"), ms, 9999));
	assert_string_equal(seen(manager), "");
	progress_release(&p);
	assert_string_equal(seen(manager), "");
	for (unsigned ms = 500; ms < 2500; ms++, now += MS) {
		assert_true(progress_update(&p, BYTES_LIT("a"), ms, 9999));
		drawn += *seen(manager) != '\0';
	}
	assert_int_equal(drawn, 20);
	progress_release(&p);
	assert_string_equal(seen(manager), "\r\033[K");
}

static void
test_no_terminal(void **state)
{
	struct progress p;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	progress_init(&p, ends[1]);
	now += (uint64_t)5000 * MS;
	assert_true(progress_update(&p, BYTES_LIT("a"), 1, 2));
	progress_release(&p);
	assert_string_equal(seen(ends[0]), "");
	(void)close(ends[0]);
	(void)close(ends[1]);
	progress_init(&p, -1);
	now += (uint64_t)5000 * MS;
	assert_true(progress_update(&p, BYTES_LIT("a"), 1, 2));
	progress_release(&p);
}

/* The terminal goes away: no error, and no second try. */
static void
test_hangup(void **state)
{
	struct progress p;

	(void)state;
	progress_init(&p, terminal);
	(void)close(manager);
	for (int i = 0; i < 3; i++) {
		now += (uint64_t)1000 * MS;
		assert_true(progress_update(&p, BYTES_LIT("a"), 1, 2));
		assert_false(p.terminal);
	}
	progress_release(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_line),
	    TEST(test_unit),
	    TEST(test_pace),
	    TEST(test_no_terminal),
	    TEST(test_hangup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
