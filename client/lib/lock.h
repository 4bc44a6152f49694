/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_LOCK_H
#define MTLOG_CLIENT_LIB_LOCK_H

#include "core/base/error.h"

#define LOCK_WAIT_MS 10000 /* for those who hold it only while they write */

/*
 * lock_take makes the file `path` if it is not there and locks it against other
 * processes, waiting up to `wait_ms`. What comes back is a descriptor: closing
 * it lets the lock go. -1: ERR_IO, "permission" among its reasons;
 * ERR_UNAVAILABLE reason "locked", which says that `what` is in use.
 */
int lock_take(const char *path, unsigned wait_ms, const char *what,
    struct error *err) MUST_USE;

#endif
