/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/quota.h"

#define DAY 86400

static struct quota *
open_quota(uint64_t per_day)
{
	struct error err = {0};
	struct quota *q = quota_open(per_day, 42, &err);

	assert_non_null(q);
	return q;
}

static bool
take(struct quota *q, const char *address, const char *signer, uint64_t n,
    uint64_t now)
{
	return quota_take(q, bytes_str(address), bytes_str(signer), n, now);
}

/* Both count, and what is refused is charged to neither. */
static void
test_both(void **state)
{
	struct quota *q = open_quota(100);

	(void)state;
	assert_true(take(q, "a", "alice", 60, 5));
	assert_false(take(q, "a", "bob", 41, 5));
	assert_true(take(q, "a", "bob", 40, 5));
	assert_false(take(q, "a", "carol", 1, 5));
	assert_true(take(q, "a", "carol", 0, 5));
	assert_false(take(q, "b", "alice", 41, 5));
	assert_true(take(q, "b", "alice", 40, 5));
	assert_true(take(q, "b", "bob", 60, 5));
	assert_false(take(q, "c", "bob", 1, 5));
	assert_true(take(q, "c", "carol", 100, 5));
	quota_close(q);
}

static void
test_days(void **state)
{
	struct quota *q = open_quota(10);

	(void)state;
	assert_true(take(q, "a", "x", 10, DAY - 1));
	assert_false(take(q, "a", "x", 1, DAY - 1));
	assert_true(take(q, "a", "x", 10, DAY));
	assert_false(take(q, "a", "x", 1, 2 * DAY - 1));
	/* a clock that goes back begins a day, too: it is not for ever */
	assert_true(take(q, "a", "x", 10, 1));
	quota_close(q);
}

static void
test_numbers(void **state)
{
	struct quota *q = open_quota(0);

	(void)state;
	assert_true(take(q, "a", "x", 0, 0));
	assert_false(take(q, "a", "x", 1, 0));
	assert_false(take(q, "a", "x", UINT64_MAX, 0));
	quota_close(q);
	q = open_quota(UINT64_MAX);
	assert_true(take(q, "a", "x", UINT64_MAX, 0));
	assert_false(take(q, "a", "x", 1, 0));
	assert_false(take(q, "a", "x", UINT64_MAX, 0));
	quota_close(q);
	quota_close(NULL);
}

static void
give(struct quota *q, const char *address, const char *signer, uint64_t n,
    uint64_t now)
{
	quota_give(q, bytes_str(address), bytes_str(signer), n, now);
}

static void
test_give(void **state)
{
	struct quota *q = open_quota(10);

	(void)state;
	assert_true(take(q, "a", "x", 10, 5));
	give(q, "a", "x", 4, 5);
	assert_false(take(q, "a", "x", 5, 5));
	assert_true(take(q, "a", "x", 4, 5));
	give(q, "a", "x", 100, 5); /* never below nothing */
	assert_true(take(q, "a", "x", 10, 5));
	give(q, "a", "x", 10, DAY); /* that was yesterday */
	assert_true(take(q, "a", "x", 10, DAY));
	give(q, "a", "x", 10, 5);
	assert_false(take(q, "a", "x", 1, DAY));
	quota_close(q);
}

/* However many there are, most have their own share. */
static void
test_many(void **state)
{
	struct quota *q = open_quota(1);
	unsigned refused = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		refused += !quota_take(
		    q, bytes_of(&i, sizeof(i)), bytes_of(&i, sizeof(i)), 1, 7);
	assert_true(refused < 150);
	quota_close(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both),
	    cmocka_unit_test(test_days),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_give),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
