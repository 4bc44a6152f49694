/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_SQLITE_WAL_H
#define MTLOG_SERVER_STORE_SQLITE_WAL_H

#include <sqlite3.h>

#include "core/base/error.h"

/*
 * Making a write-ahead log durable that may not be.
 *
 * When fsync failed in an earlier run, the last frames of the log can be in the
 * page cache and not on the disk, with nobody knowing. A checkpoint then
 * copies them into the database; if the power goes before the truncation of
 * the log is durable too, the disk has a newer database under an older log,
 * and recovery mixes the two. So, before that checkpoint, a copy of the whole
 * log is made durable beside it (PATH-keep); while a complete copy is there,
 * it *is* the log, and is put back before SQLite opens the file. It is removed
 * once the truncation is durable.
 *
 * Everything goes through the VFS, so that the power-cut test sees it.
 */

/* sqlite_wal_restore puts a complete kept copy back and drops an incomplete
 * one. Before SQLite opens `path`; no other connection may be open. */
bool sqlite_wal_restore(const char *vfs, const char *path, struct error *err)
    MUST_USE;

/*
 * sqlite_wal_settle empties the write-ahead log of `db` (the only writer) into
 * the database; what could be read before is durable when it returns.
 * `dir` is synced where the copy's name has to last; NULL: it need not be.
 */
bool sqlite_wal_settle(sqlite3 *db, const char *vfs, const char *path,
    const char *dir, struct error *err) MUST_USE;

#endif
