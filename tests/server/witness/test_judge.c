/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/judge.h"

#include "tests/server/witness_fixture.h"

static struct test_log log_a;

static int
setup(void **state)
{
	(void)state;
	if (fixture_open() != 0)
		return -1;
	test_log_open(&log_a, "a.example", KEY_ED25519, TEST_TREE_MAX);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_log_close(&log_a);
	fixture_close();
	return 0;
}

static struct judge_last
last_of(uint64_t size)
{
	struct node_reader nodes = test_log_nodes(&log_a);
	struct judge_last last = {.size = size};
	struct error err = {0};

	need(merkle_root(&hasher, &nodes, size, &last.root, &err), &err);
	return last;
}

/* All rows but the second, which is not asked here. */
static enum judge_row
judge(const struct test_body *b, uint64_t last_size, struct error *err)
{
	AUTO(buf) body = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	AUTO(addition) s = {0};
	struct judge_last last = last_of(last_size);
	enum judge_row row;

	test_body(&log_a, b, &body);
	row = judge_form(buf_bytes(&body), &s, err);
	if (row == JUDGE_COSIGN)
		row = judge_signatures(&s, &log_a.vkey, 1, verifier, err);
	if (row == JUDGE_COSIGN)
		row = judge_growth(&s, &last, &hasher, err);
	return row;
}

/* Each is wrong in its own row and, where that can be, in all that follow. */
static const struct {
	const char *name;
	uint64_t last;
	struct test_body body;
	enum judge_row row;
} cases[] = {
    {"malformed, and all else", 5,
	{.old_size = 9,
	    .size = 4,
	    .wrong_root = true,
	    .wrong_signature = true,
	    .malformed = true},
	JUDGE_MALFORMED},
    {"extension line, wrong signature", 5,
	{.old_size = 5,
	    .size = 9,
	    .extension = "more\n",
	    .wrong_signature = true},
	JUDGE_MALFORMED},
    {"wrong signature, old over size", 5,
	{.old_size = 9, .size = 4, .wrong_signature = true}, JUDGE_SIGNATURE},
    {"no signature but a stranger's", 5,
	{.old_size = 9,
	    .size = 4,
	    .unsigned_ = true,
	    .lines = "\xe2\x80\x94 x.example AAAAAAAA\n"},
	JUDGE_SIGNATURE},
    {"one right signature, one wrong", 5,
	{.old_size = 9, .size = 4, .lines = NULL /* set below */},
	JUDGE_SIGNATURE},
    {"old over size, and not the last", 5,
	{.old_size = 9, .size = 4, .wrong_root = true}, JUDGE_OLD_LARGER},
    {"old over size, and the last", 9, {.old_size = 9, .size = 4},
	JUDGE_OLD_LARGER},
    {"stale, wrong root of size 0, a proof", 5,
	{.old_size = 0, .size = 0, .wrong_root = true, .long_proof = true},
	JUDGE_STALE},
    {"stale, wrong proof", 5, {.old_size = 4, .size = 9, .wrong_proof = true},
	JUDGE_STALE},
    {"ahead of us", 5, {.old_size = 6, .size = 9}, JUDGE_STALE},
    {"first, but not to us", 5, {.old_size = 0, .size = 9}, JUDGE_STALE},
    {"size 0 of another root, a proof", 0,
	{.old_size = 0, .size = 0, .wrong_root = true, .long_proof = true},
	JUDGE_EMPTY_ROOT},
    {"a proof from nothing", 0, {.old_size = 0, .size = 9, .long_proof = true},
	JUDGE_PROOF_FROM_EMPTY},
    {"a proof from nothing to nothing", 0,
	{.old_size = 0, .size = 0, .long_proof = true}, JUDGE_PROOF_FROM_EMPTY},
    {"two roots of one size, a proof", 9,
	{.old_size = 9, .size = 9, .wrong_root = true, .long_proof = true},
	JUDGE_FORK},
    {"two roots of one size", 9, {.old_size = 9, .size = 9, .wrong_root = true},
	JUDGE_FORK},
    {"a proof for the same head", 9,
	{.old_size = 9, .size = 9, .long_proof = true}, JUDGE_INCONSISTENT},
    {"wrong proof", 5, {.old_size = 5, .size = 9, .wrong_proof = true},
	JUDGE_INCONSISTENT},
    {"long proof", 5, {.old_size = 5, .size = 9, .long_proof = true},
	JUDGE_INCONSISTENT},
    {"wrong root", 5, {.old_size = 5, .size = 9, .wrong_root = true},
	JUDGE_INCONSISTENT},
    {"grows", 5, {.old_size = 5, .size = 9}, JUDGE_COSIGN},
    {"grows from a power of two", 8, {.old_size = 8, .size = 300},
	JUDGE_COSIGN},
    {"first", 0, {.old_size = 0, .size = 9}, JUDGE_COSIGN},
    {"first, empty", 0, {.old_size = 0, .size = 0}, JUDGE_COSIGN},
    {"the same", 9, {.old_size = 9, .size = 9}, JUDGE_COSIGN},
};

static void
test_rows(void **state)
{
	AUTO(buf) line = BUF_INIT(1024);
	uint8_t bad[64] = {1};
	char *wrong;

	(void)state;
	note_signature_put(&line, vkey_name(&log_a.vkey), log_a.vkey.key_id,
	    bytes_of(bad, sizeof(bad)));
	wrong = buf_dup_string(&line);
	assert_non_null(wrong);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test_body b = cases[i].body;
		struct error err = {0};
		enum judge_row row;

		if (strcmp(cases[i].name, "one right signature, one wrong") ==
		    0)
			b.lines = wrong;
		row = judge(&b, cases[i].last, &err);
		if (row != cases[i].row)
			fail_msg("%s: %s, not %s (%s)", cases[i].name,
			    judge_name(row), judge_name(cases[i].row),
			    err.text);
		assert_true((row == JUDGE_COSIGN) == (err.code == ERR_NONE));
	}
	free(wrong);
}

static void
test_statuses(void **state)
{
	static const struct {
		enum judge_row row;
		unsigned status;
	} table[] = {
	    {JUDGE_BROKEN, 500},
	    {JUDGE_MALFORMED, 400},
	    {JUDGE_UNKNOWN, 404},
	    {JUDGE_SIGNATURE, 403},
	    {JUDGE_OLD_LARGER, 400},
	    {JUDGE_STALE, 409},
	    {JUDGE_EMPTY_ROOT, 422},
	    {JUDGE_PROOF_FROM_EMPTY, 422},
	    {JUDGE_FORK, 422},
	    {JUDGE_INCONSISTENT, 422},
	    {JUDGE_COSIGN, 200},
	};

	(void)state;
	assert_int_equal(sizeof(table) / sizeof(table[0]), JUDGE_ROWS);
	for (size_t i = 0; i < JUDGE_ROWS; i++) {
		assert_int_equal(table[i].row, i);
		assert_int_equal(judge_status(table[i].row), table[i].status);
	}
}

/* What is kept has the keys' signatures, and nobody else's lines. */
static void
test_note_kept(void **state)
{
	AUTO(buf) body = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	AUTO(buf) kept = BUF_INIT(NOTE_MAX_LEN);
	AUTO(buf) clean = BUF_INIT(NOTE_MAX_LEN);
	AUTO(addition) s = {0};
	struct error err = {0};
	struct test_body b = {
	    .size = 9,
	    .lines = "\xe2\x80\x94 evil.example AAAAAAAA\n"
		     "\xe2\x80\x94 a.example AAAAAAAA\n",
	};

	(void)state;
	test_body(&log_a, &b, &body);
	assert_int_equal(judge_form(buf_bytes(&body), &s, &err), JUDGE_COSIGN);
	assert_int_equal(
	    judge_signatures(&s, &log_a.vkey, 1, verifier, &err), JUDGE_COSIGN);
	judge_note(&s, &log_a.vkey, 1, &kept);
	b.lines = NULL;
	test_note(&log_a, &b, &clean);
	assert_true(bytes_equal(buf_bytes(&kept), buf_bytes(&clean)));
}

/* Of several keys each that signed must be right, and one is enough. */
static void
test_two_keys(void **state)
{
	AUTO(buf) body = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	AUTO(addition) s = {0};
	struct test_log other;
	struct test_body b = {.size = 9};
	struct vkey keys[2];
	struct error err = {0};

	(void)state;
	test_log_open(&other, "a.example", KEY_ECDSA_P256, TEST_TREE_MAX);
	keys[0] = log_a.vkey;
	keys[1] = other.vkey;
	test_body(&other, &b, &body);
	assert_int_equal(judge_form(buf_bytes(&body), &s, &err), JUDGE_COSIGN);
	assert_int_equal(
	    judge_signatures(&s, keys, 2, verifier, &err), JUDGE_COSIGN);
	assert_int_equal(
	    judge_signatures(&s, keys, 1, verifier, &err), JUDGE_SIGNATURE);
	err = (struct error){0};
	assert_int_equal(
	    judge_signatures(&s, keys, 0, verifier, &err), JUDGE_SIGNATURE);
	test_log_close(&other);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_statuses),
	    cmocka_unit_test(test_note_kept),
	    cmocka_unit_test(test_two_keys),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
