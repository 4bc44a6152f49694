/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/tlog_proof.h"
#include "tests/support/vector_file.h"

#define LOG "log.example+328a282e+AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"

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

	(void)snprintf(inside, sizeof(inside), "tlog_proof/%s-%s.tlog-proof",
	    verdict, name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
test_valid(void **state)
{
	static const struct {
		const char *name;
		uint64_t index;
		size_t hashes;
	} cases[] = {
	    {"plain", 4, 3},
	    {"cosigned", 4, 3},
	    {"extra", 4, 3},
	    {"longest-extra", 4, 3},
	    {"one-leaf", 0, 0},
	    {"63-hashes", 4, 63},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(TLOG_PROOF_MAX_LEN);
		AUTO(buf) again = BUF_INIT(TLOG_PROOF_MAX_LEN);
		struct error err = {0};
		struct tlog_proof p;

		load("valid", cases[i].name, &in);
		if (!tlog_proof_parse(buf_bytes(&in), &p, &err))
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(p.index, cases[i].index);
		assert_int_equal(p.proof.len, cases[i].hashes);
		tlog_proof_format(&p, &again);
		assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&again)));
	}
}

static void
test_extra(void **state)
{
	AUTO(buf) in = BUF_INIT(TLOG_PROOF_MAX_LEN);
	struct error err = {0};
	struct tlog_proof p;

	(void)state;
	load("valid", "extra", &in);
	assert_true(tlog_proof_parse(buf_bytes(&in), &p, &err));
	assert_true(bytes_equal(p.extra, BYTES_LIT("aGVsbG8=")));
}

static void
test_invalid(void **state)
{
	static const char *const names[] = {
	    "cr",
	    "empty",
	    "extra-base64",
	    "extra-behind",
	    "extra-empty",
	    "extra-twice",
	    "hash-base64",
	    "index-twice",
	    "leading-zero",
	    "long-extra",
	    "long-hash",
	    "negative",
	    "no-blank",
	    "no-final-newline",
	    "no-index",
	    "no-note",
	    "no-signature",
	    "other-version",
	    "short-hash",
	    "too-large",
	    "trailing",
	    "two-spaces",
	};
	AUTO(buf) many = BUF_INIT(TLOG_PROOF_MAX_LEN);
	struct error err = {0};
	struct tlog_proof p;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(TLOG_PROOF_MAX_LEN);
		struct error why = {0};

		load("invalid", names[i], &in);
		if (tlog_proof_parse(buf_bytes(&in), &p, &why) ||
		    why.code != ERR_SYNTAX)
			fail_msg("%s: %s", names[i], why.text);
	}
	load("invalid", "64-hashes", &many);
	assert_false(tlog_proof_parse(buf_bytes(&many), &p, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

static void
test_too_long(void **state)
{
	AUTO(buf) in = BUF_INIT(TLOG_PROOF_MAX_LEN + 1);
	struct error err = {0};
	struct tlog_proof p;

	(void)state;
	assert_non_null(buf_reserve(&in, TLOG_PROOF_MAX_LEN + 1));
	memset(in.ptr, 'a', TLOG_PROOF_MAX_LEN + 1);
	buf_grow(&in, TLOG_PROOF_MAX_LEN + 1);
	assert_false(tlog_proof_parse(buf_bytes(&in), &p, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* NULL: it verifies. */
static const char *
verify(const struct tlog_proof *p, const char *entry, const char *log)
{
	struct error err = {0};
	struct checkpoint head;
	struct hash leaf;
	struct vkey key;

	assert_true(vkey_parse(bytes_str(log), &key, &err));
	merkle_leaf(&hasher, bytes_str(entry), &leaf);
	if (tlog_proof_verify(p, &leaf, &key, &hasher, verifier, &head, &err))
		return NULL;
	assert_int_equal(err.code, ERR_BADSIG);
	return err.reason;
}

static void
test_verify(void **state)
{
	static const struct {
		const char *name, *entry, *reason;
	} cases[] = {
	    {"plain", "4", NULL},
	    {"cosigned", "4", NULL},
	    {"extra", "4", NULL},
	    {"one-leaf", "0", NULL},
	    {"plain", "3", "inclusion"},
	    {"one-leaf", "4", "inclusion"},
	    {"63-hashes", "4", "inclusion"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(TLOG_PROOF_MAX_LEN);
		struct error err = {0};
		struct tlog_proof p;
		const char *got;

		load("valid", cases[i].name, &in);
		assert_true(tlog_proof_parse(buf_bytes(&in), &p, &err));
		got = verify(&p, cases[i].entry, LOG);
		if (got == NULL || cases[i].reason == NULL)
			assert_ptr_equal(got, cases[i].reason);
		else
			assert_string_equal(got, cases[i].reason);
	}
}

static void
test_verify_changed(void **state)
{
	static const uint64_t indexes[] = {0, 3, 5, 6, 7, 8, INT64_MAX};
	AUTO(buf) in = BUF_INIT(TLOG_PROOF_MAX_LEN);
	struct error err = {0};
	struct tlog_proof good, p;

	(void)state;
	load("valid", "plain", &in);
	assert_true(tlog_proof_parse(buf_bytes(&in), &good, &err));
	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		p = good;
		p.index = indexes[i];
		assert_string_equal(verify(&p, "4", LOG), "inclusion");
	}
	for (size_t i = 0; i < good.proof.len; i++) {
		p = good;
		p.proof.hashes[i].b[i] ^= 1;
		assert_string_equal(verify(&p, "4", LOG), "inclusion");
	}
	p = good;
	p.proof.len--;
	assert_string_equal(verify(&p, "4", LOG), "inclusion");
	p = good;
	p.proof.hashes[p.proof.len++] = p.proof.hashes[0];
	assert_string_equal(verify(&p, "4", LOG), "inclusion");
}

/* A key that did not sign, and a checkpoint that was changed. The signature is
 * looked at first: nothing else is wrong here, or everything is. */
static void
test_verify_log(void **state)
{
	static const char other[] =
	    "rekor-local+d80b4420+AURLycjWRo1+gdwwCLg9wU4PayMFdNBmPF4ORVPiBQ1E";
	AUTO(buf) in = BUF_INIT(TLOG_PROOF_MAX_LEN);
	struct error err = {0};
	struct tlog_proof p;

	(void)state;
	load("valid", "plain", &in);
	assert_true(tlog_proof_parse(buf_bytes(&in), &p, &err));
	assert_string_equal(verify(&p, "4", other), "log-signature");
	assert_string_equal(verify(&p, "3", other), "log-signature");
	/* The size of the tree: "\n7\n" becomes "\n6\n". */
	in.ptr[(size_t)(p.checkpoint.ptr - in.ptr) + 12] ^= 1;
	assert_string_equal(verify(&p, "4", LOG), "log-signature");
}

/* What is malformed is not called forged. */
static void
test_verify_malformed(void **state)
{
	struct tlog_proof p = {.checkpoint = BYTES_LIT("no note")};
	struct error err = {0};
	struct checkpoint head;
	struct hash leaf = {{0}};
	struct vkey key;

	(void)state;
	assert_true(vkey_parse(BYTES_LIT(LOG), &key, &err));
	assert_false(
	    tlog_proof_verify(&p, &leaf, &key, &hasher, verifier, &head, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_extra),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_verify_changed),
	    cmocka_unit_test(test_verify_log),
	    cmocka_unit_test(test_verify_malformed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
