/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/tlog_proof.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"

static const struct bytes magic = BYTES_LIT("c2sp.org/tlog-proof@v1\n");

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "tlog-proof: %s", what);
}

static bool
parse_extra(struct reader *r, struct bytes *out, struct error *err)
{
	AUTO(buf) raw = BUF_INIT(TLOG_PROOF_EXTRA_MAX);

	if (!reader_literal(r, BYTES_LIT("extra ")))
		return true;
	if (!reader_line(r, out) || out->len == 0 ||
	    out->len > TLOG_PROOF_EXTRA_MAX || !base64_decode(*out, &raw))
		return syntax(err, "malformed extra line");
	return true;
}

static bool
parse_index(struct reader *r, uint64_t *out, struct error *err)
{
	struct bytes digits;

	return (reader_literal(r, BYTES_LIT("index ")) &&
		   reader_line(r, &digits) && decimal_parse(digits, out)) ||
	    syntax(err, "malformed index line");
}

/* Hash lines up to the blank one. */
static bool
parse_hashes(struct reader *r, struct proof *out, struct error *err)
{
	struct bytes line;

	out->len = 0;
	for (;;) {
		AUTO(buf) raw = BUF_INIT(HASH_LEN);

		if (!reader_line(r, &line))
			return syntax(
			    err, "no blank line before the checkpoint");
		if (line.len == 0)
			return true;
		if (out->len == PROOF_MAX_HASHES)
			return error_set(err, ERR_LIMIT,
			    "tlog-proof: more than %d hashes",
			    PROOF_MAX_HASHES);
		if (!base64_decode(line, &raw) || raw.len != HASH_LEN)
			return syntax(err, "malformed hash line");
		memcpy(out->hashes[out->len++].b, raw.ptr, HASH_LEN);
	}
}

bool
tlog_proof_parse(struct bytes text, struct tlog_proof *out, struct error *err)
{
	AUTO(note) note = {0};
	struct reader r = {text};

	*out = (struct tlog_proof){0};
	if (text.len > TLOG_PROOF_MAX_LEN)
		return error_set(
		    err, ERR_LIMIT, "tlog-proof: %zu bytes", text.len);
	if (!reader_literal(&r, magic))
		return syntax(err, "not a c2sp.org/tlog-proof@v1");
	if (!parse_extra(&r, &out->extra, err) ||
	    !parse_index(&r, &out->index, err) ||
	    !parse_hashes(&r, &out->proof, err))
		return false;
	out->checkpoint = r.rest;
	return note_parse(r.rest, &note, err);
}

void
tlog_proof_format(const struct tlog_proof *p, struct buf *out)
{
	buf_put(out, magic);
	if (p->extra.len > 0) {
		buf_put_str(out, "extra ");
		buf_put(out, p->extra);
		buf_put_u8(out, '\n');
	}
	buf_put_str(out, "index ");
	buf_put_decimal(out, p->index);
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < p->proof.len; i++) {
		base64_put(out, hash_bytes(&p->proof.hashes[i]));
		buf_put_u8(out, '\n');
	}
	buf_put_u8(out, '\n');
	buf_put(out, p->checkpoint);
}

/* A signature that is not there, or an index that cannot be, proves nothing:
 * that is forged. Malformed input and exhausted memory stay what they are. */
static bool
refused(struct error *err, const struct error *why, const char *reason)
{
	if (why->code == ERR_BADSIG || why->code == ERR_NOTFOUND ||
	    why->code == ERR_USAGE)
		return error_reason(err, ERR_BADSIG, reason, "%s", why->text);
	return error_set(err, why->code, "%s", why->text);
}

bool
tlog_proof_verify_inclusion(const struct tlog_proof *p, const struct hash *leaf,
    const struct checkpoint *head, struct hasher *h, struct error *err)
{
	struct error why = {0};

	return proof_verify_inclusion(h, p->index, head->size, leaf, &p->proof,
		   &head->root, &why) ||
	    refused(err, &why, "inclusion");
}

bool
tlog_proof_verify(const struct tlog_proof *p, const struct hash *leaf,
    const struct vkey *log, struct hasher *h, struct key_verifier *verifier,
    struct checkpoint *head, struct error *err)
{
	struct error why = {0};

	if (!checkpoint_open(p->checkpoint, log, verifier, head, &why))
		return refused(err, &why, "log-signature");
	return tlog_proof_verify_inclusion(p, leaf, head, h, err);
}
