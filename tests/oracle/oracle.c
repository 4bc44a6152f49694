/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C side of the comparison with golang.org/x/mod/sumdb: answers one line
 * for each line on standard input. Words are separated by one space, hashes
 * and other bytes are hex ("-" for none). Answers: "ok", "refused", or data;
 * they are sent off at the next empty line, so that questions can come in
 * batches.
 *
 *	tree SEED SIZE             root of a new tree; entry i is "SEED.i"
 *	root SIZE                  root of its first SIZE leaves
 *	inclusion INDEX SIZE       hashes of the proof
 *	consistency OLD NEW        hashes of the proof
 *	check-inclusion INDEX SIZE LEAF ROOT HASH...
 *	check-consistency OLD NEW OLDROOT NEWROOT HASH...
 *	tile PATH SIZE             contents of a tile or entry bundle
 *	path BYTES                 the path in BYTES, parsed and written again
 *	key NAME PEM               vkey of a private key, used from now on
 *	sign TEXT                  signed note of this text
 *	checkpoint SIZE ROOT       signed checkpoint
 *	cosign NAME TIME TEXT      cosignature's line by that key under this name
 *	check-note VKEY NOTE       text of the note
 *	check-cosigned VKEY NOTE   earliest and latest time by a witness's key
 *	check-checkpoint VKEY NOTE size and root
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/tlog/checkpoint.h"
#include "core/tlog/cosignature.h"
#include "core/tlog/entries.h"
#include "core/tlog/proof.h"
#include "core/tlog/tile.h"
#include "tests/support/memory_tree.h"
#include "tests/support/vector_file.h"

#define ANSWER_MAX (1 << 20)

struct oracle {
	struct hasher hasher;
	struct memory_tree tree;
	char seed[32];
	struct key_verifier *verifier;
	struct private_key *key;
	struct vkey vkey;
};

static void
die(const char *what)
{
	(void)fprintf(stderr, "oracle: %s\n", what);
	exit(2);
}

static void
need(bool ok, const struct error *err)
{
	if (!ok)
		die(err->text[0] ? err->text : "bad command");
}

static uint64_t
number(struct reader *words)
{
	uint64_t n;

	if (!vector_number(words, &n))
		die("a number is missing");
	return n;
}

static struct hash
hash_word(struct reader *words)
{
	struct hash h;

	if (!vector_hash(words, &h))
		die("a hash is missing");
	return h;
}

/* Takes a word of hex and appends its bytes to `out`. */
static void
hex_word(struct reader *words, struct buf *out)
{
	struct bytes word;
	uint8_t *p;

	if (!vector_word(words, &word))
		die("bytes are missing");
	if (bytes_equal(word, BYTES_LIT("-")))
		return;
	p = buf_reserve(out, word.len / 2);
	if (!p || !hex_decode(word, p, word.len / 2))
		die("not hex");
	buf_grow(out, word.len / 2);
}

static void
put_hex(struct buf *out, struct bytes in)
{
	if (in.len == 0)
		buf_put_u8(out, '-');
	hex_put(out, in);
}

static void
put_verdict(struct buf *out, bool ok, const struct error *err)
{
	if (!ok && err->code == ERR_NONE)
		die("refused without an error");
	buf_put_str(out, ok ? "ok" : "refused");
}

static size_t
entry_text(const struct oracle *o, uint64_t index, char text[64])
{
	return (size_t)snprintf(text, 64, "%s.%" PRIu64, o->seed, index);
}

static void
do_root(struct oracle *o, struct reader *words, struct buf *out)
{
	uint64_t size = number(words);
	struct node_reader nodes = memory_tree_nodes(&o->tree, size);
	struct error err = {0};
	struct hash root;

	need(merkle_root(&o->hasher, &nodes, size, &root, &err), &err);
	put_hex(out, hash_bytes(&root));
}

static void
do_tree(struct oracle *o, struct reader *words, struct buf *out)
{
	struct reader size_word;
	struct bytes seed;
	uint64_t size;

	if (!vector_word(words, &seed) || seed.len >= sizeof(o->seed))
		die("no seed");
	memcpy(o->seed, seed.ptr, seed.len);
	o->seed[seed.len] = '\0';
	size_word = *words;
	size = number(words);
	memory_tree_release(&o->tree);
	memory_tree_init(&o->tree, size);
	for (uint64_t i = 0; i < size; i++) {
		char text[64];
		size_t n = entry_text(o, i, text);
		struct hash leaf;

		merkle_leaf(&o->hasher, bytes_of(text, n), &leaf);
		memory_tree_add(&o->tree, &o->hasher, &leaf);
	}
	do_root(o, &size_word, out);
}

static void
put_proof(struct buf *out, const struct proof *p)
{
	if (p->len == 0)
		buf_put_u8(out, '-');
	for (size_t i = 0; i < p->len; i++) {
		if (i > 0)
			buf_put_u8(out, ' ');
		hex_put(out, hash_bytes(&p->hashes[i]));
	}
}

static void
read_proof(struct reader *words, struct proof *p)
{
	p->len = 0;
	while (!reader_done(words)) {
		if (p->len == PROOF_MAX_HASHES)
			die("a proof too long for this program");
		p->hashes[p->len++] = hash_word(words);
	}
}

static void
do_inclusion(struct oracle *o, struct reader *words, struct buf *out)
{
	uint64_t index = number(words), size = number(words);
	struct node_reader nodes = memory_tree_nodes(&o->tree, size);
	struct error err = {0};
	struct proof p;

	need(proof_inclusion(&o->hasher, &nodes, index, size, &p, &err), &err);
	put_proof(out, &p);
}

static void
do_consistency(struct oracle *o, struct reader *words, struct buf *out)
{
	uint64_t old_size = number(words), new_size = number(words);
	struct node_reader nodes = memory_tree_nodes(&o->tree, new_size);
	struct error err = {0};
	struct proof p;

	need(
	    proof_consistency(&o->hasher, &nodes, old_size, new_size, &p, &err),
	    &err);
	put_proof(out, &p);
}

static void
do_check_inclusion(struct oracle *o, struct reader *words, struct buf *out)
{
	uint64_t index = number(words), size = number(words);
	struct hash leaf = hash_word(words), root = hash_word(words);
	struct error err = {0};
	struct proof p;

	read_proof(words, &p);
	put_verdict(out,
	    proof_verify_inclusion(
		&o->hasher, index, size, &leaf, &p, &root, &err),
	    &err);
}

static void
do_check_consistency(struct oracle *o, struct reader *words, struct buf *out)
{
	uint64_t old_size = number(words), new_size = number(words);
	struct hash old_root = hash_word(words), new_root = hash_word(words);
	struct error err = {0};
	struct proof p;

	read_proof(words, &p);
	put_verdict(out,
	    proof_verify_consistency(
		&o->hasher, old_size, new_size, &old_root, &new_root, &p, &err),
	    &err);
}

static void
put_bundle(const struct oracle *o, struct tile_place place, struct buf *out)
{
	AUTO(buf) bundle = BUF_INIT(ANSWER_MAX);

	for (uint64_t i = 0; i < place.width; i++) {
		char text[64];
		size_t n = entry_text(o, place.index * TILE_WIDTH + i, text);

		entries_put(&bundle, bytes_of(text, n));
	}
	put_hex(out, buf_bytes(&bundle));
}

/* Each hash through tile_of_node and tile_fold of the level below. */
static void
put_tile(struct oracle *o, struct tile_place place, struct buf *out)
{
	const struct hash *leaves = o->tree.level[0];

	for (uint64_t i = 0; i < place.width; i++) {
		uint64_t index = place.index * TILE_WIDTH + i;
		struct hash hash = {{0}};

		if (place.level == 0)
			hash = leaves[index];
		else
			tile_fold(&o->hasher,
			    &o->tree.level[8 * (place.level - 1)]
					  [index * TILE_WIDTH],
			    TILE_WIDTH, &hash);
		hex_put(out, hash_bytes(&hash));
	}
}

static void
do_tile(struct oracle *o, struct reader *words, struct buf *out)
{
	struct tile_place place;
	struct error err = {0};
	struct bytes path;

	if (!vector_word(words, &path))
		die("no path");
	need(tile_path_parse(path, &place, &err), &err);
	if (!tile_exists(place, number(words)))
		buf_put_str(out, "refused");
	else if (place.level == TILE_ENTRIES)
		put_bundle(o, place, out);
	else
		put_tile(o, place, out);
}

static void
do_path(struct oracle *o, struct reader *words, struct buf *out)
{
	AUTO(buf) path = BUF_INIT(1024);
	struct tile_place place;
	struct error err = {0};

	(void)o;
	hex_word(words, &path);
	if (tile_path_parse(buf_bytes(&path), &place, &err))
		tile_path_format(place, out);
	else
		buf_put_str(out, "refused");
}

static void
do_key(struct oracle *o, struct reader *words, struct buf *out)
{
	AUTO(buf) pem = BUF_INIT(4096);
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct public_key public;
	struct error err = {0};
	struct bytes name;

	if (!vector_word(words, &name))
		die("no name");
	hex_word(words, &pem);
	private_key_close(o->key);
	o->key = private_key_parse(buf_bytes(&pem), (struct bytes){0}, &err);
	need(o->key != NULL, &err);
	need(private_key_public(o->key, &spki, &err), &err);
	need(public_key_parse(buf_bytes(&spki), &public, &err), &err);
	need(vkey_init(&o->vkey, name, NOTE_ED25519, public.raw, &err), &err);
	vkey_format(&o->vkey, out);
}

static void
do_sign(struct oracle *o, struct reader *words, struct buf *out)
{
	AUTO(buf) text = BUF_INIT(NOTE_MAX_LEN);
	AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	struct error err = {0};

	hex_word(words, &text);
	need(
	    private_key_sign(o->key, buf_bytes(&text), &signature, &err), &err);
	buf_put(&note, buf_bytes(&text));
	buf_put_u8(&note, '\n');
	note_signature_put(
	    &note, vkey_name(&o->vkey), o->vkey.key_id, buf_bytes(&signature));
	put_hex(out, buf_bytes(&note));
}

static void
do_checkpoint(struct oracle *o, struct reader *words, struct buf *out)
{
	AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);
	struct checkpoint c = {.origin = vkey_name(&o->vkey)};
	struct error err = {0};

	c.size = number(words);
	c.root = hash_word(words);
	need(checkpoint_sign(&c, o->key, &o->vkey, o->verifier, &note, &err),
	    &err);
	put_hex(out, buf_bytes(&note));
}

static void
do_cosign(struct oracle *o, struct reader *words, struct buf *out)
{
	AUTO(buf) text = BUF_INIT(NOTE_MAX_LEN);
	AUTO(buf) line = BUF_INIT(NOTE_MAX_LEN);
	struct vkey witness;
	struct error err = {0};
	struct bytes name;
	uint64_t time;

	if (!vector_word(words, &name))
		die("no name");
	time = number(words);
	hex_word(words, &text);
	need(vkey_init(&witness, name, NOTE_COSIGNATURE,
		 bytes_of(o->vkey.key, o->vkey.key_len), &err),
	    &err);
	need(cosignature_sign(buf_bytes(&text), time, o->key, &witness,
		 o->verifier, &line, &err),
	    &err);
	put_hex(out, buf_bytes(&line));
}

static struct vkey
vkey_word(struct reader *words)
{
	struct error err = {0};
	struct bytes text;
	struct vkey v;

	if (!vector_word(words, &text))
		die("no vkey");
	need(vkey_parse(text, &v, &err), &err);
	return v;
}

static void
do_check_note(struct oracle *o, struct reader *words, struct buf *out)
{
	struct vkey key = vkey_word(words);
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
	AUTO(note) note = {0};
	struct error err = {0};

	hex_word(words, &in);
	if (note_parse(buf_bytes(&in), &note, &err) &&
	    note_verify(&note, &key, o->verifier, &err))
		put_hex(out, note.text);
	else
		buf_put_str(out, "refused");
}

static void
do_check_cosigned(struct oracle *o, struct reader *words, struct buf *out)
{
	struct vkey witness = vkey_word(words);
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
	struct cosignature_times times;
	AUTO(note) note = {0};
	struct error err = {0};

	hex_word(words, &in);
	if (note_parse(buf_bytes(&in), &note, &err) &&
	    cosignature_verify(&note, &witness, o->verifier, &times, &err))
		buf_printf(
		    out, "%" PRIu64 " %" PRIu64, times.first, times.last);
	else
		buf_put_str(out, "refused");
}

static void
do_check_checkpoint(struct oracle *o, struct reader *words, struct buf *out)
{
	struct vkey key = vkey_word(words);
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
	struct checkpoint c;
	struct error err = {0};

	hex_word(words, &in);
	if (!checkpoint_open(buf_bytes(&in), &key, o->verifier, &c, &err)) {
		buf_put_str(out, "refused");
		return;
	}
	buf_put_decimal(out, c.size);
	buf_put_u8(out, ' ');
	hex_put(out, hash_bytes(&c.root));
}

static const struct {
	const char *name;
	void (*run)(struct oracle *o, struct reader *words, struct buf *out);
} commands[] = {
    {"tree", do_tree},
    {"root", do_root},
    {"inclusion", do_inclusion},
    {"consistency", do_consistency},
    {"check-inclusion", do_check_inclusion},
    {"check-consistency", do_check_consistency},
    {"tile", do_tile},
    {"path", do_path},
    {"key", do_key},
    {"sign", do_sign},
    {"checkpoint", do_checkpoint},
    {"cosign", do_cosign},
    {"check-note", do_check_note},
    {"check-cosigned", do_check_cosigned},
    {"check-checkpoint", do_check_checkpoint},
};

static void
answer(struct oracle *o, struct bytes line, struct buf *out)
{
	struct reader words;
	struct bytes name;

	reader_init(&words, line);
	if (!vector_word(&words, &name))
		die("no command");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!bytes_equal(name, bytes_str(commands[i].name)))
			continue;
		commands[i].run(o, &words, out);
		if (!reader_done(&words))
			die("words left over");
		return;
	}
	die("an unknown command");
}

int
main(void)
{
	AUTO(buf) out = BUF_INIT(ANSWER_MAX);
	struct error err = {0};
	struct oracle o = {0};
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	need(hasher_open(&o.hasher, &err), &err);
	o.verifier = key_verifier_open(&err);
	need(o.verifier != NULL, &err);
	while ((n = getline(&line, &room, stdin)) > 0) {
		size_t len = (size_t)n - (line[n - 1] == '\n');

		if (len == 0) {
			if (fflush(stdout) != 0)
				die("nobody listens");
			continue;
		}
		buf_clear(&out);
		answer(&o, bytes_of(line, len), &out);
		buf_put_u8(&out, '\n');
		need(buf_ok(&out, &err) && hasher_ok(&o.hasher, &err), &err);
		if (fwrite(out.ptr, 1, out.len, stdout) != out.len)
			die("nobody listens");
	}
	free(line);
	memory_tree_release(&o.tree);
	private_key_close(o.key);
	key_verifier_close(o.verifier);
	hasher_release(&o.hasher);
	return 0;
}
