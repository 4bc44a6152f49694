/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/model/entry.h"
#include "server/api/api.h"
#include "server/api/reply.h"

#define SEARCH_DEFAULT 20
#define SEARCH_MAX     100 /* entries looked at for one page */

/* What is asked for. The index proposes; the leaf itself decides. */
struct search {
	struct buf digest; /* raw */
	bool by_digest, by_signer, newest_first;
	struct hash signer;
	uint64_t after;
	bool has_after;
	uint64_t limit;
};

static bool
bad_parameter(struct error *err, const char *name, const char *want)
{
	return error_reason(
	    err, ERR_SYNTAX, "bad-parameter", "%s= %s", name, want);
}

static bool
read_digest(struct search *s, struct bytes value, struct error *err)
{
	uint8_t raw[DIGEST_MAX_LEN];
	size_t n = value.len / 2;

	if ((n != 32 && n != 48 && n != 64) || !hex_decode(value, raw, n))
		return bad_parameter(
		    err, "digest", "wants 64, 96 or 128 lower-case hex digits");
	s->by_digest = true;
	buf_clear(&s->digest);
	buf_put(&s->digest, bytes_of(raw, n));
	return true;
}

static bool
read_signer(struct search *s, struct bytes value, struct error *err)
{
	s->by_signer = true;
	return hex_decode(value, s->signer.b, HASH_LEN) ||
	    bad_parameter(err, "signer",
		"wants the SHA-256 of a SubjectPublicKeyInfo in lower-case "
		"hex");
}

static bool
read_after(struct search *s, struct bytes value, struct error *err)
{
	s->has_after = true;
	return decimal_parse(value, &s->after) ||
	    bad_parameter(err, "after", "wants an index in decimal digits");
}

static bool
read_order(struct search *s, struct bytes value, struct error *err)
{
	s->newest_first = bytes_equal(value, BYTES_LIT("newest"));
	return s->newest_first || bytes_equal(value, BYTES_LIT("oldest")) ||
	    bad_parameter(err, "order", "wants oldest or newest");
}

static bool
read_limit(struct search *s, struct bytes value, struct error *err)
{
	return (decimal_parse(value, &s->limit) && s->limit > 0 &&
		   s->limit <= SEARCH_MAX) ||
	    bad_parameter(err, "limit", "wants a number from 1 to 100");
}

static bool
not_yet(struct search *s, struct bytes value, struct error *err)
{
	(void)s;
	(void)value;
	return error_reason(err, ERR_USAGE, "not-implemented",
	    "this log does not keep envelopes, so it cannot search by model "
	    "or type; search by digest= or signer=");
}

static const struct {
	const char *name;
	bool (*read)(struct search *, struct bytes, struct error *);
} parameters[] = {
    {"digest", read_digest},
    {"signer", read_signer},
    {"after", read_after},
    {"order", read_order},
    {"limit", read_limit},
    {"model", not_yet},
    {"type", not_yet},
};

static bool
read_parameter(
    struct search *s, struct bytes name, struct bytes value, struct error *err)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (bytes_equal(name, bytes_str(parameters[i].name)))
			return parameters[i].read(s, value, err);
	return error_reason(err, ERR_SYNTAX, "unknown-parameter",
	    "a search takes digest=, signer=, after=, order= and limit=");
}

static bool
read_query(struct search *s, struct bytes query, struct error *err)
{
	struct reader r = {query};

	while (!reader_done(&r)) {
		struct bytes pair = r.rest, name, value;
		struct reader p;

		if (!reader_until(&r, '&', &pair))
			r.rest = (struct bytes){0};
		p.rest = pair;
		if (!reader_until(&p, '=', &name))
			return error_reason(err, ERR_SYNTAX, "bad-parameter",
			    "parameters are written name=value");
		value = p.rest;
		if (!read_parameter(s, name, value, err))
			return false;
	}
	if (!s->by_digest && !s->by_signer)
		return error_reason(err, ERR_SYNTAX, "missing-parameter",
		    "say what to search for: digest= or signer=");
	return true;
}

static bool
matches(struct tree_cursor *c, const struct search *s, const struct entry *e)
{
	struct hash signer;

	if (s->by_digest && !bytes_equal(buf_bytes(&s->digest), e->digest))
		return false;
	if (!s->by_signer)
		return true;
	sha256(&c->hasher, e->key.spki, &signer);
	return hash_equal(&signer, &s->signer);
}

static bool
put_hit(struct tree_cursor *c, const struct search *s, uint64_t index,
    struct buf *out, size_t *hits, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(UINT16_MAX);
	AUTO(entry) e = {0};

	if (!tree_entry(c, index, &leaf, err) ||
	    !entry_parse(buf_bytes(&leaf), &e, err))
		return false;
	if (!matches(c, s, &e))
		return true;
	if ((*hits)++ > 0)
		buf_put_u8(out, ',');
	buf_printf(out, "{\"logIndex\":\"%llu\",\"canonicalizedBody\":\"",
	    (unsigned long long)index);
	base64_put(out, buf_bytes(&leaf));
	buf_put_str(out, "\"}");
	return true;
}

/* The first index of the page; false when there cannot be one. */
static bool
page_start(const struct search *s, uint64_t *from)
{
	if (!s->has_after) {
		*from = s->newest_first ? (uint64_t)INT64_MAX : 0;
		return true;
	}
	if (s->newest_first && s->after == 0)
		return false;
	*from = s->newest_first ? s->after - 1 : s->after + 1;
	return true;
}

static bool
search_page(struct api *api, struct tree_cursor *c, const struct search *s,
    struct buf *out, struct error *err)
{
	enum index_kind kind = s->by_digest ? INDEX_DIGEST : INDEX_SIGNER;
	uint64_t found[SEARCH_MAX], complete = UINT64_MAX, from;
	size_t n = 0, hits = 0, shown = 0;
	struct hash key = s->signer;
	struct head *head = head_current(api->heads);
	uint64_t size = head ? head->size : 0;

	head_release(head);
	if (s->by_digest)
		lookup_digest_key(&c->hasher, buf_bytes(&s->digest), &key);
	if (page_start(s, &from) &&
	    !lookup_find(api->lookup, kind, &key, from, s->newest_first,
		(size_t)s->limit, found, &n, &complete, err))
		return false;
	/* What is not published yet is not shown. */
	size = size < complete ? size : complete;
	buf_printf(out, "{\"treeSize\":\"%llu\",\"entries\":[",
	    (unsigned long long)size);
	for (size_t i = 0; i < n; i++) {
		if (found[i] >= size)
			continue;
		shown = i + 1;
		if (!put_hit(c, s, found[i], out, &hits, err))
			return false;
	}
	if (shown > 0 && n == s->limit)
		buf_printf(out, "],\"next\":\"%llu\"}",
		    (unsigned long long)found[shown - 1]);
	else
		buf_put_str(out, "],\"next\":null}");
	return true;
}

bool
api_search(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct search s = {
	    .digest = BUF_INIT(DIGEST_MAX_LEN),
	    .limit = SEARCH_DEFAULT,
	};
	struct tree_cursor c;
	struct response r;
	bool ok;

	(void)rest;
	ok = read_query(&s, exchange_request(x)->query, err) &&
	    api_cursor_take(api, &c, err);
	if (!ok) {
		buf_release(&s.digest);
		return false;
	}
	reply_text(&r, 200, "application/json");
	response_header(&r, "Cache-Control", "no-store");
	response_header(&r, "Access-Control-Allow-Origin", "*");
	ok = search_page(api, &c, &s, &r.text, err) && buf_ok(&r.text, err);
	api_cursor_give(api, &c);
	buf_release(&s.digest);
	if (!ok) {
		response_release(&r);
		return false;
	}
	exchange_reply(x, &r);
	return true;
}
