/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/merkle.h"
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
check_hex(const struct hash *got, const char *want)
{
	struct hash h;

	assert_true(hex_decode(bytes_str(want), h.b, HASH_LEN));
	assert_true(hash_equal(got, &h));
}

static void
test_primitives(void **state)
{
	struct hash a, b, out;

	(void)state;
	merkle_empty_root(&out);
	check_hex(&out,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	/* The values of the RFC 6962 test programs for "" and "L123456". */
	merkle_leaf(&hasher, (struct bytes){0}, &a);
	check_hex(&a,
	    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
	merkle_leaf(&hasher, BYTES_LIT("L123456"), &b);
	check_hex(&b,
	    "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
	merkle_node(&hasher, &a, &b, &out);
	assert_false(hash_equal(&out, &a));
	/* The output may be an input. */
	merkle_node(&hasher, &a, &b, &a);
	assert_true(hash_equal(&out, &a));
	merkle_node(&hasher, &out, &b, &b);
	merkle_node(&hasher, &b, &out, &a);
	assert_false(hash_equal(&a, &b));
}

static void
test_no_second_preimage(void **state)
{
	struct hash left = {{1}}, right = {{2}}, node, leaf;
	uint8_t both[2 * HASH_LEN];

	(void)state;
	memcpy(both, left.b, HASH_LEN);
	memcpy(both + HASH_LEN, right.b, HASH_LEN);
	merkle_node(&hasher, &left, &right, &node);
	merkle_leaf(&hasher, BYTES_OF(both), &leaf);
	assert_false(hash_equal(&node, &leaf));
}

static void
test_root_vectors(void **state)
{
	AUTO(buf) file = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX];
	struct reader lines;
	struct bytes line;
	unsigned count = 0;

	(void)state;
	assert_true(vector_read(vector_own(path, "proof/roots.txt"), &file));
	reader_init(&lines, buf_bytes(&file));
	while (reader_line(&lines, &line)) {
		struct reader words = {line};
		struct error err = {0};
		struct node_reader nodes;
		struct hash want, got;
		uint64_t size;

		assert_true(vector_number(&words, &size));
		assert_true(vector_hash(&words, &want));
		nodes = memory_tree_nodes(&tree, size);
		tree.reads = 0;
		assert_true(merkle_root(&hasher, &nodes, size, &got, &err));
		assert_true(hash_equal(&got, &want));
		assert_int_equal(tree.reads, __builtin_popcountll(size));
		count++;
	}
	assert_true(count > 40);
}

static void
test_range(void **state)
{
	static const struct {
		uint64_t from, to;
		bool ok;
	} cases[] = {
	    {0, 1, true},
	    {7, 8, true},
	    {6, 8, true},
	    {8, 13, true},
	    {8, 16, true},
	    {16, 19, true},
	    {0, 0, false},
	    {5, 5, false},
	    {5, 4, false},
	    {7, 9, false},
	    {6, 9, false},
	    {4, 9, false},
	    {12, 18, false},
	    {0, TREE_MAX_SIZE + 1, false},
	    {1, UINT64_MAX, false},
	    {UINT64_MAX, 0, false},
	};
	struct node_reader nodes = memory_tree_nodes(&tree, BIG);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct hash out;
		bool ok = merkle_range(
		    &hasher, &nodes, cases[i].from, cases[i].to, &out, &err);

		assert_int_equal(ok, cases[i].ok);
		assert_int_equal(err.code, ok ? ERR_NONE : ERR_USAGE);
	}
}

static void
test_range_is_the_subtree(void **state)
{
	struct node_reader nodes = memory_tree_nodes(&tree, 13);
	struct error err = {0};
	struct hash left, right, sum, root;

	(void)state;
	assert_true(merkle_range(&hasher, &nodes, 0, 8, &left, &err));
	assert_true(hash_equal(&left, &tree.level[3][0]));
	assert_true(merkle_range(&hasher, &nodes, 8, 13, &right, &err));
	merkle_node(&hasher, &left, &right, &sum);
	assert_true(merkle_root(&hasher, &nodes, 13, &root, &err));
	assert_true(hash_equal(&sum, &root));
}

/* What stands at the very edge of 63 bits must not overflow. */
static bool
edge_read(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	unsigned *reads = arg;

	(void)err;
	assert_true(place.height < 63);
	assert_true(place.index + 1 <= TREE_MAX_SIZE >> place.height);
	*out = (struct hash){{(uint8_t)place.height}};
	++*reads;
	return true;
}

static void
test_largest(void **state)
{
	unsigned reads = 0;
	struct node_reader nodes = {edge_read, &reads};
	struct error err = {0};
	struct hash out;

	(void)state;
	assert_true(merkle_root(&hasher, &nodes, TREE_MAX_SIZE, &out, &err));
	assert_int_equal(reads, 63);
	assert_false(
	    merkle_root(&hasher, &nodes, TREE_MAX_SIZE + 1, &out, &err));
	assert_int_equal(err.code, ERR_USAGE);
}

static bool
fail_read(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	unsigned *left = arg;

	(void)place;
	*out = (struct hash){{0}};
	if ((*left)-- == 0)
		return error_set(err, ERR_IO, "disk on fire");
	return true;
}

static void
test_reader_failure(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		unsigned left = n;
		struct node_reader nodes = {fail_read, &left};
		struct error err = {0};
		struct hash out;

		assert_false(merkle_root(&hasher, &nodes, 15, &out, &err));
		assert_int_equal(err.code, ERR_IO);
	}
}

static void
test_hasher_failure(void **state)
{
	struct node_reader nodes = memory_tree_nodes(&tree, 3);
	struct hasher broken = hasher;
	struct error err = {0};
	struct hash out;

	(void)state;
	broken.failed = true;
	assert_false(merkle_root(&broken, &nodes, 3, &out, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_primitives),
	    cmocka_unit_test(test_no_second_preimage),
	    cmocka_unit_test(test_root_vectors),
	    cmocka_unit_test(test_range),
	    cmocka_unit_test(test_range_is_the_subtree),
	    cmocka_unit_test(test_largest),
	    cmocka_unit_test(test_reader_failure),
	    cmocka_unit_test(test_hasher_failure),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
