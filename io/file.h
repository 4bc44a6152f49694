/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_FILE_H
#define MTLOG_IO_FILE_H

#include <sys/types.h>

#include "core/base/buf.h"
#include "core/base/error.h"

/*
 * file_read appends the whole file (or what comes out of a pipe) to `out`,
 * whose limit bounds it (ERR_LIMIT). "-" is standard input. ERR_NOTFOUND,
 * ERR_DENIED, ERR_IO name the file; a folder is ERR_USAGE.
 */
bool file_read(const char *path, struct buf *out, struct error *err) MUST_USE;

/*
 * file_write replaces `path` atomically and durably: temporary beside it,
 * fsync, rename, fsync of the folder. The mode is exactly `mode`. ERR_IO: the
 * old contents are there or the new ones, never a mixture.
 */
bool file_write(const char *path, struct bytes data, mode_t mode,
    struct error *err) MUST_USE;

/* file_create is file_write for a file that must not exist (ERR_CONFLICT). */
bool file_create(const char *path, struct bytes data, mode_t mode,
    struct error *err) MUST_USE;

/* folder_create makes one folder, durable with its parent. ERR_CONFLICT. */
bool folder_create(const char *path, mode_t mode, struct error *err) MUST_USE;

/* folder_sync makes the names in a folder durable. */
bool folder_sync(const char *path, struct error *err) MUST_USE;

/* folder_empty tells whether there is nothing in it; a folder that does not
 * exist is empty. */
bool folder_empty(const char *path, bool *empty, struct error *err) MUST_USE;

/*
 * folder_local refuses network file systems (ERR_DENIED): their locks and
 * syncs do not promise what a log needs.
 */
bool folder_local(const char *path, struct error *err) MUST_USE;

/*
 * folder_doubt is a sentence about a file system that is permitted but may
 * not keep what is written (FUSE, memory), or NULL: nothing to say.
 */
const char *folder_doubt(const char *path);

/* path_join is "folder/name", or `name` alone if that is absolute; malloc'd,
 * NULL when memory ran out. */
char *path_join(const char *folder, const char *name);

#endif
