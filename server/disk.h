/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_DISK_H
#define MTLOG_SERVER_DISK_H

#include "core/base/error.h"

/*
 * The low-water watch: below the mark the log is read-only before the disk is
 * full; above mark + a quarter it takes entries again. Looks at the disk at
 * most four times a second. Any thread.
 */
struct disk;

/* disk_open watches the file system of `folder`, which disk_low looks at for
 * the first time; disk_close is NULL-safe. */
struct disk *disk_open(
    const char *folder, uint64_t low_water, struct error *err) MUST_USE;
void disk_close(struct disk *d);

/* disk_low tells whether the log must be read-only; `*free_bytes` may be NULL.
 * Where the file system does not answer, that is low as well. */
bool disk_low(struct disk *d, uint64_t *free_bytes);

/* disk_full notes that a write failed for lack of space: low for ten seconds
 * whatever the file system says (a quota does not show there). */
void disk_full(struct disk *d);

/* disk_mark changes the mark (a reload). Between mark and mark + a quarter the
 * log stays what it was. */
void disk_mark(struct disk *d, uint64_t low_water);

/* disk_file_bytes is a file's size, 0 if it is not there. It opens nothing:
 * closing a descriptor of the database would drop SQLite's locks. */
uint64_t disk_file_bytes(const char *folder, const char *name);

#endif
