/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/entry.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"

/*
 * Requests are protojson (protobuf.dev/programming-guides/json) of rekor-tiles'
 * CreateEntryRequest. What that allows in spelling is allowed here; what it
 * means is checked strictly.
 */
#define NAME_SHOWN_MAX 64
#define PATH_MAX_LEN   200
#define PAE_MAX	       (ENTRY_REQUEST_MAX + ENTRY_DSSE_TYPE_MAX + 64)

/* A field of a message: its name in JSON and in the .proto file. */
struct field {
	const char *camel;
	const char *snake;
};

/*
 * Where a value stands, for messages: a chain up to the request. `name` is the
 * submitter's spelling and borrows from the JSON; NULL is the whole request.
 */
struct place {
	const struct place *parent;
	const char *name;
	bool first; /* element 0 of the array of that name */
};

/* A field as found: `json` is NULL where it is absent or null. */
struct found {
	const json_t *json;
	struct place place;
};

/* "a.b[0].c" */
static void
put_path(const struct place *at, struct buf *out)
{
	if (at->parent && at->parent->name) {
		put_path(at->parent, out);
		buf_put_u8(out, '.');
	}
	if (at->name)
		buf_put_str(out, at->name);
	if (at->first)
		buf_put_str(out, "[0]");
}

/* Refuses the value at `at`, of which `what` is said. */
static bool
refuse(const struct place *at, const char *reason, const char *what,
    struct error *err)
{
	AUTO(buf) path = BUF_INIT(PATH_MAX_LEN);

	put_path(at, &path);
	return error_reason(err, ERR_SYNTAX, reason, "%.*s%s%s", (int)path.len,
	    path.ptr ? (const char *)path.ptr : "", path.len ? " " : "", what);
}

/* Says where, before what a parser has said about the value at `at`. */
static bool
locate(const struct place *at, struct error *err)
{
	AUTO(buf) path = BUF_INIT(PATH_MAX_LEN);

	put_path(at, &path);
	return error_prefix(
	    err, "%.*s", (int)path.len, path.ptr ? (const char *)path.ptr : "");
}

/* Cuts a name of the submitter's for a message, between characters. */
static int
shown_len(const char *name)
{
	size_t n = strlen(name);

	if (n <= NAME_SHOWN_MAX)
		return (int)n;
	n = NAME_SHOWN_MAX;
	while (n > 0 && ((uint8_t)name[n] & 0xc0) == 0x80)
		n--;
	return (int)n;
}

static bool
refuse_named(const struct place *at, const char *reason, const char *name,
    const char *what, struct error *err)
{
	AUTO(buf) path = BUF_INIT(PATH_MAX_LEN);

	put_path(at, &path);
	return error_reason(err, ERR_SYNTAX, reason, "%.*s%s\"%.*s\" %s",
	    (int)path.len, path.ptr ? (const char *)path.ptr : "",
	    path.len ? ": " : "", shown_len(name), name, what);
}

/* True if the submitter spells with underscores, as far as one can tell. */
static bool
spells_snake(const struct place *at)
{
	for (; at; at = at->parent)
		if (at->name && strchr(at->name, '_'))
			return true;
	return false;
}

static bool
missing(const struct place *at, struct error *err)
{
	return refuse(at, "missing-field", "is missing or empty", err);
}

/*
 * Reads the object at `at`: every member must be one of the `n` fields, in one
 * of its two spellings; out[i] is field i.
 */
static bool
read_object(const struct found *from, const struct field *fields, size_t n,
    struct found *out, struct error *err)
{
	bool snake = spells_snake(&from->place);
	const char *name;
	json_t *value;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct found){.place = {.parent = &from->place}};
	if (!json_is_object(from->json))
		return refuse(
		    &from->place, "field-type", "is not a JSON object", err);
	/* jansson iterates over const objects through a non-const pointer. */
	json_object_foreach((json_t *)(uintptr_t)from->json, name, value)
	{
		size_t i = 0;

		while (i < n && strcmp(name, fields[i].camel) != 0 &&
		    strcmp(name, fields[i].snake) != 0)
			i++;
		if (i == n)
			return refuse_named(&from->place, "unknown-field", name,
			    "is no field of this request", err);
		if (out[i].place.name)
			return refuse_named(&from->place, "duplicate-field",
			    name, "is given twice, in both spellings", err);
		out[i].place.name = name;
		out[i].json = json_is_null(value) ? NULL : value;
	}
	for (size_t i = 0; i < n; i++)
		if (!out[i].place.name)
			out[i].place.name =
			    snake ? fields[i].snake : fields[i].camel;
	return true;
}

/* The text of a string field; absent and empty are the same, and refused. */
static bool
read_string(const struct found *from, struct bytes *out, struct error *err)
{
	if (!from->json)
		return missing(&from->place, err);
	if (!json_is_string(from->json))
		return refuse(
		    &from->place, "field-type", "is not a JSON string", err);
	*out = json_text(from->json);
	if (out->len == 0)
		return missing(&from->place, err);
	return true;
}

/* The contents of a `bytes` field. */
static bool
read_bytes(const struct found *from, struct buf *out, struct error *err)
{
	struct bytes text = {0};

	if (!read_string(from, &text, err))
		return false;
	/* So that a failure below can only be the text's. */
	if (!buf_reserve(out, text.len))
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!base64_decode_lenient(text, out))
		return refuse(&from->place, "bad-base64",
		    "is not base64 (standard or URL-safe)", err);
	if (out->len == 0)
		return missing(&from->place, err);
	return true;
}

/* The only element of a repeated field; none or `null` is missing. */
static bool
read_single(const struct found *from, const char *reason, struct found *out,
    struct error *err)
{
	if (!from->json)
		return missing(&from->place, err);
	if (!json_is_array(from->json))
		return refuse(
		    &from->place, "field-type", "is not a JSON array", err);
	if (json_array_size(from->json) == 0)
		return missing(&from->place, err);
	if (json_array_size(from->json) > 1)
		return refuse(&from->place, reason,
		    "has more than one element; one signature by one key is "
		    "logged",
		    err);
	*out = (struct found){
	    .json = json_array_get(from->json, 0),
	    .place = from->place,
	};
	out->place.first = true;
	return true;
}

/* PublicKeyDetails by number (sigstore_common.proto). */
static const enum key_algorithm details_numbers[] = {
    [5] = KEY_ECDSA_P256,
    [8] = KEY_ED25519,
    [9] = KEY_RSA_2048,
    [10] = KEY_RSA_3072,
    [11] = KEY_RSA_4096,
    [12] = KEY_ECDSA_P384,
    [13] = KEY_ECDSA_P521,
};

#define NUMBERS (sizeof(details_numbers) / sizeof(details_numbers[0]))

static bool
find_details(const json_t *json, enum key_algorithm *out)
{
	double number;

	if (json_is_string(json))
		return entry_key_details_find(json_text(json), out);
	/* protojson also reads 5.0 and 5e0 as 5. */
	number = json_number_value(json);
	for (size_t i = 0; i < NUMBERS; i++) {
		if (details_numbers[i] && number >= (double)i &&
		    number <= (double)i) {
			*out = details_numbers[i];
			return true;
		}
	}
	return false;
}

static bool
read_details(
    const struct found *from, enum key_algorithm *out, struct error *err)
{
	if (!from->json ||
	    (json_is_string(from->json) && json_string_length(from->json) == 0))
		return missing(&from->place, err);
	if (!json_is_string(from->json) && !json_is_number(from->json))
		return refuse(&from->place, "field-type",
		    "is neither the name nor the number of a kind of key", err);
	if (!find_details(from->json, out))
		return refuse(&from->place, "key-details-unknown",
		    "is not one of PKIX_ECDSA_P256_SHA_256, "
		    "PKIX_ECDSA_P384_SHA_384, PKIX_ECDSA_P521_SHA_512, "
		    "PKIX_ED25519_PH, PKIX_RSA_PKCS1V15_2048_SHA256, "
		    "_3072_SHA256 or _4096_SHA256",
		    err);
	return true;
}

/* A verifier: the DER of a key or certificate, checked against keyDetails. */
struct verifier {
	struct buf der;
	bool is_certificate;
	struct public_key key; /* into `der` */
};

static void
verifier_release(struct verifier *v)
{
	buf_release(&v->der);
	*v = (struct verifier){0};
}

static bool
parse_key(const struct place *at, struct verifier *v, struct error *err)
{
	struct bytes der = buf_bytes(&v->der);

	if (bytes_starts(der, BYTES_LIT("-----BEGIN")))
		return refuse(at,
		    v->is_certificate ? "certificate-form" : "key-form",
		    "is PEM; send the DER inside it", err);
	if (v->is_certificate) {
		if (certificate_key_parse(der, &v->key, err))
			return true;
		err->reason = "certificate-form";
	} else {
		if (public_key_parse(der, &v->key, err))
			return true;
		err->reason = "key-form";
	}
	return locate(at, err);
}

static bool
read_verifier(const struct found *from, struct verifier *out, struct error *err)
{
	enum { KEY, CERTIFICATE, DETAILS, COUNT };
	static const struct field fields[COUNT] = {
	    [KEY] = {"publicKey", "public_key"},
	    [CERTIFICATE] = {"x509Certificate", "x509_certificate"},
	    [DETAILS] = {"keyDetails", "key_details"},
	};
	static const struct field raw_bytes = {"rawBytes", "raw_bytes"};
	struct found found[COUNT] = {0}, raw = {0};
	const struct found *key;
	enum key_algorithm details = KEY_ECDSA_P256;

	if (!from->json)
		return missing(&from->place, err);
	if (!read_object(from, fields, COUNT, found, err))
		return false;
	if (found[KEY].json && found[CERTIFICATE].json)
		return refuse(&from->place, "conflicting-fields",
		    "has both a public key and a certificate", err);
	out->is_certificate = found[CERTIFICATE].json != NULL;
	key = &found[out->is_certificate ? CERTIFICATE : KEY];
	if (!key->json)
		return refuse(&from->place, "missing-field",
		    "has neither a public key nor a certificate", err);
	if (!read_object(key, &raw_bytes, 1, &raw, err) ||
	    !read_bytes(&raw, &out->der, err) ||
	    !read_details(&found[DETAILS], &details, err) ||
	    !parse_key(&raw.place, out, err))
		return false;
	if (details != out->key.algorithm) {
		(void)error_reason(err, ERR_SYNTAX, "key-details-mismatch",
		    "says %s, but the key is %s (%s)",
		    entry_key_details(details),
		    key_algorithm_name(out->key.algorithm),
		    entry_key_details(out->key.algorithm));
		return locate(&found[DETAILS].place, err);
	}
	return true;
}

/* The end of both kinds of request. `signature_at` and `digest_at` say whose
 * fields are wrong if they are. */
static bool
make_entry(const struct verifier *v, struct bytes digest,
    const struct place *digest_at, struct bytes signature,
    const struct place *signature_at, struct entry *out, struct error *err)
{
	if (!key_signature_check(v->key.algorithm, signature, err)) {
		err->reason = "signature-form";
		return locate(signature_at, err);
	}
	if (!entry_fill(out, digest, signature, buf_bytes(&v->der),
		v->is_certificate, err))
		return locate(digest_at, err);
	return true;
}

static bool
read_hashedrekord(
    const struct found *from, struct entry *out, struct error *err)
{
	enum { DIGEST, SIGNATURE, COUNT };
	static const struct field fields[COUNT] = {
	    [DIGEST] = {"digest", "digest"},
	    [SIGNATURE] = {"signature", "signature"},
	};
	enum { CONTENT, VERIFIER, INNER };
	static const struct field inner_fields[INNER] = {
	    [CONTENT] = {"content", "content"},
	    [VERIFIER] = {"verifier", "verifier"},
	};
	struct found found[COUNT] = {0}, inner[INNER] = {0};
	AUTO(buf) digest = BUF_INIT(ENTRY_REQUEST_MAX);
	AUTO(buf) content = BUF_INIT(ENTRY_REQUEST_MAX);
	AUTO(verifier) v = {.der = BUF_INIT(ENTRY_REQUEST_MAX)};

	if (!read_object(from, fields, COUNT, found, err) ||
	    !read_bytes(&found[DIGEST], &digest, err))
		return false;
	if (!found[SIGNATURE].json)
		return missing(&found[SIGNATURE].place, err);
	if (!read_object(&found[SIGNATURE], inner_fields, INNER, inner, err) ||
	    !read_bytes(&inner[CONTENT], &content, err) ||
	    !read_verifier(&inner[VERIFIER], &v, err))
		return false;
	return make_entry(&v, buf_bytes(&digest), &found[DIGEST].place,
	    buf_bytes(&content), &inner[CONTENT].place, out, err);
}

/* What DSSE signs: the digest of "DSSEv1 len type len payload" (its PAE). */
static bool
pae_digest(enum digest_algorithm alg, struct bytes type, struct bytes payload,
    uint8_t out[DIGEST_MAX_LEN], struct error *err)
{
	AUTO(buf) pae = BUF_INIT(PAE_MAX);

	buf_put_str(&pae, "DSSEv1 ");
	buf_put_decimal(&pae, type.len);
	buf_put_u8(&pae, ' ');
	buf_put(&pae, type);
	buf_put_u8(&pae, ' ');
	buf_put_decimal(&pae, payload.len);
	buf_put_u8(&pae, ' ');
	buf_put(&pae, payload);
	if (pae.failed)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return digest_compute(alg, buf_bytes(&pae), out, err);
}

/* A DSSE envelope (io.intoto.Envelope) of one signature, decoded. */
struct envelope {
	struct buf payload;
	struct buf signature;
	struct bytes type; /* into the JSON */
};

static void
envelope_release(struct envelope *e)
{
	buf_release(&e->payload);
	buf_release(&e->signature);
	*e = (struct envelope){0};
}

static bool
read_envelope(const struct found *from, struct envelope *out, struct error *err)
{
	/* Its .proto file spells payloadType and keyid like this. */
	enum { PAYLOAD, TYPE, SIGNATURES, COUNT };
	static const struct field fields[COUNT] = {
	    [PAYLOAD] = {"payload", "payload"},
	    [TYPE] = {"payloadType", "payloadType"},
	    [SIGNATURES] = {"signatures", "signatures"},
	};
	enum { SIG, KEYID, INNER };
	static const struct field inner_fields[INNER] = {
	    [SIG] = {"sig", "sig"},
	    [KEYID] = {"keyid", "keyid"},
	};
	struct found found[COUNT] = {0}, single = {0}, inner[INNER] = {0};

	if (!from->json)
		return missing(&from->place, err);
	if (!read_object(from, fields, COUNT, found, err) ||
	    !read_bytes(&found[PAYLOAD], &out->payload, err) ||
	    !read_string(&found[TYPE], &out->type, err))
		return false;
	if (out->type.len > ENTRY_DSSE_TYPE_MAX)
		return refuse(&found[TYPE].place, "payload-type",
		    "is longer than 255 bytes", err);
	if (!read_single(
		&found[SIGNATURES], "too-many-signatures", &single, err) ||
	    !read_object(&single, inner_fields, INNER, inner, err) ||
	    !read_bytes(&inner[SIG], &out->signature, err))
		return false;
	if (inner[KEYID].json && !json_is_string(inner[KEYID].json))
		return refuse(&inner[KEYID].place, "field-type",
		    "is not a JSON string", err);
	return true;
}

static bool
read_dsse(const struct found *from, struct entry *out, struct buf *type,
    struct buf *payload, struct error *err)
{
	enum { ENVELOPE, VERIFIERS, COUNT };
	static const struct field fields[COUNT] = {
	    [ENVELOPE] = {"envelope", "envelope"},
	    [VERIFIERS] = {"verifiers", "verifiers"},
	};
	struct found found[COUNT] = {0}, single = {0};
	AUTO(envelope)
	envelope = {
	    .payload = BUF_INIT(ENTRY_REQUEST_MAX),
	    .signature = BUF_INIT(ENTRY_REQUEST_MAX),
	};
	AUTO(verifier) v = {.der = BUF_INIT(ENTRY_REQUEST_MAX)};
	uint8_t digest[DIGEST_MAX_LEN];
	enum digest_algorithm alg;

	if (!read_object(from, fields, COUNT, found, err) ||
	    !read_envelope(&found[ENVELOPE], &envelope, err) ||
	    !read_single(
		&found[VERIFIERS], "too-many-verifiers", &single, err) ||
	    !read_verifier(&single, &v, err))
		return false;
	alg = key_digest_algorithm(v.key.algorithm);
	if (!pae_digest(
		alg, envelope.type, buf_bytes(&envelope.payload), digest, err))
		return false;
	if (!make_entry(&v, bytes_of(digest, digest_len(alg)),
		&found[ENVELOPE].place, buf_bytes(&envelope.signature),
		&found[ENVELOPE].place, out, err))
		return false;
	if (!type)
		return true;
	buf_put(type, envelope.type);
	if (!buf_ok(type, err)) {
		entry_release(out);
		return false;
	}
	buf_release(payload);
	*payload = envelope.payload;
	envelope.payload = (struct buf){0}; /* transferred */
	return true;
}

/* The parser may quote the submission, wherever it is cut and whatever its
 * bytes are; the answer must be UTF-8 all the same. */
static bool
refuse_json(const struct error *why, struct error *err)
{
	if (why->code == ERR_LIMIT)
		return error_reason(
		    err, ERR_LIMIT, "too-large", "%s", why->text);
	return error_reason(err, why->code, "bad-json", "%s",
	    utf8_valid(bytes_str(why->text)) ? why->text : "not valid JSON");
}

bool
entry_request_parse(struct bytes json, struct entry *out, struct error *err)
{
	return entry_request_parse_whole(json, out, NULL, NULL, err);
}

bool
entry_request_parse_whole(struct bytes json, struct entry *out,
    struct buf *type, struct buf *payload, struct error *err)
{
	enum { HASHEDREKORD, DSSE, COUNT };
	static const struct field fields[COUNT] = {
	    [HASHEDREKORD] = {"hashedRekordRequestV002",
		"hashed_rekord_request_v002"},
	    [DSSE] = {"dsseRequestV002", "dsse_request_v002"},
	};
	AUTO_PTR(json_t) value = NULL;
	struct found request = {0}, found[COUNT] = {0};
	struct error why = {0};

	if (!json_parse(json, ENTRY_REQUEST_MAX, &value, &why))
		return refuse_json(&why, err);
	request.json = value;
	if (!json_is_object(value))
		return error_reason(err, ERR_SYNTAX, "field-type",
		    "a submission is a JSON object");
	if (!read_object(&request, fields, COUNT, found, err))
		return false;
	if (found[HASHEDREKORD].json && found[DSSE].json)
		return error_reason(err, ERR_SYNTAX, "conflicting-fields",
		    "a submission has one request, not both %s and %s",
		    found[HASHEDREKORD].place.name, found[DSSE].place.name);
	if (found[HASHEDREKORD].json)
		return read_hashedrekord(&found[HASHEDREKORD], out, err);
	if (found[DSSE].json)
		return read_dsse(&found[DSSE], out, type, payload, err);
	return error_reason(err, ERR_SYNTAX, "missing-field",
	    "a submission has a hashedRekordRequestV002 (or, from older "
	    "clients, a dsseRequestV002)");
}
