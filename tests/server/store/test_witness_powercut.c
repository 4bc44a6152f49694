/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "server/store/witness_store.h"
#include "tests/support/powercut_vfs.h"

/*
 * A witness's state under power cuts, kills, failed syncs and a full disk, at
 * random places, again and again on the same files. After each: every swap that
 * was acknowledged is there, and of one that was not, all or nothing; commits
 * are counted. MTLOG_CUTS sets the number of cuts, MTLOG_SEED the run.
 */
#define VFS_NAME "powercut"
#define DIR_NAME "cut"
#define LOGS	 5

static const struct witness_store_options options = {
    .vfs = VFS_NAME, .wal_soft = 60000, /* so that logs start over often */
};

struct run {
	struct powercut *power;
	struct witness_store *store;
	uint64_t size[LOGS]; /* acknowledged, or found to be durable */
	uint64_t commits;
	unsigned pending; /* the log whose swap has an unknown fate, or LOGS */
	uint64_t cuts, kills, stopped, kept, lost, full;
};

static uint64_t
below(struct run *r, uint64_t n)
{
	return powercut_random(r->power) % n;
}

static void
must(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s (%s)", err->text, error_reason_name(err));
}

/* All of a head follows from its log and size. */
static void
head_of(struct witness_head *h, unsigned log, uint64_t size)
{
	*h = (struct witness_head){
	    .log = {{(uint8_t)(log + 1)}},
	    .size = size,
	    .root = {{(uint8_t)log, (uint8_t)size, (uint8_t)(size >> 8)}},
	    .time = 1000 + size / 3,
	    .note = BUF_INIT(WITNESS_NOTE_MAX),
	    .cosignature = BUF_INIT(WITNESS_LINE_MAX),
	};
	(void)snprintf(h->origin, sizeof(h->origin), "log%u.example", log);
	for (uint64_t i = 0; i < 20 + size % 90; i++)
		buf_printf(&h->note, "note %u %u\n", log, (unsigned)size);
	buf_printf(&h->cosignature, "line %u\n", (unsigned)size);
}

static void
check_log(struct run *r, unsigned log)
{
	AUTO(witness_head) got = {0};
	AUTO(witness_head) want = {0};
	struct hash id = {{(uint8_t)(log + 1)}};
	struct error err = {0};
	bool found = false;

	must(witness_store_get(r->store, &id, &got, &found, &err), &err);
	if (r->pending == log) {
		bool there = found && got.size == r->size[log] + 1;

		r->kept += there;
		r->lost += !there;
		r->size[log] += there;
		r->commits += there;
		r->pending = LOGS;
	}
	assert_int_equal(found ? got.size : 0, r->size[log]);
	if (!found)
		return;
	head_of(&want, log, got.size);
	assert_int_equal(got.time, want.time);
	assert_true(hash_equal(&got.root, &want.root));
	assert_true(bytes_equal(buf_bytes(&got.note), buf_bytes(&want.note)));
	assert_true(bytes_equal(
	    buf_bytes(&got.cosignature), buf_bytes(&want.cosignature)));
}

static void
check_all(struct run *r)
{
	struct error err = {0};
	uint64_t commits = 0;

	for (unsigned log = 0; log < LOGS; log++)
		check_log(r, log);
	must(witness_store_commits(r->store, &commits, &err), &err);
	assert_int_equal(commits, r->commits);
}

static bool
swap(struct run *r, unsigned log, struct error *err)
{
	AUTO(witness_head) next = {0};

	head_of(&next, log, r->size[log] + 1);
	return witness_store_swap(r->store, r->size[log], &next, err);
}

/* Swaps until something stops it; then nothing more may be written. */
static void
swap_until_stopped(struct run *r)
{
	for (;;) {
		unsigned log = (unsigned)below(r, LOGS);
		struct error err = {0}, again = {0};

		if (below(r, 60) == 0)
			return; /* a kill between two */
		if (swap(r, log, &err)) {
			r->size[log]++;
			r->commits++;
			continue;
		}
		if (err.code == ERR_UNAVAILABLE) {
			r->full++;
			powercut_room(r->power, POWERCUT_ENOUGH);
			continue;
		}
		r->pending = log;
		assert_false(swap(r, log, &again));
		assert_string_equal(error_reason_name(&again), "store-unknown");
		return;
	}
}

static void
arm_something(struct run *r)
{
	uint64_t chance = below(r, 10);

	if (chance < 8)
		powercut_arm(r->power, 1 + below(r, below(r, 2) ? 30 : 400));
	if (chance >= 7 || below(r, 5) == 0)
		powercut_fail_sync(r->power, 1 + below(r, 12));
	if (chance == 6)
		powercut_room(r->power, below(r, 60000));
}

static void
end_process(struct run *r)
{
	bool power = powercut_is_cut(r->power) || below(r, 2);

	witness_store_close(r->store);
	r->store = NULL;
	powercut_restart(r->power, power);
	if (power)
		r->cuts++;
	else
		r->kills++;
}

static bool
start_process(struct run *r)
{
	struct error err = {0};

	r->store = witness_store_open_with(DIR_NAME, &options, &err);
	if (r->store && witness_store_settle(r->store, &err))
		return true;
	if (strcmp(error_reason_name(&err), "store-corrupt") == 0)
		fail_msg("corrupt: %s", err.text);
	return false;
}

static void
one_life(struct run *r)
{
	/* Starting up may be cut as well, several times over. */
	for (uint64_t i = below(r, 3); i > 0; i--) {
		arm_something(r);
		r->stopped += !start_process(r);
		end_process(r);
	}
	if (!start_process(r))
		fail_msg("cannot start on whole hardware");
	check_all(r);
	arm_something(r);
	swap_until_stopped(r);
	end_process(r);
}

static uint64_t
number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void
test_cuts(void **state)
{
	uint64_t cuts = number_from("MTLOG_CUTS", 1500);
	uint64_t seed = number_from("MTLOG_SEED", (uint64_t)time(NULL));
	struct run *r = calloc(1, sizeof(*r));
	struct error err = {0};

	(void)state;
	print_message("power cuts: MTLOG_SEED=%llu MTLOG_CUTS=%llu\n",
	    (unsigned long long)seed, (unsigned long long)cuts);
	assert_non_null(r);
	r->pending = LOGS;
	r->power = powercut_open(VFS_NAME, seed);
	must(witness_store_create_with(DIR_NAME, &options, &err), &err);
	while (r->cuts < cuts)
		one_life(r);
	print_message("%llu cuts, %llu kills, %llu starts stopped, %llu full "
		      "disks, %llu commits; of the swaps not acknowledged %llu "
		      "were there and %llu not\n",
	    (unsigned long long)r->cuts, (unsigned long long)r->kills,
	    (unsigned long long)r->stopped, (unsigned long long)r->full,
	    (unsigned long long)r->commits, (unsigned long long)r->kept,
	    (unsigned long long)r->lost);
	/* The test has seen what it is for. */
	assert_true(cuts < 500 || (r->kills && r->stopped && r->full));
	assert_true(cuts < 500 || (r->kept && r->lost && r->commits > cuts));
	powercut_close(r->power);
	free(r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
