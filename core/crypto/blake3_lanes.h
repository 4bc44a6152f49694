/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_BLAKE3_LANES_H
#define MTLOG_CORE_CRYPTO_BLAKE3_LANES_H

#include "core/crypto/blake3.h"

/* The domain flags of a compression. */
#define BLAKE3_CHUNK_START 1
#define BLAKE3_CHUNK_END   2
#define BLAKE3_PARENT	   4
#define BLAKE3_ROOT	   8

/* The first words of a state: SHA-256's initial value. */
#define BLAKE3_IV                                                              \
	{                                                                      \
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,    \
		    0x9b05688c, 0x1f83d9ab, 0x5be0cd19                         \
	}

/* Which word of the message goes where, round by round: the permutation of the
 * paper's table 2, applied once more in each. */
#define BLAKE3_ROUNDS 7
static const uint8_t blake3_schedule[BLAKE3_ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1},
    {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4},
    {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

/* Words are little-endian outside. */
static inline void
blake3_store32(uint8_t *p, uint32_t n)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> 8 * i);
}

/*
 * Inputs of the same length side by side in memory, hashed at once:
 * neighbouring chunks (16 blocks each, numbered from `counter` upwards, a
 * multiple of the lanes) or
 * pairs of chaining values (one block each, not `counted`).
 */
struct blake3_inputs {
	const uint8_t *ptr;
	size_t blocks; /* whole blocks in each */
	uint64_t counter;
	bool counted;
	uint8_t flags, first, last; /* of every, the first and the last block */
};

/* Hashes `lanes` inputs to as many times BLAKE3_LEN bytes. `out` may be where
 * the inputs are. */
struct blake3_lanes {
	size_t lanes;
	void (*hash)(const struct blake3_inputs *in, uint8_t *out);
};

/* blake3_lanes_list: what this machine can do, widest first; ends with 0 lanes.
 */
const struct blake3_lanes *blake3_lanes_list(void);

#endif
