/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "server/witness/witness_log.h"
#include "tests/support/folder.h"

#define A    "log.example+328a282e+AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"
#define B    "rekor-local+d80b4420+AURLycjWRo1+gdwwCLg9wU4PayMFdNBmPF4ORVPiBQ1E"
#define A_ID "d7612c54297eaa3e5a7756b17ce3adc5bed251af8059d72bbb8b0075c67b85e9"
/* A's key as a witness's. */
#define W "log.example+7b1291ed+BHLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"

static const struct {
	const char *text;
	enum error_code code; /* ERR_NONE: read, and written the same again */
} cases[] = {
    {"vkey " A "\nper-day 86400\n", ERR_NONE},
    {"vkey " A "\nurl https://a.example/log\nper-day 1\n", ERR_NONE},
    {"vkey " A "\nper-day 86400000\n", ERR_NONE},
    {"", ERR_SYNTAX},
    {"\n", ERR_SYNTAX},
    {"per-day 5\n", ERR_SYNTAX},
    {"vkey " A, ERR_SYNTAX},
    {"vkey " A "\n\n", ERR_SYNTAX},
    {"vkey  " A "\n", ERR_SYNTAX},
    {"vkey " A "\nvkey " A "\n", ERR_USAGE},
    {"vkey " A "\nvkey " B "\n", ERR_USAGE},
    {"vkey " W "\n", ERR_USAGE},
    {"key " A "\n", ERR_SYNTAX},
    {"vkey " A "\nper-day 0\n", ERR_SYNTAX},
    {"vkey " A "\nper-day 86400001\n", ERR_SYNTAX},
    {"vkey " A "\nper-day 05\n", ERR_SYNTAX},
    {"vkey " A "\nper-day 5\nper-day 5\n", ERR_SYNTAX},
    {"vkey " A "\nurl \n", ERR_SYNTAX},
    {"vkey " A "\nurl a b\n", ERR_SYNTAX},
    {"vkey " A "\nurl a\nurl b\n", ERR_SYNTAX},
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) again = BUF_INIT(WITNESS_LOG_TEXT_MAX);
		struct error err = {0};
		struct witness_log l;
		bool ok = witness_log_parse(bytes_str(cases[i].text), &l, &err);

		if (err.code != cases[i].code || ok != (err.code == ERR_NONE))
			fail_msg("%s: %s", cases[i].text, err.text);
		if (!ok)
			continue;
		witness_log_format(&l, &again);
		assert_true(
		    bytes_equal(buf_bytes(&again), bytes_str(cases[i].text)));
	}
}

static void
test_defaults(void **state)
{
	struct error err = {0};
	struct witness_log l;

	(void)state;
	assert_true(witness_log_parse(BYTES_LIT("vkey " A "\n"), &l, &err));
	assert_int_equal(l.per_day, WITNESS_PER_DAY);
	assert_string_equal(l.url, "");
	assert_int_equal(l.key_count, 1);
}

static void
test_long(void **state)
{
	AUTO(buf) text = BUF_INIT(2 * WITNESS_LOG_TEXT_MAX);
	struct error err = {0};
	struct witness_log l;

	(void)state;
	while (text.len <= WITNESS_LOG_TEXT_MAX)
		buf_put_str(&text, "vkey " A "\n");
	assert_false(witness_log_parse(buf_bytes(&text), &l, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

static void
test_files(void **state)
{
	AUTO(hasher) h = {0};
	struct error err = {0}, why = {0}, other = {0};
	struct witness_log l, back;
	struct hash id, wrong = {{0}};

	(void)state;
	assert_true(hasher_open(&h, &err));
	assert_true(
	    witness_log_parse(BYTES_LIT("vkey " A "\nper-day 7\n"), &l, &err));
	witness_log_id(&h, witness_log_origin(&l), &id);
	assert_false(witness_log_load(folder_path, &id, &h, &back, &why));
	assert_int_equal(why.code, ERR_NOTFOUND);

	assert_true(witness_log_store(folder_path, &l, false, &err));
	assert_int_equal(access(folder_at(A_ID), R_OK), 0);
	assert_true(witness_log_load(folder_path, &id, &h, &back, &err));
	assert_int_equal(back.per_day, 7);

	why = (struct error){0};
	l.per_day = 8;
	assert_false(witness_log_store(folder_path, &l, false, &why));
	assert_int_equal(why.code, ERR_CONFLICT);
	assert_true(witness_log_store(folder_path, &l, true, &err));
	assert_true(witness_log_load(folder_path, &id, &h, &back, &err));
	assert_int_equal(back.per_day, 8);

	/* Under another log's name it counts for neither. */
	folder_put("00000000000000000000000000000000000000000000000000000000"
		   "00000000",
	    "vkey " A "\n", sizeof("vkey " A "\n") - 1);
	assert_false(witness_log_load(folder_path, &wrong, &h, &back, &other));
	assert_int_equal(other.code, ERR_SYNTAX);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_files),
	};
	int failed;

	folder_make("/tmp");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	folder_remove();
	return failed;
}
