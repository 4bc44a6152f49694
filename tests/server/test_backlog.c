/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/backlog.h"

#define MS 1000000u

static void
test_age(void **state)
{
	struct backlog b = {0};

	(void)state;
	assert_int_equal(backlog_age(&b, 5 * MS), 0);
	backlog_signed(&b, 10, 1000 * MS);
	assert_int_equal(backlog_age(&b, 1000 * MS), 0);
	assert_int_equal(backlog_age(&b, 1500 * MS), 500 * MS);
	assert_int_equal(backlog_age(&b, 999 * MS), 0); /* a clock behind */
	backlog_signed(&b, 20, 1300 * MS);
	assert_int_equal(backlog_size(&b), 20);
	backlog_cosigned(&b, 9);
	assert_int_equal(backlog_size(&b), 11);
	assert_int_equal(backlog_age(&b, 1500 * MS), 500 * MS);
	backlog_cosigned(&b, 10);
	assert_int_equal(backlog_age(&b, 1500 * MS), 200 * MS);
	backlog_cosigned(&b, 5); /* never back */
	assert_int_equal(backlog_size(&b), 10);
	backlog_cosigned(&b, 20);
	assert_int_equal(backlog_size(&b), 0);
	assert_int_equal(backlog_age(&b, 9000 * MS), 0);
	backlog_signed(&b, 20, 9000 * MS);
	assert_int_equal(backlog_age(&b, 9500 * MS), 0);
	/* What is known to be cosigned does not wait. */
	backlog_cosigned(&b, 30);
	backlog_signed(&b, 25, 9600 * MS);
	assert_int_equal(backlog_age(&b, 9700 * MS), 0);
	assert_int_equal(backlog_size(&b), 0);
}

/* Marks run out; the age is then too large, never too small. */
static void
test_many(void **state)
{
	struct backlog b = {0};
	uint64_t n = 4 * BACKLOG_MARKS;

	(void)state;
	for (uint64_t i = 1; i <= n; i++) {
		backlog_signed(&b, i, i * 100 * MS);
		backlog_signed(&b, i, i * 100 * MS + 1);
		assert_int_equal(
		    backlog_age(&b, i * 100 * MS), (i - 1) * 100 * MS);
	}
	for (uint64_t i = 1; i < n; i++) {
		uint64_t age, now = 100 * MS * (n + 1);

		backlog_cosigned(&b, i);
		age = backlog_age(&b, now);
		assert_true(age >= now - (i + 1) * 100 * MS);
		assert_true(
		    i >= BACKLOG_MARKS - 1 || age == now - (i + 1) * 100 * MS);
		assert_int_equal(backlog_size(&b), n - i);
	}
	backlog_cosigned(&b, n);
	assert_int_equal(backlog_age(&b, UINT64_MAX), 0);
}

/* A burst within a moment is one mark, with the time of its first. */
static void
test_burst(void **state)
{
	struct backlog b = {0};

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		backlog_signed(&b, i, 1000 * MS + i);
	assert_int_equal(b.count, 1);
	backlog_cosigned(&b, 999);
	assert_int_equal(backlog_age(&b, 1100 * MS), 100 * MS - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_age),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
