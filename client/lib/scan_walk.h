/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_WALK_H
#define MTLOG_CLIENT_LIB_SCAN_WALK_H

#include "client/lib/scan_watch.h"
#include "client/lib/tiles.h"

/* A leaf that may be a watched signer's: `len` bytes of `leaves`, from `at`. */
struct scan_caught {
	uint64_t index;
	size_t at, len;
};

/* Those of a part of the tree, by index. Release. */
struct scan_catch {
	size_t limit; /* bytes of leaves; set by the caller */
	size_t count, room;
	struct scan_caught *list;
	struct buf leaves;
	bool full; /* there are more than the limit */
};

/*
 * scan_walk looks at the verified entries from `*at` up to `to`, several bundles
 * at a time, and keeps those that may be ours. After some seconds it ends
 * behind the bundles that it is at: `*at` is where, so that a log that is slow
 * need not be read again. Errors of tiles_walk; ERR_LIMIT with `full` set: take a
 * smaller part. `progress` may be NULL.
 */
bool scan_walk(struct tiles *t, const struct scan_watch *w, uint64_t *at,
    uint64_t to, void (*progress)(void *arg, uint64_t done), void *arg,
    struct scan_catch *out, struct error *err) MUST_USE;
void scan_catch_release(struct scan_catch *c);

#endif
