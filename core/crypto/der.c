/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/der.h"

#define LONG_FORM   0x80
#define HIGH_NUMBER 0x1f

/* Reads a length and refuses every form but the shortest. */
static bool
read_length(struct reader *r, size_t *out)
{
	uint8_t first, next;
	size_t n = 0;

	if (!reader_u8(r, &first))
		return false;
	if (first < LONG_FORM) {
		*out = first;
		return true;
	}
	/* 0x80 alone is BER's indefinite length. */
	if (first == LONG_FORM || first > LONG_FORM + 3)
		return false;
	for (unsigned i = first - LONG_FORM; i > 0; i--) {
		if (!reader_u8(r, &next) || (n == 0 && next == 0))
			return false;
		n = n << 8 | next;
	}
	if (n < LONG_FORM)
		return false;
	*out = n;
	return true;
}

bool
der_any(struct reader *r, struct der_element *out)
{
	struct reader at = *r;
	struct der_element e;
	size_t len;

	if (!reader_u8(&at, &e.tag) || (e.tag & HIGH_NUMBER) == HIGH_NUMBER ||
	    !read_length(&at, &len) || !reader_bytes(&at, len, &e.value))
		return false;
	e.whole = bytes_of(r->rest.ptr, r->rest.len - at.rest.len);
	*r = at;
	*out = e;
	return true;
}

bool
der_take(struct reader *r, uint8_t tag, struct bytes *value)
{
	struct reader at = *r;
	struct der_element e;

	if (!der_any(&at, &e) || e.tag != tag)
		return false;
	*r = at;
	*value = e.value;
	return true;
}

bool
der_skip(struct reader *r, uint8_t tag)
{
	struct bytes value;

	return der_take(r, tag, &value);
}

bool
der_enter(struct reader *r, uint8_t tag, struct reader *inner)
{
	struct bytes value;

	if (!der_take(r, tag, &value))
		return false;
	reader_init(inner, value);
	return true;
}

bool
der_optional(struct reader *r, uint8_t tag)
{
	if (reader_done(r) || r->rest.ptr[0] != tag)
		return true;
	return der_skip(r, tag);
}

bool
der_integer(struct reader *r, struct bytes *value)
{
	struct reader at = *r;
	struct bytes v;

	if (!der_take(&at, DER_INTEGER, &v) || v.len == 0)
		return false;
	/* A first byte that only repeats the sign bit is one too many. */
	if (v.len > 1 &&
	    ((v.ptr[0] == 0x00 && v.ptr[1] < 0x80) ||
		(v.ptr[0] == 0xff && v.ptr[1] >= 0x80)))
		return false;
	*r = at;
	*value = v;
	return true;
}

bool
der_positive(struct reader *r, struct bytes *magnitude)
{
	struct reader at = *r;
	struct bytes v;

	if (!der_integer(&at, &v) || v.ptr[0] >= 0x80)
		return false;
	if (v.ptr[0] == 0)
		v = bytes_slice(v, 1, v.len);
	if (v.len == 0)
		return false;
	*r = at;
	*magnitude = v;
	return true;
}

bool
der_bit_string(struct reader *r, struct bytes *value)
{
	struct reader at = *r;
	struct bytes v;

	if (!der_take(&at, DER_BIT_STRING, &v) || v.len == 0 || v.ptr[0] != 0)
		return false;
	*r = at;
	*value = bytes_slice(v, 1, v.len);
	return true;
}

static bool
well_formed_to_depth(struct bytes in, unsigned depth)
{
	struct reader r = {in};
	struct der_element e;

	while (!reader_done(&r)) {
		if (!der_any(&r, &e))
			return false;
		if (!(e.tag & DER_CONSTRUCTED))
			continue;
		if (depth == 0 || !well_formed_to_depth(e.value, depth - 1))
			return false;
	}
	return true;
}

bool
der_well_formed(struct bytes in)
{
	return well_formed_to_depth(in, DER_MAX_DEPTH);
}

static void
put_head(struct buf *out, uint8_t tag, size_t len)
{
	uint8_t bytes[] = {
	    (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
	size_t skip = len > 0xffff ? 0 : len > 0xff ? 1 : 2;

	if (len > DER_MAX_LEN) {
		out->failed = true;
		return;
	}
	buf_put_u8(out, tag);
	if (len >= 0x80)
		buf_put_u8(out, (uint8_t)(0x80 | (sizeof(bytes) - skip)));
	buf_put(out, bytes_of(bytes + skip, sizeof(bytes) - skip));
}

void
der_put(struct buf *out, uint8_t tag, struct bytes value)
{
	put_head(out, tag, value.len);
	buf_put(out, value);
}

void
der_put_unsigned(struct buf *out, struct bytes number)
{
	size_t zeros = 0;
	bool sign;

	while (zeros < number.len && number.ptr[zeros] == 0)
		zeros++;
	number = bytes_slice(number, zeros, number.len);
	/* A zero keeps the number positive, or is it. */
	sign = number.len == 0 || number.ptr[0] >= 0x80;
	put_head(out, DER_INTEGER, number.len + sign);
	if (sign)
		buf_put_u8(out, 0);
	buf_put(out, number);
}
