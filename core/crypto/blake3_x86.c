/* SPDX-License-Identifier: Apache-2.0 */
/* Four lanes, and eight or sixteen where the processor has them. */
#include "core/crypto/blake3_lanes.h"

#include <sys/platform/x86.h>

#define KERNEL(name) name##_4
#define LANES	     4
#define NUMBERS	     0, 1, 2, 3
#define TARGET
#define LOW	  0, 4, 1, 5
#define HIGH	  2, 6, 3, 7
#define ROTATE_16 (x >> 16 | x << 16)
#define ROTATE_8  (x >> 8 | x << 24)
#include "core/crypto/blake3_kernel.inc"

/* AVX2 cannot rotate, but move bytes: one instruction in place of three. */
typedef uint8_t bytes_of_8 __attribute__((vector_size(32)));

#define FOUR(n, a, b, c, d) (n) + (a), (n) + (b), (n) + (c), (n) + (d)
#define TURN(x, a, b, c, d)                                                    \
	((vec_8)__builtin_shufflevector((bytes_of_8)(x), (bytes_of_8)(x),      \
	    FOUR(0, (a), (b), (c), (d)), FOUR(4, (a), (b), (c), (d)),          \
	    FOUR(8, (a), (b), (c), (d)), FOUR(12, (a), (b), (c), (d)),         \
	    FOUR(16, (a), (b), (c), (d)), FOUR(20, (a), (b), (c), (d)),        \
	    FOUR(24, (a), (b), (c), (d)), FOUR(28, (a), (b), (c), (d))))

#define KERNEL(name) name##_8
#define LANES	     8
#define NUMBERS	     0, 1, 2, 3, 4, 5, 6, 7
#define TARGET	     __attribute__((target("avx2")))
#define LOW	     0, 8, 1, 9, 2, 10, 3, 11
#define HIGH	     4, 12, 5, 13, 6, 14, 7, 15
#define ROTATE_16    TURN(x, 2, 3, 0, 1)
#define ROTATE_8     TURN(x, 1, 2, 3, 0)
#include "core/crypto/blake3_kernel.inc"
#undef TURN

#define KERNEL(name) name##_16
#define LANES	     16
#define NUMBERS	     0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define TARGET	     __attribute__((target("avx512f")))
#define LOW	     0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH	     8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define ROTATE_16    (x >> 16 | x << 16)
#define ROTATE_8     (x >> 8 | x << 24)
#include "core/crypto/blake3_kernel.inc"

const struct blake3_lanes *
blake3_lanes_list(void)
{
	static const struct blake3_lanes list[] = {
	    {16, hash_16}, {8, hash_8}, {4, hash_4}, {0}};

	/* The loader knows already. The compiler's own look at the processor
	 * would be at each start of a program, and takes long on a virtual
	 * machine. */
	if (CPU_FEATURE_ACTIVE(AVX512F))
		return list;
	return list + (CPU_FEATURE_ACTIVE(AVX2) ? 1 : 2);
}
