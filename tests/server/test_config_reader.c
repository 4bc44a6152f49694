/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_reader.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "io/file.h"
#include "server/config.h"
#include "tests/support/folder.h"

static struct config_reader *reader;
static char sandbox[CONFIG_READER_SANDBOX_MAX];

static void
put(const char *name, const void *text, size_t len)
{
	struct error err = {0};

	(void)unlink(folder_at(name));
	assert_true(
	    file_write(folder_at(name), bytes_of(text, len), 0600, &err));
}

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	folder_make("/tmp");
	put("conf", "first", 5);
	reader = config_reader_start(folder_at("conf"), sandbox, &err);
	return reader ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	config_reader_close(reader);
	folder_remove();
	return 0;
}

static void
reads(const void *want, size_t len)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
	struct error err = {0};

	assert_true(config_reader_read(reader, &text, &err));
	assert_int_equal(text.len, len);
	if (len > 0)
		assert_memory_equal(text.ptr, want, len);
}

static void
refuses(enum error_code code)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
	struct error err = {0};

	assert_false(config_reader_read(reader, &text, &err));
	assert_int_equal(err.code, code);
	assert_int_equal(text.len, 0);
}

/* Whatever is there under the name now, however it came there. */
static void
test_reads(void **state)
{
	static uint8_t longest[CONFIG_MAX_LEN];

	(void)state;
	assert_non_null(strstr(sandbox, "no-new-privs"));
	assert_non_null(strstr(sandbox, "seccomp"));
	reads("first", 5);
	put("conf", "second", 6);
	reads("second", 6);
	put("new", "third", 5);
	assert_int_equal(rename(folder_at("new"), folder_at("conf")), 0);
	reads("third", 5);
	put("elsewhere", "fourth", 6);
	assert_int_equal(unlink(folder_at("conf")), 0);
	assert_int_equal(symlink("elsewhere", folder_at("conf")), 0);
	reads("fourth", 6);
	put("conf", "", 0);
	reads("", 0);
	memset(longest, '#', sizeof(longest));
	put("conf", longest, sizeof(longest));
	reads(longest, sizeof(longest));
}

/* What cannot be read is said, and the next question is answered. */
static void
test_refuses(void **state)
{
	static uint8_t too_long[CONFIG_MAX_LEN + 1];

	(void)state;
	assert_int_equal(unlink(folder_at("conf")), 0);
	refuses(ERR_NOTFOUND);
	assert_int_equal(mkdir(folder_at("conf"), 0700), 0);
	refuses(ERR_USAGE);
	assert_int_equal(rmdir(folder_at("conf")), 0);
	put("conf", too_long, sizeof(too_long));
	refuses(ERR_LIMIT);
	put("conf", "again", 5);
	reads("again", 5);
}

/* The end of the process is an error, for good, and no empty file. */
static void
test_ended(void **state)
{
	(void)state;
	assert_int_equal(kill(config_reader_pid(reader), SIGKILL), 0);
	refuses(ERR_UNAVAILABLE);
	refuses(ERR_UNAVAILABLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_reads, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ended, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
