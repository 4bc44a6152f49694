/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/witness_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "schema/sqlite/witness.h"
#include "server/store/durable.h"
#include "server/store/sqlite_util.h"
#include "server/store/sqlite_wal.h"

#define STORE_FILE     "witness.db"
#define PAGE_SIZE      4096
#define CACHE_KIB      2048
#define FRAME_LEN      (PAGE_SIZE + 24)
#define WAL_SOFT       (2u << 20) /* settled then */
#define APPLICATION_ID 0x6d746c77
#define FORMAT_VERSION 1

static const struct sqlite_format format = {
    .what = "witness store",
    .application_id = APPLICATION_ID,
    .version = FORMAT_VERSION,
};

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	COUNT_UP,
	SWAP,
	ADD_FORK,
	GET,
	NEXT,
	FORKS,
	FORK_NEXT,
	STATEMENTS,
	READING = GET, /* and what follows */
};

static const char *const sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [COUNT_UP] = "UPDATE commits SET n = n + 1",
    /* Compares and swaps by itself, whatever its caller believes. */
    [SWAP] =
	"INSERT INTO heads (log, origin, size, root, time, note, cosignature)"
	" SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
	" WHERE ?8 = 0 OR EXISTS (SELECT 1 FROM heads WHERE log = ?1)"
	" ON CONFLICT (log) DO UPDATE SET size = excluded.size,"
	" root = excluded.root, time = excluded.time, note = excluded.note,"
	" cosignature = excluded.cosignature"
	" WHERE heads.size = ?8 AND heads.size <= excluded.size"
	" AND heads.time <= excluded.time"
	" AND (heads.size < excluded.size OR heads.root = excluded.root)",
    [ADD_FORK] = "INSERT OR IGNORE INTO forks (log, root, time, note, ours)"
		 " VALUES (?1, ?2, ?3, ?4, ?5)",
    [GET] = "SELECT log, origin, size, root, time, note, cosignature"
	    " FROM heads WHERE log = ?1",
    [NEXT] = "SELECT log, origin, size, root, time, note, cosignature"
	     " FROM heads WHERE ?1 IS NULL OR log > ?1 ORDER BY log LIMIT 1",
    [FORKS] = "SELECT count(*) FROM forks WHERE log = ?1",
    [FORK_NEXT] = "SELECT root, time, note, ours FROM forks WHERE log = ?1"
		  " AND (?2 IS NULL OR root > ?2) ORDER BY root LIMIT 1",
};

struct witness_store {
	char *dir;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
	struct witness_store_options options;
	bool latched;
	uint64_t wal_bytes;
};

void
witness_head_release(struct witness_head *h)
{
	buf_release(&h->note);
	buf_release(&h->cosignature);
}

void
witness_fork_release(struct witness_fork *f)
{
	buf_release(&f->note);
	buf_release(&f->ours);
}

void
witness_store_close(struct witness_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->stmt[i]);
	sqlite3_close(s->db);
	free(s->path);
	free(s->dir);
	free(s);
}

static struct witness_store *
allocate(const char *dir, const struct witness_store_options *options,
    struct error *err)
{
	struct witness_store *s = calloc(1, sizeof(*s));

	if (s) {
		s->options = *options;
		if (s->options.wal_soft == 0)
			s->options.wal_soft = WAL_SOFT;
		s->dir = strdup(dir);
		s->path = durable_path(dir, STORE_FILE);
		if (s->dir && s->path)
			return s;
	}
	error_set(err, ERR_INTERNAL, "no memory for the witness store");
	witness_store_close(s);
	return NULL;
}

/* The folder is synced where the files are the system's. */
static bool
sync_folder(const struct witness_store *s, struct error *err)
{
	return s->options.vfs || durable_sync_dir(s->dir, err);
}

static bool
connect(struct witness_store *s, enum sqlite_access access, struct error *err)
{
	const struct sqlite_config c = {
	    .path = s->path,
	    .vfs = s->options.vfs,
	    .access = access,
	    .synchronous = "FULL",
	    .cache_kib = CACHE_KIB,
	    .page_size = PAGE_SIZE,
	};

	s->db = sqlite_connect(&c, err);
	return s->db != NULL;
}

/* A write-ahead log without its database is someone's state, too. */
static bool
refuse_existing(const struct witness_store *s, struct error *err)
{
	static const char *const names[] = {STORE_FILE, STORE_FILE "-wal"};

	if (s->options.vfs)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = durable_path(s->dir, names[i]);
		bool found = path && access(path, F_OK) == 0;

		free(path);
		if (!path)
			return error_set(err, ERR_INTERNAL, "out of memory");
		if (found)
			return error_set(err, ERR_CONFLICT,
			    "%s/%s is there already", s->dir, names[i]);
	}
	return true;
}

bool
witness_store_create_with(const char *dir,
    const struct witness_store_options *options, struct error *err)
{
	struct witness_store *s = allocate(dir, options, err);
	bool ok = s && refuse_existing(s, err) &&
	    connect(s, CONNECT_MAKE, err) &&
	    sqlite_make(s->db, schema_sqlite_witness, &format, err) &&
	    sync_folder(s, err);

	witness_store_close(s);
	return ok;
}

bool
witness_store_create(const char *dir, struct error *err)
{
	const struct witness_store_options usual = {0};

	return witness_store_create_with(dir, &usual, err);
}

static int
note_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct witness_store *s = arg;

	(void)db;
	(void)name;
	s->wal_bytes = (uint64_t)frames * FRAME_LEN;
	return SQLITE_OK;
}

/* The file is small: all of it is looked at. */
static bool
check_whole(struct witness_store *s, struct error *err)
{
	AUTO_PTR(sqlite3_stmt) stmt = NULL;
	const char *said;
	int rc;

	if (!sqlite_prepare(s->db, "PRAGMA integrity_check(1)", &stmt, err))
		return false;
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return sqlite_fail(s->db, rc, s->path, err);
	said = (const char *)sqlite3_column_text(stmt, 0);
	return (said && strcmp(said, "ok") == 0) ||
	    error_reason(err, ERR_IO, "store-corrupt", "%s: %s", s->path,
		said ? said : "damaged");
}

static bool
prepare(struct witness_store *s, struct error *err)
{
	size_t first = s->options.read_only ? READING : 0;

	for (size_t i = first; i < STATEMENTS; i++)
		if (!sqlite_prepare(s->db, sql[i], &s->stmt[i], err))
			return false;
	sqlite3_wal_hook(s->db, note_commit, s);
	return true;
}

static bool
open_file(struct witness_store *s, struct error *err)
{
	if (s->options.read_only)
		return connect(s, CONNECT_READ, err) &&
		    sqlite_check(s->db, &format, err) && prepare(s, err);
	return sqlite_wal_restore(s->options.vfs, s->path, err) &&
	    connect(s, CONNECT_WRITE, err) &&
	    sqlite_check(s->db, &format, err) && check_whole(s, err) &&
	    prepare(s, err) && sync_folder(s, err);
}

struct witness_store *
witness_store_open_with(const char *dir,
    const struct witness_store_options *options, struct error *err)
{
	struct witness_store *s = allocate(dir, options, err);

	if (s && open_file(s, err))
		return s;
	witness_store_close(s);
	return NULL;
}

struct witness_store *
witness_store_open(const char *dir, bool read_only, struct error *err)
{
	const struct witness_store_options usual = {.read_only = read_only};

	return witness_store_open_with(dir, &usual, err);
}

/* Writing. */

static bool
may_write(const struct witness_store *s, struct error *err)
{
	if (s->options.read_only)
		return error_reason(err, ERR_IO, "store-read-only",
		    "the witness store was opened for reading");
	return !s->latched ||
	    error_reason(err, ERR_IO, "store-unknown",
		"an earlier write failed: the program has to restart");
}

bool
witness_store_settle(struct witness_store *s, struct error *err)
{
	if (!may_write(s, err))
		return false;
	if (sqlite_wal_settle(s->db, s->options.vfs, s->path,
		s->options.vfs ? NULL : s->dir, err)) {
		s->wal_bytes = 0;
		return true;
	}
	if (err->code != ERR_UNAVAILABLE)
		s->latched = true;
	return false;
}

/* Ends a transaction before COMMIT was tried. Only a lack of space, or somebody
 * in the way, is a reason to go on. */
static bool
give_up(struct witness_store *s, int rc, struct error *err)
{
	bool mild = sqlite_full(s->db, rc) || (rc & 0xff) == SQLITE_BUSY;

	(void)sqlite_fail(s->db, rc, "witness store", err);
	if (!sqlite3_get_autocommit(s->db) &&
	    sqlite_step_done(s->stmt[ROLLBACK]) != SQLITE_OK)
		mild = false;
	if (mild && sqlite3_get_autocommit(s->db))
		return false;
	s->latched = true;
	if (err->code == ERR_UNAVAILABLE)
		err->code = ERR_IO;
	return false;
}

/* The pages are written before COMMIT, so that a full disk is noticed while it
 * is certain that nothing is committed. */
static bool
commit(struct witness_store *s, struct error *err)
{
	int rc = sqlite_step_done(s->stmt[COUNT_UP]);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_cacheflush(s->db);
	if (rc != SQLITE_OK)
		return give_up(s, rc, err);
	rc = sqlite_step_done(s->stmt[COMMIT]);
	if (rc == SQLITE_OK)
		return true;
	s->latched = true;
	return error_reason(err, ERR_IO, "store-unknown",
	    "commit failed, it is not known whether it is on the disk: %s",
	    sqlite3_errmsg(s->db));
}

static bool
begin(struct witness_store *s, struct error *err)
{
	int rc;

	if (!may_write(s, err) ||
	    (s->wal_bytes >= s->options.wal_soft &&
		!witness_store_settle(s, err)))
		return false;
	rc = sqlite_step_done(s->stmt[BEGIN]);
	return rc == SQLITE_OK || give_up(s, rc, err);
}

static void
bind_bytes(sqlite3_stmt *stmt, int at, struct bytes b)
{
	/* A NULL pointer would bind NULL, not an empty blob. */
	(void)sqlite3_bind_blob64(stmt, at, b.ptr ? b.ptr : (const uint8_t *)"",
	    b.len, SQLITE_STATIC);
}

bool
witness_store_swap(struct witness_store *s, uint64_t old_size,
    const struct witness_head *next, struct error *err)
{
	sqlite3_stmt *stmt = s->stmt[SWAP];
	int rc;

	if (!begin(s, err))
		return false;
	bind_bytes(stmt, 1, hash_bytes(&next->log));
	(void)sqlite3_bind_text(stmt, 2, next->origin, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(stmt, 3, (sqlite3_int64)next->size);
	bind_bytes(stmt, 4, hash_bytes(&next->root));
	(void)sqlite3_bind_int64(stmt, 5, (sqlite3_int64)next->time);
	bind_bytes(stmt, 6, buf_bytes(&next->note));
	bind_bytes(stmt, 7, buf_bytes(&next->cosignature));
	(void)sqlite3_bind_int64(stmt, 8, (sqlite3_int64)old_size);
	rc = sqlite_step_done(stmt);
	(void)sqlite3_clear_bindings(stmt);
	if (rc != SQLITE_OK)
		return give_up(s, rc, err);
	if (sqlite3_changes(s->db) == 1)
		return commit(s, err);
	(void)error_set(err, ERR_CONFLICT,
	    "%s: not the head that is to be followed", next->origin);
	rc = sqlite_step_done(s->stmt[ROLLBACK]);
	s->latched = rc != SQLITE_OK;
	return false;
}

bool
witness_store_fork(struct witness_store *s, const struct witness_head *ours,
    const struct hash *root, struct bytes note, uint64_t time,
    struct error *err)
{
	sqlite3_stmt *stmt = s->stmt[ADD_FORK];
	uint64_t kept = 0;
	int rc;

	if (!witness_store_forks(s, &ours->log, &kept, err))
		return false;
	if (kept >= WITNESS_FORKS_MAX)
		return true;
	if (!begin(s, err))
		return false;
	bind_bytes(stmt, 1, hash_bytes(&ours->log));
	bind_bytes(stmt, 2, hash_bytes(root));
	(void)sqlite3_bind_int64(stmt, 3, (sqlite3_int64)time);
	bind_bytes(stmt, 4, note);
	bind_bytes(stmt, 5, buf_bytes(&ours->note));
	rc = sqlite_step_done(stmt);
	(void)sqlite3_clear_bindings(stmt);
	return rc == SQLITE_OK ? commit(s, err) : give_up(s, rc, err);
}

/* Reading. */

static bool
column_hash(sqlite3_stmt *stmt, int at, struct hash *out)
{
	const void *p = sqlite3_column_blob(stmt, at);

	if (!p || sqlite3_column_bytes(stmt, at) != HASH_LEN)
		return false;
	memcpy(out->b, p, HASH_LEN);
	return true;
}

static bool
column_buf(sqlite3_stmt *stmt, int at, size_t limit, struct buf *out)
{
	const void *p = sqlite3_column_blob(stmt, at);
	int n = sqlite3_column_bytes(stmt, at);

	buf_init(out, limit);
	buf_put(out, bytes_of(p, p ? (size_t)n : 0));
	return !out->failed;
}

static bool
column_origin(sqlite3_stmt *stmt, int at, char out[CHECKPOINT_ORIGIN_MAX + 1])
{
	const void *p = sqlite3_column_text(stmt, at);
	int n = sqlite3_column_bytes(stmt, at);

	if (!p || n <= 0 || n > CHECKPOINT_ORIGIN_MAX)
		return false;
	memcpy(out, p, (size_t)n);
	out[n] = '\0';
	return true;
}

static bool
take_head(sqlite3_stmt *stmt, struct witness_head *out)
{
	int64_t size = sqlite3_column_int64(stmt, 2);
	int64_t time = sqlite3_column_int64(stmt, 4);

	if (!column_hash(stmt, 0, &out->log) ||
	    !column_origin(stmt, 1, out->origin) || size < 0 || time <= 0 ||
	    !column_hash(stmt, 3, &out->root) ||
	    !column_buf(stmt, 5, WITNESS_NOTE_MAX, &out->note) ||
	    !column_buf(stmt, 6, WITNESS_LINE_MAX, &out->cosignature))
		return false;
	out->size = (uint64_t)size;
	out->time = (uint64_t)time;
	return true;
}

static bool
read_head(struct witness_store *s, sqlite3_stmt *stmt, struct witness_head *out,
    bool *found, struct error *err)
{
	int rc = sqlite3_step(stmt);
	bool sound = true;

	*out = (struct witness_head){0};
	*found = rc == SQLITE_ROW;
	if (*found)
		sound = take_head(stmt, out);
	else if (rc != SQLITE_DONE)
		(void)sqlite_fail(s->db, rc, "read a head", err);
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	if (sound)
		return err->code == ERR_NONE;
	witness_head_release(out);
	*found = false;
	return error_reason(
	    err, ERR_IO, "store-corrupt", "%s: a head is damaged", s->path);
}

bool
witness_store_get(struct witness_store *s, const struct hash *log,
    struct witness_head *out, bool *found, struct error *err)
{
	bind_bytes(s->stmt[GET], 1, hash_bytes(log));
	return read_head(s, s->stmt[GET], out, found, err);
}

bool
witness_store_next(struct witness_store *s, const struct hash *after,
    struct witness_head *out, bool *found, struct error *err)
{
	if (after)
		bind_bytes(s->stmt[NEXT], 1, hash_bytes(after));
	return read_head(s, s->stmt[NEXT], out, found, err);
}

bool
witness_store_commits(struct witness_store *s, uint64_t *out, struct error *err)
{
	int64_t n = 0;

	if (!sqlite_number(s->db, "SELECT n FROM commits", &n, err))
		return false;
	*out = (uint64_t)n;
	return true;
}

bool
witness_store_forks(struct witness_store *s, const struct hash *log,
    uint64_t *out, struct error *err)
{
	sqlite3_stmt *stmt = s->stmt[FORKS];
	int rc;

	bind_bytes(stmt, 1, hash_bytes(log));
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = (uint64_t)sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	return rc == SQLITE_ROW ||
	    sqlite_fail(s->db, rc, "count what is kept", err);
}

static bool
take_fork(sqlite3_stmt *stmt, struct witness_fork *out)
{
	int64_t time = sqlite3_column_int64(stmt, 1);

	if (!column_hash(stmt, 0, &out->root) || time < 0 ||
	    !column_buf(stmt, 2, WITNESS_NOTE_MAX, &out->note) ||
	    !column_buf(stmt, 3, WITNESS_NOTE_MAX, &out->ours))
		return false;
	out->time = (uint64_t)time;
	return true;
}

bool
witness_store_fork_next(struct witness_store *s, const struct hash *log,
    const struct hash *after, struct witness_fork *out, bool *found,
    struct error *err)
{
	sqlite3_stmt *stmt = s->stmt[FORK_NEXT];
	bool sound = true;
	int rc;

	*out = (struct witness_fork){0};
	bind_bytes(stmt, 1, hash_bytes(log));
	if (after)
		bind_bytes(stmt, 2, hash_bytes(after));
	rc = sqlite3_step(stmt);
	*found = rc == SQLITE_ROW;
	if (*found)
		sound = take_fork(stmt, out);
	else if (rc != SQLITE_DONE)
		(void)sqlite_fail(s->db, rc, "read a fork", err);
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	if (sound)
		return *found || rc == SQLITE_DONE;
	witness_fork_release(out);
	*found = false;
	return error_reason(
	    err, ERR_IO, "store-corrupt", "%s: a fork is damaged", s->path);
}
