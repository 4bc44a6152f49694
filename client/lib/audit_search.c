/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/audit_search.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/model/entry.h"
#include "core/tlog/entries.h"

#define TEXT_MAX     BASE64_LEN(DIGEST_MAX_LEN)
#define TABLE	     4096	/* slots; a power of two */
#define MET_MAX	     4096	/* entries of one digest that are kept */
#define PAGE_LIMIT   100	/* entries; the log takes no more */
#define PAGE_MAX     (8u << 20) /* bytes of one answer */
#define PAGES_MAX    10000
#define PATH_MAX_LEN 300

/* An entry that has a digest, and whether a search showed it. */
struct met {
	uint64_t index;
	bool found;
};

/* One digest, and the entries that have it. */
struct wanted {
	char text[TEXT_MAX]; /* base64, as entries have it */
	size_t len;
	size_t count, room;
	struct met *met;
};

struct audit_search {
	pthread_mutex_t lock; /* of `met` and what belongs to it */
	struct hasher hasher;
	unsigned count;
	struct wanted wanted[AUDIT_SEARCH_MAX];
	uint16_t table[TABLE]; /* number in `wanted` and one; 0: free */
};

struct audit_search *
audit_search_open(struct error *err)
{
	struct audit_search *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	(void)pthread_mutex_init(&s->lock, NULL);
	if (!hasher_open(&s->hasher, err)) {
		audit_search_close(s);
		return NULL;
	}
	return s;
}

void
audit_search_close(struct audit_search *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->count; i++)
		free(s->wanted[i].met);
	hasher_release(&s->hasher);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

/* The digest of an entry, in base64: it stands at one of three places, as the
 * leaf is written from a template (entry.h). */
static bool
digest_of(struct bytes entry, struct bytes *out)
{
	static const struct bytes begin =
	    BYTES_LIT("{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\","
		      "\"spec\":{\"hashedRekordV002\":{\"data\":{"
		      "\"algorithm\":\"SHA2_");
	struct reader r;
	struct bytes bits;

	reader_init(&r, entry);
	return reader_literal(&r, begin) && reader_bytes(&r, 3, &bits) &&
	    reader_literal(&r, BYTES_LIT("\",\"digest\":\"")) &&
	    reader_until(&r, '"', out) && out->len >= 8 && out->len <= TEXT_MAX;
}

/* The slot of a digest, or the free one where it would be. */
static uint16_t *
slot_of(struct audit_search *s, struct bytes digest)
{
	uint64_t at;

	/* Digests are even; who makes many alike makes this slow, not wrong. */
	memcpy(&at, digest.ptr, sizeof(at));
	at = (at * UINT64_C(0x9e3779b97f4a7c15)) >> 52;
	for (;; at = (at + 1) % TABLE) {
		const struct wanted *w;

		if (s->table[at] == 0)
			return &s->table[at];
		w = &s->wanted[s->table[at] - 1];
		if (bytes_equal(bytes_of(w->text, w->len), digest))
			return &s->table[at];
	}
}

static bool
wanted_add(struct wanted *w, uint64_t index, struct error *err)
{
	if (w->count == w->room) {
		size_t room = w->room ? 2 * w->room : 4;
		struct met *longer =
		    reallocarray(w->met, room, sizeof(*longer));

		if (!longer)
			return error_set(err, ERR_INTERNAL, "out of memory");
		w->met = longer;
		w->room = room;
	}
	w->met[w->count++] = (struct met){.index = index};
	return true;
}

bool
audit_search_meet(struct audit_search *s, uint64_t index, struct bytes entry,
    struct error *err)
{
	struct bytes digest;
	uint16_t number;
	struct wanted *w;
	bool ok = true;

	if (!digest_of(entry, &digest))
		return true;
	number = *slot_of(s, digest);
	if (number == 0)
		return true;
	w = &s->wanted[number - 1];
	(void)pthread_mutex_lock(&s->lock);
	/* What was chosen is met again: see tidy. */
	if (w->count < MET_MAX)
		ok = wanted_add(w, index, err);
	(void)pthread_mutex_unlock(&s->lock);
	return ok;
}

static bool
choose_run(
    void *arg, unsigned worker, const struct tiles_run *run, struct error *err)
{
	struct audit_search *s = arg;
	struct bytes entry, digest;
	struct reader r;
	uint16_t *slot;

	(void)worker;
	reader_init(&r, run->bytes);
	if (!entries_next(&r, &entry, err))
		return error_set(err, ERR_INTERNAL, "no entry");
	if (!digest_of(entry, &digest))
		return true;
	slot = slot_of(s, digest);
	if (*slot == 0) {
		struct wanted *w = &s->wanted[s->count];

		memcpy(w->text, digest.ptr, digest.len);
		w->len = digest.len;
		*slot = (uint16_t)++s->count;
		return wanted_add(w, run->first, err);
	}
	return audit_search_meet(s, run->first, entry, err);
}

bool
audit_search_choose(struct audit_search *s, struct tiles *t, uint64_t size,
    unsigned count, uint64_t seed, struct error *err)
{
	struct tiles_walk how = {.threads = 1, .run = choose_run, .arg = s};

	if (count > AUDIT_SEARCH_MAX - s->count)
		count = AUDIT_SEARCH_MAX - s->count;
	for (unsigned i = 0; size > 0 && i < count; i++) {
		/* splitmix64: even, and nobody knows the seed beforehand */
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		z = (z ^ (z >> 31)) % size;
		if (!tiles_walk(t, z, z + 1, &how, err))
			return false;
	}
	return true;
}

unsigned
audit_search_chosen(const struct audit_search *s)
{
	return s->count;
}

uint64_t
audit_search_met(const struct audit_search *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->count; i++)
		n += s->wanted[i].count;
	return n;
}

/* --- asking --- */

struct asking {
	struct audit_search *s;
	struct tiles *t;
	uint64_t size;
	bool (*get)(
	    void *arg, const char *path, struct buf *out, struct error *err);
	void *arg;
	struct wanted *w;
	struct buf hex; /* of its digest */
	bool has_after;
	uint64_t after;
};

static bool
no_answer(struct error *err, const char *what)
{
	return error_reason(err, ERR_SYNTAX, "server-error",
	    "the answer to a search has %s", what);
}

static int
by_index(const void *a, const void *b)
{
	const struct met *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* What is shown for an index must be what the tree has there. */
static bool
check_hit(struct asking *a, const json_t *value, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_MAX_LEN);
	const json_t *body = json_object_get(value, "canonicalizedBody");
	struct node_reader nodes = tiles_nodes(a->t);
	struct bytes digest;
	struct hash got, want;
	struct met *met, key;
	uint64_t index;

	if (!json_decimal(json_object_get(value, "logIndex"), &index))
		return no_answer(err, "an entry without an index");
	if (a->has_after && index <= a->after)
		return no_answer(err, "entries out of their order");
	a->has_after = true;
	a->after = index;
	if (!json_is_string(body) || !base64_decode(json_text(body), &leaf) ||
	    !digest_of(buf_bytes(&leaf), &digest) ||
	    !bytes_equal(digest, bytes_of(a->w->text, a->w->len)))
		return error_reason(err, ERR_BADSIG, "search-hit",
		    "asked for digest %.*s, the log shows entry %" PRIu64
		    ", which has another",
		    (int)a->hex.len, (const char *)a->hex.ptr, index);
	/* The log may have grown since. */
	if (index >= a->size)
		return true;
	merkle_leaf(&a->s->hasher, buf_bytes(&leaf), &got);
	if (!nodes.read(nodes.arg, (struct node_place){0, index}, &want, err) ||
	    !hasher_ok(&a->s->hasher, err))
		return false;
	if (!hash_equal(&got, &want))
		return error_reason(err, ERR_BADSIG, "search-hit",
		    "a search shows an entry %" PRIu64
		    " that is not the one in the tree",
		    index);
	key = (struct met){.index = index};
	met = bsearch(&key, a->w->met, a->w->count, sizeof(key), by_index);
	if (met)
		met->found = true;
	return true;
}

static bool
read_page(struct asking *a, struct bytes text, bool *last, struct error *err)
{
	AUTO_PTR(json_t) page = NULL;
	struct error why = {0};
	const json_t *entries, *next;
	uint64_t after, covers;

	if (!json_parse(text, PAGE_MAX, &page, &why))
		return no_answer(err, "no JSON");
	entries = json_object_get(page, "entries");
	next = json_object_get(page, "next");
	if (!json_is_array(entries) ||
	    !json_decimal(json_object_get(page, "treeSize"), &covers))
		return no_answer(err, "no entries or no tree size");
	if (covers < a->size)
		return error_reason(err, ERR_UNAVAILABLE, "server-error",
		    "the log's search covers %" PRIu64 " entries of %" PRIu64,
		    covers, a->size);
	for (size_t i = 0; i < json_array_size(entries); i++)
		if (!check_hit(a, json_array_get(entries, i), err))
			return false;
	*last = !next || json_is_null(next);
	if (*last)
		return true;
	/* A cursor that stands still would never end. */
	if (!json_decimal(next, &after) || !a->has_after || after < a->after ||
	    json_array_size(entries) == 0)
		return no_answer(err, "a next page that is none");
	a->after = after;
	return true;
}

static bool
ask_page(struct asking *a, bool *last, struct error *err)
{
	AUTO(buf) answer = BUF_INIT(PAGE_MAX);
	char path[PATH_MAX_LEN], after[40] = "";

	if (a->has_after)
		(void)snprintf(
		    after, sizeof(after), "&after=%" PRIu64, a->after);
	(void)snprintf(path, sizeof(path),
	    "/api/v1/search?digest=%.*s&limit=%d%s", (int)a->hex.len,
	    (const char *)a->hex.ptr, PAGE_LIMIT, after);
	return a->get(a->arg, path, &answer, err) &&
	    read_page(a, buf_bytes(&answer), last, err);
}

/* In order, and each once. */
static void
tidy(struct wanted *w)
{
	size_t n = 0;

	qsort(w->met, w->count, sizeof(*w->met), by_index);
	for (size_t i = 0; i < w->count; i++)
		if (n == 0 || w->met[n - 1].index != w->met[i].index)
			w->met[n++] = w->met[i];
	w->count = n;
}

/* All that was met of a digest is in the pages. */
static bool
ask_digest(struct asking *a, struct error *err)
{
	AUTO(buf) raw = BUF_INIT(DIGEST_MAX_LEN);
	struct wanted *w = a->w;
	bool last = false;

	if (!base64_decode(bytes_of(w->text, w->len), &raw))
		return true; /* an entry that no hashedrekord is */
	a->has_after = false;
	buf_clear(&a->hex);
	hex_put(&a->hex, buf_bytes(&raw));
	for (unsigned pages = 0; !last && pages < PAGES_MAX; pages++)
		if (!ask_page(a, &last, err))
			return false;
	for (size_t i = 0; i < w->count; i++)
		if (!w->met[i].found)
			return error_reason(err, ERR_BADSIG, "search-hit",
			    "entry %" PRIu64
			    " is in the tree, but not in the answer to a "
			    "search for its digest %.*s",
			    w->met[i].index, (int)a->hex.len,
			    (const char *)a->hex.ptr);
	return true;
}

bool
audit_search_ask(struct audit_search *s, struct tiles *t, uint64_t size,
    bool (*get)(
	void *arg, const char *path, struct buf *out, struct error *err),
    void *arg, struct error *err)
{
	struct asking a = {.s = s,
	    .t = t,
	    .size = size,
	    .get = get,
	    .arg = arg,
	    .hex = BUF_INIT(2 * DIGEST_MAX_LEN)};
	bool ok = true;

	for (unsigned i = 0; i < s->count; i++)
		tidy(&s->wanted[i]);
	for (unsigned i = 0; ok && i < s->count; i++) {
		a.w = &s->wanted[i];
		ok = ask_digest(&a, err);
	}
	buf_release(&a.hex);
	return ok;
}
