/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/rekor_v1.h"

#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "core/crypto/pem.h"
#include "core/tlog/checkpoint.h"

static bool
missing(struct error *err, const char *name)
{
	return error_reason(err, ERR_SYNTAX, "malformed-bundle",
	    "log entry: \"%s\" is missing or malformed", name);
}

/* protojson: 64-bit numbers are strings; integers are read as well. */
static bool
get_number(
    const json_t *object, const char *name, uint64_t *out, struct error *err)
{
	const json_t *v = json_object_get(object, name);

	if (json_decimal(v, out))
		return true;
	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*out = (uint64_t)json_integer_value(v);
		return true;
	}
	return missing(err, name);
}

static bool
hash_of(const json_t *v, struct hash *out)
{
	AUTO(buf) raw = BUF_INIT(HASH_LEN);

	if (!json_is_string(v) || !base64_decode_lenient(json_text(v), &raw) ||
	    raw.len != HASH_LEN)
		return false;
	memcpy(out->b, raw.ptr, HASH_LEN);
	return true;
}

/* Decodes behind what the storage holds, which has room for all. */
static bool
get_base64(const json_t *object, const char *name, struct buf *storage,
    struct bytes *out, struct error *err)
{
	const json_t *v = json_object_get(object, name);
	size_t from = storage->len;

	if (!json_is_string(v) ||
	    !base64_decode_lenient(json_text(v), storage) ||
	    storage->len == from)
		return missing(err, name);
	*out = bytes_slice(buf_bytes(storage), from, storage->len);
	return true;
}

static bool
is_text(const json_t *object, const char *name, const char *value)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) && bytes_equal(json_text(v), bytes_str(value));
}

static const struct {
	const char *name;
	enum rekor_v1_kind kind;
} kinds[] = {
    {"hashedrekord", REKOR_V1_HASHEDREKORD},
    {"dsse", REKOR_V1_DSSE},
};

#define KINDS	    (sizeof(kinds) / sizeof(kinds[0]))
#define API_VERSION "0.0.1"

static bool
get_kind(const json_t *root, struct rekor_v1 *out, struct error *err)
{
	const json_t *kind = json_object_get(root, "kindVersion");

	if (!json_is_string(json_object_get(kind, "kind")) ||
	    !json_is_string(json_object_get(kind, "version")))
		return missing(err, "kindVersion");
	for (size_t i = 0; i < KINDS; i++) {
		if (!is_text(kind, "kind", kinds[i].name) ||
		    !is_text(kind, "version", API_VERSION))
			continue;
		out->kind = kinds[i].kind;
		return true;
	}
	return error_reason(err, ERR_DENIED, "wrong-entry",
	    "log entry: of a kind that is not known here");
}

static bool
get_hashes(const json_t *object, struct proof *out, struct error *err)
{
	const json_t *list = json_object_get(object, "hashes");
	size_t n = json_array_size(list);

	/* protojson leaves an empty list out. */
	if (list && !json_is_array(list) && !json_is_null(list))
		return missing(err, "hashes");
	if (n > PROOF_MAX_HASHES)
		return error_reason(err, ERR_LIMIT, "malformed-bundle",
		    "log entry: a proof of %zu hashes; at most %d can be", n,
		    PROOF_MAX_HASHES);
	for (size_t i = 0; i < n; i++)
		if (!hash_of(json_array_get(list, i), &out->hashes[i]))
			return missing(err, "hashes");
	out->len = n;
	return true;
}

static bool
get_proof(const json_t *root, struct rekor_v1 *out, struct error *err)
{
	const json_t *proof = json_object_get(root, "inclusionProof");
	const json_t *note =
	    json_object_get(json_object_get(proof, "checkpoint"), "envelope");
	size_t from = out->storage.len;

	if (!proof || json_is_null(proof))
		return true;
	if (!get_number(proof, "logIndex", &out->proof_index, err) ||
	    !get_number(proof, "treeSize", &out->size, err) ||
	    !get_hashes(proof, &out->proof, err))
		return false;
	if (!hash_of(json_object_get(proof, "rootHash"), &out->root))
		return missing(err, "rootHash");
	if (!json_is_string(note))
		return missing(err, "checkpoint");
	buf_put(&out->storage, json_text(note));
	out->checkpoint =
	    bytes_slice(buf_bytes(&out->storage), from, out->storage.len);
	out->has_proof = true;
	return true;
}

static bool
get_promise(const json_t *root, struct rekor_v1 *out, struct error *err)
{
	const json_t *promise = json_object_get(root, "inclusionPromise");

	return !promise || json_is_null(promise) ||
	    get_base64(promise, "signedEntryTimestamp", &out->storage,
		&out->promise, err);
}

static bool
read_entry(const json_t *root, struct rekor_v1 *out, struct error *err)
{
	if (!get_kind(root, out, err) ||
	    !get_number(root, "logIndex", &out->index, err) ||
	    !get_number(root, "integratedTime", &out->time, err) ||
	    !get_promise(root, out, err) || !get_proof(root, out, err))
		return false;
	if (!hash_of(json_object_get(json_object_get(root, "logId"), "keyId"),
		&out->log_id))
		return missing(err, "logId");
	return get_base64(
	    root, "canonicalizedBody", &out->storage, &out->body, err);
}

bool
rekor_v1_parse(struct bytes json, struct rekor_v1 *out, struct error *err)
{
	AUTO_PTR(json_t) root = NULL;

	*out = (struct rekor_v1){.storage = BUF_INIT(REKOR_V1_MAX_LEN)};
	if (!json_parse(json, REKOR_V1_MAX_LEN, &root, err)) {
		err->reason = "malformed-bundle";
		return error_prefix(err, "log entry");
	}
	/* Decoded is never longer: the views do not move. */
	if (!buf_reserve(&out->storage, json.len))
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (read_entry(root, out, err) && buf_ok(&out->storage, err))
		return true;
	rekor_v1_release(out);
	return false;
}

void
rekor_v1_release(struct rekor_v1 *e)
{
	buf_release(&e->storage);
	*e = (struct rekor_v1){0};
}

/* Keeps a reason that is there, and ERR_INTERNAL as it is. */
static bool
because(struct error *err, const char *reason, const char *what)
{
	if (err->code == ERR_INTERNAL)
		return false;
	/* Not signed by the log at all is no better than wrongly signed. */
	if (err->code == ERR_NOTFOUND)
		err->code = ERR_BADSIG;
	err->reason = reason;
	return error_prefix(err, "%s", what);
}

/* The promise is over the entry in the canonical JSON of RFC 8785. */
static bool
promise_check(const struct rekor_v1 *e, const struct trust_log *log,
    struct key_verifier *v, struct error *err)
{
	AUTO(buf) text = BUF_INIT(2 * REKOR_V1_MAX_LEN);

	buf_put_str(&text, "{\"body\":\"");
	base64_put(&text, e->body);
	buf_put_str(&text, "\",\"integratedTime\":");
	buf_put_decimal(&text, e->time);
	buf_put_str(&text, ",\"logID\":\"");
	hex_put(&text, hash_bytes(&e->log_id));
	buf_put_str(&text, "\",\"logIndex\":");
	buf_put_decimal(&text, e->index);
	buf_put_str(&text, "}");
	if (!buf_ok(&text, err))
		return false;
	return key_verify_message(
		   v, &log->key, buf_bytes(&text), e->promise, err) ||
	    because(err, "log-signature", "the log's promise");
}

/* "rekor.sigstore.dev - 1193050959916656506": the log and its shard. */
static bool
is_origin(struct bytes origin, struct bytes name)
{
	struct reader r = {origin};
	uint64_t shard;

	if (!reader_literal(&r, name))
		return false;
	return reader_done(&r) ||
	    (reader_literal(&r, BYTES_LIT(" - ")) &&
		decimal_parse(r.rest, &shard));
}

static bool
checkpoint_check(const struct rekor_v1 *e, const struct trust_log *log,
    struct key_verifier *v, struct error *err)
{
	AUTO(note) note = {0};
	struct checkpoint c;
	struct vkey key;

	if (!trust_log_vkey(log, &key, err) ||
	    !note_parse(e->checkpoint, &note, err) ||
	    !note_verify(&note, &key, v, err) ||
	    !checkpoint_parse(note.text, &c, err))
		return because(err, "log-signature", "the log's checkpoint");
	if (!is_origin(c.origin, log->name))
		return error_reason(err, ERR_BADSIG, "log-signature",
		    "the log's checkpoint is of another origin");
	if (c.size != e->size || !hash_equal(&c.root, &e->root))
		return error_reason(err, ERR_BADSIG, "inclusion",
		    "size or root of the proof are not the checkpoint's");
	return true;
}

bool
rekor_v1_verify(const struct rekor_v1 *e, const struct trust_log *log,
    struct hasher *h, struct key_verifier *v, struct error *err)
{
	struct hash leaf;

	if (!log->usable || !hash_equal(&e->log_id, &log->log_id))
		return error_reason(err, ERR_DENIED, "unknown-log",
		    "log entry: of another log");
	if (e->promise.len == 0 && !e->has_proof)
		return error_reason(err, ERR_DENIED, "inclusion",
		    "log entry: neither a promise nor a proof");
	if (e->promise.len > 0 && !promise_check(e, log, v, err))
		return false;
	if (!e->has_proof)
		return true;
	if (!checkpoint_check(e, log, v, err))
		return false;
	merkle_leaf(h, e->body, &leaf);
	return proof_verify_inclusion(h, e->proof_index, e->size, &leaf,
		   &e->proof, &e->root, err) ||
	    because(err, "inclusion", "log entry");
}

static bool
wrong(struct error *err, enum error_code code, const char *what)
{
	return error_reason(
	    err, code, "wrong-entry", "the log's entry: %s", what);
}

/* {"algorithm":"sha256","value":"<hex>"} */
static bool
match_hash(const json_t *v, const struct hash *want, const char *what,
    struct error *err)
{
	struct hash got = {0};

	if (!is_text(v, "algorithm", "sha256") ||
	    !hex_decode(
		json_text(json_object_get(v, "value")), got.b, HASH_LEN))
		return wrong(err, ERR_SYNTAX, "its digest is malformed");
	return hash_equal(want, &got) || wrong(err, ERR_BADSIG, what);
}

static bool
match_signature(const json_t *v, struct bytes signature, struct error *err)
{
	AUTO(buf) got = BUF_INIT(SIGNATURE_MAX_LEN);

	if (!json_is_string(v) || !base64_decode_lenient(json_text(v), &got))
		return wrong(err, ERR_SYNTAX, "its signature is malformed");
	return bytes_equal(buf_bytes(&got), signature) ||
	    wrong(err, ERR_BADSIG, "it is of another signature");
}

/* Base64 of PEM, exactly one certificate. */
static bool
match_certificate(const json_t *v, struct bytes certificate, struct error *err)
{
	AUTO(buf) pem = BUF_INIT(2 * CERTIFICATE_MAX_LEN);
	AUTO(buf) der = BUF_INIT(CERTIFICATE_MAX_LEN);
	AUTO(buf) more = BUF_INIT(CERTIFICATE_MAX_LEN);
	struct error ignored = {0};
	struct reader text;
	struct bytes label;

	if (!json_is_string(v) || !base64_decode_lenient(json_text(v), &pem))
		return wrong(err, ERR_SYNTAX, "its certificate is malformed");
	reader_init(&text, buf_bytes(&pem));
	if (!pem_next(&text, &label, &der, &ignored) ||
	    !bytes_equal(label, BYTES_LIT("CERTIFICATE")) ||
	    pem_next(&text, &label, &more, &ignored) ||
	    ignored.code != ERR_NONE)
		return wrong(err, ERR_SYNTAX, "its certificate is malformed");
	return bytes_equal(buf_bytes(&der), certificate) ||
	    wrong(err, ERR_BADSIG, "it is of another certificate");
}

static bool
match_dsse(
    const json_t *spec, const struct rekor_v1_subject *s, struct error *err)
{
	const json_t *list = json_object_get(spec, "signatures");
	const json_t *one = json_array_get(list, 0);

	if (json_array_size(list) != 1)
		return wrong(err, ERR_SYNTAX, "not exactly one signature");
	return match_hash(json_object_get(spec, "payloadHash"), &s->payload,
		   "it is of another payload", err) &&
	    match_signature(
		json_object_get(one, "signature"), s->signature, err) &&
	    match_certificate(
		json_object_get(one, "verifier"), s->certificate, err);
}

static bool
match_hashedrekord(
    const json_t *spec, const struct rekor_v1_subject *s, struct error *err)
{
	const json_t *signature = json_object_get(spec, "signature");

	return match_hash(
		   json_object_get(json_object_get(spec, "data"), "hash"),
		   &s->signed_bytes, "it is of other bytes", err) &&
	    match_signature(
		json_object_get(signature, "content"), s->signature, err) &&
	    match_certificate(
		json_object_get(
		    json_object_get(signature, "publicKey"), "content"),
		s->certificate, err);
}

bool
rekor_v1_match(const struct rekor_v1 *e, const struct rekor_v1_subject *subject,
    struct error *err)
{
	AUTO_PTR(json_t) body = NULL;
	const json_t *spec;
	const char *kind = e->kind == REKOR_V1_DSSE ? "dsse" : "hashedrekord";

	if (!json_parse(e->body, REKOR_V1_MAX_LEN, &body, err)) {
		err->reason = "wrong-entry";
		return error_prefix(err, "the log's entry");
	}
	if (!is_text(body, "kind", kind) ||
	    !is_text(body, "apiVersion", API_VERSION))
		return wrong(err, ERR_SYNTAX, "of another kind than it says");
	spec = json_object_get(body, "spec");
	return e->kind == REKOR_V1_DSSE
	    ? match_dsse(spec, subject, err)
	    : match_hashedrekord(spec, subject, err);
}
