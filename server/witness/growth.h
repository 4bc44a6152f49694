/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_GROWTH_H
#define MTLOG_SERVER_WITNESS_GROWTH_H

#include "core/crypto/hash.h"

#define GROWTH_BURST 60 /* growths at once, if a day has that many */

/*
 * How often each log may grow: its rate over the day, and bursts. Only what was
 * found right in every other way is counted, so nobody but the log itself (who
 * else signs larger trees?) can use it up. In memory; a restart begins anew.
 */
struct growth;

struct growth *growth_open(struct error *err) MUST_USE;
void growth_close(struct growth *g);

/* growth_interval_ns is what lies between two growths at `per_day`. */
uint64_t growth_interval_ns(uint64_t per_day);

/*
 * growth_take takes one growth of `log` at the monotonic time `now`.
 * ERR_UNAVAILABLE "log-rate": too soon; `*retry_s` says how long to wait.
 */
bool growth_take(struct growth *g, const struct hash *log, uint64_t per_day,
    uint64_t now_ns, uint64_t *retry_s, struct error *err) MUST_USE;

#endif
