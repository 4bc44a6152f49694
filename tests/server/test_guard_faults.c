/* SPDX-License-Identifier: Apache-2.0 */
#include "server/guard.h"

#include "tests/server/guard_fixture.h"

/* Failures of writing. */

static void
test_failure_latches(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct guard_state s = state_of(1), back;
		struct error err = {0}, later = {0};
		struct guard *g;

		create(0);
		g = reopen(NULL, &back);
		assert_true(guard_write(g, &s, &err));
		fault.pwrite_errno = i == 0 ? EIO : i == 1 ? ENOSPC : 0;
		fault.pwrite_short = i == 2 ? 100 : i == 3 ? 4095 : 0;
		fault.fdatasync_errno = i == 4 ? EIO : 0;
		s = state_of(2);
		assert_false(guard_write(g, &s, &err));
		assert_int_equal(err.code, ERR_IO);
		assert_string_equal(err.reason, "guard-io");
		memset(&fault, 0, sizeof(fault));
		/* The disk is well again; this guard is not. */
		assert_false(guard_write(g, &s, &later));
		assert_int_equal(later.code, ERR_IO);
		assert_int_equal(fault.pwrites, 0);
		g = reopen(g, &back);
		assert_int_equal(number_of(&back), 1);
		assert_true(guard_write(g, &s, &(struct error){0}));
		guard_close(g);
		assert_int_equal(number_read(), 2);
		assert_int_equal(unlink(path), 0);
	}
}

/* The bytes of the file before a write, and of the slot that is written. */
struct torn {
	uint8_t file[GUARD_FILE_LEN];
	uint8_t slot[GUARD_SLOT_LEN];
	size_t at;
};

static void
torn_prepare(struct torn *t)
{
	struct guard_state s = state_of(1), back;
	uint8_t after[GUARD_FILE_LEN];
	struct error err = {0};
	struct guard *g;

	create(0);
	g = reopen(NULL, &back);
	assert_true(guard_write(g, &s, &err));
	file_load(t->file);
	s = state_of(2);
	assert_true(guard_write(g, &s, &err));
	file_load(after);
	guard_close(g);
	t->at = memcmp(t->file, after, GUARD_SLOT_LEN) ? 0 : GUARD_SLOT_LEN;
	memcpy(t->slot, after + t->at, GUARD_SLOT_LEN);
}

/* The write is whole (2), or the state before it counts (1). */
static void
torn_check(const struct torn *t, const uint8_t file[GUARD_FILE_LEN])
{
	bool whole = memcmp(file + t->at, t->slot, GUARD_SLOT_LEN) == 0;

	file_save(file, GUARD_FILE_LEN);
	assert_int_equal(number_read(), whole ? 2 : 1);
}

static void
test_torn_prefix(void **state)
{
	uint8_t file[GUARD_FILE_LEN];
	struct torn t;

	(void)state;
	torn_prepare(&t);
	memcpy(file, t.file, sizeof(file));
	for (size_t n = 0; n <= GUARD_SLOT_LEN; n++) {
		memcpy(file + t.at, t.slot, n);
		torn_check(&t, file);
	}
	assert_int_equal(number_read(), 2);
}

static void
garbage_fill(uint8_t *at, size_t len)
{
	static uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		at[i] = (uint8_t)(x >> 24);
	}
}

static void
test_torn_sectors(void **state)
{
	static const size_t sectors[] = {512, 4096};
	uint8_t file[GUARD_FILE_LEN];
	struct torn t;

	(void)state;
	torn_prepare(&t);
	for (size_t k = 0; k < 2; k++) {
		size_t len = sectors[k];

		/* Written up to one sector, which is garbage; or all of it
		 * but that sector. */
		for (size_t n = 0; n < GUARD_SLOT_LEN / len; n++) {
			memcpy(file, t.file, sizeof(file));
			memcpy(file + t.at, t.slot, n * len);
			garbage_fill(file + t.at + n * len, len);
			torn_check(&t, file);
			memcpy(file + t.at, t.slot, GUARD_SLOT_LEN);
			garbage_fill(file + t.at + n * len, len);
			torn_check(&t, file);
			memset(file + t.at + n * len, 0, len);
			torn_check(&t, file);
		}
	}
}

/*
 * Every sequence of a few events over the modelled disk. Whatever happens, the
 * guard opens, and its head is at least the last one that was let out.
 */
struct run {
	struct guard *g;
	struct guard_state seen;
	unsigned next, released;
};

static void
run_restart(struct run *r)
{
	struct error err = {0};

	r->g = reopen(r->g, &r->seen);
	assert_true(number_of(&r->seen) >= r->released);
	/* As the signer does: once more, before anything is signed. */
	assert_true(guard_write(r->g, &r->seen, &err));
}

/* What became of a dirty slot when the power went. */
enum cut { CUT_LOST, CUT_KEPT, CUT_TORN };

static void
power_cut(struct run *r, enum cut cut)
{
	uint8_t cached[GUARD_FILE_LEN];

	guard_close(r->g);
	r->g = NULL;
	file_load(cached);
	for (unsigned i = 0; i < 2; i++) {
		size_t at = i * GUARD_SLOT_LEN;

		if (model.dirty[i] && cut == CUT_KEPT)
			memcpy(model.disk + at, cached + at, GUARD_SLOT_LEN);
		if (model.dirty[i] && cut == CUT_TORN)
			garbage_fill(model.disk + at, 512);
		model.dirty[i] = false;
	}
	file_save(model.disk, sizeof(model.disk));
}

static bool
run_write(struct run *r)
{
	struct guard_state s = state_of(++r->next);
	struct error err = {0};

	if (!guard_write(r->g, &s, &err))
		return false;
	r->released = r->next;
	return true;
}

/* A slot in the cache that nobody has synced: the power goes in between. */
static void
run_half_write(struct run *r, const struct guard_state *s, enum cut cut)
{
	struct guard_state next = *s;
	int fd;

	fault.fdatasync_errno = EIO;
	model.on = false; /* pages stay dirty */
	assert_false(guard_write(r->g, &next, &(struct error){0}));
	model.on = true;
	fault.fdatasync_errno = 0;
	/* It did not come to spoiling the slot. */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(
	    __real_pwrite(fd, model.written, GUARD_SLOT_LEN, model.written_at),
	    GUARD_SLOT_LEN);
	(void)close(fd);
	power_cut(r, cut);
}

enum event {
	WRITE,
	NO_SPACE,
	FSYNC_FAILS,
	FSYNC_FAILS_THEN_CUT, /* three, one for each enum cut */
	FSYNC_FAILS_THEN_CUT_AT_RESTART = FSYNC_FAILS_THEN_CUT + 3,
	CUT_IN_WRITE = FSYNC_FAILS_THEN_CUT_AT_RESTART + 3,
	EVENT_COUNT = CUT_IN_WRITE + 3,
};

static void
run_failing_write(struct run *r, bool no_space)
{
	fault.pwrite_errno = no_space ? ENOSPC : 0;
	fault.fdatasync_errno = no_space ? 0 : EIO;
	assert_false(run_write(r));
	fault.pwrite_errno = fault.fdatasync_errno = 0;
}

static void
run_event(struct run *r, unsigned event)
{
	struct guard_state s;

	if (event == WRITE) {
		assert_true(run_write(r));
		return;
	}
	if (event >= CUT_IN_WRITE) {
		s = state_of(++r->next);
		run_half_write(r, &s, (enum cut)(event - CUT_IN_WRITE));
		run_restart(r);
		return;
	}
	run_failing_write(r, event == NO_SPACE);
	if (event >= FSYNC_FAILS_THEN_CUT_AT_RESTART) {
		r->g = reopen(r->g, &r->seen);
		s = r->seen;
		run_half_write(
		    r, &s, (enum cut)(event - FSYNC_FAILS_THEN_CUT_AT_RESTART));
	} else if (event >= FSYNC_FAILS_THEN_CUT) {
		power_cut(r, (enum cut)(event - FSYNC_FAILS_THEN_CUT));
	}
	run_restart(r);
}

#define EVENTS_PER_RUN 3

static void
run_sequence(unsigned code, bool forgets)
{
	struct run r = {.next = 1, .released = 1};

	memset(&model, 0, sizeof(model));
	create(1);
	file_load(model.disk);
	model.on = true;
	model.forgets = forgets;
	r.g = reopen(NULL, &r.seen);
	for (int i = 0; i < EVENTS_PER_RUN; i++, code /= EVENT_COUNT)
		run_event(&r, code % EVENT_COUNT);
	power_cut(&r, CUT_TORN);
	run_restart(&r);
	guard_close(r.g);
	model.on = false;
	assert_int_equal(unlink(path), 0);
}

static void
test_model(void **state)
{
	unsigned codes = 1;

	(void)state;
	for (int i = 0; i < EVENTS_PER_RUN; i++)
		codes *= EVENT_COUNT;
	for (unsigned code = 0; code < codes; code++) {
		run_sequence(code, false);
		run_sequence(code, true);
	}
}

/* Killed after fdatasync failed and before it could spoil the slot: the cache
 * shows a head that the disk lacks. Forgetting the cache saves it. */
static void
test_model_stale_cache(void **state)
{
	struct run r = {.next = 1, .released = 1};
	uint8_t file[GUARD_FILE_LEN];
	struct guard_state s;

	(void)state;
	create(1);
	file_load(model.disk);
	model.on = model.forgets = true;
	r.g = reopen(NULL, &r.seen);
	assert_true(run_write(&r));
	assert_true(run_write(&r)); /* 3 has left */
	s = state_of(4);
	file_load(file);
	s.generation = 5;
	assert_true(guard_encode(
	    &hasher, &s, file + GUARD_SLOT_LEN, &(struct error){0}));
	file_save(file, sizeof(file)); /* in the cache, and clean */
	r.g = reopen(r.g, &r.seen);
	assert_int_equal(number_of(&r.seen), 3);
	s = r.seen;
	run_half_write(&r, &s, CUT_TORN);
	run_restart(&r);
	assert_int_equal(number_of(&r.seen), 3);
	guard_close(r.g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_failure_latches),
	    TEST(test_torn_prefix),
	    TEST(test_torn_sectors),
	    TEST(test_model),
	    TEST(test_model_stale_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
