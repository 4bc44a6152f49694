/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "server/witness/keeper_message.h"

#define W "log.example+7b1291ed+BHLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"

static void
test_answer(void **state)
{
	struct cosigner_answer a = {
	    .status = 409,
	    .row = JUDGE_STALE,
	    .size = INT64_MAX,
	    .time = 7,
	    .retry_s = 5,
	    .log = {{1, 2, 3}},
	    .text = BUF_INIT(100),
	};
	AUTO(buf) packet = BUF_INIT(KEEPER_MESSAGE_MAX);
	struct cosigner_answer back;
	struct error err = {0};

	(void)state;
	buf_put_str(&a.text, "text\n");
	keeper_answer_format(&a, &packet);
	assert_true(keeper_answer_parse(buf_bytes(&packet), &back, &err));
	assert_int_equal(back.status, 409);
	assert_int_equal(back.row, JUDGE_STALE);
	assert_int_equal(back.size, INT64_MAX);
	assert_int_equal(back.time, 7);
	assert_int_equal(back.retry_s, 5);
	assert_true(hash_equal(&back.log, &a.log));
	assert_true(bytes_equal(buf_bytes(&back.text), BYTES_LIT("text\n")));
	cosigner_answer_release(&back);
	cosigner_answer_release(&a);
	/* Cut short anywhere before the text it is refused. */
	for (size_t n = 0; n < packet.len - 5; n++) {
		struct error why = {0};

		assert_false(
		    keeper_answer_parse(bytes_of(packet.ptr, n), &back, &why));
		assert_int_equal(why.code, ERR_SYNTAX);
		cosigner_answer_release(&back);
	}
	packet.ptr[2] = JUDGE_ROWS;
	assert_false(keeper_answer_parse(buf_bytes(&packet), &back, &err));
	cosigner_answer_release(&back);
	packet.ptr[2] = 0;
	packet.ptr[0] = 0;
	err = (struct error){0};
	assert_false(keeper_answer_parse(buf_bytes(&packet), &back, &err));
	cosigner_answer_release(&back);
}

static void
test_hello(void **state)
{
	AUTO(buf) packet = BUF_INIT(KEEPER_MESSAGE_MAX);
	struct keeper_hello hello = {.sandbox = "seccomp"}, back;
	struct error err = {0};

	(void)state;
	assert_true(vkey_parse(BYTES_LIT(W), &hello.vkey, &err));
	keeper_hello_format(&hello, &packet);
	assert_true(keeper_hello_parse(buf_bytes(&packet), &back, &err));
	assert_string_equal(back.sandbox, "seccomp");
	assert_int_equal(back.vkey.key_id, hello.vkey.key_id);
	for (size_t n = 0; n < packet.len - strlen("seccomp"); n++) {
		struct error why = {0};

		assert_false(
		    keeper_hello_parse(bytes_of(packet.ptr, n), &back, &why));
		assert_int_equal(why.code, ERR_SYNTAX);
	}
}

static void
test_failure(void **state)
{
	AUTO(buf) packet = BUF_INIT(KEEPER_MESSAGE_MAX);
	struct keeper_hello back;
	struct error why = {0}, err = {0};

	(void)state;
	error_set(&why, ERR_CONFLICT, "somebody else has it");
	keeper_failure_format(&why, &packet);
	assert_false(keeper_hello_parse(buf_bytes(&packet), &back, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(err.text, "somebody else has it");
	packet.ptr[0] = 99;
	err = (struct error){0};
	assert_false(keeper_hello_parse(buf_bytes(&packet), &back, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_hello),
	    cmocka_unit_test(test_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
