/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/frontier.h"
#include "tests/support/memory_tree.h"
#include "tests/support/vector_file.h"

#define SIZE 1100

static struct hasher hasher;
static struct memory_tree tree;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	if (!hasher_open(&hasher, &err))
		return -1;
	memory_tree_init(&tree, SIZE);
	memory_tree_fill(&tree, &hasher, SIZE);
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

static bool
same_frontier(const struct frontier *a, const struct frontier *b)
{
	if (a->size != b->size)
		return false;
	for (unsigned k = 0; k < 63; k++)
		if (a->size >> k & 1 && !hash_equal(&a->node[k], &b->node[k]))
			return false;
	return true;
}

/* At every size: appended = read back, and its root = the root by nodes. */
static void
test_append(void **state)
{
	struct frontier f = {0};

	(void)state;
	for (uint64_t n = 0; n <= SIZE; n++) {
		struct node_reader nodes = memory_tree_nodes(&tree, n);
		struct error err = {0};
		struct frontier g;
		struct hash a, b;

		tree.reads = 0;
		assert_true(frontier_read(&nodes, n, &g, &err));
		assert_int_equal(tree.reads, __builtin_popcountll(n));
		assert_true(same_frontier(&f, &g));
		frontier_root(&hasher, &f, &a);
		assert_true(merkle_root(&hasher, &nodes, n, &b, &err));
		assert_true(hash_equal(&a, &b));
		if (n < SIZE)
			frontier_append(&hasher, &f, &tree.level[0][n]);
	}
}

static void
test_root_vectors(void **state)
{
	AUTO(buf) file = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX];
	struct frontier f = {0};
	struct reader lines;
	struct bytes line;
	unsigned count = 0;

	(void)state;
	assert_true(vector_read(vector_own(path, "proof/roots.txt"), &file));
	reader_init(&lines, buf_bytes(&file));
	while (reader_line(&lines, &line)) {
		struct reader words = {line};
		struct hash want, got;
		uint64_t size;

		assert_true(vector_number(&words, &size));
		assert_true(vector_hash(&words, &want));
		if (size > SIZE)
			break;
		while (f.size < size)
			frontier_append(&hasher, &f, &tree.level[0][f.size]);
		frontier_root(&hasher, &f, &got);
		assert_true(hash_equal(&got, &want));
		count++;
	}
	assert_true(count > 30);
}

static void
test_root_leaves_frontier_alone(void **state)
{
	struct node_reader nodes = memory_tree_nodes(&tree, 7);
	struct error err = {0};
	struct frontier f;
	struct hash a, b;

	(void)state;
	assert_true(frontier_read(&nodes, 7, &f, &err));
	frontier_root(&hasher, &f, &a);
	frontier_root(&hasher, &f, &b);
	assert_true(hash_equal(&a, &b));
	/* The appended leaf may be one of the frontier's own hashes. */
	frontier_append(&hasher, &f, &f.node[0]);
	assert_int_equal(f.size, 8);
	frontier_root(&hasher, &f, &b);
	assert_false(hash_equal(&a, &b));
}

static bool
any_read(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	unsigned *left = arg;

	if ((*left)-- == 0)
		return error_set(err, ERR_IO, "no node");
	*out = (struct hash){{(uint8_t)place.height}};
	return true;
}

static void
test_largest(void **state)
{
	unsigned left = 1000;
	struct node_reader nodes = {any_read, &left};
	struct error err = {0};
	struct frontier f;
	struct hash leaf = {{9}};

	(void)state;
	assert_true(frontier_read(&nodes, TREE_MAX_SIZE - 1, &f, &err));
	assert_int_equal(left, 1000 - 62);
	frontier_append(&hasher, &f, &leaf);
	assert_int_equal(f.size, TREE_MAX_SIZE);
	assert_true(hash_equal(&f.node[0], &leaf));
}

static void
test_refusals(void **state)
{
	static const struct {
		uint64_t size;
		unsigned reads;
		enum error_code code;
	} cases[] = {
	    {TREE_MAX_SIZE + 1, 1000, ERR_USAGE},
	    {UINT64_MAX, 1000, ERR_USAGE},
	    {1, 0, ERR_IO},
	    {7, 0, ERR_IO},
	    {7, 2, ERR_IO},
	    {TREE_MAX_SIZE, 62, ERR_IO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned left = cases[i].reads;
		struct node_reader nodes = {any_read, &left};
		struct error err = {0};
		struct frontier f = {.size = 42};

		assert_false(frontier_read(&nodes, cases[i].size, &f, &err));
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(f.size, 42);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_append),
	    cmocka_unit_test(test_root_vectors),
	    cmocka_unit_test(test_root_leaves_frontier_alone),
	    cmocka_unit_test(test_largest),
	    cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
