/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/witness/growth.h"

#define SECOND UINT64_C(1000000000)

static const struct hash a = {{1}}, b = {{2}};

/* How many of `tries` growths at one moment are allowed. */
static unsigned
burst(struct growth *g, const struct hash *log, uint64_t per_day, uint64_t now,
    unsigned tries)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < tries; i++) {
		struct error err = {0};
		uint64_t retry = 0;

		if (growth_take(g, log, per_day, now, &retry, &err)) {
			taken++;
			continue;
		}
		assert_int_equal(err.code, ERR_UNAVAILABLE);
		assert_string_equal(error_reason_name(&err), "log-rate");
		assert_true(retry > 0);
	}
	return taken;
}

static void
test_bursts(void **state)
{
	static const struct {
		uint64_t per_day;
		unsigned at_once;
	} cases[] = {{1, 1}, {2, 2}, {3, 3}, {60, 60}, {61, 60}, {86400, 60},
	    {86400000, 60}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct growth *g = growth_open(&err);

		assert_non_null(g);
		assert_int_equal(
		    burst(g, &a, cases[i].per_day, 5 * SECOND, 100),
		    cases[i].at_once);
		/* Another log has its own. */
		assert_int_equal(
		    burst(g, &b, cases[i].per_day, 5 * SECOND, 100),
		    cases[i].at_once);
		growth_close(g);
	}
}

static void
test_rate(void **state)
{
	struct error err = {0};
	struct growth *g = growth_open(&err);
	unsigned taken = 0;

	(void)state;
	assert_non_null(g);
	/* Tried every ten minutes over ten days, at 24 a day. */
	for (uint64_t t = 0; t < 10 * 144; t++)
		taken += burst(g, &a, 24, t * 600 * SECOND, 1);
	assert_int_equal(taken, 240 + 23);
	growth_close(g);
}

static void
test_retry(void **state)
{
	struct error err = {0};
	struct growth *g = growth_open(&err);
	uint64_t retry = 0, now = 7 * SECOND;

	(void)state;
	assert_non_null(g);
	assert_int_equal(burst(g, &a, 2, now, 2), 2);
	assert_false(growth_take(g, &a, 2, now, &retry, &err));
	assert_int_equal(retry, 43200);
	err = (struct error){0};
	assert_false(
	    growth_take(g, &a, 2, now + (retry - 1) * SECOND, &retry, &err));
	assert_int_equal(retry, 1);
	err = (struct error){0};
	assert_true(growth_take(g, &a, 2, now + 43200 * SECOND, &retry, &err));
	growth_close(g);
}

/* More logs than the first piece of memory has room for. */
static void
test_many(void **state)
{
	struct error err = {0};
	struct growth *g = growth_open(&err);

	(void)state;
	assert_non_null(g);
	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < 100; i++) {
			struct hash log = {{9}};

			log.b[1] = (uint8_t)i;
			assert_int_equal(
			    burst(g, &log, 1, 1, 1), round == 0 ? 1 : 0);
		}
	growth_close(g);
	growth_close(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bursts),
	    cmocka_unit_test(test_rate),
	    cmocka_unit_test(test_retry),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
