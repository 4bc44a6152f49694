/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/arena.h"
#include "core/base/cleanup.h"

#define ALIGNMENT _Alignof(max_align_t)

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

/* How many more allocations succeed; below 0: all. */
static int allocations = -1;

void *
__wrap_calloc(size_t n, size_t size)
{
	if (allocations == 0)
		return NULL;
	if (allocations > 0)
		allocations--;
	return __real_calloc(n, size);
}

/* Sizes around those of chunks, all kept, none touching another. */
static void
test_many(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 4095, 4096, 4097,
	    70000, 3, 1u << 20, (1u << 20) + 1, 5, 3u << 20, 7, 0};
	enum { N = sizeof(sizes) / sizeof(sizes[0]), ROUNDS = 20 };
	AUTO(arena) a = ARENA_INIT(SIZE_MAX / 2);
	static uint8_t *kept[ROUNDS][N];
	struct error err = {0};

	(void)state;
	for (size_t r = 0; r < ROUNDS; r++) {
		for (size_t i = 0; i < N; i++) {
			uint8_t *p = arena_alloc(&a, sizes[i], 1, &err);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % ALIGNMENT, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				if (p[k] != 0)
					fail_msg("%zu: not zeroed", sizes[i]);
			memset(p, (int)(r * N + i) % 251 + 1, sizes[i]);
			kept[r][i] = p;
		}
	}
	for (size_t r = 0; r < ROUNDS; r++)
		for (size_t i = 0; i < N; i++)
			for (size_t k = 0; k < sizes[i]; k++)
				if (kept[r][i][k] != (r * N + i) % 251 + 1)
					fail_msg("%zu: overwritten", sizes[i]);
}

static void
test_limit(void **state)
{
	AUTO(arena) a = ARENA_INIT(100);
	struct error err = {0};
	struct arena none = {0};

	(void)state;
	assert_non_null(arena_alloc(&a, 3, 16, &err));
	assert_non_null(arena_alloc(&a, 1, 48, &err));
	assert_int_equal(a.used, 96);
	assert_null(arena_alloc(&a, 1, 1, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(a.used, 96);
	/* Nothing of a product or sum that does not fit. */
	err = (struct error){0};
	assert_null(arena_alloc(&a, SIZE_MAX / 2, 3, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	assert_null(arena_alloc(&a, 1, SIZE_MAX, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	a.limit = SIZE_MAX;
	err = (struct error){0};
	assert_null(arena_alloc(&a, 1, SIZE_MAX - 64, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	assert_null(arena_alloc(&none, 1, 1, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	assert_non_null(arena_alloc(&none, 0, 1, &err));
	arena_release(&none);
}

static void
test_release(void **state)
{
	struct error err = {0};
	struct arena a;

	(void)state;
	arena_init(&a, 64);
	arena_release(&a);
	for (int i = 0; i < 3; i++) {
		assert_non_null(arena_alloc(&a, 1, 64, &err));
		assert_null(arena_alloc(&a, 1, 1, &err));
		err = (struct error){0};
		arena_release(&a);
		arena_release(&a);
		assert_int_equal(a.limit, 64);
		assert_int_equal(a.used, 0);
	}
}

static void
test_no_memory(void **state)
{
	AUTO(arena) a = ARENA_INIT(1u << 24);
	struct error err = {0};

	(void)state;
	allocations = 1;
	assert_non_null(arena_alloc(&a, 1, 64, &err));
	assert_null(arena_alloc(&a, 1, 5000, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_int_equal(a.used, 64);
	/* What there is goes on serving. */
	err = (struct error){0};
	assert_non_null(arena_alloc(&a, 1, 64, &err));
	allocations = -1;
	assert_non_null(arena_alloc(&a, 1, 5000, &err));
}

static void
test_dup(void **state)
{
	uint8_t text[] = "some text";
	AUTO(arena) a = ARENA_INIT(64);
	struct error err = {0};
	struct bytes out = {0}, empty = {0};

	(void)state;
	assert_true(arena_dup(&a, BYTES_OF(text), &out, &err));
	text[0] = 'S';
	assert_true(bytes_equal(out, BYTES_LIT("some text\0")));
	assert_true(arena_dup(&a, empty, &out, &err));
	assert_int_equal(out.len, 0);
	assert_non_null(out.ptr);
	out = BYTES_LIT("as before");
	assert_false(arena_dup(&a, bytes_of(text, 64), &out, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_true(bytes_equal(out, BYTES_LIT("as before")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_release),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_dup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
