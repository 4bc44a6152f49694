/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/entry_text.h"
#include "client/cli/verbs.h"
#include "client/lib/log_client.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/crypto/pem.h"
#include "core/model/entry.h"
#include "core/model/statement.h"
#include "io/file.h"

#define TIMEOUT_MS    60000
#define LIMIT_DEFAULT 20
#define LIMIT_MAX     10000
#define PAGE_LIMIT    100	 /* entries; the log takes no more */
#define PAGE_MAX      (8u << 20) /* bytes of one answer */
#define PAGES_MAX     10000
#define QUERY_MAX     2048
#define HITS_MAX      (64u << 20) /* bytes of what is printed */
#define PEM_MAX	      65536

static const struct cli_option options[] = {
    {"--log", "URL", "the log's address", false},
    {"--model", "NAME", "models of this name", false},
    {"--version", "V", "of this version", false},
    {"--root", "HEX", "of this root digest", false},
    {"--file", "HEX", "with a file of this digest", false},
    {"--digest", "HEX", "entries of this signed digest", false},
    {"--signer", "HEX|PEM", "by this key: a PEM file, or SHA-256 of its SPKI",
	false},
    {"--type", "T",
	"statements of this predicate type, or model, approval, withdrawal, "
	"key-revocation, status",
	false},
    {"--statement", "HEX", "the statement S itself", false},
    {"--subject", "HEX", "statements about this S or key", false},
    {"--identity", "TYPE:VALUE",
	"with this name in the certificate: email, uri, dns or other", false},
    {"--limit", "N", "as many entries at most; 20 if not said", false},
    {"--timeout", "MS", "for all that goes over the network", false},
    {"--json", NULL, "one line of JSON", false},
    {0},
};

/* What is asked, and what has been found. */
struct search {
	const struct cli_args *args;
	struct log_client *client;
	struct buf query;
	bool has_signer;
	struct hash signer;
	struct bytes digest; /* hex; empty: not asked */
	struct hasher hasher;
	uint64_t limit, found, size, after;
	bool has_after, more;
	bool json;
	struct buf seen; /* a SHA-256 of signer and digest each */
	struct buf out;
};

/* One hit: an index and a leaf, and what the log says of its statement. */
struct hit {
	uint64_t index;
	struct buf leaf;
	struct entry e;
	struct hash key;
	const json_t *said;
};

static void
hit_release(struct hit *h)
{
	entry_release(&h->e);
	buf_release(&h->leaf);
}

static void
percent_put(struct buf *out, struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.ptr[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || (c > 0 && strchr("-._~", c)))
			buf_put_u8(out, c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

static void
add_parameter(struct search *s, const char *name, struct bytes value)
{
	buf_printf(&s->query, "%c%s=", s->query.len > 0 ? '&' : '?', name);
	percent_put(&s->query, value);
}

static bool
is_hex(struct bytes text)
{
	uint8_t raw[DIGEST_MAX_LEN];
	size_t n = text.len / 2;

	return (n == 32 || n == 48 || n == 64) && hex_decode(text, raw, n);
}

/* Digests of 64 digits, where `longer` of 96 and 128, too. */
static bool
add_hex(struct search *s, const char *option, bool longer, struct error *err)
{
	const char *value = cli_value(s->args, option);

	if (!value)
		return true;
	if (!is_hex(bytes_str(value)) || (!longer && strlen(value) != 64))
		return error_set(err, ERR_USAGE,
		    "%s is %s lower-case hex digits", option,
		    longer ? "64, 96 or 128" : "64");
	add_parameter(s, option + 2, bytes_str(value));
	return true;
}

static bool
add_signer(struct search *s, struct error *err)
{
	AUTO(buf) text = BUF_INIT(PEM_MAX);
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) hex = BUF_INIT(2 * HASH_LEN);
	const char *value = cli_value(s->args, "--signer");

	if (!value)
		return true;
	s->has_signer = true;
	if (!hex_decode(bytes_str(value), s->signer.b, HASH_LEN)) {
		if (!file_read(value, &text, err) ||
		    (!pem_public_key(buf_bytes(&text), &spki, err) &&
			!error_prefix(err, "%s", value)))
			return false;
		sha256(&s->hasher, buf_bytes(&spki), &s->signer);
		if (!hasher_ok(&s->hasher, err))
			return false;
	}
	hex_put(&hex, hash_bytes(&s->signer));
	add_parameter(s, "signer", buf_bytes(&hex));
	return true;
}

/* The words for our own types spare their addresses. */
static void
add_type(struct search *s)
{
	static const struct {
		const char *word;
		enum statement_kind kind;
	} words[] = {
	    {"model", STATEMENT_MODEL},
	    {"approval", STATEMENT_APPROVAL},
	    {"withdrawal", STATEMENT_WITHDRAWAL},
	    {"key-revocation", STATEMENT_REVOCATION},
	    {"status", STATEMENT_STATUS},
	};
	const char *value = cli_value(s->args, "--type");

	if (!value)
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, value) == 0)
			value = statement_kind_type(words[i].kind);
	add_parameter(s, "type", bytes_str(value));
}

static void
add_text(struct search *s, const char *option)
{
	const char *value = cli_value(s->args, option);

	if (value)
		add_parameter(s, option + 2, bytes_str(value));
}

static bool
read_query(struct search *s, struct error *err)
{
	const char *digest = cli_value(s->args, "--digest");

	add_text(s, "--model");
	add_text(s, "--version");
	add_text(s, "--identity");
	add_type(s);
	if (!add_hex(s, "--root", false, err) ||
	    !add_hex(s, "--statement", false, err) ||
	    !add_hex(s, "--subject", false, err) ||
	    !add_hex(s, "--file", true, err) ||
	    !add_hex(s, "--digest", true, err) || !add_signer(s, err))
		return false;
	if (digest)
		s->digest = bytes_str(digest);
	if (s->query.len == 0)
		return error_set(err, ERR_USAGE,
		    "say what to search for, such as --model NAME; see mtlog "
		    "search --help");
	if (!cli_number(s->args, "--limit", LIMIT_DEFAULT, &s->limit, err))
		return false;
	if (s->limit == 0 || s->limit > LIMIT_MAX)
		return error_set(
		    err, ERR_USAGE, "--limit is 1 to %d", LIMIT_MAX);
	return buf_ok(&s->query, err);
}

static bool
bad_answer(const struct search *s, struct error *err, const char *what)
{
	return error_reason(err, ERR_SYNTAX, "server-error",
	    "%s: the answer to a search has %s", log_client_url(s->client),
	    what);
}

/*
 * Whatever can be seen in the leaf itself is: whose it is, and what digest. For
 * a statement that is S where SHA-256 was signed.
 */
static bool
answers(const struct search *s, const struct hit *h)
{
	AUTO(buf) hex = BUF_INIT(2 * DIGEST_MAX_LEN);
	const json_t *said = json_object_get(h->said, "statement");

	hex_put(&hex, h->e.digest);
	return (!s->has_signer || hash_equal(&s->signer, &h->key)) &&
	    (s->digest.len == 0 || bytes_equal(buf_bytes(&hex), s->digest)) &&
	    (!said || h->e.digest_algorithm != DIGEST_SHA256 ||
		bytes_equal(json_text(said), buf_bytes(&hex)));
}

static bool
hit_read(
    struct search *s, const json_t *value, struct hit *h, struct error *err)
{
	const json_t *body = json_object_get(value, "canonicalizedBody");
	struct error why = {0};

	h->said = value;
	buf_init(&h->leaf, ENTRY_LEAF_MAX);
	if (!json_decimal(json_object_get(value, "logIndex"), &h->index))
		return bad_answer(s, err, "an entry without an index");
	if (!json_is_string(body) ||
	    !base64_decode(json_text(body), &h->leaf) ||
	    !entry_parse(buf_bytes(&h->leaf), &h->e, &why))
		return bad_answer(s, err, "an entry that is none");
	sha256(&s->hasher, h->e.key.spki, &h->key);
	if (!hasher_ok(&s->hasher, err))
		return false;
	return answers(s, h) ||
	    bad_answer(s, err, "an entry that was not asked for");
}

static const char *const said_names[] = {
    "statement", "type", "model", "version", "root"};

#define SAID (sizeof(said_names) / sizeof(said_names[0]))

static void
put_json(struct search *s, const struct hit *h)
{
	struct buf *out = &s->out;

	buf_printf(out, "%s{\"index\":%llu,\"signer\":\"",
	    s->found > 0 ? "," : "", (unsigned long long)h->index);
	hex_put(out, hash_bytes(&h->key));
	buf_printf(out, "\",\"certificate\":%s,\"digest\":\"%s:",
	    h->e.is_certificate ? "true" : "false",
	    cli_digest_name(h->e.digest_algorithm));
	hex_put(out, h->e.digest);
	buf_put_str(out, "\",\"claims\":{\"names\":[");
	cli_entry_names(&h->e, true, "", "", out);
	buf_put_u8(out, ']');
	for (size_t i = 0; i < SAID; i++) {
		const json_t *v = json_object_get(h->said, said_names[i]);

		if (!json_is_string(v))
			continue;
		buf_printf(out, ",\"%s\":", said_names[i]);
		json_put_string(out, json_text(v));
	}
	buf_put_str(out, "}}");
}

static void
put_text(struct search *s, const struct hit *h)
{
	struct buf *out = &s->out;

	buf_printf(out,
	    "entry %llu\n  signer       sha256:", (unsigned long long)h->index);
	hex_put(out, hash_bytes(&h->key));
	buf_printf(out, " (%s%s)\n  digest       %s:",
	    key_algorithm_name(h->e.key.algorithm),
	    h->e.is_certificate ? ", in a certificate" : "",
	    cli_digest_name(h->e.digest_algorithm));
	hex_put(out, h->e.digest);
	buf_put_str(out, "\n  claims, not verified:\n");
	cli_entry_names(&h->e, false, "    certificate  ", "\n", out);
	for (size_t i = 0; i < SAID; i++) {
		const json_t *v = json_object_get(h->said, said_names[i]);

		if (!json_is_string(v))
			continue;
		buf_printf(out, "    %-12s ", said_names[i]);
		escaped_put(out, json_text(v));
		buf_put_u8(out, '\n');
	}
}

/*
 * Whether this signer's entry of this digest was shown: whoever has an ECDSA
 * signature can log it again as another leaf (r, n - s). By digest the log
 * gives every leaf, and by signer at times; they come in the order of their
 * indexes, so what is shown is the first.
 */
static bool
logged_again(
    struct search *s, const struct hit *h, bool *out, struct error *err)
{
	struct hash both;

	sha256_two(&s->hasher, hash_bytes(&h->key), h->e.digest, &both);
	*out = false;
	for (size_t i = 0; !*out && i < s->seen.len; i += HASH_LEN)
		*out = bytes_equal(
		    bytes_of(s->seen.ptr + i, HASH_LEN), hash_bytes(&both));
	if (!*out)
		buf_put(&s->seen, hash_bytes(&both));
	return hasher_ok(&s->hasher, err) && buf_ok(&s->seen, err);
}

/* The hits of a page, as many as are wanted. */
static bool
read_hits(struct search *s, const json_t *entries, struct error *err)
{
	for (size_t i = 0; i < json_array_size(entries); i++) {
		AUTO(hit) h = {0};
		bool again;

		if (s->found == s->limit) {
			s->more = true;
			return true;
		}
		if (!hit_read(s, json_array_get(entries, i), &h, err) ||
		    !logged_again(s, &h, &again, err))
			return false;
		if (again)
			continue;
		if (s->json)
			put_json(s, &h);
		else
			put_text(s, &h);
		s->found++;
	}
	return true;
}

/* `*last`: the log says that there is nothing behind this page. */
static bool
read_page(struct search *s, struct bytes text, bool *last, struct error *err)
{
	AUTO_PTR(json_t) page = NULL;
	struct error why = {0};
	const json_t *entries, *next;
	uint64_t after;

	if (!json_parse(text, PAGE_MAX, &page, &why))
		return bad_answer(s, err, "no JSON");
	entries = json_object_get(page, "entries");
	next = json_object_get(page, "next");
	if (!json_is_array(entries) ||
	    !json_decimal(json_object_get(page, "treeSize"), &s->size))
		return bad_answer(s, err, "no entries or no tree size");
	if (!read_hits(s, entries, err))
		return false;
	*last = !next || json_is_null(next);
	if (*last)
		return true;
	/* A cursor that stands still would never end. */
	if (!json_decimal(next, &after) || (s->has_after && after <= s->after))
		return bad_answer(s, err, "a next page that is none");
	s->after = after;
	s->has_after = true;
	return true;
}

static bool
ask(struct search *s, bool *last, struct error *err)
{
	AUTO(buf) path = BUF_INIT(QUERY_MAX + 128);
	AUTO(buf) answer = BUF_INIT(PAGE_MAX);
	uint64_t left = s->limit - s->found;
	char *text;
	bool ok;

	buf_put_str(&path, "/api/v1/search");
	buf_put(&path, buf_bytes(&s->query));
	buf_printf(&path, "&limit=%llu",
	    (unsigned long long)(left < PAGE_LIMIT ? left : PAGE_LIMIT));
	if (s->has_after)
		buf_printf(&path, "&after=%llu", (unsigned long long)s->after);
	text = buf_dup_string(&path);
	if (!text)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = log_client_get(s->client, text, &answer, err) &&
	    read_page(s, buf_bytes(&answer), last, err);
	free(text);
	return ok;
}

static void
put_end(struct search *s)
{
	struct buf *out = &s->out;

	if (s->json) {
		buf_printf(out,
		    "],\"treeSize\":%llu,\"more\":%s,\"absence\":\"not "
		    "proven\"}\n",
		    (unsigned long long)s->size, s->more ? "true" : "false");
		return;
	}
	buf_printf(out,
	    "%llu found%s, in a tree of %llu, as the log says.\n"
	    "Absence is not proven: a log may leave entries out. To believe "
	    "one, mtlog verify\nthe model.\n",
	    (unsigned long long)s->found,
	    s->more ? ", and there are more (--limit)" : "",
	    (unsigned long long)s->size);
}

static bool
search(struct search *s, struct error *err)
{
	bool last = false;

	if (s->json) {
		buf_put_str(&s->out, "{\"log\":");
		json_put_string(&s->out, bytes_str(log_client_url(s->client)));
		buf_put_str(&s->out, ",\"entries\":[");
	}
	for (size_t pages = 0; !last && !s->more; pages++) {
		if (s->found == s->limit || pages == PAGES_MAX) {
			s->more = true;
			break;
		}
		if (!ask(s, &last, err))
			return false;
	}
	put_end(s);
	return buf_ok(&s->out, err) && cli_print(buf_bytes(&s->out), err);
}

static bool
open_log(struct search *s, struct error *err)
{
	const char *url = cli_need(s->args, "--log", err);
	uint64_t timeout;

	if (!url ||
	    !cli_number(s->args, "--timeout", TIMEOUT_MS, &timeout, err))
		return false;
	if (timeout == 0 || timeout > 3600000)
		return error_set(
		    err, ERR_USAGE, "--timeout is 1 to 3600000 milliseconds");
	if (!utf8_valid(bytes_str(url)))
		return error_set(err, ERR_USAGE, "--log URL is no address");
	s->client = log_client_open(url, NULL, (unsigned)timeout, err);
	return s->client != NULL;
}

static int
run(struct cli_args *a, struct error *err)
{
	struct search s = {
	    .args = a,
	    .query = BUF_INIT(QUERY_MAX),
	    .seen = BUF_INIT(LIMIT_MAX * HASH_LEN),
	    .out = BUF_INIT(HITS_MAX),
	    .json = cli_flag(a, "--json"),
	};
	bool ok;

	if (a->operand_count > 0) {
		(void)error_set(err, ERR_USAGE,
		    "say what to search for with options; see mtlog search "
		    "--help");
		return -1;
	}
	ok = hasher_open(&s.hasher, err) && read_query(&s, err) &&
	    open_log(&s, err) && search(&s, err);
	hasher_release(&s.hasher);
	log_client_close(s.client);
	buf_release(&s.query);
	buf_release(&s.seen);
	buf_release(&s.out);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_search = {
    .name = "search",
    .arguments = "",
    .summary = "Ask a log for entries by model, digest, signer or statement",
    .details =
	"All that is asked must hold. The log answers as it likes: an entry\n"
	"that it leaves out is not noticed, and what it says is not verified.\n"
	"What a signer has in it several times is shown once, with its first\n"
	"index.",
    .run = run,
    .options = options,
};
