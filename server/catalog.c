/* SPDX-License-Identifier: Apache-2.0 */
#include "server/catalog.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/identity/certificate.h"
#include "core/model/dsse.h"
#include "core/model/manifest.h"

/* All but subjects, files and names. */
#define FIXED_KEYS 8

void
catalog_key(struct hasher *h, enum index_kind kind, struct bytes a,
    struct bytes b, struct catalog_key *out)
{
	uint8_t text[1 + 2 * HASH_LEN] = {(uint8_t)kind};
	struct hash part;

	/* Each value hashed first: no two pairs run together alike. */
	sha256(h, a, &part);
	memcpy(text + 1, part.b, HASH_LEN);
	sha256(h, b, &part);
	memcpy(text + 1 + HASH_LEN, part.b, HASH_LEN);
	out->kind = kind;
	sha256(h, BYTES_OF(text), &out->key);
}

/* While the keys are made. */
struct maker {
	struct hasher *h;
	struct catalog *c;
	size_t room;
	struct hash signer;
};

static void
add(struct maker *m, enum index_kind kind, struct bytes a, struct bytes b)
{
	if (m->c->count < m->room)
		catalog_key(m->h, kind, a, b, &m->c->keys[m->c->count++]);
}

static void
add_one(struct maker *m, enum index_kind kind, struct bytes a)
{
	add(m, kind, a, (struct bytes){0});
}

static void
add_signed(struct maker *m, enum index_kind kind, struct bytes a)
{
	add(m, kind, hash_bytes(&m->signer), a);
}

static const char *const name_kinds[] = {
    [CERTIFICATE_EMAIL] = "email",
    [CERTIFICATE_URI] = "uri",
    [CERTIFICATE_DNS] = "dns",
    [CERTIFICATE_OTHER] = "other",
};

/* The names of a certificate, as it has them: nobody vouches for them here. */
static void
add_identities(struct maker *m, const struct certificate *cert)
{
	for (size_t i = 0; i < cert->name_count; i++)
		add(m, INDEX_IDENTITY,
		    bytes_str(name_kinds[cert->names[i].kind]),
		    cert->names[i].value);
}

static void
add_model(struct maker *m, const struct manifest *manifest)
{
	const struct statement *s = &m->c->statement;
	size_t files = manifest->count;

	if (s->subjects[0].name.len > 0) {
		add_one(m, INDEX_MODEL, s->subjects[0].name);
		add_signed(m, INDEX_SIGNER_MODEL, s->subjects[0].name);
	}
	if (s->version.len > 0) {
		add_one(m, INDEX_VERSION, s->version);
		add(m, INDEX_MODEL_VERSION, s->subjects[0].name, s->version);
	}
	add_one(m, INDEX_ROOT, hash_bytes(&s->subjects[0].digest));
	if (files > CATALOG_MAX_FILES)
		files = CATALOG_MAX_FILES;
	for (size_t i = 0; i < files; i++)
		add_one(m, INDEX_FILE, manifest->resources[i].digest);
}

static void
add_subjects(struct maker *m)
{
	const struct statement *s = &m->c->statement;

	for (size_t i = 0; i < s->subject_count; i++) {
		struct bytes digest = hash_bytes(&s->subjects[i].digest);

		add_one(m, INDEX_SUBJECT, digest);
		add_signed(m, INDEX_SIGNER_SUBJECT, digest);
	}
}

static int
compare(const void *a, const void *b)
{
	const struct catalog_key *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return memcmp(x->key.b, y->key.b, HASH_LEN);
}

/* A digest that stands in the manifest twice is one key. */
static void
sort_keys(struct catalog *c)
{
	size_t kept = 0;

	qsort(c->keys, c->count, sizeof(c->keys[0]), compare);
	for (size_t i = 0; i < c->count; i++)
		if (kept == 0 || compare(&c->keys[kept - 1], &c->keys[i]) != 0)
			c->keys[kept++] = c->keys[i];
	c->count = kept;
}

static bool
make_keys(struct hasher *h, const struct entry *signer,
    const struct manifest *manifest, struct catalog *c, struct error *err)
{
	struct maker m = {.h = h, .c = c};
	struct bytes type = bytes_str(statement_kind_type(c->statement.kind));
	struct certificate *cert = NULL;
	struct error ignored = {0};

	m.room = FIXED_KEYS + CERTIFICATE_MAX_NAMES +
	    2 * c->statement.subject_count + CATALOG_MAX_FILES;
	c->keys = calloc(m.room, sizeof(c->keys[0]));
	cert = calloc(1, sizeof(*cert));
	if (!c->keys || !cert) {
		free(cert);
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	sha256(h, signer->key.spki, &m.signer);
	add_one(&m, INDEX_STATEMENT, hash_bytes(&c->s));
	add_one(&m, INDEX_TYPE, type);
	add_signed(&m, INDEX_SIGNER_TYPE, type);
	/* One that cannot be read to the end has no names. */
	if (signer->is_certificate &&
	    certificate_parse(signer->verifier, cert, &ignored))
		add_identities(&m, cert);
	free(cert);
	if (c->statement.kind == STATEMENT_MODEL)
		add_model(&m, manifest);
	else
		add_subjects(&m);
	sort_keys(c);
	return hasher_ok(h, err);
}

_Static_assert(ENVELOPE_TYPE_MAX == ENTRY_DSSE_TYPE_MAX, "one limit");

static bool
too_large(struct bytes type, struct bytes payload, struct error *err)
{
	return !dsse_is_kept(type, payload) &&
	    !error_reason(err, ERR_LIMIT, "envelope-too-large",
		"an envelope of more than %u bytes is not kept here",
		ENVELOPE_MAX_LEN);
}

static bool
wrong_type(struct error *err)
{
	return error_reason(err, ERR_DENIED, "wrong-statement-type",
	    "only signed models (OMS v1.0), approvals, withdrawals, key "
	    "revocations and statuses are kept here");
}

static bool
take_apart(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *signer, bool whole, struct catalog *out,
    struct error *err)
{
	AUTO(manifest) manifest = {0};
	struct envelope e = {.payload_type = type, .payload = payload};
	struct statement *s = &out->statement;

	*out = (struct catalog){0};
	if (too_large(type, payload, err))
		return false;
	if (!bytes_equal(type, BYTES_LIT(DSSE_IN_TOTO)))
		return wrong_type(err);
	if (!statement_parse(payload, s, err) ||
	    !dsse_statement_digest(&e, &out->s, err))
		return false;
	if (s->kind == STATEMENT_MODEL_V02)
		return wrong_type(err);
	if (whole && s->kind == STATEMENT_MODEL &&
	    !manifest_parse(
		s->predicate, &s->subjects[0].digest, &manifest, err))
		return false;
	return make_keys(h, signer, &manifest, out, err);
}

bool
catalog_read(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *signer, struct catalog *out, struct error *err)
{
	return take_apart(h, type, payload, signer, true, out, err);
}

bool
catalog_peek(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *signer, struct catalog *out, struct error *err)
{
	return take_apart(h, type, payload, signer, false, out, err);
}

void
catalog_release(struct catalog *c)
{
	statement_release(&c->statement);
	free(c->keys);
	*c = (struct catalog){0};
}

bool
catalog_has(const struct catalog *c, const struct catalog_key *key)
{
	return c->count > 0 &&
	    bsearch(key, c->keys, c->count, sizeof(c->keys[0]), compare);
}

bool
envelope_link(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *signer, struct store_link *link, struct error *err)
{
	uint8_t digest[DIGEST_MAX_LEN];

	*link = (struct store_link){.type = type, .payload = payload};
	if (!dsse_digest(DIGEST_SHA256, type, payload, digest, err))
		return false;
	memcpy(link->s.b, digest, sizeof(link->s.b));
	if (!dsse_digest(DIGEST_SHA384, type, payload, digest, err))
		return false;
	memcpy(link->sha384, digest, sizeof(link->sha384));
	if (!dsse_digest(DIGEST_SHA512, type, payload, digest, err))
		return false;
	memcpy(link->sha512, digest, sizeof(link->sha512));
	if (signer)
		sha256(h, signer->key.spki, &link->signer);
	return hasher_ok(h, err);
}

bool
envelope_logged(
    struct hasher *h, const struct store_link *link, const struct entry *e)
{
	struct bytes digest = hash_bytes(&link->s);
	struct hash signer;

	if (e->digest_algorithm == DIGEST_SHA384)
		digest = BYTES_OF(link->sha384);
	if (e->digest_algorithm == DIGEST_SHA512)
		digest = BYTES_OF(link->sha512);
	sha256(h, e->key.spki, &signer);
	return bytes_equal(e->digest, digest) &&
	    hash_equal(&signer, &link->signer);
}
