/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/crypto/mldsa.h"
#include "core/tlog/quorum.h"
#include "tests/support/vector_file.h"

#define T0 1700000000

/* The log and witnesses of the vectors. */
#define LOG                                                                    \
	"log log.example+328a282e+"                                            \
	"AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r\n"
#define W1                                                                     \
	"witness w1 w1.example+2e5a873e+"                                      \
	"BEJsmvX7Hh64uz0bJumMGBaInv6XNFK02hmLFbdmrnUe\n"
#define W2                                                                     \
	"witness w2 w2.example+33e05926+"                                      \
	"BMAhCghtUMYQpQQfADXl8cGv6sbt8LHjBswN9ZmF9TAO\n"
#define W3                                                                     \
	"witness w3 w3.example+06dba8d3+"                                      \
	"BAPEecjzA4tMmRW/rYYcv1xVTmbaAAD7e0QWduCSFcHz\n"
#define W4                                                                     \
	"witness w4 w4.example+cce2e27b+"                                      \
	"BKGfVkF4e8tZ7n2VguElk6LH9zebW6k9rhqM99C5oIEs\n"

static struct key_verifier *verifier;
static struct hasher hasher;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	verifier = key_verifier_open(&err);
	return verifier && hasher_open(&hasher, &err) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	key_verifier_close(verifier);
	hasher_release(&hasher);
	return 0;
}

/* A file of this module's vectors. */
static void
load(const char *verdict, const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(
	    inside, sizeof(inside), "quorum/%s-%s.policy", verdict, name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static struct quorum policy, again;

static void
test_valid(void **state)
{
	static const struct {
		const char *name;
		size_t logs, witnesses, groups;
	} cases[] = {
	    {"none", 1, 0, 0},
	    {"two-of-three", 1, 3, 1},
	    {"witness", 1, 1, 0},
	    {"nested", 1, 5, 3},
	    {"old-types", 2, 2, 1},
	    {"mldsa44", 1, 2, 1},
	    {"no-final-newline", 1, 0, 0},
	    {"quorum-first", 1, 0, 0},
	    {"utf8-names", 1, 1, 1},
	    {"deep", 1, 1, 64},
	    {"64-witnesses", 1, 64, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(QUORUM_MAX_LEN);
		AUTO(buf) first = BUF_INIT(QUORUM_MAX_LEN);
		AUTO(buf) second = BUF_INIT(QUORUM_MAX_LEN);
		struct error err = {0};

		load("valid", cases[i].name, &in);
		if (!quorum_parse(buf_bytes(&in), &policy, &err))
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(policy.log_count, cases[i].logs);
		assert_int_equal(policy.witness_count, cases[i].witnesses);
		assert_int_equal(policy.group_count, cases[i].groups);
		quorum_format(&policy, &first);
		assert_true(quorum_parse(buf_bytes(&first), &again, &err));
		quorum_format(&again, &second);
		assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	}
}

/* A plain policy is what the formatter writes. */
static void
test_format(void **state)
{
	static const char *const names[] = {
	    "none", "two-of-three", "witness", "mldsa44"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		AUTO(buf) in = BUF_INIT(QUORUM_MAX_LEN);
		AUTO(buf) out = BUF_INIT(QUORUM_MAX_LEN);
		struct error err = {0};

		load("valid", names[i], &in);
		assert_true(quorum_parse(buf_bytes(&in), &policy, &err));
		quorum_format(&policy, &out);
		if (strcmp(names[i], "mldsa44") == 0)
			assert_non_null(
			    memmem(out.ptr, out.len, "group g 1 w1 pq\n", 16));
		else
			assert_true(
			    bytes_equal(buf_bytes(&in), buf_bytes(&out)));
	}
}

static const char *const invalid_names[] = {
    "bad-vkey",
    "comment-behind",
    "cr",
    "delete",
    "empty",
    "empty-quorum",
    "group-none",
    "keyword-case",
    "later-member",
    "later-quorum",
    "leading-zero",
    "log-of-cosigner",
    "log-of-mldsa44",
    "member-none",
    "named-none",
    "negative",
    "no-k",
    "no-members",
    "no-members-all",
    "no-name",
    "no-quorum",
    "no-vkey",
    "nul",
    "self",
    "short-hex",
    "surplus-log",
    "surplus-quorum",
    "surplus-witness",
    "too-many-needed",
    "undefined-member",
    "undefined-quorum",
    "unknown-keyword",
    "upper-hex",
    "vertical-tab",
    "witness-name-not-of-note",
    "witness-no-vkey",
    "witness-of-ecdsa",
    "wrap",
    "zero",
};

static const char *const conflicts[] = {"two-quorums", "member-twice",
    "two-groups", "group-in-two", "same-name", "group-named-witness",
    "same-key", "same-key-other-name", "same-key-other-type", "same-key-hex",
    "same-log", "same-log-other-name"};
static const char *const limits[] = {
    "65-witnesses", "65-logs", "65-groups", "long-name", "long-line"};

static void
test_invalid(void **state)
{
	static const struct {
		const char *const *names;
		size_t count;
		enum error_code code;
	} lists[] = {
	    {invalid_names, sizeof(invalid_names) / sizeof(invalid_names[0]),
		ERR_SYNTAX},
	    {conflicts, sizeof(conflicts) / sizeof(conflicts[0]), ERR_CONFLICT},
	    {limits, sizeof(limits) / sizeof(limits[0]), ERR_LIMIT},
	};

	(void)state;
	for (size_t l = 0; l < 3; l++)
		for (size_t i = 0; i < lists[l].count; i++) {
			AUTO(buf) in = BUF_INIT(QUORUM_MAX_LEN);
			struct error err = {0};

			load("invalid", lists[l].names[i], &in);
			if (quorum_parse(buf_bytes(&in), &policy, &err) ||
			    err.code != lists[l].code)
				fail_msg("%s: %s", lists[l].names[i], err.text);
		}
}

static void
test_too_long(void **state)
{
	AUTO(buf) in = BUF_INIT(QUORUM_MAX_LEN + 1);
	struct error err = {0};

	(void)state;
	assert_non_null(buf_reserve(&in, QUORUM_MAX_LEN + 1));
	memset(in.ptr, '\n', QUORUM_MAX_LEN + 1);
	buf_grow(&in, QUORUM_MAX_LEN + 1);
	assert_false(quorum_parse(buf_bytes(&in), &policy, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

static void
test_error_names_line(void **state)
{
	struct error err = {0};

	(void)state;
	assert_false(quorum_parse(
	    BYTES_LIT("# one\n\n" LOG "quorum w9\n"), &policy, &err));
	assert_true(bytes_starts(
	    bytes_str(err.text), BYTES_LIT("policy: line 4: quorum: ")));
}

/* As a parser of a larger file calls it. */
static void
test_lines(void **state)
{
	static const struct {
		struct bytes item;
		bool ours;
	} words[] = {
	    {BYTES_LIT("log"), true},
	    {BYTES_LIT("witness"), true},
	    {BYTES_LIT("group"), true},
	    {BYTES_LIT("quorum"), true},
	    {BYTES_LIT("Log"), false},
	    {BYTES_LIT("lo"), false},
	    {BYTES_LIT("logs"), false},
	    {BYTES_LIT("signer"), false},
	    {{0}, false},
	};
	struct reader line = {BYTES_LIT(" a\t bc  ")};
	struct error err = {0};
	struct bytes item;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(quorum_keyword(words[i].item), words[i].ours);
	assert_true(quorum_item(&line, &item));
	assert_true(bytes_equal(item, BYTES_LIT("a")));
	assert_true(quorum_item(&line, &item));
	assert_true(bytes_equal(item, BYTES_LIT("bc")));
	assert_false(quorum_item(&line, &item));
	policy = (struct quorum){0};
	assert_false(quorum_complete(&policy, &err));
	err = (struct error){0};
	assert_true(quorum_line(&policy, BYTES_LIT("quorum none"), &err));
	assert_true(quorum_complete(&policy, &err));
	assert_false(quorum_line(&policy, BYTES_LIT("signer x"), &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	err = (struct error){0};
	assert_false(quorum_line(&policy, BYTES_LIT(" \t"), &err));
	assert_int_equal(err.code, ERR_SYNTAX);
}

/* A key of type 01 that means 04 (rekor-tiles' witness policy), and a raw one:
 * the checkpoint's lines carry the derived IDs. */
static void
test_old_types(void **state)
{
	AUTO(buf) in = BUF_INIT(QUORUM_MAX_LEN);
	struct error err = {0};

	(void)state;
	load("valid", "old-types", &in);
	assert_true(quorum_parse(buf_bytes(&in), &policy, &err));
	assert_int_equal(policy.witnesses[0].key.type, NOTE_COSIGNATURE);
	assert_int_equal(policy.witnesses[0].key.key_id, 0x2e5a873e);
	assert_int_equal(policy.witnesses[1].key.key_id, 0x33e05926);
	assert_true(bytes_starts(
	    vkey_name(&policy.logs[0].key), BYTES_LIT("sigsum.org/v1/tree/")));
	assert_int_equal(policy.logs[0].key.name_len, 19 + 64);
}

static void
parse(const char *text)
{
	struct error err = {0};

	if (!quorum_parse(bytes_str(text), &policy, &err))
		fail_msg("%s", err.text);
}

static void
test_met(void **state)
{
	static const struct {
		const char *rule;
		uint16_t met; /* bit s: the set s of w1 to w4 suffices */
	} cases[] = {
	    {"quorum none\n", 0xffff},
	    {"quorum w1\n", 0xaaaa},
	    {"quorum w4\n", 0xff00},
	    {"group g any w1 w2\nquorum g\n", 0xeeee},
	    {"group g all w1 w2\nquorum g\n", 0x8888},
	    {"group g 2 w1 w2 w3\nquorum g\n", 0xe8e8},
	    {"group a any w1 w2\ngroup b any w3 w4\ngroup c all a b\n"
	     "quorum c\n",
		0xeee0},
	    {"group a all w1 w2\ngroup b all w3 w4\ngroup c any a b\n"
	     "quorum c\n",
		0xf888},
	    {"group a all w1 w2\ngroup b 2 a w3 w4\nquorum b\n", 0xf880},
	    {"group a all w1 w2\ngroup b all w3 w4\nquorum a\n", 0x8888},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[4096];

		(void)snprintf(
		    text, sizeof(text), LOG W1 W2 W3 W4 "%s", cases[i].rule);
		parse(text);
		for (unsigned set = 0; set < 16; set++)
			if (quorum_met(&policy, set) !=
			    ((cases[i].met >> set & 1) != 0))
				fail_msg("case %zu, set %u", i, set);
	}
	policy = (struct quorum){0};
	assert_false(quorum_met(&policy, UINT64_MAX));
}

static void
test_met_large(void **state)
{
	AUTO(buf) deep = BUF_INIT(QUORUM_MAX_LEN);
	AUTO(buf) wide = BUF_INIT(QUORUM_MAX_LEN);
	struct error err = {0};

	(void)state;
	load("valid", "deep", &deep);
	assert_true(quorum_parse(buf_bytes(&deep), &policy, &err));
	assert_true(quorum_met(&policy, 1));
	assert_false(quorum_met(&policy, 0));
	load("valid", "64-witnesses", &wide);
	assert_true(quorum_parse(buf_bytes(&wide), &policy, &err));
	assert_true(quorum_met(&policy, UINT64_MAX));
	assert_false(quorum_met(&policy, UINT64_MAX >> 1));
	assert_false(quorum_met(&policy, UINT64_MAX - 1));
}

/* The proof cosigned by w1 at T0, w2 at T0 + 10, w3 at T0 + 20. */
static void
load_proof(const char *name, struct buf *file, struct tlog_proof *out)
{
	char path[VECTOR_PATH_MAX], inside[128];
	struct error err = {0};

	(void)snprintf(
	    inside, sizeof(inside), "tlog_proof/valid-%s.tlog-proof", name);
	assert_true(vector_read(vector_own(path, inside), file));
	assert_true(tlog_proof_parse(buf_bytes(file), out, &err));
}

static void
test_verify(void **state)
{
	static const struct {
		const char *rule;
		const char *reason; /* NULL: accepted */
		uint64_t existed_by, fresh_since;
	} cases[] = {
	    {"quorum none\n", NULL, 0, 0},
	    {"quorum w1\n", NULL, T0, T0},
	    {"quorum w3\n", NULL, T0 + 20, T0 + 20},
	    {"group g any w1 w2 w3\nquorum g\n", NULL, T0, T0 + 20},
	    {"group g 2 w1 w2 w3\nquorum g\n", NULL, T0 + 10, T0 + 10},
	    {"group g 3 w1 w2 w3\nquorum g\n", NULL, T0 + 20, T0},
	    {"group g 3 w1 w2 w3 w4\nquorum g\n", NULL, T0 + 20, T0},
	    {"group g all w1 w3\nquorum g\n", NULL, T0 + 20, T0},
	    {"group a any w1 w4\ngroup b any w2 w3\ngroup c all a b\n"
	     "quorum c\n",
		NULL, T0 + 10, T0},
	    {"quorum w4\n", "quorum", 0, 0},
	    {"group g all w1 w4\nquorum g\n", "quorum", 0, 0},
	    {"group g 4 w1 w2 w3 w4\nquorum g\n", "quorum", 0, 0},
	};
	AUTO(buf) file = BUF_INIT(TLOG_PROOF_MAX_LEN);
	struct tlog_proof p;

	(void)state;
	load_proof("cosigned", &file, &p);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(note) n = {0};
		struct quorum_result r;
		struct error err = {0};
		char text[4096];
		bool ok;

		(void)snprintf(
		    text, sizeof(text), LOG W1 W2 W3 W4 "%s", cases[i].rule);
		parse(text);
		assert_true(note_parse(p.checkpoint, &n, &err));
		ok = quorum_verify(&policy, &n, verifier, &r, &err);
		if (ok != (cases[i].reason == NULL))
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(r.cosigned, 7);
		assert_int_equal(r.head.size, 7);
		assert_int_equal(r.existed_by, cases[i].existed_by);
		assert_int_equal(r.fresh_since, cases[i].fresh_since);
		assert_int_equal(r.dated, cases[i].existed_by != 0);
		if (ok)
			continue;
		assert_int_equal(err.code, ERR_DENIED);
		assert_string_equal(err.reason, cases[i].reason);
	}
}

static void
test_verify_refuses(void **state)
{
	static const struct {
		const char *policy;
		enum error_code code;
		const char *reason;
	} cases[] = {
	    {W1 "quorum none\n", ERR_DENIED, "unknown-log"},
	    {"log rekor-local+d80b4420+"
	     "AURLycjWRo1+gdwwCLg9wU4PayMFdNBmPF4ORVPiBQ1E\nquorum none\n",
		ERR_DENIED, "unknown-log"},
	};
	AUTO(buf) file = BUF_INIT(TLOG_PROOF_MAX_LEN);
	AUTO(note) n = {0};
	struct quorum_result r;
	struct error err = {0};
	struct tlog_proof p;

	(void)state;
	load_proof("cosigned", &file, &p);
	assert_true(note_parse(p.checkpoint, &n, &err));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error why = {0};

		parse(cases[i].policy);
		assert_false(quorum_verify(&policy, &n, verifier, &r, &why));
		assert_int_equal(why.code, cases[i].code);
		assert_string_equal(why.reason, cases[i].reason);
		assert_int_equal(r.cosigned, 0);
	}
	policy = (struct quorum){0};
	assert_false(quorum_verify(&policy, &n, verifier, &r, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
}

/* Changes one byte in the line of a name, and verifies. */
static void
check_changed(struct bytes proof, const char *name, struct error *err)
{
	AUTO(buf) text = BUF_INIT(TLOG_PROOF_MAX_LEN);
	AUTO(note) n = {0};
	struct quorum_result r;
	struct tlog_proof p;
	char *at;

	buf_put(&text, proof);
	buf_put_u8(&text, '\0');
	at = strstr((char *)text.ptr, name);
	assert_non_null(at);
	at[strlen(name) + 40] = at[strlen(name) + 40] == 'A' ? 'B' : 'A';
	assert_true(tlog_proof_parse(
	    bytes_slice(buf_bytes(&text), 0, text.len - 1), &p, err));
	assert_true(note_parse(p.checkpoint, &n, err));
	assert_false(quorum_verify(&policy, &n, verifier, &r, err));
	assert_int_equal(r.cosigned, 0);
}

/* The order of the lines has no say in the times. */
static void
test_times_order(void **state)
{
	static const char *const orders[] = {
	    W1 W2 W3, W1 W3 W2, W2 W1 W3, W2 W3 W1, W3 W1 W2, W3 W2 W1};
	AUTO(buf) file = BUF_INIT(TLOG_PROOF_MAX_LEN);
	AUTO(note) n = {0};
	struct error err = {0};
	struct tlog_proof p;

	(void)state;
	load_proof("cosigned", &file, &p);
	assert_true(note_parse(p.checkpoint, &n, &err));
	for (size_t i = 0; i < 6; i++)
		for (unsigned k = 1; k <= 3; k++) {
			struct quorum_result r;
			char text[4096];

			(void)snprintf(text, sizeof(text),
			    LOG "%sgroup g %u w1 w2 w3\nquorum g\n", orders[i],
			    k);
			parse(text);
			assert_true(
			    quorum_verify(&policy, &n, verifier, &r, &err));
			assert_int_equal(r.existed_by, T0 + 10 * (k - 1));
			assert_int_equal(r.fresh_since, T0 + 10 * (3 - k));
		}
}

/* A wrong signature by a known key spoils the note, even if it is not needed;
 * by an unknown one it does not matter. */
static void
test_verify_changed(void **state)
{
	AUTO(buf) file = BUF_INIT(TLOG_PROOF_MAX_LEN);
	struct error err = {0};
	struct tlog_proof p;

	(void)state;
	load_proof("cosigned", &file, &p);
	parse(LOG W1 W2 W3 "group g any w1 w2 w3\nquorum g\n");
	check_changed(buf_bytes(&file), "\xe2\x80\x94 log.example ", &err);
	assert_int_equal(err.code, ERR_BADSIG);
	assert_string_equal(err.reason, "log-signature");
	err = (struct error){0};
	check_changed(buf_bytes(&file), "\xe2\x80\x94 w2.example ", &err);
	assert_int_equal(err.code, ERR_BADSIG);
	assert_string_equal(err.reason, "cosignature");
	err = (struct error){0};
	parse(LOG W4 "quorum w4\n");
	check_changed(buf_bytes(&file), "\xe2\x80\x94 w2.example ", &err);
	assert_string_equal(err.reason, "quorum");
}

/* The log did not sign, although a witness did. */
static void
test_log_missing(void **state)
{
	AUTO(buf) file = BUF_INIT(TLOG_PROOF_MAX_LEN);
	AUTO(buf) text = BUF_INIT(TLOG_PROOF_MAX_LEN);
	AUTO(note) whole = {0};
	AUTO(note) n = {0};
	const struct note_signature *s;
	struct quorum_result r;
	struct error err = {0};
	struct tlog_proof p;

	(void)state;
	load_proof("cosigned", &file, &p);
	assert_true(note_parse(p.checkpoint, &whole, &err));
	s = &whole.signatures[1];
	buf_put(&text, whole.text);
	buf_put_u8(&text, '\n');
	note_signature_put(&text, s->name, s->key_id, s->signature);
	assert_true(note_parse(buf_bytes(&text), &n, &err));
	parse(LOG W1 "quorum w1\n");
	assert_false(quorum_verify(&policy, &n, verifier, &r, &err));
	assert_int_equal(err.code, ERR_BADSIG);
	assert_string_equal(err.reason, "log-signature");
}

/* A cosignature that cannot be checked never counts. */
static void
test_mldsa44(void **state)
{
	static const struct {
		const char *rule;
		bool without; /* accepted where there is no ML-DSA */
	} cases[] = {
	    {"group g any w1 pq\nquorum g\n", false},
	    {"quorum pq\n", false},
	    {"quorum none\n", true},
	};
	AUTO(buf) file = BUF_INIT(NOTE_MAX_LEN);
	AUTO(buf) key = BUF_INIT(16384);
	AUTO(note) n = {0};
	struct error err = {0};
	char path[VECTOR_PATH_MAX];

	(void)state;
	assert_true(
	    vector_read(vector_own(path, "cosignature/mldsa44.note"), &file));
	assert_true(
	    vector_read(vector_own(path, "cosignature/mldsa44.vkey"), &key));
	assert_true(note_parse(buf_bytes(&file), &n, &err));
	for (size_t i = 0; i < 3; i++) {
		struct error why = {0};
		struct quorum_result r;
		char text[8192];
		bool ok;

		(void)snprintf(text, sizeof(text), LOG W1 "witness pq %.*s%s",
		    (int)key.len, (const char *)key.ptr, cases[i].rule);
		parse(text);
		ok = quorum_verify(&policy, &n, verifier, &r, &why);
		assert_int_equal(ok, mldsa44_available() || cases[i].without);
		assert_int_equal(r.cosigned, mldsa44_available() ? 2 : 0);
		assert_int_equal(r.unchecked, mldsa44_available() ? 0 : 2);
		if (!ok)
			assert_int_equal(why.code, ERR_UNAVAILABLE);
	}
}

static void
test_proof(void **state)
{
	AUTO(buf) file = BUF_INIT(TLOG_PROOF_MAX_LEN);
	struct quorum_result r;
	struct error err = {0};
	struct tlog_proof p;
	struct hash leaf;

	(void)state;
	load_proof("cosigned", &file, &p);
	parse(LOG W1 W2 W3 W4 "group g 3 w1 w2 w3 w4\nquorum g\n");
	merkle_leaf(&hasher, BYTES_LIT("4"), &leaf);
	assert_true(quorum_verify_proof(
	    &policy, &p, &leaf, &hasher, verifier, &r, &err));
	leaf.b[31] ^= 1;
	assert_false(quorum_verify_proof(
	    &policy, &p, &leaf, &hasher, verifier, &r, &err));
	assert_int_equal(err.code, ERR_BADSIG);
	assert_string_equal(err.reason, "inclusion");
	/* The quorum is asked for before the inclusion. */
	err = (struct error){0};
	parse(LOG W4 "quorum w4\n");
	assert_false(quorum_verify_proof(
	    &policy, &p, &leaf, &hasher, verifier, &r, &err));
	assert_string_equal(err.reason, "quorum");
}

#define ALPHA1                                                                 \
	"log2025-alpha1.rekor.sigstage.dev+f30d5a99+"                          \
	"AT5/gERB6AWme8IEtcwaqcZi0hp8ocV4+JRcUnVlQfKP"
#define ALPHA3                                                                 \
	"log2025-alpha3.rekor.sigstage.dev+d3d3a70c+"                          \
	"AZQ93VXPMmj9uZj7U/7CefQ9yy8RgYFv6mKzOseipjqp"

/* Cosigned checkpoints of staging's logs, whose witnesses are unknown. */
struct public_case {
	const char *name, *log;
	unsigned signatures;
	enum error_code code;
	unsigned cosignatures; /* payloads of the form of type 04 */
};

/* The checkpoint of a bundle's first log entry. */
static struct bytes
envelope(const json_t *bundle)
{
	const json_t *v = json_object_get(bundle, "verificationMaterial");

	v = json_array_get(json_object_get(v, "tlogEntries"), 0);
	v = json_object_get(v, "inclusionProof");
	v = json_object_get(v, "checkpoint");
	return json_text(json_object_get(v, "envelope"));
}

static unsigned
count_cosignatures(const struct note *n)
{
	unsigned count = 0;

	for (size_t i = 0; i < n->signature_count; i++) {
		struct error err = {0};
		struct cosignature c;

		if (cosignature_parse(n->signatures[i].signature,
			NOTE_COSIGNATURE, &c, &err) &&
		    c.time > 1750000000 && c.time < 1800000000)
			count++;
	}
	return count;
}

static void
check_public(const struct public_case *c, struct bytes file)
{
	AUTO_PTR(json_t) bundle = NULL;
	AUTO(note) n = {0};
	struct quorum_result r;
	struct error err = {0};
	char text[512];
	bool ok;

	assert_true(json_parse(file, 1 << 20, &bundle, &err));
	(void)snprintf(text, sizeof(text), "log %s\nquorum none\n", c->log);
	parse(text);
	ok = note_parse(envelope(bundle), &n, &err) &&
	    quorum_verify(&policy, &n, verifier, &r, &err);
	if (err.code != c->code || ok != (err.code == ERR_NONE))
		fail_msg("%s: %s", c->name, err.text);
	assert_int_equal(n.signature_count, c->signatures);
	assert_int_equal(count_cosignatures(&n), c->cosignatures);
}

static void
test_public(void **state)
{
	static const struct public_case cases[] = {
	    {"checkpoint-cosigned", ALPHA1, 2, ERR_NONE, 1},
	    {"checkpoint-multiple-cosigs", ALPHA1, 3, ERR_NONE, 2},
	    {"checkpoint-two-sigs-cosigned", ALPHA1, 3, ERR_NONE, 1},
	    {"checkpoint-missing-log-signature_fail", ALPHA1, 0, ERR_SYNTAX, 0},
	    {"checkpoint-missing-size_fail", ALPHA1, 1, ERR_SYNTAX, 0},
	    {"dsse-happy-path", ALPHA3, 4, ERR_NONE, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) file = BUF_INIT(1 << 20);
		char path[VECTOR_PATH_MAX], inside[256];

		(void)snprintf(inside, sizeof(inside),
		    "sigstore-bundles/rekor2-%s/bundle.sigstore.json",
		    cases[i].name);
		if (!vector_read(vector_public(path, inside), &file))
			skip();
		check_public(&cases[i], buf_bytes(&file));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_error_names_line),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_old_types),
	    cmocka_unit_test(test_met),
	    cmocka_unit_test(test_met_large),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_verify_refuses),
	    cmocka_unit_test(test_times_order),
	    cmocka_unit_test(test_verify_changed),
	    cmocka_unit_test(test_log_missing),
	    cmocka_unit_test(test_mldsa44),
	    cmocka_unit_test(test_proof),
	    cmocka_unit_test(test_public),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
