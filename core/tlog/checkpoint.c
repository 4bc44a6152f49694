/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/checkpoint.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/tlog/merkle.h"

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "checkpoint: %s", what);
}

static bool
parse_root(struct bytes line, struct hash *out)
{
	AUTO(buf) raw = BUF_INIT(HASH_LEN);

	if (line.len != BASE64_LEN(HASH_LEN) || !base64_decode(line, &raw) ||
	    raw.len != HASH_LEN)
		return false;
	memcpy(out->b, raw.ptr, HASH_LEN);
	return true;
}

static bool
parse_extensions(struct bytes in, struct error *err)
{
	struct reader r = {in};
	struct bytes line;

	while (!reader_done(&r)) {
		if (!reader_line(&r, &line))
			return syntax(err, "the last line has no newline");
		if (line.len == 0)
			return syntax(err, "empty extension line");
	}
	return true;
}

bool
checkpoint_parse(struct bytes text, struct checkpoint *out, struct error *err)
{
	struct reader r = {text};
	struct bytes size, root;

	*out = (struct checkpoint){0};
	if (text.len > CHECKPOINT_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "checkpoint: %zu bytes; at most %d are read", text.len,
		    CHECKPOINT_MAX_LEN);
	if (!reader_line(&r, &out->origin) || !reader_line(&r, &size) ||
	    !reader_line(&r, &root))
		return syntax(err, "fewer than three lines");
	if (!note_text_valid(text))
		return syntax(err, "control characters or invalid UTF-8");
	if (out->origin.len == 0 || out->origin.len > CHECKPOINT_ORIGIN_MAX)
		return syntax(err, "the origin is empty or too long");
	if (!decimal_parse(size, &out->size))
		return syntax(err, "the size is not a plain decimal number");
	if (!parse_root(root, &out->root))
		return syntax(err, "the root hash is not 32 bytes of base64");
	out->extensions = r.rest;
	return parse_extensions(r.rest, err);
}

void
checkpoint_format(const struct checkpoint *c, struct buf *out)
{
	buf_put(out, c->origin);
	buf_put_u8(out, '\n');
	buf_put_decimal(out, c->size);
	buf_put_u8(out, '\n');
	base64_put(out, hash_bytes(&c->root));
	buf_put_u8(out, '\n');
	buf_put(out, c->extensions);
}

bool
checkpoint_open(struct bytes in, const struct vkey *key,
    struct key_verifier *verifier, struct checkpoint *out, struct error *err)
{
	AUTO(note) note = {0};

	if (!note_parse(in, &note, err) ||
	    !note_verify(&note, key, verifier, err) ||
	    !checkpoint_parse(note.text, out, err))
		return false;
	if (!bytes_equal(out->origin, vkey_name(key)))
		return error_set(err, ERR_BADSIG,
		    "checkpoint: signed by %s, but of another origin",
		    key->name);
	return true;
}

/* Nothing may be signed that reads as something else. */
static bool
text_check(const struct checkpoint *c, struct bytes text,
    const struct vkey *vkey, struct error *err)
{
	struct checkpoint check;

	if (!checkpoint_parse(text, &check, err))
		return false;
	if (!bytes_equal(check.origin, vkey_name(vkey)) ||
	    check.size != c->size || !hash_equal(&check.root, &c->root) ||
	    !bytes_equal(check.extensions, c->extensions))
		return error_set(err, ERR_USAGE,
		    "checkpoint: not one that %s can sign", vkey->name);
	return true;
}

bool
checkpoint_sign(const struct checkpoint *c, struct private_key *key,
    const struct vkey *vkey, struct key_verifier *verifier, struct buf *out,
    struct error *err)
{
	AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	struct checkpoint check;

	checkpoint_format(c, &note);
	if (!buf_ok(&note, err) ||
	    !text_check(c, buf_bytes(&note), vkey, err) ||
	    !private_key_sign(key, buf_bytes(&note), &signature, err))
		return false;
	buf_put_u8(&note, '\n');
	note_signature_put(
	    &note, vkey_name(vkey), vkey->key_id, buf_bytes(&signature));
	if (!buf_ok(&note, err) ||
	    !checkpoint_open(buf_bytes(&note), vkey, verifier, &check, err))
		return false;
	buf_put(out, buf_bytes(&note));
	return buf_ok(out, err);
}
