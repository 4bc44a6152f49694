/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fsck.h"

#include "tests/server/log_fixture.h"

#define ENTRIES 700 /* two full tiles and a growing one */
#define MARKER	500 /* entries that the index covers */

static struct {
	struct small_log log;
	struct fsck_parts parts;
	struct fsck_result result;
	/* what was told */
	unsigned told, told_mended;
	char sentence[500]; /* the last one */
	uint64_t done;
} w;

static void
problem(void *arg, const char *sentence, bool mended)
{
	assert_ptr_equal(arg, &w);
	w.told++;
	w.told_mended += mended;
	(void)snprintf(w.sentence, sizeof(w.sentence), "%s", sentence);
}

static void
progress(void *arg, uint64_t done, uint64_t total)
{
	assert_ptr_equal(arg, &w);
	assert_true(done >= w.done && done <= total);
	assert_int_equal(total, log_stored(&w.log));
	w.done = done;
}

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	log_open(&w.log);
	w.parts = (struct fsck_parts){
	    .backend = &store_faulty,
	    .store = w.log.store,
	    .index = w.log.index,
	    .threads = 2,
	    .problem = problem,
	    .progress = progress,
	    .arg = &w,
	};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	log_close(&w.log);
	return 0;
}

/* The signed head is over all entries. */
static void
sign_all(void)
{
	w.parts.head = (struct fsck_head){
	    .size = w.log.size, .root = log_root(&w.log, w.log.size)};
}

/* Replaces the index by `rows`, complete for `marker` entries. */
static void
index_make(struct index_row *rows, size_t count, uint64_t marker)
{
	struct hash root = log_root(&w.log, marker);
	struct error err = {0};

	must(index_reset(w.log.index, &err), &err);
	must(index_append(w.log.index, rows, count,
		 &(struct index_marker){marker, root, 0}, &err),
	    &err);
}

static void
index_sound(void)
{
	struct index_row *rows = log_rows(&w.log, MARKER);

	index_make(rows, MARKER * LOOKUP_ROWS, MARKER);
	free(rows);
}

/* A log of ENTRIES with a sound index and head. */
static void
make_sound(void)
{
	log_grow(&w.log, ENTRIES);
	index_sound();
	sign_all();
}

/* Runs; as many problems were told as are in the result. */
static void
run(uint64_t problems, uint64_t mended, const char *names)
{
	struct error err = {0};

	w.told = w.told_mended = 0;
	w.done = 0;
	w.sentence[0] = '\0';
	must(fsck_run(&w.parts, &w.result, &err), &err);
	if (w.result.problems != problems || w.result.mended != mended ||
	    !strstr(w.sentence, names))
		fail_msg("%d problems, %d mended: %s", (int)w.result.problems,
		    (int)w.result.mended, w.sentence);
	assert_int_equal(w.told, problems);
	assert_int_equal(w.told_mended, mended);
	assert_int_equal(w.result.entries, log_stored(&w.log));
	assert_int_equal(w.done, w.result.entries);
}

static void
run_clean(void)
{
	run(0, 0, "");
}

/* Found, mended when asked to, and gone. Nothing else is ever written. */
static void
run_mended(const char *names)
{
	w.parts.repair = false;
	faulty.writes = 0;
	run(1, 0, names);
	assert_int_equal(faulty.writes, 0);
	w.parts.repair = true;
	run(1, 1, names);
	w.parts.repair = false;
	run_clean();
}

static void
test_clean(void **state)
{
	static const size_t more[] = {0, 1, 1, 253, 1, 1, 254, 1, 1, 700};

	(void)state;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		log_grow(&w.log, more[i]);
		sign_all();
		for (w.parts.threads = 0; w.parts.threads < 4;
		     w.parts.threads++)
			run_clean();
		assert_int_equal(w.result.tiles, w.log.size / TILE_WIDTH);
		assert_int_equal(w.result.index_rows, 0);
	}
	index_sound();
	run_clean();
	assert_int_equal(w.result.index_rows, MARKER * LOOKUP_ROWS);
	/* entries behind the signed head are as good */
	w.parts.head = (struct fsck_head){300, log_root(&w.log, 300)};
	run_clean();
	assert_int_equal(faulty.writes, 0);
}

/* Entries are what all else follows from: they are never mended. */
static void
test_wrong_entries(void **state)
{
	(void)state;
	make_sound();
	w.parts.index = NULL;
	faulty.bad_entry[0] = 600;
	run(2, 0, "signed root"); /* it, and the root */
	faulty.bad_entry[0] = 3;
	run(3, 0, "signed root"); /* and its tile */
	faulty.bad_entry[0] = NONE;
	faulty.other_entry = 650;
	run(1, 0, "signed root");
	faulty.other_entry = 255;
	run(2, 0, "signed root");
	assert_int_equal(faulty.writes, 0);
	w.parts.index = w.log.index;
	run(4, 0, "index"); /* tile, marker's root, signed root, rows */
	faulty.other_entry = ENTRIES - 1;
	w.parts.repair = true;
	run(1, 0, "signed root");
	assert_int_equal(faulty.writes, 0);
	faulty_none();
	run_clean();
}

/* When the entries are wrong, sound tiles are all that is left of what was
 * signed. */
static void
test_tiles_outlive_entries(void **state)
{
	(void)state;
	make_sound();
	faulty.other_entry = 255;
	w.parts.repair = true;
	run(4, 0, "index"); /* tile, roots, rows: as before */
	assert_int_equal(faulty.writes, 0);
	faulty_none();
	run_clean();
	assert_int_equal(w.result.index_rows, MARKER * LOOKUP_ROWS);
}

static void
test_bad_entry_named(void **state)
{
	(void)state;
	log_grow_with(&w.log, 40, 17);
	sign_all();
	w.parts.repair = true;
	run(1, 0, "entry 17");
	run(1, 0, "entry 17");
	assert_int_equal(faulty.writes, 0);
}

static void
test_missing_entries(void **state)
{
	struct error err = {0};

	(void)state;
	make_sound();
	/* fewer than signed: the index goes no further than they do */
	must(store_memory.truncate(w.log.store, ENTRIES - 1, &err), &err);
	w.parts.repair = true;
	run(1, 0, "fewer than the 700");
	run(1, 0, "fewer than the 700");
	/* a hole is no entry that could be skipped: no result at all */
	faulty.no_entry = 650;
	w.done = 0;
	refused(
	    fsck_run(&w.parts, &w.result, &err), &err, ERR_IO, "store-missing");
	assert_int_equal(faulty.writes, 0);
}

static void
test_wrong_head(void **state)
{
	(void)state;
	make_sound();
	w.parts.repair = true;
	w.parts.head.root.b[31] ^= 1;
	run(1, 0, "signed root at size 700");
	w.parts.head = (struct fsck_head){699, log_root(&w.log, 700)};
	run(1, 0, "signed root at size 699");
	/* the empty tree has a root, too */
	w.parts.head = (struct fsck_head){0, log_root(&w.log, 1)};
	run(1, 0, "signed root at size 0");
	w.parts.head = (struct fsck_head){0, log_root(&w.log, 0)};
	run_clean();
	assert_int_equal(faulty.writes, 0);
}

static void
test_changed_tile(void **state)
{
	(void)state;
	make_sound();
	for (uint64_t i = 0; i < ENTRIES / TILE_WIDTH; i++) {
		char names[32];

		log_spoil_tile(&w.log, 0, i);
		(void)snprintf(names, sizeof(names), "tile 0/%d", (int)i);
		run_mended(names);
	}
	log_spoil_tile(&w.log, 0, 0);
	log_spoil_tile(&w.log, 0, 1);
	w.parts.repair = true;
	run(2, 2, "tile 0/1");
	run_clean();
	log_tree_agrees(&w.log, ENTRIES);
}

static void
test_missing_tile(void **state)
{
	(void)state;
	make_sound();
	faulty.no_tile = 1;
	run(1, 0, "tile 0/1");
	/* stays missing here, but it was written */
	w.parts.repair = true;
	run(1, 1, "tile 0/1");
	assert_int_equal(faulty.writes, 1);
	faulty.no_tile = NONE;
	run_clean();
}

/* What is wrong with an index of MARKER entries. */
static const struct index_case {
	const char *name;
	size_t from, count; /* rows that are kept */
	int change;	    /* a row whose key is changed; -1: none */
	int move;	    /* a row that points elsewhere; -1: none */
	uint64_t moved_to;  /* NONE: becomes a row of another kind */
	uint64_t marker;
	const char *names;
} index_cases[] = {
    {"first row missing", 1, 1499, -1, -1, 0, MARKER, "1499 rows"},
    {"last row missing", 0, 1499, -1, -1, 0, MARKER, "1499 rows"},
    {"all rows missing", 0, 0, -1, -1, 0, MARKER, "0 rows"},
    {"an entry's rows missing", 3, 1497, -1, -1, 0, MARKER, "1497 rows"},
    {"a row more", 0, 1501, -1, -1, 0, MARKER, "1501 rows"},
    {"changed key", 0, 1500, 0, -1, 0, MARKER, "other ones"},
    {"changed digest", 0, 1500, 751, -1, 0, MARKER, "other ones"},
    {"changed signer", 0, 1500, 1499, -1, 0, MARKER, "other ones"},
    {"points elsewhere", 0, 1500, -1, 33, 12, MARKER, "other ones"},
    {"points beyond", 0, 1500, -1, 33, 20000, MARKER, "other ones"},
    {"another kind", 0, 1500, -1, 4, NONE, MARKER, "other ones"},
    {"covers fewer", 0, 1500, -1, -1, 0, MARKER - 1, "1500 rows"},
    {"covers more", 0, 1500, -1, -1, 0, MARKER + 1, "1500 rows"},
};

static void
test_wrong_index(void **state)
{
	(void)state;
	log_grow(&w.log, ENTRIES);
	sign_all();
	for (size_t i = 0; i < sizeof(index_cases) / sizeof(index_cases[0]);
	     i++) {
		const struct index_case *c = &index_cases[i];
		struct index_row *rows = log_rows(&w.log, ENTRIES);
		struct index_marker marker;
		struct error err = {0};

		if (c->change >= 0)
			rows[c->change].key.b[9] ^= 1;
		if (c->move >= 0 && c->moved_to == NONE)
			rows[c->move].kind = INDEX_LEAF;
		else if (c->move >= 0)
			rows[c->move].index = c->moved_to;
		index_make(rows + c->from, c->count, c->marker);
		free(rows);
		run_mended(c->names);
		must(index_marker(w.log.index, &marker, &err), &err);
		assert_int_equal(marker.size, 0);
	}
}

/* A marker that is not on this tree; NULL as index: not looked at. */
static void
test_wrong_marker(void **state)
{
	struct index_row *rows;
	struct hash root;
	struct error err = {0};

	(void)state;
	log_grow(&w.log, ENTRIES);
	sign_all();
	rows = log_rows(&w.log, MARKER);
	root = log_root(&w.log, MARKER);
	root.b[0] ^= 1;
	must(index_append(w.log.index, rows, MARKER * LOOKUP_ROWS,
		 &(struct index_marker){MARKER, root, 0}, &err),
	    &err);
	w.parts.index = NULL;
	run_clean();
	w.parts.index = w.log.index;
	run_mended("another tree");
	free(rows);
	rows = log_rows(&w.log, ENTRIES);
	root = log_root(&w.log, ENTRIES);
	must(index_append(w.log.index, rows, ENTRIES * LOOKUP_ROWS,
		 &(struct index_marker){ENTRIES + 1, root, 0}, &err),
	    &err);
	run_mended("covers 701 entries");
	free(rows);
}

static const struct refusal {
	const char *name;
	enum error_code size, reader, entries, put_tile;
} refusals[] = {
    {.name = "size", .size = ERR_IO},
    {.name = "reader", .reader = ERR_IO},
    {.name = "entries", .entries = ERR_IO},
    {.name = "repair", .put_tile = ERR_IO},
};

/* What could not be finished is no result. */
static void
test_not_finished(void **state)
{
	(void)state;
	make_sound();
	log_spoil_tile(&w.log, 0, 0);
	w.parts.repair = true;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct error err = {0};

		faulty_none();
		w.done = 0;
		faulty.size = refusals[i].size;
		faulty.reader = refusals[i].reader;
		faulty.entries = refusals[i].entries;
		faulty.put_tile = refusals[i].put_tile;
		refused(fsck_run(&w.parts, &w.result, &err), &err, ERR_IO,
		    "store-unknown");
		assert_int_equal(w.result.mended, 0);
	}
	faulty_none();
	run(1, 1, "tile 0/0");
}

/* More chunks than are on their way at once, and a tile of level 1. */
static void
test_large(void **state)
{
	struct error err = {0};

	(void)state;
	log_grow(&w.log, 66000);
	sign_all();
	log_spoil_tile(&w.log, 1, 0);
	w.parts.repair = true;
	run(1, 1, "tile 1/0");
	assert_int_equal(w.result.tiles, 66000 / TILE_WIDTH + 1);
	/* each is told only up to a hundred, all are counted */
	for (uint64_t i = 0; i < 66000 / TILE_WIDTH; i++)
		log_spoil_tile(&w.log, 0, i);
	w.told = 0;
	w.done = 0;
	must(fsck_run(&w.parts, &w.result, &err), &err);
	assert_int_equal(w.result.problems, 66000 / TILE_WIDTH);
	assert_int_equal(w.result.mended, 66000 / TILE_WIDTH);
	assert_true(w.told <= 100);
	run_clean();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* The index as the look-up makes it, with the rows of links. */
static void
index_with_links(uint64_t links)
{
	struct index_row *rows = log_rows(&w.log, ENTRIES);
	size_t count = ENTRIES * LOOKUP_ROWS;
	struct error err = {0};

	rows = reallocarray(rows, count + 1000, sizeof(*rows));
	assert_non_null(rows);
	for (uint64_t n = 0; ENTRIES + n < w.log.size; n++) {
		AUTO(buf) payload = BUF_INIT(4096);
		AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
		AUTO(entry) e = {0};
		AUTO(catalog) c = {0};
		struct lookup_keys keys;

		statement_make(n, &payload);
		statement_leaf_make(buf_bytes(&payload), 0, &leaf);
		must(entry_parse(buf_bytes(&leaf), &e, &err), &err);
		must(catalog_read(&w.log.hasher, BYTES_LIT(DSSE_IN_TOTO),
			 buf_bytes(&payload), &e, &c, &err),
		    &err);
		lookup_keys_of(
		    &w.log.hasher, &e, &w.log.leaves[ENTRIES + n], &keys);
		rows[count++] =
		    (struct index_row){INDEX_LEAF, keys.leaf, ENTRIES + n};
		rows[count++] =
		    (struct index_row){INDEX_DIGEST, keys.digest, ENTRIES + n};
		rows[count++] =
		    (struct index_row){INDEX_SIGNER, keys.signer, ENTRIES + n};
		for (size_t k = 0; n < links && k < c.count; k++)
			rows[count++] = (struct index_row){
			    c.keys[k].kind, c.keys[k].key, ENTRIES + n};
	}
	must(index_reset(w.log.index, &err), &err);
	must(index_append(w.log.index, rows, count,
		 &(struct index_marker){
		     w.log.size, log_root(&w.log, w.log.size), links},
		 &err),
	    &err);
	free(rows);
}

/* Envelopes and their rows, dropped ones, and each thing that can be wrong. */
static void
test_envelopes(void **state)
{
	AUTO(buf) payload = BUF_INIT(4096);
	struct store_link link;
	struct store_batch b = {.link_count = 1, .links = &link};
	struct error err = {0};

	(void)state;
	log_grow(&w.log, ENTRIES);
	for (uint64_t n = 0; n < 5; n++)
		log_grow_statement(&w.log, n, 0);
	sign_all();
	index_sound(); /* of entries alone: behind, and that is right */
	run_clean();
	assert_int_equal(w.result.envelopes, 5);
	index_with_links(5);
	run_clean();
	assert_true(w.result.index_rows > ENTRIES * LOOKUP_ROWS + 20);
	/* rows of a link that is not counted as known, and the other way */
	index_with_links(4);
	run_clean();
	{
		struct index_marker m;

		must(index_marker(w.log.index, &m, &err), &err);
		m.links = 5;
		must(index_append(w.log.index, NULL, 0, &m, &err), &err);
	}
	run_mended("other ones");
	index_with_links(5);
	statement_make(2, &payload);
	link = statement_link(&w.log.hasher, buf_bytes(&payload), 0, 0);
	must(store_memory.drop_envelope(w.log.store, &link.s, &err), &err);
	run_mended("other ones"); /* its rows are to be taken out */
	assert_int_equal(w.result.envelopes, 4);
	assert_int_equal(w.result.dropped, 1);
	run_clean();
	/* a link to an entry that logs something else */
	buf_clear(&payload);
	statement_make(77, &payload);
	link = statement_link(&w.log.hasher, buf_bytes(&payload), 0, 3);
	b.first = w.log.size;
	must(store_memory.append(w.log.store, &b, &err), &err);
	run(1, 0, "entry 3 does not log it");
	w.parts.repair = true;
	run(1, 0, "entry 3 does not log it");
}

/* Stored bytes that are not what the digests say; statements of no kind. */
static void
test_wrong_envelopes(void **state)
{
	static const struct {
		const char *type, *payload;
		bool other_digest;
		const char *names;
	} cases[] = {
	    {DSSE_IN_TOTO, "{}", false, "envelope "},
	    {"text/plain", "{}", false, "only signed models"},
	    {DSSE_IN_TOTO, "{}", true, "other digests"},
	};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
		AUTO(entry) e = {0};
		uint8_t digest[64], raw[32] = {1}, signature[64] = {1};
		AUTO(buf) spki = BUF_INIT(64);
		struct bytes type = bytes_str(cases[i].type);
		struct bytes payload = bytes_str(cases[i].payload), text;
		struct store_link link;
		struct store_batch b = {.count = 1,
		    .leaves = &text,
		    .link_count = 1,
		    .links = &link};
		void *none = NULL;

		assert_int_equal(teardown(&none), 0);
		assert_int_equal(setup(&none), 0);
		ed25519_spki_put(&spki, BYTES_OF(raw));
		must(dsse_digest(DIGEST_SHA512, type, payload, digest, &err),
		    &err);
		must(entry_fill(&e, BYTES_OF(digest), BYTES_OF(signature),
			 buf_bytes(&spki), false, &err),
		    &err);
		entry_format(&e, &leaf);
		must(envelope_link(
			 &w.log.hasher, type, payload, &e, &link, &err),
		    &err);
		if (cases[i].other_digest)
			link.payload = BYTES_LIT("{ }");
		text = buf_bytes(&leaf);
		log_note(&w.log, text);
		must(tree_append(w.log.tree, w.log.leaves, 1, &err), &err);
		must(store_memory.append(w.log.store, &b, &err), &err);
		tree_commit(w.log.tree);
		sign_all();
		run(1, 0, cases[i].names);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_clean),
	    TEST(test_wrong_entries),
	    TEST(test_tiles_outlive_entries),
	    TEST(test_bad_entry_named),
	    TEST(test_missing_entries),
	    TEST(test_wrong_head),
	    TEST(test_changed_tile),
	    TEST(test_missing_tile),
	    TEST(test_wrong_index),
	    TEST(test_wrong_marker),
	    TEST(test_envelopes),
	    TEST(test_wrong_envelopes),
	    TEST(test_not_finished),
	    TEST(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
