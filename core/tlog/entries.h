/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_ENTRIES_H
#define MTLOG_CORE_TLOG_ENTRIES_H

#include "core/base/buf.h"
#include "core/base/reader.h"
#include "core/tlog/tile.h"

#define ENTRY_MAX_LEN 65535

/*
 * An entry bundle (c2sp.org/tlog-tiles): up to 256 times u16 length, bytes.
 * entries_put appends one entry; `entry.len` <= ENTRY_MAX_LEN, else `out`
 * fails. entries_next takes the next entry from a reader over a bundle:
 * false with `err` unset at the end, with ERR_SYNTAX where the bundle is cut.
 */
void entries_put(struct buf *out, struct bytes entry);
bool entries_next(struct reader *r, struct bytes *entry, struct error *err)
    MUST_USE;

/*
 * entries_verify checks that `bundle` holds exactly `count` entries and that
 * their leaf hashes equal `leaves[0, count)`. ERR_SYNTAX, ERR_BADSIG.
 */
bool entries_verify(struct hasher *h, struct bytes bundle,
    const struct hash *leaves, unsigned count, struct error *err) MUST_USE;

#endif
