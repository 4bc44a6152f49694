/* SPDX-License-Identifier: Apache-2.0 */
/* A journal, and what is left of it wherever it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "client/lib/journal.h"
#include "core/base/cleanup.h"
#include "io/file.h"
#include "tests/support/folder.h"

/* Link with -Wl,--wrap=pwrite,--wrap=fdatasync: the n-th of them fails, having
 * written half. */
static int fail_at, calls;

ssize_t __real_pwrite(int fd, const void *data, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t n, off_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

ssize_t
__wrap_pwrite(int fd, const void *data, size_t n, off_t at)
{
	if (++calls == fail_at) {
		(void)!__real_pwrite(fd, data, n / 2, at);
		errno = ENOSPC;
		return -1;
	}
	return __real_pwrite(fd, data, n, at);
}

int
__wrap_fdatasync(int fd)
{
	errno = EIO;
	return ++calls == fail_at ? -1 : __real_fdatasync(fd);
}

#define BOTH (1u << JOURNAL_OUTPUT | 1u << JOURNAL_HOOK)

static struct journal *
open_journal(unsigned sinks)
{
	struct error err = {0};
	struct journal *j = journal_open(folder_at("journal"), sinks, &err);

	if (!j)
		fail_msg("%s", err.text);
	return j;
}

static void
id_of(unsigned n, struct hash *out)
{
	*out = (struct hash){{(uint8_t)n, (uint8_t)(n >> 8)}};
}

static bool
add(struct journal *j, unsigned n, bool kept, struct error *err)
{
	char text[32];
	struct hash id;

	id_of(n, &id);
	(void)snprintf(text, sizeof(text), "{\"n\":%u}", n);
	return journal_add(j, &id, bytes_str(text), kept, err);
}

static void
must_add(struct journal *j, unsigned n)
{
	struct error err = {0};

	assert_true(add(j, n, false, &err));
}

/* What a sink is told next: its number, 0: nothing; `*repeated`. */
static unsigned
next(struct journal *j, enum journal_sink sink, bool *repeated)
{
	struct journal_event e;

	if (!journal_next(j, sink, 0, &e))
		return 0;
	*repeated = e.repeated;
	return e.id.b[0] + 256u * e.id.b[1];
}

static void
tell(struct journal *j, enum journal_sink sink, unsigned n, bool repeated)
{
	struct journal_event e = {0};
	struct error err = {0};

	assert_true(journal_next(j, sink, 0, &e));
	assert_int_equal(e.id.b[0] + 256u * e.id.b[1], n);
	assert_int_equal(e.repeated, repeated);
	assert_true(journal_begin(j, sink, e.seq, &err));
	assert_true(journal_done(j, sink, e.seq, &err));
}

static int
setup(void **state)
{
	(void)state;
	folder_make("/tmp");
	fail_at = calls = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

static void
test_order(void **state)
{
	struct journal *j = open_journal(BOTH);
	struct journal_event e = {0};
	bool repeated;

	(void)state;
	assert_int_equal(next(j, JOURNAL_OUTPUT, &repeated), 0);
	for (unsigned n = 1; n <= 3; n++)
		must_add(j, n);
	must_add(j, 2); /* it is there */
	assert_int_equal(journal_last(j), 3);
	tell(j, JOURNAL_OUTPUT, 1, false);
	tell(j, JOURNAL_OUTPUT, 2, false);
	tell(j, JOURNAL_HOOK, 1, false);
	assert_int_equal(journal_pending(j, JOURNAL_HOOK), 2);
	assert_true(journal_next(j, JOURNAL_HOOK, 1, &e));
	assert_int_equal(e.seq, 3);
	assert_false(journal_next(j, JOURNAL_HOOK, 2, &e));
	journal_close(j);
	j = open_journal(BOTH);
	must_add(j, 3);
	must_add(j, 4);
	tell(j, JOURNAL_OUTPUT, 3, false);
	tell(j, JOURNAL_OUTPUT, 4, false);
	assert_int_equal(next(j, JOURNAL_OUTPUT, &repeated), 0);
	tell(j, JOURNAL_HOOK, 2, false);
	journal_close(j);
}

/* Begun and not done: it may have been told. */
static void
test_repeated(void **state)
{
	struct journal *j = open_journal(BOTH);
	struct error err = {0};

	(void)state;
	must_add(j, 1);
	must_add(j, 2);
	assert_true(journal_begin(j, JOURNAL_HOOK, 1, &err));
	journal_close(j);
	j = open_journal(BOTH);
	tell(j, JOURNAL_HOOK, 1, true);
	tell(j, JOURNAL_HOOK, 2, false);
	tell(j, JOURNAL_OUTPUT, 1, false);
	journal_close(j);
}

/* A sink is told what came while it was there. */
static void
test_sinks(void **state)
{
	struct journal *j = open_journal(1u << JOURNAL_OUTPUT);
	bool repeated;

	(void)state;
	must_add(j, 1);
	journal_close(j);
	j = open_journal(BOTH);
	assert_int_equal(next(j, JOURNAL_HOOK, &repeated), 0);
	must_add(j, 2);
	journal_close(j);
	j = open_journal(BOTH);
	tell(j, JOURNAL_HOOK, 2, false);
	must_add(j, 3);
	journal_close(j);
	j = open_journal(1u << JOURNAL_OUTPUT);
	assert_int_equal(next(j, JOURNAL_HOOK, &repeated), 0);
	tell(j, JOURNAL_OUTPUT, 1, false);
	journal_close(j);
	j = open_journal(BOTH);
	assert_int_equal(next(j, JOURNAL_HOOK, &repeated), 0);
	tell(j, JOURNAL_OUTPUT, 2, false);
	journal_close(j);
}

static void
put_journal(struct bytes data)
{
	struct error err = {0};

	assert_true(file_write(folder_at("journal"), data, 0600, &err));
}

static void
make_small(struct buf *out)
{
	struct journal *j = open_journal(BOTH);
	struct error err = {0};

	for (unsigned n = 1; n <= 3; n++) {
		must_add(j, n);
		tell(j, JOURNAL_OUTPUT, n, false);
	}
	journal_close(j);
	assert_true(file_read(folder_at("journal"), out, &err));
}

/* Cut anywhere, it begins with what it had, and goes on. */
static void
test_cut(void **state)
{
	AUTO(buf) all = BUF_INIT(65536);

	(void)state;
	make_small(&all);
	for (size_t len = 0; len <= all.len; len++) {
		struct journal *j;
		unsigned n;
		bool repeated = false;

		put_journal(bytes_slice(buf_bytes(&all), 0, len));
		j = open_journal(BOTH);
		n = next(j, JOURNAL_OUTPUT, &repeated);
		assert_in_range(n, 0, 3);
		assert_in_range(journal_last(j), n, 3);
		for (unsigned i = 1; i <= 4; i++)
			must_add(j, i);
		assert_int_equal(journal_last(j), 4);
		journal_close(j);
		j = open_journal(BOTH);
		assert_int_equal(journal_last(j), 4);
		assert_in_range(next(j, JOURNAL_OUTPUT, &repeated), 1, 4);
		journal_close(j);
	}
}

/* A byte that changed is noticed, unless it is in the last line, which may have
 * been being written (or makes the last two lines one). */
static void
test_flipped(void **state)
{
	AUTO(buf) all = BUF_INIT(65536);
	size_t last;

	(void)state;
	make_small(&all);
	for (last = all.len - 1; all.ptr[last - 1] != '\n'; last--)
		;
	for (size_t i = 0; i < all.len; i++) {
		struct error err = {0};
		struct journal *j;

		all.ptr[i] ^= 1;
		put_journal(buf_bytes(&all));
		all.ptr[i] ^= 1;
		j = journal_open(folder_at("journal"), BOTH, &err);
		if (i < last - 1) {
			assert_null(j);
			assert_int_equal(err.code, ERR_IO);
		} else {
			assert_non_null(j);
			assert_int_equal(journal_last(j), 3);
		}
		journal_close(j);
	}
}

/* After a failure nothing is taken in, and the file is as it was. */
static void
test_failures(void **state)
{
	(void)state;
	for (int at = 1; at < 30; at++) {
		struct error err = {0};
		struct journal *j;
		bool ok = true;

		calls = 0;
		fail_at = at;
		j = journal_open(folder_at("journal"), BOTH, &err);
		for (unsigned n = 1; j && ok && n <= 3; n++)
			ok = add(j, n + 10u * (unsigned)at, false, &err) &&
			    journal_sync(j, &err);
		if (calls >= at) {
			assert_true(!j || !ok);
			assert_int_equal(err.code, ERR_IO);
			err = (struct error){0};
			if (j)
				assert_false(add(j, 5, false, &err));
		}
		fail_at = 0;
		journal_close(j);
		journal_close(open_journal(BOTH));
	}
}

static void
fill(struct journal *j, unsigned from, unsigned to)
{
	AUTO(buf) text = BUF_INIT(JOURNAL_EVENT_MAX);
	struct error err = {0};
	struct hash id;

	for (unsigned n = from; n < to; n++) {
		buf_clear(&text);
		buf_printf(&text, "{\"n\":%u,\"x\":\"", n);
		while (text.len < 4000)
			buf_put_u8(&text, 'x');
		buf_put_str(&text, "\"}");
		id_of(n, &id);
		assert_true(
		    journal_add(j, &id, buf_bytes(&text), n == 3, &err));
	}
}

static void
test_compact(void **state)
{
	AUTO(buf) before = BUF_INIT(1 << 24);
	AUTO(buf) after = BUF_INIT(1 << 24);
	struct journal *j = open_journal(1u << JOURNAL_OUTPUT);
	struct journal_stay stay = {500, 502, UINT64_MAX};
	struct journal_event e = {0};
	struct error err = {0};
	bool repeated;

	(void)state;
	fill(j, 1, 1001);
	assert_true(journal_done(j, JOURNAL_OUTPUT, 990, &err));
	assert_true(file_read(folder_at("journal"), &before, &err));
	assert_true(journal_compact(j, &stay, &err));
	assert_true(file_read(folder_at("journal"), &after, &err));
	assert_true(after.len < before.len / 5);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(next(j, JOURNAL_OUTPUT, &repeated), 991);
		assert_int_equal(journal_pending(j, JOURNAL_OUTPUT), 10);
		assert_true(journal_at(j, JOURNAL_KEPT - 1, &e));
		assert_int_equal(e.seq, 901);
		/* Two that were asked for; the kept one is still known. */
		assert_true(journal_at(j, JOURNAL_KEPT + 1, &e));
		assert_int_equal(e.seq, 501);
		assert_true(journal_at(j, JOURNAL_KEPT + 2, &e));
		assert_int_equal(e.seq, 3);
		assert_false(journal_at(j, JOURNAL_KEPT + 3, &e));
		assert_int_equal(journal_last(j), 1000);
		journal_close(j);
		j = open_journal(1u << JOURNAL_OUTPUT);
	}
	must_add(j, 3);
	assert_int_equal(journal_last(j), 1000);
	must_add(j, 2000);
	assert_int_equal(journal_last(j), 1001);
	journal_close(j);
}

static void
test_limits(void **state)
{
	struct journal *j = open_journal(1u << JOURNAL_OUTPUT);
	AUTO(buf) text = BUF_INIT(2 * JOURNAL_EVENT_MAX);
	struct hash id = {{1}};
	struct error err = {0};

	(void)state;
	while (text.len <= JOURNAL_EVENT_MAX)
		buf_put_u8(&text, 'x');
	assert_false(journal_add(j, &id, buf_bytes(&text), false, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	assert_false(journal_add(j, &id, BYTES_LIT("{}\n{}"), false, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	for (unsigned n = 0; n < JOURNAL_PENDING; n++) {
		assert_false(journal_full(j));
		must_add(j, n);
	}
	assert_true(journal_full(j));
	/* What is wrong with a log has room of its own. */
	for (unsigned n = 0; n < JOURNAL_ROOM; n++)
		assert_true(add(j, JOURNAL_PENDING + n, true, &err));
	assert_false(add(j, JOURNAL_PENDING + JOURNAL_ROOM, true, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	/* An entry may have more events than there was room for. */
	must_add(j, JOURNAL_PENDING + JOURNAL_ROOM + 1);
	tell(j, JOURNAL_OUTPUT, 0, false);
	assert_true(journal_full(j));
	for (unsigned n = 1; n <= JOURNAL_ROOM + 1; n++)
		tell(j, JOURNAL_OUTPUT, n, false);
	assert_false(journal_full(j));
	journal_close(j);
}

/* What was told while others go on to find: known, as long as it is asked for. */
static void
test_compact_above(void **state)
{
	struct journal *j = open_journal(1u << JOURNAL_OUTPUT);
	struct journal_stay stay = {0, 0, 400};
	struct error err = {0};

	(void)state;
	fill(j, 1, 1001);
	assert_true(journal_done(j, JOURNAL_OUTPUT, 1000, &err));
	assert_true(journal_compact(j, &stay, &err));
	must_add(j, 401);
	assert_int_equal(journal_last(j), 1000);
	must_add(j, 400);
	assert_int_equal(journal_last(j), 1001);
	journal_close(j);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_repeated, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_sinks, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_flipped, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_compact, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_compact_above, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
