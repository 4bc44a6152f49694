/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_ARENA_H
#define MTLOG_CORE_BASE_ARENA_H

#include "core/base/bytes.h"
#include "core/base/error.h"

/*
 * Memory that lives and dies together, for what a parser keeps: addresses stay
 * valid until arena_release. `limit` (bytes, all together, each allocation
 * rounded up to its alignment) is given at initialisation and never exceeded.
 * `{0}` is a released arena with limit 0: it refuses all but empty allocations.
 */
struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	size_t used;
	size_t limit;
};

/* ARENA_INIT is an empty arena that may grow to `max` bytes. */
#define ARENA_INIT(max)                                                        \
	{                                                                      \
		.limit = (max)                                                 \
	}

/* arena_init makes `a` an empty arena of at most `limit` bytes. */
void arena_init(struct arena *a, size_t limit);

/* arena_release frees everything; safe on zero, twice. The limit stays. */
void arena_release(struct arena *a);

/*
 * arena_alloc returns `count` * `size` zeroed bytes, aligned for any object, or
 * NULL with `err` (ERR_LIMIT beyond the limit, ERR_INTERNAL without memory).
 * Zero bytes give a valid address.
 */
void *arena_alloc(struct arena *a, size_t count, size_t size, struct error *err)
    MUST_USE;

/* arena_dup copies `in`; `*out` views the copy. Errors as arena_alloc. */
bool arena_dup(struct arena *a, struct bytes in, struct bytes *out,
    struct error *err) MUST_USE;

#endif
