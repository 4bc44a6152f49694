/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "core/base/cleanup.h"
#include "io/child.h"
#include "io/file.h"
#include "tests/support/folder.h"

static int
setup(void **state)
{
	(void)state;
	folder_make("/tmp");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

/* A program that does what `text` says. */
static const char *
script(const char *text)
{
	AUTO(buf) all = BUF_INIT(4096);
	struct error err = {0};

	buf_printf(&all, "#!/bin/sh\n%s\n", text);
	assert_true(file_write(folder_at("hook"), buf_bytes(&all), 0700, &err));
	return folder_at("hook");
}

static bool
run(const char *text, struct bytes input, unsigned timeout_ms,
    struct error *err)
{
	char out[300];
	const char *extra[] = {out, "EVENT=of ours", NULL};

	(void)snprintf(out, sizeof(out), "OUT=%s", folder_at("out"));
	return child_run(script(text), input, extra, timeout_ms, err);
}

static void
out_is(const char *text)
{
	AUTO(buf) got = BUF_INIT(1 << 20);
	struct error err = {0};

	assert_true(file_read(folder_at("out"), &got, &err));
	assert_int_equal(got.len, strlen(text));
	assert_memory_equal(got.ptr, text, got.len);
}

static void
test_input(void **state)
{
	AUTO(buf) much = BUF_INIT(1 << 20);
	struct error err = {0};

	(void)state;
	assert_true(run("cat >\"$OUT\"; echo \" $EVENT $#\" >>\"$OUT\"",
	    BYTES_LIT("{\"a\":1}"), 60000, &err));
	out_is("{\"a\":1} of ours 0\n");
	/* More than any pipe holds, and nobody reads it. */
	while (much.len < 300000)
		buf_put_str(&much, "0123456789");
	assert_true(run("wc -c >\"$OUT\"", buf_bytes(&much), 60000, &err));
	out_is("300000\n");
	assert_true(run("exit 0", buf_bytes(&much), 60000, &err));
}

static void
test_failures(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"exit 3", "ended with code 3"},
	    {"kill -9 $$", "died of signal 9"},
	    {"kill -15 $$", "died of signal 15"},
	};
	const char *none[] = {NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};

		assert_false(
		    run(cases[i].text, (struct bytes){0}, 60000, &err));
		assert_int_equal(err.code, ERR_IO);
		assert_non_null(strstr(err.text, cases[i].says));
	}
	for (size_t i = 0; i < 2; i++) {
		struct error err = {0};

		/* Not there, and a folder. */
		assert_false(child_run(i ? folder_path : folder_at("nothing"),
		    (struct bytes){0}, none, 60000, &err));
		assert_int_equal(err.code, ERR_IO);
	}
}

/* Whether a process runs: nobody may be there to wait for its remains. */
static bool
runs(long pid)
{
	AUTO(buf) text = BUF_INIT(4096);
	struct error err = {0};
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	if (!file_read(path, &text, &err))
		return false;
	buf_put_u8(&text, 0);
	return !strstr((const char *)text.ptr, ") Z ");
}

/* It and its own children are killed. */
static void
test_time(void **state)
{
	AUTO(buf) pid = BUF_INIT(64);
	struct error err = {0};
	long n;

	(void)state;
	assert_false(run("sleep 1000 & echo $! >\"$OUT\"; wait",
	    (struct bytes){0}, 300, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_non_null(strstr(err.text, "took longer"));
	err = (struct error){0};
	/* A loaded machine may not even have come to the first line. */
	if (!file_read(folder_at("out"), &pid, &err) || pid.len == 0)
		return;
	buf_put_u8(&pid, 0);
	n = strtol((const char *)pid.ptr, NULL, 10);
	assert_true(n > 1);
	/* Its end may take the kernel a moment. */
	for (int i = 0; i < 600 && runs(n); i++)
		(void)usleep(100000);
	assert_false(runs(n));
}

/* What we ignore, a child does not. */
static void
test_signals(void **state)
{
	struct error err = {0};

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_false(
	    run("kill -PIPE $$; exit 0", (struct bytes){0}, 60000, &err));
	assert_non_null(strstr(err.text, "died of signal 13"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_input, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
