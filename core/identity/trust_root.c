/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/trust_root.h"

#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "core/base/times.h"

#define SECONDS_LEN 19 /* 2026-11-23T07:00:00 */

static bool
malformed(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX,
	    "trusted root: \"%s\" is missing or malformed", what);
}

static bool
media_type_check(const json_t *root, struct error *err)
{
	static const char *const types[] = {
	    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
	    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
	    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
	};
	struct bytes type = json_text(json_object_get(root, "mediaType"));

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (bytes_equal(type, bytes_str(types[i])))
			return true;
	return error_set(
	    err, ERR_SYNTAX, "trusted root: not of a media type that is known");
}

/* RFC 3339 as protobuf writes it: Z, and maybe a fraction, which is cut off. */
static bool
read_time(const json_t *v, uint64_t *out)
{
	struct bytes text = json_text(v), fraction;
	AUTO(buf) whole = BUF_INIT(SECONDS_LEN + 1);

	if (!json_is_string(v) || text.len < SECONDS_LEN + 1 ||
	    text.ptr[text.len - 1] != 'Z')
		return false;
	fraction = bytes_slice(text, SECONDS_LEN, text.len - 1);
	if (fraction.len == 1 || (fraction.len > 1 && fraction.ptr[0] != '.'))
		return false;
	for (size_t i = 1; i < fraction.len; i++)
		if (fraction.ptr[i] < '0' || fraction.ptr[i] > '9')
			return false;
	buf_put(&whole, bytes_slice(text, 0, SECONDS_LEN));
	buf_put_u8(&whole, 'Z');
	return !whole.failed && time_parse(buf_bytes(&whole), out);
}

/* A start is a must; an end may be left out. */
static bool
read_period(const json_t *v, struct trust_period *out, struct error *err)
{
	const json_t *end = json_object_get(v, "end");

	out->end = UINT64_MAX;
	return (read_time(json_object_get(v, "start"), &out->start) &&
		   (!end || json_is_null(end) || read_time(end, &out->end))) ||
	    malformed(err, "validFor");
}

/* Decodes behind what the storage holds, which has room for all. */
static bool
read_base64(const json_t *v, struct buf *storage, struct bytes *out)
{
	size_t from = storage->len;

	if (!json_is_string(v) ||
	    !base64_decode_lenient(json_text(v), storage) ||
	    storage->len == from)
		return false;
	*out = bytes_slice(buf_bytes(storage), from, storage->len);
	return true;
}

static bool
read_hash(const json_t *v, struct hash *out)
{
	AUTO(buf) raw = BUF_INIT(HASH_LEN);

	if (!json_is_string(v) || !base64_decode_lenient(json_text(v), &raw) ||
	    raw.len != HASH_LEN)
		return false;
	memcpy(out->b, raw.ptr, HASH_LEN);
	return true;
}

/* Copies a text that may be absent. */
static bool
read_text(const json_t *v, struct buf *storage, struct bytes *out)
{
	size_t from = storage->len;

	if (v && !json_is_string(v) && !json_is_null(v))
		return false;
	buf_put(storage, json_text(v));
	*out = bytes_slice(buf_bytes(storage), from, storage->len);
	return true;
}

/* https://log.example/path/ is called log.example/path in its checkpoints. */
static struct bytes
name_of_url(struct bytes url)
{
	static const struct bytes schemes[] = {
	    BYTES_LIT("https://"), BYTES_LIT("http://")};

	if (!url.ptr)
		return url;
	for (size_t i = 0; i < 2; i++)
		if (bytes_starts(url, schemes[i]))
			url = bytes_slice(url, schemes[i].len, url.len);
	while (url.len > 0 && url.ptr[url.len - 1] == '/')
		url.len--;
	return url;
}

/* Which keyDetails belong to a key: a log that says otherwise is not used. */
static bool
details_match(struct bytes details, enum key_algorithm algorithm)
{
	static const char *const names[] = {
	    [KEY_ECDSA_P256] = "PKIX_ECDSA_P256_SHA_256",
	    [KEY_ECDSA_P384] = "PKIX_ECDSA_P384_SHA_384",
	    [KEY_ECDSA_P521] = "PKIX_ECDSA_P521_SHA_512",
	    [KEY_RSA_2048] = "PKIX_RSA_PKCS1V15_2048_SHA256",
	    [KEY_RSA_3072] = "PKIX_RSA_PKCS1V15_3072_SHA256",
	    [KEY_RSA_4096] = "PKIX_RSA_PKCS1V15_4096_SHA256",
	    [KEY_ED25519] = "PKIX_ED25519",
	};

	return bytes_equal(details, bytes_str(names[algorithm]));
}

static bool
read_log(const json_t *v, struct buf *storage, struct trust_log *out,
    struct error *err)
{
	const json_t *key = json_object_get(v, "publicKey");
	struct bytes spki;
	struct error unknown = {0};

	if (!read_text(json_object_get(v, "baseUrl"), storage, &out->url))
		return malformed(err, "baseUrl");
	out->name = name_of_url(out->url);
	if (!read_base64(json_object_get(key, "rawBytes"), storage, &spki))
		return malformed(err, "publicKey");
	if (!read_hash(json_object_get(json_object_get(v, "logId"), "keyId"),
		&out->log_id))
		return malformed(err, "logId");
	if (!read_period(json_object_get(key, "validFor"), &out->valid, err))
		return false;
	out->usable = public_key_parse(spki, &out->key, &unknown) &&
	    details_match(json_text(json_object_get(key, "keyDetails")),
		out->key.algorithm) &&
	    bytes_equal(json_text(json_object_get(v, "hashAlgorithm")),
		BYTES_LIT("SHA2_256"));
	return true;
}

static bool
read_authority(const json_t *v, struct buf *storage,
    struct trust_authority *out, struct error *err)
{
	const json_t *chain =
	    json_object_get(json_object_get(v, "certChain"), "certificates");
	size_t n = json_array_size(chain);

	if (!read_text(json_object_get(v, "uri"), storage, &out->uri))
		return malformed(err, "uri");
	if (n == 0)
		return malformed(err, "certChain");
	if (n > TRUST_ROOT_MAX_CERTIFICATES)
		return error_set(err, ERR_LIMIT,
		    "trusted root: an authority with %zu certificates; at most "
		    "%d can be",
		    n, TRUST_ROOT_MAX_CERTIFICATES);
	for (size_t i = 0; i < n; i++)
		if (!read_base64(
			json_object_get(json_array_get(chain, i), "rawBytes"),
			storage, &out->certificates[i]))
			return malformed(err, "certChain");
	out->certificate_count = n;
	return read_period(json_object_get(v, "validFor"), &out->valid, err);
}

/* A list that may be absent; `*count` is how many there are. */
static bool
list_size(const json_t *list, const char *name, size_t max, size_t *count,
    struct error *err)
{
	*count = 0;
	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list))
		return malformed(err, name);
	if (json_array_size(list) > max)
		return error_set(err, ERR_LIMIT,
		    "trusted root: %zu in \"%s\"; at most %zu can be",
		    json_array_size(list), name, max);
	*count = json_array_size(list);
	return true;
}

static bool
read_logs(const json_t *root, const char *name, struct buf *storage,
    struct trust_log out[TRUST_ROOT_MAX_LOGS], size_t *count, struct error *err)
{
	const json_t *list = json_object_get(root, name);

	if (!list_size(list, name, TRUST_ROOT_MAX_LOGS, count, err))
		return false;
	for (size_t i = 0; i < *count; i++)
		if (!read_log(json_array_get(list, i), storage, &out[i], err))
			return false;
	return true;
}

static bool
read_authorities(const json_t *root, const char *name, struct buf *storage,
    struct trust_authority out[TRUST_ROOT_MAX_AUTHORITIES], size_t *count,
    struct error *err)
{
	const json_t *list = json_object_get(root, name);

	if (!list_size(list, name, TRUST_ROOT_MAX_AUTHORITIES, count, err))
		return false;
	for (size_t i = 0; i < *count; i++)
		if (!read_authority(
			json_array_get(list, i), storage, &out[i], err))
			return false;
	return true;
}

bool
trust_root_parse(struct bytes json, struct trust_root *out, struct error *err)
{
	AUTO_PTR(json_t) root = NULL;
	struct buf *s = &out->storage;

	*out = (struct trust_root){.storage = BUF_INIT(TRUST_ROOT_MAX_LEN)};
	if (!json_parse(json, TRUST_ROOT_MAX_LEN, &root, err))
		return error_prefix(err, "trusted root");
	if (!media_type_check(root, err))
		return false;
	/* Decoded is never longer: the views do not move. */
	if (!buf_reserve(s, json.len))
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (read_logs(root, "tlogs", s, out->logs, &out->log_count, err) &&
	    read_logs(
		root, "ctlogs", s, out->ct_logs, &out->ct_log_count, err) &&
	    read_authorities(root, "certificateAuthorities", s, out->cas,
		&out->ca_count, err) &&
	    read_authorities(root, "timestampAuthorities", s, out->tsas,
		&out->tsa_count, err) &&
	    buf_ok(s, err))
		return true;
	trust_root_release(out);
	return false;
}

void
trust_root_release(struct trust_root *r)
{
	buf_release(&r->storage);
	r->log_count = r->ct_log_count = r->ca_count = r->tsa_count = 0;
}

bool
trust_log_vkey(const struct trust_log *log, struct vkey *out, struct error *err)
{
	enum key_algorithm kind = log->key.algorithm;

	if (log->usable && kind == KEY_ED25519)
		return vkey_init(
		    out, log->name, NOTE_ED25519, log->key.raw, err);
	if (log->usable && (kind == KEY_ECDSA_P256 || kind == KEY_ECDSA_P384))
		return vkey_init(
		    out, log->name, NOTE_ECDSA, log->key.spki, err);
	return error_reason(err, ERR_DENIED, "unknown-log",
	    "the log %.*s has a key that signs no checkpoints",
	    (int)log->name.len, (const char *)log->name.ptr);
}
