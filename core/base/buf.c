/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/checked.h"

#define BUF_FIRST_CAPACITY 256
#define BUF_SHORT_TEXT	   256

void
buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf)BUF_INIT(limit);
}

void
buf_release(struct buf *b)
{
	size_t limit = b->limit;

	free(b->ptr);
	buf_init(b, limit);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = b->exhausted = false;
}

bool
buf_ok(const struct buf *b, struct error *err)
{
	if (b->exhausted)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (b->failed)
		return error_set(
		    err, ERR_LIMIT, "does not fit into %zu bytes", b->limit);
	return true;
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	size_t need, cap;
	uint8_t *p;

	if (b->failed || !checked_add_size(b->len, n, &need) ||
	    need > b->limit) {
		b->failed = true;
		return NULL;
	}
	if (need <= b->cap && b->ptr)
		return b->ptr + b->len;
	cap = b->cap < BUF_FIRST_CAPACITY ? BUF_FIRST_CAPACITY : b->cap;
	while (cap < need)
		cap = cap > b->limit / 2 ? b->limit : cap * 2;
	if (cap > b->limit)
		cap = b->limit;
	p = realloc(b->ptr, cap ? cap : 1);
	if (!p) {
		b->failed = b->exhausted = true;
		return NULL;
	}
	b->ptr = p;
	b->cap = cap;
	return p + b->len;
}

void
buf_grow(struct buf *b, size_t n)
{
	if (!b->failed)
		b->len += n;
}

void
buf_put(struct buf *b, struct bytes data)
{
	uint8_t *p = buf_reserve(b, data.len);

	if (p && data.len > 0)
		memcpy(p, data.ptr, data.len);
	buf_grow(b, data.len);
}

void
buf_put_u8(struct buf *b, uint8_t n)
{
	buf_put(b, bytes_of(&n, 1));
}

void
buf_put_str(struct buf *b, const char *s)
{
	buf_put(b, bytes_str(s));
}

static void
put_big_endian(struct buf *b, uint64_t n, size_t width)
{
	uint8_t *p = buf_reserve(b, width);

	if (!p)
		return;
	for (size_t i = width; i > 0; i--) {
		p[i - 1] = (uint8_t)(n & 0xff);
		n >>= 8;
	}
	buf_grow(b, width);
}

void
buf_put_u16(struct buf *b, uint16_t n)
{
	put_big_endian(b, n, 2);
}

void
buf_put_u32(struct buf *b, uint32_t n)
{
	put_big_endian(b, n, 4);
}

void
buf_put_u64(struct buf *b, uint64_t n)
{
	put_big_endian(b, n, 8);
}

void
buf_put_decimal(struct buf *b, uint64_t n)
{
	uint8_t digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (uint8_t)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	buf_put(b, bytes_of(digits + i, sizeof(digits) - i));
}

void
buf_printf(struct buf *b, const char *format, ...)
{
	char text[BUF_SHORT_TEXT];
	char *longer = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n >= (int)sizeof(text)) {
		/* Not straight into `b`: the NUL might not fit its limit. */
		va_start(ap, format);
		n = vasprintf(&longer, format, ap);
		va_end(ap);
	}
	if (n < 0) {
		b->failed = true;
		return;
	}
	buf_put(b, bytes_of(longer ? longer : text, (size_t)n));
	free(longer);
}

char *
buf_dup_string(const struct buf *b)
{
	char *s;

	if (b->failed)
		return NULL;
	s = malloc(b->len + 1);
	if (!s)
		return NULL;
	if (b->len > 0)
		memcpy(s, b->ptr, b->len);
	s[b->len] = '\0';
	return s;
}
