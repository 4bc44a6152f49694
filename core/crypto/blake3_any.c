/* SPDX-License-Identifier: Apache-2.0 */
/* Four lanes, which every machine with vectors has. */
#include "core/crypto/blake3_lanes.h"

#define KERNEL(name) name##_4
#define LANES	     4
#define NUMBERS	     0, 1, 2, 3
#define TARGET
#define LOW	  0, 4, 1, 5
#define HIGH	  2, 6, 3, 7
#define ROTATE_16 (x >> 16 | x << 16)
#define ROTATE_8  (x >> 8 | x << 24)
#include "core/crypto/blake3_kernel.inc"

const struct blake3_lanes *
blake3_lanes_list(void)
{
	static const struct blake3_lanes list[] = {{4, hash_4}, {0}};

	return list;
}
