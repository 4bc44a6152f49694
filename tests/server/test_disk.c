/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/statvfs.h>

#include "server/disk.h"

/* Link with -Wl,--wrap=statvfs,--wrap=clock_monotonic_ns. */
static uint64_t now_ns, free_blocks;
static unsigned looks, fail, interrupts;

int __wrap_statvfs(const char *path, struct statvfs *out);
uint64_t __wrap_clock_monotonic_ns(void);

int
__wrap_statvfs(const char *path, struct statvfs *out)
{
	__atomic_fetch_add(&looks, 1, __ATOMIC_RELAXED);
	assert_string_equal(path, "/data");
	if (interrupts > 0 && interrupts-- > 0) {
		errno = EINTR;
		return -1;
	}
	errno = EIO;
	*out = (struct statvfs){.f_frsize = 4096,
	    .f_bsize = 1 << 20,
	    .f_bfree = 1u << 30,
	    .f_bavail = __atomic_load_n(&free_blocks, __ATOMIC_RELAXED)};
	return fail ? -1 : 0;
}

uint64_t
__wrap_clock_monotonic_ns(void)
{
	return __atomic_load_n(&now_ns, __ATOMIC_RELAXED);
}

static struct disk *
open_at(uint64_t mark, uint64_t blocks)
{
	struct error err = {0};
	struct disk *d = disk_open("/data", mark, &err);

	assert_non_null(d);
	now_ns = 5;
	looks = fail = interrupts = 0;
	free_blocks = blocks;
	return d;
}

static void
ms(uint64_t n)
{
	now_ns += n * 1000000;
}

/* Free blocks of 4 KiB against a mark of 100 of them, one after the other. */
static void
test_hysteresis(void **state)
{
	static const struct {
		uint64_t blocks;
		bool low;
	} steps[] = {{110, false}, {100, false}, {99, true}, {100, true},
	    {124, true}, {125, false}, {101, false}, {0, true}, {124, true},
	    {1u << 30, false}, {UINT64_MAX / 2, false}};
	struct disk *d = open_at(100 * 4096, 110);
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		free_blocks = steps[i].blocks;
		assert_int_equal(disk_low(d, &bytes), steps[i].low);
		if (steps[i].blocks <= 1u << 30)
			assert_int_equal(bytes, steps[i].blocks * 4096);
		ms(250);
	}
	disk_close(d);
}

static void
test_cached(void **state)
{
	struct disk *d = open_at(100 * 4096, 200);

	(void)state;
	assert_int_equal(looks, 0);
	assert_false(disk_low(d, NULL));
	free_blocks = 1;
	ms(249);
	assert_false(disk_low(d, NULL));
	assert_int_equal(looks, 1);
	ms(1);
	assert_true(disk_low(d, NULL));
	assert_true(disk_low(d, NULL));
	assert_int_equal(looks, 2);
	disk_close(d);
}

/* No answer is no permission. */
static void
test_no_answer(void **state)
{
	struct disk *d = open_at(0, 200);
	uint64_t bytes = 7;

	(void)state;
	assert_false(disk_low(d, NULL));
	fail = 1;
	ms(250);
	assert_true(disk_low(d, &bytes));
	assert_int_equal(bytes, 0);
	fail = 0;
	interrupts = 3;
	ms(250);
	assert_false(disk_low(d, &bytes));
	assert_int_equal(bytes, 200 * 4096);
	disk_close(d);
}

static void
test_full(void **state)
{
	struct disk *d = open_at(100 * 4096, 1000);
	uint64_t bytes;

	(void)state;
	assert_false(disk_low(d, NULL));
	disk_full(d);
	assert_true(disk_low(d, &bytes));
	assert_int_equal(bytes, 1000 * 4096);
	ms(5000);
	disk_full(d);
	ms(9999);
	assert_true(disk_low(d, NULL));
	ms(1);
	assert_false(disk_low(d, NULL));
	disk_close(d);
}

static void
test_mark(void **state)
{
	struct disk *d = open_at(100 * 4096, 300);

	(void)state;
	assert_false(disk_low(d, NULL));
	disk_mark(d, 301 * 4096); /* at once, without a wait */
	assert_true(disk_low(d, NULL));
	disk_mark(d, 250 * 4096); /* in between: as it was */
	assert_true(disk_low(d, NULL));
	disk_mark(d, 240 * 4096);
	assert_false(disk_low(d, NULL));
	disk_close(d);
	disk_close(NULL);
}

static void *
looker(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		(void)disk_low(arg, NULL);
		__atomic_fetch_add(&now_ns, 50000000, __ATOMIC_RELAXED);
		__atomic_store_n(
		    &free_blocks, (uint64_t)i % 300, __ATOMIC_RELAXED);
		if (i % 500 == 0)
			disk_mark(arg, 100 * 4096);
		if (i % 700 == 0)
			disk_full(arg);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct disk *d = open_at(100 * 4096, 300);
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, looker, d), 0);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	assert_in_range(looks, 1, 8000);
	disk_close(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hysteresis),
	    cmocka_unit_test(test_cached),
	    cmocka_unit_test(test_no_answer),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_mark),
	    cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
