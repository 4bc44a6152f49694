/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SERVER_WITNESS_FIXTURE_H
#define MTLOG_TESTS_SERVER_WITNESS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/crypto/private_key.h"
#include "core/tlog/witness_request.h"
#include "tests/support/memory_tree.h"

#define TEST_TREE_MAX 300

/*
 * Logs whose key the test has, and what they send to a witness: any body, right
 * or wrong in one place or several. Include after nothing; ends in cmocka.
 */
struct test_log {
	struct private_key *key;
	struct vkey vkey;
	struct memory_tree tree;
};

static struct hasher hasher;
static struct key_verifier *verifier;

static inline void
need(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s (%s)", err->text, error_reason_name(err));
}

static inline int
fixture_open(void)
{
	struct error err = {0};

	verifier = key_verifier_open(&err);
	return verifier && hasher_open(&hasher, &err) ? 0 : -1;
}

static inline void
fixture_close(void)
{
	key_verifier_close(verifier);
	hasher_release(&hasher);
}

/* A log `name` of a new key whose first entries are those of every test log;
 * from `fork` on they are its own. */
static inline void
test_log_open(struct test_log *l, const char *name,
    enum key_algorithm algorithm, uint64_t fork)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct error err = {0};
	struct public_key public;
	bool ed25519 = algorithm == KEY_ED25519;

	l->key = private_key_generate(algorithm, &err);
	need(l->key != NULL, &err);
	need(private_key_public(l->key, &spki, &err), &err);
	need(public_key_parse(buf_bytes(&spki), &public, &err), &err);
	need(vkey_init(&l->vkey, bytes_str(name),
		 ed25519 ? NOTE_ED25519 : NOTE_ECDSA,
		 ed25519 ? public.raw : public.spki, &err),
	    &err);
	memory_tree_init(&l->tree, TEST_TREE_MAX);
	memory_tree_fill(&l->tree, &hasher, fork);
	memory_tree_lie(&l->tree, &hasher, TEST_TREE_MAX, name);
}

static inline void
test_log_close(struct test_log *l)
{
	private_key_close(l->key);
	memory_tree_release(&l->tree);
}

static inline struct node_reader
test_log_nodes(struct test_log *l)
{
	return (struct node_reader){memory_tree_read, &l->tree};
}

/* What is to be sent, and what is to be wrong with it. */
struct test_body {
	uint64_t old_size, size;
	const char *origin;    /* NULL: the log's */
	const char *extension; /* NULL: none */
	const char *lines;     /* behind the log's signature; NULL: none */
	bool wrong_root, wrong_proof, long_proof, wrong_signature, unsigned_;
	bool malformed;
};

static inline void
test_note(struct test_log *l, const struct test_body *b, struct buf *out)
{
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	struct node_reader nodes = test_log_nodes(l);
	struct error err = {0};
	struct checkpoint c = {
	    .origin = b->origin ? bytes_str(b->origin) : vkey_name(&l->vkey),
	    .size = b->size,
	};

	if (b->extension)
		c.extensions = bytes_str(b->extension);
	need(merkle_root(&hasher, &nodes, b->size, &c.root, &err), &err);
	if (b->wrong_root)
		c.root.b[31] ^= 1;
	checkpoint_format(&c, out);
	need(private_key_sign(l->key, buf_bytes(out), &signature, &err), &err);
	if (b->wrong_signature)
		signature.ptr[signature.len / 2] ^= 1;
	buf_put_u8(out, '\n');
	if (!b->unsigned_)
		note_signature_put(out, vkey_name(&l->vkey), l->vkey.key_id,
		    buf_bytes(&signature));
	if (b->lines)
		buf_put_str(out, b->lines);
}

static inline void
test_body(struct test_log *l, const struct test_body *b, struct buf *out)
{
	AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);
	struct node_reader nodes = test_log_nodes(l);
	struct witness_request r = {.old_size = b->old_size};
	struct error err = {0};

	if (b->old_size > 0 && b->old_size <= b->size)
		need(proof_consistency(
			 &hasher, &nodes, b->old_size, b->size, &r.proof, &err),
		    &err);
	if (b->wrong_proof && r.proof.len > 0)
		r.proof.hashes[0].b[0] ^= 1;
	if (b->long_proof)
		r.proof.hashes[r.proof.len++] = (struct hash){{1}};
	test_note(l, b, &note);
	r.checkpoint = buf_bytes(&note);
	if (b->malformed)
		buf_put_str(out, "new ");
	witness_request_format(&r, out);
	assert_false(out->failed);
}

#endif
