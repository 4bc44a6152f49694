/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/tile.h"
#include "tests/support/memory_tree.h"
#include "tests/support/vector_file.h"

#define BIG UINT64_C(70000)

static struct hasher hasher;
static struct memory_tree tree;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	if (!hasher_open(&hasher, &err))
		return -1;
	memory_tree_init(&tree, BIG);
	memory_tree_fill(&tree, &hasher, BIG);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_tree_release(&tree);
	hasher_release(&hasher);
	return 0;
}

static void
test_path_vectors(void **state)
{
	AUTO(buf) file = BUF_INIT(1 << 20);
	AUTO(buf) text = BUF_INIT(TILE_PATH_MAX);
	char name[VECTOR_PATH_MAX];
	struct reader lines;
	struct bytes line, path, level;
	unsigned count = 0;

	(void)state;
	assert_true(vector_read(vector_own(name, "tile/paths.txt"), &file));
	reader_init(&lines, buf_bytes(&file));
	while (reader_line(&lines, &line)) {
		struct reader words = {line};
		struct error err = {0};
		struct tile_place place;
		uint64_t index, width, n = TILE_ENTRIES;

		assert_true(vector_word(&words, &path));
		assert_true(vector_word(&words, &level));
		if (!bytes_equal(level, BYTES_LIT("entries")))
			assert_true(decimal_parse(level, &n));
		assert_true(vector_number(&words, &index));
		assert_true(vector_number(&words, &width));
		assert_true(tile_path_parse(path, &place, &err));
		assert_int_equal(place.level, n);
		assert_int_equal(place.index, index);
		assert_int_equal(place.width, width);
		buf_clear(&text);
		tile_path_format(place, &text);
		assert_true(buf_ok(&text, &err));
		assert_true(bytes_equal(buf_bytes(&text), path));
		count++;
	}
	assert_true(count > 300);
}

static const char *const bad_paths[] = {
    "",
    "0",
    "0/",
    "/0/000",
    "0//000",
    "0/0",
    "0/00",
    "0/0000",
    "0/1000",
    "0/000/",
    "0/000 ",
    " 0/000",
    "0/000\n",
    "+0/000",
    "-1/000",
    "00/000",
    "01/000",
    "64/000",
    "255/000",
    "256/000",
    "18446744073709551616/000",
    "0/x000/000",
    "0/x000/001",
    "0/x000/x001/001",
    "0/x001",
    "0/x001/",
    "0/x001/x002",
    "0/001/002",
    "0/x001/02",
    "0/X001/002",
    "0/xx01/002",
    "0/x001x002",
    "0/x001/002/x003",
    "0/-01",
    "0/0 1",
    "0/0x1",
    "0/x009/x223/x372/x036/x854/x775/808",
    "0/x018/x446/x744/x073/x709/x551/615",
    "0/x001/x000/x000/x000/x000/x000/x000/000",
    "0/000.p",
    "0/000.p/",
    "0/000.p/0",
    "0/000.p/00",
    "0/000.p/01",
    "0/000.p/256",
    "0/000.p/257",
    "0/000.p/1000",
    "0/000.p/-1",
    "0/000.p/+1",
    "0/000.p/1/",
    "0/000.p/1.p/1",
    "0/000.p1",
    "0/000.P/1",
    "0/000/.p/1",
    "0/x001.p/1/002",
    "entries",
    "entries/",
    "entries/0",
    "entries//000",
    "entries/0/000",
    "Entries/000",
    "entries/000.p/0",
    "data/000",
    "8/0/000",
    "../000",
    "0/../000",
};

static void
test_path_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_paths) / sizeof(bad_paths[0]); i++) {
		struct tile_place place = {9, 9, 9};
		struct error err = {0};

		if (tile_path_parse(bytes_str(bad_paths[i]), &place, &err))
			fail_msg("accepted \"%s\"", bad_paths[i]);
		assert_int_equal(err.code, ERR_SYNTAX);
		assert_int_equal(place.index, 9);
	}
}

static void
test_path_with_nul(void **state)
{
	struct tile_place place;
	struct error err = {0};

	(void)state;
	assert_false(tile_path_parse(BYTES_LIT("0/000\0"), &place, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
}

static void
test_path_max(void **state)
{
	AUTO(buf) text = BUF_INIT(TILE_PATH_MAX);
	struct error err = {0};

	(void)state;
	tile_path_format(
	    (struct tile_place){TILE_ENTRIES, UINT64_MAX, 255}, &text);
	assert_true(buf_ok(&text, &err));
}

static void
test_exists(void **state)
{
	static const struct {
		struct tile_place place;
		uint64_t size;
		bool exists;
	} cases[] = {
	    {{0, 0, 1}, 1, true},
	    {{0, 0, 1}, 0, false},
	    {{0, 0, 2}, 1, false},
	    {{0, 0, 0}, 1, false},
	    {{0, 0, 255}, 255, true},
	    {{0, 0, 256}, 255, false},
	    {{0, 0, 255}, 256, true},
	    {{0, 0, 256}, 256, true},
	    {{0, 0, 257}, 70000, false},
	    {{0, 1, 1}, 256, false},
	    {{0, 1, 1}, 257, true},
	    {{1, 0, 1}, 255, false},
	    {{1, 0, 1}, 256, true},
	    {{1, 0, 2}, 256, false},
	    {{1, 0, 2}, 511, false},
	    {{1, 0, 2}, 512, true},
	    {{0, 272, 256}, 70000, true},
	    {{0, 273, 112}, 70000, true},
	    {{0, 273, 7}, 70000, true},
	    {{0, 273, 113}, 70000, false},
	    {{0, 273, 256}, 70000, false},
	    {{0, 274, 1}, 70000, false},
	    {{1, 0, 256}, 70000, true},
	    {{1, 1, 17}, 70000, true},
	    {{1, 1, 18}, 70000, false},
	    {{2, 0, 1}, 70000, true},
	    {{2, 0, 2}, 70000, false},
	    {{3, 0, 1}, 70000, false},
	    {{TILE_ENTRIES, 273, 112}, 70000, true},
	    {{TILE_ENTRIES, 273, 113}, 70000, false},
	    {{TILE_ENTRIES, 0, 256}, 0, false},
	    {{7, 0, 127}, TREE_MAX_SIZE, true},
	    {{7, 0, 128}, TREE_MAX_SIZE, false},
	    {{8, 0, 1}, TREE_MAX_SIZE, false},
	    {{63, 0, 1}, TREE_MAX_SIZE, false},
	    {{254, 0, 1}, TREE_MAX_SIZE, false},
	    {{0, ((uint64_t)1 << 55) - 1, 255}, TREE_MAX_SIZE, true},
	    {{0, ((uint64_t)1 << 55) - 1, 256}, TREE_MAX_SIZE, false},
	    {{0, (uint64_t)1 << 55, 1}, TREE_MAX_SIZE, false},
	    {{0, (uint64_t)1 << 56, 1}, 70000, false},
	    {{0, UINT64_MAX, 256}, TREE_MAX_SIZE, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (tile_exists(cases[i].place, cases[i].size) !=
		    cases[i].exists)
			fail_msg("case %zu", i);
}

static void
test_of_node(void **state)
{
	static const struct {
		struct node_place node;
		struct tile_place tile;
		unsigned first, count;
	} cases[] = {
	    {{0, 0}, {0, 0, 256}, 0, 1},
	    {{0, 255}, {0, 0, 256}, 255, 1},
	    {{0, 256}, {0, 1, 256}, 0, 1},
	    {{1, 127}, {0, 0, 256}, 254, 2},
	    {{1, 128}, {0, 1, 256}, 0, 2},
	    {{7, 1}, {0, 0, 256}, 128, 128},
	    {{7, 3}, {0, 1, 256}, 128, 128},
	    {{8, 0}, {1, 0, 256}, 0, 1},
	    {{8, 255}, {1, 0, 256}, 255, 1},
	    {{10, 70}, {1, 1, 256}, 24, 4},
	    {{62, 1}, {7, 0, 256}, 64, 64},
	    {{0, TREE_MAX_SIZE - 1}, {0, ((uint64_t)1 << 55) - 1, 256}, 254, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tile_place tile;
		unsigned first, count;

		tile_of_node(cases[i].node, &tile, &first, &count);
		assert_int_equal(tile.level, cases[i].tile.level);
		assert_int_equal(tile.index, cases[i].tile.index);
		assert_int_equal(tile.width, TILE_WIDTH);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(count, cases[i].count);
	}
}

/* Every node of the tree comes out of its tile. */
static void
test_fold_gives_the_nodes(void **state)
{
	unsigned checked = 0;

	(void)state;
	for (unsigned k = 0; k <= 16; k++) {
		for (uint64_t i = 0; i < BIG >> k; i += 1 + (i >> k) / 3) {
			struct tile_place tile;
			unsigned first, count;
			const struct hash *level;
			struct hash sum;

			tile_of_node(
			    (struct node_place){k, i}, &tile, &first, &count);
			level = tree.level[tile.level * TILE_HEIGHT];
			tile_fold(&hasher,
			    level + tile.index * TILE_WIDTH + first, count,
			    &sum);
			assert_true(hash_equal(&sum, &tree.level[k][i]));
			checked++;
		}
	}
	assert_true(checked > 1000);
}

static void
test_fold_whole(void **state)
{
	struct hash sum;

	(void)state;
	tile_fold(&hasher, tree.level[0], TILE_WIDTH, &sum);
	assert_true(hash_equal(&sum, &tree.level[8][0]));
	/* A level-1 tile's fold is what level 2 holds. */
	tile_fold(&hasher, tree.level[8], TILE_WIDTH, &sum);
	assert_true(hash_equal(&sum, &tree.level[16][0]));
}

static void
test_content_vectors(void **state)
{
	AUTO(buf) file = BUF_INIT(1 << 20);
	char name[VECTOR_PATH_MAX];
	struct reader lines;
	struct bytes line, path;
	unsigned count = 0;

	(void)state;
	assert_true(vector_read(vector_own(name, "tile/contents.txt"), &file));
	reader_init(&lines, buf_bytes(&file));
	while (reader_line(&lines, &line)) {
		struct reader words = {line};
		struct error err = {0};
		struct tile_place place;
		struct hash want, got;
		const struct hash *level;
		uint64_t size;

		assert_true(vector_number(&words, &size));
		assert_true(vector_word(&words, &path));
		assert_true(vector_hash(&words, &want));
		assert_true(tile_path_parse(path, &place, &err));
		assert_true(tile_exists(place, size));
		level = tree.level[place.level * TILE_HEIGHT];
		sha256(&hasher,
		    bytes_of(level + place.index * TILE_WIDTH,
			(size_t)place.width * HASH_LEN),
		    &got);
		assert_true(hash_equal(&got, &want));
		count++;
	}
	assert_true(count > 20);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_path_vectors),
	    cmocka_unit_test(test_path_refusals),
	    cmocka_unit_test(test_path_with_nul),
	    cmocka_unit_test(test_path_max),
	    cmocka_unit_test(test_exists),
	    cmocka_unit_test(test_of_node),
	    cmocka_unit_test(test_fold_gives_the_nodes),
	    cmocka_unit_test(test_fold_whole),
	    cmocka_unit_test(test_content_vectors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
