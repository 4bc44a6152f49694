/* SPDX-License-Identifier: Apache-2.0 */
/* The public cases of transparency-dev/merkle, and the log of its tessera. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/tlog/proof.h"
#include "tests/support/memory_tree.h"
#include "tests/support/vector_file.h"

static struct hasher hasher;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	return hasher_open(&hasher, &err) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	hasher_release(&hasher);
	return 0;
}

/* One case. */
struct public_case {
	uint64_t a, b;
	struct bytes first, root; /* leaf or old root; root or new root */
	struct proof proof;
	bool decodes, want_error;
};

static uint64_t
json_u64(const json_t *object, const char *key)
{
	/* Read as reals (jansson has no unsigned integers): the values are
	 * small, or 2^64 - 1. */
	double v = json_real_value(json_object_get(object, key));

	assert_true(json_is_real(json_object_get(object, key)));
	return v >= 1.8e19 ? UINT64_MAX : (uint64_t)v;
}

static struct bytes
json_base64(const json_t *value, struct buf *store)
{
	size_t start = store->len;

	assert_true(base64_decode(json_text(value), store));
	return bytes_slice(buf_bytes(store), start, store->len);
}

static void
load_proof(const json_t *list, struct public_case *c)
{
	AUTO(buf) one = BUF_INIT(1024);
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		struct bytes hash;

		buf_clear(&one);
		hash = json_base64(item, &one);
		/* What is no hash cannot even become a struct proof. */
		if (hash.len != HASH_LEN || i >= PROOF_MAX_HASHES) {
			c->decodes = false;
			return;
		}
		memcpy(c->proof.hashes[i].b, hash.ptr, HASH_LEN);
		c->proof.len = i + 1;
	}
}

static bool
as_hash(struct bytes in, struct hash *out)
{
	if (in.len != HASH_LEN)
		return false;
	memcpy(out->b, in.ptr, HASH_LEN);
	return true;
}

static bool
public_inclusion(const struct public_case *c)
{
	struct error err = {0};
	struct hash leaf, root;

	return c->decodes && as_hash(c->first, &leaf) &&
	    as_hash(c->root, &root) &&
	    proof_verify_inclusion(
		&hasher, c->a, c->b, &leaf, &c->proof, &root, &err);
}

static bool
public_consistency(const struct public_case *c)
{
	struct error err = {0};
	struct hash old_root, new_root;

	/* One case has roots of 16 bytes: any two equal values do. */
	if (c->decodes && c->a == c->b && bytes_equal(c->first, c->root)) {
		sha256(&hasher, c->first, &old_root);
		return proof_verify_consistency(
		    &hasher, c->a, c->b, &old_root, &old_root, &c->proof, &err);
	}
	return c->decodes && as_hash(c->first, &old_root) &&
	    as_hash(c->root, &new_root) &&
	    proof_verify_consistency(
		&hasher, c->a, c->b, &old_root, &new_root, &c->proof, &err);
}

/* Which names the files of a kind use, and who judges them. */
struct public_kind {
	const char *folder, *a, *b, *first, *root;
	bool (*verify)(const struct public_case *c);
};

static void
check_public_file(const struct public_kind *kind, const char *path)
{
	AUTO(buf) file = BUF_INIT(1 << 20);
	AUTO(buf) store = BUF_INIT(1024);
	struct public_case c = {.decodes = true};
	json_t *o;

	assert_true(vector_read(path, &file));
	o = json_loadb((const char *)file.ptr, file.len,
	    JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	/* So that the two views stay where they are. */
	assert_non_null(buf_reserve(&store, 512));
	c.a = json_u64(o, kind->a);
	c.b = json_u64(o, kind->b);
	c.first = json_base64(json_object_get(o, kind->first), &store);
	c.root = json_base64(json_object_get(o, kind->root), &store);
	c.want_error = json_is_true(json_object_get(o, "wantErr"));
	load_proof(json_object_get(o, "proof"), &c);
	if (kind->verify(&c) == c.want_error)
		fail_msg("%s: wantErr is %d", path, c.want_error);
	json_decref(o);
}

/* Runs every .json below `path`; the count of them. */
static unsigned
check_public_folder(const struct public_kind *kind, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		char next[2 * VECTOR_PATH_MAX];
		size_t n = strlen(entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(
		    next, sizeof(next), "%s/%s", path, entry->d_name);
		if (n > 5 &&
		    bytes_equal(bytes_of(entry->d_name + n - 5, 5),
			BYTES_LIT(".json"))) {
			check_public_file(kind, next);
			count++;
		} else {
			count += check_public_folder(kind, next);
		}
	}
	(void)closedir(dir);
	return count;
}

static void
test_public_vectors(void **state)
{
	static const struct public_kind kinds[] = {
	    {"merkle/inclusion", "leafIdx", "treeSize", "leafHash", "root",
		public_inclusion},
	    {"merkle/consistency", "size1", "size2", "root1", "root2",
		public_consistency},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char path[VECTOR_PATH_MAX];
		unsigned count = check_public_folder(
		    &kinds[i], vector_public(path, kinds[i].folder));

		if (count == 0)
			skip();
		assert_true(count >= 40);
	}
}

#define LOG_SIZE 14 /* every even size up to this one is there */

/* The root in the third line of a checkpoint; false if there is no file. */
static bool
checkpoint_root(unsigned size, struct hash *out)
{
	AUTO(buf) file = BUF_INIT(1 << 16);
	AUTO(buf) root = BUF_INIT(HASH_LEN);
	char path[VECTOR_PATH_MAX], name[64];
	struct reader lines;
	struct bytes line;
	uint64_t n;

	(void)snprintf(name, sizeof(name), "tessera-log/checkpoint.%u", size);
	if (!vector_read(vector_public(path, name), &file))
		return false;
	reader_init(&lines, buf_bytes(&file));
	assert_true(reader_line(&lines, &line));
	assert_true(reader_line(&lines, &line));
	assert_true(decimal_parse(line, &n));
	assert_int_equal(n, size);
	assert_true(reader_line(&lines, &line));
	assert_true(base64_decode(line, &root));
	assert_true(as_hash(buf_bytes(&root), out));
	return true;
}

/* Each tile is a prefix of the largest: adds what is new in it. */
static void
add_tile(struct memory_tree *tree, unsigned size)
{
	AUTO(buf) tile = BUF_INIT(1 << 16);
	char path[VECTOR_PATH_MAX], name[64];

	(void)snprintf(name, sizeof(name), "tessera-log/tile/0/000.p/%u", size);
	assert_true(vector_read(vector_public(path, name), &tile));
	assert_int_equal(tile.len, size * HASH_LEN);
	for (size_t i = 0; i < size; i++) {
		struct hash leaf;

		memcpy(leaf.b, tile.ptr + i * HASH_LEN, HASH_LEN);
		if (i < tree->size)
			assert_true(hash_equal(&leaf, &tree->level[0][i]));
		else
			memory_tree_add(tree, &hasher, &leaf);
	}
}

static void
test_public_log(void **state)
{
	AUTO(memory_tree) tree = {0};
	struct hash roots[LOG_SIZE + 1];
	struct error err = {0};
	struct proof p;

	(void)state;
	if (!checkpoint_root(0, &roots[0]))
		skip();
	memory_tree_init(&tree, LOG_SIZE);
	for (unsigned n = 0; n <= LOG_SIZE; n += 2) {
		struct node_reader nodes;
		struct hash root;

		assert_true(checkpoint_root(n, &roots[n]));
		if (n > 0)
			add_tile(&tree, n);
		nodes = memory_tree_nodes(&tree, n);
		assert_true(merkle_root(&hasher, &nodes, n, &root, &err));
		assert_true(hash_equal(&root, &roots[n]));
		for (unsigned m = 2; m <= n; m += 2) {
			assert_true(
			    proof_consistency(&hasher, &nodes, m, n, &p, &err));
			assert_true(proof_verify_consistency(
			    &hasher, m, n, &roots[m], &roots[n], &p, &err));
		}
		for (unsigned i = 0; i < n; i++) {
			assert_true(
			    proof_inclusion(&hasher, &nodes, i, n, &p, &err));
			assert_true(proof_verify_inclusion(&hasher, i, n,
			    &tree.level[0][i], &p, &roots[n], &err));
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_public_vectors),
	    cmocka_unit_test(test_public_log),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
