/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/online.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/lib/log_client.h"
#include "client/lib/pins.h"
#include "client/lib/tiles.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/crypto/pem.h"
#include "core/model/bundle.h"
#include "core/model/entry.h"
#include "core/base/json.h"
#include "core/model/statement.h"
#include "core/model/tle.h"

#define HITS_MAX    (1u << 20) /* bytes of a search's answer */
#define PAGES_MAX   256
#define PAYLOAD_MAX (1u << 20)

struct online {
	const struct policy *policy;
	struct log_client *client;
	struct verify_current current;
	struct buf checkpoint;
	bool logged;
	struct hash statement; /* S of the bundle */
	bool has_key;
	struct hash key; /* of the SPKI that its entry names */
	/* Whose statements can count: by key, and by name in a certificate. */
	size_t signer_count;
	struct hash *signers;
	bool names;
};

void
online_close(struct online *o)
{
	if (!o)
		return;
	log_client_close(o->client);
	buf_release(&o->checkpoint);
	free(o->signers);
	free(o);
}

/* Where the log of this origin is: the caller's word, else the policy's, else
 * that of its pin. */
static bool
address_of(const struct job *job, const struct pin *pin, struct bytes origin,
    char **out, struct error *err)
{
	const struct quorum *q = &job->policy->quorum;

	*out = NULL;
	if (job->log_url)
		*out = strdup(job->log_url);
	for (size_t i = 0; !*out && i < q->log_count; i++)
		if (bytes_equal(vkey_name(&q->logs[i].key), origin) &&
		    q->logs[i].url.len > 0)
			*out = strndup((const char *)q->logs[i].url.ptr,
			    q->logs[i].url.len);
	if (!*out && pin)
		*out = strdup(pin->url);
	return *out ||
	    error_set(err, ERR_USAGE,
		"where is the log %.*s? Say --log-url URL, or write it into "
		"the policy's log line",
		(int)origin.len, (const char *)origin.ptr);
}

/* `now` borrows from the note. */
static bool
fetch_checkpoint(struct online *o, const char *path, struct checkpoint *now,
    struct error *err)
{
	AUTO(note) note = {0};

	buf_release(&o->checkpoint);
	buf_init(&o->checkpoint, NOTE_MAX_LEN);
	if (!log_client_get(o->client, path, &o->checkpoint, err))
		return false;
	o->current.checkpoint = buf_bytes(&o->checkpoint);
	if (!note_parse(o->current.checkpoint, &note, err) ||
	    !checkpoint_parse(note.text, now, err)) {
		err->reason = "server-error";
		return error_prefix(err, "%s", log_client_url(o->client));
	}
	return true;
}

static bool
tiles_proof(struct online *o, const struct checkpoint *ours,
    const struct checkpoint *now, struct hasher *h, struct error *err)
{
	struct tile_fetch_options from = {
	    .source = log_client_tiles(o->client)};
	struct tile_fetch *f = tile_fetch_open(&from, err);
	struct tiles *t = f ? tiles_open(f, err) : NULL;
	bool ok = t && tiles_head(t, now->size, &now->root, err);

	if (ok) {
		struct node_reader nodes = tiles_nodes(t);

		ok = proof_consistency(
		    h, &nodes, ours->size, now->size, &o->current.proof, err);
	}
	tiles_close(t);
	tile_fetch_close(f);
	return ok && hasher_ok(h, err);
}

/* Whether a log of the policy signed it. What nobody did, verify() refuses. */
static bool
is_signed(const struct online *o)
{
	const struct quorum *q = &o->policy->quorum;
	struct error ignored = {0};
	struct key_verifier *v = key_verifier_open(&ignored);
	struct checkpoint c;
	bool found = false;

	for (size_t i = 0; v && !found && i < q->log_count; i++) {
		struct error no = {0};

		found = checkpoint_open(
		    o->current.checkpoint, &q->logs[i].key, v, &c, &no);
	}
	key_verifier_close(v);
	return found;
}

/*
 * The way from the bundle's tree to today's. Where the one that the log shows
 * leads nowhere, its tiles show it: only they make it a fork, and verify()
 * says so.
 */
static bool
ask_proof(struct online *o, const struct checkpoint *ours,
    const struct checkpoint *now, struct error *err)
{
	struct proof *p = &o->current.proof;
	AUTO(hasher) h = {0};
	struct error why = {0};
	bool had =
	    log_client_consistency(o->client, ours->size, now->size, p, &why);

	if (!had && !log_client_silent(&why)) {
		*err = why;
		return false;
	}
	if (ours->size == now->size || !is_signed(o))
		return true;
	if (!hasher_open(&h, err))
		return false;
	if (had &&
	    proof_verify_consistency(
		&h, ours->size, now->size, &ours->root, &now->root, p, &why))
		return hasher_ok(&h, err);
	return tiles_proof(o, ours, now, &h, err);
}

/*
 * The log's checkpoint today. Witnesses
 * follow behind: the bundle may be under a larger tree than the one that is
 * cosigned, which is no rollback if the log still shows what it has signed.
 */
static bool
ask_checkpoint(struct online *o, const struct checkpoint *ours,
    struct checkpoint *now, struct error *err)
{
	struct error why = {0};

	if (!fetch_checkpoint(o, "/checkpoint", now, err))
		return false;
	if (now->size < ours->size &&
	    !fetch_checkpoint(o, "/api/v1/checkpoint/signed", now, &why)) {
		if (why.code != ERR_NOTFOUND && why.code != ERR_DENIED) {
			*err = why;
			return false;
		}
		/* It has no other, so the first one is its word. */
		return fetch_checkpoint(o, "/checkpoint", now, err);
	}
	return true;
}

static bool
take_entry(struct online *o, const struct tle *t, struct error *err)
{
	AUTO(entry) e = {0};
	AUTO(hasher) h = {0};

	if (!entry_parse(t->body, &e, err) || !hasher_open(&h, err))
		return false;
	sha256(&h, e.key.spki, &o->key);
	o->has_key = true;
	return hasher_ok(&h, err);
}

static bool
ask_connection(void *client, uint64_t old_size, uint64_t new_size,
    struct log_connection *out, struct error *err)
{
	return log_client_connection(client, old_size, new_size, out, err);
}

/* Whatever else a policy asks: a pinned log must have grown out of its pin. */
static bool
hold_to_pin(struct online *o, const struct job *job, const struct pin *pin,
    struct error *err)
{
	struct pins_contact c = {
	    .path = job->pins,
	    .connection = ask_connection,
	    .arg = o->client,
	    .tiles = log_client_tiles(o->client),
	};
	enum pins_sight sight;

	if (!pin)
		return true;
	c.key = &pin->key;
	return pins_saw(&c, o->current.checkpoint, &sight, err);
}

static bool
ask(struct online *o, const struct job *job, const struct checkpoint *ours,
    struct error *err)
{
	AUTO(pins) pins = {0};
	const struct pin *pin;
	struct checkpoint now;
	char *url;

	if (job->pins && !pins_read(job->pins, &pins, err))
		return false;
	pin = pins_find_origin(&pins, ours->origin);
	if (!address_of(job, pin, ours->origin, &url, err))
		return false;
	o->client = log_client_open(
	    url, NULL, job->timeout_ms ? job->timeout_ms : JOB_TIMEOUT_MS, err);
	free(url);
	o->logged = true;
	/* A smaller one than ours needs no proof to be refused. */
	return o->client && ask_checkpoint(o, ours, &now, err) &&
	    hold_to_pin(o, job, pin, err) &&
	    (now.size < ours->size || ask_proof(o, ours, &now, err));
}

static bool
open_for(struct online *o, const struct job *job, const struct bundle *b,
    struct error *err)
{
	AUTO(tle) t = {0};
	AUTO(note) note = {0};
	struct checkpoint ours;

	if (!dsse_statement_digest(&b->envelope, &o->statement, err))
		return false;
	/* An unlogged bundle is refused by verify() where it matters. */
	if (b->entry_count == 0)
		return true;
	if (!tle_parse(b->entries[0], &t, err) ||
	    !note_parse(t.checkpoint, &note, err) ||
	    !checkpoint_parse(note.text, &ours, err) ||
	    !take_entry(o, &t, err)) {
		err->reason = "wrong-entry";
		return false;
	}
	return ask(o, job, &ours, err);
}

struct online *
online_open(const struct job *job, struct bytes json, struct error *err)
{
	struct online *o = calloc(1, sizeof(*o));
	struct bundle b = {0};
	bool ok;

	if (!o) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	o->policy = job->policy;
	ok = bundle_parse(json, &b, err) && open_for(o, job, &b, err);
	bundle_release(&b);
	if (ok)
		return o;
	online_close(o);
	return NULL;
}

const struct verify_current *
online_current(const struct online *o)
{
	return o->logged ? &o->current : NULL;
}

/* A hit as a bundle: signature and verifier from its leaf, payload by S, and
 * the entry itself with its proof. */
static bool
make_bundle(struct online *o, uint64_t index, const struct entry *e,
    const struct hash *statement, struct buf *out, struct error *err)
{
	AUTO(buf) payload = BUF_INIT(PAYLOAD_MAX);
	AUTO(buf) tle = BUF_INIT(TLE_MAX_LEN);
	AUTO(hasher) h = {0};
	char path[64], hint[2 * HASH_LEN + 1];
	struct bundle b = {
	    .version = 3,
	    .material = e->is_certificate ? BUNDLE_CERTIFICATE : BUNDLE_KEY,
	    .certificate_count = e->is_certificate,
	    .certificates = {e->verifier},
	    .entry_count = 1,
	};

	(void)snprintf(path, sizeof(path), "/api/v1/entries/%llu",
	    (unsigned long long)index);
	if (!log_client_envelope(o->client, statement, &payload, err) ||
	    !log_client_get(o->client, path, &tle, err) ||
	    !hasher_open(&h, err))
		return false;
	key_hint(&h, e->key.spki, hint);
	b.hint = bytes_str(hint);
	b.envelope = (struct envelope){
	    BYTES_LIT(DSSE_IN_TOTO), buf_bytes(&payload), e->signature};
	b.entries[0] = buf_bytes(&tle);
	bundle_format(&b, out);
	return hasher_ok(&h, err) && buf_ok(out, err);
}

static bool
bad_hit(struct error *err)
{
	return error_reason(err, ERR_SYNTAX, "search-hit",
	    "the log answered a search with what is no hit");
}

static bool
is_signer(const struct online *o, const struct hash *key)
{
	for (size_t i = 0; i < o->signer_count; i++)
		if (hash_equal(&o->signers[i], key))
			return true;
	return false;
}

/*
 * Anyone can log any number about any subject, and the words of a withdrawal
 * before its signer does: a search shows a statement once, at its first entry,
 * but for one signer at the first of that signer. So each is asked for.
 */
static bool
list_signers(struct online *o, struct error *err)
{
	const struct policy *p = o->policy;

	o->signers = calloc(p->credential_count + 1, sizeof(*o->signers));
	if (!o->signers)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (o->has_key)
		o->signers[o->signer_count++] = o->key;
	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *c = &p->credentials[i];

		if (c->kind != POLICY_KEY && c->kind != POLICY_CERT_KEY)
			o->names = true;
		else if (!is_signer(o, &c->key))
			o->signers[o->signer_count++] = c->key;
	}
	return true;
}

/* Whether a statement of this verifier could count, in a search for one signer
 * or (NULL) for all whom a certificate names. */
static bool
may_count(const struct online *o, const struct entry *e,
    const struct hash *signer, bool *out, struct error *err)
{
	AUTO(hasher) h = {0};
	struct hash key;

	if (!hasher_open(&h, err))
		return false;
	sha256(&h, e->key.spki, &key);
	*out = signer ? hash_equal(&key, signer)
		      : e->is_certificate && !is_signer(o, &key);
	return hasher_ok(&h, err);
}

/* What is not looked at may be the one that refuses. */
static bool
too_many(struct error *err)
{
	return error_reason(err, ERR_LIMIT, "search-hit",
	    "the log shows more withdrawals and revocations than can be looked "
	    "at");
}

static bool
add_hit(struct online *o, const json_t *hit, const struct hash *signer,
    struct evidence_list *l, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) bundle = BUF_INIT(EVIDENCE_FILE_MAX);
	AUTO(entry) e = {0};
	const json_t *body = json_object_get(hit, "canonicalizedBody");
	const json_t *at = json_object_get(hit, "logIndex");
	const json_t *s = json_object_get(hit, "statement");
	struct hash statement;
	uint64_t index;
	char name[128];
	bool counts;

	if (!json_is_string(body) || !json_is_string(s) ||
	    !json_decimal(at, &index) ||
	    !hex_decode(json_text(s), statement.b, HASH_LEN) ||
	    !base64_decode(json_text(body), &leaf))
		return bad_hit(err);
	if (!entry_parse(buf_bytes(&leaf), &e, err)) {
		if (err->code != ERR_INTERNAL)
			err->reason = "search-hit";
		return error_prefix(err, "the log answered a search");
	}
	if (!may_count(o, &e, signer, &counts, err))
		return false;
	if (!counts)
		return true;
	if (l->count == EVIDENCE_MAX)
		return too_many(err);
	if (!make_bundle(o, index, &e, &statement, &bundle, err))
		return false;
	(void)snprintf(name, sizeof(name), "entry %llu of the log",
	    (unsigned long long)index);
	return evidence_add(l, name, &bundle, err);
}

/* One page of what speaks about `subject`. */
static bool
search_page(struct online *o, const struct hash *subject,
    const struct hash *signer, const char *after, json_t **out,
    struct error *err)
{
	AUTO(buf) path = BUF_INIT(512);
	AUTO(buf) text = BUF_INIT(HITS_MAX);
	char *address;
	bool ok;

	buf_put_str(&path, "/api/v1/search?subject=");
	hex_put(&path, hash_bytes(subject));
	if (signer) {
		buf_put_str(&path, "&signer=");
		hex_put(&path, hash_bytes(signer));
	}
	buf_printf(&path, "&order=newest&limit=20%s%s", after ? "&after=" : "",
	    after ? after : "");
	address = buf_dup_string(&path);
	if (!address)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = log_client_get(o->client, address, &text, err) &&
	    json_parse(buf_bytes(&text), HITS_MAX, out, err);
	free(address);
	return ok;
}

static bool
refuses(const json_t *hit)
{
	const char *type = json_string_value(json_object_get(hit, "type"));

	return type &&
	    (strcmp(type, statement_kind_type(STATEMENT_WITHDRAWAL)) == 0 ||
		strcmp(type, statement_kind_type(STATEMENT_REVOCATION)) == 0);
}

static bool
search_all(struct online *o, const struct hash *subject,
    const struct hash *signer, struct evidence_list *l, struct error *err)
{
	char after[32] = "";

	for (unsigned page = 0; page < PAGES_MAX; page++) {
		AUTO_PTR(json_t) value = NULL;
		const json_t *hits, *next;

		if (!search_page(o, subject, signer, after[0] ? after : NULL,
			&value, err))
			return false;
		hits = json_object_get(value, "entries");
		if (!json_is_array(hits))
			return bad_hit(err);
		for (size_t i = 0; i < json_array_size(hits); i++)
			if (refuses(json_array_get(hits, i)) &&
			    !add_hit(
				o, json_array_get(hits, i), signer, l, err))
				return false;
		next = json_object_get(value, "next");
		if (!json_is_string(next) ||
		    json_string_length(next) >= sizeof(after))
			return true;
		(void)snprintf(
		    after, sizeof(after), "%s", json_string_value(next));
	}
	return too_many(err);
}

static bool
search_about(struct online *o, const struct hash *subject,
    struct evidence_list *l, struct error *err)
{
	for (size_t i = 0; i < o->signer_count; i++)
		if (!search_all(o, subject, &o->signers[i], l, err))
			return false;
	return !o->names || search_all(o, subject, NULL, l, err);
}

bool
online_evidence(struct online *o, struct evidence_list *l, struct error *err)
{
	return !o->logged ||
	    (list_signers(o, err) && search_about(o, &o->statement, l, err) &&
		(!o->has_key || search_about(o, &o->key, l, err)));
}
