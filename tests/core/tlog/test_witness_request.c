/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/witness_request.h"
#include "tests/support/vector_file.h"

static void
load(const char *verdict, const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(
	    inside, sizeof(inside), "witness_request/%s-%s.txt", verdict, name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
test_valid(void **state)
{
	static const struct {
		const char *name;
		uint64_t old_size;
		size_t hashes;
	} cases[] = {
	    {"plain", 4, 3},
	    {"first", 0, 0},
	    {"same", 7, 0},
	    {"cosigned", 4, 3},
	    {"63-hashes", 4, 63},
	    {"largest", INT64_MAX, 0},
	    {"extension", 4, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
		AUTO(buf) again = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
		struct witness_request r;
		struct error err = {0};

		load("valid", cases[i].name, &in);
		if (!witness_request_parse(buf_bytes(&in), &r, &err))
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(r.old_size, cases[i].old_size);
		assert_int_equal(r.proof.len, cases[i].hashes);
		assert_true(
		    bytes_starts(r.checkpoint, BYTES_LIT("log.example\n7\n")));
		witness_request_format(&r, &again);
		assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&again)));
	}
}

static void
test_invalid(void **state)
{
	static const struct {
		const char *name, *says;
	} cases[] = {
	    {"blank-first", "first line"},
	    {"capital", "first line"},
	    {"checkpoint-root", "root hash"},
	    {"checkpoint-size", "size"},
	    {"checkpoint-too-large", "size"},
	    {"cr", "first line"},
	    {"empty", "first line"},
	    {"hash-hex", "hash line"},
	    {"hash-space", "hash line"},
	    {"hash-spare-bits", "hash line"},
	    {"hash-unpadded", "hash line"},
	    {"hash-urlsafe", "hash line"},
	    {"leading-zero", "first line"},
	    {"long-hash", "hash line"},
	    {"negative", "first line"},
	    {"new", "first line"},
	    {"no-blank", "hash line"},
	    {"no-final-newline", "signed note"},
	    {"no-newline", "first line"},
	    {"no-note", "signed note"},
	    {"no-old", "first line"},
	    {"no-signature", "signed note"},
	    {"no-size", "first line"},
	    {"not-a-checkpoint", "three lines"},
	    {"note-cr", "signed note"},
	    {"old-twice", "hash line"},
	    {"only-old", "no blank line"},
	    {"short-hash", "hash line"},
	    {"signature-line", "signed note"},
	    {"space-behind", "first line"},
	    {"too-large", "first line"},
	    {"trailing", "signed note"},
	    {"two-hashes-a-line", "hash line"},
	    {"two-spaces", "first line"},
	    {"unsigned", "signed note"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
		struct witness_request r;
		struct error err = {0};

		load("invalid", cases[i].name, &in);
		if (witness_request_parse(buf_bytes(&in), &r, &err) ||
		    err.code != ERR_SYNTAX || !strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].name, err.text);
	}
}

static void
test_limits(void **state)
{
	AUTO(buf) many = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	AUTO(buf) long_one = BUF_INIT(2 * WITNESS_REQUEST_MAX_LEN);
	AUTO(buf) plain = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	struct error err = {0}, why = {0};
	struct witness_request r;

	(void)state;
	load("invalid", "64-hashes", &many);
	assert_false(witness_request_parse(buf_bytes(&many), &r, &err));
	assert_int_equal(err.code, ERR_LIMIT);

	/* Sound, but for its length: the last line once more and again. */
	load("valid", "plain", &plain);
	buf_put(&long_one, buf_bytes(&plain));
	while (long_one.len <= WITNESS_REQUEST_MAX_LEN)
		buf_put_str(&long_one, "\xe2\x80\x94 a AAAAAAAA\n");
	assert_false(witness_request_parse(buf_bytes(&long_one), &r, &why));
	assert_int_equal(why.code, ERR_LIMIT);
}

static void
test_public(void **state)
{
	AUTO(buf) in = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	AUTO(buf) again = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	char path[VECTOR_PATH_MAX];
	struct witness_request r;
	struct error err = {0};

	(void)state;
	if (!vector_read(
		vector_public(path, "c2sp/add-checkpoint-body-example.txt"),
		&in)) {
		print_message("SKIPPED: no %s\n", path);
		skip();
	}
	assert_true(witness_request_parse(buf_bytes(&in), &r, &err));
	assert_int_equal(r.old_size, 20852014);
	assert_int_equal(r.proof.len, 4);
	witness_request_format(&r, &again);
	assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&again)));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_public),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
