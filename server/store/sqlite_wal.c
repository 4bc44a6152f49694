/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/sqlite_wal.h"

#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/cleanup.h"
#include "core/crypto/hash.h"
#include "server/store/durable.h"
#include "server/store/sqlite_util.h"

/* The write-ahead log is kept under 16 MiB; a truncation of many entries may
 * make a larger one. */
#define KEEP_MAX (UINT64_C(1) << 30)
#define CHUNK	 65536

/* The copy ends with its length and SHA-256: complete, or not a copy. */
#define TRAILER_LEN (8 + HASH_LEN)

/* A file opened through a VFS by name. */
struct vfs_file {
	sqlite3_vfs *vfs;
	sqlite3_file *file;
	sqlite3_filename name;
};

static void
vfs_file_release(struct vfs_file *f)
{
	if (f->file && f->file->pMethods)
		f->file->pMethods->xClose(f->file);
	free(f->file);
	sqlite3_free_filename(f->name);
	*f = (struct vfs_file){0};
}

static bool
vfs_file_name(struct vfs_file *f, const char *vfs, const char *path,
    const char *suffix, struct error *err)
{
	AUTO(buf) name = BUF_INIT(65536);
	buf_put_str(&name, path);
	buf_put_str(&name, suffix);
	buf_put_u8(&name, 0);
	if (!buf_ok(&name, err))
		return false;
	f->vfs = sqlite3_vfs_find(vfs);
	f->name =
	    sqlite3_create_filename((const char *)name.ptr, "", "", 0, NULL);
	if (!f->vfs || !f->name)
		return error_set(err, ERR_INTERNAL, "no VFS or no memory");
	return true;
}

static bool
vfs_file_open(struct vfs_file *f, struct error *err)
{
	f->file = calloc(1, (size_t)f->vfs->szOsFile);
	if (!f->file)
		return error_set(err, ERR_INTERNAL, "no memory for a file");
	int flags =
	    SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	int rc = f->vfs->xOpen(f->vfs, f->name, f->file, flags, NULL);
	return rc == SQLITE_OK || sqlite_fail(NULL, rc, f->name, err);
}

static bool
vfs_file_exists(struct vfs_file *f, bool *out, struct error *err)
{
	int found = 0;
	int rc = f->vfs->xAccess(f->vfs, f->name, SQLITE_ACCESS_EXISTS, &found);
	if (rc != SQLITE_OK)
		return sqlite_fail(NULL, rc, f->name, err);
	*out = found != 0;
	return true;
}

static bool
vfs_file_delete(struct vfs_file *f, struct error *err)
{
	int rc = f->vfs->xDelete(f->vfs, f->name, 1);
	if (rc == SQLITE_OK || rc == SQLITE_IOERR_DELETE_NOENT)
		return true;
	return sqlite_fail(NULL, rc, f->name, err);
}

/* All of `file`, for it has to be hashed, and is a few MiB. */
static bool
read_all(sqlite3_file *file, struct buf *out, struct error *err)
{
	sqlite3_int64 size = 0;
	int rc = file->pMethods->xFileSize(file, &size);
	if (rc != SQLITE_OK)
		return sqlite_fail(NULL, rc, "write-ahead log", err);
	for (sqlite3_int64 at = 0; at < size;) {
		int n = size - at < CHUNK ? (int)(size - at) : CHUNK;
		uint8_t *to = buf_reserve(out, (size_t)n);
		if (!to)
			return buf_ok(out, err);
		rc = file->pMethods->xRead(file, to, n, at);
		if (rc != SQLITE_OK)
			return sqlite_fail(NULL, rc, "write-ahead log", err);
		buf_grow(out, (size_t)n);
		at += n;
	}
	return true;
}

static bool
write_all(sqlite3_file *file, struct bytes data, struct error *err)
{
	int rc = file->pMethods->xTruncate(file, 0);
	for (size_t at = 0; rc == SQLITE_OK && at < data.len;) {
		size_t n = data.len - at < CHUNK ? data.len - at : CHUNK;
		rc = file->pMethods->xWrite(
		    file, data.ptr + at, (int)n, (sqlite3_int64)at);
		at += n;
	}
	if (rc == SQLITE_OK)
		rc = file->pMethods->xSync(file, SQLITE_SYNC_FULL);
	return rc == SQLITE_OK ||
	    sqlite_fail(NULL, rc, "copy the write-ahead log", err);
}

/* The end of a copy of `log`. */
static bool
trailer_of(struct bytes log, struct buf *out, struct error *err)
{
	uint8_t digest[DIGEST_MAX_LEN];
	if (!digest_compute(DIGEST_SHA256, log, digest, err))
		return false;
	buf_put_u64(out, log.len);
	buf_put(out, bytes_of(digest, HASH_LEN));
	return buf_ok(out, err);
}

static bool
is_complete(struct bytes copy, bool *out, struct error *err)
{
	*out = false;
	if (copy.len < TRAILER_LEN)
		return true;
	size_t len = copy.len - TRAILER_LEN;
	AUTO(buf) expect = BUF_INIT(TRAILER_LEN);
	if (!trailer_of(bytes_slice(copy, 0, len), &expect, err))
		return false;
	*out =
	    bytes_equal(buf_bytes(&expect), bytes_slice(copy, len, copy.len));
	return true;
}

bool
sqlite_wal_restore(const char *vfs, const char *path, struct error *err)
{
	AUTO(vfs_file) kept = {0};
	AUTO(vfs_file) wal = {0};
	AUTO(buf) copy = BUF_INIT(KEEP_MAX);
	bool found = false, complete = false;
	if (!vfs_file_name(&kept, vfs, path, "-keep", err) ||
	    !vfs_file_exists(&kept, &found, err))
		return false;
	if (!found)
		return true;
	if (!vfs_file_open(&kept, err) || !read_all(kept.file, &copy, err) ||
	    !is_complete(buf_bytes(&copy), &complete, err))
		return false;
	if (!complete)
		return vfs_file_delete(&kept, err);
	/* Not deleted here: if this is cut off, it is done again; and the
	 * settling that follows makes a new one. */
	return vfs_file_name(&wal, vfs, path, "-wal", err) &&
	    vfs_file_open(&wal, err) &&
	    write_all(wal.file,
		bytes_slice(buf_bytes(&copy), 0, copy.len - TRAILER_LEN), err);
}

static sqlite3_file *
wal_of(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	int rc = sqlite3_file_control(
	    db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
	return rc == SQLITE_OK && file && file->pMethods ? file : NULL;
}

static bool
keep(struct vfs_file *kept, sqlite3_file *wal, struct error *err)
{
	AUTO(buf) copy = BUF_INIT(KEEP_MAX);
	if (!read_all(wal, &copy, err))
		return false;
	if (!trailer_of(buf_bytes(&copy), &copy, err))
		return false;
	return vfs_file_open(kept, err) &&
	    write_all(kept->file, buf_bytes(&copy), err);
}

static bool
checkpoint(sqlite3 *db, sqlite3_file *wal, struct error *err)
{
	int rc = sqlite3_wal_checkpoint_v2(
	    db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK)
		return sqlite_fail(db, rc, "settle the write-ahead log", err);
	/* SQLite leaves the truncation to the next commit's sync. */
	rc = wal->pMethods->xSync(wal, SQLITE_SYNC_FULL);
	return rc == SQLITE_OK ||
	    sqlite_fail(NULL, rc, "sync the write-ahead log", err);
}

bool
sqlite_wal_settle(sqlite3 *db, const char *vfs, const char *path,
    const char *dir, struct error *err)
{
	AUTO(vfs_file) kept = {0};
	sqlite3_file *wal = wal_of(db);
	if (!wal)
		return error_set(err, ERR_INTERNAL, "no write-ahead log");
	if (!vfs_file_name(&kept, vfs, path, "-keep", err))
		return false;
	if (!keep(&kept, wal, err)) {
		/* Half a copy is worth nothing, and the disk may be full. */
		struct error ignored = {0};
		(void)!vfs_file_delete(&kept, &ignored);
		return false;
	}
	return (!dir || durable_sync_dir(dir, err)) &&
	    checkpoint(db, wal, err) && vfs_file_delete(&kept, err) &&
	    (!dir || durable_sync_dir(dir, err));
}
