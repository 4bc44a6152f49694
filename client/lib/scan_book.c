/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan_book.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/lib/json_file.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "io/file.h"

#define SCHEMA	    "mtlog-scan/1"
#define NAME_DIGITS 8 /* bytes of the origin's digest in the file's name */

static bool
no_memory(struct error *err)
{
	return error_set(err, ERR_INTERNAL, "out of memory");
}

bool
scan_book_broken(const struct scan_book *b, struct error *err)
{
	return error_set(err, ERR_IO,
	    "%s is broken; remove it, and scan the log again", b->path);
}

json_t *
scan_hex(struct bytes raw)
{
	AUTO(buf) text = BUF_INIT(2 * DIGEST_MAX_LEN);

	hex_put(&text, raw);
	return text.failed ? NULL
			   : json_stringn((const char *)text.ptr, text.len);
}

static json_t *
decimal(uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return json_string(text);
}

static bool
hash_of(const json_t *value, struct hash *out)
{
	return json_is_string(value) &&
	    hex_decode(json_text(value), out->b, HASH_LEN);
}

/* A string that may be absent. */
static bool
text_of(const json_t *object, const char *name, struct bytes *out)
{
	const json_t *v = json_object_get(object, name);

	*out = json_is_string(v) ? json_text(v) : (struct bytes){0};
	return !v || json_is_string(v);
}

bool
scan_list_has(const json_t *list, const struct hash *h)
{
	struct hash one;

	for (size_t i = 0; i < json_array_size(list); i++)
		if (hash_of(json_array_get(list, i), &one) &&
		    hash_equal(&one, h))
			return true;
	return false;
}

static bool
set_path(struct scan_book *b, const char *dir, struct bytes origin,
    struct error *err)
{
	AUTO(buf) name = BUF_INIT(64);
	AUTO(hasher) h = {0};
	struct hash digest;
	char *text;

	if (!hasher_open(&h, err))
		return false;
	sha256(&h, origin, &digest);
	buf_put_str(&name, "scan-");
	hex_put(&name, bytes_of(digest.b, NAME_DIGITS));
	buf_put_str(&name, ".json");
	text = buf_dup_string(&name);
	b->path = text ? path_join(dir, text) : NULL;
	free(text);
	return hasher_ok(&h, err) && (b->path || no_memory(err));
}

static bool
begin(struct scan_book *b, struct bytes origin, struct error *err)
{
	b->root = json_pack("{s:s,s:s#,s:[],s:{s:s,s:[]},s:{}}", "schema",
	    SCHEMA, "origin", (const char *)origin.ptr, origin.len, "watched",
	    "scanned", "size", "0", "frontier", "found");
	return b->root || no_memory(err);
}

static bool
read_book(struct scan_book *b, struct bytes origin, struct error *err)
{
	AUTO(buf) text = BUF_INIT(SCAN_BOOK_MAX);
	struct error why = {0};
	struct bytes schema, whose;

	if (!file_read(b->path, &text, &why)) {
		if (why.code == ERR_NOTFOUND)
			return begin(b, origin, err);
		*err = why;
		return false;
	}
	if (!json_parse(buf_bytes(&text), SCAN_BOOK_MAX, &b->root, &why)) {
		if (why.code != ERR_INTERNAL)
			return scan_book_broken(b, err);
		*err = why;
		return false;
	}
	if (!text_of(b->root, "schema", &schema) ||
	    !bytes_equal(schema, BYTES_LIT(SCHEMA)) ||
	    !text_of(b->root, "origin", &whose) ||
	    !bytes_equal(whose, origin) ||
	    !json_is_array(json_object_get(b->root, "watched")) ||
	    !json_is_object(json_object_get(b->root, "found")))
		return scan_book_broken(b, err);
	return true;
}

struct scan_book *
scan_book_open(const char *dir, struct bytes origin, struct error *err)
{
	struct scan_book *b = calloc(1, sizeof(*b));

	if (!b) {
		(void)no_memory(err);
		return NULL;
	}
	if (!set_path(b, dir, origin, err) || !read_book(b, origin, err)) {
		scan_book_close(b);
		return NULL;
	}
	b->found = json_object_get(b->root, "found");
	return b;
}

void
scan_book_close(struct scan_book *b)
{
	if (!b)
		return;
	json_decref(b->root);
	free(b->path);
	free(b);
}

bool
scan_book_write(struct scan_book *b, struct error *err)
{
	return json_file_write(b->path, b->root, SCAN_BOOK_MAX, err) ||
	    (err->code == ERR_LIMIT &&
		error_prefix(err,
		    "the policy's signers have more entries than a scan "
		    "keeps"));
}

bool
scan_book_restart(struct scan_book *b, struct error *err)
{
	struct frontier none = {0};

	(void)json_object_del(b->root, "head");
	return json_object_clear(b->found) == 0
	    ? scan_book_put_frontier(b, &none, err)
	    : no_memory(err);
}

bool
scan_book_head(const struct scan_book *b, const char *name,
    struct scan_head *out, struct error *err)
{
	const json_t *v = json_object_get(b->root, name);

	*out = (struct scan_head){.there = v != NULL};
	if (!v)
		return true;
	out->dated = json_object_get(v, "time") != NULL;
	return (json_decimal(json_object_get(v, "size"), &out->size) &&
		   hash_of(json_object_get(v, "root"), &out->root) &&
		   text_of(v, "checkpoint", &out->note) &&
		   (!out->dated ||
		       json_decimal(json_object_get(v, "time"), &out->time))) ||
	    scan_book_broken(b, err);
}

bool
scan_book_put_head(struct scan_book *b, const char *name,
    const struct scan_head *head, struct error *err)
{
	json_t *v = json_pack("{s:o,s:o,s:s#}", "size", decimal(head->size),
	    "root", scan_hex(hash_bytes(&head->root)), "checkpoint",
	    (const char *)head->note.ptr, head->note.len);

	if (v && head->dated &&
	    json_object_set_new(v, "time", decimal(head->time)) != 0) {
		json_decref(v);
		v = NULL;
	}
	return (v && json_object_set_new(b->root, name, v) == 0) ||
	    no_memory(err);
}

bool
scan_book_frontier(
    const struct scan_book *b, struct frontier *out, struct error *err)
{
	const json_t *v = json_object_get(b->root, "scanned");
	const json_t *list = json_object_get(v, "frontier");
	size_t n = 0;

	*out = (struct frontier){0};
	if (!json_decimal(json_object_get(v, "size"), &out->size))
		return scan_book_broken(b, err);
	for (unsigned k = 0; k < 63; k++)
		if ((out->size >> k & 1) != 0 &&
		    !hash_of(json_array_get(list, n++), &out->node[k]))
			return scan_book_broken(b, err);
	return json_array_size(list) == n || scan_book_broken(b, err);
}

bool
scan_book_put_frontier(
    struct scan_book *b, const struct frontier *f, struct error *err)
{
	json_t *list = json_array();
	json_t *v;

	for (unsigned k = 0; k < 63; k++)
		if ((f->size >> k & 1) != 0 &&
		    json_array_append_new(
			list, scan_hex(hash_bytes(&f->node[k]))) != 0) {
			json_decref(list);
			return no_memory(err);
		}
	v = json_pack("{s:o,s:o}", "size", decimal(f->size), "frontier", list);
	return (v && json_object_set_new(b->root, "scanned", v) == 0) ||
	    no_memory(err);
}

bool
scan_found_read(const struct scan_book *b, const json_t *v,
    struct scan_found *out, struct error *err)
{
	const json_t *s = json_object_get(v, "statement");

	*out = (struct scan_found){
	    .by = json_object_get(v, "by"),
	    .about = json_object_get(v, "about"),
	    .proven = json_is_true(json_object_get(v, "proven")),
	};
	if (!json_decimal(json_object_get(v, "index"), &out->index) ||
	    !text_of(v, "digest", &out->digest) ||
	    !hash_of(json_object_get(v, "key"), &out->key) ||
	    !json_is_array(out->by) || !text_of(v, "missing", &out->missing) ||
	    !text_of(v, "kind", &out->kind) ||
	    !text_of(v, "name", &out->name) ||
	    !text_of(v, "leaf", &out->leaf) ||
	    !text_of(v, "bundle", &out->bundle) ||
	    (out->kind.len > 0) == (out->missing.len > 0) ||
	    (out->kind.len > 0 && !hash_of(s, &out->statement)))
		return scan_book_broken(b, err);
	return true;
}

const char *
scan_kind_word(enum statement_kind kind)
{
	switch (kind) {
	case STATEMENT_MODEL:
		return "model";
	case STATEMENT_APPROVAL:
		return "approval";
	case STATEMENT_WITHDRAWAL:
		return "withdrawal";
	case STATEMENT_REVOCATION:
		return "key-revocation";
	case STATEMENT_STATUS:
		return "status";
	case STATEMENT_MODEL_V02:
		break;
	}
	return "other";
}

bool
scan_is_kind(const struct scan_found *f, enum statement_kind kind)
{
	return bytes_equal(f->kind, bytes_str(scan_kind_word(kind)));
}

void
scan_credential_id(struct hasher *h, const struct policy *p,
    const struct policy_credential *c, struct hash *out)
{
	uint8_t kind = (uint8_t)c->kind, name = (uint8_t)c->name.kind;
	struct hash parts[5] = {0};

	sha256(h, bytes_of(&kind, 1), &parts[0]);
	parts[1] = c->key;
	if (c->kind != POLICY_KEY)
		sha256(h, p->cas[c->ca].der, &parts[2]);
	if (c->kind == POLICY_CERT)
		sha256_two(h, bytes_of(&name, 1), c->name.value, &parts[3]);
	sha256(h, c->issuer, &parts[4]);
	sha256(h, bytes_of(parts, sizeof(parts)), out);
}

bool
scan_book_watches(const struct scan_book *b, const struct policy *p, bool *out,
    struct error *err)
{
	const json_t *list = json_object_get(b->root, "watched");
	AUTO(hasher) h = {0};
	struct hash id;

	*out = true;
	if (!hasher_open(&h, err))
		return false;
	for (size_t i = 0; i < p->credential_count; i++) {
		scan_credential_id(&h, p, &p->credentials[i], &id);
		*out = *out && scan_list_has(list, &id);
	}
	return hasher_ok(&h, err);
}

bool
scan_book_watch(struct scan_book *b, const struct policy *p, struct error *err)
{
	json_t *list = json_array();
	AUTO(hasher) h = {0};
	struct hash id;
	bool ok = list != NULL;

	if (!hasher_open(&h, err)) {
		json_decref(list);
		return false;
	}
	for (size_t i = 0; ok && i < p->credential_count; i++) {
		scan_credential_id(&h, p, &p->credentials[i], &id);
		ok =
		    json_array_append_new(list, scan_hex(hash_bytes(&id))) == 0;
	}
	if (!ok) {
		json_decref(list);
		return no_memory(err);
	}
	return hasher_ok(&h, err) &&
	    (json_object_set_new(b->root, "watched", list) == 0 ||
		no_memory(err));
}
