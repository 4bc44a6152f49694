/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "tests/support/sct_file.h"
#include "tests/support/vector_file.h"

static const struct {
	const char *name;
	enum error_code code;
	const char *words;
} cases[] = {
    {"one", ERR_NONE, NULL},
    {"short", ERR_NONE, NULL},
    {"medium", ERR_NONE, NULL},
    {"two", ERR_NONE, NULL},
    {"sixteen", ERR_NONE, NULL},
    {"extensions", ERR_NONE, NULL},
    {"unknown-too", ERR_NONE, NULL},
    {"log-not-ended", ERR_NONE, NULL},
    {"none", ERR_DENIED, "has none"},
    {"unknown", ERR_DENIED, "of a log that is trusted"},
    {"log-ended", ERR_DENIED, "of a log that is trusted"},
    {"spoiled", ERR_BADSIG, "ct.example"},
    {"good-and-spoiled", ERR_BADSIG, "ct.example"},
    {"other-issuer", ERR_BADSIG, "ct.example"},
    {"sign-rsa", ERR_BADSIG, "as its log's key signs"},
    {"empty-list", ERR_SYNTAX, "malformed list"},
    {"list-trailing", ERR_SYNTAX, "malformed list"},
    {"trailing", ERR_SYNTAX, "malformed"},
    {"long", ERR_SYNTAX, "malformed"},
    {"version-1", ERR_SYNTAX, "malformed"},
    {"hash-sha512", ERR_SYNTAX, "malformed"},
    {"inner-trailing", ERR_SYNTAX, "malformed"},
    {"seventeen", ERR_LIMIT, "too many"},
};

static void
test_cases(void **state)
{
	struct error err = {0};
	struct key_verifier *v = key_verifier_open(&err);

	(void)state;
	assert_non_null(v);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(1 << 20);
		char path[VECTOR_PATH_MAX], inside[64];
		struct error why = {0};
		bool readable, ok;

		(void)snprintf(
		    inside, sizeof(inside), "sct/%s.sct", cases[i].name);
		assert_true(vector_read(vector_own(path, inside), &in));
		ok = sct_file_verify(buf_bytes(&in), v, &readable, &why);
		assert_true(readable);
		if (ok != (cases[i].code == ERR_NONE) ||
		    why.code != cases[i].code)
			fail_msg("%s: %s", cases[i].name, why.text);
		if (ok)
			continue;
		assert_string_equal(error_reason_name(&why), "chain");
		if (!strstr(why.text, cases[i].words))
			fail_msg("%s: %s", cases[i].name, why.text);
	}
	key_verifier_close(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
