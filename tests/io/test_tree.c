/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/cleanup.h"
#include "io/tree.h"
#include "tests/support/folder.h"

/* Link with -Wl,--wrap of malloc, calloc, reallocarray: the n-th call fails. */
static int fail_at, calls;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *
__wrap_malloc(size_t n)
{
	return ++calls == fail_at ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return ++calls == fail_at ? NULL : __real_calloc(n, size);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return ++calls == fail_at ? NULL : __real_reallocarray(p, n, size);
}

static int
set_up(void **state)
{
	(void)state;
	fail_at = 0;
	folder_make("/tmp");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

static void
put(const char *name, const char *text)
{
	folder_put(name, text, strlen(text));
}

/* "name kind size" of each, one a line. */
static const char *
listing(const struct file_tree *t)
{
	static char out[20000];
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < t->count && n < sizeof(out) - 300; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s %c %d\n",
		    (int)t->files[i].name.len,
		    (const char *)t->files[i].name.ptr,
		    "?flo"[t->files[i].kind], (int)t -> files[i].size);
	return out;
}

static bool
skip_git(void *arg, struct bytes name)
{
	int *asked = arg;

	(*asked)++;
	return bytes_equal(name, BYTES_LIT(".git"));
}

static void
test_walk(void **state)
{
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct error err = {0};
	int asked = 0;

	(void)state;
	folder_put_folder("unet");
	folder_put_folder("unet-2");
	folder_put_folder("empty");
	folder_put_folder(".git");
	put("unet/x", "123");
	put("unet-2/x", "12");
	put("unet.json", "");
	put("\xc3\xa9 \xe6\xa8\xa1", "1");
	put(".git/\xff", "not UTF-8, not looked at");
	assert_int_equal(symlink("x", folder_at("unet/link")), 0);
	assert_int_equal(symlink("unet", folder_at("unet-link")), 0);
	assert_int_equal(mkfifo(folder_at("pipe"), 0600), 0);
	assert_true(
	    file_tree_open(AT_FDCWD, folder_path, skip_git, &asked, &t, &err));
	assert_string_equal(listing(&t),
	    "pipe o 0\n"
	    "unet-2/x f 2\n"
	    "unet-link l 0\n"
	    "unet.json f 0\n"
	    "unet/link l 0\n"
	    "unet/x f 3\n"
	    "\xc3\xa9 \xe6\xa8\xa1 f 1\n");
	assert_int_equal(asked, 11); /* not what is in .git */
	assert_false(t.single);
	assert_true(
	    bytes_equal(t.base, bytes_str(strrchr(folder_path, '/') + 1)));
	assert_ptr_equal(
	    file_tree_find(&t, BYTES_LIT("unet.json")), &t.files[3]);
	assert_null(file_tree_find(&t, BYTES_LIT("unet")));
	assert_null(file_tree_find(&t, BYTES_LIT("")));
}

static void
test_root(void **state)
{
	static const struct {
		const char *path, *base;
		bool single;
		enum error_code code;
		const char *reason;
	} cases[] = {
	    {"model", "model", false, ERR_NONE, NULL},
	    {"model/", "model", false, ERR_NONE, NULL},
	    {"model/sub/..", "model", false, ERR_NONE, NULL},
	    {"to-model", "model", false, ERR_NONE, NULL},
	    {"to-folder/model", "model", false, ERR_NONE, NULL},
	    {"model/a", "a", true, ERR_NONE, NULL},
	    {"to-a", "a", true, ERR_NONE, NULL},
	    {"none", NULL, false, ERR_NOTFOUND, "file-missing"},
	    {"model/a/", NULL, false, ERR_NOTFOUND, "file-missing"},
	    {"dangling", NULL, false, ERR_NOTFOUND, "file-missing"},
	    {"round", NULL, false, ERR_DENIED, "file-type"},
	    {"pipe", NULL, false, ERR_DENIED, "file-type"},
	    {"", NULL, false, ERR_NOTFOUND, "file-missing"},
	};
	int fd = open(folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	folder_put_folder("model");
	folder_put_folder("model/sub");
	put("model/a", "abc");
	assert_int_equal(symlink("model", folder_at("to-model")), 0);
	assert_int_equal(symlink("model/a", folder_at("to-a")), 0);
	assert_int_equal(symlink(folder_path, folder_at("to-folder")), 0);
	assert_int_equal(symlink("nowhere", folder_at("dangling")), 0);
	assert_int_equal(symlink("round", folder_at("round")), 0);
	assert_int_equal(mkfifo(folder_at("pipe"), 0600), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(file_tree) t = FILE_TREE_INIT;
		struct error err = {0};
		bool ok =
		    file_tree_open(fd, cases[i].path, NULL, NULL, &t, &err);

		if (ok != (cases[i].base != NULL))
			fail_msg("%s: %s", cases[i].path, err.text);
		assert_int_equal(err.code, cases[i].code);
		if (!ok) {
			assert_string_equal(
			    error_reason_name(&err), cases[i].reason);
			assert_int_equal(t.root, -1);
			continue;
		}
		assert_true(bytes_equal(t.base, bytes_str(cases[i].base)));
		assert_int_equal(t.single, cases[i].single);
		assert_string_equal(
		    listing(&t), t.single ? ". f 3\n" : "a f 3\n");
	}
	(void)close(fd);
}

/* A name, or many, that cannot be listed. */
static void
test_refused_names(void **state)
{
	char deep[400] = "";
	struct file_tree t;
	struct error err = {0};

	(void)state;
	for (int i = 0; i < TREE_MAX_DEPTH; i++) {
		size_t len = strlen(deep);

		(void)snprintf(
		    deep + len, sizeof(deep) - len, "%s", i ? "/d" : "d");
		folder_put_folder(deep);
	}
	assert_true(
	    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err));
	file_tree_release(&t);
	file_tree_release(&t);
	(void)snprintf(deep + strlen(deep), 4, "/d");
	folder_put_folder(deep);
	assert_false(
	    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	folder_remove();
	folder_make("/tmp");

	err = (struct error){0};
	put("bad\xff name", "");
	assert_false(
	    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	assert_string_equal(error_reason_name(&err), "file-type");
}

static void
test_long_path(void **state)
{
	char name[251];
	struct file_tree t;
	struct error err = {0};
	int fd = open(folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 17; i++) {
		int next;

		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	assert_false(
	    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* Puts a link where a folder was, at the moment when it has been listed. */
static bool
swap_folder(void *arg, struct bytes name)
{
	const char *to = arg;

	if (!bytes_equal(name, BYTES_LIT("sub")))
		return false;
	assert_int_equal(rename(folder_at("sub"), folder_at("away")), 0);
	if (to)
		assert_int_equal(symlink(to, folder_at("sub")), 0);
	return false;
}

static void
test_walk_race(void **state)
{
	static const char *const to[] = {"away", "/etc", NULL};

	(void)state;
	folder_put_folder("sub");
	put("sub/file", "");
	for (size_t i = 0; i < 3; i++) {
		struct file_tree t;
		struct error err = {0};

		assert_false(file_tree_open(AT_FDCWD, folder_path, swap_folder,
		    (void *)(uintptr_t)to[i], &t, &err));
		assert_int_equal(err.code, ERR_CONFLICT);
		assert_string_equal(
		    error_reason_name(&err), "changed-while-read");
		(void)unlink(folder_at("sub"));
		assert_int_equal(
		    rename(folder_at("away"), folder_at("sub")), 0);
	}
}

/* Runs as a user who may not read everything; 0 if all was as it should. */
static int
as_nobody(int (*test)(void))
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(99);
		_exit(test());
	}
	assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
walk_unreadable(void)
{
	struct file_tree t;
	struct error err = {0};

	if (file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err))
		return 1;
	if (err.code != ERR_DENIED || strcmp(err.reason, "permission") != 0 ||
	    !strstr(err.text, "secret"))
		return 2;
	return 0;
}

static int
open_unreadable(void)
{
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct tree_fault fault = {0};
	struct error err = {0};
	struct stat st;

	if (!file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err))
		return 1;
	if (t.count != 1)
		return 2;
	if (file_tree_open_file(&t, BYTES_LIT("file"), false, &st, &fault) >= 0)
		return 3;
	return fault.code == ERR_DENIED &&
		strcmp(fault.reason, "permission") == 0
	    ? 0
	    : 4;
}

static void
test_unreadable(void **state)
{
	(void)state;
	assert_int_equal(chmod(folder_path, 0755), 0);
	put("file", "");
	assert_int_equal(chmod(folder_at("file"), 0), 0);
	assert_int_equal(as_nobody(open_unreadable), 0);
	folder_put_folder("secret");
	assert_int_equal(chmod(folder_at("secret"), 0711), 0);
	assert_int_equal(as_nobody(walk_unreadable), 0);
	assert_int_equal(chmod(folder_at("secret"), 0755), 0);
}

static const struct {
	const char *name;
	bool links;
	const char *reason; /* NULL: it opens */
} openings[] = {
    {"file", false, NULL},
    {"file", true, NULL},
    {"sub/file", false, NULL},
    {"link", false, "file-type"},
    {"link", true, NULL},
    {"to-sub/file", false, "file-type"},
    {"to-sub/file", true, NULL},
    {"sub/up", true, NULL},
    {"sub/up", false, "file-type"},
    {"out", false, "file-type"},
    {"out", true, "file-type"},
    {"up-and-in", true, "file-type"},
    {"absolute", true, "file-type"},
    {"magic", true, "file-type"},
    {"dangling", true, "file-missing"},
    {"dangling", false, "file-type"},
    {"round", true, "file-type"},
    {"pipe", false, "file-type"},
    {"pipe", true, "file-type"},
    {"to-pipe", true, "file-type"},
    {"sub", false, "file-type"},
    {"missing", false, "file-missing"},
    {"file/x", false, "file-missing"},
    {"sub/../file", false, "file-type"},
    {"sub/../file", true, "file-type"},
    {"../file", true, "file-type"},
    {"..", false, "file-type"},
    {".", false, "file-type"},
    {"./file", false, "file-type"},
    {"", false, "file-type"},
    {"/etc/passwd", false, "file-type"},
    {"sub//file", false, "file-type"},
    {"sub/", false, "file-type"},
};

static void
test_open_file(void **state)
{
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct error err = {0};
	char up[300];

	(void)state;
	folder_put_folder("sub");
	put("file", "1");
	put("sub/file", "2");
	(void)snprintf(
	    up, sizeof(up), "../%s/file", strrchr(folder_path, '/') + 1);
	assert_int_equal(symlink("file", folder_at("link")), 0);
	assert_int_equal(symlink("sub", folder_at("to-sub")), 0);
	assert_int_equal(symlink("../file", folder_at("sub/up")), 0);
	assert_int_equal(symlink("../../etc/passwd", folder_at("out")), 0);
	assert_int_equal(symlink(up, folder_at("up-and-in")), 0);
	assert_int_equal(symlink(folder_at("file"), folder_at("absolute")), 0);
	assert_int_equal(symlink("/proc/self/fd/0", folder_at("magic")), 0);
	assert_int_equal(symlink("nowhere", folder_at("dangling")), 0);
	assert_int_equal(symlink("round", folder_at("round")), 0);
	assert_int_equal(mkfifo(folder_at("pipe"), 0600), 0);
	assert_int_equal(symlink("pipe", folder_at("to-pipe")), 0);
	assert_true(
	    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err));
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		struct tree_fault fault = {0};
		struct stat st;
		int fd = file_tree_open_file(&t, bytes_str(openings[i].name),
		    openings[i].links, &st, &fault);

		if ((fd < 0) != (openings[i].reason != NULL))
			fail_msg("\"%s\", links %d: %d", openings[i].name,
			    openings[i].links, fd);
		if (fd < 0 && strcmp(fault.reason, openings[i].reason) != 0)
			fail_msg("\"%s\": %s", openings[i].name, fault.reason);
		if (fd >= 0)
			assert_true(
			    fcntl(fd, F_GETFD) == FD_CLOEXEC && !close(fd));
	}
}

/* Links of the kernel's own are not followed even beneath the root. */
static void
test_magic_links(void **state)
{
	struct file_tree t = {
	    .root = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC)};
	static const char *const names[] = {"exe", "fd/0", "root/etc/passwd"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct tree_fault fault = {0};
		struct stat st;

		assert_int_equal(file_tree_open_file(&t, bytes_str(names[i]),
				     true, &st, &fault),
		    -1);
		assert_int_equal(fault.code, ERR_DENIED);
		assert_string_equal(fault.reason, "file-type");
	}
	(void)close(t.root);
}

static void
test_single(void **state)
{
	AUTO(file_tree) t = FILE_TREE_INIT;
	static const struct {
		const char *name;
		bool opens;
	} cases[] = {{".", true}, {"model.bin", true}, {"other", false},
	    {"", false}, {"..", false}, {"./model.bin", false}};
	struct error err = {0};

	(void)state;
	put("model.bin", "1");
	put("other", "not a part of it");
	assert_true(file_tree_open(
	    AT_FDCWD, folder_at("model.bin"), NULL, NULL, &t, &err));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tree_fault fault = {0};
		struct stat st;
		int fd = file_tree_open_file(
		    &t, bytes_str(cases[i].name), true, &st, &fault);

		assert_int_equal(fd >= 0, cases[i].opens);
		if (fd < 0)
			assert_string_equal(fault.reason, "file-missing");
		else
			(void)close(fd);
	}
	/* It is the name that counts: a link there now is not followed. */
	(void)unlink(folder_at("model.bin"));
	assert_int_equal(symlink("other", folder_at("model.bin")), 0);
	for (size_t i = 0; i < 2; i++) {
		struct tree_fault fault = {0};
		struct stat st;

		assert_int_equal(
		    file_tree_open_file(
			&t, bytes_str(cases[i].name), false, &st, &fault),
		    -1);
		assert_string_equal(fault.reason, "file-type");
	}
}

/* Between the walk and the reading a folder becomes a link. */
static void
test_swapped(void **state)
{
	char elsewhere[sizeof(folder_path) + 8];
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct tree_fault fault = {0};
	struct error err = {0};
	struct stat st;

	(void)state;
	folder_put_folder("sub");
	put("sub/file", "");
	assert_true(
	    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err));
	assert_int_equal(rename(folder_at("sub"), folder_at("away")), 0);
	assert_int_equal(symlink("away", folder_at("sub")), 0);
	assert_int_equal(
	    file_tree_open_file(&t, BYTES_LIT("sub/file"), false, &st, &fault),
	    -1);
	assert_string_equal(fault.reason, "file-type");
	/* The root was opened once: its name may go anywhere. */
	fault = (struct tree_fault){0};
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s-away", folder_path);
	assert_int_equal(rename(folder_path, elsewhere), 0);
	folder_need(mkdir(folder_path, 0755) == 0, "mkdir");
	int fd =
	    file_tree_open_file(&t, BYTES_LIT("away/file"), false, &st, &fault);
	assert_true(fd >= 0 && close(fd) == 0);
	folder_need(rmdir(folder_path) == 0, "rmdir");
	assert_int_equal(rename(elsewhere, folder_path), 0);
}

static void
test_explain(void **state)
{
	static const struct {
		struct tree_fault fault;
		struct bytes name;
		const char *text;
	} cases[] = {
	    {{ERR_NOTFOUND, "file-missing", ENOENT}, BYTES_LIT("a"),
		"a is missing"},
	    {{ERR_IO, NULL, EIO}, BYTES_LIT("a"),
		"cannot read a: Input/output error"},
	    {{ERR_DENIED, "permission", EACCES}, BYTES_LIT("\xc3\xa9"),
		"cannot read \xc3\xa9: Permission denied"},
	    {{ERR_CONFLICT, "file-changed", 0}, BYTES_LIT("a\x1b[31m\xc3\xa9"),
		"a\\x1b[31m\\xc3\\xa9 is shorter than it should be"},
	    {{ERR_INTERNAL, NULL, 0}, BYTES_LIT("a\xc2\x9b"),
		"cannot read a\\xc2\\x9b"},
	    {{ERR_LIMIT, "too-many-files", EMFILE}, BYTES_LIT("\xff"),
		"\\xff needs one more open file than there may be"},
	};
	char long_name[4000];
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err = (struct error){0};
		assert_false(
		    tree_fault_explain(&cases[i].fault, cases[i].name, &err));
		assert_int_equal(err.code, cases[i].fault.code);
		assert_ptr_equal(err.reason, cases[i].fault.reason);
		assert_string_equal(err.text, cases[i].text);
	}
	memset(long_name, 'x', sizeof(long_name));
	err = (struct error){0};
	assert_false(
	    tree_fault_explain(&cases[0].fault, BYTES_OF(long_name), &err));
	assert_true(strlen(err.text) < ERROR_TEXT_MAX &&
	    strstr(err.text, "... is missing"));
}

static void
test_no_memory(void **state)
{
	(void)state;
	folder_put_folder("sub");
	put("sub/file", "");
	put("file", "");
	for (int n = 1;; n++) {
		AUTO(file_tree) t = FILE_TREE_INIT;
		struct error err = {0};
		bool ok;

		calls = 0;
		fail_at = n;
		ok =
		    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err);
		fail_at = 0;
		if (calls < n) {
			assert_true(ok && n > 3);
			return;
		}
		assert_true(ok || err.code == ERR_INTERNAL);
		assert_true(!ok || t.count == 2);
	}
}

static void
test_no_descriptors(void **state)
{
	struct rlimit before, low;
	struct file_tree t;
	struct error err = {0};

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_false(
	    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &t, &err));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(error_reason_name(&err), "too-many-files");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_walk),
	    TEST(test_root),
	    TEST(test_refused_names),
	    TEST(test_long_path),
	    TEST(test_walk_race),
	    TEST(test_unreadable),
	    TEST(test_open_file),
	    TEST(test_magic_links),
	    TEST(test_single),
	    TEST(test_swapped),
	    TEST(test_explain),
	    TEST(test_no_memory),
	    TEST(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
