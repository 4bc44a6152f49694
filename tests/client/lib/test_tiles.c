/* SPDX-License-Identifier: Apache-2.0 */
/* A log in memory, whose tiles may be wrong, cut, gone or late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/lib/tiles.h"
#include "core/base/cleanup.h"
#include "core/tlog/entries.h"
#include "core/tlog/proof.h"
#include "tests/support/memory_tree.h"

#define CAPACITY 70000 /* more than 256 full tiles */

/* What the log does to what it serves. */
enum lie {
	LIE_NONE,
	LIE_FLIP, /* one bit of it */
	LIE_CUT,  /* the last byte is missing */
	LIE_LONG, /* one byte more */
	LIE_EMPTY,
	LIE_GONE,    /* 404 */
	LIE_PARTIAL, /* 404 for what is partial: the tile has grown */
	LIE_BUSY,
};

static struct memory_tree tree;
static struct hasher hasher;

static struct log {
	uint64_t serves; /* entries that there are by now */
	enum lie lie;
	const char *where; /* the path's beginning */
	unsigned gets;
} server;

static void
put_entry(struct buf *out, uint64_t index)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)index);
	entries_put(out, bytes_str(text));
}

static bool
put_tile(struct tile_place place, struct buf *out)
{
	uint64_t at = place.index * TILE_WIDTH;

	if (!tile_exists(place, server.serves))
		return false;
	for (unsigned i = 0; i < place.width; i++, at++) {
		if (place.level == TILE_ENTRIES)
			put_entry(out, at);
		else
			buf_put(
			    out, hash_bytes(&tree.level[8 * place.level][at]));
	}
	return true;
}

static bool
serve(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	struct tile_place place = {0};
	bool lies = server.where &&
	    strncmp(path, server.where, strlen(server.where)) == 0;
	AUTO(buf) data = BUF_INIT(1 << 20);

	(void)arg;
	(void)worker;
	(void)__atomic_fetch_add(&server.gets, 1, __ATOMIC_RELAXED);
	assert_true(strncmp(path, "/tile/", 6) == 0);
	assert_true(tile_path_parse(bytes_str(path + 6), &place, err));
	if (lies && server.lie == LIE_BUSY)
		return error_reason(err, ERR_UNAVAILABLE, "throttled", "busy");
	if ((lies && server.lie == LIE_GONE) ||
	    (server.lie == LIE_PARTIAL && place.width < TILE_WIDTH) ||
	    !put_tile(place, &data))
		return error_set(err, ERR_NOTFOUND, "404");
	if (lies && server.lie == LIE_FLIP)
		data.ptr[data.len / 2] ^= 1;
	if (lies && server.lie == LIE_CUT)
		data.len--;
	if (lies && server.lie == LIE_LONG)
		buf_put_u8(&data, 0);
	if (lies && server.lie == LIE_EMPTY)
		data.len = 0;
	buf_put(out, buf_bytes(&data));
	return buf_ok(out, err);
}

struct client {
	struct tile_fetch *fetch;
	struct tiles *tiles;
};

static struct client
client_open(const char *cache)
{
	struct tile_fetch_options o = {
	    .source = {serve, NULL}, .cache = cache, .timeout_ms = 1000};
	struct error err = {0};
	struct client c;

	c.fetch = tile_fetch_open(&o, &err);
	assert_non_null(c.fetch);
	c.tiles = tiles_open(c.fetch, &err);
	assert_non_null(c.tiles);
	return c;
}

static void
client_close(struct client *c)
{
	tiles_close(c->tiles);
	tile_fetch_close(c->fetch);
}

static void
root_of(uint64_t size, struct hash *out)
{
	struct node_reader nodes = memory_tree_nodes(&tree, size);
	struct error err = {0};

	assert_true(merkle_root(&hasher, &nodes, size, out, &err));
}

static bool
head(struct client *c, uint64_t size, struct error *err)
{
	struct hash root;

	root_of(size, &root);
	return tiles_head(c->tiles, size, &root, err);
}

/* --- walking --- */

struct seen {
	uint64_t next, count;
	bool in_order;
};

static bool
see(void *arg, unsigned worker, const struct tiles_run *run, struct error *err)
{
	struct seen *s = arg;
	struct reader r;

	(void)worker;
	if (s->in_order && run->first != s->next)
		return error_set(err, ERR_INTERNAL, "out of order");
	reader_init(&r, run->bytes);
	for (unsigned i = 0; i < run->count; i++) {
		struct bytes entry = {0};
		char text[24];

		(void)snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)(run->first + i));
		if (!entries_next(&r, &entry, err) ||
		    !bytes_equal(entry, bytes_str(text)) ||
		    !hash_equal(
			&run->leaves[i], &tree.level[0][run->first + i]))
			return error_set(
			    err, ERR_INTERNAL, "not entry %s", text);
	}
	if (!reader_done(&r))
		return error_set(err, ERR_INTERNAL, "more than a run");
	s->next = run->first + run->count;
	s->count += run->count;
	return true;
}

static bool
walk(struct client *c, uint64_t from, uint64_t to, bool all_tiles,
    uint64_t *count, struct error *err)
{
	struct seen s = {.next = from, .in_order = true};
	struct tiles_walk how = {
	    .threads = 1, .all_tiles = all_tiles, .run = see, .arg = &s};
	bool ok = tiles_walk(c->tiles, from, to, &how, err);

	*count = s.count;
	return ok;
}

static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 511, 512, 1000, 4096,
    65535, 65536, 65537, 65536 + 256, 65536 + 300, CAPACITY};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void
test_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZES; i++) {
		struct client c = client_open(NULL);
		struct node_reader nodes = tiles_nodes(c.tiles);
		struct error err = {0};
		struct hash root, want;
		struct proof p;
		uint64_t n = sizes[i], count;

		server = (struct log){.serves = n};
		assert_true(head(&c, n, &err));
		assert_true(walk(&c, 0, n, true, &count, &err));
		assert_int_equal(count, n);
		for (size_t k = 0; k < SIZES && sizes[k] <= n; k++) {
			assert_true(tiles_root(c.tiles, sizes[k], &root, &err));
			root_of(sizes[k], &want);
			assert_true(hash_equal(&root, &want));
		}
		assert_false(tiles_root(c.tiles, n + 1, &root, &err));
		err = (struct error){0};
		root_of(n, &want);
		for (uint64_t at = 0; at < n; at += 1 + n / 17) {
			assert_true(
			    proof_inclusion(&hasher, &nodes, at, n, &p, &err));
			assert_true(proof_verify_inclusion(&hasher, at, n,
			    &tree.level[0][at], &p, &want, &err));
		}
		client_close(&c);
	}
}

static void
test_ranges(void **state)
{
	struct client c = client_open(NULL);
	struct error err = {0};
	uint64_t count;

	(void)state;
	server = (struct log){.serves = CAPACITY};
	assert_true(head(&c, CAPACITY, &err));
	for (uint64_t from = 0; from < CAPACITY; from += 7777)
		for (uint64_t len = 0; from + len <= CAPACITY;
		     len = len * 3 + 1) {
			assert_true(
			    walk(&c, from, from + len, false, &count, &err));
			assert_int_equal(count, len);
		}
	assert_false(walk(&c, 5, 4, false, &count, &err));
	err = (struct error){0};
	assert_false(walk(&c, 0, CAPACITY + 1, false, &count, &err));
	client_close(&c);
}

/* Several threads see each entry once. */
static _Atomic uint64_t sum;

static bool
add(void *arg, unsigned worker, const struct tiles_run *run, struct error *err)
{
	struct seen s = {0};

	(void)arg;
	for (unsigned i = 0; i < run->count; i++)
		sum += run->first + i;
	return see(&s, worker, run, err);
}

static void
test_threads(void **state)
{
	struct client c = client_open(NULL);
	struct tiles_walk how = {.threads = 5, .all_tiles = true, .run = add};
	struct error err = {0};

	(void)state;
	server = (struct log){.serves = CAPACITY};
	sum = 0;
	assert_true(head(&c, CAPACITY, &err));
	assert_true(tiles_walk(c.tiles, 0, CAPACITY, &how, &err));
	assert_int_equal(sum, (uint64_t)CAPACITY * (CAPACITY - 1) / 2);
	client_close(&c);
}

/* Of what was walked in parts each entry was seen once, too: what is behind `at`
 * and nothing else. */
static _Atomic unsigned asked;

static bool
every_few(void *arg)
{
	const unsigned *few = arg;

	return ++asked % *few == 0;
}

static void
test_parts(void **state)
{
	static const uint64_t froms[] = {0, 1, 300, 65535, 65700, CAPACITY};

	(void)state;
	for (unsigned i = 0; i < 6 * sizeof(froms) / sizeof(froms[0]); i++) {
		struct client c = client_open(NULL);
		unsigned few = 2 + 13 * (i % 6), parts = 0;
		struct tiles_walk how = {.threads = 1 + i % 5,
		    .run = add,
		    .enough = every_few,
		    .arg = &few};
		uint64_t from = froms[i / 6], at = from, was;
		struct error err = {0};

		server = (struct log){.serves = CAPACITY};
		sum = 0;
		assert_true(head(&c, CAPACITY, &err));
		do {
			was = at;
			assert_true(tiles_walk_some(
			    c.tiles, &at, CAPACITY, &how, &err));
			assert_true(at >= was &&
			    (at == from || at == CAPACITY ||
				at % TILE_WIDTH == 0));
			assert_int_equal(
			    sum, (at * (at - 1) - from * (from - 1)) / 2);
			parts++;
		} while (at < CAPACITY);
		assert_true(parts > 1 || CAPACITY - from < 65536);
		client_close(&c);
	}
}

/* --- a log that lies --- */

/* Everything is asked for; the error is what came first. */
static bool
read_all(struct client *c, uint64_t size, struct error *err)
{
	uint64_t count;

	return head(c, size, err) && walk(c, 0, size, true, &count, err);
}

static void
test_lies(void **state)
{
	static const char *const places[] = {"/tile/0/", "/tile/1/", "/tile/2/",
	    "/tile/entries/", "/tile/0/273", "/tile/0/100", "/tile/1/000",
	    "/tile/entries/273", "/tile/entries/005"};
	static const struct {
		enum lie lie;
		enum error_code code;
		const char *reason;
	} lies[] = {
	    {LIE_FLIP, ERR_BADSIG, NULL},
	    {LIE_CUT, ERR_SYNTAX, NULL},
	    {LIE_EMPTY, ERR_SYNTAX, NULL},
	    {LIE_GONE, ERR_UNAVAILABLE, "server-error"},
	    {LIE_BUSY, ERR_UNAVAILABLE, "throttled"},
	};

	(void)state;
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++)
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			struct client c = client_open(NULL);
			struct error err = {0};
			bool either = strncmp(places[p], "/tile/0/1", 9) == 0 ||
			    strncmp(places[p], "/tile/e", 7) == 0;

			server = (struct log){.serves = CAPACITY,
			    .lie = lies[i].lie,
			    .where = places[p]};
			if (read_all(&c, CAPACITY, &err))
				fail_msg("%s %u: taken", places[p],
				    (unsigned)lies[i].lie);
			/* What is compared as a whole is another one when it
			 * is cut, and the bit may be one of a length. */
			if (err.code != lies[i].code &&
			    !(either &&
				(err.code == ERR_BADSIG ||
				    err.code == ERR_SYNTAX)))
				fail_msg("%s %u: %s", places[p],
				    (unsigned)lies[i].lie, err.text);
			if (lies[i].reason)
				assert_string_equal(err.reason, lies[i].reason);
			else
				assert_true(strcmp(err.reason, "tile") == 0 ||
				    strcmp(err.reason, "leaf") == 0);
			client_close(&c);
		}
}

static void
test_long(void **state)
{
	static const char *const places[] = {"/tile/0/273", "/tile/1/000",
	    "/tile/1/001", "/tile/entries/005", "/tile/entries/273"};

	(void)state;
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		struct client c = client_open(NULL);
		struct error err = {0};

		server = (struct log){
		    .serves = CAPACITY, .lie = LIE_LONG, .where = places[p]};
		assert_false(read_all(&c, CAPACITY, &err));
		client_close(&c);
	}
}

static void
test_other_root(void **state)
{
	struct client c = client_open(NULL);
	struct error err = {0};
	struct hash root;
	uint64_t count;

	(void)state;
	server = (struct log){.serves = CAPACITY};
	root_of(1000, &root);
	root.b[31] ^= 1;
	assert_false(tiles_head(c.tiles, 1000, &root, &err));
	assert_int_equal(err.code, ERR_BADSIG);
	/* and then nothing is read under it */
	err = (struct error){0};
	assert_false(walk(&c, 0, 1000, false, &count, &err));
	err = (struct error){0};
	assert_false(tiles_root(c.tiles, 10, &root, &err));
	client_close(&c);
}

/* The log has grown: what was partial is still there, or is gone. Then the full
 * one is there, of level 2 in a log that is larger than this one. */
static void
test_grown(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SIZES; i++) {
		struct client c = client_open(NULL);
		struct error err = {0};

		server = (struct log){.serves = CAPACITY,
		    .lie = i < SIZES ? LIE_NONE : LIE_PARTIAL};
		if (i < SIZES || sizes[i % SIZES] < 65536)
			assert_true(read_all(&c, sizes[i % SIZES], &err));
		else
			assert_false(read_all(&c, sizes[i % SIZES], &err));
		client_close(&c);
	}
}

/* --- the cache --- */

/* Runs a command of the shell in a folder. */
static void
damage(const char *folder, const char *what)
{
	char command[400];

	(void)snprintf(command, sizeof(command), "cd '%s' && %s", folder, what);
	assert_int_equal(system(command), 0);
}

static void
test_cache(void **state)
{
	char folder[] = "/tmp/mtlog-tiles.XXXXXX";
	struct error err = {0};
	struct client c;
	unsigned first;

	(void)state;
	assert_non_null(mkdtemp(folder));
	server = (struct log){.serves = 5000};
	c = client_open(folder);
	assert_true(read_all(&c, 5000, &err));
	first = server.gets;
	client_close(&c);
	/* Nothing full is fetched again, but for the tiles of the audit. */
	server.gets = 0;
	c = client_open(folder);
	assert_true(read_all(&c, 5000, &err));
	assert_true(server.gets < first - 18);
	client_close(&c);
	/* Damaged, cut and empty files are fetched anew, and put right. */
	for (unsigned i = 0; i < 3; i++) {
		static const char *const how[] = {
		    ("printf x | dd of=tile/entries/003 bs=1 seek=50 "
		     "conv=notrunc status=none"),
		    "truncate -s 100 tile/entries/004", ": >tile/entries/005"};

		damage(folder, how[i]);
		c = client_open(folder);
		assert_true(read_all(&c, 5000, &err));
		client_close(&c);
	}
	/* A log of another history gets nothing of it. */
	server = (struct log){
	    .serves = 5000, .lie = LIE_FLIP, .where = "/tile/entries/019"};
	c = client_open(folder);
	assert_false(read_all(&c, 5000, &err));
	client_close(&c);
	damage(folder, "rm -r \"$PWD\"");
	/* A cache that cannot be written is none. */
	server = (struct log){.serves = 5000};
	err = (struct error){0};
	c = client_open("/proc/self/nowhere");
	assert_true(read_all(&c, 5000, &err));
	client_close(&c);
}

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	if (!hasher_open(&hasher, &err))
		return -1;
	memory_tree_init(&tree, CAPACITY);
	memory_tree_fill(&tree, &hasher, CAPACITY);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_tree_release(&tree);
	hasher_release(&hasher);
	return 0;
}

/* What a log answers where its checkpoint should be. */
struct shown {
	const char *text;
	struct error fails; /* ERR_NONE: it does not */
};

static bool
show(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	const struct shown *s = arg;

	assert_int_equal(worker, 0);
	assert_string_equal(path, "/checkpoint");
	if (s->fails.code != ERR_NONE) {
		*err = s->fails;
		return false;
	}
	buf_put_str(out, s->text);
	return buf_ok(out, err);
}

#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
#define SIGN "\n\u2014 log.example AAAAAAAA\n"
#define NONE                                                                   \
	{                                                                      \
		0                                                              \
	}

/* An answer that is no checkpoint is the log's failure: not a forgery, nor a
 * malformed file of the user's, nor an absence. */
static void
test_checkpoint(void **state)
{
	static const struct {
		struct shown shown;
		const char *reason; /* NULL: it is one, whoever signed it */
	} cases[] = {
	    {{"log.example\n0\n" ROOT SIGN, NONE}, NULL},
	    {{"other.example\n7\n" ROOT "more\n" SIGN, NONE}, NULL},
	    {{"", NONE}, "server-error"},
	    {{"\n", NONE}, "server-error"},
	    {{"<html>", NONE}, "server-error"},
	    {{"{\"code\":5}", NONE}, "server-error"},
	    {{"log.example\n0\n" ROOT, NONE}, "server-error"},
	    {{"log.example\n0\n" ROOT "\n", NONE}, "server-error"},
	    {{"log.example\n0\n" ROOT "\nAAAA\n", NONE}, "server-error"},
	    {{"log.example\n00\n" ROOT SIGN, NONE}, "server-error"},
	    {{"log.example\n-1\n" ROOT SIGN, NONE}, "server-error"},
	    {{"log.example\n0\nAAAA\n" SIGN, NONE}, "server-error"},
	    {{"log.example\n" ROOT SIGN, NONE}, "server-error"},
	    {{"", {ERR_NOTFOUND, NULL, "404"}}, "server-error"},
	    {{"", {ERR_LIMIT, NULL, "too long"}}, "server-error"},
	    {{"", {ERR_UNAVAILABLE, "server-error", "500"}}, "server-error"},
	    {{"", {ERR_UNAVAILABLE, "throttled", "503"}}, "throttled"},
	    {{"", {ERR_UNAVAILABLE, "network", "none"}}, "network"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct shown s = cases[i].shown;
		struct tile_fetch_options o = {.source = {show, &s}};
		struct error err = {0};
		struct tile_fetch *f = tile_fetch_open(&o, &err);
		AUTO(buf) note = BUF_INIT(1000);
		bool ok;

		assert_non_null(f);
		buf_put_str(&note, "before");
		ok = tile_fetch_checkpoint(f, &note, &err);
		tile_fetch_close(f);
		if (ok != (cases[i].reason == NULL))
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(note.len, 6 + (ok ? strlen(s.text) : 0));
		if (ok)
			continue;
		assert_string_equal(error_reason_name(&err), cases[i].reason);
		assert_true(
		    err.code == ERR_UNAVAILABLE || err.code == ERR_SYNTAX);
	}
}

static void
test_statuses(void **state)
{
	static const struct {
		unsigned status;
		enum error_code code;
		const char *reason;
	} cases[] = {
	    {200, ERR_NONE, NULL},
	    {204, ERR_UNAVAILABLE, "server-error"},
	    {206, ERR_UNAVAILABLE, "server-error"},
	    {302, ERR_UNAVAILABLE, "server-error"},
	    {304, ERR_UNAVAILABLE, "server-error"},
	    {400, ERR_UNAVAILABLE, "server-error"},
	    {401, ERR_UNAVAILABLE, "server-error"},
	    {403, ERR_NOTFOUND, NULL},
	    {404, ERR_NOTFOUND, NULL},
	    {410, ERR_NOTFOUND, NULL},
	    {429, ERR_UNAVAILABLE, "throttled"},
	    {500, ERR_UNAVAILABLE, "server-error"},
	    {503, ERR_UNAVAILABLE, "throttled"},
	    {999, ERR_UNAVAILABLE, "server-error"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};

		assert_int_equal(tile_fetch_answered("http://log.example",
				     "/checkpoint", cases[i].status, &err),
		    cases[i].code == ERR_NONE);
		assert_int_equal(err.code, cases[i].code);
		if (cases[i].reason)
			assert_string_equal(err.reason, cases[i].reason);
		else
			assert_null(err.reason);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads),
	    cmocka_unit_test(test_ranges),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_lies),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_other_root),
	    cmocka_unit_test(test_grown),
	    cmocka_unit_test(test_cache),
	    cmocka_unit_test(test_checkpoint),
	    cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
