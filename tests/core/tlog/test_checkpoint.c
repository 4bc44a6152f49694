/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/tlog/checkpoint.h"
#include "core/tlog/merkle.h"
#include "tests/support/vector_file.h"

#define TESSERA                                                                \
	"example.com/log/testdata+33d7b496+"                                   \
	"AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"

static struct key_verifier *verifier;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	verifier = key_verifier_open(&err);
	return verifier ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	key_verifier_close(verifier);
	return 0;
}

/* A file of this module's vectors. */
static void
load(const char *verdict, const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(
	    inside, sizeof(inside), "checkpoint/%s-%s.txt", verdict, name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
test_valid(void **state)
{
	static const char *const names[] = {
	    "extensions",
	    "largest",
	    "longest-origin",
	    "origin-spaces",
	    "plain",
	    "zero",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(8192);
		AUTO(buf) again = BUF_INIT(8192);
		struct error err = {0};
		struct checkpoint c;

		load("valid", names[i], &in);
		if (!checkpoint_parse(buf_bytes(&in), &c, &err))
			fail_msg("%s: %s", names[i], err.text);
		checkpoint_format(&c, &again);
		assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&again)));
	}
}

static void
test_invalid(void **state)
{
	static const char *const names[] = {
	    "cr",
	    "empty",
	    "empty-among",
	    "empty-extension",
	    "extension-no-newline",
	    "hex",
	    "hex-root",
	    "leading-zero",
	    "long-origin",
	    "long-root",
	    "minus",
	    "no-newline",
	    "no-origin",
	    "no-size",
	    "not-utf8",
	    "nul-extension",
	    "one-line",
	    "overflow",
	    "plus",
	    "short-root",
	    "space-size",
	    "spare-bits-root",
	    "tab-origin",
	    "too-large",
	    "two-lines",
	    "unpadded-root",
	};
	AUTO(buf) large = BUF_INIT(16384);
	struct error err = {0};
	struct checkpoint c;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(8192);
		struct error why = {0};

		load("invalid", names[i], &in);
		if (checkpoint_parse(buf_bytes(&in), &c, &why) ||
		    why.code != ERR_SYNTAX)
			fail_msg("%s: %s", names[i], why.text);
	}
	load("invalid", "too-long", &large);
	assert_false(checkpoint_parse(buf_bytes(&large), &c, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

static void
test_parts(void **state)
{
	AUTO(buf) in = BUF_INIT(8192);
	struct error err = {0};
	struct checkpoint c;

	(void)state;
	load("valid", "extensions", &in);
	assert_true(checkpoint_parse(buf_bytes(&in), &c, &err));
	assert_true(bytes_equal(c.origin, BYTES_LIT("log.example")));
	assert_int_equal(c.size, 7);
	assert_true(bytes_equal(c.extensions, BYTES_LIT("one\ntwo words\n")));
}

/* A new key and its vkey under the name log.example. */
static struct private_key *
new_key(enum key_algorithm algorithm, struct vkey *out)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct error err = {0};
	struct private_key *key = private_key_generate(algorithm, &err);
	struct public_key public;
	bool ed = algorithm == KEY_ED25519;

	assert_non_null(key);
	assert_true(private_key_public(key, &spki, &err));
	assert_true(public_key_parse(buf_bytes(&spki), &public, &err));
	assert_true(vkey_init(out, BYTES_LIT("log.example"),
	    ed ? NOTE_ED25519 : NOTE_ECDSA, ed ? public.raw : public.spki,
	    &err));
	return key;
}

static void
test_sign_and_open(void **state)
{
	static const enum key_algorithm algorithms[] = {
	    KEY_ED25519, KEY_ECDSA_P256};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		AUTO(buf) note = BUF_INIT(8192);
		struct checkpoint c = {.size = 3}, got;
		struct error err = {0};
		struct vkey vkey, other;
		struct private_key *key = new_key(algorithms[i], &vkey);
		struct bytes after;

		private_key_close(new_key(KEY_ED25519, &other));
		c.origin = vkey_name(&vkey);
		buf_put_str(&note, "before");
		assert_true(
		    checkpoint_sign(&c, key, &vkey, verifier, &note, &err));
		private_key_close(key);
		after = bytes_slice(buf_bytes(&note), 6, note.len);
		assert_true(
		    checkpoint_open(after, &vkey, verifier, &got, &err));
		assert_int_equal(got.size, 3);
		assert_false(
		    checkpoint_open(after, &other, verifier, &got, &err));
		assert_int_equal(err.code, ERR_NOTFOUND);
	}
}

/* What must not be signed is not, and nothing is left of it. */
static void
test_sign_refuses(void **state)
{
	static const struct {
		struct bytes origin, extensions;
		uint64_t size;
	} cases[] = {
	    {BYTES_LIT("other.example"), {0}, 1},
	    {{0}, {0}, 1},
	    {BYTES_LIT("log.example\n9"), {0}, 1},
	    {BYTES_LIT("log.example"), BYTES_LIT("no newline"), 1},
	    {BYTES_LIT("log.example"), BYTES_LIT("a\n\nb\n"), 1},
	    {BYTES_LIT("log.example"), {0}, (uint64_t)INT64_MAX + 1},
	};
	struct vkey vkey, other;
	struct private_key *key = new_key(KEY_ED25519, &vkey);
	struct private_key *wrong = new_key(KEY_ED25519, &other);
	struct checkpoint good = {.origin = vkey_name(&vkey)};
	AUTO(buf) note = BUF_INIT(8192);
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct checkpoint c = {
		    .origin = cases[i].origin,
		    .size = cases[i].size,
		    .extensions = cases[i].extensions,
		};
		struct error why = {0};

		if (checkpoint_sign(&c, key, &vkey, verifier, &note, &why))
			fail_msg("case %zu", i);
		assert_int_equal(note.len, 0);
		/* Refused for what it says, not for what was signed. */
		assert_int_equal(why.code, i == 0 ? ERR_USAGE : ERR_SYNTAX);
	}
	/* A key that is not the vkey's. */
	assert_false(
	    checkpoint_sign(&good, wrong, &vkey, verifier, &note, &err));
	assert_int_equal(err.code, ERR_BADSIG);
	assert_int_equal(note.len, 0);
	private_key_close(key);
	private_key_close(wrong);
}

/* Signed by the right key, but as another log's. */
static void
test_other_origin(void **state)
{
	AUTO(buf) note = BUF_INIT(8192);
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	struct checkpoint c = {.origin = BYTES_LIT("other.example")};
	struct error err = {0};
	struct vkey vkey;
	struct private_key *key = new_key(KEY_ED25519, &vkey);

	(void)state;
	checkpoint_format(&c, &note);
	assert_true(private_key_sign(key, buf_bytes(&note), &signature, &err));
	private_key_close(key);
	buf_put_u8(&note, '\n');
	note_signature_put(
	    &note, vkey_name(&vkey), vkey.key_id, buf_bytes(&signature));
	assert_false(
	    checkpoint_open(buf_bytes(&note), &vkey, verifier, &c, &err));
	assert_int_equal(err.code, ERR_BADSIG);
}

static void
test_public_log(void **state)
{
	struct error err = {0};
	struct vkey vkey;

	(void)state;
	assert_true(vkey_parse(BYTES_LIT(TESSERA), &vkey, &err));
	for (unsigned n = 0; n <= 14; n += 2) {
		AUTO(buf) file = BUF_INIT(8192);
		char path[VECTOR_PATH_MAX], name[64];
		struct checkpoint c;
		struct hash empty;

		(void)snprintf(
		    name, sizeof(name), "tessera-log/checkpoint.%u", n);
		if (!vector_read(vector_public(path, name), &file))
			skip();
		assert_true(checkpoint_open(
		    buf_bytes(&file), &vkey, verifier, &c, &err));
		assert_int_equal(c.size, n);
		merkle_empty_root(&empty);
		assert_int_equal(hash_equal(&c.root, &empty), n == 0);
	}
}

static void
test_public_example(void **state)
{
	AUTO(buf) file = BUF_INIT(8192);
	AUTO(note) n = {0};
	char path[VECTOR_PATH_MAX];
	struct error err = {0};
	struct checkpoint c;

	(void)state;
	if (!vector_read(
		vector_public(path, "c2sp/checkpoint-example.txt"), &file))
		skip();
	assert_true(note_parse(buf_bytes(&file), &n, &err));
	assert_true(checkpoint_parse(n.text, &c, &err));
	assert_true(
	    bytes_equal(c.origin, BYTES_LIT("example.com/behind-the-sofa")));
	assert_int_equal(c.size, 20852163);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_sign_and_open),
	    cmocka_unit_test(test_sign_refuses),
	    cmocka_unit_test(test_other_origin),
	    cmocka_unit_test(test_public_log),
	    cmocka_unit_test(test_public_example),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
