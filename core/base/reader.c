/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/reader.h"

static bool
read_big_endian(struct reader *r, size_t width, uint64_t *out)
{
	uint64_t n = 0;

	if (r->rest.len < width)
		return false;
	for (size_t i = 0; i < width; i++)
		n = n << 8 | r->rest.ptr[i];
	r->rest = bytes_slice(r->rest, width, r->rest.len);
	*out = n;
	return true;
}

bool
reader_u8(struct reader *r, uint8_t *out)
{
	uint64_t n;

	if (!read_big_endian(r, 1, &n))
		return false;
	*out = (uint8_t)n;
	return true;
}

bool
reader_u16(struct reader *r, uint16_t *out)
{
	uint64_t n;

	if (!read_big_endian(r, 2, &n))
		return false;
	*out = (uint16_t)n;
	return true;
}

bool
reader_u32(struct reader *r, uint32_t *out)
{
	uint64_t n;

	if (!read_big_endian(r, 4, &n))
		return false;
	*out = (uint32_t)n;
	return true;
}

bool
reader_u64(struct reader *r, uint64_t *out)
{
	return read_big_endian(r, 8, out);
}

bool
reader_bytes(struct reader *r, size_t n, struct bytes *out)
{
	if (r->rest.len < n)
		return false;
	*out = bytes_of(r->rest.ptr, n);
	r->rest = bytes_slice(r->rest, n, r->rest.len);
	return true;
}

bool
reader_literal(struct reader *r, struct bytes literal)
{
	struct bytes skipped;

	return bytes_starts(r->rest, literal) &&
	    reader_bytes(r, literal.len, &skipped);
}

bool
reader_until(struct reader *r, uint8_t stop, struct bytes *out)
{
	const uint8_t *end;
	size_t n;

	if (r->rest.len == 0)
		return false;
	end = memchr(r->rest.ptr, stop, r->rest.len);
	if (!end)
		return false;
	n = (size_t)(end - r->rest.ptr);
	*out = bytes_of(r->rest.ptr, n);
	r->rest = bytes_slice(r->rest, n + 1, r->rest.len);
	return true;
}

bool
reader_line(struct reader *r, struct bytes *out)
{
	return reader_until(r, '\n', out);
}

bool
reader_decimal(struct reader *r, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	while (
	    i < r->rest.len && r->rest.ptr[i] >= '0' && r->rest.ptr[i] <= '9') {
		uint64_t digit = (uint64_t)(r->rest.ptr[i] - '0');

		if (n > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
		i++;
	}
	if (i == 0 || (i > 1 && r->rest.ptr[0] == '0'))
		return false;
	r->rest = bytes_slice(r->rest, i, r->rest.len);
	*out = n;
	return true;
}

bool
decimal_parse(struct bytes in, uint64_t *out)
{
	struct reader r = {in};
	uint64_t n;

	if (!reader_decimal(&r, &n) || !reader_done(&r))
		return false;
	*out = n;
	return true;
}
