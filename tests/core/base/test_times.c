/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/times.h"

/* Made with date -u -d TEXT +%s (GNU coreutils). */
static const struct {
	const char *text;
	uint64_t seconds;
} times[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:01Z", 1},
    {"1970-12-31T23:59:59Z", 31535999},
    {"1972-02-29T12:34:56Z", 68214896},
    {"1999-12-31T23:59:59Z", 946684799},
    {"2000-02-29T00:00:00Z", 951782400},
    {"2000-03-01T00:00:00Z", 951868800},
    {"2026-11-23T07:00:00Z", 1795417200},
    {"2027-01-31T00:00:00Z", 1801353600},
    {"2038-01-19T03:14:08Z", 2147483648},
    {"2100-02-28T23:59:59Z", 4107542399},
    {"2100-03-01T00:00:00Z", 4107542400},
    {"2400-02-29T00:00:00Z", 13574563200},
    {"9999-12-31T23:59:59Z", 253402300799},
};

static void
test_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct bytes text = bytes_str(times[i].text);
		AUTO(buf) out = BUF_INIT(64);
		uint64_t got = 7, day = 7;

		assert_true(time_parse(text, &got));
		if (got != times[i].seconds)
			fail_msg(
			    "%s: %llu", times[i].text, (unsigned long long)got);
		time_put(&out, got);
		assert_true(bytes_equal(buf_bytes(&out), text));
		assert_true(time_parse(bytes_slice(text, 0, 10), &day));
		assert_int_equal(day, got - got % 86400);
	}
}

static void
test_invalid(void **state)
{
	static const char *const bad[] = {
	    "",
	    "2026",
	    "2026-11",
	    "2026-11-2",
	    "26-11-23",
	    "02026-11-23",
	    "1969-12-31",
	    "0000-01-01",
	    "10000-01-01",
	    "2026-00-23",
	    "2026-13-23",
	    "2026-11-00",
	    "2026-11-31",
	    "2026-02-29",
	    "2100-02-29",
	    "2026-1-23",
	    "2026/11/23",
	    "2026-11-23 ",
	    " 2026-11-23",
	    "2026-11-23T",
	    "2026-11-23Z",
	    "2026-11-23T07:00Z",
	    "2026-11-23T07:00:00",
	    "2026-11-23T07:00:00z",
	    "2026-11-23t07:00:00Z",
	    "2026-11-23 07:00:00Z",
	    "2026-11-23T07:00:00.0Z",
	    "2026-11-23T07:00:00+00:00",
	    "2026-11-23T07:00:00ZZ",
	    "2026-11-23T24:00:00Z",
	    "2026-11-23T07:60:00Z",
	    "2016-12-31T23:59:60Z",
	    "2026-11-23T7:00:00Z",
	    "2026-11-23T-7:00:00Z",
	    "2026-11-23T+7:00:00Z",
	    "2026-11-23T07:00: 0Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t out = 7;

		if (time_parse(bytes_str(bad[i]), &out) || out != 7)
			fail_msg("%s", bad[i]);
	}
}

static void
test_parts(void **state)
{
	static const struct {
		unsigned year, month, day, hour, minute, second;
		bool ok;
	} cases[] = {
	    {1970, 1, 1, 0, 0, 0, true},
	    {2024, 2, 29, 23, 59, 59, true},
	    {9999, 12, 31, 23, 59, 59, true},
	    {1969, 12, 31, 23, 59, 59, false},
	    {10000, 1, 1, 0, 0, 0, false},
	    {2024, 0, 1, 0, 0, 0, false},
	    {2024, 13, 1, 0, 0, 0, false},
	    {2024, 4, 31, 0, 0, 0, false},
	    {2023, 2, 29, 0, 0, 0, false},
	    {2024, 2, 30, 0, 0, 0, false},
	    {2024, 1, 0, 0, 0, 0, false},
	    {2024, 1, 1, 24, 0, 0, false},
	    {2024, 1, 1, 0, 60, 0, false},
	    {2024, 1, 1, 0, 0, 60, false},
	    {UINT32_MAX, 1, 1, 0, 0, 0, false},
	    {2024, UINT32_MAX, 1, 0, 0, 0, false},
	    {2024, 1, UINT32_MAX, 0, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t out = 7;

		if (time_of_parts(cases[i].year, cases[i].month, cases[i].day,
			cases[i].hour, cases[i].minute, cases[i].second,
			&out) != cases[i].ok ||
		    (!cases[i].ok && out != 7))
			fail_msg("case %zu", i);
	}
}

/* Days of all years come back, and follow the ones before. */
static void
test_many_days(void **state)
{
	AUTO(buf) before = BUF_INIT(64);
	AUTO(buf) text = BUF_INIT(64);
	uint64_t last = UINT64_C(253402300799) / 86400;

	(void)state;
	for (uint64_t day = 0; day <= last; day += 13) {
		uint64_t back = 0, want = day * 86400 + day % 86400;

		buf_clear(&text);
		time_put(&text, want);
		if (!time_parse(buf_bytes(&text), &back) || back != want)
			fail_msg("day %llu", (unsigned long long)day);
		if (day > 0 &&
		    memcmp(before.ptr, text.ptr, sizeof("2026-11-23") - 1) >= 0)
			fail_msg("day %llu", (unsigned long long)day);
		buf_clear(&before);
		buf_put(&before, buf_bytes(&text));
	}
}

static void
test_beyond(void **state)
{
	static const uint64_t beyond[] = {
	    UINT64_C(253402300800), UINT64_C(1) << 40, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		AUTO(buf) out = BUF_INIT(64);

		time_put(&out, beyond[i]);
		assert_true(out.failed);
		assert_int_equal(out.len, 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_many_days),
	    cmocka_unit_test(test_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
