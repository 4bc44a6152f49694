/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_TREE_TILES_H
#define MTLOG_TESTS_SUPPORT_TREE_TILES_H

#include <string.h>

#include "core/base/buf.h"
#include "core/tlog/tile.h"
#include "tests/support/memory_tree.h"

/*
 * tree_tile appends the tile of hashes at `path` ("/tile/0/000.p/7") as a log
 * with these leaves has it: any that is complete, up to tile 999 of a level.
 * ERR_NOTFOUND for all else.
 */
static inline bool
tree_tile(const struct memory_tree *t, const char *path, struct buf *out,
    struct error *err)
{
	unsigned level, index, width = TILE_WIDTH;
	int end = 0;

	if ((sscanf(path, "/tile/%1u/%3u.p/%3u%n", &level, &index, &width,
		 &end) == 3 ||
		sscanf(path, "/tile/%1u/%3u%n", &level, &index, &end) == 2) &&
	    path[end] == '\0' && level * TILE_HEIGHT < MEMORY_TREE_LEVELS &&
	    (uint64_t)index * TILE_WIDTH + width <= t->size >>
		(level * TILE_HEIGHT)) {
		buf_put(out,
		    bytes_of(t->level[level * TILE_HEIGHT]
				     [(size_t)index * TILE_WIDTH]
					 .b,
			(size_t)width * HASH_LEN));
		return buf_ok(out, err);
	}
	return error_set(err, ERR_NOTFOUND, "there is no %s", path);
}

#endif
