/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/evidence.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"

#define VKEY_TEXT_MAX 4096

static const struct bytes preamble = BYTES_LIT(
    "mtlog-evidence/1\n"
    "# A transparency log signed two heads that contradict each other: it has\n"
    "# forked. To check it: both notes below are signed by the log's key; at\n"
    "# equal sizes their roots differ; at different sizes `root` is another\n"
    "# root than the smaller note has, and the `hash` lines are a consistency\n"
    "# proof (RFC 6962, 2.1.2) from that root to the larger note's.\n"
    "# mtlog inspect FILE does all of this.\n");

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "evidence: %s", what);
}

/* "<word> <rest>\n" */
static bool
take_line(struct reader *r, const char *word, struct bytes *out)
{
	struct reader ahead = *r;

	if (!reader_literal(&ahead, bytes_str(word)) ||
	    !reader_literal(&ahead, BYTES_LIT(" ")) ||
	    !reader_line(&ahead, out))
		return false;
	*r = ahead;
	return true;
}

static bool
take_hash(struct bytes text, struct hash *out)
{
	AUTO(buf) raw = BUF_INIT(HASH_LEN);

	if (!base64_decode(text, &raw) || raw.len != HASH_LEN)
		return false;
	memcpy(out->b, raw.ptr, HASH_LEN);
	return true;
}

static bool
parse_note(
    struct reader *r, const char *word, struct bytes *out, struct error *err)
{
	AUTO(note) note = {0};
	struct bytes digits;
	uint64_t len;

	if (!take_line(r, word, &digits) || !decimal_parse(digits, &len) ||
	    len > NOTE_MAX_LEN || !reader_bytes(r, (size_t)len, out))
		return syntax(err, "a note is missing or cut");
	return note_parse(*out, &note, err) ||
	    error_prefix(err, "evidence: the %s note", word);
}

static bool
parse_proof(struct reader *r, struct evidence *out, struct error *err)
{
	struct bytes line;

	out->has_root = take_line(r, "root", &line);
	if (!out->has_root)
		return true;
	if (!take_hash(line, &out->root))
		return syntax(err, "malformed root line");
	while (take_line(r, "hash", &line)) {
		if (out->proof.len == PROOF_MAX_HASHES)
			return error_set(
			    err, ERR_LIMIT, "evidence: too many hashes");
		if (!take_hash(line, &out->proof.hashes[out->proof.len]))
			return syntax(err, "malformed hash line");
		out->proof.len++;
	}
	return true;
}

bool
evidence_parse(struct bytes text, struct evidence *out, struct error *err)
{
	struct reader r = {text};
	struct bytes key;

	*out = (struct evidence){0};
	if (text.len > EVIDENCE_MAX_LEN)
		return error_set(
		    err, ERR_LIMIT, "evidence: %zu bytes", text.len);
	if (!reader_literal(&r, preamble))
		return syntax(err, "not an mtlog-evidence/1");
	if (!take_line(&r, "vkey", &key) || !vkey_parse(key, &out->key, err))
		return syntax(err, "malformed vkey line");
	return parse_proof(&r, out, err) &&
	    parse_note(&r, "smaller", &out->smaller, err) &&
	    parse_note(&r, "larger", &out->larger, err) &&
	    (reader_done(&r) || syntax(err, "it goes on after the notes"));
}

static void
format_note(const char *word, struct bytes note, struct buf *out)
{
	buf_printf(out, "%s %zu\n", word, note.len);
	buf_put(out, note);
}

void
evidence_format(const struct evidence *e, struct buf *out)
{
	buf_put(out, preamble);
	buf_put_str(out, "vkey ");
	vkey_format(&e->key, out);
	buf_put_u8(out, '\n');
	if (e->has_root) {
		buf_put_str(out, "root ");
		base64_put(out, hash_bytes(&e->root));
		buf_put_u8(out, '\n');
		for (size_t i = 0; i < e->proof.len; i++) {
			buf_put_str(out, "hash ");
			base64_put(out, hash_bytes(&e->proof.hashes[i]));
			buf_put_u8(out, '\n');
		}
	}
	format_note("smaller", e->smaller, out);
	format_note("larger", e->larger, out);
}

static bool
no_fork(struct error *err, const char *why)
{
	return error_reason(err, ERR_DENIED, "no-fork",
	    "the two heads do not prove a fork: %s", why);
}

/* Of the empty tree there is one root, without any proof. */
static bool
empty_contradicts(const struct checkpoint *smaller, struct error *err)
{
	struct hash empty;

	merkle_empty_root(&empty);
	return !hash_equal(&smaller->root, &empty) ||
	    no_fork(err, "the empty tree is the beginning of every other");
}

static bool
contradict(const struct evidence *e, const struct checkpoint heads[2],
    struct hasher *h, struct error *err)
{
	struct error why = {0};

	if (heads[0].size > heads[1].size)
		return no_fork(err, "the first one is the larger one");
	if (heads[0].size == heads[1].size)
		return !hash_equal(&heads[0].root, &heads[1].root) ||
		    no_fork(err, "they are the same");
	if (heads[0].size == 0)
		return empty_contradicts(&heads[0], err);
	if (!e->has_root)
		return no_fork(err,
		    "nothing shows what the larger tree had at the smaller "
		    "size");
	if (hash_equal(&e->root, &heads[0].root))
		return no_fork(err, "the larger tree had that very root");
	if (proof_verify_consistency(h, heads[0].size, heads[1].size, &e->root,
		&heads[1].root, &e->proof, &why))
		return true;
	if (why.code != ERR_BADSIG)
		return error_set(err, why.code, "%s", why.text);
	return no_fork(err, why.text);
}

static bool
open_head(struct bytes note, const struct vkey *key,
    struct key_verifier *verifier, struct checkpoint *out, struct error *err)
{
	struct error why = {0};

	if (checkpoint_open(note, key, verifier, out, &why))
		return true;
	return error_set(err, why.code == ERR_NOTFOUND ? ERR_BADSIG : why.code,
	    "%s", why.text);
}

bool
evidence_verify(const struct evidence *e, const struct vkey *key,
    struct hasher *h, struct key_verifier *verifier, struct checkpoint heads[2],
    struct error *err)
{
	struct checkpoint own[2];

	if (!heads)
		heads = own;
	return open_head(e->smaller, key, verifier, &heads[0], err) &&
	    open_head(e->larger, key, verifier, &heads[1], err) &&
	    contradict(e, heads, h, err) && hasher_ok(h, err);
}

bool
evidence_make(const struct evidence *pair, const struct node_reader *nodes,
    struct hasher *h, struct key_verifier *verifier, struct buf *out,
    struct error *err)
{
	struct evidence e = *pair;
	struct checkpoint heads[2];
	uint64_t smaller, larger;

	if (!open_head(e.smaller, &e.key, verifier, &heads[0], err) ||
	    !open_head(e.larger, &e.key, verifier, &heads[1], err))
		return false;
	smaller = heads[0].size;
	larger = heads[1].size;
	e.has_root = smaller > 0 && smaller < larger;
	if (e.has_root &&
	    (!merkle_root(h, nodes, smaller, &e.root, err) ||
		!proof_consistency(h, nodes, smaller, larger, &e.proof, err)))
		return false;
	/* What does not convince us would convince nobody. */
	if (!evidence_verify(&e, &e.key, h, verifier, NULL, err))
		return false;
	evidence_format(&e, out);
	return buf_ok(out, err);
}
