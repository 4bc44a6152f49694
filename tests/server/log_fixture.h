/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_LOG_FIXTURE_H
#define MTLOG_TESTS_LOG_FIXTURE_H

/*
 * What the tests of the writing side share: entries that follow from their
 * numbers, a log in memory with a look-up index in a folder of its own, and a
 * store backend that fails, or returns other bytes, on demand.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/model/entry.h"
#include "core/tlog/frontier.h"
#include "core/model/dsse.h"
#include "io/file.h"
#include "server/catalog.h"
#include "server/lookup.h"
#include "server/signer.h"
#include "server/tree.h"

#define NONE	   UINT64_MAX
#define CACHE	   (1u << 20)
#define IDENTITY   42 /* of the store, as the guard has it */
#define OTHER_LOGS (1u << 30)

static inline void
must(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s (%s)", err->text, error_reason_name(err));
}

static inline void
refused(
    bool ok, const struct error *err, enum error_code code, const char *reason)
{
	assert_false(ok);
	if (err->code != code)
		fail_msg("%s: %s", error_code_name(err->code), err->text);
	assert_string_equal(error_reason_name(err), reason);
}

/* The canonical leaf of entry `i`: one of three signers, a digest of its own.
 */
static inline void
leaf_make(uint64_t i, struct buf *out)
{
	AUTO(buf) spki = BUF_INIT(64);
	AUTO(entry) e = {0};
	uint8_t raw[32], digest[64] = {0}, signature[64];
	struct error err = {0};

	memset(raw, (int)(i % 3) + 1, sizeof(raw));
	memset(signature, (int)(i % 251), sizeof(signature));
	for (unsigned k = 0; k < 8; k++)
		digest[k] = (uint8_t)(i >> (8 * k));
	ed25519_spki_put(&spki, BYTES_OF(raw));
	must(entry_fill(&e, BYTES_OF(digest), BYTES_OF(signature),
		 buf_bytes(&spki), false, &err),
	    &err);
	entry_format(&e, out);
	must(buf_ok(out, &err), &err);
}

/* The payload of statement `n`: an approval of what has this number. */
static inline void
statement_make(uint64_t n, struct buf *out)
{
	struct statement_subject subject = {.name = BYTES_LIT("acme/model")};
	struct statement s = {
	    .kind = STATEMENT_APPROVAL,
	    .subject_count = 1,
	    .subjects = &subject,
	    .role = BYTES_LIT("review"),
	};
	struct error err = {0};

	for (unsigned k = 0; k < 8; k++)
		subject.digest.b[k] = (uint8_t)(n >> (8 * k));
	statement_format(&s, out);
	must(buf_ok(out, &err), &err);
}

/* The leaf by which signer `who` logs an envelope with this payload. */
static inline void
statement_leaf_make(struct bytes payload, unsigned who, struct buf *out)
{
	AUTO(buf) spki = BUF_INIT(64);
	AUTO(entry) e = {0};
	uint8_t raw[32], digest[64], signature[64] = {1};
	struct error err = {0};

	memset(raw, (int)who + 1, sizeof(raw));
	ed25519_spki_put(&spki, BYTES_OF(raw));
	must(dsse_digest(
		 DIGEST_SHA512, BYTES_LIT(DSSE_IN_TOTO), payload, digest, &err),
	    &err);
	must(entry_fill(&e, BYTES_OF(digest), BYTES_OF(signature),
		 buf_bytes(&spki), false, &err),
	    &err);
	entry_format(&e, out);
	must(buf_ok(out, &err), &err);
}

/* The link of that entry, at `index`. Borrows from `payload`. */
static inline struct store_link
statement_link(
    struct hasher *h, struct bytes payload, unsigned who, uint64_t index)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(entry) e = {0};
	struct store_link link;
	struct error err = {0};

	statement_leaf_make(payload, who, &leaf);
	must(entry_parse(buf_bytes(&leaf), &e, &err), &err);
	must(
	    envelope_link(h, BYTES_LIT(DSSE_IN_TOTO), payload, &e, &link, &err),
	    &err);
	link.index = index;
	return link;
}

/* What the store does wrong. Set while nobody uses it; see faulty_none. */
static struct {
	uint64_t identity;
	enum error_code size, identify, append, truncate, settle, compact;
	enum error_code put_tile, reader, entries, tile, envelope;
	bool other_envelope;	  /* read back with a changed byte */
	const char *reason;	  /* instead of the usual one */
	bool append_anyway;	  /* the entries are there although it failed */
	uint64_t other_entry;	  /* read back as another sound entry */
	uint64_t bad_entry[2];	  /* read back as no entry at all */
	uint64_t no_entry;	  /* not found */
	uint64_t no_tile;	  /* of level 0: not found */
	unsigned appends, writes; /* calls; `writes` counts all that write */
} faulty;

static inline void
faulty_none(void)
{
	memset(&faulty, 0, sizeof(faulty));
	faulty.identity = IDENTITY;
	faulty.other_entry = faulty.no_entry = faulty.no_tile = NONE;
	faulty.bad_entry[0] = faulty.bad_entry[1] = NONE;
}

static inline bool
goes_well(enum error_code code, struct error *err)
{
	if (code == ERR_NONE)
		return true;
	return error_reason(err, code,
	    faulty.reason		  ? faulty.reason
		: code == ERR_UNAVAILABLE ? "disk-full"
					  : "store-unknown",
	    "the store was made to fail");
}

static inline bool
faulty_size(struct store *s, uint64_t *out, struct error *err)
{
	return goes_well(faulty.size, err) && store_memory.size(s, out, err);
}

static inline bool
faulty_identity(struct store *s, uint64_t *out, struct error *err)
{
	(void)s;
	*out = faulty.identity;
	return goes_well(faulty.identify, err);
}

static inline bool
faulty_append(
    struct store *s, const struct store_batch *batch, struct error *err)
{
	faulty.appends++;
	faulty.writes++;
	if (faulty.append != ERR_NONE && faulty.append_anyway)
		must(store_memory.append(s, batch, err), err);
	return goes_well(faulty.append, err) &&
	    store_memory.append(s, batch, err);
}

static inline bool
faulty_truncate(struct store *s, uint64_t size, struct error *err)
{
	faulty.writes++;
	return goes_well(faulty.truncate, err) &&
	    store_memory.truncate(s, size, err);
}

static inline bool
faulty_settle(struct store *s, struct error *err)
{
	faulty.writes++;
	return goes_well(faulty.settle, err) && store_memory.settle(s, err);
}

static inline bool
faulty_compact(struct store *s, struct error *err)
{
	return goes_well(faulty.compact, err) && store_memory.compact(s, err);
}

static inline bool
faulty_put_tile(
    struct store *s, const struct store_tile *tile, struct error *err)
{
	faulty.writes++;
	return goes_well(faulty.put_tile, err) &&
	    store_memory.put_tile(s, tile, err);
}

static inline struct store_reader *
faulty_reader_open(struct store *s, struct error *err)
{
	return goes_well(faulty.reader, err) ? store_memory.reader_open(s, err)
					     : NULL;
}

struct each_call {
	bool (*each)(
	    void *arg, uint64_t index, struct bytes leaf, struct error *err);
	void *arg;
};

static inline bool
faulty_each(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	AUTO(buf) other = BUF_INIT(ENTRY_LEAF_MAX);
	const struct each_call *call = arg;

	if (index == faulty.no_entry)
		return error_reason(
		    err, ERR_IO, "store-missing", "made to be missing");
	if (index == faulty.bad_entry[0] || index == faulty.bad_entry[1])
		leaf = BYTES_LIT("no entry");
	if (index == faulty.other_entry) {
		leaf_make(index + OTHER_LOGS, &other);
		leaf = buf_bytes(&other);
	}
	return call->each(call->arg, index, leaf, err);
}

static inline bool
faulty_read_entries(struct store_reader *r, uint64_t first, uint64_t count,
    bool (*each)(
	void *arg, uint64_t index, struct bytes leaf, struct error *err),
    void *arg, struct error *err)
{
	struct each_call call = {each, arg};

	return goes_well(faulty.entries, err) &&
	    store_memory.read_entries(r, first, count, faulty_each, &call, err);
}

static inline bool
faulty_read_tile(struct store_reader *r, uint8_t level, uint64_t index,
    struct hash out[TILE_WIDTH], struct error *err)
{
	if (level == 0 && index == faulty.no_tile)
		return error_reason(
		    err, ERR_IO, "store-missing", "made to be missing");
	return goes_well(faulty.tile, err) &&
	    store_memory.read_tile(r, level, index, out, err);
}

static inline bool
faulty_read_envelope(struct store_reader *r, struct bytes digest, uint64_t size,
    struct store_envelope *out, struct error *err)
{
	bool ok = goes_well(faulty.envelope, err) &&
	    store_memory.read_envelope(r, digest, size, out, err);

	if (ok && out && faulty.other_envelope && out->payload.len > 0)
		out->payload.ptr[0] ^= 1;
	return ok;
}

static inline bool
faulty_find_link(struct store_reader *r, const struct hash *s,
    const struct hash *signer, uint64_t *index, struct error *err)
{
	return goes_well(faulty.envelope, err) &&
	    store_memory.find_link(r, s, signer, index, err);
}

static inline bool
faulty_read_links(struct store_reader *r, uint64_t after,
    bool (*each)(void *arg, const struct store_link *link, struct error *err),
    void *arg, struct error *err)
{
	return goes_well(faulty.envelope, err) &&
	    store_memory.read_links(r, after, each, arg, err);
}

static inline bool
faulty_count_envelopes(
    struct store_reader *r, struct store_envelopes *out, struct error *err)
{
	return goes_well(faulty.envelope, err) &&
	    store_memory.count_envelopes(r, out, err);
}

static inline void
faulty_reader_close(struct store_reader *r)
{
	store_memory.reader_close(r);
}

static const struct store_backend store_faulty = {
    .name = "faulty",
    .size = faulty_size,
    .identity = faulty_identity,
    .append = faulty_append,
    .truncate = faulty_truncate,
    .settle = faulty_settle,
    .compact = faulty_compact,
    .put_tile = faulty_put_tile,
    .reader_open = faulty_reader_open,
    .reader_close = faulty_reader_close,
    .read_entries = faulty_read_entries,
    .read_tile = faulty_read_tile,
    .read_envelope = faulty_read_envelope,
    .find_link = faulty_find_link,
    .read_links = faulty_read_links,
    .count_envelopes = faulty_count_envelopes,
};

/* A log in memory, its tree, and the hashes of all its leaves. */
struct small_log {
	struct store *store;
	struct tree *tree;
	struct hasher hasher;
	struct hash *leaves;
	uint64_t size;
	char dir[64];
	struct index_file *index;
	struct lookup *lookup;
};

static inline void
log_open(struct small_log *l)
{
	struct error err = {0};

	*l = (struct small_log){0};
	faulty_none();
	must(hasher_open(&l->hasher, &err), &err);
	l->store = store_memory.open("", false, &err);
	assert_non_null(l->store);
	l->tree = tree_open(&store_faulty, l->store, CACHE, &err);
	assert_non_null(l->tree);
	(void)snprintf(l->dir, sizeof(l->dir), "/tmp/test_log.XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	l->index = index_open(l->dir, false, &err);
	must(l->index != NULL, &err);
	l->lookup = lookup_open(l->index, &err);
	must(l->lookup != NULL, &err);
}

static inline void
log_close(struct small_log *l)
{
	static const char *const names[] = {
	    "index.db", "index.db-wal", "index.db-shm"};

	lookup_close(l->lookup);
	index_close(l->index);
	tree_close(l->tree);
	store_memory.close(l->store);
	hasher_release(&l->hasher);
	free(l->leaves);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s/%s", l->dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(l->dir), 0);
}

/* The tree as a new process has it: empty. */
static inline void
log_forget_tree(struct small_log *l)
{
	struct error err = {0};

	tree_close(l->tree);
	l->tree = tree_open(&store_faulty, l->store, CACHE, &err);
	assert_non_null(l->tree);
}

/* Notes one more leaf, without storing it. */
static inline void
log_note(struct small_log *l, struct bytes leaf)
{
	if ((l->size & (l->size - 1)) == 0) {
		size_t cap = l->size ? (size_t)l->size * 2 : 1;

		l->leaves = reallocarray(l->leaves, cap, sizeof(*l->leaves));
		assert_non_null(l->leaves);
	}
	merkle_leaf(&l->hasher, leaf, &l->leaves[l->size++]);
}

/* Stores `count` more entries and their tiles; entry `bad` is no entry. */
static inline void
log_grow_with(struct small_log *l, size_t count, uint64_t bad)
{
	struct buf *texts = calloc(count + 1, sizeof(*texts));
	struct bytes *leaves = calloc(count + 1, sizeof(*leaves));
	struct store_batch b = {
	    .first = l->size, .count = count, .leaves = leaves};
	struct error err = {0};

	for (size_t i = 0; i < count; i++) {
		buf_init(&texts[i], ENTRY_LEAF_MAX);
		if (b.first + i == bad)
			buf_put_str(&texts[i], "no entry");
		else
			leaf_make(b.first + i, &texts[i]);
		leaves[i] = buf_bytes(&texts[i]);
		log_note(l, leaves[i]);
	}
	must(tree_append(l->tree, &l->leaves[b.first], count, &err), &err);
	b.tile_count = tree_fresh(l->tree, &b.tiles);
	must(store_memory.append(l->store, &b, &err), &err);
	tree_commit(l->tree);
	for (size_t i = 0; i < count; i++)
		buf_release(&texts[i]);
	free(texts);
	free(leaves);
}

static inline void
log_grow(struct small_log *l, size_t count)
{
	log_grow_with(l, count, NONE);
}

/* Stores one more entry, a statement's, with its link and envelope; the link's
 * number. */
static inline uint64_t
log_grow_statement(struct small_log *l, uint64_t n, unsigned who)
{
	AUTO(buf) payload = BUF_INIT(4096);
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	struct store_link link;
	struct bytes text;
	struct store_batch b = {.first = l->size,
	    .count = 1,
	    .leaves = &text,
	    .link_count = 1,
	    .links = &link};
	struct error err = {0};

	statement_make(n, &payload);
	statement_leaf_make(buf_bytes(&payload), who, &leaf);
	text = buf_bytes(&leaf);
	link = statement_link(&l->hasher, buf_bytes(&payload), who, l->size);
	log_note(l, text);
	must(tree_append(l->tree, &l->leaves[b.first], 1, &err), &err);
	b.tile_count = tree_fresh(l->tree, &b.tiles);
	must(store_memory.append(l->store, &b, &err), &err);
	tree_commit(l->tree);
	return link.id;
}

/* The entries that the look-up has for statement `n`, by whomever. */
static inline size_t
log_find_statement(struct small_log *l, uint64_t n, uint64_t out[8])
{
	AUTO(buf) payload = BUF_INIT(4096);
	struct catalog_key key;
	struct store_link link;
	struct error err = {0};
	uint64_t complete;
	size_t count = 0;

	statement_make(n, &payload);
	link = statement_link(&l->hasher, buf_bytes(&payload), 0, 0);
	catalog_key(&l->hasher, INDEX_STATEMENT, hash_bytes(&link.s),
	    (struct bytes){0}, &key);
	must(lookup_find(l->lookup, key.kind, &key.key, 0, false, 8, out,
		 &count, &complete, &err),
	    &err);
	return count;
}

/* The root of the first `size` leaves, computed without the server's tree. */
static inline struct hash
log_root(struct small_log *l, uint64_t size)
{
	struct frontier f = {0};
	struct hash root;

	assert_true(size <= l->size);
	for (uint64_t i = 0; i < size; i++)
		frontier_append(&l->hasher, &f, &l->leaves[i]);
	frontier_root(&l->hasher, &f, &root);
	return root;
}

static inline uint64_t
log_stored(struct small_log *l)
{
	struct error err = {0};
	uint64_t size = NONE;

	must(store_memory.size(l->store, &size, &err), &err);
	return size;
}

static inline bool
log_same_leaf(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct small_log *l = arg;
	struct hash hash;

	merkle_leaf(&l->hasher, leaf, &hash);
	return hash_equal(&hash, &l->leaves[index]) ||
	    error_set(err, ERR_INTERNAL, "entry %d differs", (int)index);
}

/* The store has the log's entries, and no others. */
static inline void
log_store_agrees(struct small_log *l)
{
	struct error err = {0};
	struct store_reader *r = store_memory.reader_open(l->store, &err);

	assert_int_equal(log_stored(l), l->size);
	must(store_memory.read_entries(r, 0, l->size, log_same_leaf, l, &err),
	    &err);
	store_memory.reader_close(r);
}

/* The server's tree has `size` leaves and their root. */
static inline void
log_tree_agrees(struct small_log *l, uint64_t size)
{
	AUTO(tree_cursor) c = {0};
	struct node_reader nodes = tree_nodes(&c);
	struct hash want = log_root(l, size), got;
	struct error err = {0};

	assert_int_equal(tree_size(l->tree), size);
	must(tree_cursor_open(&c, l->tree, &err), &err);
	must(merkle_root(&c.hasher, &nodes, size, &got, &err), &err);
	assert_true(hash_equal(&want, &got));
}

/* Overwrites a stored tile with one that differs in a bit. */
static inline void
log_spoil_tile(struct small_log *l, uint8_t level, uint64_t index)
{
	struct error err = {0};
	struct store_reader *r = store_memory.reader_open(l->store, &err);
	struct hash tile[TILE_WIDTH];
	struct store_tile changed = {level, index, tile[0].b};

	must(store_memory.read_tile(r, level, index, tile, &err), &err);
	tile[TILE_WIDTH / 2].b[7] ^= 0x10;
	must(store_memory.put_tile(l->store, &changed, &err), &err);
	store_memory.reader_close(r);
}

/* Lets the signer sign the head of `to` entries, the last one being `from`. */
static inline void
log_sign(struct small_log *l, struct signer *signer, uint64_t from, uint64_t to,
    struct buf *note)
{
	AUTO(tree_cursor) c = {0};
	struct node_reader nodes = tree_nodes(&c);
	struct hash root = log_root(l, to);
	struct proof proof = {0};
	struct error err = {0};

	must(tree_cursor_open(&c, l->tree, &err), &err);
	if (from > 0 && from < to)
		must(proof_consistency(
			 &c.hasher, &nodes, from, to, &proof, &err),
		    &err);
	must(
	    signer_sign(signer, to, &root, &proof, IDENTITY, note, &err), &err);
}

/* A folder with a key and a guard, and the signer that they belong to. */
struct signer_place {
	char folder[64], key[96], guard[96];
	struct signer_options options;
	struct vkey vkey;
	struct signer *signer;
	struct signer_hello hello;
};

/* A folder with a key; place_init makes the guard. */
static inline void
place_open(struct signer_place *p)
{
	AUTO(buf) pem = BUF_INIT(16384);
	struct error err = {0};
	struct private_key *key = private_key_generate(KEY_ED25519, &err);

	*p = (struct signer_place){0};
	must(key != NULL, &err);
	must(private_key_format(key, bytes_str(""), &pem, &err), &err);
	private_key_close(key);
	(void)snprintf(p->folder, sizeof(p->folder), "/tmp/test_log.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	(void)snprintf(p->key, sizeof(p->key), "%s/key", p->folder);
	(void)snprintf(p->guard, sizeof(p->guard), "%s/guard", p->folder);
	must(file_create(p->key, buf_bytes(&pem), 0600, &err), &err);
	p->options = (struct signer_options){
	    .key_path = p->key,
	    .guard_path = p->guard,
	    .origin = "log.example.org",
	    .lock_wait_ms = 2000,
	};
}

static inline void
place_start(struct signer_place *p)
{
	struct error err = {0};

	p->signer = signer_start(&p->options, &p->hello, &err);
	must(p->signer != NULL, &err);
}

static inline void
place_init(struct signer_place *p)
{
	struct error err = {0};

	must(signer_init(&p->options, IDENTITY, &p->vkey, &err), &err);
	place_start(p);
	assert_int_equal(p->hello.guard, SIGNER_GUARD_OK);
}

/* The process, not the folder; place_start begins another. */
static inline void
place_stop(struct signer_place *p)
{
	signer_close(p->signer);
	p->signer = NULL;
}

static inline void
place_close(struct signer_place *p)
{
	place_stop(p);
	(void)unlink(p->guard);
	(void)unlink(p->key);
	assert_int_equal(rmdir(p->folder), 0);
}

/* What the guard says now. */
static inline struct guard_state
place_guard(const struct signer_place *p)
{
	struct guard_state s;
	struct error err = {0};

	must(guard_read(p->guard, &s, &err), &err);
	return s;
}

/* Never a number that kill() takes for more than one process. */
static inline void
place_kill(const struct signer_place *p)
{
	pid_t pid = signer_pid(p->signer);

	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
}

/* `note` verifies under the log's key and is a head of the first `size`
 * leaves. */
static inline void
place_signed(const struct signer_place *p, struct small_log *l,
    struct bytes note, uint64_t size)
{
	struct error err = {0};
	struct key_verifier *verifier = key_verifier_open(&err);
	struct hash root = log_root(l, size);
	struct checkpoint c;

	must(checkpoint_open(note, &p->vkey, verifier, &c, &err), &err);
	assert_int_equal(c.size, size);
	assert_true(hash_equal(&c.root, &root));
	key_verifier_close(verifier);
}

/* The same, and it is what the guard has. */
static inline void
place_newest(const struct signer_place *p, struct small_log *l,
    struct bytes note, uint64_t size)
{
	struct guard_state guard = place_guard(p);

	place_signed(p, l, note, size);
	assert_true(bytes_equal(note, bytes_of(guard.note, guard.note_len)));
	assert_int_equal(guard.store_identity, IDENTITY);
}

/* Rows 3i, 3i+1, 3i+2 are what the index has for entry i. The caller frees. */
static inline struct index_row *
log_rows(struct small_log *l, uint64_t count)
{
	struct index_row *rows =
	    calloc((size_t)count * LOOKUP_ROWS + 1, sizeof(*rows));

	for (uint64_t i = 0; i < count; i++) {
		AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
		AUTO(entry) e = {0};
		struct lookup_keys keys;
		struct error err = {0};

		leaf_make(i, &leaf);
		must(entry_parse(buf_bytes(&leaf), &e, &err), &err);
		lookup_keys_of(&l->hasher, &e, &l->leaves[i], &keys);
		rows[3 * i] = (struct index_row){INDEX_LEAF, keys.leaf, i};
		rows[3 * i + 1] =
		    (struct index_row){INDEX_DIGEST, keys.digest, i};
		rows[3 * i + 2] =
		    (struct index_row){INDEX_SIGNER, keys.signer, i};
	}
	return rows;
}

/* The first entries that the look-up has for one key of kind `kind`. */
static inline size_t
log_find(struct small_log *l, enum index_kind kind, const struct hash *key,
    uint64_t out[8])
{
	struct error err = {0};
	uint64_t complete;
	size_t n = 0;

	must(lookup_find(
		 l->lookup, kind, key, 0, false, 8, out, &n, &complete, &err),
	    &err);
	return n;
}

/* The look-up finds each of the leaves [first, end), once. */
static inline void
log_found(struct small_log *l, uint64_t first, uint64_t end)
{
	for (uint64_t i = first; i < end; i++) {
		uint64_t at[8];

		assert_int_equal(log_find(l, INDEX_LEAF, &l->leaves[i], at), 1);
		assert_int_equal(at[0], i);
	}
}

#endif
