/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_BUF_H
#define MTLOG_CORE_BASE_BUF_H

#include "core/base/bytes.h"
#include "core/base/error.h"

/*
 * A growing byte buffer that owns its memory. `limit` (bytes) is given at
 * initialisation and never exceeded. Writers return nothing and latch
 * `failed`, which is looked at once, where the contents are taken (buf_ok).
 * `{0}` is a released buffer with limit 0: every write to it fails.
 */
struct buf {
	uint8_t *ptr;
	size_t len;
	size_t cap;
	size_t limit;
	bool failed;
	bool exhausted; /* failed, as memory ran out */
};

/* BUF_INIT is an empty buffer that may grow to `max` bytes. */
#define BUF_INIT(max)                                                          \
	{                                                                      \
		.limit = (max)                                                 \
	}

/* buf_init makes `b` an empty buffer of at most `limit` bytes. Cannot fail. */
void buf_init(struct buf *b, size_t limit);

/* buf_release frees the contents; safe on zero, twice. The limit stays. */
void buf_release(struct buf *b);

/* buf_clear empties `b`, keeps its memory and clears `failed`. */
void buf_clear(struct buf *b);

/* buf_ok is false, with `err` set, if some write did not fit: ERR_LIMIT, or
 * ERR_INTERNAL where it was memory that ran out. */
bool buf_ok(const struct buf *b, struct error *err) MUST_USE;

/* buf_bytes views the contents until the next write. */
static inline struct bytes
buf_bytes(const struct buf *b)
{
	return bytes_of(b->ptr, b->len);
}

/* buf_reserve makes room for `n` more bytes and returns the place, or NULL
 * with `failed` set; buf_grow then takes them into the length. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_grow(struct buf *b, size_t n);

/* Appending: raw bytes, one byte, a literal of the program's own, integers
 * big-endian, decimals, and printf text of the program's own. */
void buf_put(struct buf *b, struct bytes data);
void buf_put_u8(struct buf *b, uint8_t n);
void buf_put_str(struct buf *b, const char *s);
void buf_put_u16(struct buf *b, uint16_t n);
void buf_put_u32(struct buf *b, uint32_t n);
void buf_put_u64(struct buf *b, uint64_t n);
void buf_put_decimal(struct buf *b, uint64_t n);
void buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* buf_dup_string is a NUL-terminated malloc'd copy of the contents, for
 * foreign interfaces; NULL when memory ran out or `failed`. Caller frees. */
char *buf_dup_string(const struct buf *b);

#endif
