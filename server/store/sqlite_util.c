/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/sqlite_util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"

#define BUSY_MS	 1000
#define PATH_LIM 65536

bool
sqlite_corrupt(int rc)
{
	return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB ||
	    rc == SQLITE_IOERR_CORRUPTFS;
}

bool
sqlite_full(sqlite3 *db, int rc)
{
	if ((rc & 0xff) == SQLITE_FULL)
		return true;
	/* SQLite has a class of its own for ENOSPC, but not for a quota. */
	return rc == SQLITE_IOERR_WRITE && sqlite3_system_errno(db) == EDQUOT;
}

static enum error_code
class_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_UNAVAILABLE;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_PROTOCOL:
		return ERR_IO;
	default:
		return ERR_INTERNAL;
	}
}

bool
sqlite_fail(sqlite3 *db, int rc, const char *what, struct error *err)
{
	const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
	enum error_code code = class_of(rc);
	if (sqlite_corrupt(rc))
		return error_reason(
		    err, ERR_IO, "store-corrupt", "%s: %s", what, text);
	if (sqlite_full(db, rc))
		return error_reason(err, ERR_UNAVAILABLE, "disk-full",
		    "%s: no space left: %s", what, text);
	if (code == ERR_UNAVAILABLE)
		return error_reason(
		    err, code, "store-busy", "%s: %s", what, text);
	return error_reason(err, code, "store-failed", "%s: %s (SQLite %d%s)",
	    what, text, rc,
	    rc == SQLITE_IOERR_SHMSIZE
		? ", no room for the memory that its connections share; free "
		  "some space"
		: "");
}

/* The file's name as a URI, for only a URI can carry psow=0. */
static char *
uri_of(const char *path)
{
	AUTO(buf) uri = BUF_INIT(PATH_LIM);
	buf_put_str(&uri, path[0] == '/' ? "file://" : "file:");
	for (const char *p = path; *p; p++) {
		if (*p == '%' || *p == '?' || *p == '#')
			buf_printf(&uri, "%%%02x", (unsigned)*p);
		else
			buf_put_u8(&uri, (uint8_t)*p);
	}
	/* Without it SQLite trusts that a torn write leaves the neighbouring
	 * bytes of its sector whole, and the last commit is such a neighbour.
	 */
	buf_put_str(&uri, "?psow=0");
	return buf_dup_string(&uri);
}

static int
flags_of(enum sqlite_access access)
{
	int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
	    SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
	if (access == CONNECT_READ)
		return flags | SQLITE_OPEN_READONLY;
	if (access == CONNECT_MAKE)
		flags |= SQLITE_OPEN_CREATE;
	return flags | SQLITE_OPEN_READWRITE;
}

static bool
set_switches(sqlite3 *db, struct error *err)
{
	static const struct {
		int option, value;
	} switches[] = {
	    /* Only compact and settle checkpoint, on one connection. */
	    {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
	    {SQLITE_DBCONFIG_DEFENSIVE, 1},
	    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
	    {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
	    {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
	    {SQLITE_DBCONFIG_DQS_DML, 0},
	    {SQLITE_DBCONFIG_DQS_DDL, 0},
	};
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		int rc = sqlite3_db_config(
		    db, switches[i].option, switches[i].value, NULL);
		if (rc != SQLITE_OK)
			return sqlite_fail(db, rc, "configure", err);
	}
	int keep = 1;
	int rc =
	    sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	if (rc != SQLITE_OK)
		return sqlite_fail(db, rc, "keep the write-ahead log", err);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_wal_autocheckpoint(db, 0);
	sqlite3_busy_timeout(db, BUSY_MS);
	return true;
}

static bool
set_pragmas(sqlite3 *db, const struct sqlite_config *c, struct error *err)
{
	AUTO(buf) sql = BUF_INIT(1024);
	if (c->access == CONNECT_MAKE)
		buf_printf(&sql, "PRAGMA page_size = %u;", c->page_size);
	buf_printf(&sql,
	    "PRAGMA synchronous = %s;"
	    "PRAGMA cache_size = -%u;"
	    "PRAGMA temp_store = MEMORY;"
	    "PRAGMA mmap_size = 0;"
	    "PRAGMA cell_size_check = ON;"
	    /* everything is public: overwriting what is dropped costs only */
	    "PRAGMA secure_delete = OFF;",
	    c->synchronous, c->cache_kib);
	if (c->access == CONNECT_READ)
		buf_put_str(&sql, "PRAGMA query_only = ON;");
	buf_put_u8(&sql, 0);
	if (!buf_ok(&sql, err))
		return false;
	return sqlite_run(db, (const char *)sql.ptr, err);
}

static bool
is_there(const struct sqlite_config *c, bool *out, struct error *err)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(c->vfs);
	if (!vfs)
		return error_set(err, ERR_INTERNAL, "no such VFS");
	int found = 0;
	int rc = vfs->xAccess(vfs, c->path, SQLITE_ACCESS_EXISTS, &found);
	if (rc != SQLITE_OK)
		return sqlite_fail(NULL, rc, c->path, err);
	*out = found != 0;
	return true;
}

/* An empty file is damage, not absence; and SQLite, were it asked to open one,
 * would delete the write-ahead log next to it. */
static void
report_missing(const struct sqlite_config *c, struct error *err)
{
	if (!c->vfs && access(c->path, F_OK) == 0)
		error_reason(
		    err, ERR_IO, "store-corrupt", "%s is empty", c->path);
	else
		error_set(err, ERR_NOTFOUND, "%s does not exist", c->path);
}

sqlite3 *
sqlite_connect(const struct sqlite_config *c, struct error *err)
{
	bool found = false;
	if (!is_there(c, &found, err))
		return NULL;
	if (!found && c->access != CONNECT_MAKE) {
		report_missing(c, err);
		return NULL;
	}
	char *uri = uri_of(c->path);
	if (!uri) {
		error_set(err, ERR_INTERNAL, "no memory for a path");
		return NULL;
	}
	AUTO_PTR(sqlite3) db = NULL;
	int rc = sqlite3_open_v2(uri, &db, flags_of(c->access), c->vfs);
	free(uri);
	if (rc != SQLITE_OK) {
		sqlite_fail(db, rc, c->path, err);
		return NULL;
	}
	if (!set_switches(db, err) || !set_pragmas(db, c, err))
		return NULL;
	sqlite3 *out = db;
	db = NULL; /* transferred */
	return out;
}

bool
sqlite_make(sqlite3 *db, const char *schema, const struct sqlite_format *format,
    struct error *err)
{
	AUTO(buf) head = BUF_INIT(256);
	buf_printf(&head,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d;",
	    format->application_id, format->version);
	buf_put_u8(&head, 0);
	if (!buf_ok(&head, err))
		return false;
	if (!sqlite_run(db, "PRAGMA auto_vacuum = NONE;", err) ||
	    !sqlite_run(db, "PRAGMA journal_mode = WAL;", err) ||
	    !sqlite_run(db, "BEGIN IMMEDIATE;", err) ||
	    !sqlite_run(db, (const char *)head.ptr, err) ||
	    !sqlite_run(db, schema, err) || !sqlite_run(db, "COMMIT;", err))
		return false;
	int rc = sqlite3_wal_checkpoint_v2(
	    db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK)
		return sqlite_fail(db, rc, "make a new file durable", err);
	return true;
}

static bool
in_wal_mode(sqlite3 *db, bool *out, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(db, "PRAGMA journal_mode", &stmt, err))
		return false;
	int rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return sqlite_fail(db, rc, "journal mode", err);
	const char *mode = (const char *)sqlite3_column_text(stmt, 0);
	*out = mode && strcmp(mode, "wal") == 0;
	return true;
}

bool
sqlite_check(sqlite3 *db, const struct sqlite_format *format, struct error *err)
{
	int64_t id = 0, version = 0;
	bool wal = false;
	if (!sqlite_number(db, "PRAGMA application_id", &id, err) ||
	    !sqlite_number(db, "PRAGMA user_version", &version, err) ||
	    !in_wal_mode(db, &wal, err))
		return false;
	if (id != format->application_id || !wal)
		return error_reason(err, ERR_IO, "store-corrupt",
		    "the file is not a %s", format->what);
	if (version != format->version)
		return error_reason(err, ERR_IO, "store-version",
		    "the %s has format %lld, this program knows %d",
		    format->what, (long long)version, format->version);
	return true;
}

bool
sqlite_run(sqlite3 *db, const char *sql, struct error *err)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK || sqlite_fail(db, rc, "execute", err);
}

bool
sqlite_number(sqlite3 *db, const char *sql, int64_t *out, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	if (!sqlite_prepare(db, sql, &stmt, err))
		return false;
	int rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return sqlite_fail(db, rc, sql, err);
	*out = sqlite3_column_int64(stmt, 0);
	return true;
}

bool
sqlite_prepare(
    sqlite3 *db, const char *sql, sqlite3_stmt **out, struct error *err)
{
	int rc = sqlite3_prepare_v3(
	    db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	return rc == SQLITE_OK || sqlite_fail(db, rc, sql, err);
}

int
sqlite_step_done(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);
	/* The reset repeats the failure of the step; do not lose the code. */
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}
