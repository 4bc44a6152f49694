/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: u16 size, u16 a, u16 b choose a tree and the proofs in it; then come
 * changes of three bytes each (what, where, with), which are tried one by one.
 * The whole input is also tried as a proof of its own.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/tlog/frontier.h"
#include "core/tlog/proof.h"
#include "tests/support/memory_tree.h"

#define MAX_SIZE 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A proof with all that its verification takes; `old_root` is the leaf hash
 * when it is an inclusion proof. */
struct claim {
	bool inclusion;
	uint64_t a, b;
	struct hash first, root;
	struct proof proof;
};

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static bool
accepted(struct hasher *h, const struct claim *c)
{
	struct error err = {0};
	bool ok = c->inclusion ? proof_verify_inclusion(h, c->a, c->b,
				     &c->first, &c->proof, &c->root, &err)
			       : proof_verify_consistency(h, c->a, c->b,
				     &c->first, &c->root, &c->proof, &err);

	must(ok || err.code == ERR_BADSIG || err.code == ERR_USAGE);
	return ok;
}

/* Changes the claim into one that is false; false if it cannot be done. */
static bool
change(struct claim *c, uint8_t what, uint8_t where, uint8_t with)
{
	struct proof *p = &c->proof;
	uint8_t bit = (uint8_t)(1U << (with & 7));
	size_t at = p->len ? where % p->len : 0;
	struct hash h;

	switch (what % 6) {
	case 0:
		if (p->len == 0)
			return false;
		p->hashes[at].b[with % HASH_LEN] ^= bit;
		return true;
	case 1:
		c->root.b[where % HASH_LEN] ^= bit;
		return true;
	case 2:
		c->first.b[where % HASH_LEN] ^= bit;
		return true;
	case 3:
		if (p->len == 0)
			return false;
		p->len--;
		memmove(&p->hashes[at], &p->hashes[at + 1],
		    (p->len - at) * sizeof(p->hashes[0]));
		return true;
	case 4:
		h = p->len ? p->hashes[at] : c->root;
		p->hashes[p->len++] = h;
		return true;
	default:
		/* A size is not bound by every proof; an index is. */
		if (!c->inclusion || with == 0)
			return false;
		c->a ^= with;
		return true;
	}
}

static void
try_changes(struct hasher *h, const struct claim *good, struct bytes changes)
{
	must(accepted(h, good));
	for (size_t i = 0; i + 3 <= changes.len && i < 96; i += 3) {
		struct claim c = *good;
		const uint8_t *p = changes.ptr + i;

		if (change(&c, p[0], p[1], p[2]))
			must(!accepted(h, &c));
	}
}

static void
try_tree(struct hasher *h, struct memory_tree *t, uint64_t a, uint64_t b,
    struct bytes changes)
{
	struct node_reader nodes = memory_tree_nodes(t, t->size);
	struct claim c = {.inclusion = true, .a = a % t->size, .b = t->size};
	struct error err = {0};
	struct frontier f;
	struct hash root;

	must(merkle_root(h, &nodes, t->size, &root, &err));
	must(frontier_read(&nodes, t->size, &f, &err));
	frontier_root(h, &f, &c.root);
	must(hash_equal(&root, &c.root));
	c.first = t->level[0][c.a];
	must(proof_inclusion(h, &nodes, c.a, c.b, &c.proof, &err));
	try_changes(h, &c, changes);
	c.inclusion = false;
	c.a = b % t->size + 1;
	must(merkle_root(h, &nodes, c.a, &c.first, &err));
	must(proof_consistency(h, &nodes, c.a, c.b, &c.proof, &err));
	try_changes(h, &c, changes);
}

/* Bytes as a proof: they cannot lead to a root that was not made from them. */
static void
try_raw(struct hasher *h, struct bytes in)
{
	struct claim c = {0};
	struct reader r;

	reader_init(&r, in);
	if (!reader_u64(&r, &c.a) || !reader_u64(&r, &c.b))
		return;
	while (c.proof.len < PROOF_MAX_HASHES && r.rest.len >= HASH_LEN) {
		struct bytes hash;

		must(reader_bytes(&r, HASH_LEN, &hash));
		memcpy(c.proof.hashes[c.proof.len++].b, hash.ptr, HASH_LEN);
	}
	sha256(h, in, &c.root);
	must(!accepted(h, &c));
	c.inclusion = true;
	must(!accepted(h, &c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(hasher) h = {0};
	AUTO(memory_tree) t = {0};
	struct error err = {0};
	struct reader r;
	uint16_t leaves, a, b;

	must(hasher_open(&h, &err));
	reader_init(&r, bytes_of(data, size));
	try_raw(&h, r.rest);
	if (!reader_u16(&r, &leaves) || !reader_u16(&r, &a) ||
	    !reader_u16(&r, &b))
		return 0;
	memory_tree_init(&t, MAX_SIZE);
	memory_tree_fill(&t, &h, leaves % MAX_SIZE + 1);
	try_tree(&h, &t, a, b, r.rest);
	return 0;
}
