/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/tlog/note.h"
#include "server/head.h"

static struct hash
root_of(uint64_t size)
{
	struct hash h;

	for (size_t i = 0; i < HASH_LEN; i++)
		h.b[i] = (uint8_t)((size + 1) * 0x9e3779b97f4a7c15u >> i);
	return h;
}

/* A head whose note follows from its size. */
static struct head *
head_make(uint64_t size)
{
	struct hash root = root_of(size);
	char text[64];
	int n = snprintf(text, sizeof(text), "note of size %llu\n",
	    (unsigned long long)size);

	return head_new(size, &root, bytes_of(text, (size_t)n));
}

/* Whether all its parts belong together. */
static bool
sound(const struct head *h)
{
	struct hash root = root_of(h->size);
	char text[64];
	int n = snprintf(text, sizeof(text), "note of size %llu\n",
	    (unsigned long long)h->size);

	return hash_equal(&h->root, &root) &&
	    bytes_equal(h->body.data, bytes_of(text, (size_t)n)) &&
	    bytes_equal(buf_bytes(&h->note), h->body.data);
}

static void
test_new(void **state)
{
	static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct head *h = head_make(sizes[i]);
		size_t len;

		assert_non_null(h);
		assert_true(h->size == sizes[i]);
		assert_int_equal(h->body.refs, 1);
		assert_true(sound(h));
		len = strlen(h->etag);
		assert_true(len > 2 && len < sizeof(h->etag));
		assert_int_equal(h->etag[0], '"');
		assert_int_equal(h->etag[len - 1], '"');
		assert_ptr_equal(strchr(h->etag + 1, '"'), h->etag + len - 1);
		head_release(h);
	}
	head_release(NULL);
}

/* The note is a copy; the largest fits and no larger one. */
static void
test_note_copied(void **state)
{
	static const struct {
		size_t len;
		bool ok;
	} cases[] = {
	    {0, true},
	    {1, true},
	    {NOTE_MAX_LEN - 1, true},
	    {NOTE_MAX_LEN, true},
	    {NOTE_MAX_LEN + 1, false},
	    {NOTE_MAX_LEN * 2, false},
	};
	struct hash root = root_of(5);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *note = calloc(1, NOTE_MAX_LEN * 2);
		struct head *h;

		assert_non_null(note);
		memset(note, 'n', cases[i].len);
		h = head_new(5, &root, bytes_of(note, cases[i].len));
		assert_true((h != NULL) == cases[i].ok);
		memset(note, 'x', cases[i].len);
		free(note);
		if (!h)
			continue;
		assert_int_equal(h->body.data.len, cases[i].len);
		for (size_t k = 0; k < cases[i].len; k++)
			assert_int_equal(h->body.data.ptr[k], 'n');
		head_release(h);
	}
}

/* What another checkpoint is called otherwise. */
static void
test_etags_differ(void **state)
{
	struct hash a = root_of(1), b = root_of(2);
	struct head *heads[] = {
	    head_new(10, &a, BYTES_LIT("note")),
	    head_new(11, &a, BYTES_LIT("note")),
	    head_new(10, &b, BYTES_LIT("note")),
	    head_new(10, &a, BYTES_LIT("note with a cosignature")),
	};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(heads[i]->etag, heads[k]->etag);
	for (size_t i = 0; i < 4; i++)
		head_release(heads[i]);
}

static void
test_slot(void **state)
{
	struct head_slot *s = head_slot_open();
	struct head *first = head_make(1), *second = head_make(2), *h, *same;

	(void)state;
	assert_non_null(s);
	assert_null(head_current(s));
	head_publish(s, first);
	assert_int_equal(first->body.refs, 1);
	h = head_current(s);
	same = head_current(s);
	assert_ptr_equal(h, first);
	assert_ptr_equal(same, first);
	assert_int_equal(first->body.refs, 3);
	head_release(same);
	head_publish(s, second);
	/* Who has the old one keeps it. */
	assert_int_equal(h->body.refs, 1);
	assert_true(sound(h));
	head_release(h);
	h = head_current(s);
	assert_ptr_equal(h, second);
	head_slot_close(s);
	assert_int_equal(h->body.refs, 1);
	assert_true(sound(h));
	head_release(h);
	s = head_slot_open();
	assert_non_null(s);
	head_slot_close(s);
	head_slot_close(NULL);
}

#define READERS 3
#define HEADS	5000

struct reader {
	struct head_slot *slot;
	atomic_bool *stop;
	unsigned wrong;
	uint64_t last;
};

static void *
read_along(void *arg)
{
	struct reader *r = arg;

	do {
		struct head *h = head_current(r->slot);

		if (!h) {
			r->wrong += r->last != 0;
			continue;
		}
		r->wrong += h->size < r->last || !sound(h);
		r->last = h->size;
		head_release(h);
	} while (!atomic_load(r->stop));
	return NULL;
}

/* Readers see whole heads whose sizes never shrink. */
static void
test_threads(void **state)
{
	struct head_slot *s = head_slot_open();
	atomic_bool stop = false;
	struct reader readers[READERS];
	pthread_t threads[READERS];

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < READERS; i++) {
		readers[i] = (struct reader){.slot = s, .stop = &stop};
		assert_int_equal(
		    pthread_create(&threads[i], NULL, read_along, &readers[i]),
		    0);
	}
	for (uint64_t size = 1; size <= HEADS; size++) {
		head_publish(s, head_make(size));
		if (size % 100 == 0)
			sched_yield();
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(readers[i].wrong, 0);
	}
	head_slot_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_new),
	    cmocka_unit_test(test_note_copied),
	    cmocka_unit_test(test_etags_differ),
	    cmocka_unit_test(test_slot),
	    cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
