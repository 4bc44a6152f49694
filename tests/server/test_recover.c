/* SPDX-License-Identifier: Apache-2.0 */
#include "server/recover.h"

#include "tests/server/log_fixture.h"

/* A log at its start, with the signer that goes with it. */
static struct {
	struct small_log log;
	struct signer_place place;
	struct recovered r;
	struct buf note; /* of the guard */
	struct guard_state guard;
} w;

static void
world_close(void)
{
	head_release(w.r.head);
	place_close(&w.place);
	buf_release(&w.note);
	log_close(&w.log);
}

/* `stored` entries, of which `signed_size` are under the guard's head; `bad`
 * is no entry. As after a kill: a new process, nothing loaded. */
static void
world_open(uint64_t stored, uint64_t signed_size, uint64_t bad, bool frozen)
{
	struct error err = {0};

	memset(&w, 0, sizeof(w));
	buf_init(&w.note, GUARD_NOTE_MAX);
	log_open(&w.log);
	log_grow_with(&w.log, (size_t)stored, bad);
	place_open(&w.place);
	place_init(&w.place);
	log_sign(&w.log, w.place.signer, 0, signed_size, &w.note);
	if (frozen)
		must(signer_freeze(w.place.signer, &err), &err);
	place_stop(&w.place);
	log_forget_tree(&w.log);
	place_start(&w.place);
	assert_int_equal(w.place.hello.guard, SIGNER_GUARD_OK);
	w.guard = place_guard(&w.place);
}

static void head_is_guards(uint64_t size);

/* What others say when they are asked; how often, and about what head. */
static struct {
	bool there;
	enum error_code answer;
	unsigned asked;
	uint64_t size;
} others;

static bool
ask(void *arg, struct head *head, struct error *err)
{
	assert_ptr_equal(arg, &others);
	others.asked++;
	others.size = head->size;
	/* Nothing was signed before. */
	head_is_guards(head->size);
	return others.answer == ERR_NONE ||
	    error_reason(err, others.answer, "they-say", "not now");
}

static struct recover_parts
parts(void)
{
	return (struct recover_parts){
	    .ask = others.there ? ask : NULL,
	    .arg = &others,
	    .backend = &store_faulty,
	    .store = w.log.store,
	    .tree = w.log.tree,
	    .signer = w.place.signer,
	    .hello = &w.place.hello,
	    .index = w.log.index,
	    .lookup = w.log.lookup,
	};
}

static void
recover(enum recover_case found, const char *names)
{
	struct recover_parts p = parts();
	struct error err = {0};

	must(recover_log(&p, &w.r, &err), &err);
	if (w.r.found != found || !strstr(w.r.sentence, names))
		fail_msg("%d: %s", (int)w.r.found, w.r.sentence);
}

/* The head to publish is the one in the guard, byte for byte. */
static void
head_is_guards(uint64_t size)
{
	struct hash root = log_root(&w.log, size);

	assert_non_null(w.r.head);
	assert_int_equal(w.r.head->size, size);
	assert_true(hash_equal(&w.r.head->root, &root));
	assert_true(
	    bytes_equal(buf_bytes(&w.r.head->note), buf_bytes(&w.note)));
}

static void
guard_unchanged(void)
{
	struct guard_state now = place_guard(&w.place);

	assert_int_equal(now.frozen, w.guard.frozen);
	assert_true(bytes_equal(bytes_of(now.note, now.note_len),
	    bytes_of(w.guard.note, w.guard.note_len)));
}

static void
head_is_new(uint64_t size)
{
	struct hash root = log_root(&w.log, size);

	assert_non_null(w.r.head);
	assert_int_equal(w.r.head->size, size);
	assert_true(hash_equal(&w.r.head->root, &root));
	place_newest(&w.place, &w.log, buf_bytes(&w.r.head->note), size);
}

/* Others are asked before anything is signed, with the guard's head in hand. */
static void
test_asked(void **state)
{
	static const struct {
		uint64_t stored;
		enum error_code answer;
		enum recover_case found;
		bool unasked, frozen;
	} cases[] = {
	    {5, ERR_NONE, RECOVER_EQUAL, false, false},
	    {9, ERR_NONE, RECOVER_FORWARD, false, false},
	    {5, ERR_UNAVAILABLE, RECOVER_EQUAL, false, false},
	    {9, ERR_UNAVAILABLE, RECOVER_LATCH, true, false},
	    {5, ERR_CONFLICT, RECOVER_LATCH, false, false},
	    {9, ERR_CONFLICT, RECOVER_LATCH, false, false},
	    {5, ERR_UNAVAILABLE, RECOVER_EQUAL, false, true},
	    {5, ERR_CONFLICT, RECOVER_LATCH, false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&others, 0, sizeof(others));
		others.there = true;
		others.answer = cases[i].answer;
		world_open(cases[i].stored, 5, NONE, cases[i].frozen);
		recover(cases[i].found, "");
		assert_int_equal(others.asked, 1);
		assert_int_equal(others.size, 5);
		assert_int_equal(w.r.unasked, cases[i].unasked);
		if (cases[i].found == RECOVER_FORWARD) {
			head_is_new(9);
		} else {
			head_is_guards(5);
			guard_unchanged();
		}
		world_close();
	}
	memset(&others, 0, sizeof(others));
}

static void
test_equal(void **state)
{
	static const uint64_t sizes[] = {0, 1, 255, 256, 257, 600};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		world_open(sizes[i], sizes[i], NONE, i % 2);
		recover(RECOVER_EQUAL, "entries");
		assert_false(w.r.unsettled);
		assert_int_equal(w.r.dropped, 0);
		assert_int_equal(faulty.writes, 1); /* settle */
		head_is_guards(sizes[i]);
		guard_unchanged();
		log_tree_agrees(&w.log, sizes[i]);
		world_close();
	}
}

static const struct {
	uint64_t signed_size, stored;
} forwards[] = {
    {0, 1}, {0, 300}, {1, 2}, {255, 256}, {256, 257}, {300, 512}, {5, 1200}};

static void
test_forward(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forwards) / sizeof(forwards[0]); i++) {
		uint64_t stored = forwards[i].stored;

		world_open(stored, forwards[i].signed_size, NONE, false);
		recover(RECOVER_FORWARD, "signed");
		assert_false(w.r.unsettled);
		assert_int_equal(w.r.dropped, 0);
		assert_int_equal(log_stored(&w.log), stored);
		head_is_new(stored);
		log_tree_agrees(&w.log, stored);
		/* and it goes on from there */
		log_grow(&w.log, 300);
		log_tree_agrees(&w.log, stored + 300);
		world_close();
	}
}

/* A second start finds what the first left: equal. */
static void
start_again_equal(uint64_t size)
{
	struct buf old = w.note;

	w.note = (struct buf)BUF_INIT(GUARD_NOTE_MAX);
	buf_put(&w.note, buf_bytes(&w.r.head->note));
	buf_release(&old);
	head_release(w.r.head);
	w.r.head = NULL;
	place_stop(&w.place);
	log_forget_tree(&w.log);
	place_start(&w.place);
	recover(RECOVER_EQUAL, "entries");
	head_is_guards(size);
	log_tree_agrees(&w.log, size);
}

static void
test_forward_once(void **state)
{
	(void)state;
	world_open(900, 300, NONE, false);
	recover(RECOVER_FORWARD, "signed 600 entries");
	start_again_equal(900);
	world_close();
}

/* How the tail is unsound. */
static const struct tail_case {
	const char *name;
	uint64_t signed_size, stored;
	uint64_t bad;	/* no entry */
	uint64_t spoil; /* tile of level 0; NONE */
	bool frozen;
	const char *names;
} tails[] = {
    {"first", 300, 310, 300, NONE, false, "entry 300"},
    {"last", 300, 310, 309, NONE, false, "entry 309"},
    {"of an empty log", 0, 3, 0, NONE, false, "dropped 3 entries"},
    {"behind full tiles", 200, 900, 899, NONE, false, "dropped 700"},
    {"tile of the tail", 200, 300, NONE, 0, false, "tile 0/0"},
    {"later tile", 256, 900, NONE, 2, false, "tile 0/2"},
    {"frozen before", 300, 310, NONE, NONE, true, "frozen"},
};

static void
test_cut_tail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		const struct tail_case *c = &tails[i];

		world_open(c->stored, c->signed_size, c->bad, c->frozen);
		if (c->spoil != NONE)
			log_spoil_tile(&w.log, 0, c->spoil);
		recover(RECOVER_CUT_TAIL, c->names);
		assert_int_equal(w.r.dropped, c->stored - c->signed_size);
		assert_false(w.r.unsettled);
		assert_int_equal(log_stored(&w.log), c->signed_size);
		head_is_guards(c->signed_size);
		guard_unchanged();
		log_tree_agrees(&w.log, c->signed_size);
		start_again_equal(c->signed_size);
		guard_unchanged();
		world_close();
	}
}

/* New entries take the place of the dropped ones, and are signed. */
static void
test_cut_and_go_on(void **state)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);

	(void)state;
	world_open(600, 200, 599, false);
	recover(RECOVER_CUT_TAIL, "dropped 400");
	w.log.size = 200;
	log_grow(&w.log, 400);
	log_tree_agrees(&w.log, 600);
	log_sign(&w.log, w.place.signer, 200, 600, &note);
	world_close();
}

/* Doubt: nothing is written, nothing signed; a head of `served` entries is
 * shown (NONE: none). */
static void
latched(const char *names, uint64_t served)
{
	uint64_t stored = log_stored(&w.log);

	recover(RECOVER_LATCH, names);
	assert_int_equal(faulty.writes, 0);
	assert_int_equal(log_stored(&w.log), stored);
	assert_int_equal(w.r.dropped, 0);
	assert_false(w.r.unsettled);
	if (served == NONE)
		assert_null(w.r.head);
	else
		head_is_guards(served);
	guard_unchanged();
	world_close();
}

static void
test_latch_database(void **state)
{
	struct error err = {0};

	(void)state;
	world_open(300, 300, NONE, false);
	must(store_memory.truncate(w.log.store, 299, &err), &err);
	latched("299 entries, fewer than the 300", NONE);

	world_open(300, 300, NONE, false);
	must(store_memory.truncate(w.log.store, 0, &err), &err);
	latched("0 entries", NONE);

	world_open(300, 300, NONE, false);
	faulty.other_entry = 299;
	latched("another root at size 300", NONE);

	/* the tail of an unsound log is not even looked at */
	world_open(310, 300, 305, false);
	faulty.other_entry = 299;
	latched("another root at size 300", NONE);

	world_open(310, 300, NONE, false);
	log_spoil_tile(&w.log, 0, 0);
	latched("another root at size 300", NONE);

	world_open(300, 300, NONE, false);
	faulty.no_tile = 0;
	latched("missing", NONE);

	world_open(300, 300, NONE, false);
	faulty.entries = ERR_IO;
	latched("fail", NONE);
}

/* Another file than the guard was written for, whatever is in it. */
static void
test_latch_copy(void **state)
{
	(void)state;
	world_open(300, 300, NONE, false);
	faulty.identity = IDENTITY + 1;
	latched("copy", 300);
	world_open(310, 300, NONE, false);
	faulty.identity = 0;
	latched("copy", 300);
	/* nor is what was not signed shown */
	world_open(300, 300, NONE, false);
	faulty.identity = IDENTITY + 1;
	faulty.other_entry = 299;
	latched("copy", NONE);
}

static const struct guard_case {
	enum signer_guard guard;
	const char *error;
	uint64_t served;
} guards[] = {
    {SIGNER_GUARD_MISSING, "there is none", NONE},
    {SIGNER_GUARD_BAD, "both slots", NONE},
    {SIGNER_GUARD_FOREIGN, "of another log", NONE},
    {SIGNER_GUARD_ROLLBACK, "a copy is newer", 300},
    {SIGNER_GUARD_COPY, "a copy is missing", 300},
};

static void
test_latch_guard(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
		world_open(310, 300, NONE, false);
		w.place.hello.guard = guards[i].guard;
		(void)snprintf(w.place.hello.note_error,
		    sizeof(w.place.hello.note_error), "%s", guards[i].error);
		latched(guards[i].error, guards[i].served);
	}
}

/* The same from a signer that found it so, and that signs nothing. */
static void
test_latch_no_guard(void **state)
{
	struct error err = {0};
	struct recover_parts p;

	(void)state;
	world_open(310, 300, NONE, false);
	place_stop(&w.place);
	assert_int_equal(unlink(w.place.guard), 0);
	place_start(&w.place);
	assert_int_equal(w.place.hello.guard, SIGNER_GUARD_MISSING);
	p = parts();
	must(recover_log(&p, &w.r, &err), &err);
	assert_int_equal(w.r.found, RECOVER_LATCH);
	assert_null(w.r.head);
	assert_int_equal(faulty.writes, 0);
	assert_int_equal(access(w.place.guard, F_OK), -1);
	world_close();
}

/* No space to make things durable: reads go on, nothing is signed. */
static void
test_unsettled(void **state)
{
	(void)state;
	world_open(300, 300, NONE, false);
	faulty.settle = ERR_UNAVAILABLE;
	recover(RECOVER_EQUAL, "300 entries");
	assert_true(w.r.unsettled);
	head_is_guards(300);
	guard_unchanged();
	world_close();

	world_open(310, 300, NONE, false);
	faulty.settle = ERR_UNAVAILABLE;
	recover(RECOVER_LATCH, "disk is full");
	assert_true(w.r.unsettled);
	head_is_guards(300);
	guard_unchanged();
	assert_int_equal(log_stored(&w.log), 310);
	/* the next start, with space */
	head_release(w.r.head);
	log_forget_tree(&w.log);
	faulty_none();
	recover(RECOVER_FORWARD, "signed 10 entries");
	assert_false(w.r.unsettled);
	head_is_new(310);
	world_close();
}

/* What cannot be read now is not dropped. */
static void
test_unreadable_tail(void **state)
{
	(void)state;
	world_open(600, 256, NONE, false);
	faulty.entries = ERR_IO; /* the guard's size needs none */
	recover(RECOVER_LATCH, "cannot read");
	assert_int_equal(log_stored(&w.log), 600);
	assert_int_equal(faulty.writes, 1); /* settle */
	head_is_guards(256);
	guard_unchanged();
	log_tree_agrees(&w.log, 256);
	world_close();
}

/* A hole in the tail is no failing disk: it is dropped. */
static void
test_hole_in_tail(void **state)
{
	(void)state;
	world_open(600, 300, NONE, false);
	faulty.no_entry = 500;
	recover(RECOVER_CUT_TAIL, "dropped 300");
	head_is_guards(300);
	guard_unchanged();
	world_close();

	world_open(600, 300, NONE, false);
	faulty.no_tile = 1;
	recover(RECOVER_CUT_TAIL, "dropped 300");
	head_is_guards(300);
	guard_unchanged();
	world_close();
}

static const struct failure {
	const char *name;
	uint64_t bad;
	enum error_code size, identify, settle, truncate;
	bool signer; /* dead */
	enum error_code code;
	const char *reason;
} failures[] = {
    {"size", NONE, .size = ERR_IO, .code = ERR_IO, .reason = "store-unknown"},
    {"identity", NONE, .identify = ERR_IO, .code = ERR_IO,
	.reason = "store-unknown"},
    {"settle", NONE, .settle = ERR_IO, .code = ERR_IO, .reason = "io"},
    {"truncate", 305, .truncate = ERR_IO, .code = ERR_IO,
	.reason = "store-unknown"},
    {"signer", NONE, .signer = true, .code = ERR_UNAVAILABLE,
	.reason = "signer-down"},
};

/* The process cannot go on at all: no head, nothing signed. */
static void
test_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		const struct failure *f = &failures[i];
		struct recover_parts p;
		struct error err = {0};

		world_open(310, 300, f->bad, false);
		faulty.size = f->size;
		faulty.identify = f->identify;
		faulty.settle = f->settle;
		faulty.truncate = f->truncate;
		if (f->signer)
			place_kill(&w.place);
		p = parts();
		refused(recover_log(&p, &w.r, &err), &err, f->code, f->reason);
		assert_null(w.r.head);
		guard_unchanged();
		assert_int_equal(log_stored(&w.log), 310);
		world_close();
	}
}

/* The index is written as if it were complete for `marker` entries. */
static void
index_make(uint64_t marker, bool sound)
{
	struct index_row *rows = log_rows(&w.log, w.log.size);
	uint64_t size = marker < w.log.size ? marker : w.log.size;
	struct hash root = log_root(&w.log, size);
	struct error err = {0};

	if (!sound) {
		root.b[5] ^= 1;
		memset(&rows[0].key, 0xee, HASH_LEN);
	}
	must(index_append(w.log.index, rows, (size_t)size * LOOKUP_ROWS,
		 &(struct index_marker){marker, root, 0}, &err),
	    &err);
	free(rows);
	/* A look-up that sees it from its start on. */
	lookup_close(w.log.lookup);
	w.log.lookup = lookup_open(w.log.index, &err);
	must(w.log.lookup != NULL, &err);
}

static uint64_t
index_size(void)
{
	struct error err = {0};
	struct index_marker marker;

	must(index_marker(w.log.index, &marker, &err), &err);
	return marker.size;
}

static const struct index_case {
	uint64_t entries, marker;
	bool sound, kept;
} index_cases[] = {
    {0, 0, true, true},
    {1, 0, true, true},
    {700, 0, true, true},
    {700, 1, true, true},
    {700, 256, true, true},
    {700, 699, true, true},
    {700, 700, true, true},
    {700, 1, false, false},
    {700, 500, false, false},
    {700, 700, false, false},
    {700, 701, true, false},
};

static void
test_index(void **state)
{
	static const struct hash stray = {{0xee, 0xee}};

	(void)state;
	for (size_t i = 0; i < sizeof(index_cases) / sizeof(index_cases[0]);
	     i++) {
		const struct index_case *c = &index_cases[i];
		uint64_t kept = c->kept ? c->marker : 0, at[8];
		struct recover_parts p;
		struct error err = {0};
		struct hash key;

		world_open(c->entries, c->entries, NONE, false);
		if (c->marker > 0)
			index_make(c->marker, c->sound);
		recover(RECOVER_EQUAL, "entries");
		p = parts();
		must(recover_index(&p, w.r.head, &err), &err);
		assert_int_equal(index_size(), kept);
		assert_int_equal(lookup_tail(w.log.lookup), c->entries - kept);
		log_found(&w.log, 0, c->entries);
		/* nothing is left of an index of another tree */
		memset(&key, stray.b[0], sizeof(key));
		assert_int_equal(log_find(&w.log, INDEX_LEAF, &key, at), 0);
		world_close();
	}
}

/* Only what the head covers is found, though more may be stored. */
static void
test_index_of_head(void **state)
{
	struct recover_parts p;
	struct error err = {0};
	uint64_t at[8];

	(void)state;
	world_open(310, 300, NONE, false);
	faulty.settle = ERR_UNAVAILABLE;
	recover(RECOVER_LATCH, "disk is full");
	p = parts();
	must(recover_index(&p, w.r.head, &err), &err);
	assert_int_equal(lookup_tail(w.log.lookup), 300);
	log_found(&w.log, 0, 300);
	assert_int_equal(
	    log_find(&w.log, INDEX_LEAF, &w.log.leaves[300], at), 0);
	world_close();
}

static void
test_index_refused(void **state)
{
	struct recover_parts p;
	struct error err = {0};

	(void)state;
	world_open(300, 300, NONE, false);
	recover(RECOVER_EQUAL, "entries");
	p = parts();
	faulty.bad_entry[0] = 299;
	refused(recover_index(&p, w.r.head, &err), &err, ERR_SYNTAX, "syntax");
	assert_non_null(strstr(err.text, "entry 299"));
	world_close();

	err = (struct error){0};
	world_open(300, 300, NONE, false);
	recover(RECOVER_EQUAL, "entries");
	p = parts();
	faulty.no_entry = 0;
	refused(
	    recover_index(&p, w.r.head, &err), &err, ERR_IO, "store-missing");
	world_close();
}

/* Many entries go into the file, and are found there. */
static void
test_index_many(void **state)
{
	struct recover_parts p;
	struct error err = {0};
	struct head head = {0};

	(void)state;
	memset(&w, 0, sizeof(w));
	log_open(&w.log);
	log_grow(&w.log, LOOKUP_FLUSH_ENTRIES + 10);
	must(lookup_start(w.log.lookup, &err), &err);
	p = parts();
	head.size = w.log.size;
	head.root = log_root(&w.log, w.log.size);
	must(recover_index(&p, &head, &err), &err);
	/* what is on its way arrives before the look-up is closed */
	lookup_close(w.log.lookup);
	assert_true(index_size() >= LOOKUP_FLUSH_ENTRIES);
	w.log.lookup = lookup_open(w.log.index, &err);
	must(w.log.lookup != NULL, &err);
	log_found(&w.log, 0, 300);
	/* the next start has only the rest to replay */
	p = parts();
	must(recover_index(&p, &head, &err), &err);
	assert_int_equal(lookup_tail(w.log.lookup), w.log.size - index_size());
	log_close(&w.log);
}

/* Links are replayed from where the index knows them, whatever entries they
 * are of, and what is unsound is left out. */
static void
test_links(void **state)
{
	static const struct {
		uint64_t marker, links; /* of the index */
		bool sound;
		size_t found[4]; /* of statements 0 to 3 */
	} cases[] = {
	    {0, 0, true, {1, 2, 1, 1}},
	    {305, 0, true, {1, 2, 1, 1}},
	    {305, 2, true, {0, 1, 1, 1}},
	    {300, 3, true, {0, 0, 1, 1}},
	    {305, 5, true, {0, 0, 0, 0}},
	    {305, 5, false, {1, 2, 1, 1}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct index_marker m = {
		    .size = cases[i].marker, .links = cases[i].links};
		struct head head = {0};
		struct recover_parts p;
		struct error err = {0};
		uint64_t at[8];

		memset(&w, 0, sizeof(w));
		log_open(&w.log);
		log_grow(&w.log, 300);
		assert_int_equal(log_grow_statement(&w.log, 0, 0), 1);
		assert_int_equal(log_grow_statement(&w.log, 1, 0), 2);
		assert_int_equal(log_grow_statement(&w.log, 1, 1), 3);
		assert_int_equal(log_grow_statement(&w.log, 2, 0), 4);
		assert_int_equal(log_grow_statement(&w.log, 3, 0), 5);
		m.root = log_root(&w.log, m.size);
		m.root.b[0] ^= !cases[i].sound;
		must(index_append(w.log.index, NULL, 0, &m, &err), &err);
		lookup_close(w.log.lookup);
		w.log.lookup = lookup_open(w.log.index, &err);
		head.size = w.log.size;
		head.root = log_root(&w.log, w.log.size);
		p = parts();
		must(recover_index(&p, &head, &err), &err);
		for (unsigned n = 0; n < 4; n++)
			assert_int_equal(log_find_statement(&w.log, n, at),
			    cases[i].found[n]);
		must(lookup_start(w.log.lookup, &err), &err);
		lookup_flush_now(w.log.lookup);
		must(index_marker(w.log.index, &m, &err), &err);
		if (m.size == 0) /* there was nothing to do */
			assert_int_equal(cases[i].links, 5);
		else
			assert_int_equal(m.links, 5);
		log_close(&w.log);
	}
}

/* Beyond the head nothing is found, nor counted as known. */
static void
test_links_of_head(void **state)
{
	struct head head = {0};
	struct index_marker m;
	struct recover_parts p;
	struct error err = {0};
	uint64_t at[8];

	(void)state;
	memset(&w, 0, sizeof(w));
	log_open(&w.log);
	log_grow(&w.log, 30);
	for (unsigned n = 0; n < 6; n++)
		log_grow_statement(&w.log, n, 0);
	head.size = 33;
	head.root = log_root(&w.log, 33);
	p = parts();
	must(recover_index(&p, &head, &err), &err);
	for (unsigned n = 0; n < 6; n++)
		assert_int_equal(
		    log_find_statement(&w.log, n, at), n < 3 ? 1 : 0);
	must(lookup_start(w.log.lookup, &err), &err);
	lookup_flush_now(w.log.lookup);
	must(index_marker(w.log.index, &m, &err), &err);
	assert_int_equal(m.links, 3);
	log_close(&w.log);
}

static void
test_links_refused(void **state)
{
	struct head head = {0};
	struct recover_parts p;
	struct error err = {0};

	(void)state;
	memset(&w, 0, sizeof(w));
	log_open(&w.log);
	log_grow_statement(&w.log, 1, 0);
	head.size = 1;
	head.root = log_root(&w.log, 1);
	p = parts();
	faulty.envelope = ERR_IO;
	refused(recover_index(&p, &head, &err), &err, ERR_IO, "store-unknown");
	log_close(&w.log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_asked),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_forward),
	    cmocka_unit_test(test_forward_once),
	    cmocka_unit_test(test_cut_tail),
	    cmocka_unit_test(test_cut_and_go_on),
	    cmocka_unit_test(test_latch_database),
	    cmocka_unit_test(test_latch_copy),
	    cmocka_unit_test(test_latch_guard),
	    cmocka_unit_test(test_latch_no_guard),
	    cmocka_unit_test(test_unsettled),
	    cmocka_unit_test(test_unreadable_tail),
	    cmocka_unit_test(test_hole_in_tail),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_index),
	    cmocka_unit_test(test_index_of_head),
	    cmocka_unit_test(test_index_refused),
	    cmocka_unit_test(test_index_many),
	    cmocka_unit_test(test_links),
	    cmocka_unit_test(test_links_of_head),
	    cmocka_unit_test(test_links_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
