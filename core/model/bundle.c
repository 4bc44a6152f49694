/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/bundle.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/json_reader.h"
#include "core/model/entry.h"

#define MATERIAL_ITEM_MAX (1u << 20) /* bytes of a log entry or token */
#define HINT_MAX	  1000	     /* bytes */

/* What is there is remembered apart from what it is, since proto JSON has three
 * ways to leave something out. */
struct parse {
	struct json_reader r;
	struct bundle *b;
	bool has_media_type, has_material, has_envelope;
};

static bool
bad(struct parse *p, const char *text)
{
	return json_reader_fail(&p->r, text);
}

/* The version that a media type names; 0: none that we read. */
static unsigned
version_of(struct bytes type)
{
	static const struct {
		const char *text;
		unsigned version;
	} types[] = {
	    {"application/vnd.dev.sigstore.bundle.v0.3+json", 3},
	    {"application/vnd.dev.sigstore.bundle+json;version=0.1", 1},
	    {"application/vnd.dev.sigstore.bundle+json;version=0.2", 2},
	    {"application/vnd.dev.sigstore.bundle+json;version=0.3", 3},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (bytes_equal(type, bytes_str(types[i].text)))
			return types[i].version;
	return 0;
}

static bool
media_type(struct parse *p)
{
	struct bytes text;

	if (!json_reader_string(&p->r, &text))
		return false;
	p->b->version = version_of(text);
	p->has_media_type = true;
	return p->b->version > 0 ||
	    bad(p,
		"the mediaType is not that of a Sigstore bundle that we "
		"read (v0.1 to v0.3)");
}

/* Base64 of either alphabet, at most `limit` bytes of it, into the arena. */
static bool
base64(struct parse *p, const char *what, size_t limit, struct bytes *out)
{
	struct bytes text;
	struct buf raw;
	uint8_t *place;
	size_t room;

	if (!json_reader_string(&p->r, &text))
		return false;
	room = text.len / 4 * 3 + 3;
	if (room > limit)
		room = limit;
	if (text.len > BASE64_LEN(limit))
		return error_set(p->r.err, ERR_LIMIT,
		    "%s is larger than %zu bytes", what, limit);
	place = arena_alloc(&p->b->storage, room, 1, p->r.err);
	if (!place)
		return false;
	/* A buffer that stands in the arena: filled, and never grown. */
	raw = (struct buf){.ptr = place, .cap = room, .limit = room};
	if (!base64_decode_lenient(text, &raw))
		return raw.failed
		    ? error_set(p->r.err, ERR_LIMIT,
			  "%s is larger than %zu bytes", what, limit)
		    : error_set(p->r.err, ERR_SYNTAX, "%s is not base64", what);
	*out = buf_bytes(&raw);
	return true;
}

static bool
copy(struct parse *p, struct bytes in, struct bytes *out)
{
	return arena_dup(&p->b->storage, in, out, p->r.err);
}

/* Copies well-formed JSON without the space between its words. */
static bool
copy_compact(struct parse *p, struct bytes in, struct bytes *out)
{
	uint8_t *place = arena_alloc(&p->b->storage, in.len, 1, p->r.err);
	bool inside = false;
	size_t n = 0;

	if (!place)
		return false;
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (!inside && (c == ' ' || (c >= '\t' && c <= '\r')))
			continue;
		place[n++] = c;
		if (c == '"')
			inside = !inside;
		else if (c == '\\')
			place[n++] = in.ptr[++i];
	}
	*out = bytes_of(place, n);
	return true;
}

static bool
stands_before(const struct bytes *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(list[i], list[count]))
			return true;
	return false;
}

/* publicKey: what it holds beside the hint is never used (older releases put
 * the key itself there). */
static bool
public_key(struct parse *p)
{
	struct json_object o;
	struct bytes name, hint;
	bool ok = json_object_open(&p->r, &o);

	p->b->material = BUNDLE_KEY;
	while (ok && json_object_next(&p->r, &o, &name)) {
		if (!bytes_equal(name, BYTES_LIT("hint"))) {
			ok = json_reader_skip(&p->r);
			continue;
		}
		if (json_reader_null(&p->r))
			continue;
		ok = json_reader_string(&p->r, &hint) &&
		    (hint.len <= HINT_MAX ||
			bad(p, "the key's hint is too long")) &&
		    copy(p, hint, &p->b->hint);
	}
	return ok && json_reader_ok(&p->r);
}

static bool
one_certificate(struct parse *p)
{
	struct json_object o;
	struct bytes name, der = {0};
	bool ok = json_object_open(&p->r, &o);

	while (ok && json_object_next(&p->r, &o, &name))
		ok = bytes_equal(name, BYTES_LIT("rawBytes"))
		    ? base64(p, "a certificate", CERTIFICATE_MAX_LEN, &der)
		    : json_reader_skip(&p->r);
	if (!ok || !json_reader_ok(&p->r))
		return false;
	if (der.len == 0)
		return bad(p, "a certificate is empty");
	if (p->b->certificate_count == BUNDLE_MAX_CERTIFICATES)
		return error_set(p->r.err, ERR_LIMIT,
		    "more than %d certificates", BUNDLE_MAX_CERTIFICATES);
	p->b->certificates[p->b->certificate_count++] = der;
	return true;
}

static bool
chain(struct parse *p)
{
	struct json_object o;
	struct json_array a;
	struct bytes name;
	bool ok = json_object_open(&p->r, &o);

	p->b->material = BUNDLE_CHAIN;
	while (ok && json_object_next(&p->r, &o, &name)) {
		if (!bytes_equal(name, BYTES_LIT("certificates"))) {
			ok = json_reader_skip(&p->r);
			continue;
		}
		ok = json_array_open(&p->r, &a);
		while (ok && json_array_next(&p->r, &a))
			ok = one_certificate(p);
	}
	if (!ok || !json_reader_ok(&p->r))
		return false;
	return p->b->certificate_count > 0 ||
	    bad(p, "the certificate chain is empty");
}

/* An entry is somebody else's format: its text is kept. */
static bool
one_entry(struct parse *p)
{
	struct bundle *b = p->b;
	struct bytes raw;

	if (b->entry_count == BUNDLE_MAX_ENTRIES)
		return error_set(p->r.err, ERR_LIMIT,
		    "more than %d log entries", BUNDLE_MAX_ENTRIES);
	if (json_reader_next(&p->r) != '{')
		return bad(p, "a log entry is no object");
	if (!json_reader_raw(&p->r, &raw))
		return false;
	if (raw.len > MATERIAL_ITEM_MAX)
		return error_set(
		    p->r.err, ERR_LIMIT, "a log entry is too large");
	if (!copy_compact(p, raw, &b->entries[b->entry_count]))
		return false;
	if (stands_before(b->entries, b->entry_count++))
		return bad(p, "the same log entry stands there twice");
	return true;
}

static bool
entries(struct parse *p)
{
	struct json_array a;
	bool ok = json_array_open(&p->r, &a);

	while (ok && json_array_next(&p->r, &a))
		ok = one_entry(p);
	return ok && json_reader_ok(&p->r);
}

static bool
one_timestamp(struct parse *p)
{
	struct json_object o;
	struct bytes name, token = {0};
	bool ok = json_object_open(&p->r, &o);

	while (ok && json_object_next(&p->r, &o, &name))
		ok = bytes_equal(name, BYTES_LIT("signedTimestamp"))
		    ? base64(p, "a time-stamp", MATERIAL_ITEM_MAX, &token)
		    : json_reader_skip(&p->r);
	if (!ok || !json_reader_ok(&p->r))
		return false;
	if (token.len == 0)
		return bad(p, "a time-stamp is empty");
	if (p->b->timestamp_count == BUNDLE_MAX_TIMESTAMPS)
		return error_set(p->r.err, ERR_LIMIT,
		    "more than %d time-stamps", BUNDLE_MAX_TIMESTAMPS);
	p->b->timestamps[p->b->timestamp_count] = token;
	if (stands_before(p->b->timestamps, p->b->timestamp_count++))
		return bad(p, "the same time-stamp stands there twice");
	return true;
}

static bool
timestamps(struct parse *p)
{
	struct json_object o;
	struct json_array a;
	struct bytes name;
	bool ok = json_object_open(&p->r, &o);

	while (ok && json_object_next(&p->r, &o, &name)) {
		if (!bytes_equal(name, BYTES_LIT("rfc3161Timestamps"))) {
			ok = json_reader_skip(&p->r);
			continue;
		}
		if (json_reader_null(&p->r))
			continue;
		ok = json_array_open(&p->r, &a);
		while (ok && json_array_next(&p->r, &a))
			ok = one_timestamp(p);
	}
	return ok && json_reader_ok(&p->r);
}

static bool
certificate_alone(struct parse *p)
{
	p->b->material = BUNDLE_CERTIFICATE;
	return one_certificate(p);
}

/* The members of verificationMaterial; `material`: at most one of these. */
static const struct {
	const char *name;
	bool material;
	bool (*read)(struct parse *p);
} materials[] = {
    {"publicKey", true, public_key},
    {"x509CertificateChain", true, chain},
    {"certificate", true, certificate_alone},
    {"tlogEntries", false, entries},
    {"timestampVerificationData", false, timestamps},
};

static bool
material_member(struct parse *p, struct bytes name, unsigned *kinds)
{
	for (size_t i = 0; i < sizeof(materials) / sizeof(materials[0]); i++) {
		if (!bytes_equal(name, bytes_str(materials[i].name)))
			continue;
		if (json_reader_null(&p->r))
			return true;
		if (materials[i].material && (*kinds)++ > 0)
			return bad(p,
			    "the bundle has more than one kind of "
			    "verification material");
		return materials[i].read(p);
	}
	return json_reader_skip(&p->r);
}

static bool
material(struct parse *p)
{
	struct json_object o;
	struct bytes name;
	unsigned kinds = 0;
	bool ok = json_object_open(&p->r, &o);

	p->has_material = true;
	while (ok && json_object_next(&p->r, &o, &name))
		ok = material_member(p, name, &kinds);
	if (!ok || !json_reader_ok(&p->r))
		return false;
	return kinds == 1 ||
	    bad(p, "the bundle has neither public key nor certificate");
}

/* `keyid` may be absent, null or a string, and means nothing. */
static bool
one_signature(struct parse *p)
{
	struct envelope *e = &p->b->envelope;
	struct json_object o;
	struct bytes name;
	bool ok = json_object_open(&p->r, &o);

	while (ok && json_object_next(&p->r, &o, &name))
		ok = bytes_equal(name, BYTES_LIT("sig"))
		    ? base64(
			  p, "the signature", SIGNATURE_MAX_LEN, &e->signature)
		    : json_reader_skip(&p->r);
	if (!ok || !json_reader_ok(&p->r))
		return false;
	return e->signature.len > 0 || bad(p, "the signature is empty");
}

static bool
signatures(struct parse *p)
{
	struct json_array a;
	unsigned n = 0;
	bool ok = json_array_open(&p->r, &a);

	while (ok && json_array_next(&p->r, &a)) {
		if (n++ > 0)
			return bad(p,
			    "the envelope has more than one signature, and one "
			    "is what a bundle has");
		ok = one_signature(p);
	}
	if (!ok || !json_reader_ok(&p->r))
		return false;
	return n == 1 || bad(p, "the envelope has no signature");
}

static bool
envelope(struct parse *p)
{
	struct envelope *e = &p->b->envelope;
	struct json_object o;
	struct bytes name, type = {0};
	bool payload = false, ok = json_object_open(&p->r, &o);

	p->has_envelope = true;
	while (ok && json_object_next(&p->r, &o, &name)) {
		if (bytes_equal(name, BYTES_LIT("payload")))
			payload = ok = base64(p, "the payload",
			    BUNDLE_MAX_LEN / 4 * 3, &e->payload);
		else if (bytes_equal(name, BYTES_LIT("payloadType")))
			ok = json_reader_string(&p->r, &type) &&
			    copy(p, type, &e->payload_type);
		else if (bytes_equal(name, BYTES_LIT("signatures")))
			ok = signatures(p);
		else
			ok = json_reader_skip(&p->r);
	}
	if (!ok || !json_reader_ok(&p->r))
		return false;
	if (!payload || e->payload_type.len == 0 || e->signature.len == 0)
		return bad(p,
		    "the envelope needs payload, payloadType and signatures");
	return e->payload_type.len <= ENTRY_DSSE_TYPE_MAX ||
	    bad(p, "the envelope's payloadType is too long");
}

static bool
top_member(struct parse *p, struct bytes name)
{
	if (bytes_equal(name, BYTES_LIT("mediaType")))
		return media_type(p);
	if (bytes_equal(name, BYTES_LIT("verificationMaterial")))
		return material(p);
	if (bytes_equal(name, BYTES_LIT("dsseEnvelope")))
		return json_reader_null(&p->r) || envelope(p);
	if (bytes_equal(name, BYTES_LIT("messageSignature"))) {
		if (json_reader_null(&p->r))
			return true;
		return bad(p,
		    "the bundle signs a file's bytes (messageSignature), and a "
		    "model's signature is an envelope");
	}
	return json_reader_skip(&p->r);
}

static bool
top(struct parse *p)
{
	struct json_object o;
	struct bytes name;
	bool ok = json_object_open(&p->r, &o);

	while (ok && json_object_next(&p->r, &o, &name))
		ok = top_member(p, name);
	if (!ok || !json_reader_end(&p->r))
		return false;
	if (!p->has_media_type || !p->has_material || !p->has_envelope)
		return bad(p,
		    "a bundle needs mediaType, verificationMaterial and "
		    "dsseEnvelope");
	/* The other way round OMS goes its own way: chains in v0.3. */
	return p->b->version >= 3 || p->b->material != BUNDLE_CERTIFICATE ||
	    bad(p, "a single certificate is not of bundles before v0.3");
}

bool
bundle_parse(struct bytes json, struct bundle *out, struct error *err)
{
	struct parse p = {.b = out};
	struct error why = {0};

	*out = (struct bundle){.storage = ARENA_INIT(BUNDLE_MAX_LEN)};
	if (json.len > BUNDLE_MAX_LEN)
		return error_reason(err, ERR_LIMIT, "malformed-bundle",
		    "the bundle is larger than %u bytes", BUNDLE_MAX_LEN);
	json_reader_init(&p.r, json, &out->storage, &why);
	if (top(&p))
		return true;
	if (why.code != ERR_INTERNAL)
		why.reason = "malformed-bundle";
	(void)error_prefix(&why, "the bundle is malformed");
	if (err->code == ERR_NONE)
		*err = why;
	return false;
}

void
bundle_release(struct bundle *b)
{
	arena_release(&b->storage);
	*b = (struct bundle){0};
}

static void
put_base64(struct buf *out, struct bytes data)
{
	buf_put_u8(out, '"');
	base64_put(out, data);
	buf_put_u8(out, '"');
}

static void
format_material(const struct bundle *b, struct buf *out)
{
	if (b->material == BUNDLE_KEY) {
		buf_put_str(out, "\"publicKey\":{\"hint\":");
		json_put_string(out, b->hint);
		buf_put_u8(out, '}');
		return;
	}
	if (b->material == BUNDLE_CERTIFICATE) {
		buf_put_str(out, "\"certificate\":{\"rawBytes\":");
		put_base64(out, b->certificates[0]);
		buf_put_u8(out, '}');
		return;
	}
	buf_put_str(out, "\"x509CertificateChain\":{\"certificates\":[");
	for (size_t i = 0; i < b->certificate_count; i++) {
		buf_put_str(out, i > 0 ? ",{\"rawBytes\":" : "{\"rawBytes\":");
		put_base64(out, b->certificates[i]);
		buf_put_u8(out, '}');
	}
	buf_put_str(out, "]}");
}

static void
format_evidence(const struct bundle *b, struct buf *out)
{
	buf_put_str(out, ",\"tlogEntries\":[");
	for (size_t i = 0; i < b->entry_count; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		buf_put(out, b->entries[i]);
	}
	buf_put_u8(out, ']');
	if (b->timestamp_count == 0)
		return;
	buf_put_str(
	    out, ",\"timestampVerificationData\":{\"rfc3161Timestamps\":[");
	for (size_t i = 0; i < b->timestamp_count; i++) {
		buf_put_str(out,
		    i > 0 ? ",{\"signedTimestamp\":" : "{\"signedTimestamp\":");
		put_base64(out, b->timestamps[i]);
		buf_put_u8(out, '}');
	}
	buf_put_str(out, "]}");
}

void
bundle_format(const struct bundle *b, struct buf *out)
{
	buf_put_str(out,
	    "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
	    "\"verificationMaterial\":{");
	format_material(b, out);
	format_evidence(b, out);
	buf_put_str(out, "},\"dsseEnvelope\":{\"payload\":");
	put_base64(out, b->envelope.payload);
	buf_put_str(out, ",\"payloadType\":");
	json_put_string(out, b->envelope.payload_type);
	buf_put_str(out, ",\"signatures\":[{\"sig\":");
	put_base64(out, b->envelope.signature);
	buf_put_str(out, ",\"keyid\":\"\"}]}}");
}

bool
bundle_leaf(const struct bundle *b, struct bytes verifier, struct buf *out,
    struct error *err)
{
	bool is_certificate = b->material != BUNDLE_KEY;
	const struct envelope *e = &b->envelope;
	uint8_t digest[DIGEST_MAX_LEN];
	enum digest_algorithm alg;
	struct public_key key;
	AUTO(entry) entry = {0};

	if (!(is_certificate ? certificate_key_parse(verifier, &key, err)
			     : public_key_parse(verifier, &key, err)))
		return false;
	alg = key_digest_algorithm(key.algorithm);
	if (!dsse_digest(alg, e->payload_type, e->payload, digest, err) ||
	    !entry_fill(&entry, bytes_of(digest, digest_len(alg)), e->signature,
		verifier, is_certificate, err))
		return false;
	entry_format(&entry, out);
	return buf_ok(out, err);
}
