/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a tile's path. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/tile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_existence(struct tile_place place)
{
	static const uint64_t sizes[] = {
	    0, 1, 255, 256, 257, 65536, 70000, TREE_MAX_SIZE};
	struct tile_place less = place;

	less.width = 1;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (!tile_exists(place, sizes[i]))
			continue;
		/* What exists is the prefix of what a larger log has. */
		must(tile_exists(place, TREE_MAX_SIZE));
		must(tile_exists(less, sizes[i]));
		must(place.index < sizes[i]);
	}
}

static void
check_nodes(struct tile_place place)
{
	if (!tile_exists(place, TREE_MAX_SIZE) || place.level == TILE_ENTRIES)
		return;
	for (unsigned above = 0; above < TILE_HEIGHT; above++) {
		struct node_place node = {
		    place.level * (unsigned)TILE_HEIGHT + above,
		    place.index << (TILE_HEIGHT - above)};
		struct tile_place tile;
		unsigned first, count;

		tile_of_node(node, &tile, &first, &count);
		must(tile.level == place.level && tile.index == place.index);
		must(first == 0 && count == 1U << above);
		node.index += (1U << (TILE_HEIGHT - above)) - 1;
		tile_of_node(node, &tile, &first, &count);
		must(tile.index == place.index);
		must(first + count == TILE_WIDTH);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf) text = BUF_INIT(TILE_PATH_MAX);
	struct error err = {0};
	struct tile_place place;

	if (!tile_path_parse(bytes_of(data, size), &place, &err)) {
		must(err.code == ERR_SYNTAX);
		return 0;
	}
	tile_path_format(place, &text);
	must(buf_ok(&text, &err));
	must(bytes_equal(buf_bytes(&text), bytes_of(data, size)));
	check_existence(place);
	check_nodes(place);
	return 0;
}
