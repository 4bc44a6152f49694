/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/index_runs.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "server/store/sqlite_util.h"

const char runs_sql_list[] = "SELECT id FROM runs ORDER BY id";

static const char sql_newest[] =
    "SELECT id, count FROM runs WHERE tier = 0 ORDER BY id DESC LIMIT 1";
static const char sql_open[] =
    "INSERT INTO runs (id, tier, count, target)"
    " VALUES ((SELECT coalesce(max(id), 0) + 1 FROM runs), ?1, 0, NULL)";
static const char sql_count[] =
    "UPDATE runs SET count = count + ?2 WHERE id = ?1";
static const char sql_insert[] =
    "INSERT OR IGNORE INTO lookup (run, kind, key, idx)"
    " VALUES (?1, ?2, ?3, ?4)";
static const char sql_cursor[] =
    "SELECT kind, key, idx FROM lookup WHERE run = ?1"
    " AND (kind, key, idx) > (?2, ?3, ?4) ORDER BY kind, key, idx LIMIT ?5";
static const char sql_delete[] = "DELETE FROM lookup WHERE run = ?1"
				 " AND (kind, key, idx) <= (?2, ?3, ?4)";
static const char sql_remove[] = "DELETE FROM lookup WHERE run = ?1"
				 " AND kind = ?2 AND key = ?3 AND idx = ?4";
static const char sql_targets[] =
    "SELECT DISTINCT target FROM runs WHERE target IS NOT NULL"
    " ORDER BY target LIMIT 1 OFFSET ?1";
static const char sql_sources[] =
    "SELECT id FROM runs WHERE target = ?1 ORDER BY id";
static const char sql_drop[] = "DELETE FROM runs WHERE target = ?1";
/* Full runs that wait. A run that is itself being filled by a merge is not
 * full yet: moving rows out of it at the same time would never end. */
static const char sql_due[] =
    "SELECT tier FROM runs AS r WHERE target IS NULL AND count >= ?1"
    " AND NOT EXISTS (SELECT 1 FROM runs WHERE target = r.id)"
    " GROUP BY tier HAVING count(*) >= ?2 LIMIT 1";
static const char sql_assign[] =
    "UPDATE runs SET target = ?1 WHERE id IN"
    " (SELECT id FROM runs AS r WHERE tier = ?2 AND target IS NULL"
    " AND count >= ?3"
    " AND NOT EXISTS (SELECT 1 FROM runs WHERE target = r.id)"
    " ORDER BY id LIMIT ?4)";

int
index_row_compare(const void *a, const void *b)
{
	const struct index_row *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	int order = memcmp(x->key.b, y->key.b, HASH_LEN);
	if (order != 0)
		return order;
	return (x->index > y->index) - (x->index < y->index);
}

bool
runs_step_list(
    sqlite3 *db, sqlite3_stmt *stmt, struct run_list *out, struct error *err)
{
	int rc;
	out->count = 0;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && out->count < RUNS_MAX)
		out->id[out->count++] = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	if (rc == SQLITE_ROW)
		return error_reason(err, ERR_IO, "store-corrupt",
		    "the index has too many runs");
	return rc == SQLITE_DONE || sqlite_fail(db, rc, "index runs", err);
}

/* The first column of every row of a query with one parameter (or none). */
static bool
read_ids(sqlite3 *db, const char *sql, int64_t parameter, struct run_list *out,
    struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(db, sql, &stmt, err))
		return false;
	if (sqlite3_bind_parameter_count(stmt) > 0)
		sqlite3_bind_int64(stmt, 1, parameter);
	return runs_step_list(db, stmt, out, err);
}

bool
runs_list(sqlite3 *db, struct run_list *out, struct error *err)
{
	return read_ids(db, runs_sql_list, 0, out, err);
}

/* One run's place in a merge. */
struct cursor {
	sqlite3_stmt *stmt;
	bool more;
	struct index_row row;
};

struct merge {
	size_t count;
	struct cursor cursor[RUNS_MAX];
};

static void
merge_release(struct merge *m)
{
	for (size_t i = 0; i < m->count; i++)
		sqlite3_finalize(m->cursor[i].stmt);
	m->count = 0;
}

static bool
cursor_next(sqlite3 *db, struct cursor *c, struct error *err)
{
	int rc = sqlite3_step(c->stmt);
	c->more = rc == SQLITE_ROW;
	if (rc == SQLITE_DONE)
		return true;
	if (rc != SQLITE_ROW)
		return sqlite_fail(db, rc, "read index", err);
	int kind = sqlite3_column_int(c->stmt, 0);
	const void *key = sqlite3_column_blob(c->stmt, 1);
	int64_t index = sqlite3_column_int64(c->stmt, 2);
	if (kind < INDEX_LEAF || kind >= INDEX_KINDS || index < 0 ||
	    sqlite3_column_bytes(c->stmt, 1) != HASH_LEN || !key)
		return error_reason(err, ERR_IO, "store-corrupt",
		    "the index has a malformed row");
	c->row.kind = (enum index_kind)kind;
	c->row.index = (uint64_t)index;
	memcpy(c->row.key.b, key, HASH_LEN);
	return true;
}

static void
bind_row(sqlite3_stmt *stmt, int64_t run, const struct index_row *row)
{
	sqlite3_bind_int64(stmt, 1, run);
	sqlite3_bind_int(stmt, 2, (int)row->kind);
	sqlite3_bind_blob(stmt, 3, row->key.b, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)row->index);
}

static bool
merge_start(sqlite3 *db, struct merge *m, const struct run_list *list,
    const struct index_row *after, size_t max, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		struct cursor *c = &m->cursor[m->count++];
		*c = (struct cursor){0};
		if (!sqlite_prepare(db, sql_cursor, &c->stmt, err))
			return false;
		bind_row(c->stmt, list->id[i], after);
		sqlite3_bind_int64(c->stmt, 5, (sqlite3_int64)max);
		if (!cursor_next(db, c, err))
			return false;
	}
	return true;
}

static struct cursor *
least(struct merge *m)
{
	struct cursor *best = NULL;
	for (size_t i = 0; i < m->count; i++) {
		struct cursor *c = &m->cursor[i];
		if (c->more &&
		    (!best || index_row_compare(&c->row, &best->row) < 0))
			best = c;
	}
	return best;
}

static bool
merge_rows(sqlite3 *db, struct merge *m, struct index_row *out, size_t max,
    size_t *count, struct error *err)
{
	size_t n = 0;
	struct cursor *c;
	while (n < max && (c = least(m))) {
		if (n == 0 || index_row_compare(&out[n - 1], &c->row) != 0)
			out[n++] = c->row;
		if (!cursor_next(db, c, err))
			return false;
	}
	*count = n;
	return true;
}

bool
runs_read(sqlite3 *db, const struct run_list *list,
    const struct index_row *after, struct index_row *out, size_t max,
    size_t *count, struct error *err)
{
	static const struct index_row start; /* before every row: kind 0 */
	struct merge *m = malloc(sizeof(*m));
	if (!m)
		return error_set(err, ERR_INTERNAL, "no memory to merge");
	m->count = 0;
	bool ok = merge_start(db, m, list, after ? after : &start, max, err) &&
	    merge_rows(db, m, out, max, count, err);
	merge_release(m);
	free(m);
	return ok;
}

/* A new run; ids grow, so the newest has the largest. */
static bool
open_run(sqlite3 *db, int64_t tier, int64_t *out, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(db, sql_open, &stmt, err))
		return false;
	sqlite3_bind_int64(stmt, 1, tier);
	int rc = sqlite_step_done(stmt);
	*out = sqlite3_last_insert_rowid(db);
	return rc == SQLITE_OK || sqlite_fail(db, rc, "new index run", err);
}

/* The run that takes the next rows. */
static bool
newest_run(sqlite3 *db, int64_t *out, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(db, sql_newest, &stmt, err))
		return false;
	int rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sqlite_fail(db, rc, "newest index run", err);
	*out = sqlite3_column_int64(stmt, 0);
	if (rc == SQLITE_ROW && sqlite3_column_int64(stmt, 1) < RUNS_FULL)
		return true;
	sqlite3_reset(stmt);
	return open_run(db, 0, out, err);
}

/* Inserts sorted rows into `run`; those that are there already do not count. */
static bool
insert(sqlite3 *db, int64_t run, const struct index_row *rows, size_t count,
    struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	AUTO_PTR(sqlite3_stmt) counter = NULL;
	if (!sqlite_prepare(db, sql_insert, &stmt, err) ||
	    !sqlite_prepare(db, sql_count, &counter, err))
		return false;
	int64_t before = sqlite3_total_changes64(db);
	int rc = SQLITE_OK;
	for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
		bind_row(stmt, run, &rows[i]);
		rc = sqlite_step_done(stmt);
	}
	sqlite3_bind_int64(counter, 1, run);
	sqlite3_bind_int64(counter, 2, sqlite3_total_changes64(db) - before);
	if (rc == SQLITE_OK)
		rc = sqlite_step_done(counter);
	return rc == SQLITE_OK || sqlite_fail(db, rc, "add to index", err);
}

bool
runs_remove(
    sqlite3 *db, const struct index_row *rows, size_t count, struct error *err)
{
	struct run_list runs;
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	int rc = SQLITE_OK;
	if (!runs_list(db, &runs, err) ||
	    !sqlite_prepare(db, sql_remove, &stmt, err))
		return false;
	for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
		for (size_t r = 0; rc == SQLITE_OK && r < runs.count; r++) {
			bind_row(stmt, runs.id[r], &rows[i]);
			rc = sqlite_step_done(stmt);
		}
	return rc == SQLITE_OK || sqlite_fail(db, rc, "index remove", err);
}

bool
runs_add(
    sqlite3 *db, const struct index_row *rows, size_t count, struct error *err)
{
	int64_t run = 0;
	return count == 0 ||
	    (newest_run(db, &run, err) && insert(db, run, rows, count, err));
}

/* Removes everything up to `last` from the runs in `list`. */
static bool
delete_upto(sqlite3 *db, const struct run_list *list,
    const struct index_row *last, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(db, sql_delete, &stmt, err))
		return false;
	int rc = SQLITE_OK;
	for (size_t i = 0; rc == SQLITE_OK && i < list->count; i++) {
		bind_row(stmt, list->id[i], last);
		rc = sqlite_step_done(stmt);
	}
	return rc == SQLITE_OK || sqlite_fail(db, rc, "merge index", err);
}

static bool
drop_sources(sqlite3 *db, int64_t target, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(db, sql_drop, &stmt, err))
		return false;
	sqlite3_bind_int64(stmt, 1, target);
	int rc = sqlite_step_done(stmt);
	return rc == SQLITE_OK || sqlite_fail(db, rc, "merge index", err);
}

/* Moves the least rows of the runs that go into `target`. */
static bool
move_slice(sqlite3 *db, int64_t target, struct index_row *rows, size_t *moved,
    struct error *err)
{
	struct run_list sources;
	size_t count = 0;
	if (!read_ids(db, sql_sources, target, &sources, err) ||
	    !runs_read(db, &sources, NULL, rows, RUNS_SLICE, &count, err))
		return false;
	*moved += count;
	if (count > 0 &&
	    (!insert(db, target, rows, count, err) ||
		!delete_upto(db, &sources, &rows[count - 1], err)))
		return false;
	return count == RUNS_SLICE || drop_sources(db, target, err);
}

static bool
assign(sqlite3 *db, int64_t tier, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	int64_t target = 0;
	if (!open_run(db, tier + 1, &target, err) ||
	    !sqlite_prepare(db, sql_assign, &stmt, err))
		return false;
	sqlite3_bind_int64(stmt, 1, target);
	sqlite3_bind_int64(stmt, 2, tier);
	sqlite3_bind_int64(stmt, 3, RUNS_FULL);
	sqlite3_bind_int(stmt, 4, RUNS_FANOUT);
	int rc = sqlite_step_done(stmt);
	return rc == SQLITE_OK || sqlite_fail(db, rc, "merge index", err);
}

/* Starts one merge that is due. */
static bool
start_merge(sqlite3 *db, bool *started, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(db, sql_due, &stmt, err))
		return false;
	sqlite3_bind_int(stmt, 1, RUNS_FULL);
	sqlite3_bind_int(stmt, 2, RUNS_FANOUT);
	int rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sqlite_fail(db, rc, "merge index", err);
	int64_t tier = sqlite3_column_int64(stmt, 0);
	*started = rc == SQLITE_ROW;
	sqlite3_reset(stmt);
	return !*started || assign(db, tier, err);
}

static bool
in_transaction(sqlite3 *db, bool ok, struct error *err)
{
	struct error ignored = {0};
	if (ok && sqlite_run(db, "COMMIT", err))
		return true;
	if (!sqlite3_get_autocommit(db))
		(void)!sqlite_run(db, "ROLLBACK", &ignored);
	return false;
}

/* A slice of the merge number `which`; *found is false if there is none. */
static bool
merge_one(sqlite3 *db, int which, struct index_row *rows, bool *found,
    size_t *moved, struct error *err)
{
	struct run_list target;
	if (!sqlite_run(db, "BEGIN IMMEDIATE", err))
		return false;
	bool ok = read_ids(db, sql_targets, which, &target, err);
	*found = ok && target.count > 0;
	if (*found)
		ok = move_slice(db, target.id[0], rows, moved, err);
	return in_transaction(db, ok, err);
}

static bool
start_merges(sqlite3 *db, struct error *err)
{
	bool started = true;
	while (started) {
		if (!sqlite_run(db, "BEGIN IMMEDIATE", err))
			return false;
		bool ok = start_merge(db, &started, err);
		if (!in_transaction(db, ok, err))
			return false;
	}
	return true;
}

bool
runs_merge_slice(sqlite3 *db, size_t *moved, struct error *err)
{
	*moved = 0;
	if (!start_merges(db, err))
		return false;
	struct index_row *rows = calloc(RUNS_SLICE, sizeof(*rows));
	if (!rows)
		return error_set(err, ERR_INTERNAL, "no memory to merge");
	bool ok = true, found = true;
	/* A finished merge leaves the list, which skips its neighbour this
	 * time; the next call has it. */
	for (int which = 0; ok && found; which++)
		ok = merge_one(db, which, rows, &found, moved, err);
	free(rows);
	return ok;
}
