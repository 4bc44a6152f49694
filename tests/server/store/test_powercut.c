/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "server/store/store_sqlite.h"
#include "tests/support/powercut_vfs.h"

/*
 * The store under power cuts, kills, failed syncs and a full disk, at random
 * places, again and again on the same files. After each: everything that was
 * acknowledged is there byte for byte, and of what was not, all or nothing.
 *
 * MTLOG_CUTS sets the number of cuts, MTLOG_SEED the run.
 */
#define VFS_NAME  "powercut"
#define DIR_NAME  "cut"
#define LOG_PATH  DIR_NAME "/log.db"
#define LOG_MAX	  1500 /* entries, then a new log */
#define BATCH_MAX 300
#define LEAF_MAX  1200
#define TILE_LEN  ((size_t)TILE_WIDTH * HASH_LEN)
#define TILES_MAX 8

static const struct store_sqlite_options options = {
    .vfs = VFS_NAME,
    .wal_soft = 150000, /* so that logs start over often */
    .wal_hard = 400000,
};

/* What must be there: entry i was written by attempt[i]. */
struct run {
	struct powercut *power;
	uint64_t attempt[LOG_MAX + BATCH_MAX];
	uint64_t size;	  /* acknowledged, or found to be durable */
	uint64_t pending; /* in a batch of unknown fate */
	uint64_t tries;
	uint64_t cuts, kills, lost_batches, kept_batches, failed_syncs;
	uint64_t full, in_settle;
	struct store *store;
};

static uint64_t
below(struct run *r, uint64_t n)
{
	return powercut_random(r->power) % n;
}

/* The bytes that attempt `a` wrote as entry `i`. */
static size_t
leaf_of(uint64_t a, uint64_t i, uint8_t out[LEAF_MAX])
{
	uint64_t x = (a * 1000003 + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	size_t len = (size_t)(x >> 32) % LEAF_MAX;
	for (size_t k = 0; k < len; k++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		out[k] = (uint8_t)x;
	}
	return len;
}

/* The tile that attempt `a` completed. */
static void
tile_of(uint64_t a, uint64_t index, uint8_t out[TILE_LEN])
{
	uint64_t x = (a * 7919 + index + 1) * UINT64_C(0xbf58476d1ce4e5b9);
	for (size_t k = 0; k < TILE_LEN; k++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		out[k] = (uint8_t)x;
	}
}

/* Every third attempt has an envelope, which its first entry logs. */
#define ENVELOPE_MAX 30000

static bool
has_envelope(uint64_t a)
{
	return a % 3 == 0;
}

static struct store_link
link_of(uint64_t a, uint64_t index, uint8_t payload[ENVELOPE_MAX])
{
	struct store_link l = {.index = index, .type = BYTES_LIT("a/type")};
	uint64_t x = (a + 1) * UINT64_C(0x94d049bb133111eb);
	size_t len = (size_t)(x >> 32) % ENVELOPE_MAX;
	memcpy(l.s.b, &x, sizeof(x));
	memcpy(l.sha384, &x, sizeof(x));
	memcpy(l.sha512, &x, sizeof(x));
	memcpy(l.signer.b, &a, sizeof(a));
	for (size_t k = 0; k < len; k++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		payload[k] = (uint8_t)x;
	}
	l.payload = bytes_of(payload, len);
	return l;
}

static bool
same_leaf(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	const struct run *r = arg;
	uint8_t want[LEAF_MAX];
	size_t len = leaf_of(r->attempt[index], index, want);
	if (bytes_equal(leaf, bytes_of(want, len)))
		return true;
	return error_set(err, ERR_INTERNAL, "entry %llu is another",
	    (unsigned long long)index);
}

static void
must(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s (%s)", err->text, error_reason_name(err));
}

static void
check_tiles(struct run *r, struct store_reader *reader)
{
	struct error err = {0};
	struct hash got[TILE_WIDTH];
	uint8_t want[TILE_LEN];
	uint64_t tiles = r->size / TILE_WIDTH;
	for (uint64_t t = 0; t < tiles; t++) {
		must(store_sqlite.read_tile(reader, 0, t, got, &err), &err);
		tile_of(r->attempt[(t + 1) * TILE_WIDTH - 1], t, want);
		assert_memory_equal(got, want, TILE_LEN);
	}
	assert_false(store_sqlite.read_tile(reader, 0, tiles, got, &err));
}

struct links_seen {
	const struct run *r;
	uint64_t count, last;
};

static bool
same_link(void *arg, const struct store_link *l, struct error *err)
{
	static uint8_t payload[ENVELOPE_MAX];
	struct links_seen *seen = arg;
	uint64_t a = seen->r->attempt[l->index];
	struct store_link want = link_of(a, l->index, payload);
	bool first = l->index == 0 || seen->r->attempt[l->index - 1] != a;
	seen->count++;
	if (l->index < seen->r->size && first && has_envelope(a) &&
	    l->id > seen->last && hash_equal(&l->s, &want.s) &&
	    hash_equal(&l->signer, &want.signer) && !l->dropped &&
	    bytes_equal(l->type, want.type) &&
	    bytes_equal(l->payload, want.payload)) {
		seen->last = l->id;
		return true;
	}
	return error_set(err, ERR_INTERNAL, "link %llu is another",
	    (unsigned long long)l->id);
}

/* Each entry that came with an envelope has it, and no other is there. */
static void
check_envelopes(struct run *r, struct store_reader *reader)
{
	struct links_seen seen = {.r = r};
	struct store_envelopes counts;
	struct error err = {0};
	uint64_t want = 0;
	for (uint64_t i = 0; i < r->size; i++)
		want += has_envelope(r->attempt[i]) &&
		    (i == 0 || r->attempt[i - 1] != r->attempt[i]);
	must(store_sqlite.read_links(reader, 0, same_link, &seen, &err), &err);
	assert_int_equal(seen.count, want);
	must(store_sqlite.count_envelopes(reader, &counts, &err), &err);
	assert_int_equal(counts.kept, want);
	assert_int_equal(counts.dropped + counts.alone, 0);
}

static void
check_integrity(void)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	assert_int_equal(
	    sqlite3_open_v2(LOG_PATH, &db, SQLITE_OPEN_READONLY, VFS_NAME), 0);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(
	    sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL),
	    0);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

/* A settled store: take over what is there, and look at all of it. */
static void
check_all(struct run *r)
{
	struct error err = {0};
	uint64_t size = 0;
	must(store_sqlite.size(r->store, &size, &err), &err);
	if (size == r->size + r->pending) {
		r->kept_batches += r->pending > 0;
		r->size = size;
	}
	assert_int_equal(size, r->size);
	r->lost_batches += r->pending > 0;
	r->pending = 0;
	struct store_reader *reader = store_sqlite.reader_open(r->store, &err);
	must(reader != NULL, &err);
	must(store_sqlite.read_entries(reader, 0, size, same_leaf, r, &err),
	    &err);
	check_tiles(r, reader);
	check_envelopes(r, reader);
	store_sqlite.reader_close(reader);
	check_integrity();
}

static bool
append_some(struct run *r, uint64_t count, struct error *err)
{
	static uint8_t bytes[BATCH_MAX][LEAF_MAX];
	static uint8_t hashes[TILES_MAX][TILE_LEN];
	struct bytes leaves[BATCH_MAX];
	struct store_tile tiles[TILES_MAX];
	struct store_batch b = {.first = r->size,
	    .leaves = leaves,
	    .count = (size_t)count,
	    .tiles = tiles};
	static uint8_t payload[ENVELOPE_MAX];
	uint64_t attempt = ++r->tries;
	struct store_link link = link_of(attempt, r->size, payload);
	b.links = &link;
	b.link_count = has_envelope(attempt);
	for (uint64_t i = 0; i < count; i++) {
		r->attempt[r->size + i] = attempt;
		leaves[i] =
		    bytes_of(bytes[i], leaf_of(attempt, r->size + i, bytes[i]));
	}
	for (uint64_t t = r->size / TILE_WIDTH;
	     t < (r->size + count) / TILE_WIDTH; t++) {
		tile_of(attempt, t, hashes[b.tile_count]);
		tiles[b.tile_count] = (struct store_tile){
		    .index = t, .hashes = hashes[b.tile_count]};
		b.tile_count++;
	}
	if (!store_sqlite.append(r->store, &b, err))
		return false;
	r->size += count;
	return true;
}

/* A batch of unknown fate: nothing more may be written. */
static void
expect_latched(struct run *r)
{
	struct error err = {0};
	struct store_batch b = {.first = r->size};
	assert_false(store_sqlite.append(r->store, &b, &err));
	assert_string_equal(error_reason_name(&err), "store-unknown");
	err = (struct error){0};
	assert_false(store_sqlite.compact(r->store, &err));
	err = (struct error){0};
	assert_false(store_sqlite.settle(r->store, &err));
}

/* Appends until something stops it; true if it may go on after a full disk. */
static bool
append_until_stopped(struct run *r)
{
	while (r->size < LOG_MAX) {
		struct error err = {0};
		uint64_t most = below(r, 4) ? 8 : BATCH_MAX;
		uint64_t count = 1 + below(r, most);
		if (below(r, 60) == 0)
			return false; /* a kill between batches */
		if (!append_some(r, count, &err)) {
			if (err.code == ERR_UNAVAILABLE) {
				r->full++;
				powercut_room(r->power, POWERCUT_ENOUGH);
				return true;
			}
			r->pending = count;
			expect_latched(r);
			return false;
		}
		if (!store_sqlite.compact(r->store, &err)) {
			if (err.code == ERR_UNAVAILABLE)
				continue;
			expect_latched(r);
			return false;
		}
	}
	return false;
}

static void
arm_something(struct run *r)
{
	uint64_t chance = below(r, 10);
	if (chance < 8)
		powercut_arm(r->power, 1 + below(r, below(r, 2) ? 60 : 900));
	if (chance >= 7 || below(r, 5) == 0) {
		powercut_fail_sync(r->power, 1 + below(r, 12));
		r->failed_syncs++;
	}
	if (chance == 6)
		powercut_room(r->power, below(r, 200000));
}

/* The process ends; so may the machine. */
static void
end_process(struct run *r)
{
	bool power = powercut_is_cut(r->power) || below(r, 2);
	store_sqlite.close(r->store);
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
	r->store = store_sqlite_open_with(DIR_NAME, &options, &err);
	if (r->store && store_sqlite.settle(r->store, &err))
		return true;
	if (error_reason_name(&err) &&
	    strcmp(error_reason_name(&err), "store-corrupt") == 0)
		fail_msg("corrupt: %s", err.text);
	return false;
}

static void
one_life(struct run *r)
{
	/* Starting up may be cut as well, several times over. */
	for (uint64_t i = below(r, 3); i > 0; i--) {
		arm_something(r);
		if (!start_process(r))
			r->in_settle++;
		end_process(r);
	}
	if (!start_process(r))
		fail_msg("cannot start on whole hardware");
	check_all(r);
	arm_something(r);
	while (append_until_stopped(r))
		continue;
	end_process(r);
}

static void
make_log(struct run *r)
{
	struct error err = {0};
	powercut_wipe(r->power);
	must(store_sqlite_create_with(DIR_NAME, &options, &err), &err);
	r->size = 0;
	r->pending = 0;
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
	(void)state;
	uint64_t cuts = number_from("MTLOG_CUTS", 2000);
	uint64_t seed = number_from("MTLOG_SEED", (uint64_t)time(NULL));
	print_message("power cuts: MTLOG_SEED=%llu MTLOG_CUTS=%llu\n",
	    (unsigned long long)seed, (unsigned long long)cuts);
	struct run *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	r->power = powercut_open(VFS_NAME, seed);
	make_log(r);
	while (r->cuts < cuts) {
		if (r->size >= LOG_MAX)
			make_log(r);
		one_life(r);
	}
	print_message("%llu cuts, %llu kills, %llu starts stopped, "
		      "%llu failing syncs, %llu full disks; of the batches not "
		      "acknowledged %llu were there and %llu not\n",
	    (unsigned long long)r->cuts, (unsigned long long)r->kills,
	    (unsigned long long)r->in_settle,
	    (unsigned long long)r->failed_syncs, (unsigned long long)r->full,
	    (unsigned long long)r->kept_batches,
	    (unsigned long long)(r->lost_batches - r->kept_batches));
	/* The test has seen what it is for. */
	assert_true(cuts < 500 || (r->kills && r->in_settle && r->full));
	assert_true(cuts < 500 || (r->kept_batches && r->lost_batches));
	powercut_close(r->power);
	free(r);
}

/*
 * Whether this VFS can show a loss at all: one acknowledged row, the next
 * commit is cut off. SQLite's default trusts the device (psow) and loses.
 */
static bool
row_is_lost(struct powercut *power, const char *uri, uint64_t after)
{
	sqlite3 *db = NULL;
	int flags =
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
	powercut_wipe(power);
	assert_int_equal(sqlite3_open_v2(uri, &db, flags, VFS_NAME), 0);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(sqlite3_exec(db,
			     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			     "CREATE TABLE t(a); INSERT INTO t VALUES (1);",
			     NULL, NULL, NULL),
	    0);
	powercut_arm(power, after);
	sqlite3_exec(db, "INSERT INTO t VALUES (2);", NULL, NULL, NULL);
	sqlite3_close(db);
	powercut_restart(power, true);
	sqlite3_stmt *stmt = NULL;
	bool found = false;
	assert_int_equal(sqlite3_open_v2(uri, &db, flags, VFS_NAME), 0);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (sqlite3_prepare_v2(db, "SELECT a FROM t WHERE a = 1", -1, &stmt,
		NULL) == SQLITE_OK)
		found = sqlite3_step(stmt) == SQLITE_ROW;
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return !found;
}

static void
test_the_test(void **state)
{
	(void)state;
	struct powercut *power = powercut_open(VFS_NAME, 5);
	unsigned trusting = 0, careful = 0;
	for (uint64_t i = 0; i < 300; i++) {
		trusting += row_is_lost(power, "file:a?psow=1", 1 + i % 4);
		careful += row_is_lost(power, "file:a?psow=0", 1 + i % 4);
	}
	print_message("lost with psow=1: %u of 300, with psow=0: %u\n",
	    trusting, careful);
	assert_true(trusting > 0);
	assert_int_equal(careful, 0);
	powercut_close(power);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_test),
	    cmocka_unit_test(test_cuts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
