/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/model/entry.h"
#include "server/api/api.h"
#include "server/api/query.h"
#include "server/api/reply.h"
#include "server/catalog.h"

#define PAGE_BYTES    (1u << 20) /* of envelopes read for one page */
#define SIGNERS_SHOWN 8		 /* of one statement */

/* One page being made. The index proposes; leaf and envelope decide. */
struct page {
	struct api *api;
	const struct query *q;
	struct tree_cursor *c;
	struct buf *out;
	uint64_t size; /* what is not published yet is not shown */
	size_t hits;
	size_t envelope_bytes;
	struct catalog_key wanted[QUERY_TERMS];
	size_t wanted_count;
};

/* An entry, taken apart. */
struct hit {
	uint64_t index;
	struct buf leaf;
	struct entry e;
};

static void
hit_release(struct hit *h)
{
	entry_release(&h->e);
	buf_release(&h->leaf);
}

static bool
hit_read(struct page *p, uint64_t index, struct hit *out, struct error *err)
{
	out->index = index;
	buf_init(&out->leaf, UINT16_MAX);
	return tree_entry(p->c, index, &out->leaf, err) &&
	    entry_parse(buf_bytes(&out->leaf), &out->e, err);
}

static void
begin_hit(struct page *p, const struct hit *h)
{
	if (p->hits++ > 0)
		buf_put_u8(p->out, ',');
	buf_printf(p->out, "{\"logIndex\":\"%llu\",\"canonicalizedBody\":\"",
	    (unsigned long long)h->index);
	base64_put(p->out, buf_bytes(&h->leaf));
	buf_put_u8(p->out, '"');
}

static void
put_hash(struct buf *out, const char *name, const struct hash *hash)
{
	buf_printf(out, ",\"%s\":\"", name);
	hex_put(out, hash_bytes(hash));
	buf_put_u8(out, '"');
}

static void
put_text(struct buf *out, const char *name, struct bytes text)
{
	if (text.len == 0)
		return;
	buf_printf(out, ",\"%s\":", name);
	json_put_string(out, text);
}

/* Who else signed this statement, each with the first entry. */
static bool
put_signers(struct page *p, const struct hash *s, struct error *err)
{
	uint64_t found[SIGNERS_SHOWN + 1], complete;
	struct catalog_key key;
	size_t n = 0, shown = 0;

	catalog_key(&p->c->hasher, INDEX_STATEMENT, hash_bytes(s),
	    (struct bytes){0}, &key);
	if (!lookup_find(p->api->lookup, key.kind, &key.key, 0, false,
		SIGNERS_SHOWN + 1, found, &n, &complete, err))
		return false;
	buf_put_str(p->out, ",\"signers\":[");
	for (size_t i = 0; i < n && i < SIGNERS_SHOWN; i++) {
		AUTO(hit) h = {0};
		struct hash signer;

		if (found[i] >= p->size)
			continue;
		if (!hit_read(p, found[i], &h, err))
			return false;
		sha256(&p->c->hasher, h.e.key.spki, &signer);
		buf_printf(p->out, "%s{\"logIndex\":\"%llu\"",
		    shown++ > 0 ? "," : "", (unsigned long long)found[i]);
		put_hash(p->out, "signer", &signer);
		buf_put_u8(p->out, '}');
	}
	buf_printf(p->out, "],\"moreSigners\":%s",
	    n > SIGNERS_SHOWN ? "true" : "false");
	return true;
}

/* The lowest entry of a statement, by whomever: where it is shown. Who asks for
 * a statement or a signer gets each signer's. */
static bool
is_first(struct page *p, const struct hash *s, uint64_t index, bool *first,
    struct error *err)
{
	uint64_t found, complete;
	struct catalog_key key;
	size_t n = 0;

	*first = true;
	if (p->q->has[QUERY_SIGNER] || p->q->has[QUERY_STATEMENT])
		return true;
	catalog_key(&p->c->hasher, INDEX_STATEMENT, hash_bytes(s),
	    (struct bytes){0}, &key);
	if (!lookup_find(p->api->lookup, key.kind, &key.key, 0, false, 1,
		&found, &n, &complete, err))
		return false;
	*first = n == 0 || found >= index;
	return true;
}

static bool
put_statement(struct page *p, const struct hit *h, const struct catalog *c,
    struct error *err)
{
	const struct statement *s = &c->statement;
	bool model = s->kind == STATEMENT_MODEL;

	begin_hit(p, h);
	put_hash(p->out, "statement", &c->s);
	put_text(p->out, "type", bytes_str(statement_kind_type(s->kind)));
	if (model) {
		put_text(p->out, "model", s->subjects[0].name);
		put_text(p->out, "version", s->version);
		put_hash(p->out, "root", &s->subjects[0].digest);
	}
	if (!put_signers(p, &c->s, err))
		return false;
	buf_put_u8(p->out, '}');
	return true;
}

static bool
has_all(const struct page *p, const struct catalog *c)
{
	for (size_t i = 0; i < p->wanted_count; i++)
		if (!catalog_has(c, &p->wanted[i]))
			return false;
	return true;
}

/*
 * An envelope that is gone, or is not what the entry logs, or does not have
 * what was asked for, is no hit; fsck tells of the former two.
 */
static bool
statement_hit(struct page *p, const struct hit *h,
    const struct store_envelope *e, struct error *err)
{
	AUTO(catalog) c = {0};
	struct store_link link;
	struct error why = {0};
	bool first;

	if (!envelope_link(&p->c->hasher, buf_bytes(&e->type),
		buf_bytes(&e->payload), &h->e, &link, err))
		return false;
	if (!envelope_logged(&p->c->hasher, &link, &h->e) ||
	    !(p->q->has[QUERY_FILE] ? catalog_read : catalog_peek)(
		&p->c->hasher, link.type, link.payload, &h->e, &c, &why) ||
	    !has_all(p, &c))
		return true;
	return is_first(p, &c.s, h->index, &first, err) &&
	    (!first || put_statement(p, h, &c, err));
}

static bool
envelope_hit(struct page *p, const struct hit *h, struct error *err)
{
	struct store_envelope e = {
	    BUF_INIT(ENVELOPE_TYPE_MAX), BUF_INIT(ENVELOPE_MAX_LEN)};
	struct store_reader *r = tree_reader_take(p->api->tree, err);
	struct error why = {0};
	bool ok = true;

	if (!r)
		return false;
	if (p->api->backend->read_envelope(r, h->e.digest, p->size, &e, &why)) {
		p->envelope_bytes += e.payload.len;
		ok = statement_hit(p, h, &e, err);
	} else if (why.code != ERR_NOTFOUND) {
		*err = why;
		ok = false;
	}
	tree_reader_give(p->api->tree, r);
	buf_release(&e.type);
	buf_release(&e.payload);
	return ok;
}

/*
 * Whether this signer has no earlier entry of the digest: anybody can log an
 * ECDSA signature again (r, n - s). A digest that many others have signed
 * before may be shown twice; who asks for a digest gets every entry of it.
 */
static bool
is_signers_first(
    struct page *p, const struct hit *h, bool *first, struct error *err)
{
	uint64_t found[SIGNERS_SHOWN], complete;
	struct hash key;
	size_t n = 0;

	*first = true;
	if (p->q->has[QUERY_DIGEST])
		return true;
	lookup_digest_key(&p->c->hasher, h->e.digest, &key);
	if (!lookup_find(p->api->lookup, INDEX_DIGEST, &key, 0, false,
		SIGNERS_SHOWN, found, &n, &complete, err))
		return false;
	for (size_t i = 0; *first && i < n && found[i] < h->index; i++) {
		AUTO(hit) other = {0};

		if (!hit_read(p, found[i], &other, err))
			return false;
		*first = !bytes_equal(h->e.digest, other.e.digest) ||
		    !bytes_equal(h->e.key.spki, other.e.key.spki);
	}
	return true;
}

static bool
put_hit(struct page *p, uint64_t index, struct error *err)
{
	AUTO(hit) h = {0};
	bool first;

	if (!hit_read(p, index, &h, err))
		return false;
	if (!query_matches(p->q, &p->c->hasher, &h.e))
		return true;
	if (query_by_envelope(p->q))
		return envelope_hit(p, &h, err);
	if (!is_signers_first(p, &h, &first, err))
		return false;
	if (!first)
		return true;
	begin_hit(p, &h);
	buf_put_u8(p->out, '}');
	return true;
}

/* The first index of the page; false when there cannot be one. Newest first
 * begins with what is published. */
static bool
page_start(const struct query *q, uint64_t size, uint64_t *from)
{
	uint64_t end = q->has_after && q->after < size ? q->after : size;

	if (q->newest_first) {
		*from = end - 1;
		return end > 0;
	}
	*from = q->has_after ? q->after + 1 : 0;
	return true;
}

static bool
search_page(struct page *p, struct error *err)
{
	uint64_t found[QUERY_LIMIT_MAX], complete = UINT64_MAX, from, last = 0;
	struct head *head = head_current(p->api->heads);
	const struct query *q = p->q;
	size_t n = 0, i = 0;
	bool looked = false;
	struct catalog_key key = {0};

	p->size = head ? head->size : 0;
	head_release(head);
	query_key(q, &p->c->hasher, &key);
	p->wanted_count = query_keys(q, &p->c->hasher, p->wanted);
	if (page_start(q, p->size, &from) &&
	    !lookup_find(p->api->lookup, key.kind, &key.key, from,
		q->newest_first, (size_t)q->limit, found, &n, &complete, err))
		return false;
	p->size = p->size < complete ? p->size : complete;
	buf_printf(p->out, "{\"treeSize\":\"%llu\",\"entries\":[",
	    (unsigned long long)p->size);
	for (; i < n && p->envelope_bytes < PAGE_BYTES; i++) {
		if (found[i] >= p->size)
			continue;
		looked = true;
		last = found[i];
		if (!put_hit(p, found[i], err))
			return false;
	}
	if (looked && (i < n || n == q->limit))
		buf_printf(
		    p->out, "],\"next\":\"%llu\"}", (unsigned long long)last);
	else
		buf_put_str(p->out, "],\"next\":null}");
	return true;
}

/* Rows of links come last when a start fills the index. */
static bool
index_ready(struct api *api, const struct query *q, struct error *err)
{
	return !query_by_envelope(q) ||
	    !health_is(api->health, HEALTH_STARTING) ||
	    error_reason(err, ERR_UNAVAILABLE, "index-behind",
		"the lookup index is being filled; try again in a while");
}

static bool
answer(struct api *api, struct exchange *x, const struct query *q,
    struct error *err)
{
	struct page p = {.api = api, .q = q};
	struct tree_cursor c;
	struct response r;
	bool ok;

	if (!index_ready(api, q, err) || !api_cursor_take(api, &c, err))
		return false;
	reply_text(&r, 200, "application/json");
	response_header(&r, "Cache-Control", "no-store");
	response_header(&r, "Access-Control-Allow-Origin", "*");
	p.c = &c;
	p.out = &r.text;
	ok = search_page(&p, err) && buf_ok(&r.text, err) &&
	    hasher_ok(&c.hasher, err);
	api_cursor_give(api, &c);
	if (!ok) {
		response_release(&r);
		return false;
	}
	exchange_reply(x, &r);
	return true;
}

bool
api_search(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct query q;
	bool ok;

	(void)rest;
	ok = query_parse(exchange_request(x)->query, &q, err) &&
	    answer(api, x, &q, err);
	query_release(&q);
	return ok;
}
