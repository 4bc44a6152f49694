/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/entry_read.h"

#include <stdlib.h>

#include "client/cli/entry_text.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/tlog/entries.h"
#include "core/verify/verdict.h"

#define COSIGNED_MS 10000

static bool
fetch(const struct cli_reading *r, uint64_t index, struct tle *out,
    struct error *err)
{
	AUTO(buf) text = BUF_INIT(TLE_MAX_LEN);
	char path[64];

	(void)snprintf(path, sizeof(path), "/api/v1/entries/%llu",
	    (unsigned long long)index);
	if (!log_client_get(r->client, path, &text, err)) {
		if (err->code == ERR_NOTFOUND)
			err->reason = "no-entry";
		return false;
	}
	if (!tle_parse(buf_bytes(&text), out, err)) {
		err->reason = "server-error";
		return error_prefix(err, "%s", log_client_url(r->client));
	}
	return out->index == index ||
	    error_reason(err, ERR_BADSIG, "wrong-entry",
		"%s answered with entry %llu where %llu was asked for",
		log_client_url(r->client), (unsigned long long)out->index,
		(unsigned long long)index);
}

/* Whether the witnesses of --policy have cosigned it. */
static bool
is_cosigned(const struct cli_reading *r, struct bytes note,
    struct key_verifier *v, struct error *err)
{
	struct quorum_result *q = calloc(1, sizeof(*q));
	struct note n = {0};
	bool ok = q ? note_parse(note, &n, err) &&
		quorum_verify(&r->policy->quorum, &n, v, q, err)
		    : error_set(err, ERR_INTERNAL, "out of memory");

	note_release(&n);
	free(q);
	return ok;
}

static bool
is_proven(const struct cli_reading *r, struct cli_entry *e,
    struct key_verifier *v, struct error *err)
{
	AUTO(hasher) h = {0};
	struct tlog_proof p = cli_entry_proof(&e->t);

	if (!hasher_open(&h, err))
		return false;
	merkle_leaf(&h, e->t.body, &e->leaf);
	return tlog_proof_verify(&p, &e->leaf, &r->key, &h, v, &e->head, err) &&
	    hasher_ok(&h, err) &&
	    cli_saw(r->pins, &r->key, r->client, e->t.checkpoint, err);
}

/* The newest proof may not be cosigned yet, and an older one be. */
static bool
take_cosigned(const struct cli_reading *r, struct cli_entry *e,
    struct key_verifier *v, struct error *err)
{
	struct log_cosigned c = {.checkpoint = BUF_INIT(NOTE_MAX_LEN)};
	struct error none = {0};
	bool ok =
	    log_client_cosigned(r->client, e->t.index, COSIGNED_MS, &c, &none);

	if (!ok || c.state != LOG_COSIGNED) {
		buf_release(&c.checkpoint);
		return false;
	}
	buf_release(&e->cosigned);
	e->cosigned = c.checkpoint; /* handed over */
	e->t.checkpoint = buf_bytes(&e->cosigned);
	e->t.proof = c.proof;
	return is_proven(r, e, v, err) &&
	    is_cosigned(r, e->t.checkpoint, v, err);
}

static bool
verify(const struct cli_reading *r, struct cli_entry *e, struct key_verifier *v,
    struct error *err)
{
	struct error why = {0};

	if (!is_proven(r, e, v, err))
		return false;
	if (!r->policy || is_cosigned(r, e->t.checkpoint, v, &why))
		return true;
	if (why.reason && strcmp(why.reason, "quorum") == 0 &&
	    take_cosigned(r, e, v, err))
		return true;
	if (err->code == ERR_NONE)
		*err = why;
	return false;
}

/* The one entry of a walk. */
static bool
take_run(
    void *arg, unsigned worker, const struct tiles_run *run, struct error *err)
{
	struct tle *t = arg;
	struct reader r = {run->bytes};
	struct bytes entry = {0};

	(void)worker;
	for (uint64_t i = run->first; i <= t->index; i++)
		if (i >= run->first + run->count ||
		    !entries_next(&r, &entry, err))
			return error_set(err, ERR_INTERNAL, "no entry");
	buf_init(&t->storage, ENTRY_MAX_LEN);
	buf_put(&t->storage, entry);
	t->body = buf_bytes(&t->storage);
	return buf_ok(&t->storage, err);
}

/* An entry and its proof out of the tiles under a head. */
static bool
read_tiles(const struct cli_reading *r, const struct checkpoint *head,
    struct tle *t, struct error *err)
{
	AUTO(hasher) h = {0};
	struct node_reader nodes = tiles_nodes(r->tiles);
	struct tiles_walk how = {.threads = 1, .run = take_run, .arg = t};

	if (t->index >= head->size)
		return error_reason(err, ERR_NOTFOUND, "no-entry",
		    "%s has no entry %llu: its tree is of %llu",
		    log_client_url(r->client), (unsigned long long)t->index,
		    (unsigned long long)head->size);
	return hasher_open(&h, err) &&
	    tiles_head(r->tiles, head->size, &head->root, err) &&
	    tiles_walk(r->tiles, t->index, t->index + 1, &how, err) &&
	    proof_inclusion(&h, &nodes, t->index, head->size, &t->proof, err) &&
	    hasher_ok(&h, err);
}

static bool
from_tiles(const struct cli_reading *r, uint64_t index, struct cli_entry *e,
    struct error *err)
{
	struct cli_head head = {0};
	bool ok;

	tle_release(&e->t);
	e->t = (struct tle){.index = index};
	ok = cli_head_read(r, &head, err) &&
	    read_tiles(r, &head.now, &e->t, err);
	if (ok) {
		e->from_tiles = true;
		e->cosigned = head.text;
		head.text = (struct buf){0}; /* handed over */
		e->t.checkpoint = buf_bytes(&e->cosigned);
		e->t.log_id = r->key.log_id;
		e->t.size = head.now.size;
		e->t.root = head.now.root;
	}
	cli_head_release(&head);
	return ok;
}

static bool
read_entry(const struct cli_reading *r, uint64_t index, struct cli_entry *e,
    struct error *err)
{
	struct error why = {0};

	if (fetch(r, index, &e->t, &why))
		return true;
	if (log_client_silent(&why))
		return from_tiles(r, index, e, err);
	*err = why;
	return false;
}

bool
cli_entry_read(const struct cli_reading *r, uint64_t index,
    struct cli_entry *out, struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	bool ok;

	*out = (struct cli_entry){0};
	ok = v && read_entry(r, index, out, err) && verify(r, out, v, err);
	key_verifier_close(v);
	return ok;
}

bool
cli_entry_decode(struct cli_entry *e, struct error *err)
{
	AUTO(hasher) h = {0};
	struct key_verifier *v = key_verifier_open(err);
	struct error why = {0};
	bool ok = v && hasher_open(&h, err) &&
	    entry_parse(e->t.body, &e->e, &why) && entry_verify(&e->e, v, &why);

	key_verifier_close(v);
	if (why.code == ERR_INTERNAL)
		return error_set(err, ERR_INTERNAL, "%s", why.text);
	if (e->from_tiles &&
	    (why.code == ERR_SYNTAX || why.code == ERR_LIMIT)) {
		e->opaque = true;
		return true;
	}
	if (why.code != ERR_NONE)
		return error_reason(err, why.code, "leaf",
		    "entry %llu is in the log, and is not sound: %s",
		    (unsigned long long)e->t.index, why.text);
	if (!ok)
		return false;
	sha256(&h, e->e.key.spki, &e->signer);
	e->decoded = true;
	return hasher_ok(&h, err);
}

void
cli_entry_release(struct cli_entry *e)
{
	tle_release(&e->t);
	entry_release(&e->e);
	buf_release(&e->cosigned);
	*e = (struct cli_entry){0};
}

struct tlog_proof
cli_entry_proof(const struct tle *t)
{
	return (struct tlog_proof){
	    .index = t->index,
	    .proof = t->proof,
	    .checkpoint = t->checkpoint,
	};
}

static void
put_text(
    const struct cli_reading *r, const struct cli_entry *e, struct buf *out)
{
	buf_printf(out, "entry %llu of %s, in a tree of %llu\n  leaf hash    ",
	    (unsigned long long)e->t.index, r->key.name,
	    (unsigned long long)e->head.size);
	hex_put(out, hash_bytes(&e->leaf));
	if (e->opaque) {
		buf_printf(out,
		    "\n  content      %zu bytes, of no signature (--raw shows "
		    "them)\n",
		    e->t.body.len);
		return;
	}
	buf_printf(out,
	    "\n  digest       %s:", cli_digest_name(e->e.digest_algorithm));
	hex_put(out, e->e.digest);
	buf_put_str(out, "\n  signer       sha256:");
	hex_put(out, hash_bytes(&e->signer));
	buf_printf(out, " (%s%s), signature verified\n",
	    key_algorithm_name(e->e.key.algorithm),
	    e->e.is_certificate ? ", in a certificate" : "");
	cli_entry_names(&e->e, false, "  claims       ",
	    " (its certificate, not verified)\n", out);
}

static void
json_signed(const struct cli_entry *e, struct buf *out)
{
	if (e->opaque) {
		buf_put_str(out,
		    ",\"digest\":null,\"signer\":null,\"certificate\":false"
		    ",\"claims\":{\"names\":[]}");
		return;
	}
	buf_printf(
	    out, ",\"digest\":\"%s:", cli_digest_name(e->e.digest_algorithm));
	hex_put(out, e->e.digest);
	buf_put_str(out, "\",\"signer\":\"");
	hex_put(out, hash_bytes(&e->signer));
	buf_printf(out, "\",\"certificate\":%s,\"claims\":{\"names\":[",
	    e->e.is_certificate ? "true" : "false");
	cli_entry_names(&e->e, true, "", "", out);
	buf_put_str(out, "]}");
}

static void
put_json(
    const struct cli_reading *r, const struct cli_entry *e, struct buf *out)
{
	buf_put_str(out, "{\"log\":");
	json_put_string(out, vkey_name(&r->key));
	buf_printf(out, ",\"index\":\"%llu\",\"size\":\"%llu\",\"root\":\"",
	    (unsigned long long)e->t.index, (unsigned long long)e->head.size);
	hex_put(out, hash_bytes(&e->head.root));
	buf_put_str(out, "\",\"leafHash\":\"");
	hex_put(out, hash_bytes(&e->leaf));
	buf_put_u8(out, '"');
	json_signed(e, out);
	buf_put_str(out, ",\"canonicalizedBody\":\"");
	base64_put(out, e->t.body);
	buf_put_str(out, "\",\"hashes\":[");
	for (size_t i = 0; i < e->t.proof.len; i++) {
		buf_put_str(out, i ? ",\"" : "\"");
		base64_put(out, hash_bytes(&e->t.proof.hashes[i]));
		buf_put_u8(out, '"');
	}
	buf_put_str(out, "],\"checkpoint\":");
	json_put_string(out, e->t.checkpoint);
	buf_put_str(out, "}\n");
}

void
cli_entry_put(const struct cli_reading *r, const struct cli_entry *e, bool json,
    struct buf *out)
{
	if (json)
		put_json(r, e, out);
	else
		put_text(r, e, out);
}
