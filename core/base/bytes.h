/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_BYTES_H
#define MTLOG_CORE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))

/*
 * A borrowed view of `len` bytes at `ptr`. Passed by value, owns nothing,
 * may be empty (`{0}`), is not NUL-terminated.
 */
struct bytes {
	const uint8_t *ptr;
	size_t len;
};

/* BYTES_LIT views a string literal without its final NUL. */
#define BYTES_LIT(s) ((struct bytes){(const uint8_t *)("" s), sizeof(s) - 1})

/* BYTES_OF views a whole array object. */
#define BYTES_OF(a) ((struct bytes){(const uint8_t *)(a), sizeof(a)})

/* bytes_of views `len` bytes at `ptr`. */
static inline struct bytes
bytes_of(const void *ptr, size_t len)
{
	return (struct bytes){(const uint8_t *)ptr, len};
}

/* bytes_str views a NUL-terminated string of the program's own (never input).
 */
static inline struct bytes
bytes_str(const char *s)
{
	return bytes_of(s, strlen(s));
}

/*
 * bytes_equal compares contents, in time that depends on them: never use it
 * for secrets. Public digests and names are what it is for.
 */
static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len &&
	    (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* bytes_starts tells whether `b` begins with `prefix`. */
static inline bool
bytes_starts(struct bytes b, struct bytes prefix)
{
	return b.len >= prefix.len &&
	    (prefix.len == 0 || memcmp(b.ptr, prefix.ptr, prefix.len) == 0);
}

/* bytes_slice views `b[from, to)`; from <= to <= b.len is the caller's duty. */
static inline struct bytes
bytes_slice(struct bytes b, size_t from, size_t to)
{
	/* An offset to NULL is undefined even if it is 0. */
	return bytes_of(b.ptr ? b.ptr + from : NULL, to - from);
}

#endif
