/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/note.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"

/* U+2014 and a space: what a signature line begins with. */
static const struct bytes line_start = BYTES_LIT("\xe2\x80\x94 ");

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "signed note: %s", what);
}

/* White space as Unicode knows it (the property White_Space). */
static bool
has_space(struct bytes in)
{
	static const char *const wide[] = {"\xc2\x85", "\xc2\xa0",
	    "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
	    "\xe2\x81\x9f", "\xe3\x80\x80"};

	for (size_t i = 0; i < in.len; i++) {
		struct bytes at = bytes_slice(in, i, in.len);

		if (in.ptr[i] == ' ' || (in.ptr[i] >= 9 && in.ptr[i] <= 13))
			return true;
		for (size_t w = 0; w < sizeof(wide) / sizeof(wide[0]); w++)
			if (bytes_starts(at, bytes_str(wide[w])))
				return true;
		/* U+2000 to U+200A */
		if (at.len >= 3 && at.ptr[0] == 0xe2 && at.ptr[1] == 0x80 &&
		    at.ptr[2] >= 0x80 && at.ptr[2] <= 0x8a)
			return true;
	}
	return false;
}

bool
note_text_valid(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 0x20 && text.ptr[i] != '\n')
			return false;
	return utf8_valid(text);
}

bool
note_name_valid(struct bytes name)
{
	return name.len > 0 && name.len <= NOTE_NAME_MAX &&
	    note_text_valid(name) && !has_space(name) &&
	    !memchr(name.ptr, '+', name.len);
}

/* Where the signatures begin: after the last blank line. 0: there is none. */
static size_t
signatures_start(struct bytes in)
{
	for (size_t i = in.len; i >= 2; i--)
		if (in.ptr[i - 1] == '\n' && in.ptr[i - 2] == '\n')
			return i;
	return 0;
}

/* One line; the signature's place in `storage` is kept as an offset. */
static bool
parse_line(
    struct bytes line, struct note *out, size_t *offset, struct error *err)
{
	struct note_signature *s = &out->signatures[out->signature_count];
	struct reader r = {line}, raw;
	size_t at = out->storage.len;

	if (!reader_literal(&r, line_start) || !reader_until(&r, ' ', &s->name))
		return syntax(err, "malformed signature line");
	if (!note_name_valid(s->name))
		return syntax(err, "invalid key name in a signature line");
	if (!base64_decode(r.rest, &out->storage))
		return syntax(err, "malformed base64 in a signature line");
	raw.rest = bytes_slice(buf_bytes(&out->storage), at, out->storage.len);
	if (!reader_u32(&raw, &s->key_id) || reader_done(&raw))
		return syntax(err, "signature line without a signature");
	*offset = at + 4;
	s->signature.len = raw.rest.len;
	out->signature_count++;
	return true;
}

static bool
parse_lines(struct bytes in, struct note *out, struct error *err)
{
	size_t offsets[NOTE_MAX_SIGNATURES] = {0};
	struct reader r = {in};
	struct bytes line;

	while (!reader_done(&r)) {
		if (out->signature_count == NOTE_MAX_SIGNATURES)
			return error_set(err, ERR_LIMIT,
			    "signed note: more than %d signatures",
			    NOTE_MAX_SIGNATURES);
		if (!reader_line(&r, &line))
			return syntax(err, "the last line has no newline");
		if (!parse_line(line, out, &offsets[out->signature_count], err))
			return false;
	}
	if (out->signature_count == 0)
		return syntax(err, "no signature");
	for (size_t i = 0; i < out->signature_count; i++)
		out->signatures[i].signature.ptr =
		    out->storage.ptr + offsets[i];
	return true;
}

bool
note_parse(struct bytes in, struct note *out, struct error *err)
{
	size_t start;

	out->text = (struct bytes){0};
	out->signature_count = 0;
	buf_init(&out->storage, NOTE_MAX_LEN);
	if (in.len > NOTE_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "signed note: %zu bytes; at most %d are read", in.len,
		    NOTE_MAX_LEN);
	if (!note_text_valid(in))
		return syntax(err, "control characters or invalid UTF-8");
	start = signatures_start(in);
	if (start < 2)
		return syntax(err, "no blank line before the signatures");
	out->text = bytes_slice(in, 0, start - 1);
	if (parse_lines(bytes_slice(in, start, in.len), out, err))
		return true;
	note_release(out);
	return false;
}

void
note_release(struct note *n)
{
	buf_release(&n->storage);
	n->signature_count = 0;
}

void
note_signature_put(
    struct buf *out, struct bytes name, uint32_t key_id, struct bytes signature)
{
	AUTO(buf) raw = BUF_INIT(NOTE_MAX_LEN);

	buf_put_u32(&raw, key_id);
	buf_put(&raw, signature);
	if (raw.failed)
		out->failed = true;
	buf_put(out, line_start);
	buf_put(out, name);
	buf_put_u8(out, ' ');
	base64_put(out, buf_bytes(&raw));
	buf_put_u8(out, '\n');
}

bool
note_verify(const struct note *n, const struct vkey *key,
    struct key_verifier *verifier, struct error *err)
{
	bool verified = false;

	if (key->type != NOTE_ED25519 && key->type != NOTE_ECDSA)
		return error_set(
		    err, ERR_USAGE, "%s is not the key of a log", key->name);
	for (size_t i = 0; i < n->signature_count; i++) {
		const struct note_signature *s = &n->signatures[i];

		if (s->key_id != key->key_id ||
		    !bytes_equal(s->name, vkey_name(key)))
			continue;
		if (!vkey_verify(key, verifier, n->text, s->signature, err))
			return error_prefix(err, "signature by %s", key->name);
		verified = true;
	}
	if (!verified)
		return error_set(err, ERR_NOTFOUND,
		    "signed note: no signature by %s", key->name);
	return true;
}
