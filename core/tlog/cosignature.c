/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/cosignature.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/crypto/mldsa.h"
#include "core/tlog/merkle.h"

/* Of the subtree message: its label, two names, four integers, a hash. */
#define SUBTREE_MESSAGE_MAX (12 + 2 * (1 + NOTE_NAME_MAX) + 3 * 8 + HASH_LEN)

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "cosignature: %s", what);
}

bool
cosignature_parse(struct bytes payload, enum note_type type,
    struct cosignature *out, struct error *err)
{
	struct reader r = {payload};
	size_t len;

	*out = (struct cosignature){0};
	if (type == NOTE_COSIGNATURE)
		len = COSIGNATURE_ED25519_LEN;
	else if (type == NOTE_MLDSA44)
		len = COSIGNATURE_MLDSA44_LEN;
	else
		return error_set(
		    err, ERR_USAGE, "not a type of cosignature: %d", (int)type);
	if (payload.len != len || !reader_u64(&r, &out->time))
		return syntax(err, "wrong length");
	if (out->time > (uint64_t)INT64_MAX)
		return syntax(err, "the time is over 2^63-1");
	out->signature = r.rest;
	return true;
}

void
cosignature_format(const struct cosignature *c, struct buf *out)
{
	buf_put_u64(out, c->time);
	buf_put(out, c->signature);
}

void
cosignature_message(uint64_t time, struct bytes text, struct buf *out)
{
	buf_put_str(out, "cosignature/v1\ntime ");
	buf_put_decimal(out, time);
	buf_put_u8(out, '\n');
	buf_put(out, text);
}

/* RFC 6962's subtrees: aligned to the least power of two that covers them. */
static bool
is_subtree(uint64_t start, uint64_t end)
{
	uint64_t width = 1;

	if (end > TREE_MAX_SIZE || start >= end)
		return start == 0 && end == 0; /* the empty tree */
	while (width < end - start)
		width <<= 1;
	return (start & (width - 1)) == 0;
}

static bool
name_fits(struct bytes name)
{
	return name.len > 0 && name.len <= UINT8_MAX;
}

bool
cosignature_subtree_message(struct bytes cosigner, uint64_t time,
    const struct cosignature_subtree *subtree, struct buf *out,
    struct error *err)
{
	if (!name_fits(cosigner) || !name_fits(subtree->origin))
		return syntax(err, "a name is empty or over 255 bytes");
	if (!is_subtree(subtree->start, subtree->end))
		return syntax(err, "not a subtree");
	if (time > (uint64_t)INT64_MAX || (subtree->start != 0 && time != 0))
		return syntax(err, "this subtree cannot have this time");
	buf_put(out, BYTES_LIT("subtree/v1\n\0"));
	buf_put_u8(out, (uint8_t)cosigner.len);
	buf_put(out, cosigner);
	buf_put_u64(out, time);
	buf_put_u8(out, (uint8_t)subtree->origin.len);
	buf_put(out, subtree->origin);
	buf_put_u64(out, subtree->start);
	buf_put_u64(out, subtree->end);
	buf_put(out, hash_bytes(&subtree->hash));
	return buf_ok(out, err);
}

static bool
verify_ed25519(const struct cosignature *c, struct bytes text,
    const struct vkey *witness, struct key_verifier *verifier,
    struct error *err)
{
	AUTO(buf) message = BUF_INIT(COSIGNATURE_MESSAGE_MAX);

	cosignature_message(c->time, text, &message);
	return buf_ok(&message, err) &&
	    vkey_verify(
		witness, verifier, buf_bytes(&message), c->signature, err);
}

static bool
verify_mldsa44(const struct cosignature *c, const struct checkpoint *head,
    const struct vkey *witness, struct error *err)
{
	AUTO(buf) message = BUF_INIT(SUBTREE_MESSAGE_MAX);
	const struct cosignature_subtree whole = {
	    .origin = head->origin,
	    .end = head->size,
	    .hash = head->root,
	};

	return cosignature_subtree_message(
		   vkey_name(witness), c->time, &whole, &message, err) &&
	    mldsa44_verify(bytes_of(witness->key, witness->key_len),
		buf_bytes(&message), c->signature, err);
}

/* One signature line; a payload of the wrong form is no signature either. */
static bool
verify_line(const struct note *n, const struct note_signature *line,
    const struct checkpoint *head, const struct vkey *witness,
    struct key_verifier *verifier, struct cosignature *c, struct error *err)
{
	struct error form = {0};

	if (!cosignature_parse(line->signature, witness->type, c, &form))
		return error_set(err, ERR_BADSIG, "%s", form.text);
	if (witness->type == NOTE_MLDSA44)
		return verify_mldsa44(c, head, witness, err);
	return verify_ed25519(c, n->text, witness, verifier, err);
}

static void
times_add(struct cosignature_times *t, uint64_t time)
{
	if (time == 0)
		return;
	if (t->first == 0 || time < t->first)
		t->first = time;
	if (time > t->last)
		t->last = time;
}

bool
cosignature_verify(const struct note *n, const struct vkey *witness,
    struct key_verifier *verifier, struct cosignature_times *out,
    struct error *err)
{
	struct cosignature_times times = {0};
	struct checkpoint head;

	if (witness->type != NOTE_COSIGNATURE && witness->type != NOTE_MLDSA44)
		return error_set(err, ERR_USAGE,
		    "%s is not the key of a cosigner", witness->name);
	if (!checkpoint_parse(n->text, &head, err))
		return false;
	for (size_t i = 0; i < n->signature_count; i++) {
		const struct note_signature *s = &n->signatures[i];
		struct cosignature c;

		if (s->key_id != witness->key_id ||
		    !bytes_equal(s->name, vkey_name(witness)))
			continue;
		if (!verify_line(n, s, &head, witness, verifier, &c, err))
			return error_prefix(
			    err, "cosignature by %s", witness->name);
		times_add(&times, c.time);
	}
	if (times.last == 0)
		return error_set(err, ERR_NOTFOUND,
		    "signed note: no timed cosignature by %s", witness->name);
	*out = times;
	return true;
}

/* What was signed must verify as everybody else will verify it. */
static bool
line_check(struct bytes text, struct bytes line, const struct vkey *witness,
    struct key_verifier *verifier, struct error *err)
{
	AUTO(buf) whole = BUF_INIT(NOTE_MAX_LEN);
	struct cosignature_times times;
	AUTO(note) note = {0};

	buf_put(&whole, text);
	buf_put_u8(&whole, '\n');
	buf_put(&whole, line);
	return buf_ok(&whole, err) &&
	    note_parse(buf_bytes(&whole), &note, err) &&
	    cosignature_verify(&note, witness, verifier, &times, err);
}

bool
cosignature_sign(struct bytes text, uint64_t time, struct private_key *key,
    const struct vkey *witness, struct key_verifier *verifier, struct buf *out,
    struct error *err)
{
	AUTO(buf) message = BUF_INIT(COSIGNATURE_MESSAGE_MAX);
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	AUTO(buf) payload = BUF_INIT(SIGNATURE_MAX_LEN);
	AUTO(buf) line = BUF_INIT(NOTE_MAX_LEN);
	struct cosignature c = {.time = time};
	struct checkpoint head;

	if (witness->type != NOTE_COSIGNATURE)
		return error_set(err, ERR_USAGE,
		    "%s is not an Ed25519 cosigner", witness->name);
	if (time == 0 || time > (uint64_t)INT64_MAX)
		return error_set(
		    err, ERR_USAGE, "cosignature: not a time to sign");
	if (!checkpoint_parse(text, &head, err))
		return false;
	cosignature_message(time, text, &message);
	if (!buf_ok(&message, err) ||
	    !private_key_sign(key, buf_bytes(&message), &signature, err))
		return false;
	c.signature = buf_bytes(&signature);
	cosignature_format(&c, &payload);
	note_signature_put(
	    &line, vkey_name(witness), witness->key_id, buf_bytes(&payload));
	if (!buf_ok(&payload, err) || !buf_ok(&line, err) ||
	    !line_check(text, buf_bytes(&line), witness, verifier, err))
		return false;
	buf_put(out, buf_bytes(&line));
	return buf_ok(out, err);
}
