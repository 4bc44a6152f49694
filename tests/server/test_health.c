/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/health.h"

#define SENTENCE_MAX 300

/* Every condition, the gravest first, and what a submitter is told. */
static const struct {
	enum health_condition condition;
	enum error_code code;
	const char *name;
} all[HEALTH_CONDITIONS] = {
    {HEALTH_LATCHED, ERR_UNAVAILABLE, "log-latched"},
    {HEALTH_FROZEN, ERR_DENIED, "log-frozen"},
    {HEALTH_RESTARTING, ERR_UNAVAILABLE, "restarting"},
    {HEALTH_STARTING, ERR_UNAVAILABLE, "starting"},
    {HEALTH_DRAINING, ERR_UNAVAILABLE, "draining"},
    {HEALTH_UNASKED, ERR_UNAVAILABLE, "witnesses-unasked"},
    {HEALTH_QUORUM_BEHIND, ERR_UNAVAILABLE, "quorum-behind"},
    {HEALTH_DISK_LOW, ERR_UNAVAILABLE, "disk-low"},
    {HEALTH_INDEX_BEHIND, ERR_UNAVAILABLE, "index-behind"},
};

static struct health *
health_make(void)
{
	struct health *h = health_open();
	struct error err = {0};

	assert_non_null(h);
	assert_true(health_writable(h, &err));
	assert_int_equal(err.code, ERR_NONE);
	return h;
}

static void
told(struct health *h, size_t which, const char *text)
{
	struct error err = {0};

	assert_false(health_writable(h, &err));
	assert_int_equal(err.code, all[which].code);
	assert_string_equal(error_reason_name(&err), all[which].name);
	assert_string_equal(err.text, text);
}

static void
test_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < HEALTH_CONDITIONS; i++) {
		enum health_condition c = all[i].condition;
		struct health *h = health_make();
		struct error err = {0};

		assert_string_equal(health_name(c), all[i].name);
		for (unsigned k = 0; k < HEALTH_CONDITIONS; k++)
			assert_false(health_is(h, (enum health_condition)k));
		health_set(h, c, true, "%s number %u", "condition", 7u);
		for (unsigned k = 0; k < HEALTH_CONDITIONS; k++)
			assert_true(
			    health_is(h, (enum health_condition)k) == (k == c));
		told(h, i, "condition number 7");
		health_set(h, c, false, "%s", "");
		assert_true(health_is(h, c) == (c == HEALTH_LATCHED));
		assert_true(health_writable(h, &err) == (c != HEALTH_LATCHED));
		health_close(h);
	}
	health_close(NULL);
}

/* Of any two, and of all, whichever came first. */
static void
test_gravest(void **state)
{
	struct health *h;

	(void)state;
	for (size_t i = 0; i < HEALTH_CONDITIONS; i++)
		for (size_t k = 0; k < HEALTH_CONDITIONS; k++) {
			if (i == k)
				continue;
			h = health_make();
			health_set(
			    h, all[i].condition, true, "%s", all[i].name);
			health_set(
			    h, all[k].condition, true, "%s", all[k].name);
			told(h, i < k ? i : k, all[i < k ? i : k].name);
			health_close(h);
		}
	h = health_make();
	for (size_t i = HEALTH_CONDITIONS; i-- > 0;)
		health_set(h, all[i].condition, true, "%s", all[i].name);
	told(h, 0, all[0].name);
	health_close(h);
}

/* Each that ends gives way to the next. */
static void
test_cleared(void **state)
{
	struct health *h = health_make();
	struct error err = {0};

	(void)state;
	for (size_t i = 1; i < HEALTH_CONDITIONS; i++)
		health_set(h, all[i].condition, true, "%s", all[i].name);
	for (size_t i = 1; i < HEALTH_CONDITIONS; i++) {
		told(h, i, all[i].name);
		health_set(h, all[i].condition, false, "%s", "over");
		health_set(h, all[i].condition, false, "%s", "over");
	}
	assert_true(health_writable(h, &err));
	health_set(h, HEALTH_DISK_LOW, true, "%s", "once more");
	told(h, 7, "once more");
	health_close(h);
}

static void
test_latch(void **state)
{
	struct health *h = health_make();

	(void)state;
	health_set(h, HEALTH_LATCHED, false, "%s", "nothing to lift");
	assert_false(health_is(h, HEALTH_LATCHED));
	health_set(h, HEALTH_LATCHED, true, "%s", "the first sentence");
	health_set(h, HEALTH_LATCHED, true, "%s", "a second one");
	told(h, 0, "the first sentence");
	health_set(h, HEALTH_LATCHED, false, "%s", "all is well");
	assert_true(health_is(h, HEALTH_LATCHED));
	told(h, 0, "the first sentence");
	health_set(h, HEALTH_LATCHED, true, "%s", "a third one");
	told(h, 0, "the first sentence");
	health_close(h);
}

/* The whole of a sentence with its end, at most 300 bytes. */
static void
test_cut(void **state)
{
	static const size_t lengths[] = {0, 1, 298, 299, 300, 301, 399, 2000};
	char text[2001], want[SENTENCE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i];
		struct health *h = health_make();

		for (size_t k = 0; k < n; k++)
			text[k] = (char)('a' + k % 26);
		text[n] = '\0';
		n = n < SENTENCE_MAX ? n : SENTENCE_MAX - 1;
		memcpy(want, text, n);
		want[n] = '\0';
		health_set(h, HEALTH_LATCHED, true, "%s", text);
		told(h, 0, want);
		health_close(h);
	}
}

/* A sentence that is cut remains UTF-8, as the text of an error is. */
static void
test_cut_character(void **state)
{
	static const char *const characters[] = {
	    "\xc3\xbc", "\xe2\x80\xa6", "\xf0\x9f\x94\x92"};

	(void)state;
	for (size_t c = 0; c < 3; c++)
		for (size_t pad = 0; pad < 4; pad++) {
			size_t width = strlen(characters[c]), len;
			char text[1000] = "aaaa";
			struct health *h = health_make();
			struct error err = {0};

			for (len = pad; len + width < 900; len += width)
				memcpy(&text[len], characters[c], width + 1);
			health_set(h, HEALTH_DISK_LOW, true, "%s", text);
			assert_false(health_writable(h, &err));
			health_close(h);
			len = strlen(err.text);
			assert_in_range(len, SENTENCE_MAX - 4, SENTENCE_MAX);
			assert_int_equal((len - pad) % width, 0);
			assert_memory_equal(err.text, text, len);
		}
}

/* Many threads set, clear and ask: what is told always fits together, and one
 * latch, from whoever came first, stays. */
#define THREADS 4
#define ROUNDS	3000

struct worker {
	struct health *health;
	size_t number;
	unsigned wrong;
	char latch[32];
};

static void
ask(struct worker *w)
{
	struct error err = {0};
	size_t n;

	if (health_writable(w->health, &err))
		return;
	n = strlen(error_reason_name(&err));
	w->wrong += strncmp(err.text, error_reason_name(&err), n) != 0;
	w->wrong += err.text[n] != ' ';
	if (strcmp(error_reason_name(&err), "log-latched") == 0) {
		if (w->latch[0] == '\0')
			memcpy(w->latch, err.text, sizeof(w->latch) - 1);
		w->wrong += strncmp(w->latch, err.text, 31) != 0;
	}
	w->wrong += w->latch[0] != '\0' &&
	    (!health_is(w->health, HEALTH_LATCHED) ||
		strcmp(error_reason_name(&err), "log-latched") != 0);
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (size_t i = 0; i < ROUNDS; i++) {
		size_t which = 1 + (i + w->number) % (HEALTH_CONDITIONS - 1);

		health_set(w->health, all[which].condition, i % 3 != 0,
		    "%s by %zu in round %zu", all[which].name, w->number, i);
		if (i > ROUNDS / 2)
			health_set(w->health, HEALTH_LATCHED, i % 2 == 0,
			    "log-latched by %zu, round %06zu", w->number, i);
		ask(w);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct health *h = health_make();
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.health = h, .number = i};
		assert_int_equal(
		    pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_false(health_writable(h, &err));
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(workers[i].wrong, 0);
		assert_string_equal(workers[i].latch, err.text);
	}
	health_close(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each),
	    cmocka_unit_test(test_gravest),
	    cmocka_unit_test(test_cleared),
	    cmocka_unit_test(test_latch),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_cut_character),
	    cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
