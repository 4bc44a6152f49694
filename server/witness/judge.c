/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/judge.h"

#include "core/tlog/merkle.h"

static const struct {
	unsigned status;
	const char *name;
} rows[JUDGE_ROWS] = {
    [JUDGE_BROKEN] = {500, "internal"},
    [JUDGE_MALFORMED] = {400, "malformed"},
    [JUDGE_UNKNOWN] = {404, "unknown-log"},
    [JUDGE_SIGNATURE] = {403, "log-signature"},
    [JUDGE_OLD_LARGER] = {400, "old-larger"},
    [JUDGE_STALE] = {409, "stale"},
    [JUDGE_EMPTY_ROOT] = {422, "empty-root"},
    [JUDGE_PROOF_FROM_EMPTY] = {422, "proof-not-empty"},
    [JUDGE_FORK] = {422, "fork"},
    [JUDGE_INCONSISTENT] = {422, "inconsistent"},
    [JUDGE_COSIGN] = {200, "cosigned"},
};

unsigned
judge_status(enum judge_row row)
{
	return rows[row].status;
}

const char *
judge_name(enum judge_row row)
{
	return rows[row].name;
}

/* Ends in `row`, unless it was our own failure that stood in the way. */
static enum judge_row
ended(enum judge_row row, const struct error *err)
{
	return err->code == ERR_INTERNAL ? JUDGE_BROKEN : row;
}

static enum judge_row
refuse(enum judge_row row, struct error *err, const char *why)
{
	(void)error_reason(err, ERR_DENIED, rows[row].name, "%s", why);
	return row;
}

enum judge_row
judge_form(struct bytes body, struct addition *out, struct error *err)
{
	*out = (struct addition){0};
	if (!witness_request_parse(body, &out->request, err) ||
	    !note_parse(out->request.checkpoint, &out->note, err) ||
	    !checkpoint_parse(out->note.text, &out->head, err))
		return ended(JUDGE_MALFORMED, err);
	if (out->head.extensions.len > 0)
		return refuse(JUDGE_MALFORMED, err,
		    "extension lines are not cosigned here");
	return JUDGE_COSIGN;
}

void
addition_release(struct addition *s)
{
	note_release(&s->note);
}

enum judge_row
judge_signatures(const struct addition *s, const struct vkey *keys,
    size_t count, struct key_verifier *verifier, struct error *err)
{
	bool signed_by_one = false;

	for (size_t i = 0; i < count; i++) {
		struct error why = {0};

		if (note_verify(&s->note, &keys[i], verifier, &why)) {
			signed_by_one = true;
		} else if (why.code != ERR_NOTFOUND) {
			(void)error_set(err, why.code, "%s", why.text);
			return ended(JUDGE_SIGNATURE, err);
		}
	}
	return signed_by_one
	    ? JUDGE_COSIGN
	    : refuse(JUDGE_SIGNATURE, err, "the log's key has not signed this");
}

static enum judge_row
judge_proof(const struct addition *s, const struct judge_last *last,
    struct hasher *h, struct error *err)
{
	/* The empty tree is a prefix of every tree. */
	if (last->size == 0)
		return JUDGE_COSIGN;
	if (!proof_verify_consistency(h, last->size, s->head.size, &last->root,
		&s->head.root, &s->request.proof, err))
		return ended(JUDGE_INCONSISTENT, err);
	return hasher_ok(h, err) ? JUDGE_COSIGN : JUDGE_BROKEN;
}

enum judge_row
judge_growth(const struct addition *s, const struct judge_last *last,
    struct hasher *h, struct error *err)
{
	uint64_t old = s->request.old_size;
	struct hash empty;

	if (old > s->head.size)
		return refuse(JUDGE_OLD_LARGER, err,
		    "the old size is over the checkpoint's");
	if (old != last->size)
		return refuse(JUDGE_STALE, err,
		    "the old size is not the last that was cosigned");
	merkle_empty_root(&empty);
	if (s->head.size == 0 && !hash_equal(&s->head.root, &empty))
		return refuse(JUDGE_EMPTY_ROOT, err,
		    "this is not the root of the empty tree");
	if (old == 0 && s->request.proof.len > 0)
		return refuse(JUDGE_PROOF_FROM_EMPTY, err,
		    "a proof from the empty tree is empty");
	if (old == s->head.size && !hash_equal(&s->head.root, &last->root))
		return refuse(JUDGE_FORK, err,
		    "another root has been cosigned for this size");
	return judge_proof(s, last, h, err);
}

static bool
by_key(const struct note_signature *s, const struct vkey *key)
{
	return s->key_id == key->key_id && bytes_equal(s->name, vkey_name(key));
}

void
judge_note(const struct addition *s, const struct vkey *keys, size_t count,
    struct buf *out)
{
	buf_put(out, s->note.text);
	buf_put_u8(out, '\n');
	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < s->note.signature_count; n++) {
			const struct note_signature *line =
			    &s->note.signatures[n];

			if (!by_key(line, &keys[i]))
				continue;
			note_signature_put(
			    out, line->name, line->key_id, line->signature);
			break; /* one of each key is enough */
		}
}
