/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "server/store/index.h"

#define SIGNERS 3

struct place {
	char dir[64];
	struct index_file *file;
	struct index_reader *reader;
};

static void
must(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s (%s)", err->text, error_reason_name(err));
}

static void
path_in(const struct place *p, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", p->dir, name);
}

static void
make_dir(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/mtlog#index.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
}

static void
open_place(struct place *p)
{
	struct error err = {0};
	p->file = index_open(p->dir, false, &err);
	must(p->file != NULL, &err);
	p->reader = index_reader_open(p->file, &err);
	must(p->reader != NULL, &err);
}

static void
close_place(struct place *p)
{
	index_reader_close(p->reader);
	index_close(p->file);
}

static void
remove_dir(struct place *p)
{
	static const char *const names[] = {
	    "index.db", "index.db-wal", "index.db-shm"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		path_in(p, names[i], path);
		unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
}

static struct hash
key_of(enum index_kind kind, uint64_t n)
{
	struct hash h;
	uint64_t x = (n * 4 + kind + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (size_t i = 0; i < HASH_LEN; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		h.b[i] = (uint8_t)x;
	}
	return h;
}

/* The rows of entry i: own leaf, a digest shared by two, one of few signers. */
static void
rows_of(uint64_t i, struct index_row out[3])
{
	out[0] = (struct index_row){INDEX_LEAF, key_of(INDEX_LEAF, i), i};
	out[1] =
	    (struct index_row){INDEX_DIGEST, key_of(INDEX_DIGEST, i / 2), i};
	out[2] = (struct index_row){
	    INDEX_SIGNER, key_of(INDEX_SIGNER, i % SIGNERS), i};
}

static struct hash
root_of(uint64_t size)
{
	return key_of(INDEX_LEAF, size + 1000000007);
}

static void
add(struct place *p, uint64_t first, uint64_t end)
{
	struct error err = {0};
	size_t count = (size_t)(end - first) * 3;
	struct index_row *rows = calloc(count + 1, sizeof(*rows));
	struct hash root = root_of(end);
	for (uint64_t i = first; i < end; i++)
		rows_of(i, &rows[(i - first) * 3]);
	struct index_marker marker = {.size = end, .root = root, .links = end};
	must(index_append(p->file, rows, count, &marker, &err), &err);
	free(rows);
}

static void
expect_marker(struct place *p, uint64_t size)
{
	struct error err = {0};
	struct index_marker got;
	struct hash want = root_of(size);
	if (size == 0)
		memset(&want, 0, sizeof(want));
	must(index_marker(p->file, &got, &err), &err);
	assert_int_equal(got.size, size);
	assert_int_equal(got.links, size);
	assert_true(hash_equal(&got.root, &want));
}

static size_t
find(struct place *p, enum index_kind kind, uint64_t n, uint64_t from,
    bool newest, size_t max, uint64_t *out)
{
	struct error err = {0};
	struct hash key = key_of(kind, n);
	size_t count = 77;
	uint64_t marker = 77;
	must(index_find(p->reader, kind, &key, from, newest, max, out, &count,
		 &marker, &err),
	    &err);
	struct index_marker now;
	must(index_marker(p->file, &now, &err), &err);
	assert_int_equal(marker, now.size);
	return count;
}

static void
test_empty(void **state)
{
	struct place p;
	uint64_t out[4];
	(void)state;
	make_dir(&p);
	open_place(&p);
	expect_marker(&p, 0);
	assert_int_equal(find(&p, INDEX_LEAF, 0, 0, false, 4, out), 0);
	close_place(&p);
	remove_dir(&p);
}

/* Each answer against what a plain search of 0..size-1 gives. */
static void
check_signer(
    struct place *p, uint64_t size, uint64_t from, bool newest, size_t max)
{
	uint64_t out[64], want[64];
	size_t n = 0;
	uint64_t at = newest && from >= size ? size - 1 : from;
	for (; n < max && at < size; at = newest ? at - 1 : at + 1)
		if (at % SIGNERS == 1)
			want[n++] = at;
	assert_int_equal(find(p, INDEX_SIGNER, 1, from, newest, max, out), n);
	assert_memory_equal(out, want, n * sizeof(out[0]));
}

static void
test_find(void **state)
{
	static const uint64_t froms[] = {
	    0, 1, 2, 500, 998, 999, 1000, 5000, UINT64_MAX};
	struct place p;
	uint64_t out[4];
	(void)state;
	make_dir(&p);
	open_place(&p);
	for (uint64_t i = 0; i < 1000; i += 100)
		add(&p, i, i + 100);
	expect_marker(&p, 1000);
	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(
		    find(&p, INDEX_LEAF, i, 0, i % 2, 4, out), i % 2 == 0);
		assert_int_equal(find(&p, INDEX_LEAF, i, i, i % 2, 4, out), 1);
		assert_int_equal(out[0], i);
	}
	assert_int_equal(find(&p, INDEX_LEAF, 1000, 0, false, 4, out), 0);
	/* a kind is part of the key */
	struct hash leaf = key_of(INDEX_LEAF, 5);
	struct error err = {0};
	size_t count;
	uint64_t marker;
	must(index_find(p.reader, INDEX_DIGEST, &leaf, 0, false, 4, out, &count,
		 &marker, &err),
	    &err);
	assert_int_equal(count, 0);
	assert_int_equal(find(&p, INDEX_DIGEST, 8, 0, false, 4, out), 2);
	assert_int_equal(out[0], 16);
	assert_int_equal(out[1], 17);
	assert_int_equal(find(&p, INDEX_DIGEST, 8, 17, false, 4, out), 1);
	for (size_t i = 0; i < sizeof(froms) / sizeof(froms[0]); i++)
		for (size_t max = 0; max < 60; max += 7) {
			check_signer(&p, 1000, froms[i], false, max);
			check_signer(&p, 1000, froms[i], true, max);
		}
	close_place(&p);
	remove_dir(&p);
}

struct scan {
	uint64_t rows, sum;
	struct index_row last;
	size_t stop_at;
};

static bool
scan_row(void *arg, const struct index_row *row, struct error *err)
{
	struct scan *s = arg;
	if (s->rows > 0) {
		int order = row->kind != s->last.kind
		    ? (int)row->kind - (int)s->last.kind
		    : memcmp(row->key.b, s->last.key.b, HASH_LEN);
		if (order < 0 || (order == 0 && row->index <= s->last.index))
			return error_set(err, ERR_INTERNAL, "out of order");
	}
	s->last = *row;
	s->rows++;
	s->sum += row->index * row->kind;
	return s->rows != s->stop_at || error_set(err, ERR_DENIED, "enough");
}

static void
check_scan(struct place *p, uint64_t size)
{
	struct error err = {0};
	struct scan s = {0};
	must(index_scan(p->reader, scan_row, &s, &err), &err);
	assert_int_equal(s.rows, size * 3);
	assert_int_equal(s.sum, size * (size - 1) / 2 * (1 + 2 + 3));
}

static uint64_t
count_of(const struct place *p, const char *sql)
{
	char path[128];
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	path_in(p, "index.db", path);
	assert_int_equal(
	    sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(
	    sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	uint64_t n = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

/* Enough full runs that they are merged, found and scanned all the while. */
static void
test_runs(void **state)
{
	const uint64_t batch = 46000; /* with 3 rows each: a full run */
	struct place p;
	uint64_t out[4];
	struct stat st;
	char wal[128];
	(void)state;
	make_dir(&p);
	open_place(&p);
	path_in(&p, "index.db-wal", wal);
	for (uint64_t b = 0; b < 9; b++) {
		uint64_t size = (b + 1) * batch;
		add(&p, b * batch, size);
		assert_int_equal(stat(wal, &st), 0);
		assert_in_range(st.st_size, 0, 16 << 20);
		for (uint64_t i = 17; i < size; i += size / 50) {
			assert_int_equal(
			    find(&p, INDEX_LEAF, i, 0, false, 4, out), 1);
			assert_int_equal(out[0], i);
		}
		check_signer(&p, size, size / 2, false, 60);
		check_signer(&p, size, size / 2, true, 60);
		check_signer(&p, size, UINT64_MAX, true, 60);
		if (b == 4)
			check_scan(&p, size);
	}
	check_scan(&p, 9 * batch);
	/* Nine runs made two larger ones and a rest, each row in one of them.
	 */
	assert_int_equal(
	    count_of(&p, "SELECT count(*) FROM lookup"), 9 * batch * 3);
	assert_in_range(count_of(&p, "SELECT count(*) FROM runs"), 2, 7);
	assert_int_equal(count_of(&p, "SELECT max(tier) FROM runs"), 1);
	close_place(&p);
	open_place(&p);
	expect_marker(&p, 9 * batch);
	check_scan(&p, 9 * batch);
	struct scan s = {.stop_at = 10000};
	struct error err = {0};
	assert_false(index_scan(p.reader, scan_row, &s, &err));
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(s.rows, 10000);
	err = (struct error){0};
	must(index_reset(p.file, &err), &err);
	expect_marker(&p, 0);
	check_scan(&p, 0);
	add(&p, 0, 10);
	check_scan(&p, 10);
	close_place(&p);
	remove_dir(&p);
}

/* Replayed rows count once, in whatever run they are. */
static void
test_replay(void **state)
{
	struct place p;
	uint64_t out[8];
	(void)state;
	make_dir(&p);
	open_place(&p);
	add(&p, 0, 46000);
	add(&p, 0, 46000);
	add(&p, 45000, 46010);
	add(&p, 46000, 46010);
	assert_int_equal(find(&p, INDEX_LEAF, 45500, 0, false, 8, out), 1);
	assert_int_equal(find(&p, INDEX_DIGEST, 22750, 0, true, 8, out), 0);
	assert_int_equal(
	    find(&p, INDEX_DIGEST, 22750, UINT64_MAX, true, 8, out), 2);
	assert_int_equal(out[0], 45501);
	assert_int_equal(out[1], 45500);
	check_signer(&p, 46010, 0, false, 60);
	check_signer(&p, 46010, UINT64_MAX, true, 60);
	check_scan(&p, 46010);
	close_place(&p);
	remove_dir(&p);
}

/* Rows of links: any kind, entries that were there before, and out again. */
static void
test_links(void **state)
{
	struct place p;
	uint64_t out[4];
	struct error err = {0};
	struct index_row rows[INDEX_KINDS - INDEX_STATEMENT][2];
	struct index_marker marker = {.size = 20, .root = root_of(20)};
	(void)state;
	make_dir(&p);
	open_place(&p);
	add(&p, 0, 20);
	for (size_t k = 0; k < INDEX_KINDS - INDEX_STATEMENT; k++) {
		enum index_kind kind = (enum index_kind)(INDEX_STATEMENT + k);
		rows[k][0] = (struct index_row){kind, key_of(kind, 1), 7};
		rows[k][1] = (struct index_row){kind, key_of(kind, 1), 3};
	}
	size_t n = sizeof(rows) / sizeof(rows[0][0]);
	for (marker.links = 21; marker.links < 24; marker.links++)
		must(index_append(p.file, rows[0], n, &marker, &err), &err);
	marker.links = 77;
	must(index_marker(p.file, &marker, &err), &err);
	assert_int_equal(marker.links, 23);
	for (size_t k = 0; k < INDEX_KINDS - INDEX_STATEMENT; k++) {
		enum index_kind kind = (enum index_kind)(INDEX_STATEMENT + k);
		assert_int_equal(find(&p, kind, 1, 0, false, 4, out), 2);
		assert_true(out[0] == 3 && out[1] == 7);
		assert_int_equal(find(&p, kind, 2, 0, false, 4, out), 0);
	}
	must(index_drop_rows(p.file, rows[2], 1, &err), &err);
	must(index_drop_rows(p.file, rows[2], 1, &err), &err); /* not there */
	must(index_drop_rows(p.file, NULL, 0, &err), &err);
	assert_int_equal(find(&p, rows[2][0].kind, 1, 0, false, 4, out), 1);
	must(index_marker(p.file, &marker, &err), &err);
	assert_int_equal(marker.links, 23);
	close_place(&p);
	remove_dir(&p);
}

static void
test_append_refuses(void **state)
{
	static const struct index_row cases[] = {
	    {.kind = (enum index_kind)0, .index = 1},
	    {.kind = INDEX_KINDS, .index = 1},
	    {.kind = INDEX_LEAF, .index = UINT64_MAX},
	    {.kind = INDEX_LEAF, .index = (uint64_t)INT64_MAX + 1},
	};
	struct place p;
	(void)state;
	make_dir(&p);
	open_place(&p);
	add(&p, 0, 10);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct hash root = root_of(20);
		struct index_row rows[2] = {
		    {INDEX_LEAF, key_of(INDEX_LEAF, 11), 11}, cases[i]};
		assert_false(index_append(p.file, rows, 2,
		    &(struct index_marker){20, root, 0}, &err));
		assert_int_equal(err.code, ERR_USAGE);
		expect_marker(&p, 10);
	}
	check_scan(&p, 10);
	close_place(&p);
	remove_dir(&p);
}

static void
damage(const struct place *p, long at, const char *text, size_t len)
{
	char path[128];
	path_in(p, "index.db", path);
	FILE *f = fopen(path, at < 0 ? "wb" : "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, at < 0 ? 0 : at, SEEK_SET), 0);
	if (len)
		assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

/* What is not a sound index is made anew by the writer, and left alone by a
 * reader. */
static void
test_damage(void **state)
{
	static const struct {
		const char *name;
		long at;
		const char *text;
		size_t len;
	} cases[] = {
	    {"empty", -1, NULL, 0},
	    {"text", -1, "not a database", 14},
	    {"magic", 0, "SQLite format 4", 16},
	    {"application id", 68, "abcd", 4},
	    {"version", 60, "\0\0\0\3", 4},
	    {"schema", 100, "\7\7\7\7\7\7\7\7", 8},
	    {"first page of a table", 8192, "\7\7\7\7\7\7\7\7", 8},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		struct error err = {0};
		char wal[128];
		print_message("  %s\n", cases[i].name);
		make_dir(&p);
		open_place(&p);
		add(&p, 0, 50000);
		close_place(&p);
		path_in(&p, "index.db-wal", wal);
		assert_int_equal(unlink(wal), 0);
		damage(&p, cases[i].at, cases[i].text, cases[i].len);
		assert_null(index_open(p.dir, true, &err));
		assert_int_equal(err.code, ERR_IO);
		open_place(&p);
		expect_marker(&p, 0);
		add(&p, 0, 10);
		check_scan(&p, 10);
		close_place(&p);
		remove_dir(&p);
	}
}

static void
test_read_only(void **state)
{
	struct place p;
	struct error err = {0};
	struct hash root = root_of(1);
	(void)state;
	make_dir(&p);
	assert_null(index_open(p.dir, true, &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
	open_place(&p);
	add(&p, 0, 100);
	err = (struct error){0};
	struct place q = p;
	q.file = index_open(p.dir, true, &err);
	must(q.file != NULL, &err);
	q.reader = index_reader_open(q.file, &err);
	must(q.reader != NULL, &err);
	expect_marker(&q, 100);
	check_scan(&q, 100);
	add(&p, 100, 200);
	expect_marker(&q, 200);
	assert_false(index_append(
	    q.file, NULL, 0, &(struct index_marker){1, root, 0}, &err));
	assert_string_equal(error_reason_name(&err), "index-read-only");
	err = (struct error){0};
	assert_false(index_reset(q.file, &err));
	err = (struct error){0};
	assert_false(index_compact(q.file, &err));
	close_place(&q);
	close_place(&p);
	remove_dir(&p);
}

/* A write that failed leaves who knows what: the index is given up. */
static void
test_broken(void **state)
{
	struct place p;
	struct error err = {0};
	struct rlimit old, small = {.rlim_cur = 100000};
	struct hash root = root_of(5000);
	struct index_row rows[3];
	(void)state;
	make_dir(&p);
	open_place(&p);
	add(&p, 0, 100);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	bool ok = true;
	uint64_t i = 100;
	for (; ok && i < 5000; i++) {
		rows_of(i, rows);
		ok = index_append(p.file, rows, 3,
		    &(struct index_marker){i + 1, root, 0}, &err);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(ok);
	assert_int_equal(err.code, ERR_IO);
	err = (struct error){0};
	rows_of(i, rows);
	assert_false(index_append(
	    p.file, rows, 3, &(struct index_marker){i + 1, root, 0}, &err));
	assert_string_equal(error_reason_name(&err), "index-broken");
	close_place(&p);
	open_place(&p);
	expect_marker(&p, 0);
	add(&p, 0, 100);
	check_scan(&p, 100);
	close_place(&p);
	remove_dir(&p);
}

/* A reader sees every row below the marker it is told, during merges too. */
struct shared {
	struct place *place;
	atomic_bool stop, failed;
};

static void *
read_along(void *arg)
{
	struct shared *s = arg;
	struct error err = {0};
	struct index_reader *r = index_reader_open(s->place->file, &err);
	uint64_t n = 1, size = 1;
	while (r && !atomic_load(&s->stop)) {
		uint64_t out[4];
		size_t count;
		uint64_t i = n++ * 7919 % size;
		struct hash key = key_of(INDEX_LEAF, i);
		if (!index_find(r, INDEX_LEAF, &key, 0, false, 4, out, &count,
			&size, &err) ||
		    (i < size && (count != 1 || out[0] != i)))
			break;
		size = size ? size : 1;
	}
	if (!atomic_load(&s->stop))
		atomic_store(&s->failed, true);
	index_reader_close(r);
	return NULL;
}

static void
test_readers(void **state)
{
	struct place p;
	pthread_t thread;
	(void)state;
	make_dir(&p);
	open_place(&p);
	struct shared s = {.place = &p};
	assert_int_equal(pthread_create(&thread, NULL, read_along, &s), 0);
	for (uint64_t i = 0; i < 6; i++)
		add(&p, i * 46000, (i + 1) * 46000);
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	assert_false(atomic_load(&s.failed));
	close_place(&p);
	remove_dir(&p);
}

/* How many of 0..size-1 a held snapshot finds, and which marker it tells. */
static void
held_has(struct place *p, uint64_t size)
{
	struct error err = {0};
	uint64_t out[4], marker = 77;
	size_t count = 77;
	for (uint64_t i = 0; i < 400; i += 57) {
		struct hash key = key_of(INDEX_LEAF, i);
		must(index_find(p->reader, INDEX_LEAF, &key, 0, false, 4, out,
			 &count, &marker, &err),
		    &err);
		assert_int_equal(count, i < size);
		assert_int_equal(marker, size);
	}
}

static void
test_hold(void **state)
{
	struct place p;
	struct error err = {0};
	(void)state;
	make_dir(&p);
	open_place(&p);
	add(&p, 0, 100);
	must(index_reader_hold(p.reader, &err), &err);
	held_has(&p, 100);
	add(&p, 100, 300);
	held_has(&p, 100);
	must(index_reader_hold(p.reader, &err), &err);
	held_has(&p, 300);
	add(&p, 300, 400);
	held_has(&p, 300);
	index_reader_rest(p.reader);
	index_reader_rest(p.reader);
	held_has(&p, 400);
	must(index_reader_hold(p.reader, &err), &err);
	must(index_reset(p.file, &err), &err);
	held_has(&p, 400);
	index_reader_rest(p.reader);
	held_has(&p, 0);
	close_place(&p);
	remove_dir(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_runs),
	    cmocka_unit_test(test_replay),
	    cmocka_unit_test(test_links),
	    cmocka_unit_test(test_append_refuses),
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_read_only),
	    cmocka_unit_test(test_broken),
	    cmocka_unit_test(test_hold),
	    cmocka_unit_test(test_readers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
