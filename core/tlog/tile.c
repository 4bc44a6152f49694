/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/tile.h"

#include "core/base/reader.h"

#define PATH_LEVEL_MAX 63 /* what c2sp.org/tlog-tiles can name */
#define GROUP_DIGITS   3
#define GROUP_BASE     1000
#define GROUPS_MAX     7 /* 21 digits hold 64 bits */

static bool
read_level(struct reader *r, uint8_t *out)
{
	uint64_t level;

	if (reader_literal(r, BYTES_LIT("entries/"))) {
		*out = TILE_ENTRIES;
		return true;
	}
	if (!reader_decimal(r, &level) || level > PATH_LEVEL_MAX ||
	    !reader_literal(r, BYTES_LIT("/")))
		return false;
	*out = (uint8_t)level;
	return true;
}

/* Takes three digits and appends them to the number in `*n`. */
static bool
read_group(struct reader *r, uint64_t *n)
{
	struct bytes digits;
	uint64_t group = 0;

	if (!reader_bytes(r, GROUP_DIGITS, &digits))
		return false;
	for (size_t i = 0; i < GROUP_DIGITS; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
			return false;
		group = group * 10 + (uint64_t)(digits.ptr[i] - '0');
	}
	if (*n > ((uint64_t)INT64_MAX - group) / GROUP_BASE)
		return false;
	*n = *n * GROUP_BASE + group;
	return true;
}

static bool
read_index(struct reader *r, uint64_t *out)
{
	uint64_t n = 0;

	while (reader_literal(r, BYTES_LIT("x"))) {
		/* A leading group of zeros would be a second spelling. */
		if (!read_group(r, &n) || n == 0 ||
		    !reader_literal(r, BYTES_LIT("/")))
			return false;
	}
	if (!read_group(r, &n))
		return false;
	*out = n;
	return true;
}

static bool
read_width(struct reader *r, unsigned *out)
{
	uint64_t width;

	if (reader_done(r)) {
		*out = TILE_WIDTH;
		return true;
	}
	if (!reader_literal(r, BYTES_LIT(".p/")) ||
	    !reader_decimal(r, &width) || width == 0 || width >= TILE_WIDTH ||
	    !reader_done(r))
		return false;
	*out = (unsigned)width;
	return true;
}

bool
tile_path_parse(struct bytes path, struct tile_place *out, struct error *err)
{
	struct tile_place place;
	struct reader r;

	reader_init(&r, path);
	if (!read_level(&r, &place.level) || !read_index(&r, &place.index) ||
	    !read_width(&r, &place.width))
		return error_set(err, ERR_SYNTAX, "not the path of a tile");
	*out = place;
	return true;
}

void
tile_path_format(struct tile_place place, struct buf *out)
{
	unsigned groups[GROUPS_MAX];
	size_t n = 0;

	if (place.level == TILE_ENTRIES)
		buf_put_str(out, "entries");
	else
		buf_put_decimal(out, place.level);
	do {
		groups[n++] = (unsigned)(place.index % GROUP_BASE);
		place.index /= GROUP_BASE;
	} while (place.index > 0);
	while (n-- > 0)
		buf_printf(out, n > 0 ? "/x%03u" : "/%03u", groups[n]);
	if (place.width < TILE_WIDTH)
		buf_printf(out, ".p/%u", place.width);
}

bool
tile_exists(struct tile_place place, uint64_t size)
{
	unsigned level = place.level == TILE_ENTRIES ? 0 : place.level;
	uint64_t hashes;

	if (level > TILE_MAX_LEVEL || place.width == 0 ||
	    place.width > TILE_WIDTH)
		return false;
	hashes = size >> (TILE_HEIGHT * level);
	if (place.index > hashes / TILE_WIDTH)
		return false;
	return place.width <= hashes - place.index * TILE_WIDTH;
}

void
tile_of_node(struct node_place place, struct tile_place *tile, unsigned *first,
    unsigned *count)
{
	unsigned above = place.height % TILE_HEIGHT;
	uint64_t per_tile = (uint64_t)TILE_WIDTH >> above;

	tile->level = (uint8_t)(place.height / TILE_HEIGHT);
	tile->index = place.index / per_tile;
	tile->width = TILE_WIDTH;
	*first = (unsigned)(place.index % per_tile) << above;
	*count = 1U << above;
}

void
tile_fold(struct hasher *h, const struct hash *hashes, unsigned count,
    struct hash *out)
{
	struct hash level[TILE_WIDTH / 2];

	if (count == 1) {
		*out = hashes[0];
		return;
	}
	while (count > 1) {
		count /= 2;
		for (unsigned i = 0; i < count; i++)
			merkle_node(
			    h, &hashes[2 * i], &hashes[2 * i + 1], &level[i]);
		hashes = level;
	}
	*out = level[0];
}
