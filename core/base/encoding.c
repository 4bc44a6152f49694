/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/encoding.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_put(struct buf *out, struct bytes in)
{
	size_t n = BASE64_LEN(in.len);
	uint8_t *p = buf_reserve(out, n);
	size_t i = 0;

	if (!p)
		return;
	for (; i + 3 <= in.len; i += 3) {
		uint32_t v = (uint32_t)in.ptr[i] << 16 |
		    (uint32_t)in.ptr[i + 1] << 8 | in.ptr[i + 2];

		*p++ = (uint8_t)base64_digits[v >> 18];
		*p++ = (uint8_t)base64_digits[v >> 12 & 63];
		*p++ = (uint8_t)base64_digits[v >> 6 & 63];
		*p++ = (uint8_t)base64_digits[v & 63];
	}
	if (i < in.len) {
		bool two = i + 2 == in.len;
		uint32_t v = (uint32_t)in.ptr[i] << 16;

		if (two)
			v |= (uint32_t)in.ptr[i + 1] << 8;
		*p++ = (uint8_t)base64_digits[v >> 18];
		*p++ = (uint8_t)base64_digits[v >> 12 & 63];
		*p++ = two ? (uint8_t)base64_digits[v >> 6 & 63] : '=';
		*p++ = '=';
	}
	buf_grow(out, n);
}

/* Flags beside the value of a digit, and the alphabet of those that only one
 * has. */
#define DIGIT	 0x400
#define STANDARD 0x100
#define URL_SAFE 0x200
#define D(v)	 (DIGIT | (v))

/* clang-format off */
static const uint16_t base64_values[256] = {
	['A'] = D(0), ['B'] = D(1), ['C'] = D(2), ['D'] = D(3), ['E'] = D(4),
	['F'] = D(5), ['G'] = D(6), ['H'] = D(7), ['I'] = D(8), ['J'] = D(9),
	['K'] = D(10), ['L'] = D(11), ['M'] = D(12), ['N'] = D(13),
	['O'] = D(14), ['P'] = D(15), ['Q'] = D(16), ['R'] = D(17),
	['S'] = D(18), ['T'] = D(19), ['U'] = D(20), ['V'] = D(21),
	['W'] = D(22), ['X'] = D(23), ['Y'] = D(24), ['Z'] = D(25),
	['a'] = D(26), ['b'] = D(27), ['c'] = D(28), ['d'] = D(29),
	['e'] = D(30), ['f'] = D(31), ['g'] = D(32), ['h'] = D(33),
	['i'] = D(34), ['j'] = D(35), ['k'] = D(36), ['l'] = D(37),
	['m'] = D(38), ['n'] = D(39), ['o'] = D(40), ['p'] = D(41),
	['q'] = D(42), ['r'] = D(43), ['s'] = D(44), ['t'] = D(45),
	['u'] = D(46), ['v'] = D(47), ['w'] = D(48), ['x'] = D(49),
	['y'] = D(50), ['z'] = D(51), ['0'] = D(52), ['1'] = D(53),
	['2'] = D(54), ['3'] = D(55), ['4'] = D(56), ['5'] = D(57),
	['6'] = D(58), ['7'] = D(59), ['8'] = D(60), ['9'] = D(61),
	['+'] = D(STANDARD | 62), ['/'] = D(STANDARD | 63),
	['-'] = D(URL_SAFE | 62), ['_'] = D(URL_SAFE | 63),
};
/* clang-format on */

/* Decodes unpadded digits; the last group may have 0, 2 or 3 of them. */
static bool
base64_digits_decode(struct bytes in, unsigned *alphabet, struct buf *out)
{
	size_t rest = in.len % 4, whole = in.len - rest;
	size_t n = whole / 4 * 3 + (rest ? rest - 1 : 0);
	unsigned all = DIGIT, any = 0;
	uint32_t v = 0;
	uint8_t *p;

	if (rest == 1)
		return false;
	p = buf_reserve(out, n);
	if (!p)
		return false;
	for (size_t i = 0; i < whole; i += 4) {
		unsigned a = base64_values[in.ptr[i]];
		unsigned b = base64_values[in.ptr[i + 1]];
		unsigned c = base64_values[in.ptr[i + 2]];
		unsigned d = base64_values[in.ptr[i + 3]];

		all &= a & b & c & d;
		any |= a | b | c | d;
		v = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
		*p++ = (uint8_t)(v >> 16);
		*p++ = (uint8_t)(v >> 8 & 0xff);
		*p++ = (uint8_t)(v & 0xff);
	}
	v = 0;
	for (size_t i = whole; i < in.len; i++) {
		unsigned a = base64_values[in.ptr[i]];

		all &= a;
		any |= a;
		v = v << 6 | (a & 63);
	}
	/* Bits that encode nothing are zero. */
	if (!(all & DIGIT) || (rest == 2 && (v & 0xf)) ||
	    (rest == 3 && (v & 0x3)))
		return false;
	if (rest == 2)
		*p++ = (uint8_t)(v >> 4);
	if (rest == 3) {
		*p++ = (uint8_t)(v >> 10);
		*p++ = (uint8_t)(v >> 2 & 0xff);
	}
	*alphabet = any & (STANDARD | URL_SAFE);
	buf_grow(out, n);
	return true;
}

static size_t
padding_of(struct bytes in)
{
	if (in.len >= 2 && in.ptr[in.len - 1] == '=')
		return in.ptr[in.len - 2] == '=' ? 2 : 1;
	return 0;
}

bool
base64_decode(struct bytes in, struct buf *out)
{
	unsigned alphabet = 0;
	size_t len = out->len;

	if (in.len % 4 != 0)
		return false;
	in.len -= padding_of(in);
	if (!base64_digits_decode(in, &alphabet, out))
		return false;
	if (alphabet & URL_SAFE) {
		out->len = len;
		return false;
	}
	return true;
}

bool
base64_decode_lenient(struct bytes in, struct buf *out)
{
	unsigned alphabet = 0;
	size_t len = out->len;
	size_t padding = padding_of(in);

	if (padding > 0 && in.len % 4 != 0)
		return false;
	in.len -= padding;
	if (!base64_digits_decode(in, &alphabet, out))
		return false;
	if (alphabet == (STANDARD | URL_SAFE)) {
		out->len = len;
		return false;
	}
	return true;
}

static const char hex_digits[] = "0123456789abcdef";

void
hex_put(struct buf *out, struct bytes in)
{
	for (size_t i = 0; i < in.len; i++) {
		buf_put_u8(out, (uint8_t)hex_digits[in.ptr[i] >> 4]);
		buf_put_u8(out, (uint8_t)hex_digits[in.ptr[i] & 15]);
	}
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
hex_decode(struct bytes in, uint8_t *out, size_t n)
{
	if (in.len % 2 != 0 || in.len / 2 != n)
		return false;
	for (size_t i = 0; i < in.len; i++)
		if (hex_value(in.ptr[i]) < 0)
			return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(hex_value(in.ptr[2 * i]) * 16 +
		    hex_value(in.ptr[2 * i + 1]));
	return true;
}

/* Length of the well-formed sequence at the start of `in`, 0 if there is none.
 */
static size_t
utf8_sequence(struct bytes in)
{
	static const struct {
		uint8_t mask, lead;
		size_t len;
		uint32_t min;
	} forms[] = {
	    {0x80, 0x00, 1, 0x0},
	    {0xe0, 0xc0, 2, 0x80},
	    {0xf0, 0xe0, 3, 0x800},
	    {0xf8, 0xf0, 4, 0x10000},
	};

	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		uint32_t point;

		if ((in.ptr[0] & forms[f].mask) != forms[f].lead)
			continue;
		if (in.len < forms[f].len)
			return 0;
		point = in.ptr[0] & (uint8_t)~forms[f].mask;
		for (size_t i = 1; i < forms[f].len; i++) {
			if ((in.ptr[i] & 0xc0) != 0x80)
				return 0;
			point = point << 6 | (in.ptr[i] & 0x3f);
		}
		if (point < forms[f].min || point > 0x10ffff ||
		    (point >= 0xd800 && point <= 0xdfff))
			return 0;
		return forms[f].len;
	}
	return 0;
}

bool
utf8_valid(struct bytes in)
{
	while (in.len > 0) {
		size_t n = utf8_sequence(in);

		if (n == 0)
			return false;
		in = bytes_slice(in, n, in.len);
	}
	return true;
}
