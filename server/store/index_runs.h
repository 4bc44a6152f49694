/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_INDEX_RUNS_H
#define MTLOG_SERVER_STORE_INDEX_RUNS_H

#include <sqlite3.h>

#include "server/store/index.h"

/*
 * The sorted runs of the lookup index.
 *
 * Why not one B-tree: its keys are hashes, so a batch of 65,536 entries touches
 * nearly every page of a file of 3 M entries, and the write-ahead log gets as
 * large as the index with each batch. Here a batch is written once, in order,
 * as a run of its own (small ones join the newest run), and RUNS_FANOUT runs
 * of one tier are moved, slice by slice and in order, into a run of the next.
 * A row is in exactly one run in every snapshot. It is rewritten once per
 * tier; a look-up asks each run, of which there are at most
 * 2 * RUNS_FANOUT per tier.
 */
#define RUNS_FANOUT 4
#define RUNS_FULL   (1 << 17) /* rows with which a run takes no more */
#define RUNS_SLICE  (1 << 15) /* rows moved in one transaction */
#define RUNS_MAX    256

/* The ids of the runs there are, oldest first. */
struct run_list {
	size_t count;
	int64_t id[RUNS_MAX];
};

/* What index.h promises about numbers and SQLite can hold. */
#define INDEX_MAX ((uint64_t)INT64_MAX)

/* index_row_compare orders rows by kind, key, index. */
int index_row_compare(const void *a, const void *b);

/*
 * runs_step_list reads the first column of all rows of `stmt` and resets it;
 * runs_sql_list is the query for all runs, to prepare once.
 */
extern const char runs_sql_list[];
bool runs_step_list(sqlite3 *db, sqlite3_stmt *stmt, struct run_list *out,
    struct error *err) MUST_USE;

/* runs_list reads the list; inside the transaction in which it is used. */
bool runs_list(sqlite3 *db, struct run_list *out, struct error *err) MUST_USE;

/*
 * runs_read merges the runs in `list` from behind `after` (NULL: from the
 * start) into at most `max` rows, sorted and without duplicates.
 */
bool runs_read(sqlite3 *db, const struct run_list *list,
    const struct index_row *after, struct index_row *out, size_t max,
    size_t *count, struct error *err) MUST_USE;

/* runs_add inserts sorted rows into the newest run, inside a transaction. */
bool runs_add(sqlite3 *db, const struct index_row *rows, size_t count,
    struct error *err) MUST_USE;

/* runs_remove deletes rows from every run, inside a transaction. A run's count
 * is then larger than what it holds, which only makes it full earlier. */
bool runs_remove(sqlite3 *db, const struct index_row *rows, size_t count,
    struct error *err) MUST_USE;

/*
 * runs_merge_slice moves one slice wherever runs are being merged, each in a
 * transaction of its own, and starts merges that are due. *moved is the number
 * of rows; 0: there is nothing to do.
 */
bool runs_merge_slice(sqlite3 *db, size_t *moved, struct error *err) MUST_USE;

#endif
