/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/entries.h"
#include "core/tlog/frontier.h"
#include "server/tree.h"

#define CACHE (1u << 20)

/* A tree over the memory backend, grown through the store as the server does. */
struct world {
	struct store *store;
	struct tree *tree;
	struct tree_cursor cursor;
	struct frontier frontier;
};

static size_t
entry_text(uint64_t index, char out[32])
{
	return (size_t)snprintf(
	    out, 32, "entry %llu", (unsigned long long)index);
}

static void
world_open(struct world *w)
{
	struct error err = {0};

	*w = (struct world){0};
	w->store = store_memory.open("", false, &err);
	assert_non_null(w->store);
	w->tree = tree_open(&store_memory, w->store, CACHE, &err);
	assert_non_null(w->tree);
	assert_true(tree_cursor_open(&w->cursor, w->tree, &err));
}

static void
world_close(struct world *w)
{
	tree_cursor_release(&w->cursor);
	tree_close(w->tree);
	store_memory.close(w->store);
}

/* Appends `count` leaves to the tree alone. */
static void
grow(struct world *w, size_t count, const char *salt)
{
	struct hash *leaves = calloc(count, sizeof(*leaves));
	struct error err = {0};
	uint64_t first = tree_size(w->tree);

	for (size_t i = 0; i < count; i++) {
		char text[32];
		size_t n = entry_text(first + i, text);

		if (salt)
			sha256_two(&w->cursor.hasher, bytes_str(salt),
			    bytes_of(text, n), &leaves[i]);
		else
			merkle_leaf(
			    &w->cursor.hasher, bytes_of(text, n), &leaves[i]);
	}
	assert_true(tree_append(w->tree, leaves, count, &err));
	free(leaves);
}

/* The whole way of a batch: tree, store, commit. */
static void
add(struct world *w, size_t count)
{
	struct bytes *leaves = calloc(count, sizeof(*leaves));
	char(*texts)[32] = calloc(count, sizeof(*texts));
	struct store_batch b = {.first = tree_size(w->tree), .count = count};
	struct error err = {0};

	for (size_t i = 0; i < count; i++) {
		struct hash leaf;

		leaves[i] =
		    bytes_of(texts[i], entry_text(b.first + i, texts[i]));
		merkle_leaf(&w->cursor.hasher, leaves[i], &leaf);
		frontier_append(&w->cursor.hasher, &w->frontier, &leaf);
	}
	grow(w, count, NULL);
	b.leaves = leaves;
	b.tile_count = tree_fresh(w->tree, &b.tiles);
	assert_true(store_memory.append(w->store, &b, &err));
	tree_commit(w->tree);
	free(leaves);
	free(texts);
}

static void
root_agrees(struct world *w)
{
	struct node_reader nodes = tree_nodes(&w->cursor);
	struct hash want, got;
	struct error err = {0};

	frontier_root(&w->cursor.hasher, &w->frontier, &want);
	assert_true(merkle_root(
	    &w->cursor.hasher, &nodes, w->frontier.size, &got, &err));
	assert_true(hash_equal(&want, &got));
	tree_cursor_rest(&w->cursor);
}

static const size_t steps[] = {
    1, 1, 253, 1, 1, 1, 254, 256, 300, 1000, 63500, 300, 1, 700};

static void
test_grown_in_batches(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		add(&w, steps[i]);
		root_agrees(&w);
	}
	world_close(&w);
}

/* What a failed commit takes back leaves no trace, whatever it completed. */
static void
test_rolled_back(void **state)
{
	static const size_t lost[] = {1, 2, 255, 256, 257, 600, 65536, 66000};
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const struct store_tile *tiles;
		uint64_t size = tree_size(w.tree);

		grow(&w, lost[i % 8], "never stored");
		tree_rollback(w.tree);
		assert_true(tree_size(w.tree) == size);
		assert_int_equal(tree_fresh(w.tree, &tiles), 0);
		root_agrees(&w);
		add(&w, steps[i]);
		root_agrees(&w);
	}
	world_close(&w);
}

/* A tree that was loaded goes on like the one that grew. */
static void
test_loaded(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct error err = {0};

		add(&w, steps[i]);
		tree_cursor_release(&w.cursor);
		tree_close(w.tree);
		w.tree = tree_open(&store_memory, w.store, CACHE, &err);
		assert_true(tree_load(w.tree, w.frontier.size, &err));
		assert_true(tree_cursor_open(&w.cursor, w.tree, &err));
		assert_true(tree_size(w.tree) == w.frontier.size);
		root_agrees(&w);
	}
	world_close(&w);
}

static void
bundle_agrees(struct world *w, uint64_t index, unsigned width)
{
	struct tile_place place = {TILE_ENTRIES, index, width};
	struct tile_place hashes = {0, index, width};
	struct httpd_body *bundle, *tile;
	struct error err = {0};
	struct hash leaves[TILE_WIDTH];
	size_t len;

	assert_true(tree_tile(&w->cursor, hashes, &tile, &err));
	memcpy(leaves, tile->data.ptr, width * sizeof(leaves[0]));
	httpd_body_release(tile);
	assert_true(tree_bundle(&w->cursor, place, false, &bundle, &len, &err));
	assert_true(entries_verify(&w->cursor.hasher,
	    bytes_of(bundle->data.ptr, len), leaves, width, &err));
	httpd_body_release(bundle);
	tree_cursor_rest(&w->cursor);
}

static void
test_tiles_and_bundles(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	add(&w, 600);
	bundle_agrees(&w, 0, 256);
	bundle_agrees(&w, 1, 256);
	bundle_agrees(&w, 2, 88);
	bundle_agrees(&w, 2, 1);
	add(&w, 100);
	bundle_agrees(&w, 2, 188);
	bundle_agrees(&w, 2, 88);
	world_close(&w);
}

/* Another entry than the tree has is not shown, and is not forgotten. */
static void
test_changed_entry(void **state)
{
	struct world w;
	struct tile_place place = {TILE_ENTRIES, 0, 5};
	struct httpd_body *body;
	struct error err = {0};
	size_t len;

	(void)state;
	world_open(&w);
	/* The tree holds what the store does not. */
	grow(&w, 5, "other leaves");
	tree_commit(w.tree);
	{
		struct bytes leaves[5];
		struct store_batch b = {.count = 5, .leaves = leaves};

		for (size_t i = 0; i < 5; i++)
			leaves[i] = BYTES_LIT("stored");
		assert_true(store_memory.append(w.store, &b, &err));
	}
	assert_false(tree_corrupt(w.tree));
	assert_false(tree_bundle(&w.cursor, place, false, &body, &len, &err));
	assert_string_equal(error_reason_name(&err), "store-corrupt");
	assert_true(tree_corrupt(w.tree));
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_grown_in_batches),
	    cmocka_unit_test(test_rolled_back),
	    cmocka_unit_test(test_loaded),
	    cmocka_unit_test(test_tiles_and_bundles),
	    cmocka_unit_test(test_changed_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
