/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/evidence.h"
#include "tests/support/memory_tree.h"
#include "tests/support/vector_file.h"

#define SIZE 300

static struct key_verifier *verifier;
static struct hasher hasher;
static struct private_key *key;
static struct vkey vkey;
static struct memory_tree ours, theirs; /* alike up to entry 99 */

static void
make_key(struct private_key **out, struct vkey *v, const char *name)
{
	struct error err = {0};
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);

	*out = private_key_generate(KEY_ED25519, &err);
	assert_non_null(*out);
	assert_true(private_key_public(*out, &spki, &err));
	/* The raw key stands at the end. */
	assert_true(vkey_init(v, bytes_str(name), NOTE_ED25519,
	    bytes_slice(buf_bytes(&spki), spki.len - 32, spki.len), &err));
}

static int
setup(void **state)
{
	struct error err = {0};
	struct hash leaf;

	(void)state;
	verifier = key_verifier_open(&err);
	if (!verifier || !hasher_open(&hasher, &err))
		return -1;
	make_key(&key, &vkey, "log.example");
	memory_tree_init(&ours, SIZE);
	memory_tree_init(&theirs, SIZE);
	memory_tree_fill(&ours, &hasher, SIZE);
	memory_tree_fill(&theirs, &hasher, 99);
	merkle_leaf(&hasher, BYTES_LIT("another"), &leaf);
	memory_tree_add(&theirs, &hasher, &leaf);
	memory_tree_fill(&theirs, &hasher, SIZE);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_tree_release(&ours);
	memory_tree_release(&theirs);
	private_key_close(key);
	key_verifier_close(verifier);
	hasher_release(&hasher);
	return 0;
}

static void
root_at(struct memory_tree *t, uint64_t size, struct hash *out)
{
	struct node_reader nodes = memory_tree_nodes(t, size);
	struct error err = {0};

	assert_true(merkle_root(&hasher, &nodes, size, out, &err));
}

static void
sign_head(struct memory_tree *t, uint64_t size, struct buf *out)
{
	struct checkpoint c = {.origin = vkey_name(&vkey), .size = size};
	struct error err = {0};

	root_at(t, size, &c.root);
	assert_true(checkpoint_sign(&c, key, &vkey, verifier, out, &err));
}

/* Evidence from a smaller head of `a` and a larger one of `b`. */
struct made {
	struct buf notes[2];
	struct evidence e;
};

static void
make(struct memory_tree *a, uint64_t smaller, struct memory_tree *b,
    uint64_t larger, struct made *m)
{
	struct node_reader nodes;
	struct error err = {0};

	*m = (struct made){
	    .notes = {BUF_INIT(NOTE_MAX_LEN), BUF_INIT(NOTE_MAX_LEN)},
	    .e.key = vkey};
	sign_head(a, smaller, &m->notes[0]);
	sign_head(b, larger, &m->notes[1]);
	m->e.smaller = buf_bytes(&m->notes[0]);
	m->e.larger = buf_bytes(&m->notes[1]);
	if (smaller == 0 || smaller >= larger)
		return;
	m->e.has_root = true;
	root_at(b, smaller, &m->e.root);
	nodes = memory_tree_nodes(b, larger);
	assert_true(proof_consistency(
	    &hasher, &nodes, smaller, larger, &m->e.proof, &err));
}

static void
made_release(struct made *m)
{
	buf_release(&m->notes[0]);
	buf_release(&m->notes[1]);
}

static void
expect(const struct made *m, enum error_code code)
{
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	AUTO(buf) again = BUF_INIT(EVIDENCE_MAX_LEN);
	struct checkpoint heads[2];
	struct error err = {0};
	struct evidence e;
	bool ok;

	evidence_format(&m->e, &text);
	assert_true(evidence_parse(buf_bytes(&text), &e, &err));
	evidence_format(&e, &again);
	assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
	ok = evidence_verify(&e, &vkey, &hasher, verifier, heads, &err);
	if (err.code != code)
		fail_msg("%d, not %d: %s", err.code, code, err.text);
	assert_true(ok == (code == ERR_NONE));
	if (ok)
		assert_true(heads[0].size <= heads[1].size);
	if (code == ERR_DENIED)
		assert_string_equal(err.reason, "no-fork");
}

static void
test_forks(void **state)
{
	static const uint64_t sizes[][2] = {{100, 100}, {100, 101}, {100, 300},
	    {128, 256}, {256, 300}, {299, 300}, {300, 300}, {101, 300}};
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make(&ours, sizes[i][0], &theirs, sizes[i][1], &m);
		expect(&m, ERR_NONE);
		made_release(&m);
		make(&theirs, sizes[i][0], &ours, sizes[i][1], &m);
		expect(&m, ERR_NONE);
		made_release(&m);
	}
}

static void
test_no_forks(void **state)
{
	static const uint64_t sizes[][2] = {{0, 0}, {0, 300}, {1, 1}, {1, 99},
	    {99, 300}, {64, 99}, {300, 300}, {100, 300}};
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make(&ours, sizes[i][0],
		    sizes[i][0] < 100 && i % 2 == 1 ? &theirs : &ours,
		    sizes[i][1], &m);
		expect(&m, ERR_DENIED);
		made_release(&m);
	}
}

/* Made of two notes and the larger one's tree, or not at all. */
static void
test_make(void **state)
{
	static const uint64_t sizes[][2] = {
	    {100, 100}, {100, 300}, {299, 300}, {1, 300}, {0, 300}};
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
		AUTO(buf) want = BUF_INIT(EVIDENCE_MAX_LEN);
		struct evidence pair = {.key = vkey};
		struct node_reader nodes;
		struct error err = {0};
		bool forks = sizes[i][0] >= 100;

		make(&ours, sizes[i][0], &theirs, sizes[i][1], &m);
		pair.smaller = m.e.smaller;
		pair.larger = m.e.larger;
		nodes = memory_tree_nodes(&theirs, sizes[i][1]);
		evidence_format(&m.e, &want);
		assert_true(evidence_make(&pair, &nodes, &hasher, verifier,
				&text, &err) == forks);
		if (forks)
			assert_true(
			    bytes_equal(buf_bytes(&text), buf_bytes(&want)));
		else
			assert_string_equal(err.reason, "no-fork");
		assert_true(forks || text.len == 0);
		/* The tree of somebody else does not lead to the head. */
		if (sizes[i][0] == sizes[i][1])
			nodes = (struct node_reader){0};
		else
			nodes = memory_tree_nodes(&ours, sizes[i][1]);
		err = (struct error){0};
		assert_true(evidence_make(&pair, &nodes, &hasher, verifier,
				&text, &err) == (sizes[i][0] == sizes[i][1]));
		made_release(&m);
	}
}

/* What is changed in good evidence shows no fork any more. */
static void
test_spoiled(void **state)
{
	struct private_key *other_key;
	struct vkey other;
	struct error err = {0};
	struct bytes swap;
	struct made m;

	(void)state;
	make_key(&other_key, &other, "log.example");
	private_key_close(other_key);
	make(&ours, 100, &theirs, 300, &m);
	expect(&m, ERR_NONE);
	assert_false(
	    evidence_verify(&m.e, &other, &hasher, verifier, NULL, &err));
	assert_int_equal(err.code, ERR_BADSIG);
	/* the root of the smaller head itself */
	root_at(&ours, 100, &m.e.root);
	expect(&m, ERR_DENIED);
	/* a root that the larger tree never had */
	m.e.root.b[0] ^= 1;
	expect(&m, ERR_DENIED);
	root_at(&theirs, 100, &m.e.root);
	expect(&m, ERR_NONE);
	m.e.proof.hashes[0].b[3] ^= 1;
	expect(&m, ERR_DENIED);
	m.e.proof.hashes[0].b[3] ^= 1;
	m.e.proof.len--;
	expect(&m, ERR_DENIED);
	m.e.proof.len++;
	/* no proof at all */
	m.e.has_root = false;
	expect(&m, ERR_DENIED);
	m.e.has_root = true;
	/* the larger one first */
	swap = m.e.smaller;
	m.e.smaller = m.e.larger;
	m.e.larger = swap;
	expect(&m, ERR_DENIED);
	made_release(&m);
	/* a note with another text than was signed */
	make(&ours, 100, &theirs, 300, &m);
	m.notes[0].ptr[13] = m.notes[0].ptr[13] == '1' ? '2' : '1';
	expect(&m, ERR_BADSIG);
	made_release(&m);
}

static void
test_vectors(void **state)
{
	static const char *const valid[] = {"equal-sizes", "two-sizes"};
	static const char *const invalid[] = {"cut", "empty", "hash-base64",
	    "hash-without-root", "leading-zero", "long-note", "no-vkey",
	    "notes-swapped", "preamble", "short-root", "trailing",
	    "unsigned-note"};

	(void)state;
	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
		AUTO(buf) in = BUF_INIT(EVIDENCE_MAX_LEN);
		char path[VECTOR_PATH_MAX], inside[128];
		struct error err = {0};
		struct evidence e;

		(void)snprintf(
		    inside, sizeof(inside), "evidence/valid-%s.txt", valid[i]);
		assert_true(vector_read(vector_own(path, inside), &in));
		if (!evidence_parse(buf_bytes(&in), &e, &err) ||
		    !evidence_verify(&e, &e.key, &hasher, verifier, NULL, &err))
			fail_msg("%s: %s", valid[i], err.text);
	}
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		AUTO(buf) in = BUF_INIT(2 * EVIDENCE_MAX_LEN);
		char path[VECTOR_PATH_MAX], inside[128];
		struct error err = {0};
		struct evidence e;

		(void)snprintf(inside, sizeof(inside),
		    "evidence/invalid-%s.txt", invalid[i]);
		if (!vector_read(vector_own(path, inside), &in))
			fail_msg("%s", path);
		if (evidence_parse(buf_bytes(&in), &e, &err))
			fail_msg("%s: taken", invalid[i]);
		assert_int_equal(err.code, ERR_SYNTAX);
	}
}

static void
test_limits(void **state)
{
	AUTO(buf) in = BUF_INIT(2 * EVIDENCE_MAX_LEN);
	struct error err = {0};
	struct evidence e;
	struct made m;

	(void)state;
	make(&ours, 100, &theirs, 300, &m);
	m.e.proof.len = PROOF_MAX_HASHES;
	evidence_format(&m.e, &in);
	assert_true(evidence_parse(buf_bytes(&in), &e, &err));
	assert_int_equal(e.proof.len, PROOF_MAX_HASHES);
	made_release(&m);
	while (in.len <= EVIDENCE_MAX_LEN)
		buf_put_str(
		    &in, "............................................");
	assert_false(evidence_parse(buf_bytes(&in), &e, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forks),
	    cmocka_unit_test(test_no_forks),
	    cmocka_unit_test(test_make),
	    cmocka_unit_test(test_spoiled),
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
