/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_TILE_H
#define MTLOG_CORE_TLOG_TILE_H

#include "core/base/buf.h"
#include "core/tlog/merkle.h"

#define TILE_WIDTH     256	 /* hashes in a full tile */
#define TILE_HEIGHT    8	 /* log2 of that */
#define TILE_MAX_LEVEL 7	 /* 2^63 leaves need levels 0 to 7 */
#define TILE_ENTRIES   UINT8_MAX /* `level` of an entry bundle */
#define TILE_PATH_MAX  64	 /* bytes of the longest path */

/*
 * A tile's place (c2sp.org/tlog-tiles): hashes [256 index, 256 index + width)
 * of the tree's nodes at height 8 * level; or, with level TILE_ENTRIES, the
 * entry bundle over the leaves of the level-0 tile `index`.
 * `width` is 256 for a full tile, else 1 to 255.
 */
struct tile_place {
	uint8_t level;
	uint64_t index;
	unsigned width;
};

/*
 * tile_path_parse reads "<L>/<N>[.p/<W>]" or "entries/<N>[.p/<W>]" (what
 * follows "/tile/"): strict, no leading zeros, as tile_path_format writes it.
 * ERR_SYNTAX.
 */
bool tile_path_parse(
    struct bytes path, struct tile_place *out, struct error *err) MUST_USE;
void tile_path_format(struct tile_place place, struct buf *out);

/*
 * tile_exists: whether a log of `size` entries has this tile: a full one, or
 * the prefix of one (any width up to what the size implies).
 */
bool tile_exists(struct tile_place place, uint64_t size);

/*
 * tile_of_node: the full tile in which node `place` can be computed, and the
 * run of its hashes that folds into it: 2^(height mod 8) hashes from `first`.
 */
void tile_of_node(struct node_place place, struct tile_place *tile,
    unsigned *first, unsigned *count);

/* tile_fold computes the root of `count` (a power of two, at most 256) hashes.
 */
void tile_fold(struct hasher *h, const struct hash *hashes, unsigned count,
    struct hash *out);

#endif
