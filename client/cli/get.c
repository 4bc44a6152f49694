/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/entry_read.h"
#include "client/cli/verbs.h"
#include "client/lib/tiles.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"

#define ENTRIES_MAX 20	       /* of one digest */
#define PAGE_MAX    (1u << 20) /* bytes of a search's answer */
#define OUTPUT_MAX  (16u << 20)
/* The newest leaves that are looked through for a hash: 32 MiB of tiles. */
#define LEAVES_MAX (UINT64_C(1) << 20)

static const struct cli_option options[] = {
    CLI_READ_OPTIONS,
    {"--raw", NULL, "the bytes of the leaf, and nothing else", false},
    {"--json", NULL, "one line of JSON an entry", false},
    {0},
};

/* What is asked for: an index, or the entries of a digest. */
struct wanted {
	struct bytes digest; /* in hex; empty: by index */
	size_t count;
	uint64_t indexes[ENTRIES_MAX];
	bool more;
	bool is_leaf; /* the digest is a leaf hash */
};

static bool
is_digest(struct bytes word)
{
	uint8_t raw[DIGEST_MAX_LEN];

	return (word.len == 64 || word.len == 96 || word.len == 128) &&
	    hex_decode(word, raw, word.len / 2);
}

static bool
bad_page(const struct cli_reading *r, struct error *err)
{
	return error_reason(err, ERR_SYNTAX, "server-error",
	    "%s answers a search with what is none", log_client_url(r->client));
}

/* A search only says where to look: each entry is then proven. */
static bool
find(const struct cli_reading *r, struct wanted *w, struct error *err)
{
	AUTO(buf) text = BUF_INIT(PAGE_MAX);
	AUTO_PTR(json_t) page = NULL;
	struct error why = {0};
	const json_t *hits;
	char path[256];

	(void)snprintf(path, sizeof(path),
	    "/api/v1/search?digest=%.*s&limit=%d", (int)w->digest.len,
	    (const char *)w->digest.ptr, ENTRIES_MAX);
	if (!log_client_get(r->client, path, &text, err))
		return false;
	if (!json_parse(buf_bytes(&text), PAGE_MAX, &page, &why))
		return bad_page(r, err);
	hits = json_object_get(page, "entries");
	if (!json_is_array(hits) || json_array_size(hits) > ENTRIES_MAX)
		return bad_page(r, err);
	for (; w->count < json_array_size(hits); w->count++) {
		const json_t *at =
		    json_object_get(json_array_get(hits, w->count), "logIndex");

		if (!json_decimal(at, &w->indexes[w->count]))
			return bad_page(r, err);
	}
	w->more = json_is_string(json_object_get(page, "next"));
	return true;
}

/* No address finds a leaf by its hash; but the tiles have them all, verified. */
static bool
find_leaf(const struct cli_reading *r, struct wanted *w, struct error *err)
{
	struct cli_head head = {0};
	struct node_reader nodes = tiles_nodes(r->tiles);
	struct hash want, leaf;
	uint64_t i, end;
	bool ok = hex_decode(w->digest, want.b, HASH_LEN) &&
	    cli_head_read(r, &head, err) &&
	    (head.now.size == 0 ||
		tiles_head(r->tiles, head.now.size, &head.now.root, err));

	i = ok ? head.now.size : 0;
	end = i > LEAVES_MAX ? i - LEAVES_MAX : 0;
	while (ok && w->count == 0 && i > end) {
		ok = nodes.read(
		    nodes.arg, (struct node_place){0, --i}, &leaf, err);
		if (ok && hash_equal(&leaf, &want))
			w->indexes[w->count++] = i;
	}
	w->is_leaf = w->count > 0;
	cli_head_release(&head);
	return ok;
}

/* A log of the kind need not have a search. */
static bool
find_any(const struct cli_reading *r, struct wanted *w, struct error *err)
{
	const char *url = log_client_url(r->client);
	struct error why = {0};
	bool searched = find(r, w, &why);

	if (!searched && why.code != ERR_NOTFOUND && why.code != ERR_DENIED) {
		*err = why;
		return false;
	}
	if (w->count == 0 && w->digest.len == (size_t)2 * HASH_LEN &&
	    !find_leaf(r, w, err))
		return false;
	if (w->count > 0)
		return true;
	if (!searched)
		return error_reason(err, ERR_NOTFOUND, "rejected",
		    "%s has no look-up by digest (and the hash of one of its "
		    "newest leaves it is not); give the index",
		    url);
	return error_reason(err, ERR_NOTFOUND, "no-entry",
	    "%s shows no entry whose signed digest this is (which does not "
	    "prove that there is none), nor is it the hash of one of the "
	    "%llu newest leaves",
	    url, (unsigned long long)LEAVES_MAX);
}

static bool
read_wanted(const struct cli_args *a, const struct cli_reading *r,
    struct wanted *w, struct error *err)
{
	struct bytes word = bytes_str(a->operands[0]);

	if (is_digest(word)) {
		w->digest = word;
		return find_any(r, w, err);
	}
	w->count = 1;
	return decimal_parse(word, &w->indexes[0]) ||
	    error_set(err, ERR_USAGE,
		"%s is no index, nor 64, 96 or 128 digits of a digest in "
		"lower-case hex",
		a->operands[0]);
}

/* The search may have named an entry of something else. */
static bool
is_wanted(const struct wanted *w, const struct cli_entry *e, struct error *err)
{
	AUTO(buf) hex = BUF_INIT(2 * DIGEST_MAX_LEN);

	if (w->digest.len == 0)
		return true;
	hex_put(&hex, w->is_leaf ? hash_bytes(&e->leaf) : e->e.digest);
	return bytes_equal(buf_bytes(&hex), w->digest) ||
	    error_reason(err, ERR_BADSIG, "search-hit",
		"the log's search gives entry %llu, which is of another digest",
		(unsigned long long)e->t.index);
}

static bool
get_one(const struct cli_args *a, const struct cli_reading *r,
    const struct wanted *w, size_t i, struct buf *out, struct error *err)
{
	struct cli_entry e = {0};
	bool raw = cli_flag(a, "--raw");
	bool ok = cli_entry_read(r, w->indexes[i], &e, err) &&
	    ((raw && w->digest.len == 0) || cli_entry_decode(&e, err)) &&
	    is_wanted(w, &e, err);

	if (ok && raw)
		buf_put(out, e.t.body);
	else if (ok)
		cli_entry_put(r, &e, cli_flag(a, "--json"), out);
	cli_entry_release(&e);
	return ok;
}

static bool
get(const struct cli_args *a, const struct cli_reading *r, struct error *err)
{
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	struct wanted w = {0};

	if (!read_wanted(a, r, &w, err))
		return false;
	if (cli_flag(a, "--raw") && (w.count > 1 || w.more))
		return error_set(err, ERR_USAGE,
		    "several entries are of this digest: say an index with "
		    "--raw (the first is %llu)",
		    (unsigned long long)w.indexes[0]);
	for (size_t i = 0; i < w.count; i++)
		if (!get_one(a, r, &w, i, &out, err))
			return false;
	if (w.more)
		(void)fprintf(stderr,
		    "mtlog get: there are more: mtlog search --digest shows "
		    "them\n");
	return buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
}

static int
run(struct cli_args *a, struct error *err)
{
	struct cli_reading r = {0};
	bool ok;

	if (a->operand_count != 1) {
		(void)error_set(
		    err, ERR_USAGE, "say which: mtlog get INDEX|HASH");
		return -1;
	}
	if (cli_flag(a, "--raw") && cli_flag(a, "--json")) {
		(void)error_set(
		    err, ERR_USAGE, "say --raw or --json, not both");
		return -1;
	}
	ok = cli_reading_open(a, &r, err) && get(a, &r, err);
	cli_reading_close(&r);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_get = {
    .name = "get",
    .arguments = "INDEX|HASH",
    .summary = "Get an entry of a log, with its proof verified",
    .details =
	"HASH is the digest that was signed (for a statement its S), or the\n"
	"hash of a leaf. The entry's inclusion is proven under a checkpoint\n"
	"of the log, which is checked against the pin (mtlog log trust).",
    .run = run,
    .options = options,
};
