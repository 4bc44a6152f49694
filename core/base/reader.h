/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_READER_H
#define MTLOG_CORE_BASE_READER_H

#include "core/base/bytes.h"

/*
 * A cursor over borrowed bytes. Every reader_* call returns false and leaves
 * cursor and output alone when the input does not have what was asked for.
 */
struct reader {
	struct bytes rest;
};

/* reader_init puts the cursor at the start of `in`. */
static inline void
reader_init(struct reader *r, struct bytes in)
{
	r->rest = in;
}

/* reader_done tells that nothing is left. */
static inline bool
reader_done(const struct reader *r)
{
	return r->rest.len == 0;
}

/* Fixed-width integers, big-endian. */
bool reader_u8(struct reader *r, uint8_t *out) MUST_USE;
bool reader_u16(struct reader *r, uint16_t *out) MUST_USE;
bool reader_u32(struct reader *r, uint32_t *out) MUST_USE;
bool reader_u64(struct reader *r, uint64_t *out) MUST_USE;

/* reader_bytes takes the next `n` bytes; the view borrows from the input. */
bool reader_bytes(struct reader *r, size_t n, struct bytes *out) MUST_USE;

/* reader_literal takes exactly these bytes. */
bool reader_literal(struct reader *r, struct bytes literal) MUST_USE;

/* reader_line takes up to and including the next '\n'; the view excludes it. */
bool reader_line(struct reader *r, struct bytes *out) MUST_USE;

/* reader_until takes up to and including `stop`; the view excludes it. */
bool reader_until(struct reader *r, uint8_t stop, struct bytes *out) MUST_USE;

/*
 * reader_decimal takes the longest run of digits as a number: at least one,
 * no leading zero but "0" itself, at most 2^63-1 (sizes travel as int64 in
 * Sigstore's JSON).
 */
bool reader_decimal(struct reader *r, uint64_t *out) MUST_USE;

/* decimal_parse reads all of `in` as reader_decimal does. */
bool decimal_parse(struct bytes in, uint64_t *out) MUST_USE;

#endif
