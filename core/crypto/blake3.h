/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_BLAKE3_H
#define MTLOG_CORE_CRYPTO_BLAKE3_H

#include "core/base/bytes.h"

#define BLAKE3_LEN	 32
#define BLAKE3_BLOCK_LEN 64
#define BLAKE3_CHUNK_LEN 1024
#define BLAKE3_HELD_LEN	 (16 * BLAKE3_CHUNK_LEN)
#define BLAKE3_MAX_DEPTH 54 /* 2^64 bytes are 2^54 chunks */

/*
 * Input is cut into chunks of 1024 bytes, the leaves of a binary tree whose
 * left subtrees are full. The chaining values of those that wait for what comes
 * to their right stand in `values`, largest first: after five chunks that of
 * four and that of one.
 *
 *	        .
 *	      /   \
 *	    p       c4
 *	  /   \
 *	 p     p
 *	/ \   / \
 *	c0 c1 c2 c3
 */
struct blake3_tree {
	uint64_t chunks;
	size_t depth;
	uint8_t values[BLAKE3_MAX_DEPTH][BLAKE3_LEN];
};

/*
 * A running BLAKE3 in its plain hash mode with 32 bytes of output (the BLAKE3
 * paper, sections 2.1 to 2.6; no key, no longer output). Some input is held
 * back: the last chunk is hashed in another way, and several at once are
 * cheaper. Holds no memory and needs no release.
 */
struct blake3 {
	struct blake3_tree tree;
	size_t held;
	uint8_t bytes[BLAKE3_HELD_LEN];
};

/* blake3_init starts anew; blake3_put adds bytes; blake3_end writes the hash of
 * what was put so far. */
void blake3_init(struct blake3 *b);
void blake3_put(struct blake3 *b, struct bytes in);
void blake3_end(const struct blake3 *b, uint8_t out[BLAKE3_LEN]);

#endif
