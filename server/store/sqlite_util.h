/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_SQLITE_UTIL_H
#define MTLOG_SERVER_STORE_SQLITE_UTIL_H

#include <sqlite3.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"

/*
 * What the SQLite files of the server have in common: how a connection is
 * opened (docs: safety.md, "SQLite"), and which class of error a result is.
 * Connections are not shared between threads.
 */

CLEANUP_PTR(sqlite3, sqlite3_close);
CLEANUP_PTR(sqlite3_stmt, sqlite3_finalize);

enum sqlite_access {
	CONNECT_READ,  /* never writes, never checkpoints */
	CONNECT_WRITE, /* the one writing connection of an existing file */
	CONNECT_MAKE,  /* the same; the file is made if it is not there */
};

struct sqlite_config {
	const char *path;
	const char *vfs; /* NULL: the system's files */
	enum sqlite_access access;
	const char *synchronous; /* "FULL" or "NORMAL" */
	unsigned cache_kib;
	unsigned page_size; /* for a file that is made */
};

/* The header of a file: whose it is and in which format. */
struct sqlite_format {
	const char *what; /* "log store" */
	int application_id;
	int version;
};

/* sqlite_connect opens a connection with everything set that keeps a log's
 * file safe. NULL with `err`; ERR_NOTFOUND if there is no such file. */
sqlite3 *sqlite_connect(const struct sqlite_config *c, struct error *err)
    MUST_USE;

/*
 * sqlite_make fills a new file with `schema` and `format`, in WAL mode, and
 * makes its contents durable. The folder is the caller's to sync.
 */
bool sqlite_make(sqlite3 *db, const char *schema,
    const struct sqlite_format *format, struct error *err) MUST_USE;

/* sqlite_check is true for a file of this format in WAL mode. Reason
 * "store-corrupt" if it is not one. */
bool sqlite_check(sqlite3 *db, const struct sqlite_format *format,
    struct error *err) MUST_USE;

/* sqlite_run executes statements that give no rows, or whose rows do not
 * matter. */
bool sqlite_run(sqlite3 *db, const char *sql, struct error *err) MUST_USE;

/* sqlite_number runs a query of one number. */
bool sqlite_number(
    sqlite3 *db, const char *sql, int64_t *out, struct error *err) MUST_USE;

/* sqlite_prepare prepares a statement that lives long. */
bool sqlite_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out,
    struct error *err) MUST_USE;

/* sqlite_step_done runs a prepared statement that gives no rows and resets it:
 * SQLITE_OK or the failure. */
int sqlite_step_done(sqlite3_stmt *stmt);

/* sqlite_corrupt: this result says that the file's contents are damaged. */
bool sqlite_corrupt(int rc);

/*
 * sqlite_full: nothing more could be *written*, for want of space. Never true
 * for a failed sync: that one leaves it open what is on the disk.
 */
bool sqlite_full(sqlite3 *db, int rc);

/*
 * sqlite_fail records the failure `rc` of `db` while doing `what`; false.
 * Damage: ERR_IO "store-corrupt"; no space: ERR_UNAVAILABLE "disk-full";
 * locked: ERR_UNAVAILABLE "store-busy"; memory and defects: ERR_INTERNAL.
 */
bool sqlite_fail(sqlite3 *db, int rc, const char *what, struct error *err);

#endif
