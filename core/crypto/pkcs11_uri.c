/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/pkcs11_uri.h"

#include "core/base/encoding.h"
#include "core/base/reader.h"

/* Where decoded values go. */
struct target {
	struct pkcs11_uri *uri;
	size_t used;   /* of uri->store */
	uint32_t seen; /* rows of the table below */
};

static bool take_slot(struct target *t, struct bytes v, struct error *err);
static bool take_type(struct target *t, struct bytes v, struct error *err);
static bool take_path(struct target *t, struct bytes v, struct error *err);
static bool take_name(struct target *t, struct bytes v, struct error *err);
static bool take_source(struct target *t, struct bytes v, struct error *err);
static bool take_value(struct target *t, struct bytes v, struct error *err);

#define FIELD(f) offsetof(struct pkcs11_uri, f)

/*
 * The attributes. Either `field` takes the value, of at most `max` bytes, or
 * `take` looks at it. The lengths are those of CK_TOKEN_INFO's fields, and
 * limits of our own.
 */
static const struct attribute {
	const char *name;
	bool query;
	bool binary;
	size_t max;
	size_t field;
	bool (*take)(struct target *t, struct bytes v, struct error *err);
} attributes[] = {
    {"token", false, false, 32, FIELD(token), NULL},
    {"manufacturer", false, false, 32, FIELD(manufacturer), NULL},
    {"serial", false, false, 16, FIELD(serial), NULL},
    {"model", false, false, 16, FIELD(model), NULL},
    {"object", false, false, 255, FIELD(object), NULL},
    {"id", false, true, 255, FIELD(id), NULL},
    {"slot-id", false, false, 20, 0, take_slot},
    {"type", false, false, 16, 0, take_type},
    {"module-path", true, false, 1024, 0, take_path},
    {"module-name", true, false, 64, 0, take_name},
    {"pin-source", true, false, 1024, 0, take_source},
    {"pin-value", true, true, PKCS11_URI_MAX_LEN, 0, take_value},
};

#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static bool
take_slot(struct target *t, struct bytes v, struct error *err)
{
	if (!decimal_parse(v, &t->uri->slot))
		return error_set(err, ERR_SYNTAX,
		    "PKCS#11 URI: slot-id is a decimal number");
	t->uri->has_slot = true;
	return true;
}

static bool
take_type(struct target *t, struct bytes v, struct error *err)
{
	(void)t;
	return bytes_equal(v, BYTES_LIT("private")) ||
	    error_set(err, ERR_SYNTAX,
		"PKCS#11 URI: type=private is what signs, or leave it out");
}

static bool
take_path(struct target *t, struct bytes v, struct error *err)
{
	if (v.ptr[0] != '/')
		return error_set(err, ERR_SYNTAX,
		    "PKCS#11 URI: module-path is an absolute path");
	t->uri->module_path = v;
	return true;
}

static bool
take_name(struct target *t, struct bytes v, struct error *err)
{
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.ptr[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_')
			continue;
		return error_set(err, ERR_SYNTAX,
		    "PKCS#11 URI: module-name is a name of letters, digits, - "
		    "and _, without folder and ending");
	}
	t->uri->module_name = v;
	return true;
}

static bool
take_source(struct target *t, struct bytes v, struct error *err)
{
	const struct bytes scheme = BYTES_LIT("file:");

	if (bytes_starts(v, scheme))
		v = bytes_slice(v, scheme.len, v.len);
	/* file:///path is the same file as file:/path. */
	if (bytes_starts(v, BYTES_LIT("///")))
		v = bytes_slice(v, 2, v.len);
	if (v.len < 2 || v.ptr[0] != '/' || v.ptr[1] == '/')
		return error_set(err, ERR_SYNTAX,
		    "PKCS#11 URI: pin-source is the absolute path of a file");
	t->uri->pin_source = v;
	return true;
}

static bool
take_value(struct target *t, struct bytes v, struct error *err)
{
	(void)t;
	(void)v;
	return error_reason(err, ERR_DENIED, "pin-in-uri",
	    "PKCS#11 URI: pin-value shows the PIN to everyone on this machine; "
	    "use pin-source=file:/path");
}

/* Characters that stand for themselves in a value (RFC 7512 section 2.3):
 * unreserved, some that both parts have, some of one. */
static bool
plain(uint8_t c, bool query)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9'))
		return true;
	if (c == 0)
		return false;
	return strchr("-._~:[]@!$'()*+,=", c) != NULL ||
	    strchr(query ? "/?|" : "&", c) != NULL;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Takes one character of a value, written as it is or as %XX. */
static bool
next_byte(struct reader *r, bool query, uint8_t *out)
{
	uint8_t c, high, low;

	if (!reader_u8(r, &c))
		return false;
	if (c != '%') {
		*out = c;
		return plain(c, query);
	}
	if (!reader_u8(r, &high) || !reader_u8(r, &low) ||
	    hex_digit(high) < 0 || hex_digit(low) < 0)
		return false;
	*out = (uint8_t)(hex_digit(high) << 4 | hex_digit(low));
	return true;
}

/* Decodes a value into the store, which is as long as the longest URI. */
static bool
decode(struct target *t, struct bytes in, bool query, struct bytes *out)
{
	uint8_t *at = t->uri->store + t->used;
	struct reader r = {in};
	size_t n = 0;

	while (!reader_done(&r)) {
		if (!next_byte(&r, query, &at[n]))
			return false;
		n++;
	}
	t->used += n;
	*out = bytes_of(at, n);
	return true;
}

static bool
text_valid(struct bytes v)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.ptr[i] < ' ' || v.ptr[i] == 0x7f)
			return false;
	return utf8_valid(v);
}

static bool
take_attribute(struct target *t, const struct attribute *a, struct bytes v,
    struct error *err)
{
	struct bytes value;

	if (!decode(t, v, a->query, &value))
		return error_set(err, ERR_SYNTAX,
		    "PKCS#11 URI: %s has a character that must be written as "
		    "%%XX",
		    a->name);
	if (value.len == 0 || value.len > a->max)
		return error_set(err, ERR_SYNTAX,
		    "PKCS#11 URI: %s has 1 to %zu bytes, not %zu", a->name,
		    a->max, value.len);
	if (!a->binary && !text_valid(value))
		return error_set(err, ERR_SYNTAX,
		    "PKCS#11 URI: %s is not text in UTF-8", a->name);
	if (a->take)
		return a->take(t, value, err);
	memcpy((uint8_t *)t->uri + a->field, &value, sizeof(value));
	return true;
}

/* One "name=value". */
static bool
read_attribute(struct target *t, struct bytes in, bool query, struct error *err)
{
	struct reader r = {in};
	struct bytes name;

	if (!reader_until(&r, '=', &name))
		return error_set(err, ERR_SYNTAX,
		    "PKCS#11 URI: an attribute is a name, =, and a value");
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		const struct attribute *a = &attributes[i];

		if (a->query != query || !bytes_equal(name, bytes_str(a->name)))
			continue;
		if (t->seen & 1u << i)
			return error_set(err, ERR_SYNTAX,
			    "PKCS#11 URI: %s is there twice", a->name);
		t->seen |= 1u << i;
		return take_attribute(t, a, r.rest, err);
	}
	return error_set(err, ERR_SYNTAX,
	    "PKCS#11 URI: no attribute that is known %s the question mark has "
	    "that name",
	    query ? "behind" : "before");
}

/* A part: attributes with `separator` between them. */
static bool
read_part(struct target *t, struct bytes part, bool query, struct error *err)
{
	uint8_t separator = query ? '&' : ';';
	struct reader r = {part};
	struct bytes one;

	while (reader_until(&r, separator, &one))
		if (!read_attribute(t, one, query, err))
			return false;
	return read_attribute(t, r.rest, query, err);
}

bool
pkcs11_uri_parse(struct bytes text, struct pkcs11_uri *out, struct error *err)
{
	struct target t = {.uri = out};
	struct reader r = {text};
	struct bytes path;
	bool query;

	*out = (struct pkcs11_uri){0};
	if (text.len > PKCS11_URI_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "a PKCS#11 URI of %zu bytes is longer than the limit of %d",
		    text.len, PKCS11_URI_MAX_LEN);
	if (!reader_literal(&r, BYTES_LIT("pkcs11:")))
		return error_set(
		    err, ERR_SYNTAX, "a PKCS#11 URI begins with pkcs11:");
	query = reader_until(&r, '?', &path);
	if (!query) {
		path = r.rest;
		r.rest = (struct bytes){0};
	}
	if (path.len > 0 && !read_part(&t, path, false, err))
		return false;
	return !query || read_part(&t, r.rest, true, err);
}
