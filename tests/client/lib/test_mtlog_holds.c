/* SPDX-License-Identifier: Apache-2.0 */
/* What a handle promises: its hold, its bytes in every way they can be had, in
 * a child and in two threads; and what it leaves behind. */
#include "tests/client/lib/loader_fixture.h"

#include <pthread.h>
#include <sys/mman.h>

#define NAME "sub/large.bin"

static uint8_t large[LOADER_LARGE], seen[LOADER_LARGE];

static int
setup(void **state)
{
	folder_fill(large, LOADER_LARGE, 1);
	return loader_setup(state);
}

/* All bytes of all files, in each way that does not need more than `open`. */
static void
reads_all(mtlog_model *m)
{
	int fd = mtlog_model_open_file(m, NAME);
	size_t got = 0;

	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(read(fd, seen, sizeof(seen)), LOADER_LARGE);
	assert_memory_equal(seen, large, LOADER_LARGE);
	assert_int_equal(read(fd, seen, 1), 0);
	(void)close(fd);
	/* Its offset is its own. */
	fd = mtlog_model_open_file(m, NAME);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_int_equal(write(fd, "x", 1), -1);
	(void)close(fd);
	while (got < LOADER_LARGE) {
		ssize_t n = mtlog_model_read(m, NAME, seen + got, 65521, got);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(got, LOADER_LARGE);
	assert_memory_equal(seen, large, LOADER_LARGE);
	assert_int_equal(mtlog_model_read(m, NAME, seen, 8, LOADER_LARGE), 0);
	assert_int_equal(mtlog_model_read(m, NAME, seen, 8, UINT64_MAX), 0);
	assert_int_equal(mtlog_model_read(m, NAME, seen, 0, 0), 0);
	assert_int_equal(mtlog_model_read(m, "weights.bin", seen, 64, 4), 7);
	assert_memory_equal(seen, "weights", 7);
}

static void
maps_all(mtlog_model *m)
{
	size_t size = 0;
	const void *map = mtlog_model_map(m, NAME, &size);

	assert_non_null(map);
	assert_int_equal(size, LOADER_LARGE);
	assert_memory_equal(map, large, LOADER_LARGE);
	assert_ptr_equal(mtlog_model_map(m, NAME, &size), map);
	map = mtlog_model_map(m, "weights.bin", &size);
	assert_non_null(map);
	assert_int_equal(size, strlen(LOADER_WEIGHTS));
	assert_memory_equal(map, LOADER_WEIGHTS, size);
}

static void
check(mtlog_model *m, int code, const char *reason)
{
	mtlog_verdict *v = NULL;

	assert_int_equal(mtlog_model_check(m, &v), code);
	loader_expect(v, code, reason);
}

/* What became of the files afterwards is not seen; what `check` says of it. */
static void
test_copy(void **state)
{
	mtlog_model *m =
	    loader_open("model", "", loader_options(MTLOG_HOLD_COPY), 0, "");

	(void)state;
	assert_int_equal(mtlog_model_hold(m), MTLOG_HOLD_COPY);
	loader_put("model/weights.bin", "other bytes");
	assert_int_equal(truncate(folder_at("model/" NAME), 0), 0);
	reads_all(m);
	maps_all(m);
	check(m, 0, "");
	mtlog_model_free(m);
	loader_put("model/weights.bin", LOADER_WEIGHTS);
	folder_put("model/" NAME, large, LOADER_LARGE);
}

/* A copy that lies on a disk is as good to read. */
static void
test_scratch(void **state)
{
	mtlog_options *o = loader_options(MTLOG_HOLD_COPY);
	mtlog_model *m;
	struct stat of_scratch, of_copy;
	int fd;

	(void)state;
	folder_put_folder("scratch");
	assert_int_equal(
	    mtlog_option_path(o, MTLOG_SCRATCH, folder_at("scratch")), 0);
	m = loader_open("model", "", o, 0, "");
	assert_int_equal(mtlog_model_hold(m), MTLOG_HOLD_COPY);
	reads_all(m);
	maps_all(m);
	check(m, 0, "");
	fd = mtlog_model_open_file(m, NAME);
	assert_int_equal(fstat(fd, &of_copy), 0);
	assert_int_equal(stat(folder_at("scratch"), &of_scratch), 0);
	assert_int_equal(of_copy.st_dev, of_scratch.st_dev);
	assert_int_equal(of_copy.st_nlink, 0);
	(void)close(fd);
	mtlog_model_free(m);
	assert_int_equal(rmdir(folder_at("scratch")), 0);
	o = loader_options(MTLOG_HOLD_COPY);
	assert_int_equal(
	    mtlog_option_path(o, MTLOG_SCRATCH, folder_at("scratch")), 0);
	loader_refused("model", o, 40, "missing");
}

/* Under `open` the files are read, never mapped, and a check sees what every
 * ordinary writer does. */
static void
test_open(void **state)
{
	mtlog_options *o = loader_options(MTLOG_HOLD_OPEN);
	mtlog_model *m;
	size_t size;
	int writer;

	(void)state;
	/* Who has the file open for writing lets no lease be. */
	writer = open(folder_at("model/" NAME), O_WRONLY | O_CLOEXEC);
	assert_true(writer >= 0);
	assert_int_equal(mtlog_option_number(o, MTLOG_COPY_MAX, 100), 0);
	m = loader_open("model", "", o, 0, "");
	assert_int_equal(mtlog_model_hold(m), MTLOG_HOLD_OPEN);
	reads_all(m);
	errno = 0;
	assert_null(mtlog_model_map(m, NAME, &size));
	assert_int_equal(errno, EPERM);
	check(m, 0, "");
	assert_int_equal(pwrite(writer, "x", 1, 0), 1);
	check(m, 10, "file-changed");
	assert_int_equal(pwrite(writer, large, 1, 0), 1);
	/* Never again. */
	check(m, 10, "file-changed");
	mtlog_model_free(m);
	/* Nobody said that `open` will do. */
	o = loader_options(0);
	assert_int_equal(mtlog_option_number(o, MTLOG_COPY_MAX, 100), 0);
	loader_refused("model", o, 42, "hold-unavailable");
	(void)close(writer);
}

static void
test_lease(void **state)
{
	mtlog_options *o = loader_options(MTLOG_HOLD_LEASE);
	mtlog_model *m;

	(void)state;
	if (!loader_leases) {
		print_message("no leases in %s\n", folder_path);
		mtlog_options_free(o);
		skip();
	}
	assert_int_equal(mtlog_option_number(o, MTLOG_COPY_MAX, 0), 0);
	m = loader_open("model", "", o, 0, "");
	assert_int_equal(mtlog_model_hold(m), MTLOG_HOLD_LEASE);
	reads_all(m);
	maps_all(m);
	check(m, 0, "");
	/* A writer is kept waiting, or goes away; either breaks the lease. */
	assert_int_equal(
	    open(folder_at("model/" NAME), O_WRONLY | O_NONBLOCK | O_CLOEXEC),
	    -1);
	check(m, 10, "file-changed");
	reads_all(m);
	check(m, 10, "file-changed");
	mtlog_model_free(m);
}

/* The policy's `hold` line, and what a caller may add to it. */
static void
test_levels(void **state)
{
	static const struct {
		const char *rule;
		int hold;
		int64_t copy_max;
		int code, reached;
	} cases[] = {
	    /* A writer is about: nothing but a copy or `open` can be had. */
	    {"", 0, 1 << 22, 0, MTLOG_HOLD_COPY},
	    {"", 0, 0, 42, 0},
	    {"", MTLOG_HOLD_OPEN, 0, 0, MTLOG_HOLD_OPEN},
	    {"  hold open\n", 0, 0, 0, MTLOG_HOLD_OPEN},
	    {"  hold open\n", 0, 1 << 22, 0, MTLOG_HOLD_COPY},
	    {"  hold open\n", MTLOG_HOLD_OPEN, 0, 0, MTLOG_HOLD_OPEN},
	    {"  hold open\n", MTLOG_HOLD_LEASE, 0, 42, 0},
	    {"  hold open\n", MTLOG_HOLD_COPY, 0, 42, 0},
	    {"  hold lease\n", 0, 0, 42, 0},
	    {"  hold lease\n", MTLOG_HOLD_OPEN, 0, 42, 0},
	    {"  hold lease\n", MTLOG_HOLD_OPEN, 1 << 22, 0, MTLOG_HOLD_COPY},
	    {"  hold verity\n", 0, 1 << 22, 0, MTLOG_HOLD_COPY},
	    {"  hold verity\n", MTLOG_HOLD_OPEN, 0, 42, 0},
	    {"  hold copy\n", 0, 1 << 22, 0, MTLOG_HOLD_COPY},
	    {"  hold copy\n", MTLOG_HOLD_OPEN, 0, 42, 0},
	    {"  hold copy\n", MTLOG_HOLD_OPEN, 1 << 22, 0, MTLOG_HOLD_COPY},
	    {"", MTLOG_HOLD_COPY, 0, 42, 0},
	    /* All copies together. */
	    {"", MTLOG_HOLD_COPY, LOADER_LARGE, 42, 0},
	};
	int writers[3] = {
	    open(folder_at("model/" NAME), O_WRONLY | O_CLOEXEC),
	    open(folder_at("model/weights.bin"), O_WRONLY | O_CLOEXEC),
	    open(folder_at("model/config.json"), O_WRONLY | O_CLOEXEC),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		mtlog_options *o = loader_options(cases[i].hold);
		mtlog_model *m;

		assert_int_equal(
		    mtlog_option_number(o, MTLOG_COPY_MAX, cases[i].copy_max),
		    0);
		m = loader_open("model", cases[i].rule, o, cases[i].code,
		    cases[i].code ? "hold-unavailable" : "");
		if (m)
			assert_int_equal(mtlog_model_hold(m), cases[i].reached);
		mtlog_model_free(m);
	}
	for (size_t i = 0; i < 3; i++)
		(void)close(writers[i]);
}

static void
test_folder_of_links(void **state)
{
	mtlog_model *m =
	    loader_open("model", "", loader_options(MTLOG_HOLD_COPY), 0, "");
	mtlog_verdict *v = NULL;
	const char *dir = mtlog_model_dir(m, &v);
	char path[400], kept[300];
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(dir);
	loader_expect(v, 0, "");
	assert_int_equal(lstat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	(void)snprintf(kept, sizeof(kept), "%s", dir);
	(void)snprintf(path, sizeof(path), "%s/" NAME, dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, seen, sizeof(seen)), LOADER_LARGE);
	assert_memory_equal(seen, large, LOADER_LARGE);
	(void)close(fd);
	assert_ptr_equal(mtlog_model_dir(m, &v), dir);
	loader_expect(v, 0, "");
	mtlog_model_free(m);
	assert_int_equal(lstat(kept, &st), -1);
	/* A path is mapped, which `open` and a lease do not stand against. */
	m = loader_open("model", "", loader_options(MTLOG_HOLD_OPEN), 0, "");
	if (mtlog_model_hold(m) < MTLOG_HOLD_VERITY) {
		assert_null(mtlog_model_dir(m, &v));
		loader_expect(v, 42, "hold-unavailable");
	}
	mtlog_model_free(m);
}

static void
test_child_reads(void **state)
{
	mtlog_model *m =
	    loader_open("model", "", loader_options(MTLOG_HOLD_COPY), 0, "");
	mtlog_verdict *v = NULL;
	const char *dir = mtlog_model_dir(m, &v);
	struct stat st;
	int status;
	pid_t child;

	(void)state;
	mtlog_verdict_free(v);
	child = fork();
	if (child == 0) {
		size_t size = 0;
		const void *map = mtlog_model_map(m, NAME, &size);
		ssize_t n = mtlog_model_read(m, NAME, seen, LOADER_LARGE, 0);
		bool ok = map && size == LOADER_LARGE &&
		    n == (ssize_t)LOADER_LARGE &&
		    memcmp(map, large, size) == 0 &&
		    memcmp(seen, large, size) == 0 &&
		    mtlog_model_check(m, &v) == 0;

		mtlog_verdict_free(v);
		mtlog_model_free(m);
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* The folder is the parent's to remove. */
	assert_int_equal(stat(dir, &st), 0);
	reads_all(m);
	maps_all(m);
	mtlog_model_free(m);
}

static const char *shared_path;
static const mtlog_policy *shared_policy;
static const mtlog_options *shared_options;

static void *
open_often(void *arg)
{
	mtlog_model *shared = arg;
	intptr_t faults = 0;

	for (int i = 0; i < 20; i++) {
		mtlog_verdict *v = NULL;
		mtlog_model *m = mtlog_model_open(
		    shared_path, shared_policy, shared_options, &v);
		char text[64] = {0};
		size_t size = 0;
		const void *map = mtlog_model_map(shared, NAME, &size);

		faults += !m || mtlog_verdict_code(v) != 0 ||
		    mtlog_model_read(m, "weights.bin", text, 64, 0) != 11 ||
		    strcmp(text, LOADER_WEIGHTS) != 0;
		faults += !map || memcmp(map, large, size) != 0;
		faults +=
		    mtlog_model_read(shared, NAME, text, 64, 4096) != 64 ||
		    memcmp(text, large + 4096, 64) != 0;
		mtlog_verdict_free(v);
		mtlog_model_free(m);
	}
	return (void *)faults;
}

static void
test_threads(void **state)
{
	mtlog_policy *p = loader_policy("");
	mtlog_options *o = loader_options(MTLOG_HOLD_COPY);
	mtlog_model *m =
	    loader_open("model", "", loader_options(MTLOG_HOLD_COPY), 0, "");
	pthread_t threads[4];

	(void)state;
	shared_path = folder_at("model");
	shared_policy = p;
	shared_options = o;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, open_often, m), 0);
	for (size_t i = 0; i < 4; i++) {
		void *faults = NULL;

		assert_int_equal(pthread_join(threads[i], &faults), 0);
		assert_ptr_equal(faults, NULL);
	}
	mtlog_model_free(m);
	mtlog_policy_free(p);
	mtlog_options_free(o);
}

/* How many descriptors there are, and how many of them a program that is
 * started would get (but the three that it should). */
static unsigned
descriptors(unsigned *inherited)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	*inherited = 0;
	while ((e = readdir(d))) {
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (e->d_name[0] == '.' || fd == dirfd(d))
			continue;
		n++;
		if (fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
			(*inherited)++;
	}
	(void)closedir(d);
	return n;
}

static void
test_descriptors(void **state)
{
	static const int holds[] = {
	    MTLOG_HOLD_COPY, MTLOG_HOLD_LEASE, MTLOG_HOLD_OPEN};
	unsigned inherited, before, leftover;
	mtlog_verdict *v = NULL;

	(void)state;
	/* What libraries open once and keep. */
	mtlog_model_free(
	    loader_open("model", "", loader_options(MTLOG_HOLD_COPY), 0, ""));
	before = descriptors(&leftover);
	for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
		mtlog_options *o = loader_options(holds[i]);
		mtlog_model *m;

		assert_int_equal(
		    mtlog_option_path(o, MTLOG_STATE, folder_at("state")), 0);
		m = loader_open("model", "", o, 0, "");
		assert_true(descriptors(&inherited) > before);
		assert_int_equal(inherited, leftover);
		if (holds[i] == MTLOG_HOLD_COPY) {
			assert_non_null(mtlog_model_dir(m, &v));
			mtlog_verdict_free(v);
			(void)descriptors(&inherited);
			assert_int_equal(inherited, leftover);
		}
		mtlog_model_free(m);
		assert_int_equal(descriptors(&inherited), before);
		/* Nor does a refusal keep any. */
		loader_put("model/weights.bin", "other bytes");
		o = loader_options(holds[i]);
		loader_refused("model", o, 10, "file-changed");
		assert_int_equal(descriptors(&inherited), before);
		loader_put("model/weights.bin", LOADER_WEIGHTS);
	}
}

/* One file, named as we do it and as Python did. */
static void
test_single_file(void **state)
{
	static const struct {
		const char *more[3];
		const char *name;
	} cases[] = {
	    {{NULL}, "one.bin"},
	    {{"--shard-size", "65536"}, "one.bin"},
	    {{"--dot-name"}, "."},
	};

	(void)state;
	folder_put("one.bin", large, LOADER_LARGE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		mtlog_model *m;
		uint64_t size = 0;

		(void)unlink(folder_at("one.bin.sig"));
		loader_sign("one.bin", cases[i].more);
		m = loader_open(
		    "one.bin", "", loader_options(MTLOG_HOLD_COPY), 0, "");
		assert_int_equal(mtlog_model_files(m), 1);
		assert_string_equal(
		    mtlog_model_file(m, 0, &size), cases[i].name);
		assert_int_equal(size, LOADER_LARGE);
		assert_int_equal(
		    mtlog_model_read(m, cases[i].name, seen, LOADER_LARGE, 0),
		    LOADER_LARGE);
		assert_memory_equal(seen, large, LOADER_LARGE);
		assert_int_equal(mtlog_model_open_file(m, "k"), -1);
		mtlog_model_free(m);
		large[7] ^= 1;
		folder_put("one.bin", large, LOADER_LARGE);
		loader_refused(
		    "one.bin", loader_options(0), 10, "file-changed");
		large[7] ^= 1;
		folder_put("one.bin", large, LOADER_LARGE);
	}
}

static void
test_shards(void **state)
{
	static const char *const more[] = {
	    "--shard-size", "65536", "--signature", "shards.sig", NULL};
	mtlog_options *o;
	mtlog_model *m;

	(void)state;
	assert_int_equal(
	    rename(folder_at("model/model.sig"), folder_at("kept")), 0);
	loader_sign("model", more);
	o = loader_options(MTLOG_HOLD_COPY);
	assert_int_equal(
	    mtlog_option_path(o, MTLOG_SIGNATURE, folder_at("shards.sig")), 0);
	m = loader_open("model", "", o, 0, "");
	assert_int_equal(mtlog_model_files(m), 3);
	reads_all(m);
	maps_all(m);
	mtlog_model_free(m);
	for (int i = 0; i < 2; i++) {
		int fd = open(
		    folder_at("model/" NAME), O_WRONLY | O_APPEND | O_CLOEXEC);

		if (i == 0)
			assert_int_equal(write(fd, "x", 1), 1);
		else
			assert_int_equal(
			    ftruncate(fd, (off_t)LOADER_LARGE - 1), 0);
		(void)close(fd);
		o = loader_options(MTLOG_HOLD_COPY);
		assert_int_equal(mtlog_option_path(o, MTLOG_SIGNATURE,
				     folder_at("shards.sig")),
		    0);
		loader_refused("model", o, 10, "file-changed");
	}
	folder_put("model/" NAME, large, LOADER_LARGE);
	assert_int_equal(
	    rename(folder_at("kept"), folder_at("model/model.sig")), 0);
}

/* A link that the signer allowed leads to the file's bytes, and only beneath
 * the model; and the model itself may be reached by one. */
static void
test_links(void **state)
{
	static const char *const more[] = {"--allow-symlinks", NULL};
	char text[16] = {0};
	mtlog_model *m;

	(void)state;
	folder_put_folder("linked");
	loader_put("linked/a", "contents");
	assert_int_equal(symlink("a", folder_at("linked/b")), 0);
	loader_sign("linked", more);
	assert_int_equal(symlink("linked", folder_at("way")), 0);
	m = loader_open("way", "", loader_options(MTLOG_HOLD_COPY), 0, "");
	assert_int_equal(mtlog_model_files(m), 2);
	assert_int_equal(mtlog_model_read(m, "b", text, 16, 0), 8);
	assert_string_equal(text, "contents");
	mtlog_model_free(m);
	loader_put("outside", "contents");
	assert_int_equal(unlink(folder_at("linked/b")), 0);
	assert_int_equal(symlink("../outside", folder_at("linked/b")), 0);
	loader_refused("linked", loader_options(0), 10, "file-type");
	assert_int_equal(unlink(folder_at("linked/b")), 0);
	assert_int_equal(symlink("b", folder_at("linked/b")), 0);
	loader_refused("linked", loader_options(0), 10, "file-type");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_scratch),
	    cmocka_unit_test(test_open),
	    cmocka_unit_test(test_lease),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_folder_of_links),
	    cmocka_unit_test(test_child_reads),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_single_file),
	    cmocka_unit_test(test_shards),
	    cmocka_unit_test(test_links),
	};

	return cmocka_run_group_tests(tests, setup, loader_teardown);
}
