/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>

#include <cmocka.h>

#include "client/lib/pins.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/tlog/cosignature.h"
#include "core/tlog/evidence.h"
#include "io/file.h"
#include "tests/support/folder.h"
#include "tests/support/memory_tree.h"
#include "tests/support/tree_tiles.h"

#define LEAVES 40

/*
 * A log that signs what it is told to: `honest` grows, `other` has the same
 * first three entries and then lies.
 */
static struct private_key *key;
static struct vkey vkey, stranger;
static struct private_key *stranger_key;
static struct memory_tree honest, other;
static struct hasher hasher;
static struct key_verifier *verifier;

/* How the log answers when it is asked for consistency. */
static struct answer {
	struct memory_tree *tree;
	const struct error *refuses; /* NULL: it gives the proof of `tree` */
	bool damaged;
	unsigned asked;
	struct memory_tree *tiles;	/* NULL: it has none */
	const struct error *tiles_fail; /* NULL: they do not */
	unsigned tiles_asked;
	/* once: what another process sees while this one waits */
	const struct buf *meanwhile;
} answer;

static struct private_key *
new_key(const char *name, struct vkey *out)
{
	AUTO(buf) spki = BUF_INIT(1024);
	struct error err = {0};
	struct private_key *k = private_key_generate(KEY_ED25519, &err);
	struct public_key public;

	if (!k || !private_key_public(k, &spki, &err) ||
	    !public_key_parse(buf_bytes(&spki), &public, &err) ||
	    !vkey_init(out, bytes_str(name), NOTE_ED25519, public.raw, &err))
		abort();
	return k;
}

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	key = new_key("log.example", &vkey);
	stranger_key = new_key("log.example", &stranger);
	verifier = key_verifier_open(&err);
	if (!verifier || !hasher_open(&hasher, &err))
		return -1;
	memory_tree_init(&honest, LEAVES);
	memory_tree_fill(&honest, &hasher, LEAVES);
	memory_tree_init(&other, LEAVES);
	memory_tree_fill(&other, &hasher, 3);
	memory_tree_lie(&other, &hasher, LEAVES, "a lie");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_tree_release(&honest);
	memory_tree_release(&other);
	key_verifier_close(verifier);
	hasher_release(&hasher);
	private_key_close(key);
	private_key_close(stranger_key);
	return 0;
}

static int
new_folder(void **state)
{
	(void)state;
	answer = (struct answer){.tree = &honest};
	folder_make("/tmp");
	return 0;
}

static int
old_folder(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

/* The signed head of a tree; release. */
static struct buf
note_by(struct private_key *by, const struct vkey *named, struct memory_tree *t,
    uint64_t size)
{
	struct node_reader nodes = memory_tree_nodes(t, size);
	struct checkpoint c = {.origin = vkey_name(named), .size = size};
	struct buf out = BUF_INIT(NOTE_MAX_LEN);
	struct error err = {0};

	if (!merkle_root(&hasher, &nodes, size, &c.root, &err) ||
	    !checkpoint_sign(&c, by, named, verifier, &out, &err))
		abort();
	return out;
}

static struct buf
note_of(struct memory_tree *t, uint64_t size)
{
	return note_by(key, &vkey, t, size);
}

static bool
prove(void *arg, uint64_t old_size, uint64_t new_size,
    struct log_connection *out, struct error *err)
{
	struct answer *a = arg;
	const struct buf *now = a->meanwhile;
	struct node_reader nodes;

	a->asked++;
	if (a->refuses) {
		*err = *a->refuses;
		return false;
	}
	if (now) {
		struct pins_contact c = {
		    .path = folder_at(PINS_FILE),
		    .key = &vkey,
		    .connection = prove,
		    .arg = arg,
		};
		enum pins_sight sight;

		a->meanwhile = NULL;
		if (!pins_saw(&c, buf_bytes(now), &sight, err))
			abort();
	}
	nodes = memory_tree_nodes(a->tree, new_size);
	if (!proof_consistency(
		&hasher, &nodes, old_size, new_size, &out->proof, err) ||
	    !merkle_root(&hasher, &nodes, new_size, &out->new_root, err) ||
	    !merkle_root(&hasher, &nodes, old_size, &out->old_root, err))
		return false;
	out->has_roots = true;
	if (a->damaged)
		out->proof.hashes[0].b[7] ^= 1;
	return true;
}

static bool
get_tile(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	struct answer *a = arg;

	assert_int_equal(worker, 0);
	a->tiles_asked++;
	if (a->tiles_fail) {
		*err = *a->tiles_fail;
		return false;
	}
	if (!a->tiles)
		return error_set(err, ERR_NOTFOUND, "there is no %s", path);
	return tree_tile(a->tiles, path, out, err);
}

static struct pins_contact
contact(const struct vkey *k)
{
	return (struct pins_contact){folder_at(PINS_FILE), k, prove, &answer,
	    .tiles = {get_tile, &answer}};
}

static void
trust(uint64_t size)
{
	AUTO(buf) note = note_of(&honest, size);
	struct pins_contact c = contact(&vkey);
	struct error err = {0};
	enum pins_sight sight;

	if (!pins_trust(
		&c, "https://log.example", buf_bytes(&note), &sight, &err))
		fail_msg("%s", err.text);
	assert_int_equal(sight, PINS_NOT_PINNED);
	answer.asked = 0;
}

/* The size that is pinned. */
static uint64_t
pinned(void)
{
	struct pins p;
	struct error err = {0};
	uint64_t size;

	if (!pins_read(folder_at(PINS_FILE), &p, &err))
		fail_msg("%s", err.text);
	assert_int_equal(p.count, 1);
	size = p.list[0].size;
	pins_release(&p);
	return size;
}

static bool
saw(const struct buf *note, enum pins_sight *sight, struct error *err)
{
	struct pins_contact c = contact(&vkey);

	return pins_saw(&c, buf_bytes(note), sight, err);
}

static void
test_nothing_pinned(void **state)
{
	AUTO(buf) note = note_of(&honest, 5);
	struct error err = {0};
	struct stat st;
	enum pins_sight sight;

	(void)state;
	assert_true(saw(&note, &sight, &err));
	assert_int_equal(sight, PINS_NOT_PINNED);
	assert_int_equal(answer.asked, 0);
	/* Nobody asked for state, so there is none. */
	assert_int_equal(stat(folder_at(PINS_FILE), &st), -1);
	assert_int_equal(stat(folder_at(PINS_FILE ".lock"), &st), -1);
}

static void
test_accepts(void **state)
{
	static const struct {
		uint64_t size;
		enum pins_sight sight;
		uint64_t then;
		unsigned asked;
	} steps[] = {
	    {5, PINS_SAME, 5, 0},
	    {6, PINS_LARGER, 6, 1},
	    {6, PINS_SAME, 6, 0},
	    {8, PINS_LARGER, 8, 1},
	    {40, PINS_LARGER, 40, 1},
	    {8, PINS_OLDER, 40, 1},
	    {1, PINS_OLDER, 40, 1},
	    {0, PINS_OLDER, 40, 0},
	    {40, PINS_SAME, 40, 0},
	};

	(void)state;
	trust(5);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		AUTO(buf) note = note_of(&honest, steps[i].size);
		struct error err = {0};
		enum pins_sight sight;

		answer.asked = 0;
		if (!saw(&note, &sight, &err))
			fail_msg("step %zu: %s", i, err.text);
		assert_int_equal(sight, steps[i].sight);
		assert_int_equal(pinned(), steps[i].then);
		assert_int_equal(answer.asked, steps[i].asked);
	}
}

static void
test_from_empty(void **state)
{
	AUTO(buf) note = note_of(&honest, 7);
	struct error err = {0};
	enum pins_sight sight;

	(void)state;
	trust(0);
	assert_true(saw(&note, &sight, &err));
	assert_int_equal(sight, PINS_LARGER);
	assert_int_equal(pinned(), 7);
	assert_int_equal(answer.asked, 0);
}

/* Whether the sentence names evidence, which then stands alone. */
static bool
has_evidence(const struct error *err)
{
	static const char word[] = "evidence for everybody: ";
	const char *path = strstr(err->text, word);
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	struct evidence e;
	struct error why = {0};

	if (!path)
		return false;
	path += sizeof(word) - 1;
	if (!file_read(path, &text, &why) ||
	    !evidence_parse(buf_bytes(&text), &e, &why) ||
	    !evidence_verify(&e, &vkey, &hasher, verifier, NULL, &why))
		fail_msg("%s: %s", path, why.text);
	return true;
}

static const struct error not_found = {ERR_NOTFOUND, "rejected", "no"},
			  denied = {ERR_DENIED, "rejected", "no"},
			  network = {ERR_UNAVAILABLE, "network", "no"},
			  busy = {ERR_UNAVAILABLE, "throttled", "no"},
			  fails = {ERR_UNAVAILABLE, "server-error", "no"},
			  endless = {ERR_LIMIT, "server-error", "no"},
			  nonsense = {ERR_SYNTAX, "server-error", "no"};

/* A log of the kind need have nothing but tiles, and who stands between may
 * spoil what else it says. */
static void
test_tiles_decide(void **state)
{
	static const struct error *const answers[] = {
	    NULL, &not_found, &denied, &fails, &endless, &nonsense};
	static const struct {
		uint64_t size;
		enum pins_sight sight;
	} heads[] = {{12, PINS_LARGER}, {40, PINS_LARGER}, {5, PINS_OLDER},
	    {1, PINS_OLDER}};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		for (size_t k = 0; k < sizeof(heads) / sizeof(heads[0]); k++) {
			AUTO(buf) note = note_of(&honest, heads[k].size);
			struct error err = {0};
			enum pins_sight sight;

			trust(9);
			answer = (struct answer){
			    .tree = &honest,
			    .refuses = answers[i],
			    .damaged = true,
			    .tiles = &honest,
			};
			if (!saw(&note, &sight, &err))
				fail_msg("%zu, %zu: %s", i, k, err.text);
			assert_int_equal(sight, heads[k].sight);
			assert_int_equal(
			    pinned(), sight == PINS_LARGER ? heads[k].size : 9);
			assert_true(answer.tiles_asked > 0);
			folder_remove();
			folder_make("/tmp");
		}
}

static void
test_tiles_not_asked(void **state)
{
	AUTO(buf) note = note_of(&honest, 12);
	struct error err = {0};
	enum pins_sight sight;

	(void)state;
	trust(9);
	answer = (struct answer){.tree = &honest, .tiles = &other};
	assert_true(saw(&note, &sight, &err));
	assert_int_equal(answer.tiles_asked, 0);
}

/* What a log that forked, or whose answers were spoilt, shows beside a pin of
 * the first nine leaves. */
struct refusal {
	struct memory_tree *shown;
	uint64_t size;
	struct memory_tree *proves;
	const struct error *refuses;
	bool damaged;
	struct memory_tree *tiles;
	const struct error *tiles_fail;
	enum error_code code;
	const char *reason;
	bool evidence;
};

static const struct refusal refusals[] = {
#define FORK	       ERR_BADSIG, "inconsistent", true
#define BACK	       ERR_BADSIG, "inconsistent", false
#define TILE	       ERR_BADSIG, "tile", false
#define UNTOLD(reason) ERR_UNAVAILABLE, reason, false
    /* a fork in the log's own words: of one size, or it says what it has */
    {&other, 9, &other, NULL, false, NULL, NULL, FORK},
    {&other, 12, &other, NULL, false, NULL, NULL, FORK},
    {&other, 5, &honest, NULL, false, NULL, NULL, FORK},
    /* a fork that its tiles show, whatever it says */
    {&other, 12, &honest, NULL, false, &other, NULL, FORK},
    {&other, 12, &other, NULL, true, &other, NULL, FORK},
    {&other, 12, NULL, &not_found, false, &other, NULL, FORK},
    {&other, 12, NULL, &nonsense, false, &other, NULL, FORK},
    {&other, 5, &other, NULL, false, &honest, NULL, FORK},
    {&other, 5, NULL, &not_found, false, &honest, NULL, FORK},
    {&other, 5, NULL, &fails, false, &honest, NULL, FORK},
    /* neither proof nor tiles hash to what is signed */
    {&honest, 12, &honest, NULL, true, &other, NULL, TILE},
    {&honest, 5, &honest, NULL, true, &other, NULL, TILE},
    {&honest, 12, NULL, &not_found, false, &other, NULL, TILE},
    {&honest, 5, NULL, &not_found, false, &other, NULL, TILE},
    {&other, 12, NULL, &not_found, false, &honest, NULL, TILE},
    /* nothing is shown: that is no fork */
    {&other, 12, &honest, NULL, false, NULL, NULL, UNTOLD("server-error")},
    {&other, 5, &other, NULL, false, NULL, NULL, UNTOLD("server-error")},
    {&honest, 12, &honest, NULL, true, NULL, NULL, UNTOLD("server-error")},
    {&honest, 5, &honest, NULL, true, NULL, NULL, UNTOLD("server-error")},
    {&honest, 12, NULL, &not_found, false, NULL, NULL, UNTOLD("server-error")},
    {&honest, 5, NULL, &nonsense, false, NULL, NULL, UNTOLD("server-error")},
    {&honest, 12, NULL, &nonsense, false, NULL, NULL, UNTOLD("server-error")},
    {&honest, 5, NULL, &not_found, false, NULL, &fails, UNTOLD("server-error")},
    {&honest, 5, NULL, &not_found, false, NULL, &busy, UNTOLD("throttled")},
    {&honest, 12, NULL, &fails, false, NULL, &network, UNTOLD("network")},
    /* nobody is there, and so nobody has tiles */
    {&honest, 5, NULL, &network, false, &honest, NULL, UNTOLD("network")},
    {&honest, 12, NULL, &network, false, &honest, NULL, UNTOLD("network")},
    {&honest, 12, NULL, &busy, false, &honest, NULL, UNTOLD("throttled")},
    /* of what it signed before it says: not there */
    {&honest, 5, NULL, &not_found, false, NULL, NULL, BACK},
    {&honest, 5, NULL, &denied, false, NULL, NULL, BACK},
};

static void
test_refuses(void **state)
{
	(void)state;
	trust(9);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		AUTO(buf) note = note_of(refusals[i].shown, refusals[i].size);
		struct error err = {0};
		enum pins_sight sight;

		answer = (struct answer){
		    .tree = refusals[i].proves,
		    .refuses = refusals[i].refuses,
		    .damaged = refusals[i].damaged,
		    .tiles = refusals[i].tiles,
		    .tiles_fail = refusals[i].tiles_fail,
		};
		if (saw(&note, &sight, &err))
			fail_msg("case %zu", i);
		if (err.code != refusals[i].code ||
		    strcmp(err.reason, refusals[i].reason) != 0)
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(pinned(), 9);
		if (has_evidence(&err) != refusals[i].evidence)
			fail_msg("case %zu: %s", i, err.text);
		if (refusals[i].refuses == &network ||
		    refusals[i].refuses == &busy)
			assert_int_equal(answer.tiles_asked, 0);
	}
}

/* A fork that cannot be written down stays a fork. */
static void
test_no_place_for_evidence(void **state)
{
	AUTO(buf) note = note_of(&other, 12);
	struct pins_contact c = contact(&vkey);
	struct error err = {0};
	enum pins_sight sight;
	char *found = NULL;

	(void)state;
	trust(9);
	answer = (struct answer){.refuses = &not_found, .tiles = &other};
	assert_false(pins_saw(&c, buf_bytes(&note), &sight, &err));
	assert_true(has_evidence(&err));
	/* Where the file was lies a folder. */
	found = strdup(strstr(err.text, "/fork-") + 1);
	assert_non_null(found);
	folder_need(unlink(folder_at(found)) == 0, "unlink");
	folder_put_folder(found);
	free(found);
	err = (struct error){0};
	assert_false(pins_saw(&c, buf_bytes(&note), &sight, &err));
	assert_string_equal(err.reason, "inconsistent");
	assert_non_null(strstr(err.text, "evidence could not be written"));
	assert_int_equal(pinned(), 9);
}

/* The note with one more line, of a signature of this many bytes. */
static struct buf
with_line(const struct buf *note, size_t len)
{
	struct buf out = BUF_INIT(NOTE_MAX_LEN);
	uint8_t raw[4 + COSIGNATURE_MLDSA44_LEN] = {1, 2, 3, 4};

	buf_put(&out, buf_bytes(note));
	buf_put_str(&out, "\u2014 w.example ");
	base64_put(&out, bytes_of(raw, 4 + len));
	buf_put_u8(&out, '\n');
	return out;
}

static bool
is_witnessed(void)
{
	struct pins p;
	struct error err = {0};
	bool is;

	if (!pins_read(folder_at(PINS_FILE), &p, &err))
		fail_msg("%s", err.text);
	is = p.list[0].witnessed;
	pins_release(&p);
	return is;
}

/* That a log had witnesses is not forgotten, whatever it shows later. */
static void
test_witnessed(void **state)
{
	static const struct {
		uint64_t size;
		size_t line; /* 0: none */
		bool then;
	} steps[] = {
	    {9, 0, false},
	    {9, 64, false}, /* another log's signature */
	    {12, COSIGNATURE_ED25519_LEN - 1, false},
	    {12, COSIGNATURE_ED25519_LEN, true},
	    {12, 0, true},
	    {30, 0, true},
	    {9, 64, true},
	};
	static const size_t lines[] = {
	    COSIGNATURE_ED25519_LEN, COSIGNATURE_MLDSA44_LEN};

	(void)state;
	trust(9);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		AUTO(buf) plain = note_of(&honest, steps[i].size);
		AUTO(buf) longer = with_line(&plain, steps[i].line);
		struct error err = {0};
		enum pins_sight sight;

		if (!saw(steps[i].line ? &longer : &plain, &sight, &err))
			fail_msg("step %zu: %s", i, err.text);
		if (is_witnessed() != steps[i].then)
			fail_msg("step %zu", i);
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		AUTO(buf) plain = note_of(&honest, 9);
		AUTO(buf) longer = with_line(&plain, lines[i]);
		struct pins_contact c = contact(&vkey);
		struct error err = {0};
		enum pins_sight sight;

		assert_true(pins_forget(c.path, "log.example", &err));
		assert_true(pins_trust(&c, "https://log.example",
		    buf_bytes(&longer), &sight, &err));
		assert_true(is_witnessed());
	}
}

static void
test_wrong_notes(void **state)
{
	AUTO(buf) forged = note_by(stranger_key, &stranger, &honest, 12);
	AUTO(buf) broken = note_of(&honest, 12);
	AUTO(buf) garbage = BUF_INIT(100);
	struct pins_contact c = contact(&vkey), s = contact(&stranger);
	struct error err[4] = {{0}};
	enum pins_sight sight;

	(void)state;
	trust(9);
	assert_false(saw(&forged, &sight, &err[0]));
	assert_string_equal(err[0].reason, "log-signature");
	/* Another key of that name, and a checkpoint that it signed. */
	assert_false(pins_saw(&s, buf_bytes(&forged), &sight, &err[1]));
	assert_string_equal(err[1].reason, "unknown-log");
	broken.ptr[13] = '7';
	assert_false(pins_saw(&c, buf_bytes(&broken), &sight, &err[2]));
	assert_string_equal(err[2].reason, "log-signature");
	buf_put_str(&garbage, "hello");
	assert_false(pins_saw(&c, buf_bytes(&garbage), &sight, &err[3]));
	assert_string_equal(err[3].reason, "server-error");
	assert_int_equal(pinned(), 9);
}

/* Another process advances the pin while we wait for the log. */
static void
test_races(void **state)
{
	AUTO(buf) seven = note_of(&honest, 7);
	AUTO(buf) nine = note_of(&honest, 9);
	AUTO(buf) lie = note_of(&other, 9);
	struct error err = {0};
	enum pins_sight sight;

	(void)state;
	trust(5);
	answer.meanwhile = &nine;
	assert_true(saw(&seven, &sight, &err));
	assert_int_equal(sight, PINS_OLDER);
	assert_int_equal(pinned(), 9);
	/* A fork of what the other one saw is noticed, too. */
	assert_true(
	    pins_forget(folder_at(PINS_FILE), "https://log.example/", &err));
	trust(3);
	answer = (struct answer){
	    .tree = &other, .tiles = &honest, .meanwhile = &lie};
	assert_false(saw(&nine, &sight, &err));
	assert_string_equal(err.reason, "inconsistent");
	assert_true(has_evidence(&err));
}

static void
test_trust_and_forget(void **state)
{
	AUTO(buf) note = note_of(&honest, 12);
	AUTO(buf) lie = note_of(&other, 12);
	AUTO(buf) forged = note_by(stranger_key, &stranger, &honest, 12);
	struct pins_contact c = contact(&vkey), s = contact(&stranger);
	struct pins p;
	struct error err = {0}, why = {0}, no = {0};
	enum pins_sight sight;

	(void)state;
	trust(9);
	/* Again, at another address: checked against the pin first. */
	answer.tiles = &other;
	assert_false(pins_trust(
	    &c, "https://mirror.example", buf_bytes(&lie), &sight, &why));
	assert_string_equal(why.reason, "inconsistent");
	assert_true(pins_trust(
	    &c, "https://mirror.example", buf_bytes(&note), &sight, &err));
	assert_int_equal(sight, PINS_LARGER);
	assert_true(pins_read(c.path, &p, &err));
	assert_int_equal(p.count, 1);
	assert_non_null(pins_find(&p, "https://mirror.example/"));
	assert_non_null(pins_find(&p, "log.example"));
	assert_null(pins_find(&p, "https://log.example"));
	assert_null(pins_find(&p, ""));
	pins_release(&p);
	/* Another key under that name. */
	assert_false(pins_trust(
	    &s, "https://x.example", buf_bytes(&forged), &sight, &no));
	assert_string_equal(no.reason, "unknown-log");
	assert_true(pins_forget(c.path, "log.example", &err));
	no = (struct error){0};
	assert_false(pins_forget(c.path, "log.example", &no));
	assert_int_equal(no.code, ERR_USAGE);
}

/* A file that says something else than it did is no empty file. */
static void
test_broken_file(void **state)
{
	AUTO(buf) text = BUF_INIT(PINS_MAX_LEN);
	struct error err = {0};
	struct pins p;

	(void)state;
	trust(9);
	assert_true(file_read(folder_at(PINS_FILE), &text, &err));
	for (size_t i = 0; i < text.len; i++) {
		struct error why = {0};

		text.ptr[i] ^= 0x04;
		folder_put(PINS_FILE, text.ptr, text.len);
		text.ptr[i] ^= 0x04;
		/* Times, the address and white space are not authenticated. */
		if (pins_read(folder_at(PINS_FILE), &p, &why)) {
			assert_int_equal(p.count, 1);
			assert_int_equal(p.list[0].size, 9);
			pins_release(&p);
			continue;
		}
		assert_int_equal(why.code, ERR_IO);
		assert_int_equal(p.count, 0);
	}
	for (size_t n = 0; n + 2 < text.len; n++) {
		struct error why = {0};

		folder_put(PINS_FILE, text.ptr, n);
		assert_false(pins_read(folder_at(PINS_FILE), &p, &why));
		assert_int_equal(why.code, ERR_IO);
	}
}

static void
test_not_writable(void **state)
{
	AUTO(buf) note = note_of(&honest, 12);
	struct pins_contact c = contact(&vkey);
	struct error err = {0}, why = {0};
	enum pins_sight sight;

	(void)state;
	trust(9);
	/* Where the lock should be lies a folder. */
	folder_need(unlink(folder_at(PINS_FILE ".lock")) == 0, "unlink");
	folder_put_folder(PINS_FILE ".lock");
	assert_false(saw(&note, &sight, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(pinned(), 9);
	/* The pins themselves are one. */
	folder_put_folder("pins");
	c.path = folder_at("pins");
	assert_false(pins_saw(&c, buf_bytes(&note), &sight, &why));
	assert_int_equal(why.code, ERR_USAGE);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, new_folder, old_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_nothing_pinned),
	    CASE(test_accepts),
	    CASE(test_from_empty),
	    CASE(test_tiles_decide),
	    CASE(test_tiles_not_asked),
	    CASE(test_refuses),
	    CASE(test_no_place_for_evidence),
	    CASE(test_witnessed),
	    CASE(test_wrong_notes),
	    CASE(test_races),
	    CASE(test_trust_and_forget),
	    CASE(test_broken_file),
	    CASE(test_not_writable),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
