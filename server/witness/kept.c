/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/kept.h"

#include <stdio.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"

#define DIGITS 16

void
kept_release(struct kept *k)
{
	witness_fork_release(&k->fork);
	buf_release(&k->text);
}

static bool
head_of(struct bytes text, struct checkpoint *out, struct error *err)
{
	struct error why = {0};
	AUTO(note) note = {0};

	return (note_parse(text, &note, &why) &&
		   checkpoint_parse(note.text, out, &why)) ||
	    error_reason(err, why.code == ERR_INTERNAL ? why.code : ERR_IO,
		"store-corrupt", "a note that is kept: %s", why.text);
}

/* By one key of the log's, or there is nothing that stands alone. */
static void
prove(
    const struct kept_reader *r, const struct witness_log *log, struct kept *k)
{
	struct evidence e = {
	    .smaller = buf_bytes(&k->fork.ours),
	    .larger = buf_bytes(&k->fork.note),
	};

	(void)error_set(&k->why, ERR_NOTFOUND,
	    "the log is not witnessed here any more, so its vkey is not known");
	for (size_t i = 0; i < log->key_count && !k->proves; i++) {
		e.key = log->keys[i];
		k->why = (struct error){0};
		k->proves = evidence_verify(
		    &e, &e.key, r->hasher, r->verifier, NULL, &k->why);
	}
	if (k->proves)
		evidence_format(&e, &k->text);
}

/* Of the contents, so that the same has the same name wherever it is written. */
static bool
name(const struct kept_reader *r, struct kept *k, struct error *err)
{
	AUTO(buf) both = BUF_INIT(2 * WITNESS_NOTE_MAX);
	AUTO(buf) digits = BUF_INIT(2 * HASH_LEN);
	struct hash digest;

	buf_put(&both, buf_bytes(&k->fork.ours));
	buf_put(&both, buf_bytes(&k->fork.note));
	sha256(r->hasher, buf_bytes(k->proves ? &k->text : &both), &digest);
	hex_put(&digits, hash_bytes(&digest));
	if (!buf_ok(&both, err) || !buf_ok(&k->text, err) ||
	    !buf_ok(&digits, err) || !hasher_ok(r->hasher, err))
		return false;
	(void)snprintf(k->name, sizeof(k->name), "fork-%.*s%s", DIGITS,
	    (const char *)digits.ptr, k->proves ? ".evidence" : "");
	return true;
}

static bool
fill(const struct kept_reader *r, const struct witness_log *log, struct kept *k,
    struct error *err)
{
	struct checkpoint ours = {0}, other = {0};

	if (!head_of(buf_bytes(&k->fork.ours), &ours, err) ||
	    !head_of(buf_bytes(&k->fork.note), &other, err))
		return false;
	k->size = ours.size;
	k->time = k->fork.time;
	k->cosigned = ours.root;
	k->other = other.root;
	prove(r, log, k);
	return name(r, k, err);
}

bool
kept_next(const struct kept_reader *r, const struct hash *id,
    const struct witness_log *log, const struct hash *after, struct kept *out,
    bool *found, struct error *err)
{
	*out = (struct kept){.text = BUF_INIT(EVIDENCE_MAX_LEN)};
	if (!witness_store_fork_next(
		r->store, id, after, &out->fork, found, err))
		return false;
	if (!*found || fill(r, log, out, err))
		return true;
	kept_release(out);
	*found = false;
	return false;
}
