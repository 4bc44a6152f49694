/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/support/store_place.h"

/* What only a store in files can do wrong, or have done to it. */

/* Opening the file drops this process's locks on it: only where nobody else
 * writes. */
static struct bytes
slurp(const struct place *p, const char *name)
{
	char path[128];
	struct stat st;
	path_in(p, name, path);
	if (stat(path, &st) || st.st_size == 0)
		return (struct bytes){0};
	uint8_t *data = malloc((size_t)st.st_size);
	FILE *f = fopen(path, "rb");
	assert_non_null(data);
	assert_non_null(f);
	assert_int_equal(fread(data, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	return bytes_of(data, (size_t)st.st_size);
}

static void
spill(const struct place *p, const char *name, long at, struct bytes data)
{
	char path[128];
	path_in(p, name, path);
	FILE *f = fopen(path, at < 0 ? "wb" : "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, at < 0 ? 0 : at, SEEK_SET), 0);
	if (data.len)
		assert_int_equal(fwrite(data.ptr, 1, data.len, f), data.len);
	fclose(f);
}

static void
test_reopen(void **state)
{
	struct place p;
	(void)state;
	make_place(&p, &store_sqlite);
	must_append(&p, 0, 300);
	close_place(&p); /* leaves everything in the write-ahead log */
	open_place(&p);
	assert_int_equal(size_of(&p), 300);
	must_append(&p, 300, 10);
	must_read(&p, 0, 310);
	end_place(&p);
}

/* Looking at a log, beside its server or after a failure, changes no byte. */
static void
test_read_only(void **state)
{
	struct place p;
	struct error err = {0};
	uint64_t size = 0;
	(void)state;
	make_place(&p, &store_sqlite);
	must_append(&p, 0, 300);
	struct bytes log = slurp(&p, "log.db"), wal = slurp(&p, "log.db-wal");
	assert_true(wal.len > 0);
	struct place q = p;
	q.store = store_sqlite.open(p.dir, true, &err);
	must(q.store != NULL, &err);
	q.reader = store_sqlite.reader_open(q.store, &err);
	must(q.reader != NULL, &err);
	must(store_sqlite.size(q.store, &size, &err), &err);
	assert_int_equal(size, 300);
	must_read(&q, 0, 300);
	must_append(&p, 300, 1); /* and it follows */
	assert_int_equal(size_of(&q), 301);
	must(store_sqlite.truncate(p.store, 300, &err), &err);
	free((void *)(uintptr_t)log.ptr);
	free((void *)(uintptr_t)wal.ptr);
	log = slurp(&p, "log.db");
	wal = slurp(&p, "log.db-wal");
	refused(
	    append(&q, 300, 1, NULL, 0, &err), &err, ERR_IO, "store-read-only");
	assert_false(store_sqlite.truncate(q.store, 0, &err));
	assert_false(store_sqlite.settle(q.store, &err));
	assert_false(store_sqlite.compact(q.store, &err));
	close_place(&p);
	close_place(&q); /* the last one leaves nothing, either */
	struct bytes log2 = slurp(&p, "log.db"), wal2 = slurp(&p, "log.db-wal");
	assert_true(bytes_equal(log, log2));
	assert_true(bytes_equal(wal, wal2));
	free((void *)(uintptr_t)log.ptr);
	free((void *)(uintptr_t)wal.ptr);
	free((void *)(uintptr_t)log2.ptr);
	free((void *)(uintptr_t)wal2.ptr);
	remove_dir(&p);
}

static void
test_create_refuses(void **state)
{
	static const char *const names[] = {"log.db", "log.db-wal"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct place p;
		struct error err = {0};
		make_dir(&p);
		spill(&p, names[i], -1, BYTES_LIT("x"));
		refused(store_sqlite.create(p.dir, &err), &err, ERR_CONFLICT,
		    "conflict");
		struct bytes left = slurp(&p, names[i]);
		assert_true(bytes_equal(left, BYTES_LIT("x")));
		free((void *)(uintptr_t)left.ptr);
		remove_dir(&p);
	}
	struct error err = {0};
	assert_false(store_sqlite.create("/nonexistent/folder", &err));
	assert_int_equal(err.code, ERR_IO);
}

/* What is in the place of a log, and what is said about it. */
static void
test_open_refuses(void **state)
{
	static const struct {
		const char *name;
		long at; /* < 0: instead of the file */
		struct bytes data;
		enum error_code code;
		const char *reason;
	} cases[] = {
	    {"empty", -1, {0}, ERR_IO, "store-corrupt"},
	    {"text", -1,
		BYTES_LIT("not a database at all, but long enough "
			  "to be looked at: 0123456789 0123456789 "
			  "0123456789 0123456789"),
		ERR_IO, "store-corrupt"},
	    {"magic", 0, BYTES_LIT("SQLite format 4"), ERR_IO, "store-corrupt"},
	    {"application id", 68, BYTES_LIT("abcd"), ERR_IO, "store-corrupt"},
	    {"version", 60, BYTES_LIT("\0\0\0\3"), ERR_IO, "store-version"},
	    {"schema", 100, BYTES_LIT("\7\7\7\7\7\7\7\7"), ERR_IO,
		"store-corrupt"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		struct error err = {0};
		print_message("  %s\n", cases[i].name);
		make_place(&p, &store_sqlite);
		close_place(&p);
		spill(&p, "log.db", cases[i].at, cases[i].data);
		for (int read_only = 0; read_only < 2; read_only++) {
			err = (struct error){0};
			refused(
			    store_sqlite.open(p.dir, read_only, &err) != NULL,
			    &err, cases[i].code, cases[i].reason);
		}
		remove_dir(&p);
	}
}

static void
test_open_missing(void **state)
{
	struct place p;
	struct error err = {0};
	(void)state;
	make_dir(&p);
	refused(store_sqlite.open(p.dir, false, &err) != NULL, &err,
	    ERR_NOTFOUND, "not-found");
	err = (struct error){0};
	refused(store_sqlite.open(p.dir, true, &err) != NULL, &err,
	    ERR_NOTFOUND, "not-found");
	remove_dir(&p); /* nothing was made */
}

/* Damage found by a reader stops the writer. */
static void
test_damage(void **state)
{
	struct place p;
	struct error err = {0};
	uint64_t seen = 0;
	uint8_t garbage[4096];
	(void)state;
	memset(garbage, 0xff, sizeof(garbage));
	make_place(&p, &store_sqlite);
	must_append(&p, 0, 2000);
	must(store_sqlite.settle(p.store, &err), &err);
	close_place(&p);
	spill(&p, "log.db", 4096L * 30, bytes_of(garbage, sizeof(garbage)));
	open_place(&p);
	refused(store_sqlite.read_entries(
		    p.reader, 0, 2000, count_leaf, &seen, &err),
	    &err, ERR_IO, "store-corrupt");
	err = (struct error){0};
	refused(
	    append(&p, 2000, 1, NULL, 0, &err), &err, ERR_IO, "store-corrupt");
	must_read(&p, 0, 16); /* other pages are still read */
	end_place(&p);
}

static void
test_identity(void **state)
{
	struct place p;
	struct error err = {0};
	struct stat st;
	char path[128];
	uint64_t id = 0;
	(void)state;
	make_place(&p, &store_sqlite);
	path_in(&p, "log.db", path);
	must(store_sqlite.identity(p.store, &id, &err), &err);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(id, st.st_ino);
	end_place(&p);
}

/* With slow readers always in the way the log must stay small enough. */
struct shared {
	struct place *place;
	atomic_uint_least64_t published;
	atomic_bool stop, failed;
};

static unsigned leaf_us;

static bool
slow_leaf(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	usleep(leaf_us);
	return count_leaf(arg, index, leaf, err);
}

static void *
read_slowly(void *arg)
{
	struct shared *s = arg;
	const struct store_backend *b = s->place->backend;
	struct error err = {0};
	struct store_reader *r = b->reader_open(s->place->store, &err);
	while (r && !atomic_load(&s->stop)) {
		uint64_t size = atomic_load(&s->published), seen = 0;
		uint64_t most = leaf_us > 1000 ? 200 : 2000;
		if (!b->read_entries(r, 0, size < most ? size : most, slow_leaf,
			&seen, &err))
			atomic_store(&s->failed, true);
	}
	b->reader_close(r);
	return NULL;
}

static void
wal_stays_small(unsigned us)
{
	struct place p;
	struct error err = {0};
	struct shared s = {.place = &p};
	pthread_t thread[2];
	off_t largest = 0;
	char path[128];
	leaf_us = us;
	make_place(&p, &store_sqlite);
	path_in(&p, "log.db-wal", path);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, read_slowly, &s), 0);
	for (uint64_t i = 0; i < 300; i++) {
		struct stat st;
		must_append(&p, i * 200, 200);
		must(store_sqlite.compact(p.store, &err), &err);
		atomic_store(&s.published, (i + 1) * 200);
		assert_int_equal(stat(path, &st), 0);
		if (st.st_size > largest)
			largest = st.st_size;
	}
	atomic_store(&s.stop, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_false(atomic_load(&s.failed));
	print_message(
	    "  write-ahead log: at most %lld bytes\n", (long long)largest);
	assert_in_range(largest, 4 << 20, 16 << 20);
	must(store_sqlite.settle(p.store, &err), &err);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	end_place(&p);
}

static void
test_wal_stays_small(void **state)
{
	(void)state;
	wal_stays_small(20);
}

/* Reading 200 entries takes four seconds, but no transaction more than one. */
static void
test_wal_with_slow_readers(void **state)
{
	(void)state;
	wal_stays_small(20000);
}

/* One who stays within a transaction: the writer stops before the log is too
 * large, and goes on afterwards. */
static bool
write_meanwhile(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct place *p = arg;
	struct error full = {0};
	char path[128];
	struct stat st;
	(void)index;
	(void)leaf;
	(void)err;
	path_in(p, "log.db-wal", path);
	while (append(p, size_of(p), 200, NULL, 0, &full)) {
		must(store_sqlite.compact(p->store, &full), &full);
		assert_int_equal(stat(path, &st), 0);
		assert_in_range(st.st_size, 1, 16 << 20);
	}
	refused(false, &full, ERR_UNAVAILABLE, "store-busy");
	return true;
}

static void
test_wal_held(void **state)
{
	struct place p;
	struct error err = {0};
	(void)state;
	make_place(&p, &store_sqlite);
	must_append(&p, 0, 1);
	must(store_sqlite.read_entries(
		 p.reader, 0, 1, write_meanwhile, &p, &err),
	    &err);
	must_append(&p, size_of(&p), 1);
	must_read(&p, 0, size_of(&p));
	end_place(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reopen),
	    cmocka_unit_test(test_read_only),
	    cmocka_unit_test(test_create_refuses),
	    cmocka_unit_test(test_open_refuses),
	    cmocka_unit_test(test_open_missing),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_identity),
	    cmocka_unit_test(test_wal_stays_small),
	    cmocka_unit_test(test_wal_with_slow_readers),
	    cmocka_unit_test(test_wal_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
