/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/proof.h"
#include "tests/support/memory_tree.h"
#include "tests/support/vector_file.h"

#define BIG	 UINT64_C(70000)
#define ALL_SIZE 40

static struct hasher hasher;
static struct memory_tree tree;
static struct hash roots[ALL_SIZE + 1];

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	if (!hasher_open(&hasher, &err))
		return -1;
	memory_tree_init(&tree, BIG);
	memory_tree_fill(&tree, &hasher, BIG);
	for (uint64_t n = 0; n <= ALL_SIZE; n++) {
		struct node_reader nodes = memory_tree_nodes(&tree, n);

		if (!merkle_root(&hasher, &nodes, n, &roots[n], &err))
			return -1;
	}
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
root_of(uint64_t size, struct hash *out)
{
	struct node_reader nodes = memory_tree_nodes(&tree, size);
	struct error err = {0};

	assert_true(merkle_root(&hasher, &nodes, size, out, &err));
}

static bool
same_proof(const struct proof *a, const struct proof *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (!hash_equal(&a->hashes[i], &b->hashes[i]))
			return false;
	return true;
}

/* One line: two numbers and the hashes of the proof between them. */
static void
read_proof_line(struct bytes line, uint64_t *a, uint64_t *b, struct proof *want)
{
	struct reader words = {line};

	want->len = 0;
	assert_true(vector_number(&words, a));
	assert_true(vector_number(&words, b));
	while (want->len < PROOF_MAX_HASHES &&
	    vector_hash(&words, &want->hashes[want->len]))
		want->len++;
	assert_true(reader_done(&words));
}

static void
check_inclusion_line(struct bytes line)
{
	struct proof want, got;
	struct node_reader nodes;
	struct error err = {0};
	struct hash root;
	uint64_t index, size;

	read_proof_line(line, &index, &size, &want);
	root_of(size, &root);
	nodes = memory_tree_nodes(&tree, size);
	assert_true(proof_inclusion(&hasher, &nodes, index, size, &got, &err));
	assert_true(same_proof(&got, &want));
	assert_true(proof_verify_inclusion(
	    &hasher, index, size, &tree.level[0][index], &want, &root, &err));
}

static void
check_consistency_line(struct bytes line)
{
	struct proof want, got;
	struct node_reader nodes;
	struct error err = {0};
	struct hash old_root, new_root;
	uint64_t old_size, new_size;

	read_proof_line(line, &old_size, &new_size, &want);
	root_of(old_size, &old_root);
	root_of(new_size, &new_root);
	nodes = memory_tree_nodes(&tree, new_size);
	assert_true(
	    proof_consistency(&hasher, &nodes, old_size, new_size, &got, &err));
	assert_true(same_proof(&got, &want));
	assert_true(proof_verify_consistency(
	    &hasher, old_size, new_size, &old_root, &new_root, &want, &err));
}

static void
test_own_vectors(void **state)
{
	static const struct {
		const char *file;
		void (*check)(struct bytes line);
	} cases[] = {
	    {"proof/inclusion.txt", check_inclusion_line},
	    {"proof/consistency.txt", check_consistency_line},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		AUTO(buf) file = BUF_INIT(1 << 20);
		char path[VECTOR_PATH_MAX];
		struct reader lines;
		struct bytes line;
		unsigned count = 0;

		assert_true(
		    vector_read(vector_own(path, cases[i].file), &file));
		reader_init(&lines, buf_bytes(&file));
		for (; reader_line(&lines, &line); count++)
			cases[i].check(line);
		assert_true(count > 50);
	}
}

/* Nodes read for a proof: one per perfect subtree of each of its hashes. */
static unsigned
reads_for_inclusion(uint64_t index, uint64_t size)
{
	unsigned reads = 0;

	for (unsigned k = 0; (size - 1) >> k; k++) {
		uint64_t from = ((index >> k) ^ 1) << k;
		uint64_t to = from + (UINT64_C(1) << k);

		if (from < size)
			reads += (unsigned)__builtin_popcountll(
			    (to < size ? to : size) - from);
	}
	return reads;
}

static void
check_every_change(uint64_t index, uint64_t size, const struct proof *good)
{
	const struct hash *leaf = &tree.level[0][index];
	struct proof p = *good;

	for (size_t i = 0; i < good->len; i++) {
		struct error err = {0};

		p.hashes[i].b[(index + i) % HASH_LEN] ^= 0x10;
		assert_false(proof_verify_inclusion(
		    &hasher, index, size, leaf, &p, &roots[size], &err));
		assert_int_equal(err.code, ERR_BADSIG);
		p = *good;
	}
	for (uint64_t other = 0; other < size; other++) {
		struct error err = {0};

		assert_int_equal(proof_verify_inclusion(&hasher, other, size,
				     leaf, good, &roots[size], &err),
		    other == index);
	}
}

static void
test_every_inclusion(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= ALL_SIZE; n++) {
		struct node_reader nodes = memory_tree_nodes(&tree, n);

		for (uint64_t i = 0; i < n; i++) {
			const struct hash *leaf = &tree.level[0][i];
			struct error err = {0};
			struct proof p;

			tree.reads = 0;
			assert_true(
			    proof_inclusion(&hasher, &nodes, i, n, &p, &err));
			assert_int_equal(tree.reads, reads_for_inclusion(i, n));
			assert_true(proof_verify_inclusion(
			    &hasher, i, n, leaf, &p, &roots[n], &err));
			check_every_change(i, n, &p);
		}
	}
}

static void
refuse_consistency(uint64_t old_size, uint64_t new_size,
    const struct hash *old_root, const struct hash *new_root,
    const struct proof *p)
{
	struct error err = {0};

	assert_false(proof_verify_consistency(
	    &hasher, old_size, new_size, old_root, new_root, p, &err));
	assert_int_equal(err.code, ERR_BADSIG);
}

static void
check_consistency_changes(uint64_t m, uint64_t n, const struct proof *good)
{
	struct proof p = *good;

	for (size_t i = 0; i < good->len; i++) {
		p.hashes[i].b[(m + i) % HASH_LEN] ^= 1;
		refuse_consistency(m, n, &roots[m], &roots[n], &p);
		p = *good;
	}
	refuse_consistency(m, n, &roots[m - 1], &roots[n], good);
	refuse_consistency(m, n, &roots[m], &roots[n - 1], good);
	if (m != n)
		refuse_consistency(m, n, &roots[n], &roots[m], good);
	p.hashes[p.len++] = roots[n];
	refuse_consistency(m, n, &roots[m], &roots[n], &p);
	if (good->len > 0) {
		p.len = good->len - 1;
		refuse_consistency(m, n, &roots[m], &roots[n], &p);
		memmove(
		    p.hashes, good->hashes + 1, p.len * sizeof(p.hashes[0]));
		refuse_consistency(m, n, &roots[m], &roots[n], &p);
	}
}

static void
test_every_consistency(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= ALL_SIZE; n++) {
		struct node_reader nodes = memory_tree_nodes(&tree, n);

		for (uint64_t m = 1; m <= n; m++) {
			struct error err = {0};
			struct proof p;

			assert_true(
			    proof_consistency(&hasher, &nodes, m, n, &p, &err));
			assert_true(proof_verify_consistency(
			    &hasher, m, n, &roots[m], &roots[n], &p, &err));
			check_consistency_changes(m, n, &p);
		}
	}
}

static void
test_inclusion_length(void **state)
{
	struct node_reader nodes = memory_tree_nodes(&tree, 7);
	struct error err = {0};
	struct proof p;

	(void)state;
	assert_true(proof_inclusion(&hasher, &nodes, 3, 7, &p, &err));
	p.hashes[p.len++] = roots[7];
	assert_false(proof_verify_inclusion(
	    &hasher, 3, 7, &tree.level[0][3], &p, &roots[7], &err));
	assert_int_equal(err.code, ERR_BADSIG);
	err = (struct error){0};
	p.len -= 2;
	assert_false(proof_verify_inclusion(
	    &hasher, 3, 7, &tree.level[0][3], &p, &roots[7], &err));
	assert_int_equal(err.code, ERR_BADSIG);
	err = (struct error){0};
	/* An inner node passed off as the tree of which it is the root. */
	assert_false(proof_verify_inclusion(
	    &hasher, 3, 7, &tree.level[0][3], &p, &tree.level[2][0], &err));
	assert_int_equal(err.code, ERR_BADSIG);
}

/* A proof that climbs over the root, with roots that would fit it. */
static void
test_proof_beyond_the_root(void **state)
{
	struct node_reader nodes = memory_tree_nodes(&tree, 7);
	const struct hash *leaf = &tree.level[0][3];
	const struct hash above = {{7}};
	struct hash old_root, new_root;
	struct error err = {0};
	struct proof p = {.len = 1, .hashes = {above}};

	(void)state;
	merkle_node(&hasher, &above, leaf, &new_root);
	assert_false(
	    proof_verify_inclusion(&hasher, 0, 1, leaf, &p, &new_root, &err));
	assert_int_equal(err.code, ERR_BADSIG);

	err = (struct error){0};
	merkle_node(&hasher, &above, &roots[3], &old_root);
	merkle_node(&hasher, &above, &roots[7], &new_root);
	assert_true(proof_inclusion(&hasher, &nodes, 3, 7, &p, &err));
	p.hashes[p.len++] = above;
	assert_false(
	    proof_verify_inclusion(&hasher, 3, 7, leaf, &p, &new_root, &err));
	assert_int_equal(err.code, ERR_BADSIG);

	err = (struct error){0};
	assert_true(proof_consistency(&hasher, &nodes, 3, 7, &p, &err));
	p.hashes[p.len++] = above;
	refuse_consistency(3, 7, &old_root, &new_root, &p);
}

static const struct range_case {
	uint64_t a, b;
} inclusion_out_of_range[] =
    {
	{0, 0},
	{1, 1},
	{7, 7},
	{8, 7},
	{UINT64_MAX, 1},
	{UINT64_MAX, UINT64_MAX},
	{0, TREE_MAX_SIZE + 1},
	{TREE_MAX_SIZE, TREE_MAX_SIZE},
},
  consistency_out_of_range[] = {
      {0, 0},
      {0, 1},
      {0, TREE_MAX_SIZE},
      {2, 1},
      {8, 7},
      {UINT64_MAX, 1},
      {1, TREE_MAX_SIZE + 1},
      {TREE_MAX_SIZE + 1, TREE_MAX_SIZE + 1},
      {UINT64_MAX, UINT64_MAX},
};

static void
test_out_of_range(void **state)
{
	struct node_reader nodes = memory_tree_nodes(&tree, BIG);
	struct proof p = {0};

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		const struct range_case *c = &inclusion_out_of_range[i];
		struct error build = {0}, verify = {0};

		assert_false(
		    proof_inclusion(&hasher, &nodes, c->a, c->b, &p, &build));
		assert_int_equal(build.code, ERR_USAGE);
		assert_false(proof_verify_inclusion(
		    &hasher, c->a, c->b, &roots[1], &p, &roots[1], &verify));
		assert_int_equal(verify.code, ERR_USAGE);
	}
	for (size_t i = 0; i < 9; i++) {
		const struct range_case *c = &consistency_out_of_range[i];
		struct error build = {0}, verify = {0};

		assert_false(
		    proof_consistency(&hasher, &nodes, c->a, c->b, &p, &build));
		assert_int_equal(build.code, ERR_USAGE);
		assert_false(proof_verify_consistency(
		    &hasher, c->a, c->b, &roots[1], &roots[1], &p, &verify));
		assert_int_equal(verify.code, ERR_USAGE);
	}
}

static void
test_overlong_proof_is_not_read(void **state)
{
	struct proof p = {.len = PROOF_MAX_HASHES + 1};
	struct error err = {0};

	(void)state;
	assert_false(proof_verify_inclusion(
	    &hasher, 0, TREE_MAX_SIZE, &roots[1], &p, &roots[1], &err));
	assert_int_equal(err.code, ERR_USAGE);
	err = (struct error){0};
	assert_false(proof_verify_consistency(
	    &hasher, 1, TREE_MAX_SIZE, &roots[1], &roots[1], &p, &err));
	assert_int_equal(err.code, ERR_USAGE);
}

/* A tree of identical nodes, so that trees near 2^63 can be had. */
static bool
uniform_read(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	const struct hash *level = arg;
	uint64_t complete = TREE_MAX_SIZE >> place.height;

	(void)err;
	assert_true(place.height < 63 && place.index < complete);
	*out = level[place.height];
	return true;
}

static void
test_largest(void **state)
{
	static const struct {
		uint64_t old_size, new_size;
		size_t len;
	} cases[] = {
	    {1, TREE_MAX_SIZE, 63},
	    {3, UINT64_C(1) << 62, 63},
	    {UINT64_C(1) << 62, TREE_MAX_SIZE, 1},
	    {TREE_MAX_SIZE - 1, TREE_MAX_SIZE, 63},
	};
	struct hash level[63], root, old_root;
	struct node_reader nodes = {uniform_read, level};
	struct error err = {0};
	struct proof p;

	(void)state;
	merkle_leaf(&hasher, BYTES_LIT("same"), &level[0]);
	for (size_t k = 1; k < 63; k++)
		merkle_node(&hasher, &level[k - 1], &level[k - 1], &level[k]);
	assert_true(merkle_root(&hasher, &nodes, TREE_MAX_SIZE, &root, &err));
	assert_true(
	    proof_inclusion(&hasher, &nodes, 5, TREE_MAX_SIZE, &p, &err));
	assert_int_equal(p.len, 63);
	assert_true(proof_verify_inclusion(
	    &hasher, 5, TREE_MAX_SIZE, &level[0], &p, &root, &err));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t m = cases[i].old_size, n = cases[i].new_size;

		assert_true(proof_consistency(&hasher, &nodes, m, n, &p, &err));
		assert_true(merkle_root(&hasher, &nodes, m, &old_root, &err));
		assert_true(merkle_root(&hasher, &nodes, n, &root, &err));
		assert_true(proof_verify_consistency(
		    &hasher, m, n, &old_root, &root, &p, &err));
		assert_int_equal(p.len, cases[i].len);
	}
}

/* Beyond 2^62 entries some consistency proofs have 64 hashes. */
static void
test_proof_of_64_hashes(void **state)
{
	static const uint64_t cases[][2] = {
	    {3, TREE_MAX_SIZE},
	    {3, (UINT64_C(1) << 62) + 1},
	    {(UINT64_C(1) << 62) + 1, TREE_MAX_SIZE},
	};
	struct hash level[63] = {0};
	struct node_reader nodes = {uniform_read, level};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct proof p;

		assert_false(proof_consistency(
		    &hasher, &nodes, cases[i][0], cases[i][1], &p, &err));
		assert_int_equal(err.code, ERR_LIMIT);
		assert_true(p.len <= PROOF_MAX_HASHES);
	}
}

static bool
fail_read(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	unsigned *left = arg;

	(void)place;
	*out = (struct hash){{0}};
	if ((*left)-- == 0)
		return error_set(err, ERR_IO, "no node");
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
		struct proof p;

		assert_false(proof_inclusion(&hasher, &nodes, 3, 15, &p, &err));
		assert_int_equal(err.code, ERR_IO);
		err = (struct error){0};
		left = n;
		assert_false(
		    proof_consistency(&hasher, &nodes, 7, 15, &p, &err));
		assert_int_equal(err.code, ERR_IO);
	}
}

/* A failed hasher gives zeros; a root of zeros must not profit from it. */
static void
test_hasher_failure(void **state)
{
	struct node_reader nodes = memory_tree_nodes(&tree, 7);
	struct hasher broken = {.failed = true};
	const struct hash zero = {{0}};
	struct error err = {0};
	struct proof p;

	(void)state;
	broken.ctx = EVP_MD_CTX_new();
	assert_true(proof_inclusion(&hasher, &nodes, 3, 7, &p, &err));
	assert_false(proof_verify_inclusion(
	    &broken, 3, 7, &tree.level[0][3], &p, &zero, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	err = (struct error){0};
	assert_true(proof_consistency(&hasher, &nodes, 3, 7, &p, &err));
	assert_false(
	    proof_verify_consistency(&broken, 3, 7, &zero, &zero, &p, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	EVP_MD_CTX_free(broken.ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own_vectors),
	    cmocka_unit_test(test_every_inclusion),
	    cmocka_unit_test(test_every_consistency),
	    cmocka_unit_test(test_inclusion_length),
	    cmocka_unit_test(test_proof_beyond_the_root),
	    cmocka_unit_test(test_out_of_range),
	    cmocka_unit_test(test_overlong_proof_is_not_read),
	    cmocka_unit_test(test_largest),
	    cmocka_unit_test(test_proof_of_64_hashes),
	    cmocka_unit_test(test_reader_failure),
	    cmocka_unit_test(test_hasher_failure),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
