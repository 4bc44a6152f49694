/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_TILES_PARTS_H
#define MTLOG_CLIENT_LIB_TILES_PARTS_H

#include "client/lib/tiles.h"

/* What tiles.c and tiles_walk.c share. */

#define TILE_BYTES  (TILE_WIDTH * HASH_LEN)
#define TILE_READ   (TILE_BYTES + 4096) /* so that too long a one is told */
#define TILE_LEVELS (TILE_MAX_LEVEL + 1)
#define TILE_KNOWN  64			/* verified full tiles kept in memory */
#define TILE_URL    (TILE_PATH_MAX + 8) /* "/tile/" and the path */

/* A tile that was verified under the head. */
struct known {
	uint64_t used; /* 0: free */
	uint8_t level;
	uint64_t index;
	struct hash hashes[TILE_WIDTH];
};

/* The hashes of a level that no full tile has. */
struct edge {
	unsigned count;
	struct hash hashes[TILE_WIDTH];
};

struct tiles {
	struct tile_fetch *fetch;
	struct hasher hasher;
	struct key_verifier *verifier;
	bool has_head;
	bool gone; /* see tiles_gone */
	uint64_t size;
	struct hash root;
	uint64_t clock; /* of `used` */
	struct edge edges[TILE_LEVELS];
	struct known known[TILE_KNOWN];
};

/* tile_url is where a log has a tile or bundle, behind its address. */
void tile_url(struct tile_place place, char out[TILE_URL]);

/* tile_missing makes "not found" of what the head implies a failure of the log:
 * the thing exists. Always false. */
bool tile_missing(struct error *err);

/* tile_fetch_partial fetches a partial tile or bundle. Where it is gone, the
 * full one is there and begins with it: `*full` then. */
bool tile_fetch_partial(struct tiles *t, unsigned worker,
    struct tile_place place, struct buf *out, bool *full, struct error *err)
    MUST_USE;

/* tiles_verified gives the verified hashes of a tile, `*count` of them, good
 * until the next call; NULL with `err`. */
const struct hash *tiles_verified(struct tiles *t, unsigned level,
    uint64_t index, unsigned *count, struct error *err) MUST_USE;

#endif
