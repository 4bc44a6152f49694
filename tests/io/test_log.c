/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "io/log.h"

/* Every line is read back from a file in standard error's place. */
static char path[] = "/tmp/test-log-XXXXXX";
static int saved = -1;
static char page[1 << 20];

/* Link with -Wl,--wrap=clock_monotonic_ns. */
static uint64_t now_ns = 1000000000000u;
uint64_t __wrap_clock_monotonic_ns(void);

uint64_t
__wrap_clock_monotonic_ns(void)
{
	return __atomic_load_n(&now_ns, __ATOMIC_RELAXED);
}

static void
pass(uint64_t ms)
{
	now_ns += ms * 1000000;
}

static void
begin(enum log_format format, enum log_level level)
{
	int fd = open(path, O_RDWR | O_TRUNC | O_APPEND);

	assert_true(fd >= 0);
	(void)fflush(stderr);
	saved = dup(STDERR_FILENO);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	(void)close(fd);
	log_setup(format, level);
	pass(60000); /* every event may be written again */
}

/* What was written. */
static const char *
end(void)
{
	ssize_t n = pread(STDERR_FILENO, page, sizeof(page) - 1, 0);

	(void)dup2(saved, STDERR_FILENO);
	(void)close(saved);
	assert_true(n >= 0);
	page[n] = '\0';
	return page;
}

static size_t
lines_of(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* 2026-11-23T09:58:27.123Z */
static void
assert_time(const char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] == 'd')
			assert_in_range(text[i], '0', '9');
		else
			assert_int_equal(text[i], form[i]);
	}
}

static void
test_time(void **state)
{
	struct timespec now;
	char want[32];
	struct tm tm;
	const char *got;

	(void)state;
	/* Twice, should a second pass in between. */
	for (int i = 0; i < 2; i++) {
		begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
		(void)clock_gettime(CLOCK_REALTIME, &now);
		log_event(LOG_LEVEL_INFO, "e", "x");
		got = end();
		assert_time(got);
		(void)gmtime_r(&now.tv_sec, &tm);
		(void)strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm);
		if (strncmp(got, want, strlen(want)) == 0)
			return;
	}
	fail_msg("%s is not %s", got, want);
}

static const struct {
	const char *in, *text, *json;
} sentences[] = {
    {"plain", "plain", "plain"},
    {"a \"b\"", "a \"b\"", "a \"b\""},
    {"a\nb", "a\\x0ab", "a\\x0ab"},
    {"\r\t\x1b[31m", "\\x0d\\x09\\x1b[31m", "\\x0d\\x09\\x1b[31m"},
    {"\x7f", "\\x7f", "\\x7f"},
    {"back\\slash", "back\\\\slash", "back\\\\slash"},
    {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
    {"\xf0\x9f\x8c\xb2", "\xf0\x9f\x8c\xb2", "\xf0\x9f\x8c\xb2"},
    {"\xff-\xc3", "\\xff-\\xc3", "\\xff-\\xc3"},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"},
    {"\xc2\x9b", "\\xc2\\x9b", "\\xc2\\x9b"},
    {"\xe2\x80\xae", "\\xe2\\x80\\xae", "\\xe2\\x80\\xae"},
    {"\xe2\x81\xa6", "\\xe2\\x81\\xa6", "\\xe2\\x81\\xa6"},
    {"\xe2\x82\xac", "\xe2\x82\xac", "\xe2\x82\xac"},
};

static void
assert_member(const char *line, const char *name, const char *value)
{
	AUTO_PTR(json_t) v = NULL;
	struct error err = {0};

	if (!json_parse(bytes_str(line), LOG_LINE_MAX, &v, &err))
		fail_msg("%s: %s", err.text, line);
	assert_string_equal(json_string_value(json_object_get(v, name)), value);
}

static void
test_sentences(void **state)
{
	char want[200];

	(void)state;
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
		log_event(LOG_LEVEL_WARN, "ev", "%s", sentences[i].in);
		(void)snprintf(
		    want, sizeof(want), " warn  ev %s\n", sentences[i].text);
		assert_string_equal(end() + 24, want);
		begin(LOG_FORMAT_JOURNAL, LOG_LEVEL_INFO);
		log_event(LOG_LEVEL_ERROR, "ev", "%s", sentences[i].in);
		(void)snprintf(
		    want, sizeof(want), "<3>ev %s\n", sentences[i].text);
		assert_string_equal(end(), want);
		begin(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
		log_event(LOG_LEVEL_INFO, "ev", "%s", sentences[i].in);
		(void)end();
		assert_int_equal(lines_of(page), 1);
		assert_member(page, "text", sentences[i].json);
		assert_member(page, "event", "ev");
		assert_member(page, "level", "info");
	}
}

static void
test_fields(void **state)
{
	AUTO_PTR(json_t) v = NULL;
	struct error err = {0};

	(void)state;
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JOURNAL;
	     format++) {
		begin((enum log_format)format, LOG_LEVEL_INFO);
		log_fields(LOG_LEVEL_INFO, "batch", LOG_NUMBER("n", INT64_MAX),
		    LOG_TEXT("why", "a b=\"c\""), LOG_TEXT("bare", "x-1.5:/"),
		    LOG_TEXT("none", ""), LOG_TEXT("nl", "a\nlevel=x"));
		(void)end();
		assert_int_equal(lines_of(page), 1);
		if (format == LOG_FORMAT_JSON) {
			assert_true(json_parse(
			    bytes_str(page), LOG_LINE_MAX, &v, &err));
			assert_int_equal(json_object_size(v), 8);
			assert_member(page, "why", "a b=\"c\"");
			assert_member(page, "bare", "x-1.5:/");
			assert_member(page, "none", "");
			assert_member(page, "nl", "a\\x0alevel=x");
			assert_non_null(
			    strstr(page, ",\"n\":9223372036854775807,"));
			continue;
		}
		assert_non_null(strstr(page,
		    "batch n=9223372036854775807 why=\"a b=\\\"c\\\"\" "
		    "bare=x-1.5:/ none=\"\" nl=\"a\\x0alevel=x\"\n"));
	}
}

static void
test_levels(void **state)
{
	(void)state;
	for (int least = LOG_LEVEL_ERROR; least <= LOG_LEVEL_DEBUG; least++) {
		begin(LOG_FORMAT_JOURNAL, (enum log_level)least);
		for (int l = LOG_LEVEL_ERROR; l <= LOG_LEVEL_DEBUG; l++) {
			assert_int_equal(
			    log_wanted((enum log_level)l), l <= least);
			log_event((enum log_level)l, "e", "x");
			log_fields((enum log_level)l, "e", LOG_NUMBER("n", 1));
		}
		assert_int_equal(lines_of(end()), 2 * (least + 1));
	}
	assert_string_equal(page,
	    "<3>e x\n<3>e n=1\n<4>e x\n<4>e n=1\n"
	    "<6>e x\n<6>e n=1\n<7>e x\n<7>e n=1\n");
}

/* However long the value is and wherever the cut falls, JSON stays JSON. */
static void
test_cut(void **state)
{
	static char value[3 * LOG_LINE_MAX];

	(void)state;
	for (size_t len = LOG_LINE_MAX - 240; len < LOG_LINE_MAX; len++) {
		memset(value, 'a', len);
		(void)snprintf(
		    value + len, 30, "\x01\xc3\xbc\"\\\xf0\x9f\x8c\xb2");
		begin(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
		log_fields(LOG_LEVEL_INFO, "e", LOG_TEXT("v", value),
		    LOG_NUMBER("n", 1), LOG_TEXT("w", "x"));
		(void)end();
		assert_int_equal(lines_of(page), 1);
		assert_true(strlen(page) <= LOG_LINE_MAX);
		{
			AUTO_PTR(json_t) v = NULL;
			struct error err = {0};

			if (!json_parse(
				bytes_str(page), LOG_LINE_MAX, &v, &err))
				fail_msg("%zu: %s", len, err.text);
		}
	}
	assert_non_null(strstr(page, "aaa...\"}\n"));
	begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	memset(value, 1, sizeof(value) - 1);
	log_event(LOG_LEVEL_INFO, "e", "%s", value);
	(void)end();
	assert_int_equal(lines_of(page), 1);
	assert_true(strlen(page) <= LOG_LINE_MAX);
	assert_non_null(strstr(page, "\\x01...\n"));
}

static void
test_rate(void **state)
{
	(void)state;
	begin(LOG_FORMAT_JOURNAL, LOG_LEVEL_DEBUG);
	for (int i = 0; i < 1000; i++) {
		log_event(LOG_LEVEL_ERROR, "flood", "%d", i);
		log_event(LOG_LEVEL_DEBUG, "detail", "%d", i);
	}
	log_event(LOG_LEVEL_INFO, "other", "is heard");
	(void)end();
	assert_int_equal(lines_of(page), 2 * LOG_BURST + 1);
	assert_non_null(strstr(page, "<3>flood 19\n"));
	assert_null(strstr(page, "flood 20\n"));

	begin(LOG_FORMAT_JOURNAL, LOG_LEVEL_DEBUG);
	for (int i = 0; i < 25; i++)
		log_event(LOG_LEVEL_ERROR, "flood", "%d", i);
	(void)end();
	assert_non_null(strstr(page, "<3>flood 0 (980 more left out)\n"));
	assert_non_null(strstr(page, "<3>flood 1\n"));
}

/* The rate in steady state: what a minute of a flood may write. */
static void
test_steady_rate(void **state)
{
	(void)state;
	begin(LOG_FORMAT_JOURNAL, LOG_LEVEL_DEBUG);
	for (int i = 0; i < 60000; i++) {
		log_event(LOG_LEVEL_ERROR, "steady", "x");
		log_event(LOG_LEVEL_DEBUG, "minute", "x");
		pass(1);
	}
	(void)end();
	assert_in_range(lines_of(page),
	    2 * LOG_BURST + 60 * (LOG_RATE + LOG_RATE_DEBUG) - 4,
	    2 * LOG_BURST + 60 * (LOG_RATE + LOG_RATE_DEBUG) + 4);
	assert_non_null(strstr(page, "<3>steady x (499 more left out)\n"));
}

static void
test_tick(void **state)
{
	(void)state;
	begin(LOG_FORMAT_JOURNAL, LOG_LEVEL_INFO);
	log_tick(); /* of the tests before */
	(void)end();
	begin(LOG_FORMAT_JOURNAL, LOG_LEVEL_INFO);
	for (int i = 0; i < 100; i++)
		log_event(LOG_LEVEL_INFO, "storm", "x");
	log_tick();
	(void)end();
	assert_null(strstr(page, "lines-left-out"));
	begin(LOG_FORMAT_JOURNAL, LOG_LEVEL_INFO);
	log_tick();
	log_tick();
	(void)end();
	assert_non_null(strstr(page, "<4>lines-left-out of=storm count=80\n"));
	assert_null(strstr(strstr(page, "storm") + 1, "storm"));
}

/* More events than are told apart: they share a rate, none is lost. */
static void
test_many_events(void **state)
{
	char name[20];

	(void)state;
	begin(LOG_FORMAT_JOURNAL, LOG_LEVEL_INFO);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "event-%d", i);
		log_event(LOG_LEVEL_INFO, name, "x");
		pass(500);
	}
	assert_int_equal(lines_of(end()), 300);
}

static void *
writer(void *arg)
{
	char name[20];

	(void)snprintf(name, sizeof(name), "thread-%d", *(int *)arg);
	for (int i = 0; i < 2000; i++) {
		log_fields(LOG_LEVEL_INFO, name, LOG_NUMBER("i", (uint64_t)i),
		    LOG_TEXT("t", "some text\n"));
		__atomic_fetch_add(&now_ns, 1000000, __ATOMIC_RELAXED);
		if (i % 100 == 0) {
			log_setup(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
			log_tick();
		}
	}
	return NULL;
}

static void
test_threads(void **state)
{
	static int numbers[4] = {0, 1, 2, 3};
	pthread_t threads[4];
	size_t lines = 0;
	char *next;

	(void)state;
	begin(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, writer, &numbers[i]), 0);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	(void)end();
	for (char *p = page; *p; p = next, lines++) {
		AUTO_PTR(json_t) v = NULL;
		struct error err = {0};

		next = strchr(p, '\n') + 1;
		assert_true(json_parse(
		    bytes_of(p, (size_t)(next - p)), LOG_LINE_MAX, &v, &err));
	}
	assert_true(lines >= 4 * LOG_BURST);
}

/* Colours on a terminal, and only there. */
static void
colours_on(int fd, const char *no_color)
{
	(void)dup2(fd, STDERR_FILENO);
	if (no_color)
		(void)setenv("NO_COLOR", no_color, 1);
	else
		(void)unsetenv("NO_COLOR");
	log_event(LOG_LEVEL_ERROR, "e", "x\x1b");
	_exit(0);
}

static void
test_terminal(void **state)
{
	static const char *const no_color[] = {NULL, "", "1"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int m = posix_openpt(O_RDWR | O_NOCTTY);
		char text[200] = "";
		ssize_t n;
		int s;

		assert_true(m >= 0 && grantpt(m) == 0 && unlockpt(m) == 0);
		s = open(ptsname(m), O_RDWR | O_NOCTTY);
		assert_true(s >= 0);
		if (fork() == 0)
			colours_on(s, no_color[i]);
		(void)wait(NULL);
		n = read(m, text, sizeof(text) - 1);
		assert_true(n > 0);
		if (i < 2)
			assert_non_null(
			    strstr(text, " \033[31merror\033[0m e x\\x1b"));
		else
			assert_non_null(strstr(text, " error e x\\x1b"));
		(void)close(s);
		(void)close(m);
	}
}

static int
set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    /* First: the terminal is looked for once in a process. */
	    cmocka_unit_test(test_terminal),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_sentences),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_rate),
	    cmocka_unit_test(test_steady_rate),
	    cmocka_unit_test(test_tick),
	    cmocka_unit_test(test_threads),
	    /* Last: it fills the table of events. */
	    cmocka_unit_test(test_many_events),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
