/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's table: for each requirement, what only that one refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/core/verify/changes.h"

static struct parties parties;

static int
setup(void **state)
{
	(void)state;
	parties_open(&parties);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	parties_close(&parties);
	return 0;
}

static struct scene scene;
static struct verdict verdict;

static void
show_checks(const struct verdict *v)
{
	AUTO(buf) text = BUF_INIT(VERDICT_JSON_MAX);

	verdict_text(v, false, &text);
	print_error("%.*s\n", (int)text.len, (const char *)text.ptr);
}

/* Everything is asked for, and everything holds. */
static void
test_accepted(void **state)
{
	struct manifest m = {0};

	(void)state;
	scene_init(&scene, &parties);
	scene_build(&scene);
	if (!scene_verify(&scene, &verdict, &m)) {
		show_checks(&verdict);
		fail_msg("%s", verdict.message);
	}
	assert_int_equal(verdict.code, VERDICT_ACCEPTED);
	assert_null(verdict.reason);
	assert_int_equal(verdict.weakened, 0);
	for (size_t i = 0; i < verdict.check_count; i++)
		if (verdict.checks[i].result != CHECK_PASS)
			fail_msg("%s is not passed", verdict.checks[i].name);
	assert_int_equal(m.count, 2);
	manifest_release(&m);
	verdict_release(&verdict);
	scene_release(&scene);
}

/* What was refused by `row`: all before it held, and none was looked at since.
 */
static void
check_rows(const struct verdict *v, const char *row)
{
	bool after = false;

	for (size_t i = 0; i < v->check_count; i++) {
		const struct verdict_check *c = &v->checks[i];

		if (strcmp(c->name, row) == 0) {
			assert_int_equal(c->result, CHECK_FAIL);
			assert_string_equal(c->reason, v->reason);
			assert_string_equal(c->message, v->message);
			after = true;
		} else if (after) {
			assert_int_equal(c->result, CHECK_NOT_REACHED);
		} else {
			assert_true(c->result == CHECK_PASS ||
			    c->result == CHECK_NOT_ASKED);
			assert_null(c->reason);
		}
	}
	assert_true(after);
}

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < REFUSALS; i++) {
		struct manifest m = {0};
		const char *row = refusals[i].row;

		scene_init(&scene, &parties);
		refusals[i].change(&scene);
		scene_build(&scene);
		if (scene_verify(&scene, &verdict, &m))
			fail_msg(
			    "%zu %s %s: accepted", i, row, refusals[i].reason);
		if (verdict.code != refusals[i].code || !verdict.reason ||
		    strcmp(verdict.reason, refusals[i].reason) != 0) {
			show_checks(&verdict);
			fail_msg("%zu %s: %s, not %s", i, row, verdict.reason,
			    refusals[i].reason);
		}
		assert_true(strlen(verdict.message) > 0);
		check_rows(&verdict, row);
		assert_int_equal(m.count, 0);
		verdict_release(&verdict);
		scene_release(&scene);
	}
}

/* No row without a case. */
static void
test_rows(void **state)
{
	size_t rows = 0;

	(void)state;
	for (const char *row; (row = verify_requirement(rows)); rows++) {
		size_t n = 0;

		for (size_t k = 0; k < REFUSALS; k++)
			n += strcmp(refusals[k].row, row) == 0;
		if (n == 0)
			fail_msg("%s: nothing is refused by it", row);
	}
	assert_int_equal(rows, 24);
	assert_null(verify_requirement(rows + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
