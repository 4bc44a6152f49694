/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/query.h"

#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "server/lookup.h"
#include "server/rule_text.h"

static bool
bad_parameter(struct error *err, const char *name, const char *want)
{
	return error_reason(
	    err, ERR_SYNTAX, "bad-parameter", "%s= %s", name, want);
}

/* What a value must be; raw values are kept as bytes. */
static bool
keep_text(struct buf *out, struct bytes value)
{
	buf_put(out, value);
	return value.len > 0 && utf8_valid(value);
}

static bool
keep_hash(struct buf *out, struct bytes value)
{
	uint8_t raw[HASH_LEN];
	bool ok = hex_decode(value, raw, sizeof(raw));

	buf_put(out, bytes_of(raw, ok ? sizeof(raw) : 0));
	return ok;
}

static bool
keep_digest(struct buf *out, struct bytes value)
{
	uint8_t raw[DIGEST_MAX_LEN];
	size_t n = value.len / 2;
	bool ok = (n == 32 || n == 48 || n == 64) && hex_decode(value, raw, n);

	buf_put(out, bytes_of(raw, ok ? n : 0));
	return ok;
}

static bool
keep_identity(struct buf *out, struct bytes value)
{
	enum certificate_name_kind kind;
	struct reader r = {value};
	struct bytes word;

	buf_put(out, value);
	return reader_until(&r, ':', &word) && rule_name_kind(word, &kind) &&
	    r.rest.len > 0;
}

#define WANT_HASH   "wants 64 lower-case hex digits"
#define WANT_DIGEST "wants 64, 96 or 128 lower-case hex digits"
#define WANT_TEXT   "wants a text"

static const struct {
	const char *name;
	bool (*keep)(struct buf *out, struct bytes value);
	const char *want;
} terms[QUERY_TERMS] = {
    [QUERY_MODEL] = {"model", keep_text, WANT_TEXT},
    [QUERY_VERSION] = {"version", keep_text, WANT_TEXT},
    [QUERY_ROOT] = {"root", keep_hash, WANT_HASH},
    [QUERY_FILE] = {"file", keep_digest, WANT_DIGEST},
    [QUERY_STATEMENT] = {"statement", keep_hash, WANT_HASH},
    [QUERY_SUBJECT] = {"subject", keep_hash, WANT_HASH},
    [QUERY_TYPE] = {"type", keep_text, WANT_TEXT},
    [QUERY_IDENTITY] = {"identity", keep_identity,
	"wants email:, uri:, dns: or other: and a name"},
    [QUERY_DIGEST] = {"digest", keep_digest, WANT_DIGEST},
    [QUERY_SIGNER] = {"signer", keep_hash,
	"wants the SHA-256 of a SubjectPublicKeyInfo in lower-case hex"},
};

static bool
read_after(struct query *q, struct bytes value, struct error *err)
{
	q->has_after = true;
	return decimal_parse(value, &q->after) ||
	    bad_parameter(err, "after", "wants an index in decimal digits");
}

static bool
read_order(struct query *q, struct bytes value, struct error *err)
{
	q->newest_first = bytes_equal(value, BYTES_LIT("newest"));
	return q->newest_first || bytes_equal(value, BYTES_LIT("oldest")) ||
	    bad_parameter(err, "order", "wants oldest or newest");
}

static bool
read_limit(struct query *q, struct bytes value, struct error *err)
{
	return (decimal_parse(value, &q->limit) && q->limit > 0 &&
		   q->limit <= QUERY_LIMIT_MAX) ||
	    bad_parameter(err, "limit", "wants a number from 1 to 100");
}

static bool
read_term(
    struct query *q, enum query_term t, struct bytes value, struct error *err)
{
	if (q->has[t])
		return bad_parameter(err, terms[t].name, "stands twice");
	q->has[t] = true;
	buf_init(&q->value[t], QUERY_VALUE_MAX);
	return (terms[t].keep(&q->value[t], value) && !q->value[t].failed) ||
	    bad_parameter(err, terms[t].name, terms[t].want);
}

static bool
read_parameter(
    struct query *q, struct bytes name, struct bytes value, struct error *err)
{
	for (unsigned t = 0; t < QUERY_TERMS; t++)
		if (bytes_equal(name, bytes_str(terms[t].name)))
			return read_term(q, (enum query_term)t, value, err);
	if (bytes_equal(name, BYTES_LIT("after")))
		return read_after(q, value, err);
	if (bytes_equal(name, BYTES_LIT("order")))
		return read_order(q, value, err);
	if (bytes_equal(name, BYTES_LIT("limit")))
		return read_limit(q, value, err);
	return error_reason(err, ERR_SYNTAX, "unknown-parameter",
	    "a search takes model=, version=, root=, file=, statement=, "
	    "subject=, type=, identity=, digest=, signer=, after=, order= and "
	    "limit=");
}

static bool
hex_digit(uint8_t c, uint8_t *out)
{
	if (c >= '0' && c <= '9')
		*out = (uint8_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*out = (uint8_t)(c - 'a' + 10);
	else if (c >= 'A' && c <= 'F')
		*out = (uint8_t)(c - 'A' + 10);
	else
		return false;
	return true;
}

/* Percent-decodes; no NUL can come out of it. */
static bool
decode(struct bytes in, struct buf *out)
{
	uint8_t high, low;

	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[i] != '%') {
			buf_put_u8(out, in.ptr[i]);
			continue;
		}
		if (in.len - i < 3 || !hex_digit(in.ptr[i + 1], &high) ||
		    !hex_digit(in.ptr[i + 2], &low) || (high | low) == 0)
			return false;
		buf_put_u8(out, (uint8_t)(high << 4 | low));
		i += 2;
	}
	return !out->failed;
}

static bool
read_pair(struct query *q, struct bytes pair, struct error *err)
{
	struct buf value = BUF_INIT(QUERY_VALUE_MAX);
	struct reader r = {pair};
	struct bytes name;
	bool ok;

	if (!reader_until(&r, '=', &name))
		return error_reason(err, ERR_SYNTAX, "bad-parameter",
		    "parameters are written name=value");
	ok = decode(r.rest, &value) ||
	    error_reason(err, ERR_SYNTAX, "bad-parameter",
		"a value is too long, or a percent sign in it is not followed "
		"by two hex digits");
	ok = ok && read_parameter(q, name, buf_bytes(&value), err);
	buf_release(&value);
	return ok;
}

bool
query_parse(struct bytes text, struct query *out, struct error *err)
{
	struct reader r = {text};

	*out = (struct query){.limit = QUERY_LIMIT_DEFAULT};
	while (!reader_done(&r)) {
		struct bytes pair = r.rest;

		if (!reader_until(&r, '&', &pair))
			r.rest = (struct bytes){0};
		if (!read_pair(out, pair, err))
			return false;
	}
	for (unsigned t = 0; t < QUERY_TERMS; t++)
		if (out->has[t])
			return true;
	return error_reason(err, ERR_SYNTAX, "missing-parameter",
	    "say what to search for: model=, signer=, digest= …");
}

void
query_release(struct query *q)
{
	for (unsigned t = 0; t < QUERY_TERMS; t++)
		buf_release(&q->value[t]);
}

bool
query_by_envelope(const struct query *q)
{
	for (unsigned t = 0; t < QUERY_DIGEST; t++)
		if (q->has[t])
			return true;
	return false;
}

static struct bytes
value(const struct query *q, enum query_term t)
{
	return q->has[t] ? buf_bytes(&q->value[t]) : (struct bytes){0};
}

/* The key of one term. */
static void
term_key(const struct query *q, enum query_term t, struct hasher *h,
    struct catalog_key *out)
{
	static const enum index_kind kinds[] = {
	    [QUERY_MODEL] = INDEX_MODEL,
	    [QUERY_VERSION] = INDEX_VERSION,
	    [QUERY_ROOT] = INDEX_ROOT,
	    [QUERY_FILE] = INDEX_FILE,
	    [QUERY_STATEMENT] = INDEX_STATEMENT,
	    [QUERY_SUBJECT] = INDEX_SUBJECT,
	    [QUERY_TYPE] = INDEX_TYPE,
	    [QUERY_IDENTITY] = INDEX_IDENTITY,
	};
	struct bytes v = value(q, t);
	struct reader r = {v};
	struct bytes word;

	if (t == QUERY_IDENTITY && reader_until(&r, ':', &word))
		catalog_key(h, INDEX_IDENTITY, word, r.rest, out);
	else
		catalog_key(h, kinds[t], v, (struct bytes){0}, out);
}

void
query_key(const struct query *q, struct hasher *h, struct catalog_key *out)
{
	/* With the signer; else what few statements have in common. */
	static const struct {
		enum query_term t;
		enum index_kind kind;
	} with_signer[] = {
	    {QUERY_SUBJECT, INDEX_SIGNER_SUBJECT},
	    {QUERY_MODEL, INDEX_SIGNER_MODEL},
	    {QUERY_TYPE, INDEX_SIGNER_TYPE},
	};
	static const enum query_term order[] = {QUERY_ROOT, QUERY_FILE,
	    QUERY_SUBJECT, QUERY_MODEL, QUERY_IDENTITY, QUERY_VERSION,
	    QUERY_TYPE};

	if (!query_by_envelope(q)) {
		out->kind = q->has[QUERY_DIGEST] ? INDEX_DIGEST : INDEX_SIGNER;
		if (q->has[QUERY_DIGEST])
			lookup_digest_key(h, value(q, QUERY_DIGEST), &out->key);
		else
			memcpy(
			    out->key.b, q->value[QUERY_SIGNER].ptr, HASH_LEN);
		return;
	}
	if (q->has[QUERY_STATEMENT]) {
		term_key(q, QUERY_STATEMENT, h, out);
		return;
	}
	for (size_t i = 0; q->has[QUERY_SIGNER] && i < 3; i++)
		if (q->has[with_signer[i].t]) {
			catalog_key(h, with_signer[i].kind,
			    value(q, QUERY_SIGNER), value(q, with_signer[i].t),
			    out);
			return;
		}
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (order[i] == QUERY_MODEL && q->has[QUERY_MODEL] &&
		    q->has[QUERY_VERSION]) {
			catalog_key(h, INDEX_MODEL_VERSION,
			    value(q, QUERY_MODEL), value(q, QUERY_VERSION),
			    out);
			return;
		} else if (q->has[order[i]]) {
			term_key(q, order[i], h, out);
			return;
		}
}

size_t
query_keys(const struct query *q, struct hasher *h,
    struct catalog_key out[QUERY_TERMS])
{
	size_t n = 0;

	for (unsigned t = 0; t < QUERY_DIGEST; t++)
		if (q->has[t])
			term_key(q, (enum query_term)t, h, &out[n++]);
	return n;
}

bool
query_matches(const struct query *q, struct hasher *h, const struct entry *e)
{
	struct hash signer;

	if (q->has[QUERY_DIGEST] &&
	    !bytes_equal(value(q, QUERY_DIGEST), e->digest))
		return false;
	if (!q->has[QUERY_SIGNER])
		return true;
	sha256(h, e->key.spki, &signer);
	return bytes_equal(value(q, QUERY_SIGNER), hash_bytes(&signer));
}
