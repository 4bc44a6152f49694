/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_sqlite_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/clock.h"
#include "schema/sqlite/log.h"
#include "server/store/durable.h"
#include "server/store/sqlite_util.h"
#include "server/store/sqlite_wal.h"

/*
 * The log in one SQLite file, log.db. What this file keeps true:
 *  - One connection makes every write and every checkpoint. Everyone else's
 *    is read-only and leaves no transaction open between calls.
 *  - Once COMMIT has been tried and not succeeded, or a sync has failed, nobody
 *    knows what is on the disk: `latched` is set and nothing is written again.
 *    `corrupt` says that it was damage, which no restart mends.
 *  - Nothing but SQLite opens log.db: closing any descriptor of a file drops
 *    this process's locks on it.
 */
#define LOG_FILE       "log.db"
#define PAGE_SIZE      4096
#define WRITER_KIB     4096
#define READER_KIB     2048
#define TILE_LEN       (TILE_WIDTH * HASH_LEN)
#define FRAME_LEN      (PAGE_SIZE + 24)
#define READ_STRIDE    256	   /* entries in one read transaction */
#define READ_NS	       1000000000u /* and how long it lives */
#define APPLICATION_ID 0x6d746c67
#define FORMAT_VERSION 2

const struct store_sqlite_options store_sqlite_defaults = {
    .wal_soft = 4u << 20,
    .wal_hard = 12u << 20,
};

static const struct sqlite_format log_format = {
    .what = "log store",
    .application_id = APPLICATION_ID,
    .version = FORMAT_VERSION,
};

static const char *const sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [ADD_ENTRY] = "INSERT INTO entries (idx, leaf) VALUES (?1, ?2)",
    [ADD_TILE] = "INSERT INTO tiles (level, idx, hashes) VALUES (?1, ?2, ?3)",
    [PUT_TILE] = "REPLACE INTO tiles (level, idx, hashes) VALUES (?1, ?2, ?3)",
    [LAST_ENTRY] = "SELECT max(idx) FROM entries",
    [DROP_ENTRIES] = "DELETE FROM entries WHERE idx >= ?1",
    [DROP_TILES] = "DELETE FROM tiles WHERE level = ?1 AND idx >= ?2",
    [ADD_ENVELOPE] = "INSERT OR IGNORE INTO envelopes"
		     " (s, sha384, sha512, type, payload)"
		     " VALUES (?1, ?2, ?3, ?4, ?5)",
    /* Nothing speaks for an envelope that was dropped, unless it comes so out
     * of a backup. */
    [ADD_LINK] = "INSERT OR IGNORE INTO links (envelope, signer, idx)"
		 " SELECT id, ?2, ?3 FROM envelopes"
		 " WHERE s = ?1 AND (payload IS NOT NULL OR ?4)",
    [DROP_LINKS] = "DELETE FROM links WHERE idx >= ?1",
    [DROP_ALONE] = "DELETE FROM envelopes"
		   " WHERE id NOT IN (SELECT envelope FROM links)",
    [DROP_ENVELOPE] = "UPDATE envelopes SET type = NULL, payload = NULL"
		      " WHERE s = ?1 AND payload IS NOT NULL",
};

static const char sql_entries[] =
    "SELECT idx, leaf FROM entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx";
static const char sql_tile[] =
    "SELECT hashes FROM tiles WHERE level = ?1 AND idx = ?2";

static void
close_store(struct store *s)
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

static struct sqlite_config
config_of(const struct store_sqlite_options *o, const char *path,
    enum sqlite_access access)
{
	return (struct sqlite_config){
	    .path = path,
	    .vfs = o->vfs,
	    .access = access,
	    .synchronous = "FULL",
	    .cache_kib = access == CONNECT_READ ? READER_KIB : WRITER_KIB,
	    .page_size = PAGE_SIZE,
	};
}

/* The folder to sync, where the files are the system's. */
static const char *
folder_of(const struct store *s)
{
	return s->options.vfs ? NULL : s->dir;
}

static struct store *
allocate(const char *dir, const struct store_sqlite_options *options,
    struct error *err)
{
	struct store *s = calloc(1, sizeof(*s));
	if (s) {
		s->options = *options;
		s->dir = strdup(dir);
		s->path = durable_path(dir, LOG_FILE);
		if (s->dir && s->path)
			return s;
	}
	error_set(err, ERR_INTERNAL, "no memory for the log store");
	close_store(s);
	return NULL;
}

/* A write-ahead log without its database is someone's data, too. */
static bool
refuse_existing(const struct store *s, struct error *err)
{
	static const char *const names[] = {LOG_FILE, LOG_FILE "-wal"};
	sqlite3_vfs *vfs = sqlite3_vfs_find(s->options.vfs);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = durable_path(s->dir, names[i]);
		int found = 0;
		int rc = SQLITE_NOMEM;
		if (vfs && path)
			rc = vfs->xAccess(
			    vfs, path, SQLITE_ACCESS_EXISTS, &found);
		free(path);
		if (rc != SQLITE_OK)
			return sqlite_fail(NULL, rc, names[i], err);
		if (found)
			return error_set(err, ERR_CONFLICT,
			    "%s/%s is there already", s->dir, names[i]);
	}
	return true;
}

static bool
make_file(struct store *s, struct error *err)
{
	struct sqlite_config c = config_of(&s->options, s->path, CONNECT_MAKE);
	s->db = sqlite_connect(&c, err);
	return s->db &&
	    sqlite_make(s->db, schema_sqlite_log, &log_format, err) &&
	    (!folder_of(s) || durable_sync_dir(s->dir, err));
}

bool
store_sqlite_create_with(const char *dir,
    const struct store_sqlite_options *options, struct error *err)
{
	struct store *s = allocate(dir, options, err);
	bool ok = s && refuse_existing(s, err) && make_file(s, err);
	close_store(s);
	return ok;
}

static bool
create(const char *dir, struct error *err)
{
	return store_sqlite_create_with(dir, &store_sqlite_defaults, err);
}

/* How much is in the write-ahead log, in place of SQLite's own checkpointing
 * hook. */
static int
note_commit(void *arg, sqlite3 *db, const char *name, int frames)
{
	(void)db;
	(void)name;
	struct store *s = arg;
	s->wal_bytes = (uint64_t)frames * FRAME_LEN;
	return SQLITE_OK;
}

static bool
prepare_writer(struct store *s, struct error *err)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		if (s->options.read_only && i != LAST_ENTRY)
			continue;
		if (!sqlite_prepare(s->db, sql[i], &s->stmt[i], err))
			return false;
	}
	sqlite3_wal_hook(s->db, note_commit, s);
	return true;
}

static bool
connect_writer(struct store *s, struct error *err)
{
	bool read_only = s->options.read_only;
	if (!read_only && !sqlite_wal_restore(s->options.vfs, s->path, err))
		return false;
	struct sqlite_config c = config_of(
	    &s->options, s->path, read_only ? CONNECT_READ : CONNECT_WRITE);
	s->db = sqlite_connect(&c, err);
	return s->db && sqlite_check(s->db, &log_format, err) &&
	    prepare_writer(s, err) &&
	    /* the write-ahead log may have been made just now */
	    (read_only || !folder_of(s) || durable_sync_dir(s->dir, err));
}

struct store *
store_sqlite_open_with(const char *dir,
    const struct store_sqlite_options *options, struct error *err)
{
	struct store *s = allocate(dir, options, err);
	if (s && connect_writer(s, err))
		return s;
	close_store(s);
	return NULL;
}

static struct store *
open_store(const char *dir, bool read_only, struct error *err)
{
	struct store_sqlite_options options = store_sqlite_defaults;
	options.read_only = read_only;
	return store_sqlite_open_with(dir, &options, err);
}

/* Anything that says "damaged" stops the writer as well. */
static void
note_damage(struct store *s, int rc)
{
	if (!sqlite_corrupt(rc))
		return;
	atomic_store(&s->corrupt, true);
	atomic_store(&s->latched, true);
}

bool
log_fail(
    struct store *s, sqlite3 *db, int rc, const char *what, struct error *err)
{
	note_damage(s, rc);
	return sqlite_fail(db, rc, what, err);
}

static bool
get_size(struct store *s, uint64_t *out, struct error *err)
{
	sqlite3_stmt *stmt = s->stmt[LAST_ENTRY];
	int rc = sqlite3_step(stmt);
	bool empty = sqlite3_column_type(stmt, 0) == SQLITE_NULL;
	int64_t last = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	if (rc != SQLITE_ROW)
		return log_fail(s, s->db, rc, "count entries", err);
	*out = empty ? 0 : (uint64_t)last + 1;
	return true;
}

static bool
identity(struct store *s, uint64_t *out, struct error *err)
{
	*out = 0;
	if (s->options.vfs)
		return true;
	struct stat st;
	if (stat(s->path, &st))
		return error_set(err, ERR_IO, "cannot look at %s", s->path);
	*out = st.st_ino;
	return true;
}

bool
log_may_write(const struct store *s, struct error *err)
{
	if (s->options.read_only)
		return error_reason(err, ERR_IO, "store-read-only",
		    "the log store was opened for reading");
	if (atomic_load(&s->corrupt))
		return error_reason(err, ERR_IO, "store-corrupt",
		    "%s was found damaged", s->path);
	if (atomic_load(&s->latched))
		return error_reason(err, ERR_IO, "store-unknown",
		    "an earlier write failed: the program has to restart");
	return true;
}

int
log_begin(struct store *s)
{
	return sqlite_step_done(s->stmt[BEGIN]);
}

/*
 * Ends a transaction that failed before COMMIT. Frames that did reach the
 * write-ahead log are no commit and are overwritten by the next one. Only a
 * lack of space is a reason to go on.
 */
bool
log_give_up(struct store *s, int rc, const char *what, struct error *err)
{
	char text[128];
	(void)snprintf(text, sizeof(text), "%s", sqlite3_errmsg(s->db));
	bool full = sqlite_full(s->db, rc);
	int undone = SQLITE_OK;
	if (!sqlite3_get_autocommit(s->db))
		undone = sqlite_step_done(s->stmt[ROLLBACK]);
	if (full && undone == SQLITE_OK && sqlite3_get_autocommit(s->db))
		return error_reason(err, ERR_UNAVAILABLE, "disk-full",
		    "%s: no space left", what);
	note_damage(s, rc);
	atomic_store(&s->latched, true);
	return error_reason(err, ERR_IO,
	    sqlite_corrupt(rc) ? "store-corrupt" : "store-unknown",
	    "%s: %s (SQLite %d)", what, text, rc);
}

/*
 * COMMIT. The pages are written before it, so that a full disk is noticed
 * while it is certain that nothing is committed: what is left for COMMIT is
 * one frame, its padding and the sync.
 */
bool
log_commit(struct store *s, const char *what, struct error *err)
{
	int rc = sqlite3_db_cacheflush(s->db);
	if (rc != SQLITE_OK)
		return log_give_up(s, rc, what, err);
	rc = sqlite_step_done(s->stmt[COMMIT]);
	if (rc == SQLITE_OK)
		return true;
	atomic_store(&s->latched, true);
	return error_reason(err, ERR_IO, "store-unknown",
	    "%s: commit failed, it is not known whether it is on the disk: %s",
	    what, sqlite3_errmsg(s->db));
}

static int
add_entries(struct store *s, const struct store_batch *b)
{
	sqlite3_stmt *stmt = s->stmt[ADD_ENTRY];
	for (size_t i = 0; i < b->count; i++) {
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)(b->first + i));
		/* a NULL pointer would bind NULL, not an empty blob */
		int rc = sqlite3_bind_blob64(stmt, 2,
		    b->leaves[i].ptr ? b->leaves[i].ptr : (const uint8_t *)"",
		    b->leaves[i].len, SQLITE_STATIC);
		if (rc == SQLITE_OK)
			rc = sqlite_step_done(stmt);
		if (rc != SQLITE_OK)
			return rc;
	}
	sqlite3_clear_bindings(stmt);
	return SQLITE_OK;
}

static int
add_tile(sqlite3_stmt *stmt, const struct store_tile *tile)
{
	sqlite3_bind_int(stmt, 1, tile->level);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)tile->index);
	sqlite3_bind_blob(stmt, 3, tile->hashes, TILE_LEN, SQLITE_STATIC);
	int rc = sqlite_step_done(stmt);
	sqlite3_clear_bindings(stmt);
	return rc;
}

/* Whoever numbers entries wrongly must not be let near the log again. */
static bool
follows(struct store *s, const struct store_batch *b, struct error *err)
{
	uint64_t size = 0, end = 0;
	bool fits = !__builtin_add_overflow(b->first, b->count, &end) &&
	    end <= INT64_MAX;
	if (!get_size(s, &size, err))
		return false;
	if (b->first == size && fits)
		return true;
	return error_set(err, ERR_INTERNAL,
	    "append of %zu entries at %llu to a log of %llu", b->count,
	    (unsigned long long)b->first, (unsigned long long)size);
}

/*
 * A failure that did not leave anything in doubt: no space (the frames stay
 * where they are) or a reader in the way. Everything else, above all a failed
 * sync, latches.
 */
static bool
settled(struct store *s, bool ok, struct error *err)
{
	if (!ok && err->code != ERR_UNAVAILABLE)
		atomic_store(&s->latched, true);
	return ok;
}

static bool
checkpoint(struct store *s, int mode, struct error *err)
{
	int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, NULL, NULL);
	if (rc == SQLITE_OK && mode == SQLITE_CHECKPOINT_RESTART)
		s->wal_bytes = 0; /* for the next commit */
	if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
		return true;
	return settled(s, log_fail(s, s->db, rc, "checkpoint", err), err);
}

/* Whoever stops in the middle of reading, in another process say, must not let
 * the write-ahead log grow past what low-water and a start reckon with. */
static bool
has_room(struct store *s, struct error *err)
{
	if (s->wal_bytes >= s->options.wal_hard &&
	    !checkpoint(s, SQLITE_CHECKPOINT_RESTART, err))
		return false;
	return s->wal_bytes < s->options.wal_hard ||
	    error_reason(err, ERR_UNAVAILABLE, "store-busy",
		"somebody who reads the database keeps its write-ahead log "
		"from starting over; try again");
}

static bool
append(struct store *s, const struct store_batch *b, struct error *err)
{
	if (!log_may_write(s, err) || !has_room(s, err))
		return false;
	int rc = log_begin(s);
	if (rc != SQLITE_OK)
		return log_give_up(s, rc, "append", err);
	if (!follows(s, b, err))
		return log_give_up(s, SQLITE_ERROR, "append", err);
	rc = add_entries(s, b);
	for (size_t i = 0; rc == SQLITE_OK && i < b->tile_count; i++)
		rc = add_tile(s->stmt[ADD_TILE], &b->tiles[i]);
	if (rc == SQLITE_OK && b->link_count > 0)
		rc = log_add_links(s, b);
	if (rc != SQLITE_OK)
		return log_give_up(s, rc, "append", err);
	return log_commit(s, "append", err);
}

/* How many full tiles a log of `size` entries has at `level`. */
static uint64_t
full_tiles(unsigned level, uint64_t size)
{
	unsigned shift = TILE_HEIGHT * (level + 1);
	return shift < 64 ? size >> shift : 0;
}

static int
drop_beyond(struct store *s, uint64_t size)
{
	sqlite3_bind_int64(s->stmt[DROP_ENTRIES], 1, (sqlite3_int64)size);
	int rc = sqlite_step_done(s->stmt[DROP_ENTRIES]);
	if (rc == SQLITE_OK)
		rc = log_drop_links(s, size);
	for (unsigned l = 0; rc == SQLITE_OK && l <= TILE_MAX_LEVEL; l++) {
		sqlite3_stmt *stmt = s->stmt[DROP_TILES];
		sqlite3_bind_int(stmt, 1, (int)l);
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)full_tiles(l, size));
		rc = sqlite_step_done(stmt);
	}
	return rc;
}

static bool
truncate_to(struct store *s, uint64_t size, struct error *err)
{
	if (!log_may_write(s, err))
		return false;
	if (size > INT64_MAX)
		return true;
	int rc = log_begin(s);
	if (rc == SQLITE_OK)
		rc = drop_beyond(s, size);
	if (rc != SQLITE_OK)
		return log_give_up(s, rc, "truncate", err);
	return log_commit(s, "truncate", err);
}

static bool
put_tile(struct store *s, const struct store_tile *tile, struct error *err)
{
	if (!log_may_write(s, err))
		return false;
	int rc = log_begin(s);
	if (rc == SQLITE_OK)
		rc = add_tile(s->stmt[PUT_TILE], tile);
	if (rc != SQLITE_OK)
		return log_give_up(s, rc, "put tile", err);
	return log_commit(s, "put tile", err);
}

static bool
settle(struct store *s, struct error *err)
{
	if (!log_may_write(s, err))
		return false;
	s->wal_bytes = 0;
	return settled(s,
	    sqlite_wal_settle(
		s->db, s->options.vfs, s->path, folder_of(s), err),
	    err);
}

/*
 * A passive checkpoint waits for nobody, and once everything is copied the next
 * commit starts the log over, unless some reader is still in it. Readers are
 * quick, so that seldom fails; when it failed long enough, RESTART waits for
 * them (they do not wait for us).
 */
static bool
compact(struct store *s, struct error *err)
{
	if (!log_may_write(s, err))
		return false;
	if (s->wal_bytes < s->options.wal_soft)
		return true;
	int mode = s->wal_bytes < s->options.wal_hard
	    ? SQLITE_CHECKPOINT_PASSIVE
	    : SQLITE_CHECKPOINT_RESTART;
	return checkpoint(s, mode, err);
}

static void
reader_close(struct store_reader *r)
{
	if (!r)
		return;
	sqlite3_finalize(r->entries);
	sqlite3_finalize(r->tile);
	for (size_t i = 0; i < READINGS; i++)
		sqlite3_finalize(r->envelopes[i]);
	sqlite3_close(r->db);
	free(r);
}

static struct store_reader *
reader_open(struct store *s, struct error *err)
{
	struct store_reader *r = calloc(1, sizeof(*r));
	if (!r) {
		error_set(err, ERR_INTERNAL, "no memory for a reader");
		return NULL;
	}
	struct sqlite_config c = config_of(&s->options, s->path, CONNECT_READ);
	r->store = s;
	r->db = sqlite_connect(&c, err);
	if (r->db && sqlite_prepare(r->db, sql_entries, &r->entries, err) &&
	    sqlite_prepare(r->db, sql_tile, &r->tile, err))
		return r;
	reader_close(r);
	return NULL;
}

typedef bool (*entry_function)(
    void *arg, uint64_t index, struct bytes leaf, struct error *err);

static bool
missing(struct error *err, const char *what, uint64_t index)
{
	return error_reason(err, ERR_IO, "store-missing",
	    "the log store has no %s %llu", what, (unsigned long long)index);
}

/* One row, which must be entry `index`. */
static bool
pass_entry(struct store_reader *r, uint64_t index, entry_function each,
    void *arg, struct error *err)
{
	int rc = sqlite3_step(r->entries);
	if (rc == SQLITE_DONE)
		return missing(err, "entry", index);
	if (rc != SQLITE_ROW)
		return log_fail(r->store, r->db, rc, "read entries", err);
	if (sqlite3_column_int64(r->entries, 0) != (sqlite3_int64)index)
		return missing(err, "entry", index);
	if (sqlite3_column_type(r->entries, 1) != SQLITE_BLOB)
		return log_fail(r->store, NULL, SQLITE_CORRUPT, "entry", err);
	const void *leaf = sqlite3_column_blob(r->entries, 1);
	int len = sqlite3_column_bytes(r->entries, 1);
	if (!leaf && len > 0)
		return sqlite_fail(r->db, SQLITE_NOMEM, "read entries", err);
	return each(arg, index, bytes_of(leaf, (size_t)len), err);
}

/* Short transactions, whatever `each` does: an open one keeps the write-ahead
 * log from being reused. Entries never change, so nothing is lost between two.
 */
static bool
read_stride(struct store_reader *r, uint64_t *next, uint64_t end,
    entry_function each, void *arg, struct error *err)
{
	uint64_t began = clock_monotonic_ns();
	sqlite3_bind_int64(r->entries, 1, (sqlite3_int64)*next);
	sqlite3_bind_int64(r->entries, 2, (sqlite3_int64)end);
	bool ok = true;
	do
		ok = pass_entry(r, (*next)++, each, arg, err);
	while (ok && *next < end && clock_monotonic_ns() - began < READ_NS);
	sqlite3_reset(r->entries);
	return ok;
}

static bool
read_entries(struct store_reader *r, uint64_t first, uint64_t count,
    entry_function each, void *arg, struct error *err)
{
	uint64_t end;
	if (__builtin_add_overflow(first, count, &end) || end > INT64_MAX)
		return missing(err, "entry", first);
	while (first < end) {
		uint64_t stop =
		    end - first > READ_STRIDE ? first + READ_STRIDE : end;
		if (!read_stride(r, &first, stop, each, arg, err))
			return false;
	}
	return true;
}

static bool
take_tile(struct store_reader *r, int rc, uint64_t index,
    struct hash out[TILE_WIDTH], struct error *err)
{
	if (rc == SQLITE_DONE)
		return missing(err, "tile", index);
	if (rc != SQLITE_ROW)
		return log_fail(r->store, r->db, rc, "read tile", err);
	const void *hashes = sqlite3_column_blob(r->tile, 0);
	int len = sqlite3_column_bytes(r->tile, 0);
	if (sqlite3_column_type(r->tile, 0) != SQLITE_BLOB || len != TILE_LEN)
		return log_fail(r->store, NULL, SQLITE_CORRUPT, "tile", err);
	if (!hashes)
		return sqlite_fail(r->db, SQLITE_NOMEM, "read tile", err);
	memcpy(out, hashes, TILE_LEN);
	return true;
}

static bool
read_tile(struct store_reader *r, uint8_t level, uint64_t index,
    struct hash out[TILE_WIDTH], struct error *err)
{
	if (index > INT64_MAX)
		return missing(err, "tile", index);
	sqlite3_bind_int(r->tile, 1, level);
	sqlite3_bind_int64(r->tile, 2, (sqlite3_int64)index);
	bool ok = take_tile(r, sqlite3_step(r->tile), index, out, err);
	sqlite3_reset(r->tile);
	return ok;
}

const struct store_backend store_sqlite = {
    .name = "sqlite",
    .create = create,
    .open = open_store,
    .close = close_store,
    .size = get_size,
    .identity = identity,
    .append = append,
    .truncate = truncate_to,
    .settle = settle,
    .compact = compact,
    .put_tile = put_tile,
    .drop_envelope = log_drop_envelope,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .read_entries = read_entries,
    .read_tile = read_tile,
    .read_envelope = log_read_envelope,
    .find_link = log_find_link,
    .read_links = log_read_links,
    .count_envelopes = log_count_envelopes,
};
