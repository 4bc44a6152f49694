/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/tle.h"

#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"

static void
put_base64(struct buf *out, struct bytes data)
{
	buf_put_u8(out, '"');
	base64_put(out, data);
	buf_put_u8(out, '"');
}

static void
put_number(struct buf *out, uint64_t n)
{
	buf_put_u8(out, '"');
	buf_put_decimal(out, n);
	buf_put_u8(out, '"');
}

void
tle_format(const struct tle *t, struct buf *out)
{
	buf_put_str(out, "{\"logIndex\":");
	put_number(out, t->index);
	buf_put_str(out, ",\"logId\":{\"keyId\":");
	put_base64(out, hash_bytes(&t->log_id));
	buf_put_str(out,
	    "},\"kindVersion\":{\"kind\":\"hashedrekord\",\"version\":"
	    "\"0.0.2\"},\"integratedTime\":\"0\",\"inclusionPromise\":null,"
	    "\"inclusionProof\":{\"logIndex\":");
	put_number(out, t->index);
	buf_put_str(out, ",\"rootHash\":");
	put_base64(out, hash_bytes(&t->root));
	buf_put_str(out, ",\"treeSize\":");
	put_number(out, t->size);
	buf_put_str(out, ",\"hashes\":[");
	for (size_t i = 0; i < t->proof.len; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		put_base64(out, hash_bytes(&t->proof.hashes[i]));
	}
	buf_put_str(out, "],\"checkpoint\":{\"envelope\":");
	json_put_string(out, t->checkpoint);
	buf_put_str(out, "}},\"canonicalizedBody\":");
	put_base64(out, t->body);
	buf_put_u8(out, '}');
}

static bool
missing(struct error *err, const char *name)
{
	return error_set(
	    err, ERR_SYNTAX, "log entry: \"%s\" is missing or malformed", name);
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

static bool
get_hash(
    const json_t *object, const char *name, struct hash *out, struct error *err)
{
	return hash_of(json_object_get(object, name), out) ||
	    missing(err, name);
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
		return error_set(err, ERR_LIMIT,
		    "log entry: a proof of %zu hashes; at most %d can be", n,
		    PROOF_MAX_HASHES);
	for (size_t i = 0; i < n; i++)
		if (!hash_of(json_array_get(list, i), &out->hashes[i]))
			return missing(err, "hashes");
	out->len = n;
	return true;
}

static bool
get_kind(const json_t *root, struct error *err)
{
	const json_t *kind = json_object_get(root, "kindVersion");

	if (bytes_equal(json_text(json_object_get(kind, "kind")),
		BYTES_LIT("hashedrekord")) &&
	    bytes_equal(json_text(json_object_get(kind, "version")),
		BYTES_LIT("0.0.2")))
		return true;
	return error_set(
	    err, ERR_SYNTAX, "log entry: not of kind hashedrekord 0.0.2");
}

static bool
get_proof(const json_t *root, struct tle *out, struct error *err)
{
	const json_t *proof = json_object_get(root, "inclusionProof");
	const json_t *note =
	    json_object_get(json_object_get(proof, "checkpoint"), "envelope");
	uint64_t index = 0;

	if (!get_number(proof, "logIndex", &index, err) ||
	    !get_number(proof, "treeSize", &out->size, err) ||
	    !get_hash(proof, "rootHash", &out->root, err) ||
	    !get_hashes(proof, &out->proof, err))
		return false;
	if (index != out->index)
		return error_set(err, ERR_SYNTAX,
		    "log entry: the proof is for another index");
	if (!json_is_string(note))
		return missing(err, "checkpoint");
	buf_put(&out->storage, json_text(note));
	out->checkpoint.len = json_string_length(note);
	return true;
}

static bool
get_body(const json_t *root, struct tle *out, struct error *err)
{
	const json_t *body = json_object_get(root, "canonicalizedBody");
	size_t at = out->storage.len;

	if (!json_is_string(body) ||
	    !base64_decode_lenient(json_text(body), &out->storage))
		return missing(err, "canonicalizedBody");
	out->body.len = out->storage.len - at;
	return true;
}

bool
tle_parse(struct bytes json, struct tle *out, struct error *err)
{
	json_t *value = NULL;
	bool ok;

	*out = (struct tle){.storage = BUF_INIT(TLE_MAX_LEN)};
	if (!json_parse(json, TLE_MAX_LEN, &value, err))
		return error_prefix(err, "log entry");
	ok = get_number(value, "logIndex", &out->index, err) &&
	    get_hash(
		json_object_get(value, "logId"), "keyId", &out->log_id, err) &&
	    get_kind(value, err) && get_proof(value, out, err) &&
	    get_body(value, out, err) && buf_ok(&out->storage, err);
	json_decref(value);
	if (!ok) {
		tle_release(out);
		return false;
	}
	out->checkpoint.ptr = out->storage.ptr;
	out->body.ptr = out->storage.ptr + out->checkpoint.len;
	return true;
}

void
tle_release(struct tle *t)
{
	buf_release(&t->storage);
	t->checkpoint = t->body = (struct bytes){0};
}

bool
tle_verify(const struct tle *t, const struct vkey *log, struct bytes leaf,
    struct hasher *h, struct key_verifier *verifier, struct error *err)
{
	struct checkpoint c;
	struct hash hash;

	if (!bytes_equal(leaf, t->body))
		return error_reason(err, ERR_BADSIG, "wrong-entry",
		    "the log answered with another entry than was asked for");
	if (!checkpoint_open(t->checkpoint, log, verifier, &c, err))
		return false;
	if (c.size != t->size || !hash_equal(&c.root, &t->root))
		return error_reason(err, ERR_BADSIG, "inclusion",
		    "size or root of the proof are not the checkpoint's");
	merkle_leaf(h, leaf, &hash);
	return proof_verify_inclusion(
	    h, t->index, c.size, &hash, &t->proof, &c.root, err);
}
