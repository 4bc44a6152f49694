/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/crypto/pem.h"
#include "core/model/bundle.h"
#include "core/verify/evidence.h"

/* Three that time out are a log that withholds: the others would only take as
 * long, and are as missing. They are asked for again in the next scan. */
#define SILENT_MAX 3

/* Leaves of nobody knows whom. More than these are an attack, and the scan ends
 * as it does for too many of our own. */
#define UNDECIDED_MAX 1000

static bool
no_memory(struct error *err)
{
	return error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
set(json_t *record, const char *name, json_t *value, struct error *err)
{
	return json_object_set_new(record, name, value) == 0 || no_memory(err);
}

static json_t *
string_of(struct bytes text)
{
	return json_stringn((const char *)text.ptr, text.len);
}

static bool
get_envelope(struct scan_recorder *r, const struct entry *e,
    struct buf *payload, struct error *err)
{
	AUTO(buf) path = BUF_INIT(256);
	uint8_t digest[DIGEST_MAX_LEN];
	char *text;
	bool ok;

	if (r->silent >= SILENT_MAX)
		return error_reason(err, ERR_UNAVAILABLE, "envelope",
		    "not asked for: the log gave no answer for others");
	buf_put_str(&path, "/api/v1/envelopes/");
	hex_put(&path, e->digest);
	text = buf_dup_string(&path);
	if (!text)
		return no_memory(err);
	ok = tile_fetch_get(r->fetch, 0, text, payload, err);
	free(text);
	r->silent = !ok && err->code == ERR_UNAVAILABLE ? r->silent + 1 : 0;
	if (!ok ||
	    !dsse_digest(e->digest_algorithm, BYTES_LIT(DSSE_IN_TOTO),
		buf_bytes(payload), digest, err))
		return false;
	return bytes_equal(bytes_of(digest, e->digest.len), e->digest) ||
	    error_reason(err, ERR_BADSIG, "envelope",
		"the log serves another envelope than was signed");
}

/* What refuses is kept as the evidence that it is. */
static bool
keep_bundle(struct scan_recorder *r, const struct entry *e,
    struct bytes payload, json_t *record, struct error *err)
{
	AUTO(buf) text = BUF_INIT(EVIDENCE_FILE_MAX);
	char hint[2 * HASH_LEN + 1];
	struct bundle b = {
	    .version = 3,
	    .material = e->is_certificate ? BUNDLE_CERTIFICATE : BUNDLE_KEY,
	    .certificate_count = e->is_certificate,
	    .certificates = {e->verifier},
	    .envelope = {BYTES_LIT(DSSE_IN_TOTO), payload, e->signature},
	};

	key_hint(&r->judge->hasher, e->key.spki, hint);
	b.hint = bytes_str(hint);
	bundle_format(&b, &text);
	return hasher_ok(&r->judge->hasher, err) && buf_ok(&text, err) &&
	    set(record, "bundle", string_of(buf_bytes(&text)), err);
}

static bool
keep_subjects(const struct statement *s, json_t *record, struct error *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->subject_count; i++)
		if (json_array_append_new(list,
			scan_hex(hash_bytes(&s->subjects[i].digest))) != 0) {
			json_decref(list);
			return no_memory(err);
		}
	return set(record, "about", list, err);
}

static bool
keep_statement(struct scan_recorder *r, const struct entry *e,
    struct bytes payload, const struct statement *s, json_t *record,
    struct error *err)
{
	enum statement_kind kind = s->kind;

	if (!set(record, "kind", json_string(scan_kind_word(kind)), err))
		return false;
	if (kind == STATEMENT_MODEL || kind == STATEMENT_APPROVAL)
		return set(record, "name", string_of(s->subjects[0].name), err);
	if (kind != STATEMENT_WITHDRAWAL && kind != STATEMENT_REVOCATION)
		return true;
	return keep_bundle(r, e, payload, record, err) &&
	    keep_subjects(s, record, err);
}

/* The envelope is there and genuine: what it says goes into the record. */
static bool
keep_envelope(struct scan_recorder *r, const struct entry *e,
    struct bytes payload, json_t *record, struct error *err)
{
	struct envelope envelope = {
	    .payload_type = BYTES_LIT(DSSE_IN_TOTO), .payload = payload};
	struct statement s = {0};
	struct error why = {0};
	struct hash digest;
	bool refuses,
	    ok = dsse_statement_digest(&envelope, &digest, err) &&
	    set(record, "statement", scan_hex(hash_bytes(&digest)), err);

	if (ok && !statement_parse(payload, &s, &why)) {
		if (why.code == ERR_INTERNAL) {
			*err = why;
			return false;
		}
		/* Signed, but for nothing that a verifier would believe. */
		s.kind = STATEMENT_MODEL_V02;
	}
	ok = ok && keep_statement(r, e, payload, &s, record, err);
	refuses =
	    s.kind == STATEMENT_WITHDRAWAL || s.kind == STATEMENT_REVOCATION;
	statement_release(&s);
	if (ok)
		(void)json_object_del(record, "missing");
	if (ok && !refuses)
		(void)json_object_del(record, "leaf");
	return ok;
}

static bool
read_envelope(struct scan_recorder *r, const struct entry *e, json_t *record,
    struct error *err)
{
	AUTO(buf) payload = BUF_INIT(BUNDLE_MAX_LEN);
	struct error why = {0};

	if (get_envelope(r, e, &payload, &why) &&
	    keep_envelope(r, e, buf_bytes(&payload), record, &why))
		return true;
	if (why.code != ERR_INTERNAL) {
		/* Also what is too large to be looked at. */
		(void)json_object_del(record, "kind");
		return set(record, "missing", json_string(why.text), err);
	}
	*err = why;
	return false;
}

static json_t *
credentials_of(
    struct scan_recorder *r, const struct claim *c, struct error *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->candidate_count; i++) {
		struct hash id;

		scan_credential_id(
		    &r->judge->hasher, r->judge->policy, c->candidates[i], &id);
		if (json_array_append_new(list, scan_hex(hash_bytes(&id))) !=
		    0) {
			json_decref(list);
			(void)no_memory(err);
			return NULL;
		}
	}
	return list;
}

static bool
new_record(struct scan_recorder *r, uint64_t index, struct bytes leaf,
    const struct entry *e, const struct claim *c, json_t **out,
    struct error *err)
{
	AUTO(buf) text = BUF_INIT(BASE64_LEN(ENTRY_LEAF_MAX));
	json_t *by = credentials_of(r, c, err);
	char number[24];

	*out = NULL;
	if (!by)
		return false;
	(void)snprintf(
	    number, sizeof(number), "%llu", (unsigned long long)index);
	base64_put(&text, leaf);
	*out = json_pack("{s:s,s:o,s:o,s:o,s:s#}", "index", number, "digest",
	    scan_hex(e->digest), "key", scan_hex(hash_bytes(&c->key_digest)),
	    "by", by, "leaf", (const char *)text.ptr, text.len);
	return (*out && !text.failed) || no_memory(err);
}

static bool
record_name(struct scan_recorder *r, const struct entry *e, struct buf *out,
    struct error *err)
{
	struct hash verifier;

	sha256(&r->judge->hasher, e->verifier, &verifier);
	hex_put(out, e->digest);
	buf_put_u8(out, ' ');
	hex_put(out, hash_bytes(&verifier));
	buf_put_u8(out, '\0');
	return hasher_ok(&r->judge->hasher, err) && buf_ok(out, err);
}

/* It may be a withdrawal: the scan is not complete with it. */
static bool
keep_undecided(struct scan_recorder *r, json_t *record, struct error *err)
{
	const char *name;
	json_t *other;
	size_t count = 0;

	json_object_foreach(r->book->found, name, other) count +=
	    json_is_true(json_object_get(other, "undecided"));
	if (count >= UNDECIDED_MAX)
		return error_set(err, ERR_LIMIT,
		    "more than %d entries have a signer's name in a "
		    "certificate that no CA of the policy issued itself; name "
		    "as ca the one that issues them",
		    UNDECIDED_MAX);
	return set(record, "undecided", json_true(), err) &&
	    set(record, "missing",
		json_string("no CA of the policy issued its certificate "
			    "itself, and one between may have: whose it is is "
			    "not known"),
		err);
}

/* A leaf that is ours, or one of nobody's that looks like it. */
static bool
record_entry(struct scan_recorder *r, uint64_t index, struct bytes leaf,
    const struct entry *e, struct error *err)
{
	AUTO(buf) name = BUF_INIT(512);
	AUTO_PTR(json_t) record = NULL;
	struct claim c;
	enum scan_whose whose;

	if (!record_name(r, e, &name, err))
		return false;
	if (json_object_get(r->book->found, (const char *)name.ptr))
		return true;
	if (!scan_watch_judge(r->judge, e, &c, &whose, err))
		return false;
	if (whose == SCAN_NOBODYS)
		return true;
	if (json_object_size(r->book->found) >= SCAN_FOUND_MAX)
		return error_set(err, ERR_LIMIT,
		    "the policy's signers have more than %d entries",
		    SCAN_FOUND_MAX);
	return new_record(r, index, leaf, e, &c, &record, err) &&
	    (whose == SCAN_UNDECIDED ? keep_undecided(r, record, err)
				     : read_envelope(r, e, record, err)) &&
	    (json_object_set(r->book->found, (const char *)name.ptr, record) ==
		    0 ||
		no_memory(err));
}

bool
scan_record_leaf(struct scan_recorder *r, uint64_t index, struct bytes leaf,
    struct error *err)
{
	AUTO(entry) e = {0};
	struct error why = {0};

	if (!scan_watch_may(r->watch, leaf))
		return true;
	if (entry_parse(leaf, &e, &why))
		return record_entry(r, index, leaf, &e, err);
	/* No entry that a bundle could be about. */
	if (why.code != ERR_INTERNAL)
		return true;
	*err = why;
	return false;
}

bool
scan_record_retry(struct scan_recorder *r, struct error *err)
{
	const char *name;
	json_t *record;

	json_object_foreach(r->book->found, name, record)
	{
		AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
		AUTO(entry) e = {0};
		struct scan_found f;
		struct error why = {0};

		if (!scan_found_read(r->book, record, &f, err))
			return false;
		/* No envelope says whose it is. */
		if (f.missing.len == 0 ||
		    json_is_true(json_object_get(record, "undecided")))
			continue;
		if (!base64_decode(f.leaf, &leaf) ||
		    !entry_parse(buf_bytes(&leaf), &e, &why)) {
			if (why.code != ERR_INTERNAL)
				return scan_book_broken(r->book, err);
			*err = why;
			return false;
		}
		if (!read_envelope(r, &e, record, err))
			return false;
	}
	return true;
}
