/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/witness_request.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "add-checkpoint: %s", what);
}

static bool
parse_old(struct reader *r, uint64_t *out, struct error *err)
{
	struct bytes digits;

	return (reader_literal(r, BYTES_LIT("old ")) &&
		   reader_line(r, &digits) && decimal_parse(digits, out)) ||
	    syntax(err, "the first line is not \"old \" and a size");
}

/* Hash lines up to the blank one. */
static bool
parse_hashes(struct reader *r, struct proof *out, struct error *err)
{
	struct bytes line;

	for (;;) {
		AUTO(buf) raw = BUF_INIT(HASH_LEN);

		if (!reader_line(r, &line))
			return syntax(
			    err, "no blank line before the checkpoint");
		if (line.len == 0)
			return true;
		if (out->len == PROOF_MAX_HASHES)
			return error_set(err, ERR_LIMIT,
			    "add-checkpoint: more than %d hashes",
			    PROOF_MAX_HASHES);
		if (line.len != BASE64_LEN(HASH_LEN) ||
		    !base64_decode(line, &raw) || raw.len != HASH_LEN)
			return syntax(err, "malformed hash line");
		memcpy(out->hashes[out->len++].b, raw.ptr, HASH_LEN);
	}
}

bool
witness_request_parse(
    struct bytes body, struct witness_request *out, struct error *err)
{
	struct reader r = {body};
	struct checkpoint head;
	AUTO(note) note = {0};

	*out = (struct witness_request){0};
	if (body.len > WITNESS_REQUEST_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "add-checkpoint: %zu bytes; at most %d are read", body.len,
		    WITNESS_REQUEST_MAX_LEN);
	if (!parse_old(&r, &out->old_size, err) ||
	    !parse_hashes(&r, &out->proof, err))
		return false;
	out->checkpoint = r.rest;
	return note_parse(r.rest, &note, err) &&
	    checkpoint_parse(note.text, &head, err);
}

void
witness_request_format(const struct witness_request *r, struct buf *out)
{
	buf_put_str(out, "old ");
	buf_put_decimal(out, r->old_size);
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < r->proof.len; i++) {
		base64_put(out, hash_bytes(&r->proof.hashes[i]));
		buf_put_u8(out, '\n');
	}
	buf_put_u8(out, '\n');
	buf_put(out, r->checkpoint);
}
