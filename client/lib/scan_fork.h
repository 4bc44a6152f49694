/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_FORK_H
#define MTLOG_CLIENT_LIB_SCAN_FORK_H

#include "client/lib/scan_book.h"
#include "client/lib/tiles.h"

/*
 * scan_fork_write keeps the proof that a log forked, as a file in the folder
 * that stands alone: `pin` was believed before, `head` is what the log shows now,
 * and `tiles` stand on the larger of the two (only asked if the sizes differ).
 * `*path` is malloc'd; NULL if nothing was written. Errors of evidence_make and
 * file_write.
 */
bool scan_fork_write(const char *dir, const struct vkey *key,
    const struct scan_head *pin, const struct scan_head *head,
    struct tiles *tiles, char **path, struct error *err) MUST_USE;

#endif
