/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_QUOTA_H
#define MTLOG_SERVER_QUOTA_H

#include "core/base/bytes.h"
#include "core/base/error.h"

/*
 * So many bytes a day (UTC) for each address and each signer. Memory is
 * bounded: who shares a counter, by a seed that nobody outside knows, shares
 * what it allows. Counts are lost at a restart. Thread-safe.
 */
struct quota;

/* quota_open; NULL with ERR_INTERNAL. quota_close is NULL-safe. */
struct quota *quota_open(uint64_t per_day, uint64_t seed, struct error *err)
    MUST_USE;
void quota_close(struct quota *q);

/* quota_give takes back what was charged, if it is the same day. */
void quota_give(struct quota *q, struct bytes address, struct bytes signer,
    uint64_t n, uint64_t now);

/* quota_take charges `n` to both, at `now` (POSIX seconds), or to none: false
 * when one of the two would have more than its share. */
bool quota_take(struct quota *q, struct bytes address, struct bytes signer,
    uint64_t n, uint64_t now) MUST_USE;

#endif
