/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/nearest.h"

static const char *const words[] = {
    "sign", "signer", "signed-by", "verify", "log", NULL};

static void
test_nearest(void **state)
{
	static const struct {
		const char *word, *nearest;
	} cases[] = {
	    {"signer", "signer"},
	    {"singer", "signer"},
	    {"signr", "sign"}, /* the first of two */
	    {"signerr", "signer"},
	    {"signed_by", "signed-by"},
	    {"Signed-By", "signed-by"},
	    {"sgin", "sign"},
	    {"verfiy", "verify"},
	    {"lo", "log"},
	    {"logs", "log"},
	    /* Another word, none, or one of another program. */
	    {"", NULL},
	    {"x", NULL},
	    {"wire", NULL},
	    {"frobnicate", NULL},
	    {"sign-the-model", NULL},
	    {"0123456789012345678901234567890123456789x", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = nearest_word(bytes_str(cases[i].word), words);

		if (!cases[i].nearest && got)
			fail_msg("%s: %s", cases[i].word, got);
		if (cases[i].nearest) {
			assert_non_null(got);
			assert_string_equal(got, cases[i].nearest);
		}
	}
}

static void
test_no_words(void **state)
{
	static const char *const none[] = {NULL};

	(void)state;
	assert_null(nearest_word(BYTES_LIT("sign"), none));
	assert_null(nearest_word((struct bytes){0}, none));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nearest),
	    cmocka_unit_test(test_no_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
