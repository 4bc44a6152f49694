/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fsck_links.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "server/catalog.h"

struct run {
	struct fsck_links *l;
	struct store_reader *entries;
	struct hasher hasher;
	struct buf leaf;
};

static void unsound(struct run *r, const struct store_link *link,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
unsound(struct run *r, const struct store_link *link, const char *format, ...)
{
	AUTO(buf) hex = BUF_INIT(2 * HASH_LEN + 1);
	char what[400], sentence[500];
	va_list ap;

	hex_put(&hex, hash_bytes(&link->s));
	buf_put_u8(&hex, 0);
	va_start(ap, format);
	error_text(what, sizeof(what), format, ap);
	va_end(ap);
	(void)snprintf(sentence, sizeof(sentence), "envelope %s: %s",
	    hex.failed ? "?" : (const char *)hex.ptr, what);
	r->l->problem(r->l->arg, sentence);
}

static bool
take_leaf(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct run *r = arg;

	(void)index;
	buf_clear(&r->leaf);
	buf_put(&r->leaf, leaf);
	return buf_ok(&r->leaf, err);
}

/* Whether the stored bytes have the digests that are stored with them. */
static bool
same_digests(
    struct run *r, const struct store_link *link, bool *same, struct error *err)
{
	struct store_link got;

	*same = true;
	if (link->dropped)
		return true;
	if (!envelope_link(
		&r->hasher, link->type, link->payload, NULL, &got, err))
		return false;
	*same = hash_equal(&got.s, &link->s) &&
	    bytes_equal(BYTES_OF(got.sha384), BYTES_OF(link->sha384)) &&
	    bytes_equal(BYTES_OF(got.sha512), BYTES_OF(link->sha512));
	return true;
}

static void
check_contents(
    struct run *r, const struct store_link *link, const struct entry *e)
{
	AUTO(catalog) c = {0};
	struct error why = {0};

	if (!catalog_read(&r->hasher, link->type, link->payload, e, &c, &why)) {
		unsound(r, link, "%s", why.text);
		return;
	}
	for (size_t i = 0; link->id <= r->l->known && i < c.count; i++)
		r->l->row(
		    r->l->arg, c.keys[i].kind, &c.keys[i].key, link->index);
}

static bool
check_link(void *arg, const struct store_link *link, struct error *err)
{
	struct run *r = arg;
	AUTO(entry) e = {0};
	struct error why = {0};
	bool same;

	if (link->index >= r->l->size) {
		unsound(r, link, "its entry %llu is not there",
		    (unsigned long long)link->index);
		return true;
	}
	if (!r->l->backend->read_entries(
		r->entries, link->index, 1, take_leaf, r, err) ||
	    !same_digests(r, link, &same, err))
		return false;
	if (!entry_parse(buf_bytes(&r->leaf), &e, &why))
		unsound(r, link, "entry %llu: %s",
		    (unsigned long long)link->index, why.text);
	else if (!same)
		unsound(r, link, "the stored bytes have other digests");
	else if (!envelope_logged(&r->hasher, link, &e))
		unsound(r, link, "entry %llu does not log it",
		    (unsigned long long)link->index);
	else if (!link->dropped)
		check_contents(r, link, &e);
	return hasher_ok(&r->hasher, err);
}

static bool
run(struct run *r, struct store_reader *links, struct error *err)
{
	struct fsck_links *l = r->l;
	char sentence[200];

	if (!hasher_open(&r->hasher, err) ||
	    !l->backend->read_links(links, 0, check_link, r, err) ||
	    !l->backend->count_envelopes(links, &l->found, err))
		return false;
	if (l->found.alone == 0)
		return true;
	(void)snprintf(sentence, sizeof(sentence),
	    "%llu envelopes belong to no entry",
	    (unsigned long long)l->found.alone);
	l->problem(l->arg, sentence);
	return true;
}

bool
fsck_links_run(struct fsck_links *l, struct error *err)
{
	struct run r = {.l = l};
	/* One is in the middle of the links while the other reads entries. */
	struct store_reader *links = l->backend->reader_open(l->store, err);
	bool ok;

	buf_init(&r.leaf, UINT16_MAX);
	r.entries = links ? l->backend->reader_open(l->store, err) : NULL;
	ok = r.entries && run(&r, links, err);
	if (r.entries)
		l->backend->reader_close(r.entries);
	if (links)
		l->backend->reader_close(links);
	hasher_release(&r.hasher);
	buf_release(&r.leaf);
	return ok;
}
