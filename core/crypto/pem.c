/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/pem.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/crypto/key.h"

#define DASHES	    BYTES_LIT("-----")
#define BEGIN	    BYTES_LIT("-----BEGIN ")
#define END	    BYTES_LIT("-----END ")
#define COLUMNS	    64
#define COLUMNS_IN  76
#define PEM_KEY_MAX (2 * SPKI_MAX_LEN) /* text of a public key */

static bool
broken(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "PEM: %s", what);
}

/* The next line without its end; false when nothing is left. */
static bool
next_line(struct reader *text, struct bytes *line)
{
	if (reader_done(text))
		return false;
	if (!reader_line(text, line)) {
		*line = text->rest;
		text->rest = bytes_slice(*line, line->len, line->len);
	}
	if (line->len > 0 && line->ptr[line->len - 1] == '\r')
		line->len--;
	return true;
}

/* RFC 7468 section 3: printable characters, single spaces between them. */
static bool
label_valid(struct bytes label)
{
	bool was_space = true;

	if (label.len == 0 || label.len > PEM_LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.ptr[i];
		bool space = c == ' ';

		if (c < ' ' || c > '~' || c == '-' || (space && was_space))
			return false;
		was_space = space;
	}
	return !was_space;
}

/* The label of a line "-----BEGIN label-----" or "-----END label-----". */
static bool
boundary(struct bytes line, struct bytes begins, struct bytes *label)
{
	if (!bytes_starts(line, begins) || line.len < begins.len + DASHES.len)
		return false;
	*label = bytes_slice(line, begins.len, line.len - DASHES.len);
	return bytes_equal(bytes_slice(line, line.len - DASHES.len, line.len),
		   DASHES) &&
	    label_valid(*label);
}

/* Skips to the inside of the next block. False without `err` at the end. */
static bool
next_begin(struct reader *text, struct bytes *label, struct error *err)
{
	struct bytes line;

	while (next_line(text, &line)) {
		if (!bytes_starts(line, DASHES))
			continue;
		if (!boundary(line, BEGIN, label))
			return broken(err,
			    "a line begins with ----- and does not begin a "
			    "block");
		return true;
	}
	return false;
}

/* One line of base64, padded or not. */
static bool
put_line(struct buf *der, struct bytes line, bool *padded, struct error *err)
{
	size_t n = line.len / 4 * 3, before = der->len;

	if (*padded || line.len == 0 || line.len % 4 != 0 ||
	    line.len > COLUMNS_IN)
		return broken(err,
		    "a line of a block is not base64 of 4 to 76 characters, or "
		    "follows the padding");
	for (size_t i = 1; i <= 2 && line.ptr[line.len - i] == '='; i++)
		n--;
	if (n > der->limit - before)
		return error_set(err, ERR_LIMIT,
		    "PEM: the block is larger than the limit of %zu bytes",
		    der->limit);
	if (!base64_decode(line, der))
		return broken(err, "a line of a block is not base64");
	*padded = line.ptr[line.len - 1] == '=';
	return true;
}

/* The rest of a block after its first line. */
static bool
read_block(
    struct reader *text, struct bytes label, struct buf *der, struct error *err)
{
	struct bytes line, end;
	bool padded = false;

	buf_clear(der);
	while (next_line(text, &line)) {
		if (!bytes_starts(line, DASHES)) {
			if (!put_line(der, line, &padded, err))
				return false;
			continue;
		}
		if (!boundary(line, END, &end) || !bytes_equal(end, label))
			return broken(
			    err, "a block does not end with its own label");
		if (der->len == 0)
			return broken(err, "a block is empty");
		return true;
	}
	return broken(err, "a block does not end");
}

bool
pem_next(struct reader *text, struct bytes *label, struct buf *der,
    struct error *err)
{
	return next_begin(text, label, err) &&
	    read_block(text, *label, der, err);
}

void
pem_put(struct buf *out, const char *label, struct bytes der)
{
	const size_t step = COLUMNS / 4 * 3;

	buf_printf(out, "-----BEGIN %s-----\n", label);
	for (size_t at = 0; at < der.len; at += step) {
		size_t end = der.len - at > step ? at + step : der.len;

		base64_put(out, bytes_slice(der, at, end));
		buf_put_u8(out, '\n');
	}
	buf_printf(out, "-----END %s-----\n", label);
}

/* What a user gave in place of a public key. */
static bool
not_public(struct bytes label, struct error *err)
{
	const struct bytes private = BYTES_LIT("PRIVATE KEY");

	if (label.len >= private.len &&
	    bytes_equal(bytes_slice(label, label.len - private.len, label.len),
		private))
		return error_reason(err, ERR_SYNTAX, "key-is-private",
		    "this is a private key; a public key is wanted here "
		    "(BEGIN PUBLIC KEY)");
	if (bytes_equal(label, BYTES_LIT("CERTIFICATE")))
		return error_reason(err, ERR_SYNTAX, "key-is-certificate",
		    "this is a certificate; a public key is wanted here "
		    "(BEGIN PUBLIC KEY)");
	return error_set(err, ERR_SYNTAX,
	    "this PEM text holds a %.*s; a PUBLIC KEY is wanted here",
	    (int)label.len, (const char *)label.ptr);
}

bool
pem_public_key(struct bytes text, struct buf *spki, struct error *err)
{
	AUTO(buf) der = BUF_INIT(SPKI_MAX_LEN);
	struct reader r = {text};
	struct bytes label;

	/* Where next_begin failed, its error is the first and stays. */
	if (!next_begin(&r, &label, err))
		return error_set(err, ERR_SYNTAX,
		    "this is no public key in PEM: there is no line -----BEGIN "
		    "PUBLIC KEY-----");
	if (!bytes_equal(label, BYTES_LIT("PUBLIC KEY")))
		return not_public(label, err);
	if (!read_block(&r, label, &der, err))
		return false;
	if (next_begin(&r, &label, err))
		return error_set(err, ERR_SYNTAX,
		    "there is more than one key or certificate in the text");
	if (err->code != ERR_NONE)
		return false;
	buf_put(spki, buf_bytes(&der));
	return buf_ok(spki, err);
}

void
key_hint(struct hasher *h, struct bytes spki, char out[2 * HASH_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	AUTO(buf) text = BUF_INIT(PEM_KEY_MAX);
	struct hash hash = {0};

	pem_put(&text, "PUBLIC KEY", spki);
	if (text.failed)
		h->failed = true;
	else
		sha256(h, buf_bytes(&text), &hash);
	for (size_t i = 0; i < HASH_LEN; i++) {
		out[2 * i] = digits[hash.b[i] >> 4];
		out[2 * i + 1] = digits[hash.b[i] & 15];
	}
	out[2 * HASH_LEN] = 0;
}
