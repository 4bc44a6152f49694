/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/cleanup.h"
#include "io/hold.h"
#include "tests/support/folder.h"

#define MIB   ((size_t)1 << 20)
#define COUNT 7

typedef struct hold hold;
CLEANUP_PTR(hold, hold_close);
#define AUTO_HOLD AUTO_PTR(hold)

/* Link with -Wl,--wrap of aligned_alloc, calloc, fstatfs, ioctl, memfd_create,
 * pread. */
static int alloc_fail_at, allocs;
static bool verity, no_memfd;
static void (*before_read)(int n); /* called before the n-th pread */
static _Atomic int reads;

void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __real_fstatfs(int fd, struct statfs *out);
int __wrap_fstatfs(int fd, struct statfs *out);
int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
ssize_t __real_pread(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at);

void *
__wrap_aligned_alloc(size_t align, size_t n)
{
	return ++allocs == alloc_fail_at ? NULL
					 : __real_aligned_alloc(align, n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return ++allocs == alloc_fail_at ? NULL : __real_calloc(n, size);
}

/* Only fs-verity is asked for; a kernel may be built without it. */
int
__wrap_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	(void)request;
	(void)arg;
	errno = ENODATA;
	return verity ? 0 : -1;
}

int
__wrap_fstatfs(int fd, struct statfs *out)
{
	int rc = __real_fstatfs(fd, out);

	if (verity)
		out->f_type = EXT4_SUPER_MAGIC;
	return rc;
}

int
__wrap_memfd_create(const char *name, unsigned flags)
{
	errno = ENOSYS;
	return no_memfd ? -1 : __real_memfd_create(name, flags);
}

ssize_t
__wrap_pread(int fd, void *to, size_t n, off_t at)
{
	int call = ++reads;

	if (before_read)
		before_read(call);
	return __real_pread(fd, to, n, at);
}

static uint8_t data[4 * MIB];
static const size_t sizes[COUNT] = {
    0, 1, 1000, MIB - 1, MIB, 3 * MIB + 17, 65536};
static const struct bytes names[COUNT] = {BYTES_LIT("empty"), BYTES_LIT("one"),
    BYTES_LIT("sub/small"), BYTES_LIT("sub/sub/below"), BYTES_LIT("exactly"),
    BYTES_LIT("big"), BYTES_LIT("more")};
static struct file_tree tree;

static void
list_files(void)
{
	struct error err = {0};

	file_tree_release(&tree);
	if (!file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &tree, &err))
		fail_msg("%s", err.text);
}

static int
set_up(void **state)
{
	char name[64];

	(void)state;
	alloc_fail_at = 0;
	verity = no_memfd = false;
	before_read = NULL;
	reads = 0;
	folder_need(folder_make_with_leases(), "leases");
	folder_fill(data, sizeof(data), 1);
	folder_put_folder("sub");
	folder_put_folder("sub/sub");
	for (size_t i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof(name), "%s", names[i].ptr);
		folder_put(name, data + i, sizes[i]);
	}
	tree = (struct file_tree)FILE_TREE_INIT;
	list_files();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	file_tree_release(&tree);
	folder_remove();
	return 0;
}

static struct hold *
take(unsigned accept, uint64_t copy_max)
{
	struct hold_options options = {
	    .accept = accept, .copy_max = copy_max, .scratch = -1};
	struct error err = {0};
	struct hold *h = hold_open(&tree, names, COUNT, &options, &err);

	if (!h)
		fail_msg("%s", err.text);
	return h;
}

static bool
is_hash_of(const struct tree_piece *p, struct bytes want)
{
	uint8_t digest[CONTENT_DIGEST_MAX];
	struct error err = {0};
	struct content_hasher *h = content_hasher_open(CONTENT_SHA256, &err);
	bool ok;

	assert_non_null(h);
	content_put(h, want);
	ok = content_end(h, digest, &err) && p->fault.code == ERR_NONE &&
	    bytes_equal(bytes_of(digest, 32), bytes_of(p->digest, 32));
	content_hasher_close(h);
	return ok;
}

/* The faults of all files, after hashing what is held; NULL: none. */
static const char *
fault_of(struct hold *h, struct bytes name)
{
	struct tree_hash_options options = {.algorithm = CONTENT_SHA256};
	struct tree_piece piece = {.name = name};
	struct error err = {0};

	assert_true(hold_hash(h, &piece, 1, &options, &err));
	return piece.fault.code ? piece.fault.reason : NULL;
}

/* All of it is there, by every way of reading. */
static void
expect_contents(struct hold *h, bool maps)
{
	struct tree_hash_options options = {.algorithm = CONTENT_SHA256};
	struct tree_piece pieces[COUNT] = {0};
	struct error err = {0};
	static uint8_t got[sizeof(data)];

	for (size_t i = 0; i < COUNT; i++)
		pieces[i].name = names[i];
	assert_true(hold_hash(h, pieces, COUNT, &options, &err));
	for (size_t i = 0; i < COUNT; i++) {
		struct bytes want = bytes_of(data + i, sizes[i]);
		size_t size = 1;
		const void *map = hold_map(h, names[i], &size);
		int fd = hold_open_file(h, names[i]);

		assert_true(is_hash_of(&pieces[i], want));
		assert_int_equal(pieces[i].file_size, want.len);
		assert_int_equal(map != NULL, maps);
		if (map)
			assert_true(bytes_equal(bytes_of(map, size), want));
		assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
		assert_int_equal(read(fd, got, sizeof(got)), (ssize_t)want.len);
		assert_true(bytes_equal(bytes_of(got, want.len), want));
		assert_int_equal(write(fd, "x", 1), -1);
		(void)close(fd);
		assert_int_equal(
		    hold_read(h, names[i], got, sizeof(got), want.len / 2),
		    (ssize_t)(want.len - want.len / 2));
		assert_memory_equal(
		    got, want.ptr + want.len / 2, want.len - want.len / 2);
		assert_int_equal(hold_read(h, names[i], got, 1, want.len), 0);
		assert_int_equal(hold_read(h, names[i], got, 1, UINT64_MAX), 0);
	}
	if (!hold_check(h, &err))
		fail_msg("%s", err.text);
}

static void
test_kinds(void **state)
{
	static const struct {
		enum hold_kind kind;
		bool scratch, verity;
	} cases[] = {{HELD_COPY, false, false}, {HELD_COPY, true, false},
	    {HELD_LEASE, false, false}, {HELD_OPEN, false, false},
	    {HELD_VERITY, false, true}};
	int scratch = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hold_options options = {
		    .accept = HELD_BIT(cases[i].kind),
		    .copy_max = sizeof(data) * 2,
		    .scratch = cases[i].scratch ? scratch : -1};
		struct error err = {0};
		AUTO_HOLD h = NULL;

		verity = cases[i].verity;
		h = hold_open(&tree, names, COUNT, &options, &err);
		assert_non_null(h);
		assert_int_equal(hold_reached(h), cases[i].kind);
		assert_int_equal(hold_reached_file(h, names[3]), cases[i].kind);
		expect_contents(h, cases[i].kind != HELD_OPEN);
	}
	(void)close(scratch);
}

static void
test_names(void **state)
{
	AUTO_HOLD h = take(HELD_DEFAULT, 0);
	static const struct bytes others[] = {BYTES_LIT("none"), BYTES_LIT(""),
	    BYTES_LIT("sub"), BYTES_LIT("./one"), BYTES_LIT("sub/../one")};
	const struct bytes twice[] = {names[0], names[1], names[0]};
	struct hold_options options = {.accept = HELD_DEFAULT, .scratch = -1};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		size_t size;
		char c;

		errno = 0;
		assert_int_equal(hold_open_file(h, others[i]), -1);
		assert_int_equal(errno, ENOENT);
		errno = 0;
		assert_null(hold_map(h, others[i], &size));
		assert_int_equal(errno, ENOENT);
		errno = 0;
		assert_int_equal(hold_read(h, others[i], &c, 1, 0), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(hold_reached_file(h, others[i]), HELD_NONE);
		assert_string_equal(fault_of(h, others[i]), "file-missing");
	}
	assert_null(hold_open(&tree, twice, 3, &options, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_int_equal(hold_at_least(HELD_LEASE), HELD_DEFAULT);
	assert_int_equal(
	    hold_at_least(HELD_NONE), HELD_DEFAULT | HELD_BIT(HELD_OPEN));
	assert_string_equal(hold_kind_name(HELD_LEASE), "lease");
}

/* Nothing is held: fine, as far as it goes. */
static void
test_nothing(void **state)
{
	struct hold_options options = {.accept = HELD_DEFAULT, .scratch = -1};
	struct error err = {0};
	AUTO_HOLD h = hold_open(&tree, NULL, 0, &options, &err);

	(void)state;
	assert_non_null(h);
	assert_int_equal(hold_reached(h), HELD_VERITY);
	assert_true(hold_check(h, &err));
	assert_string_equal(fault_of(h, names[0]), "file-missing");
	hold_close(NULL);
}

/* What a file gets depends on what is accepted and what can be had. */
static void
test_order(void **state)
{
	static const struct {
		bool written; /* a writer has "big" and "one" open */
		bool verity;
		unsigned accept;
		uint64_t copy_max;
		enum hold_kind one, big, other;
	} cases[] = {
	    {false, false, HELD_DEFAULT, UINT64_MAX, HELD_LEASE, HELD_LEASE,
		HELD_LEASE},
	    {false, true, HELD_DEFAULT, 0, HELD_VERITY, HELD_VERITY,
		HELD_VERITY},
	    {true, false, HELD_DEFAULT, UINT64_MAX, HELD_COPY, HELD_COPY,
		HELD_LEASE},
	    {true, false, HELD_DEFAULT, 1, HELD_COPY, HELD_NONE, HELD_LEASE},
	    {true, false, HELD_DEFAULT, 0, HELD_NONE, HELD_NONE, HELD_LEASE},
	    {true, false, HELD_DEFAULT | HELD_BIT(HELD_OPEN), 1, HELD_COPY,
		HELD_OPEN, HELD_LEASE},
	    {true, false, HELD_BIT(HELD_OPEN), 0, HELD_OPEN, HELD_OPEN,
		HELD_OPEN},
	    {true, false, HELD_BIT(HELD_LEASE), UINT64_MAX, HELD_NONE,
		HELD_NONE, HELD_LEASE},
	    {false, false, HELD_BIT(HELD_COPY), UINT64_MAX, HELD_COPY,
		HELD_COPY, HELD_COPY},
	    {false, false, HELD_BIT(HELD_COPY), 3 * MIB + 17 - 1, HELD_COPY,
		HELD_NONE, HELD_COPY},
	    {false, false, HELD_BIT(HELD_VERITY), 0, HELD_NONE, HELD_NONE,
		HELD_NONE},
	    {false, false, 0, UINT64_MAX, HELD_NONE, HELD_NONE, HELD_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int one = -1, big = -1;
		AUTO_HOLD h = NULL;
		bool none;

		if (cases[i].written) {
			one = open(folder_at("one"), O_RDWR | O_CLOEXEC);
			big = open(folder_at("big"), O_WRONLY | O_CLOEXEC);
			assert_true(one >= 0 && big >= 0);
		}
		verity = cases[i].verity;
		h = take(cases[i].accept, cases[i].copy_max);
		if (hold_reached_file(h, names[1]) != cases[i].one ||
		    hold_reached_file(h, names[5]) != cases[i].big ||
		    hold_reached_file(h, names[2]) != cases[i].other)
			fail_msg("case %zu", i);
		none = cases[i].one == HELD_NONE || cases[i].big == HELD_NONE;
		assert_int_equal(hold_reached(h) == HELD_NONE, none);
		if (cases[i].big == HELD_NONE)
			assert_string_equal(
			    fault_of(h, names[5]), "hold-unavailable");
		if (one >= 0)
			(void)close(one);
		if (big >= 0)
			(void)close(big);
	}
}

/* A writer asks: the check fails at once, and reading goes on. */
static void
test_lease_broken(void **state)
{
	AUTO_HOLD h = take(HELD_BIT(HELD_LEASE), 0);
	struct error err = {0};
	int fd;

	(void)state;
	expect_contents(h, true);
	fd = open(folder_at("big"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && hold_check(h, &err));
	(void)close(fd);
	/* Whoever does not wait is told so; the lease is being broken. */
	fd = open(folder_at("big"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd < 0 && errno == EAGAIN);
	for (int i = 0; i < 2; i++) {
		err = (struct error){0};
		assert_false(hold_check(h, &err));
		assert_int_equal(err.code, ERR_CONFLICT);
		assert_string_equal(error_reason_name(&err), "file-changed");
		assert_non_null(strstr(err.text, "big"));
	}
}

/* A writer that waits gets in when the hold is gone, and no signal ended us. */
static void
test_lease_waits(void **state)
{
	struct hold *h = take(HELD_BIT(HELD_LEASE), 0);
	struct error err = {0};
	uint8_t c = 0;
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		int fd;

		/* This copy of the descriptors would keep the lease. */
		hold_close(h);
		fd = open(folder_at("one"), O_WRONLY | O_CLOEXEC);
		_exit(fd >= 0 && write(fd, "X", 1) == 1 ? 0 : 1);
	}
	while (hold_check(h, &err))
		(void)usleep(1000);
	/* It asked, and has written nothing yet. */
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(hold_read(h, names[1], &c, 1, 0), 1);
	assert_int_equal(c, data[1]);
	hold_close(h);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Who mapped the file before writes without a trace: no lease, and a copy. */
static void
test_mapped_before(void **state)
{
	int fd = open(folder_at("more"), O_RDWR | O_CLOEXEC);
	volatile uint8_t *map =
	    mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	AUTO_HOLD held = NULL;
	AUTO_HOLD open_ = NULL;
	struct error err = {0};
	uint8_t c;

	(void)state;
	assert_true(map != MAP_FAILED && close(fd) == 0);
	map[0] = map[0]; /* dirty */
	held = take(HELD_DEFAULT, UINT64_MAX);
	assert_int_equal(hold_reached_file(held, names[6]), HELD_COPY);
	open_ = take(HELD_BIT(HELD_OPEN), 0);
	expect_contents(held, true);
	expect_contents(open_, false);
	map[0] ^= 1;
	expect_contents(held, true);
	/* `open` neither prevents nor sees it: that is what it does not
	 * promise. */
	assert_true(hold_check(open_, &err));
	assert_int_equal(hold_read(open_, names[6], &c, 1, 0), 1);
	assert_int_equal(c, data[6] ^ 1);
	(void)munmap((void *)(uintptr_t)map, 65536);
}

static void
test_open_changes(void **state)
{
	static const struct bytes big = BYTES_LIT("big");

	(void)state;
	for (int i = 0; i < 6; i++) {
		AUTO_HOLD h = take(HELD_BIT(HELD_OPEN), 0);
		struct error err = {0};
		int fd = open(folder_at("big"), O_WRONLY | O_CLOEXEC);
		uint8_t c;

		assert_true(hold_check(h, &err));
		switch (i) {
		case 0: /* rewritten */
			assert_int_equal(write(fd, data + 5, 1), 1);
			break;
		case 1: /* longer */
			assert_int_equal(ftruncate(fd, 4 * MIB), 0);
			break;
		case 2: /* shorter */
			assert_int_equal(ftruncate(fd, 3 * MIB + 17), 0);
			break;
		case 3: /* replaced */
			folder_put("other", "x", 1);
			assert_int_equal(
			    rename(folder_at("other"), folder_at("big")), 0);
			break;
		case 4: /* gone */
			assert_int_equal(unlink(folder_at("big")), 0);
			break;
		default: /* untouched */
			break;
		}
		(void)close(fd);
		assert_int_equal(hold_check(h, &err), i == 5);
		/* It is the inode that is held, and no more of it. */
		assert_int_equal(hold_read(h, big, &c, 1, 0), 1);
		assert_int_equal(hold_read(h, big, &c, 1, 4 * MIB - 1), 0);
		(void)unlink(folder_at("big"));
		folder_put("big", data + 5, sizes[5]);
	}
}

/* No way to write to a copy, not even for this process. */
static void
test_sealed(void **state)
{
	AUTO_HOLD h = take(HELD_BIT(HELD_COPY), UINT64_MAX);
	unsigned files = 0;

	(void)state;
	assert_int_equal(hold_reached(h), HELD_COPY);
	for (int fd = 3; fd < 256; fd++) {
		char path[40], target[100];
		ssize_t n;
		int again;

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (!strstr(target, "memfd:mtlog"))
			continue;
		files++;
		again = open(path, O_RDWR | O_CLOEXEC);
		assert_true(again >= 0);
		assert_int_equal(pwrite(again, "x", 1, 0), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(ftruncate(again, 0), -1);
		assert_int_equal(ftruncate(again, 1 << 30), -1);
		assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
				again, 0) == MAP_FAILED);
		(void)close(again);
	}
	/* Two large ones, and one for all others. */
	assert_int_equal(files, 3);
}

static unsigned
descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* 1,100 files where 1,024 descriptors are allowed. */
static void
test_many_files(void **state)
{
	enum { MANY = 1100 };
	static char text[MANY + 1][8];
	static struct bytes many[MANY + 1];
	static const struct {
		unsigned accept;
		uint64_t copy_max;
		bool all;
	} cases[] = {
	    {HELD_DEFAULT, UINT64_MAX, true},
	    {HELD_BIT(HELD_COPY), UINT64_MAX, true},
	    {HELD_DEFAULT, 600 * 4, true}, /* 600 copies, 501 leases */
	    {HELD_DEFAULT, 100 * 4, false},
	    {HELD_BIT(HELD_LEASE), UINT64_MAX, false},
	    {HELD_BIT(HELD_OPEN), UINT64_MAX, false},
	};
	struct rlimit before, low;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%04d", i);
		folder_put(text[i], text[i], 4);
		many[i] = bytes_of(text[i], 4);
	}
	many[MANY] = names[5];
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 1024;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hold_options options = {.accept = cases[i].accept,
		    .copy_max = cases[i].copy_max,
		    .scratch = -1};
		unsigned had = descriptors(), held = 0, refused = 0;
		struct error err = {0};
		AUTO_HOLD h = hold_open(&tree, many, MANY + 1, &options, &err);

		assert_non_null(h);
		assert_true(descriptors() <= had + 512 + 1);
		for (int k = 0; k <= MANY; k++) {
			const char *fault = fault_of(h, many[k]);
			char got[4];

			held += fault == NULL;
			refused +=
			    fault && strcmp(fault, "too-many-files") == 0;
			if (fault || k == MANY)
				continue;
			assert_int_equal(hold_read(h, many[k], got, 4, 0), 4);
			assert_memory_equal(got, text[k], 4);
		}
		assert_int_equal(held + refused, MANY + 1);
		assert_int_equal(held == MANY + 1, cases[i].all);
		/* Descriptors are for the large ones. */
		if (i == 0)
			assert_int_equal(
			    hold_reached_file(h, names[5]), HELD_LEASE);
		assert_true(i != 0 || descriptors() <= had + 3);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
test_faults(void **state)
{
	static const struct {
		const char *name, *reason;
	} cases[] = {{"one", NULL}, {"missing", "file-missing"},
	    {"link", "file-type"}, {"pipe", "file-type"}, {"sub", "file-type"},
	    {"../one", "file-type"}, {"big", NULL}};
	enum { N = sizeof(cases) / sizeof(cases[0]) };
	struct hold_options options = {.accept = HELD_DEFAULT, .scratch = -1};
	struct bytes all[N];
	struct error err = {0};
	struct hold *h;

	(void)state;
	assert_int_equal(symlink("one", folder_at("link")), 0);
	assert_int_equal(mkfifo(folder_at("pipe"), 0600), 0);
	for (size_t i = 0; i < N; i++)
		all[i] = bytes_str(cases[i].name);
	h = hold_open(&tree, all, N, &options, &err);
	assert_non_null(h);
	assert_int_equal(hold_reached(h), HELD_NONE);
	for (size_t i = 0; i < N; i++) {
		const char *reason = fault_of(h, all[i]);

		assert_int_equal(reason != NULL, cases[i].reason != NULL);
		if (reason)
			assert_string_equal(reason, cases[i].reason);
	}
	/* What is not held can be no one's. */
	assert_false(hold_check(h, &err));
	hold_close(h);
	options.links = true;
	h = hold_open(&tree, all, 3, &options, &err);
	assert_non_null(h);
	assert_null(fault_of(h, BYTES_LIT("link")));
	hold_close(h);
}

static off_t new_size;

static void
resize(int n)
{
	if (n == 2)
		assert_int_equal(truncate(folder_at("big"), new_size), 0);
}

static void
test_copy_changes(void **state)
{
	static const off_t becomes[] = {
	    0, 300000, 3 * MIB + 16, 3 * MIB + 18, 4 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof(becomes) / sizeof(becomes[0]); i++) {
		struct hold_options options = {.accept = HELD_BIT(HELD_COPY),
		    .copy_max = UINT64_MAX,
		    .scratch = -1,
		    .threads = 1};
		struct error err = {0};
		AUTO_HOLD h = NULL;

		folder_put("big", data + 5, sizes[5]);
		reads = 0;
		new_size = becomes[i];
		before_read = resize;
		h = hold_open(&tree, &names[5], 1, &options, &err);
		before_read = NULL;
		assert_non_null(h);
		assert_string_equal(
		    fault_of(h, names[5]), "changed-while-read");
	}
}

/* There is no room for copies: said, and no signal. */
static void
test_no_space(void **state)
{
	struct rlimit before, low;
	unsigned had = descriptors();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	low = before;
	low.rlim_cur = 2 * MIB;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	struct hold *h = take(HELD_BIT(HELD_COPY), UINT64_MAX);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_null(fault_of(h, names[4]));
	assert_null(fault_of(h, names[3]));
	assert_string_equal(fault_of(h, names[5]), "no-space");
	hold_close(h);
	no_memfd = true;
	h = take(HELD_BIT(HELD_COPY), UINT64_MAX);
	for (size_t i = 0; i < COUNT; i++)
		assert_string_equal(fault_of(h, names[i]), "no-space");
	hold_close(h);
	assert_int_equal(descriptors(), had);
}

static void
test_no_memory(void **state)
{
	unsigned had = descriptors();

	(void)state;
	for (alloc_fail_at = 1;; alloc_fail_at++) {
		struct hold_options options = {.accept = HELD_BIT(HELD_COPY),
		    .copy_max = UINT64_MAX,
		    .scratch = -1,
		    .threads = 2};
		struct error err = {0};
		struct hold *h;

		allocs = 0;
		h = hold_open(&tree, names, COUNT, &options, &err);
		if (h) {
			hold_close(h);
			break;
		}
		assert_int_equal(err.code, ERR_INTERNAL);
		assert_int_equal(descriptors(), had);
	}
	assert_true(alloc_fail_at > 4);
	alloc_fail_at = 0;
}

static bool
stop(void *arg, struct bytes name, uint64_t done, uint64_t total)
{
	(void)name;
	assert_int_equal(total, 77);
	*(uint64_t *)arg = done;
	return false;
}

static bool
go_on(void *arg, struct bytes name, uint64_t done, uint64_t total)
{
	return stop(arg, name, done, total) || true;
}

static void
test_cancel(void **state)
{
	uint64_t done = 0, all = 0;
	struct hold_options options = {.accept = HELD_BIT(HELD_COPY),
	    .copy_max = UINT64_MAX,
	    .scratch = -1,
	    .total = 77,
	    .progress = stop,
	    .arg = &done};
	unsigned had = descriptors();
	struct error err = {0};
	struct hold *h;

	(void)state;
	assert_null(hold_open(&tree, names, COUNT, &options, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_string_equal(error_reason_name(&err), "cancelled");
	assert_int_equal(descriptors(), had);
	for (size_t i = 0; i < COUNT; i++)
		all += sizes[i];
	options.progress = go_on;
	h = hold_open(&tree, names, COUNT, &options, &err);
	assert_non_null(h);
	assert_int_equal(done, all);
	hold_close(h);
}

/* Another user's file: no lease for who does not own it. */
static void
test_not_owner(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (getuid() != 0) {
		print_message("SKIP: only root can be someone else\n");
		skip();
	}
	assert_int_equal(chmod(folder_path, 0755), 0);
	pid = fork();
	if (pid == 0) {
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(1);
		struct hold *h = take(HELD_DEFAULT, UINT64_MAX);
		if (hold_reached(h) != HELD_COPY)
			_exit(2);
		hold_close(h);
		h = take(HELD_BIT(HELD_LEASE), UINT64_MAX);
		_exit(hold_reached(h) == HELD_NONE ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* In a child with mounts of its own; 77 where that is not permitted. */
static int
on_overlay(void)
{
	char options[900];
	struct error err = {0};
	struct hold *h;

	folder_put_folder("upper");
	folder_put_folder("work");
	folder_put_folder("merged");
	(void)snprintf(options, sizeof(options),
	    "lowerdir=%s/sub,upperdir=%s/upper,workdir=%s/work", folder_path,
	    folder_path, folder_path);
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("overlay", folder_at("merged"), "overlay", 0, options) != 0)
		return 77;
	file_tree_release(&tree);
	if (!file_tree_open(
		AT_FDCWD, folder_at("merged"), NULL, NULL, &tree, &err))
		return 1;
	struct bytes small = BYTES_LIT("small");
	struct hold_options accept = {
	    .accept = HELD_DEFAULT, .copy_max = UINT64_MAX, .scratch = -1};
	h = hold_open(&tree, &small, 1, &accept, &err);
	if (!h || hold_reached(h) != HELD_COPY)
		return 2;
	hold_close(h);
	return 0;
}

static void
test_overlay(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(on_overlay());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("SKIP: no overlay can be mounted here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void
expect_links(const char *dir)
{
	static uint8_t got[sizeof(data)];
	struct stat st;

	assert_int_equal(lstat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < COUNT; i++) {
		char path[400];
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i].ptr);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISLNK(st.st_mode));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, got, sizeof(got)), (ssize_t)sizes[i]);
		assert_memory_equal(got, data + i, sizes[i]);
		(void)close(fd);
	}
}

static void
test_dir(void **state)
{
	struct hold *h = take(HELD_BIT(HELD_COPY), UINT64_MAX);
	struct error err = {0};
	char dir[300];
	int status;
	pid_t pid;

	(void)state;
	assert_null(hold_dir(h, folder_at("missing"), &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
	err = (struct error){0};
	const char *got = hold_dir(h, folder_path, &err);
	if (!got)
		fail_msg("%s", err.text);
	(void)snprintf(dir, sizeof(dir), "%s", got);
	assert_ptr_equal(hold_dir(h, "/", &err), got);
	expect_links(dir);
	/* A child may use it, and does not take it away. */
	pid = fork();
	if (pid == 0) {
		expect_links(dir);
		hold_close(h);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	expect_links(dir);
	/* What a loader left there goes too, and nothing behind a link. */
	char left[400];
	(void)snprintf(left, sizeof(left), "%s/left", dir);
	assert_int_equal(symlink(folder_path, left), 0);
	(void)snprintf(left, sizeof(left), "%s/sub/cache", dir);
	assert_int_equal(mkdir(left, 0700), 0);
	expect_contents(h, true);
	hold_close(h);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(access(folder_at("one"), F_OK), 0);
}

static void
test_dir_refused(void **state)
{
	struct error err = {0};
	AUTO_HOLD lease = take(HELD_BIT(HELD_LEASE), 0);
	AUTO_HOLD open_ = take(HELD_BIT(HELD_OPEN), 0);
	AUTO_HOLD none = take(0, 0);

	(void)state;
	assert_null(hold_dir(lease, folder_path, &err));
	assert_int_equal(err.code, ERR_DENIED);
	assert_string_equal(error_reason_name(&err), "hold-too-weak");
	err = (struct error){0};
	assert_null(hold_dir(open_, folder_path, &err));
	assert_string_equal(error_reason_name(&err), "hold-too-weak");
	err = (struct error){0};
	assert_null(hold_dir(none, folder_path, &err));
	assert_string_equal(error_reason_name(&err), "hold-too-weak");
}

/* A link needs a descriptor of its own, which small copies do not have. */
static void
test_dir_crowded(void **state)
{
	struct rlimit before, low;
	struct error err = {0};
	struct hold *h;
	unsigned had = descriptors();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	/* Six for the hold, which would need seven: a link for each file. */
	low.rlim_cur = 13;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	h = take(HELD_BIT(HELD_COPY), UINT64_MAX);
	assert_null(hold_dir(h, folder_path, &err));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(error_reason_name(&err), "too-many-files");
	expect_contents(h, true);
	hold_close(h);
	assert_int_equal(descriptors(), had);
	/* Nothing is left behind. */
	file_tree_release(&tree);
	assert_true(
	    file_tree_open(AT_FDCWD, folder_path, NULL, NULL, &tree, &err));
	assert_int_equal(tree.count, COUNT);
}

/* A model that is one file has its own name in the folder. */
static void
test_dir_single(void **state)
{
	struct hold_options options = {.accept = HELD_BIT(HELD_COPY),
	    .copy_max = UINT64_MAX,
	    .scratch = -1};
	const struct bytes dot = BYTES_LIT(".");
	struct error err = {0};
	AUTO_HOLD h = NULL;
	char path[400];

	(void)state;
	file_tree_release(&tree);
	assert_true(file_tree_open(
	    AT_FDCWD, folder_at("big"), NULL, NULL, &tree, &err));
	h = hold_open(&tree, &dot, 1, &options, &err);
	assert_non_null(h);
	file_tree_release(&tree);
	const char *dir = hold_dir(h, folder_path, &err);
	assert_non_null(dir);
	(void)snprintf(path, sizeof(path), "%s/big", dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, data, sizeof(data)), (ssize_t)sizes[5]);
	(void)close(fd);
}

/* A path that is as long as one may be, and then some for the folder. */
static void
test_dir_long(void **state)
{
	struct hold_options options = {.accept = HELD_BIT(HELD_COPY),
	    .copy_max = UINT64_MAX,
	    .scratch = -1};
	char name[4090] = "";
	struct bytes deep;
	struct error err = {0};
	struct hold *h;
	int fd = open(folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	while (strlen(name) < 4000) {
		size_t len = strlen(name);

		memset(name + len, 'n', 200);
		name[len + 200] = '\0';
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		(void)snprintf(name + len + 200, 2, "/");
	}
	(void)snprintf(name + strlen(name), 5, "file");
	int file = openat(fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0 && close(file) == 0 && close(fd) == 0);
	list_files();
	deep = bytes_str(name);
	assert_non_null(file_tree_find(&tree, deep));
	h = hold_open(&tree, &deep, 1, &options, &err);
	assert_non_null(h);
	assert_null(fault_of(h, deep));
	assert_non_null(hold_dir(h, folder_path, &err));
	hold_close(h);
	list_files();
	assert_int_equal(tree.count, COUNT + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_kinds),
	    TEST(test_names),
	    TEST(test_nothing),
	    TEST(test_order),
	    TEST(test_lease_broken),
	    TEST(test_lease_waits),
	    TEST(test_mapped_before),
	    TEST(test_open_changes),
	    TEST(test_sealed),
	    TEST(test_many_files),
	    TEST(test_faults),
	    TEST(test_copy_changes),
	    TEST(test_no_space),
	    TEST(test_no_memory),
	    TEST(test_cancel),
	    TEST(test_not_owner),
	    TEST(test_overlay),
	    TEST(test_dir),
	    TEST(test_dir_refused),
	    TEST(test_dir_crowded),
	    TEST(test_dir_single),
	    TEST(test_dir_long),
	};

	if (!folder_make_with_leases()) {
		print_message("SKIP: no file system here grants leases\n");
		return 77;
	}
	folder_remove();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
