/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "core/base/cleanup.h"
#include "io/clock.h"
#include "io/tree.h"
#include "tests/support/folder.h"

#define BLOCK ((size_t)256 << 10) /* of the hasher */
#define MIB   ((size_t)1 << 20)

/*
 * Link with -Wl,--wrap of aligned_alloc, clock_monotonic_ns, pread,
 * pthread_create, reallocarray.
 */
static int alloc_fail_at, allocs;
static bool threads_fail, clock_leaps;
static void (*before_read)(int n); /* called before the n-th pread */
static int read_errno, short_reads;
static _Atomic int reads;

void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
uint64_t __real_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void);
ssize_t __real_pread(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg);

void *
__wrap_aligned_alloc(size_t align, size_t n)
{
	return ++allocs == alloc_fail_at ? NULL
					 : __real_aligned_alloc(align, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return ++allocs == alloc_fail_at ? NULL
					 : __real_reallocarray(p, n, size);
}

uint64_t
__wrap_clock_monotonic_ns(void)
{
	static _Atomic uint64_t leaps;

	return __real_clock_monotonic_ns() +
	    (clock_leaps ? ++leaps * 200000000 : 0);
}

ssize_t
__wrap_pread(int fd, void *to, size_t n, off_t at)
{
	int call = ++reads;

	if (before_read)
		before_read(call);
	if (read_errno != 0 && call == 2) {
		errno = read_errno;
		return -1;
	}
	return __real_pread(fd, to, short_reads && n > 1000 ? 1000 : n, at);
}

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*run)(void *), void *arg)
{
	return threads_fail ? EAGAIN
			    : __real_pthread_create(thread, attr, run, arg);
}

static int
set_up(void **state)
{
	(void)state;
	alloc_fail_at = 0;
	threads_fail = clock_leaps = false;
	before_read = NULL;
	read_errno = short_reads = 0;
	reads = 0;
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

static uint8_t data[3 * MIB];

static void
open_tree(struct file_tree *t)
{
	struct error err = {0};

	if (!file_tree_open(AT_FDCWD, folder_path, NULL, NULL, t, &err))
		fail_msg("%s", err.text);
}

/* Whether `p` has the digest of `want`, taken at once. */
static bool
is_hash_of(const struct tree_piece *p, enum content_algorithm algorithm,
    struct bytes want)
{
	uint8_t digest[CONTENT_DIGEST_MAX];
	struct error err = {0};
	struct content_hasher *h = content_hasher_open(algorithm, &err);
	bool ok;

	assert_non_null(h);
	content_put(h, want);
	ok = content_end(h, digest, &err) && p->fault.code == ERR_NONE &&
	    p->size == want.len &&
	    bytes_equal(bytes_of(digest, content_digest_len(algorithm)),
		bytes_of(p->digest, content_digest_len(algorithm)));
	content_hasher_close(h);
	return ok;
}

static void
test_whole_files(void **state)
{
	static const size_t sizes[] = {0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1,
	    2 * BLOCK, 2 * MIB + 17, sizeof(data)};
	static const unsigned threads[] = {1, 2, 5, 0};
	enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	AUTO(file_tree) t = FILE_TREE_INIT;

	(void)state;
	folder_fill(data, sizeof(data), 1);
	for (size_t i = 0; i < COUNT; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "%zu", i);
		folder_put(name, data, sizes[i]);
	}
	open_tree(&t);
	for (unsigned i = 0; i < 4 * 3; i++) {
		struct tree_hash_options options = {
		    .algorithm = CONTENT_SHA256 + i / 4,
		    .threads = threads[i % 4]};
		struct tree_piece pieces[COUNT] = {0};
		struct error err = {0};

		threads_fail = i == 1 || i == 2;
		short_reads = i % 3 == 1;
		for (size_t k = 0; k < COUNT; k++) {
			pieces[k].name = t.files[k].name;
			pieces[k].size = i % 2 ? sizes[k] : 0;
		}
		assert_true(tree_hash(&t, pieces, COUNT, &options, &err));
		for (size_t k = 0; k < COUNT; k++) {
			assert_int_equal(pieces[k].file_size, sizes[k]);
			assert_true(is_hash_of(&pieces[k], options.algorithm,
			    bytes_of(data, sizes[k])));
		}
	}
}

static void
test_shards(void **state)
{
	static const struct {
		uint64_t start, end;
		enum error_code code;
		const char *reason;
	} cases[] = {
	    {0, 1, ERR_NONE, NULL},
	    {0, MIB, ERR_NONE, NULL},
	    {MIB, 2 * MIB, ERR_NONE, NULL},
	    {1, 2 * MIB + 16, ERR_NONE, NULL},
	    {2 * MIB, 2 * MIB + 17, ERR_NONE, NULL},
	    {5, 5, ERR_NONE, NULL},
	    {0, BLOCK, ERR_NONE, NULL},
	    {7, BLOCK + 7, ERR_NONE, NULL},
	    {2 * MIB, 2 * MIB + 18, ERR_CONFLICT, "file-changed"},
	    {3 * MIB, 4 * MIB, ERR_CONFLICT, "file-changed"},
	    {0, UINT64_MAX, ERR_CONFLICT, "file-changed"},
	    {UINT64_MAX - 1, UINT64_MAX, ERR_CONFLICT, "file-changed"},
	    {5, 4, ERR_USAGE, NULL},
	};
	enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
	AUTO(file_tree) t = FILE_TREE_INIT;

	(void)state;
	folder_fill(data, sizeof(data), 2);
	folder_put("big", data, 2 * MIB + 17);
	open_tree(&t);
	for (unsigned threads = 1; threads < 4; threads++) {
		struct tree_hash_options options = {
		    .algorithm = CONTENT_BLAKE2B, .threads = threads};
		struct tree_piece pieces[COUNT] = {0};
		struct error err = {0};

		for (size_t k = 0; k < COUNT; k++)
			pieces[k] = (struct tree_piece){.name = t.files[0].name,
			    .start = cases[k].start,
			    .end = cases[k].end};
		assert_true(tree_hash(&t, pieces, COUNT, &options, &err));
		for (size_t k = 0; k < COUNT; k++) {
			assert_int_equal(pieces[k].fault.code, cases[k].code);
			if (cases[k].reason)
				assert_string_equal(
				    pieces[k].fault.reason, cases[k].reason);
			if (cases[k].code != ERR_NONE)
				continue;
			assert_int_equal(pieces[k].file_size, 2 * MIB + 17);
			assert_true(is_hash_of(&pieces[k], CONTENT_BLAKE2B,
			    bytes_of(data + cases[k].start,
				cases[k].end - cases[k].start)));
		}
	}
}

/* One shard of a file larger than 32 bits count, and nothing else of it. */
static void
test_far_shard(void **state)
{
	static const uint64_t far = (uint64_t)9 << 29; /* 4.5 GiB */
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct tree_hash_options options = {.algorithm = CONTENT_SHA256};
	struct tree_piece piece = {
	    .name = BYTES_LIT("sparse"), .start = far, .end = far + 5000};
	struct error err = {0};
	int fd = open(
	    folder_at("sparse"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	folder_fill(data, 5000, 3);
	assert_int_equal(ftruncate(fd, (off_t)5 << 30), 0);
	assert_int_equal(pwrite(fd, data, 5000, (off_t)far), 5000);
	(void)close(fd);
	open_tree(&t);
	assert_int_equal(t.files[0].size, (uint64_t)5 << 30);
	assert_true(tree_hash(&t, &piece, 1, &options, &err));
	assert_true(is_hash_of(&piece, CONTENT_SHA256, bytes_of(data, 5000)));
	assert_int_equal(piece.file_size, (uint64_t)5 << 30);
	assert_int_equal(reads, 1);
}

/* What is wrong with one file says so, and the others are hashed. */
static void
test_faults(void **state)
{
	static const struct {
		const char *name;
		const char *reason;
	} cases[] = {{"good", NULL}, {"link", "file-type"},
	    {"missing", "file-missing"}, {"pipe", "file-type"}, {"good", NULL},
	    {"../good", "file-type"}, {"sub/to", "file-type"},
	    {"sub", "file-type"}, {"also good", NULL}};
	enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct tree_hash_options options = {.algorithm = CONTENT_SHA256};
	struct tree_piece pieces[COUNT] = {0};
	struct error err = {0};

	(void)state;
	folder_put("good", "1", 1);
	folder_put("also good", "1", 1);
	folder_put_folder("sub");
	assert_int_equal(symlink("good", folder_at("link")), 0);
	assert_int_equal(symlink("../good", folder_at("sub/to")), 0);
	assert_int_equal(mkfifo(folder_at("pipe"), 0600), 0);
	open_tree(&t);
	for (size_t i = 0; i < COUNT; i++)
		pieces[i].name = bytes_str(cases[i].name);
	assert_true(tree_hash(&t, pieces, COUNT, &options, &err));
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(
		    pieces[i].fault.code != 0, cases[i].reason != NULL);
		if (cases[i].reason)
			assert_string_equal(
			    pieces[i].fault.reason, cases[i].reason);
		else
			assert_true(is_hash_of(
			    &pieces[i], CONTENT_SHA256, BYTES_LIT("1")));
	}
	/* Links beneath the root are for those who ask for them. */
	options.links = true;
	assert_true(tree_hash(&t, pieces, COUNT, &options, &err));
	assert_true(is_hash_of(&pieces[1], CONTENT_SHA256, BYTES_LIT("1")));
	assert_true(is_hash_of(&pieces[6], CONTENT_SHA256, BYTES_LIT("1")));
	assert_true(tree_hash(&t, NULL, 0, &options, &err));
}

static off_t new_size;

/* The file has another size from the second block on. */
static void
resize(int n)
{
	if (n == 2)
		assert_int_equal(truncate(folder_at("file"), new_size), 0);
}

static void
resize_first(int n)
{
	if (n == 1)
		assert_int_equal(truncate(folder_at("file"), new_size), 0);
}

static void
test_changed(void **state)
{
	static const struct {
		size_t size, becomes;
		void (*when)(int n);
		uint64_t end;
		const char *reason;
	} cases[] = {
	    {2 * MIB, 2 * MIB, resize, 0, NULL},
	    {2 * MIB, 2 * MIB + 1, resize, 0, "changed-while-read"},
	    {2 * MIB, 3 * MIB, resize, 0, "changed-while-read"},
	    {2 * MIB, 2 * MIB - 1, resize, 0, "changed-while-read"},
	    {2 * MIB, 0, resize, 0, "changed-while-read"},
	    {1000, 1001, resize_first, 0, "changed-while-read"},
	    {1000, 999, resize_first, 0, "changed-while-read"},
	    {1000, 0, resize_first, 0, "changed-while-read"},
	    {0, 1, resize_first, 0, "changed-while-read"},
	    {BLOCK, BLOCK + 1, resize, 0, "changed-while-read"},
	    {BLOCK, BLOCK - 1, resize_first, 0, "changed-while-read"},
	    /* A shard is what it is, whatever comes after it. */
	    {2 * MIB, 3 * MIB, resize, MIB, NULL},
	    {2 * MIB, MIB, resize, MIB, NULL},
	    {2 * MIB, MIB - 1, resize, MIB, "changed-while-read"},
	};

	(void)state;
	folder_fill(data, sizeof(data), 4);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(file_tree) t = FILE_TREE_INIT;
		struct tree_hash_options options = {
		    .algorithm = CONTENT_SHA256};
		struct tree_piece piece = {
		    .name = BYTES_LIT("file"), .end = cases[i].end};
		struct error err = {0};

		folder_put("file", data, cases[i].size);
		open_tree(&t);
		new_size = (off_t)cases[i].becomes;
		reads = 0;
		before_read = cases[i].when;
		assert_true(tree_hash(&t, &piece, 1, &options, &err));
		before_read = NULL;
		if ((piece.fault.code != 0) != (cases[i].reason != NULL))
			fail_msg("case %zu", i);
		if (!cases[i].reason)
			continue;
		assert_int_equal(piece.fault.code, ERR_CONFLICT);
		assert_string_equal(piece.fault.reason, cases[i].reason);
	}
}

static void
test_read_fails(void **state)
{
	static const struct {
		int cause;
		enum error_code code;
	} cases[] = {{EIO, ERR_IO}, {EINTR, ERR_NONE}, {ESTALE, ERR_IO},
	    {EACCES, ERR_DENIED}};
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct tree_hash_options options = {
	    .algorithm = CONTENT_SHA256, .threads = 1};

	(void)state;
	folder_fill(data, sizeof(data), 5);
	folder_put("a", data, sizeof(data));
	folder_put("b", data, sizeof(data));
	open_tree(&t);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tree_piece pieces[] = {
		    {.name = BYTES_LIT("a")}, {.name = BYTES_LIT("b")}};
		struct error err = {0};

		read_errno = cases[i].cause;
		reads = 0;
		assert_true(tree_hash(&t, pieces, 2, &options, &err));
		assert_int_equal(pieces[0].fault.code, cases[i].code);
		assert_true(cases[i].code == ERR_NONE ||
		    pieces[0].fault.cause == cases[i].cause);
		assert_true(
		    is_hash_of(&pieces[1], CONTENT_SHA256, BYTES_OF(data)));
	}
}

struct watch {
	uint64_t done, total;
	unsigned calls, stop_at;
	bool named;
	pthread_t thread;
};

static bool
watch(void *arg, struct bytes name, uint64_t done, uint64_t total)
{
	struct watch *w = arg;

	assert_true(done >= w->done);
	assert_true(pthread_equal(w->thread, pthread_self()));
	w->done = done;
	w->total = total;
	w->named |= name.len > 0;
	return ++w->calls != w->stop_at;
}

static void
test_progress(void **state)
{
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct watch seen = {.thread = pthread_self()};
	struct tree_hash_options options = {.algorithm = CONTENT_SHA256,
	    .threads = 3,
	    .total = 4 * sizeof(data),
	    .progress = watch,
	    .arg = &seen};
	struct tree_piece pieces[4] = {{.name = BYTES_LIT("a")},
	    {.name = BYTES_LIT("b")}, {.name = BYTES_LIT("a"), .end = 17},
	    {.name = BYTES_LIT("b")}};
	struct error err = {0};

	(void)state;
	folder_fill(data, sizeof(data), 6);
	folder_put("a", data, sizeof(data));
	folder_put("b", data, sizeof(data));
	open_tree(&t);
	assert_true(tree_hash(&t, pieces, 4, &options, &err));
	assert_true(seen.done == 3 * sizeof(data) + 17 && seen.calls >= 1);
	assert_int_equal(seen.total, 4 * sizeof(data));
	clock_leaps = true;
	seen = (struct watch){.thread = pthread_self()};
	options.threads = 1;
	assert_true(tree_hash(&t, pieces, 4, &options, &err));
	assert_true(seen.done == 3 * sizeof(data) + 17 && seen.calls > 12);
	assert_true(seen.named);
}

static void
test_cancel(void **state)
{
	AUTO(file_tree) t = FILE_TREE_INIT;

	(void)state;
	folder_fill(data, sizeof(data), 7);
	folder_put("a", data, sizeof(data));
	open_tree(&t);
	clock_leaps = true;
	for (unsigned i = 0; i < 20; i++) {
		struct watch seen = {
		    .thread = pthread_self(), .stop_at = 1 + i % 10};
		struct tree_hash_options options = {.algorithm = CONTENT_SHA256,
		    .threads = 1 + i / 10,
		    .progress = watch,
		    .arg = &seen};
		struct tree_piece pieces[4] = {{.name = BYTES_LIT("a")},
		    {.name = BYTES_LIT("a")}, {.name = BYTES_LIT("a")},
		    {.name = BYTES_LIT("a")}};
		struct error err = {0};

		assert_false(tree_hash(&t, pieces, 4, &options, &err));
		assert_int_equal(err.code, ERR_UNAVAILABLE);
		assert_string_equal(error_reason_name(&err), "cancelled");
		assert_int_equal(seen.calls, seen.stop_at);
		/* None looks as if it were done and is not. */
		for (size_t k = 0; k < 4; k++)
			assert_true(pieces[k].fault.code != 0 ||
			    is_hash_of(
				&pieces[k], CONTENT_SHA256, BYTES_OF(data)));
		assert_true(options.threads > 1 || pieces[3].fault.code != 0);
	}
}

static int source_fd;

/* Names are offsets into one file: "0" and "1000", of 500 bytes each. */
static bool
source(void *arg, struct bytes name, struct tree_source *out,
    struct tree_fault *fault)
{
	assert_ptr_equal(arg, &source_fd);
	if (name.len == 0) {
		*fault = (struct tree_fault){ERR_NOTFOUND, "file-missing", 0};
		return false;
	}
	*out =
	    (struct tree_source){source_fd, name.ptr[0] == '0' ? 0 : 1000, 500};
	return true;
}

static void
test_source(void **state)
{
	struct tree_hash_options options = {.algorithm = CONTENT_SHA256,
	    .source = source,
	    .source_arg = &source_fd};
	struct tree_piece pieces[] = {{.name = BYTES_LIT("1000")},
	    {.name = BYTES_LIT("0")}, {.name = BYTES_LIT("")},
	    {.name = BYTES_LIT("1000"), .start = 100, .end = 500},
	    {.name = BYTES_LIT("0"), .start = 100, .end = 501}};
	struct error err = {0};

	(void)state;
	folder_fill(data, 3000, 8);
	folder_put("file", data, 3000);
	source_fd = open(folder_at("file"), O_RDONLY | O_CLOEXEC);
	for (options.threads = 1; options.threads < 4; options.threads++) {
		assert_true(tree_hash(NULL, pieces, 5, &options, &err));
		assert_true(is_hash_of(
		    &pieces[0], CONTENT_SHA256, bytes_of(data + 1000, 500)));
		assert_true(is_hash_of(
		    &pieces[1], CONTENT_SHA256, bytes_of(data, 500)));
		assert_int_equal(pieces[2].fault.code, ERR_NOTFOUND);
		assert_true(is_hash_of(
		    &pieces[3], CONTENT_SHA256, bytes_of(data + 1100, 400)));
		assert_string_equal(pieces[4].fault.reason, "file-changed");
	}
	/* It was not closed. */
	assert_true(fcntl(source_fd, F_GETFD) >= 0 && !close(source_fd));
}

static void
test_no_memory(void **state)
{
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct tree_hash_options options = {
	    .algorithm = CONTENT_SHA256, .threads = 2};

	(void)state;
	folder_put("a", "1", 1);
	open_tree(&t);
	for (alloc_fail_at = 1;; alloc_fail_at++) {
		struct tree_piece pieces[2] = {
		    {.name = BYTES_LIT("a")}, {.name = BYTES_LIT("a")}};
		struct error err = {0};

		allocs = 0;
		if (tree_hash(&t, pieces, 2, &options, &err))
			break;
		assert_int_equal(err.code, ERR_INTERNAL);
	}
	assert_int_equal(alloc_fail_at, 5);
}

/* 3,000 files over many threads: each has its own digest. */
static void
test_many(void **state)
{
	enum { COUNT = 3000 };
	static struct tree_piece pieces[COUNT];
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct tree_hash_options options = {
	    .algorithm = CONTENT_BLAKE3, .threads = 16};
	struct error err = {0};

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		char name[16], text[16];

		(void)snprintf(name, sizeof(name), "%04d", i);
		folder_put(name, text,
		    (size_t)snprintf(text, sizeof(text), "file %d", i));
	}
	open_tree(&t);
	assert_int_equal(t.count, COUNT);
	for (int i = 0; i < COUNT; i++)
		pieces[i] = (struct tree_piece){.name = t.files[i].name};
	assert_true(tree_hash(&t, pieces, COUNT, &options, &err));
	for (int i = 0; i < COUNT; i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), "file %d", i);

		assert_true(is_hash_of(
		    &pieces[i], CONTENT_BLAKE3, bytes_of(text, (size_t)n)));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_whole_files),
	    TEST(test_shards),
	    TEST(test_far_shard),
	    TEST(test_faults),
	    TEST(test_changed),
	    TEST(test_read_fails),
	    TEST(test_progress),
	    TEST(test_cancel),
	    TEST(test_source),
	    TEST(test_no_memory),
	    TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
