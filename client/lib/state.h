/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_STATE_H
#define MTLOG_CLIENT_LIB_STATE_H

#include "core/verify/verify.h"

#define STATE_MAX_LEN (16u << 20) /* bytes of JSON */

/*
 * What a loader remembers between verifications, in a folder of its own
 * (--state DIR): the newest tree head of each log, the last accepted statement
 * of each name, the largest serial of a policy. One file, DIR/state.json,
 * replaced atomically, under a lock (DIR/lock) while it is open.
 *
 *	{"schema":"mtlog-state/1","policySerial":"7","logs":{"<origin>":
 *	{"size":"48300","root":"<hex>","checkpoint":"<note>"}},"names":
 *	{"<origin> <name>":{"index":"48213","statement":"<hex>"}}}
 */
struct state;

/* state_open makes the folder if it has to. NULL: ERR_UNAVAILABLE reason
 * "locked" (after waiting 10 s), ERR_IO, also for a broken file. */
struct state *state_open(const char *dir, struct error *err) MUST_USE;
void state_close(struct state *s);

/* state_view is what verify() asks; it lives as long as `s`. */
const struct verify_state *state_view(struct state *s);

/* state_learn takes in an accepted verdict and makes that durable. No size,
 * index or serial ever becomes smaller. */
bool state_learn(struct state *s, const struct verdict *v, struct error *err)
    MUST_USE;

#endif
