/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "io/file.h"

/*
 * Link with -Wl,--wrap=fsync,--wrap=rename,--wrap=link,--wrap=write,
 * --wrap=read,--wrap=statfs: the n-th of these calls fails.
 */
static int fail_at, calls, fail_errno;
static int short_writes, interrupts;
static int64_t file_system; /* what statfs says, unless 0 */
static char order[200];	    /* which calls were made: a letter each */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);
ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
int __real_statfs(const char *path, struct statfs *out);
int __wrap_statfs(const char *path, struct statfs *out);

static bool
fails(char letter)
{
	size_t n = strlen(order);

	calls++;
	if (n < sizeof(order) - 1) {
		order[n] = letter;
		order[n + 1] = '\0';
	}
	errno = fail_errno;
	return calls == fail_at;
}

int
__wrap_fsync(int fd)
{
	struct stat st;

	/* Of a file or of a folder. */
	if (fstat(fd, &st) != 0)
		return -1;
	return fails(S_ISDIR(st.st_mode) ? 'S' : 's') ? -1 : __real_fsync(fd);
}

int
__wrap_rename(const char *from, const char *to)
{
	return fails('r') ? -1 : __real_rename(from, to);
}

int
__wrap_link(const char *from, const char *to)
{
	return fails('l') ? -1 : __real_link(from, to);
}

ssize_t
__wrap_write(int fd, const void *data, size_t n)
{
	if (interrupts > 0) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	if (fails('w'))
		return -1;
	return __real_write(fd, data, short_writes && n > 7 ? 7 : n);
}

ssize_t
__wrap_read(int fd, void *to, size_t n)
{
	if (interrupts > 0) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	return __real_read(fd, to, n);
}

int
__wrap_statfs(const char *path, struct statfs *out)
{
	int rc = __real_statfs(path, out);

	if (file_system)
		out->f_type = (__fsword_t)file_system;
	return rc;
}

static char folder[] = "/tmp/test-file-XXXXXX";

static const char *
place(const char *name)
{
	static char paths[4][128];
	static unsigned n;
	char *path = paths[n++ % 4];

	(void)snprintf(path, 128, "%s/%s", folder, name);
	return path;
}

static void
calm(void)
{
	fail_at = calls = short_writes = interrupts = 0;
	file_system = 0;
	order[0] = '\0';
}

static bool
holds(const char *path, struct bytes want)
{
	AUTO(buf) got = BUF_INIT(1 << 20);
	struct error err = {0};

	return file_read(path, &got, &err) &&
	    bytes_equal(buf_bytes(&got), want);
}

static size_t
names_in_folder(void)
{
	struct error err = {0};
	bool empty;
	size_t n = 0;

	/* Count by removing what we know. */
	n += unlink(place("a")) == 0;
	assert_true(folder_empty(folder, &empty, &err));
	return empty ? n : 99;
}

static void
test_read(void **state)
{
	static uint8_t data[200000];
	static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 >> 3);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bytes want = bytes_of(data, sizes[i]);
		struct error err = {0};

		calm();
		assert_true(file_write(place("a"), want, 0600, &err));
		for (size_t more = 0; more < 3; more++) {
			AUTO(buf) got = BUF_INIT(sizes[i] + more);

			interrupts = 2;
			assert_true(file_read(place("a"), &got, &err));
			assert_true(bytes_equal(buf_bytes(&got), want));
		}
		if (sizes[i] > 0) {
			AUTO(buf) less = BUF_INIT(sizes[i] - 1);

			assert_false(file_read(place("a"), &less, &err));
			assert_int_equal(err.code, ERR_LIMIT);
		}
	}
	assert_int_equal(names_in_folder(), 1);
}

static void
test_read_refused(void **state)
{
	AUTO(buf) out = BUF_INIT(100);
	struct error err = {0};

	(void)state;
	calm();
	assert_false(file_read(place("absent"), &out, &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_string_equal(error_reason_name(&err), "missing");
	assert_non_null(strstr(err.text, place("absent")));
	err = (struct error){0};
	assert_false(file_read(folder, &out, &err));
	assert_int_equal(err.code, ERR_USAGE);
	err = (struct error){0};
	assert_false(file_read("/dev/zero", &out, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	buf_clear(&out);
	assert_true(file_read("/dev/null", &out, &err));
	assert_int_equal(out.len, 0);
}

/* What `--config <(…)` gives: a pipe whose writer is late. */
static void
test_read_pipe(void **state)
{
	AUTO(buf) out = BUF_INIT(100);
	struct error err = {0};
	char path[40];
	int fds[2];

	(void)state;
	calm();
	assert_int_equal(pipe(fds), 0);
	if (fork() == 0) {
		(void)usleep(50000);
		(void)!__real_write(fds[1], "late", 4);
		_exit(0);
	}
	(void)close(fds[1]);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	assert_true(file_read(path, &out, &err));
	assert_true(bytes_equal(buf_bytes(&out), BYTES_LIT("late")));
	(void)close(fds[0]);
}

static void
test_order(void **state)
{
	struct error err = {0};
	struct stat st;

	(void)state;
	calm();
	(void)umask(077);
	assert_true(file_write(place("a"), BYTES_LIT("one"), 0644, &err));
	/* The contents are durable before the name, the name before we say so.
	 */
	assert_string_equal(order, "wsrS");
	assert_int_equal(stat(place("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	calm();
	assert_false(file_create(place("a"), BYTES_LIT("two"), 0600, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_true(holds(place("a"), BYTES_LIT("one")));
	assert_int_equal(names_in_folder(), 1);
	calm();
	err = (struct error){0};
	assert_true(file_create(place("a"), BYTES_LIT("two"), 0600, &err));
	assert_string_equal(order, "wslS");
	assert_int_equal(stat(place("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	calm();
	short_writes = 1;
	interrupts = 2;
	assert_true(
	    file_write(place("a"), BYTES_LIT("in several pieces"), 0600, &err));
	assert_true(holds(place("a"), BYTES_LIT("in several pieces")));
	assert_int_equal(names_in_folder(), 1);
}

/* Every call fails once: the old contents stay, or the new ones are whole;
 * nothing else is left behind, and success is never claimed. */
static void
test_failures(void **state)
{
	static const int errors[] = {EIO, ENOSPC};

	(void)state;
	for (int create = 0; create < 2; create++)
		for (int n = 1; n <= 4; n++) {
			struct error err = {0};
			bool ok;

			calm();
			if (!create)
				assert_true(file_write(
				    place("a"), BYTES_LIT("old"), 0600, &err));
			calm();
			fail_at = n;
			fail_errno = errors[n % 2];
			ok = create ? file_create(place("a"), BYTES_LIT("new"),
					  0600, &err)
				    : file_write(place("a"), BYTES_LIT("new"),
					  0600, &err);
			assert_false(ok);
			assert_int_equal(err.code, ERR_IO);
			assert_string_equal(error_reason_name(&err),
			    fail_errno == ENOSPC ? "no-space" : "io");
			calm();
			/* Only the folder's sync comes after the name. */
			if (n == 4)
				assert_true(
				    holds(place("a"), BYTES_LIT("new")));
			else if (create)
				assert_int_equal(access(place("a"), F_OK), -1);
			else
				assert_true(
				    holds(place("a"), BYTES_LIT("old")));
			assert_int_equal(
			    names_in_folder(), create && n < 4 ? 0 : 1);
		}
}

static void
test_folders(void **state)
{
	struct error err = {0};
	bool empty;

	(void)state;
	calm();
	assert_true(folder_create(place("sub"), 0700, &err));
	assert_string_equal(order, "S");
	assert_false(folder_create(place("sub"), 0700, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	err = (struct error){0};
	assert_true(folder_empty(place("sub"), &empty, &err));
	assert_true(empty);
	assert_true(folder_empty(folder, &empty, &err));
	assert_false(empty);
	assert_true(folder_empty(place("absent"), &empty, &err));
	assert_true(empty);
	assert_false(folder_empty("/dev/null", &empty, &err));
	assert_int_equal(err.code, ERR_IO);
	err = (struct error){0};
	/* With a slash at its end it is the same folder. */
	assert_true(folder_create(place("sub/in/"), 0700, &err));
	assert_int_equal(rmdir(place("sub/in")), 0);
	assert_int_equal(rmdir(place("sub")), 0);
	assert_false(folder_create(place("no/where"), 0700, &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
	err = (struct error){0};
	calm();
	fail_at = 1;
	fail_errno = EIO;
	assert_false(folder_create(place("sub"), 0700, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(rmdir(place("sub")), 0);
	err = (struct error){0};
	assert_false(folder_sync(place("absent"), &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
}

static const struct {
	int64_t magic;
	bool local, doubtful;
} file_systems[] = {
    {0xef53, true, false},			 /* ext4 */
    {0x58465342, true, false},			 /* xfs */
    {0x9123683e, true, false},			 /* btrfs */
    {0x6969, false, false},			 /* NFS */
    {0xff534d42, false, false},			 /* CIFS */
    {(int64_t)0xffffffffff534d42, false, false}, /* the same, with its sign */
    {0xfe534d42, false, false},			 /* SMB2 */
    {0x01021997, false, false},			 /* 9p */
    {0x00c36400, false, false},			 /* Ceph */
    {0x65735546, true, true},			 /* FUSE */
    {0x01021994, true, true},			 /* tmpfs */
};

static void
test_file_systems(void **state)
{
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]);
	     i++) {
		err = (struct error){0};
		calm();
		file_system = file_systems[i].magic;
		assert_int_equal(
		    folder_local(folder, &err), file_systems[i].local);
		assert_int_equal(
		    folder_doubt(folder) != NULL, file_systems[i].doubtful);
		if (file_systems[i].local)
			continue;
		assert_int_equal(err.code, ERR_DENIED);
		assert_string_equal(
		    error_reason_name(&err), "network-file-system");
	}
	calm();
	err = (struct error){0};
	assert_false(folder_local(place("absent"), &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_null(folder_doubt(place("absent")));
}

static void
test_join(void **state)
{
	static const char *const cases[][3] = {{"a", "b", "a/b"},
	    {"/a/", "b/c", "/a/b/c"}, {"/", "b", "/b"}, {"a", "/b", "/b"},
	    {"", "b", "/b"}, {".", "b", "./b"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = path_join(cases[i][0], cases[i][1]);

		assert_string_equal(got, cases[i][2]);
		free(got);
	}
}

/* A name without a folder is in the working folder. */
static void
test_bare_name(void **state)
{
	struct error err = {0};

	(void)state;
	calm();
	assert_int_equal(chdir(folder), 0);
	assert_true(file_write("a", BYTES_LIT("x"), 0600, &err));
	assert_string_equal(order, "wsrS");
	assert_int_equal(names_in_folder(), 1);
	assert_int_equal(chdir("/"), 0);
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_read_refused),
	    cmocka_unit_test(test_read_pipe),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_folders),
	    cmocka_unit_test(test_file_systems),
	    cmocka_unit_test(test_join),
	    cmocka_unit_test(test_bare_name),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
