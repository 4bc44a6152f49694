/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "schema/sqlite/index.h"
#include "server/store/durable.h"
#include "server/store/index_runs.h"
#include "server/store/sqlite_util.h"

/*
 * index.db. Rows and marker change in one transaction, so whatever a crash
 * leaves is a complete index of some older tree; synchronous=NORMAL loses the
 * last batches in a power cut, which are replayed from the log. After a write
 * that failed for another reason than space the file is removed at once: it
 * may hold anything after a power cut, and the next start makes a new one.
 */
#define INDEX_FILE     "index.db"
#define PAGE_SIZE      8192
#define FRAME_LEN      (PAGE_SIZE + 24)
#define WRITER_KIB     16384
#define READER_KIB     2048
#define WAL_SOFT       (4u << 20)
#define WAL_HARD       (12u << 20)
#define SCAN_ROWS      4096
#define APPLICATION_ID 0x6d746c69
#define FORMAT_VERSION 2

static const struct sqlite_format index_format = {
    .what = "lookup index",
    .application_id = APPLICATION_ID,
    .version = FORMAT_VERSION,
};

static const char sql_marker[] =
    "SELECT size, root, links FROM marker WHERE id = 1";
static const char sql_move[] =
    "UPDATE marker SET size = ?1, root = ?2, links = ?3 WHERE id = 1";
static const char sql_up[] =
    "SELECT idx FROM lookup WHERE run = ?1 AND kind = ?2 AND key = ?3"
    " AND idx >= ?4 ORDER BY idx LIMIT ?5";
static const char sql_down[] =
    "SELECT idx FROM lookup WHERE run = ?1 AND kind = ?2 AND key = ?3"
    " AND idx <= ?4 ORDER BY idx DESC LIMIT ?5";
static const char sql_reset[] =
    "DELETE FROM lookup; DELETE FROM runs;"
    "UPDATE marker SET size = 0, root = zeroblob(32), links = 0;";

struct index_file {
	char *dir;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *marker;
	bool read_only;
	bool broken;
	uint64_t wal_bytes;
	size_t debt; /* rows that merging still has to keep up with */
};

struct index_reader {
	sqlite3 *db;
	sqlite3_stmt *begin, *end, *marker, *runs, *up, *down;
	bool held;	      /* a snapshot is kept */
	uint64_t size;	      /* of the snapshot: its marker */
	struct run_list list; /* and its runs */
};

static void
disconnect(struct index_file *f)
{
	sqlite3_finalize(f->marker);
	sqlite3_close(f->db);
	f->marker = NULL;
	f->db = NULL;
}

void
index_close(struct index_file *f)
{
	if (!f)
		return;
	disconnect(f);
	free(f->path);
	free(f->dir);
	free(f);
}

static struct sqlite_config
config_of(const struct index_file *f, enum sqlite_access access)
{
	return (struct sqlite_config){
	    .path = f->path,
	    .access = access,
	    .synchronous = "NORMAL",
	    .cache_kib = access == CONNECT_READ ? READER_KIB : WRITER_KIB,
	    .page_size = PAGE_SIZE,
	};
}

static int
note_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
	(void)db;
	(void)name;
	struct index_file *f = arg;
	f->wal_bytes = (uint64_t)frames * FRAME_LEN;
	return SQLITE_OK;
}

/* The first row of every run can be reached and looks like one. */
static bool
probe_runs(struct index_file *f, struct error *err)
{
	struct run_list runs;
	struct index_row row;
	size_t count;
	return runs_list(f->db, &runs, err) &&
	    runs_read(f->db, &runs, NULL, &row, 1, &count, err);
}

static bool
connect_file(struct index_file *f, struct error *err)
{
	struct index_marker marker;
	struct sqlite_config c =
	    config_of(f, f->read_only ? CONNECT_READ : CONNECT_WRITE);
	f->db = sqlite_connect(&c, err);
	if (!f->db || !sqlite_check(f->db, &index_format, err) ||
	    !sqlite_prepare(f->db, sql_marker, &f->marker, err))
		return false;
	sqlite3_wal_hook(f->db, note_commit, f);
	return index_marker(f, &marker, err) && probe_runs(f, err);
}

/* Removes the file and what belongs to it. */
static bool
remove_files(const struct index_file *f, struct error *err)
{
	static const char *const names[] = {
	    INDEX_FILE, INDEX_FILE "-wal", INDEX_FILE "-shm"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = durable_path(f->dir, names[i]);
		if (!path)
			return error_set(err, ERR_INTERNAL, "no memory");
		int failed = unlink(path) && errno != ENOENT ? errno : 0;
		free(path);
		if (failed)
			return error_set(err, ERR_IO, "cannot remove %s: %s",
			    names[i], strerror(failed));
	}
	return durable_sync_dir(f->dir, err);
}

bool
index_remove(struct index_file *f, struct error *err)
{
	return remove_files(f, err);
}

static bool
make_file(struct index_file *f, struct error *err)
{
	if (!remove_files(f, err))
		return false;
	struct sqlite_config c = config_of(f, CONNECT_MAKE);
	AUTO_PTR(sqlite3) db = sqlite_connect(&c, err);
	return db && sqlite_make(db, schema_sqlite_index, &index_format, err) &&
	    durable_sync_dir(f->dir, err);
}

/* Whether a new file would cure it: not if the disk or a lock is the cause. */
static bool
is_curable(const struct error *err)
{
	if (err->code == ERR_UNAVAILABLE)
		return false;
	return err->code != ERR_IO ||
	    strcmp(error_reason_name(err), "store-failed") != 0;
}

static bool
open_or_make(struct index_file *f, struct error *err)
{
	struct error first = {0};
	if (connect_file(f, &first))
		return true;
	disconnect(f);
	if (f->read_only || !is_curable(&first)) {
		*err = first;
		return false;
	}
	return make_file(f, err) && connect_file(f, err);
}

struct index_file *
index_open(const char *dir, bool read_only, struct error *err)
{
	struct index_file *f = calloc(1, sizeof(*f));
	if (f) {
		f->read_only = read_only;
		f->dir = strdup(dir);
		f->path = durable_path(dir, INDEX_FILE);
	}
	if (!f || !f->dir || !f->path)
		error_set(err, ERR_INTERNAL, "no memory for the index");
	else if (open_or_make(f, err))
		return f;
	index_close(f);
	return NULL;
}

/* Steps the marker query and takes its row; the caller resets. */
static bool
take_marker(sqlite3 *db, sqlite3_stmt *stmt, struct index_marker *out,
    struct error *err)
{
	int rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sqlite_fail(db, rc, "index marker", err);
	int64_t n = sqlite3_column_int64(stmt, 0);
	int64_t links = sqlite3_column_int64(stmt, 2);
	const void *hash = sqlite3_column_blob(stmt, 1);
	if (rc == SQLITE_DONE || n < 0 || links < 0 || !hash ||
	    sqlite3_column_bytes(stmt, 1) != HASH_LEN)
		return error_reason(err, ERR_IO, "store-corrupt",
		    "the index has no sound marker");
	out->size = (uint64_t)n;
	out->links = (uint64_t)links;
	memcpy(out->root.b, hash, HASH_LEN);
	return true;
}

bool
index_marker(struct index_file *f, struct index_marker *out, struct error *err)
{
	bool ok = take_marker(f->db, f->marker, out, err);
	sqlite3_reset(f->marker);
	return ok;
}

static bool
may_write(const struct index_file *f, struct error *err)
{
	if (f->read_only)
		return error_reason(err, ERR_IO, "index-read-only",
		    "the index was opened for reading");
	if (f->broken)
		return error_reason(err, ERR_IO, "index-broken",
		    "the index was given up: restart rebuilds it");
	return true;
}

/* Looks at how a write ended; see the top of this file. */
static bool
written(struct index_file *f, bool ok, struct error *err)
{
	struct error ignored = {0};
	if (ok)
		return true;
	if (!sqlite3_get_autocommit(f->db))
		(void)!sqlite_run(f->db, "ROLLBACK", &ignored);
	if (err->code == ERR_UNAVAILABLE)
		return false;
	f->broken = true;
	(void)!remove_files(f, &ignored);
	return false;
}

static bool
move_marker(
    struct index_file *f, const struct index_marker *marker, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(f->db, sql_move, &stmt, err))
		return false;
	sqlite3_bind_int64(stmt, 1, (sqlite3_int64)marker->size);
	sqlite3_bind_blob(stmt, 2, marker->root.b, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)marker->links);
	int rc = sqlite_step_done(stmt);
	return rc == SQLITE_OK || sqlite_fail(f->db, rc, "index marker", err);
}

static bool
in_range(const struct index_row *rows, size_t count,
    const struct index_marker *marker, struct error *err)
{
	bool ok = marker->size <= INDEX_MAX && marker->links <= INDEX_MAX;
	for (size_t i = 0; ok && i < count; i++)
		ok = rows[i].index <= INDEX_MAX && rows[i].kind >= INDEX_LEAF &&
		    rows[i].kind < INDEX_KINDS;
	return ok || error_set(err, ERR_USAGE, "index row out of range");
}

bool
index_append(struct index_file *f, struct index_row *rows, size_t count,
    const struct index_marker *marker, struct error *err)
{
	if (!may_write(f, err) || !in_range(rows, count, marker, err))
		return false;
	if (count > 0)
		qsort(rows, count, sizeof(*rows), index_row_compare);
	bool ok = sqlite_run(f->db, "BEGIN IMMEDIATE", err) &&
	    runs_add(f->db, rows, count, err) && move_marker(f, marker, err) &&
	    sqlite_run(f->db, "COMMIT", err);
	if (!written(f, ok, err))
		return false;
	f->debt += count;
	return index_compact(f, err);
}

bool
index_drop_rows(struct index_file *f, const struct index_row *rows,
    size_t count, struct error *err)
{
	if (!may_write(f, err))
		return false;
	bool ok = sqlite_run(f->db, "BEGIN IMMEDIATE", err) &&
	    runs_remove(f->db, rows, count, err) &&
	    sqlite_run(f->db, "COMMIT", err);
	return written(f, ok, err) && index_compact(f, err);
}

bool
index_reset(struct index_file *f, struct error *err)
{
	if (!may_write(f, err))
		return false;
	bool ok = sqlite_run(f->db, "BEGIN IMMEDIATE", err) &&
	    sqlite_run(f->db, sql_reset, err) &&
	    sqlite_run(f->db, "COMMIT", err);
	f->debt = 0;
	return written(f, ok, err) && index_compact(f, err);
}

static bool
checkpoint(struct index_file *f, struct error *err)
{
	if (f->wal_bytes < WAL_SOFT)
		return true;
	int mode = f->wal_bytes < WAL_HARD ? SQLITE_CHECKPOINT_PASSIVE
					   : SQLITE_CHECKPOINT_RESTART;
	int rc = sqlite3_wal_checkpoint_v2(f->db, NULL, mode, NULL, NULL);
	return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY ||
	    sqlite_fail(f->db, rc, "index checkpoint", err);
}

/*
 * Merges as many rows of each tier as were added: a tier fills no faster than
 * that. (RUNS_SLICE at a time, with checkpoints between: small rows in the
 * write-ahead log, and no long transaction.)
 */
bool
index_compact(struct index_file *f, struct error *err)
{
	if (!may_write(f, err) || !written(f, checkpoint(f, err), err))
		return false;
	while (f->debt >= RUNS_SLICE) {
		size_t moved = 0;
		if (!written(f, runs_merge_slice(f->db, &moved, err), err) ||
		    !written(f, checkpoint(f, err), err))
			return false;
		f->debt = moved > 0 ? f->debt - RUNS_SLICE : 0;
	}
	return true;
}

struct index_reader *
index_reader_open(struct index_file *f, struct error *err)
{
	struct index_reader *r = calloc(1, sizeof(*r));
	if (!r) {
		error_set(err, ERR_INTERNAL, "no memory for a reader");
		return NULL;
	}
	struct sqlite_config c = config_of(f, CONNECT_READ);
	r->db = sqlite_connect(&c, err);
	if (r->db && sqlite_prepare(r->db, "BEGIN", &r->begin, err) &&
	    sqlite_prepare(r->db, "COMMIT", &r->end, err) &&
	    sqlite_prepare(r->db, sql_marker, &r->marker, err) &&
	    sqlite_prepare(r->db, runs_sql_list, &r->runs, err) &&
	    sqlite_prepare(r->db, sql_up, &r->up, err) &&
	    sqlite_prepare(r->db, sql_down, &r->down, err))
		return r;
	index_reader_close(r);
	return NULL;
}

void
index_reader_close(struct index_reader *r)
{
	if (!r)
		return;
	sqlite3_finalize(r->begin);
	sqlite3_finalize(r->end);
	sqlite3_finalize(r->marker);
	sqlite3_finalize(r->runs);
	sqlite3_finalize(r->up);
	sqlite3_finalize(r->down);
	sqlite3_close(r->db);
	free(r);
}

/* The best `max` of what the runs give, in order, each once. */
struct found {
	uint64_t *out;
	size_t count, max;
	bool newest_first;
};

static bool
comes_before(const struct found *f, uint64_t a, uint64_t b)
{
	return f->newest_first ? a > b : a < b;
}

/* Puts `index` in its place; false when nothing after it can matter. */
static bool
found_add(struct found *f, uint64_t index)
{
	size_t at = f->count;
	while (at > 0 && comes_before(f, index, f->out[at - 1]))
		at--;
	if (at > 0 && f->out[at - 1] == index)
		return true;
	if (at == f->max)
		return false;
	size_t keep = f->count < f->max ? f->count : f->max - 1;
	memmove(&f->out[at + 1], &f->out[at], (keep - at) * sizeof(f->out[0]));
	f->out[at] = index;
	f->count = keep + 1;
	return true;
}

static bool
find_in_run(sqlite3 *db, sqlite3_stmt *stmt, int64_t run, struct found *f,
    struct error *err)
{
	int rc;
	sqlite3_bind_int64(stmt, 1, run);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t index = sqlite3_column_int64(stmt, 0);
		if (index < 0) {
			rc = SQLITE_CORRUPT;
			break;
		}
		if (!found_add(f, (uint64_t)index))
			break;
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ||
	    sqlite_fail(db, rc, "find in index", err);
}

/* Runs are mostly in the order of the log: start where the answer begins. */
static bool
find_in_runs(struct index_reader *r, sqlite3_stmt *stmt, struct found *f,
    struct error *err)
{
	const struct run_list *runs = &r->list;
	for (size_t i = 0; i < runs->count; i++) {
		size_t at = f->newest_first ? runs->count - 1 - i : i;
		if (!find_in_run(r->db, stmt, runs->id[at], f, err))
			return false;
	}
	return true;
}

/* One snapshot for the marker and all the runs. */
static bool
begin(struct index_reader *r, struct error *err)
{
	int rc = r->held ? SQLITE_OK : sqlite_step_done(r->begin);
	return rc == SQLITE_OK || sqlite_fail(r->db, rc, "read index", err);
}

static void
end(struct index_reader *r)
{
	/* nothing was written: only the snapshot goes */
	if (!r->held)
		(void)sqlite_step_done(r->end);
}

/* What every look-up needs of a snapshot. */
static bool
look_around(struct index_reader *r, struct error *err)
{
	struct index_marker marker = {0};
	bool ok = take_marker(r->db, r->marker, &marker, err);

	r->size = marker.size;
	sqlite3_reset(r->marker);
	return ok && runs_step_list(r->db, r->runs, &r->list, err);
}

bool
index_reader_hold(struct index_reader *r, struct error *err)
{
	index_reader_rest(r);
	if (!begin(r, err))
		return false;
	r->held = look_around(r, err);
	end(r);
	return r->held;
}

void
index_reader_rest(struct index_reader *r)
{
	bool held = r->held;
	r->held = false;
	if (held)
		end(r);
}

bool
index_find(struct index_reader *r, enum index_kind kind, const struct hash *key,
    uint64_t from, bool newest_first, size_t max, uint64_t *out, size_t *count,
    uint64_t *marker, struct error *err)
{
	struct found f = {.out = out, .max = max, .newest_first = newest_first};
	sqlite3_stmt *stmt = newest_first ? r->down : r->up;
	*count = 0;
	if (from > INDEX_MAX)
		from = INDEX_MAX;
	if (!begin(r, err))
		return false;
	bool ok = r->held || look_around(r, err);
	sqlite3_bind_int(stmt, 2, (int)kind);
	sqlite3_bind_blob(stmt, 3, key->b, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)from);
	sqlite3_bind_int64(
	    stmt, 5, max > INDEX_MAX ? INT64_MAX : (sqlite3_int64)max);
	ok = ok && (max == 0 || find_in_runs(r, stmt, &f, err));
	sqlite3_clear_bindings(stmt);
	end(r);
	if (ok) {
		*count = f.count;
		*marker = r->size;
	}
	return ok;
}

/* The next rows behind `after`, in a snapshot of their own. */
static bool
scan_some(struct index_reader *r, const struct index_row *after,
    struct index_row *rows, size_t *count, struct error *err)
{
	struct run_list runs;
	if (!begin(r, err))
		return false;
	bool ok = runs_step_list(r->db, r->runs, &runs, err) &&
	    runs_read(r->db, &runs, after, rows, SCAN_ROWS, count, err);
	end(r);
	return ok;
}

static bool
scan_rows(struct index_reader *r, struct index_row *rows,
    bool (*each)(void *arg, const struct index_row *row, struct error *err),
    void *arg, struct error *err)
{
	struct index_row last;
	size_t count = SCAN_ROWS;
	for (bool first = true; count == SCAN_ROWS; first = false) {
		if (!scan_some(r, first ? NULL : &last, rows, &count, err))
			return false;
		for (size_t i = 0; i < count; i++)
			if (!each(arg, &rows[i], err))
				return false;
		if (count > 0)
			last = rows[count - 1];
	}
	return true;
}

bool
index_scan(struct index_reader *r,
    bool (*each)(void *arg, const struct index_row *row, struct error *err),
    void *arg, struct error *err)
{
	struct index_row *rows = calloc(SCAN_ROWS, sizeof(*rows));
	if (!rows)
		return error_set(err, ERR_INTERNAL, "no memory to scan");
	bool ok = scan_rows(r, rows, each, arg, err);
	free(rows);
	return ok;
}
