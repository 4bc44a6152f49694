/* SPDX-License-Identifier: Apache-2.0 */
/* What every state on disk is written and locked with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/lib/json_file.h"
#include "client/lib/lock.h"
#include "io/file.h"
#include "tests/support/folder.h"

static char path[256];

/* How many allocations of jansson succeed before one fails; below 0: all. */
static int allocations = -1;

static void *
scarce(size_t size)
{
	return allocations >= 0 && allocations-- == 0 ? NULL : malloc(size);
}

static void
test_json(void **state)
{
	AUTO_PTR(json_t)
	value = json_pack("{s:s,s:[i,i]}", "schema", "x/1", "list", 1, 2);
	AUTO_PTR(json_t) again = NULL;
	struct buf text = BUF_INIT(4096);
	struct error err = {0};
	struct stat st;

	(void)state;
	assert_true(json_file_write(path, value, 4096, &err));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(file_read(path, &text, &err));
	assert_true(json_parse(buf_bytes(&text), 4096, &again, &err));
	assert_true(json_equal(value, again));
	/* Exactly as much as its reader takes, and one byte less. */
	assert_true(json_file_write(path, value, text.len, &err));
	assert_false(json_file_write(path, value, text.len - 1, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	assert_false(json_file_write("/no/such/file", value, 4096, &err));
	assert_true(err.code == ERR_IO || err.code == ERR_NOTFOUND);
	buf_release(&text);
}

/* Whatever jansson has no memory for: the file is whole, or as it was. */
static void
test_no_memory(void **state)
{
	AUTO_PTR(json_t)
	value = json_pack(
	    "{s:s,s:{s:i,s:i}}", "schema", "x/2", "names", "a", 1, "b", 2);
	bool ok = false;

	(void)state;
	json_set_alloc_funcs(scarce, free);
	for (int n = 0; !ok; n++) {
		AUTO_PTR(json_t) there = NULL;
		struct buf text = BUF_INIT(4096);
		struct error err = {0};

		assert_true(n < 1000);
		allocations = n;
		ok = json_file_write(path, value, 4096, &err);
		allocations = -1;
		assert_true(ok || err.code == ERR_INTERNAL);
		err = (struct error){0};
		assert_true(file_read(path, &text, &err));
		assert_true(json_parse(buf_bytes(&text), 4096, &there, &err));
		assert_true(json_equal(value, there) == ok);
		buf_release(&text);
	}
	json_set_alloc_funcs(malloc, free);
}

static void
test_lock(void **state)
{
	struct error err = {0};
	char name[sizeof(path) + 8];
	int fd, status;
	pid_t child;

	(void)state;
	(void)snprintf(name, sizeof(name), "%s.lock", path);
	fd = lock_take(name, 0, "the state", &err);
	assert_true(fd >= 0);
	child = fork();
	if (child == 0) {
		struct error why = {0};
		bool refused = lock_take(name, 30, "the state", &why) < 0 &&
		    why.code == ERR_UNAVAILABLE &&
		    strcmp(why.reason, "locked") == 0 &&
		    strstr(why.text, "the state") != NULL;

		_exit(refused ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* It goes with the descriptor. */
	assert_int_equal(close(fd), 0);
	fd = lock_take(name, 0, "the state", &err);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(name), 0);
	assert_true(lock_take("/no/such/lock", 0, "it", &err) < 0);
	assert_int_equal(err.code, ERR_IO);
}

static void
test_decimal(void **state)
{
	static const char *const good[] = {"0", "7", "9223372036854775807"};
	static const char *const bad[] = {
	    "", "-1", "01", "1.0", " 1", "9223372036854775808"};
	uint64_t n = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		AUTO_PTR(json_t) v = json_string(good[i]);

		assert_true(json_decimal(v, &n));
		assert_true(n == strtoull(good[i], NULL, 10));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO_PTR(json_t) v = json_string(bad[i]);

		assert_false(json_decimal(v, &n));
	}
	assert_false(json_decimal(NULL, &n));
	assert_false(json_decimal(json_true(), &n));
}

static int
setup(void **state)
{
	(void)state;
	folder_make("/tmp");
	(void)snprintf(path, sizeof(path), "%s", folder_at("state.json"));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_lock),
	    cmocka_unit_test(test_decimal),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
