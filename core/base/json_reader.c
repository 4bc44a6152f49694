/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/json_reader.h"

#include "core/base/encoding.h"
#include "core/base/json.h"

#define INTEGER_MAX (UINT64_C(1) << 53)
#define NUMBER_MAX  40 /* characters */

void
json_reader_init(struct json_reader *r, struct bytes in, struct arena *arena,
    struct error *err)
{
	*r = (struct json_reader){
	    .rest = in, .whole = in, .arena = arena, .err = err};
}

void
json_reader_part(
    const struct json_reader *r, struct bytes raw, struct json_reader *out)
{
	json_reader_init(out, raw, r->arena, r->err);
	out->whole = r->whole;
}

bool
json_reader_ok(const struct json_reader *r)
{
	return r->err->code == ERR_NONE;
}

/* Where it went wrong helps whoever wrote it. */
static bool
fail(struct json_reader *r, const char *text)
{
	return error_set(r->err, ERR_SYNTAX, "JSON: %s at byte %zu", text,
	    (size_t)(r->rest.ptr - r->whole.ptr));
}

bool
json_reader_fail(struct json_reader *r, const char *text)
{
	return error_set(r->err, ERR_SYNTAX, "%s", text);
}

static void
drop(struct json_reader *r, size_t n)
{
	r->rest = bytes_slice(r->rest, n, r->rest.len);
}

static void
skip_space(struct json_reader *r)
{
	size_t n = 0;

	while (n < r->rest.len &&
	    (r->rest.ptr[n] == ' ' || r->rest.ptr[n] == '\n' ||
		r->rest.ptr[n] == '\t' || r->rest.ptr[n] == '\r'))
		n++;
	drop(r, n);
}

/* The next character that is no space; 0 at the end or after a failure. */
static char
peek(struct json_reader *r)
{
	if (!json_reader_ok(r))
		return 0;
	skip_space(r);
	return r->rest.ptr && r->rest.len > 0 ? (char)r->rest.ptr[0] : 0;
}

char
json_reader_next(struct json_reader *r)
{
	return peek(r);
}

static bool
take(struct json_reader *r, char c)
{
	if (peek(r) != c)
		return false;
	drop(r, 1);
	return true;
}

bool
json_reader_end(struct json_reader *r)
{
	if (peek(r) != 0)
		return fail(r, "something follows the value");
	if (json_reader_ok(r) && r->rest.len > 0)
		return fail(r, "a NUL character");
	return json_reader_ok(r);
}

static bool
enter(struct json_reader *r, char open, const char *what)
{
	if (!take(r, open))
		return fail(r, what);
	if (r->depth == JSON_MAX_DEPTH)
		return error_set(r->err, ERR_LIMIT,
		    "JSON: more than %d levels deep", JSON_MAX_DEPTH);
	r->depth++;
	return true;
}

bool
json_object_open(struct json_reader *r, struct json_object *o)
{
	o->count = 0;
	o->begun = false;
	return enter(r, '{', "no object where one must be");
}

static bool
remember(struct json_reader *r, struct json_object *o, struct bytes name)
{
	for (size_t i = 0; i < o->count; i++)
		if (bytes_equal(o->names[i], name))
			return fail(r, "a member stands twice in an object");
	if (o->count == JSON_READER_MEMBERS)
		return error_set(r->err, ERR_LIMIT,
		    "JSON: an object of more than %d members",
		    JSON_READER_MEMBERS);
	o->names[o->count++] = name;
	return true;
}

/* Before an element: a comma unless it is the first. False at the end. */
static bool
more(struct json_reader *r, bool *begun, char close)
{
	if (!json_reader_ok(r))
		return false;
	if (take(r, close)) {
		r->depth--;
		return false;
	}
	if (*begun && !take(r, ','))
		return fail(r, "no comma or end where one must be");
	*begun = true;
	return true;
}

bool
json_object_next(
    struct json_reader *r, struct json_object *o, struct bytes *name)
{
	if (!more(r, &o->begun, '}'))
		return false;
	if (!json_reader_string(r, name) || !remember(r, o, *name))
		return false;
	return take(r, ':') || fail(r, "no colon after a member's name");
}

bool
json_array_open(struct json_reader *r, struct json_array *a)
{
	a->begun = false;
	return enter(r, '[', "no array where one must be");
}

bool
json_array_next(struct json_reader *r, struct json_array *a)
{
	return more(r, &a->begun, ']');
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits of \uXXXX at `at`; false if there are none. */
static bool
unit_at(struct bytes text, size_t at, uint32_t *out)
{
	*out = 0;
	if (text.len < 4 || at > text.len - 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		int v = hex_value(text.ptr[at + i]);

		if (v < 0)
			return false;
		*out = *out << 4 | (uint32_t)v;
	}
	return true;
}

static size_t
utf8_write(uint32_t c, uint8_t *out)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* \uXXXX, or two of them that are a surrogate pair. `*used` counts from the
 * 'u'. */
static bool
read_unit(struct json_reader *r, struct bytes at, size_t *used, uint32_t *out)
{
	uint32_t low;

	if (!unit_at(at, 1, out))
		return fail(r, "\\u without four hex digits");
	*used = 5;
	if (*out == 0)
		return fail(r, "a NUL character in a string");
	if (*out < 0xd800 || *out > 0xdfff)
		return true;
	if (*out > 0xdbff || at.len < 11 || at.ptr[5] != '\\' ||
	    at.ptr[6] != 'u' || !unit_at(at, 7, &low) || low < 0xdc00 ||
	    low > 0xdfff)
		return fail(r, "half a surrogate pair in a string");
	*out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
	*used = 11;
	return true;
}

/* What stands behind a backslash, up to the end of the text in `at`: a
 * character, and how many bytes it takes there. */
static bool
read_escape(struct json_reader *r, struct bytes at, size_t *used, uint32_t *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (at.len == 0)
		return fail(r, "a string without end");
	if (at.ptr[0] == 'u')
		return read_unit(r, at, used, out);
	found = memchr(from, at.ptr[0], sizeof(from) - 1);
	if (!found)
		return fail(r, "an unknown escape in a string");
	*out = (uint8_t)to[found - from];
	*used = 1;
	return true;
}

/* The text of a string that has been found to be one. */
static bool
unescape(struct json_reader *r, struct bytes text, struct bytes *out)
{
	uint8_t *place = arena_alloc(r->arena, text.len, 1, r->err);
	size_t n = 0;

	if (!place)
		return false;
	for (size_t i = 0; i < text.len;) {
		size_t used = 1;
		uint32_t c = 0;

		if (text.ptr[i] != '\\') {
			place[n++] = text.ptr[i++];
			continue;
		}
		i++;
		if (!read_escape(r, bytes_slice(text, i, text.len), &used, &c))
			return false;
		/* No escape is shorter than what it stands for. */
		n += utf8_write(c, place + n);
		i += used;
	}
	*out = bytes_of(place, n);
	return true;
}

#define EACH(c) (UINT64_C(0x0101010101010101) * (c))

/*
 * How many bytes from `at` on are of a string for sure: ASCII, no quote, no
 * backslash, no control character. Eight at a time, since nearly all of a
 * bundle is in strings. While no byte has its high bit set, taking n from each
 * sets one exactly if some byte was under n: the lowest of those, as nothing
 * below it borrows. A byte is c if it is under 1 after b ^ c.
 */
static size_t
plain_run(struct bytes text, size_t at)
{
	size_t n = at;

	for (; n + 8 <= text.len; n += 8) {
		uint64_t w;

		memcpy(&w, text.ptr + n, 8);
		if ((w | (w - EACH(0x20)) | ((w ^ EACH('"')) - EACH(1)) |
			((w ^ EACH('\\')) - EACH(1))) &
		    EACH(0x80))
			break;
	}
	while (n < text.len && text.ptr[n] >= 0x20 && text.ptr[n] < 0x80 &&
	    text.ptr[n] != '"' && text.ptr[n] != '\\')
		n++;
	return n - at;
}

/* The string's text between its quotes, found well formed; `*escapes`: whether
 * there are any. */
static bool
raw_string(struct json_reader *r, struct bytes *out, bool *escapes)
{
	bool ascii = true;
	size_t n = 0, used = 0;
	uint32_t c;

	*escapes = false;
	if (!take(r, '"'))
		return fail(r, "no string where one must be");
	for (;;) {
		n += plain_run(r->rest, n);
		if (n == r->rest.len)
			return fail(r, "a string without end");
		if (r->rest.ptr[n] == '"')
			break;
		if (r->rest.ptr[n] < 0x20)
			return fail(r, "a control character in a string");
		ascii = ascii && r->rest.ptr[n] < 0x80;
		if (r->rest.ptr[n++] != '\\')
			continue;
		*escapes = true;
		if (!read_escape(
			r, bytes_slice(r->rest, n, r->rest.len), &used, &c))
			return false;
		n += used;
	}
	*out = bytes_slice(r->rest, 0, n);
	if (!ascii && !utf8_valid(*out))
		return fail(r, "invalid UTF-8 in a string");
	drop(r, n + 1);
	return true;
}

bool
json_reader_string(struct json_reader *r, struct bytes *out)
{
	struct bytes text;
	bool escapes;

	if (!raw_string(r, &text, &escapes))
		return false;
	if (escapes)
		return unescape(r, text, out);
	*out = text;
	return true;
}

static bool
word(struct json_reader *r, const char *text)
{
	struct bytes want = bytes_str(text);

	if (peek(r) == 0 || !bytes_starts(r->rest, want))
		return false;
	drop(r, want.len);
	return true;
}

bool
json_reader_null(struct json_reader *r)
{
	return word(r, "null");
}

bool
json_reader_bool(struct json_reader *r, bool *out)
{
	*out = word(r, "true");
	if (*out || word(r, "false"))
		return true;
	return fail(r, "no true or false where one must be");
}

static size_t
digits_at(struct bytes text, size_t at)
{
	size_t n = 0;

	while (at + n < text.len && text.ptr[at + n] >= '0' &&
	    text.ptr[at + n] <= '9')
		n++;
	return n;
}

/* A number by RFC 8259's grammar. */
static bool
number_text(struct json_reader *r, struct bytes *out)
{
	struct bytes t;
	size_t n = 0, whole, more_digits;

	if (peek(r) == 0)
		return fail(r, "no number where one must be");
	t = r->rest;
	if (t.ptr[0] == '-')
		n = 1;
	whole = digits_at(t, n);
	if (whole == 0 || (whole > 1 && t.ptr[n] == '0'))
		return fail(r, "no number where one must be");
	n += whole;
	if (n < t.len && t.ptr[n] == '.') {
		more_digits = digits_at(t, n + 1);
		if (more_digits == 0)
			return fail(r, "a number ends in its point");
		n += 1 + more_digits;
	}
	if (n < t.len && (t.ptr[n] == 'e' || t.ptr[n] == 'E')) {
		n++;
		if (n < t.len && (t.ptr[n] == '+' || t.ptr[n] == '-'))
			n++;
		more_digits = digits_at(t, n);
		if (more_digits == 0)
			return fail(r, "a number ends in its exponent");
		n += more_digits;
	}
	*out = bytes_slice(t, 0, n);
	drop(r, n);
	return true;
}

/* digits * 10^shift, if that is an integer that fits. */
static bool
scaled(uint64_t digits, int shift, uint64_t *out)
{
	for (; shift < 0 && digits > 0; shift++) {
		if (digits % 10 != 0)
			return false;
		digits /= 10;
	}
	for (; shift > 0 && digits > 0; shift--) {
		if (digits > INTEGER_MAX / 10)
			return false;
		digits *= 10;
	}
	*out = digits;
	return digits <= INTEGER_MAX;
}

/* The exponent of a number's text from its 'e' on. */
static int
exponent_of(struct bytes t)
{
	int e = 0;
	size_t i = 1;
	bool negative = i < t.len && t.ptr[i] == '-';

	if (i < t.len && (t.ptr[i] == '-' || t.ptr[i] == '+'))
		i++;
	for (; i < t.len && e < 1000; i++)
		e = e * 10 + (t.ptr[i] - '0');
	return negative ? -e : e;
}

bool
json_reader_integer(struct json_reader *r, uint64_t *out)
{
	uint64_t digits = 0;
	bool fraction = false;
	struct bytes t;
	int shift = 0;

	if (!number_text(r, &t))
		return false;
	if (t.len > NUMBER_MAX || t.ptr[0] == '-')
		return fail(r, "a number out of range");
	for (size_t i = 0; i < t.len; i++) {
		uint8_t c = t.ptr[i];

		if (c == '.') {
			fraction = true;
			continue;
		}
		if (c == 'e' || c == 'E') {
			shift += exponent_of(bytes_slice(t, i, t.len));
			break;
		}
		if (digits > UINT64_MAX / 10 - 1)
			return fail(r, "a number out of range");
		digits = digits * 10 + (c - (uint64_t)'0');
		shift -= fraction;
	}
	return scaled(digits, shift, out) ||
	    fail(r, "a number that is no integer in range");
}

static bool skip_value(struct json_reader *r);

static bool
skip_object(struct json_reader *r)
{
	struct json_object o;
	struct bytes name;

	if (!json_object_open(r, &o))
		return false;
	while (json_object_next(r, &o, &name))
		if (!skip_value(r))
			return false;
	return json_reader_ok(r);
}

static bool
skip_array(struct json_reader *r)
{
	struct json_array a;

	if (!json_array_open(r, &a))
		return false;
	while (json_array_next(r, &a))
		if (!skip_value(r))
			return false;
	return json_reader_ok(r);
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static bool
skip_value(struct json_reader *r)
{
	struct bytes text;
	bool yes;

	switch (peek(r)) {
	case '{':
		return skip_object(r);
	case '[':
		return skip_array(r);
	case '"':
		return raw_string(r, &text, &yes);
	case 't':
	case 'f':
		return json_reader_bool(r, &yes);
	case 'n':
		return json_reader_null(r) || fail(r, "an unknown word");
	default:
		return number_text(r, &text);
	}
}

bool
json_reader_skip(struct json_reader *r)
{
	return skip_value(r);
}

bool
json_reader_raw(struct json_reader *r, struct bytes *out)
{
	struct bytes before;

	(void)peek(r);
	before = r->rest;
	if (!skip_value(r))
		return false;
	*out = bytes_slice(before, 0, before.len - r->rest.len);
	return true;
}
