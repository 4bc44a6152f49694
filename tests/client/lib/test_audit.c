/* SPDX-License-Identifier: Apache-2.0 */
/* An audit of a log in memory: what it keeps, where it goes on, what it says of
 * a log that breaks off or has two histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/lib/audit.h"
#include "client/lib/audit_search.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/tlog/entries.h"
#include "core/tlog/evidence.h"
#include "io/clock.h"
#include "io/file.h"
#include "tests/support/folder.h"
#include "tests/support/memory_tree.h"

#define CAPACITY 300000
#define FORKED	 150000 /* the other history differs here */

static struct hasher hasher;
static struct private_key *log_key;
static struct vkey log_vkey;
static struct memory_tree trees[2]; /* the history, and another one */

/* What the log shows. */
static struct {
	struct memory_tree *tree;
	uint64_t size;
	const char *breaks; /* the path that cannot be read */
	bool lies;
	uint64_t other; /* and the first tree's tiles of this size, if it has
			 * none itself */
	_Atomic(unsigned) gets; /* requests so far; at this one the clock */
	unsigned jumps_at,
	    stops_at;	       /* jumps, or it is told to stop; 0: never */
	_Atomic(uint64_t) now; /* the clock, ns */
	atomic_bool stopped;
	const struct quorum *quorum;
} shown;

uint64_t __wrap_clock_monotonic_ns(void);

/* A look at it takes a nanosecond. */
uint64_t
__wrap_clock_monotonic_ns(void)
{
	return atomic_fetch_add(&shown.now, 1);
}

static bool
told_to_stop(void *arg)
{
	(void)arg;
	return atomic_load(&shown.stopped);
}

static void
entry_text(const struct memory_tree *t, uint64_t index, char out[40])
{
	(void)snprintf(out, 40, "%s %llu",
	    t == &trees[1] && index >= FORKED ? "other" : "entry",
	    (unsigned long long)index);
}

static void
put_note(struct memory_tree *t, uint64_t size, struct buf *out)
{
	struct node_reader nodes = memory_tree_nodes(t, size);
	struct key_verifier *v;
	struct error err = {0};
	struct checkpoint c = {.origin = vkey_name(&log_vkey), .size = size};

	v = key_verifier_open(&err);
	assert_non_null(v);
	assert_true(merkle_root(&hasher, &nodes, size, &c.root, &err));
	if (!checkpoint_sign(&c, log_key, &log_vkey, v, out, &err))
		fail_msg("%s", err.text);
	key_verifier_close(v);
}

static bool
serve(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	struct memory_tree *tree = shown.tree;
	struct tile_place place = {0};
	unsigned n = atomic_fetch_add(&shown.gets, 1) + 1;

	(void)arg;
	(void)worker;
	if (n == shown.jumps_at)
		(void)atomic_fetch_add(&shown.now, UINT64_C(2000000000));
	if (n == shown.stops_at)
		atomic_store(&shown.stopped, true);
	if (shown.breaks && strcmp(path, shown.breaks) == 0) {
		if (!shown.lies)
			return error_reason(
			    err, ERR_UNAVAILABLE, "network", "broken");
		buf_put_str(out, "lie");
		return true;
	}
	if (strcmp(path, "/checkpoint") == 0) {
		put_note(shown.tree, shown.size, out);
		return buf_ok(out, err);
	}
	if (strncmp(path, "/tile/", 6) != 0 ||
	    !tile_path_parse(bytes_str(path + 6), &place, err))
		return error_set(err, ERR_NOTFOUND, "404");
	if (!tile_exists(place, shown.size)) {
		if (!tile_exists(place, shown.other))
			return error_set(err, ERR_NOTFOUND, "404");
		tree = &trees[0];
	}
	for (unsigned i = 0; i < place.width; i++) {
		uint64_t at = place.index * TILE_WIDTH + i;
		char text[40];

		if (place.level == TILE_ENTRIES) {
			entry_text(tree, at, text);
			entries_put(out, bytes_str(text));
		} else {
			buf_put(
			    out, hash_bytes(&tree->level[8 * place.level][at]));
		}
	}
	return buf_ok(out, err);
}

/* What is kept between two audits is what came to the disk. */
static bool
save(void *arg, const struct audit_state *s, struct error *err)
{
	unsigned *saved = arg;

	(*saved)++;
	return audit_state_write(folder_at("state"), &log_vkey, s, err);
}

static int
run(bool entries, const struct audit_seen *seen, struct audit_report *out,
    unsigned *saved)
{
	struct tile_fetch_options fo = {
	    .source = {serve, NULL}, .timeout_ms = 1000};
	struct error err = {0};
	struct audit_state state;
	struct audit_options o = {.log = &log_vkey,
	    .threads = 2,
	    .entries = entries,
	    .seen = seen,
	    .state = &state,
	    .save = save,
	    .quorum = shown.quorum,
	    .stop = told_to_stop,
	    .arg = saved};
	struct tile_fetch *f = tile_fetch_open(&fo, &err);
	int code;

	*saved = 0;
	atomic_store(&shown.gets, 0);
	atomic_store(&shown.stopped, false);
	assert_non_null(f);
	o.tiles = tiles_open(f, &err);
	assert_non_null(o.tiles);
	if (!audit_state_read(folder_at("state"), &log_vkey, &state, &err))
		fail_msg("%s", err.text);
	code = audit_run(&o, out);
	audit_state_release(&state);
	tiles_close(o.tiles);
	tile_fetch_close(f);
	return code;
}

static void
forget(void)
{
	(void)unlink(folder_at("state"));
	shown.breaks = NULL;
	shown.lies = false;
	shown.other = 0;
	shown.jumps_at = 0;
	shown.stops_at = 0;
	shown.quorum = NULL;
	shown.tree = &trees[0];
	shown.size = CAPACITY;
}

static void
check_evidence(struct bytes text)
{
	struct key_verifier *v;
	struct checkpoint heads[2];
	struct evidence e;
	struct error err = {0};

	v = key_verifier_open(&err);
	if (!evidence_parse(text, &e, &err) ||
	    !evidence_verify(&e, &log_vkey, &hasher, v, heads, &err))
		fail_msg("%s", err.text);
	key_verifier_close(v);
}

/* It breaks off; what was done a second before is not done again. */
static void
test_goes_on(void **state)
{
	struct audit_report r;
	unsigned saved;

	(void)state;
	forget();
	shown.breaks = "/tile/entries/x001/100";
	shown.jumps_at = 400;
	assert_int_equal(run(false, NULL, &r, &saved), VERDICT_NETWORK);
	assert_int_equal(r.checks[AUDIT_TREE].result, AUDIT_FAIL);
	assert_int_equal(saved, 1);
	audit_report_release(&r);
	shown.breaks = NULL;
	assert_int_equal(run(false, NULL, &r, &saved), VERDICT_ACCEPTED);
	/* An entry bundle and its tile are two of the 400, and two threads may
	 * have begun one more each. */
	assert_in_range(r.from, 190 * 256, 202 * 256);
	assert_int_equal(r.from % 256, 0);
	assert_int_equal(r.to, CAPACITY);
	assert_int_equal(r.checks[AUDIT_HISTORY].result, AUDIT_PASS);
	/* Here the 400th request came, too. */
	assert_int_equal(saved, 2);
	audit_report_release(&r);
	assert_int_equal(run(false, NULL, &r, &saved), VERDICT_ACCEPTED);
	assert_int_equal(r.from, CAPACITY);
	audit_report_release(&r);
}

static uint64_t
kept_size(void)
{
	AUTO(audit_state) s = {0};
	struct error err = {0};

	if (!audit_state_read(folder_at("state"), &log_vkey, &s, &err))
		fail_msg("%s", err.text);
	return s.done.size;
}

static void
was_cancelled(const struct audit_report *r)
{
	const struct audit_check *c = &r->checks[AUDIT_TREE];

	assert_int_equal(c->result, AUDIT_FAIL);
	assert_string_equal(error_reason_name(&c->why), "cancelled");
	assert_non_null(strstr(c->why.text, "goes on from there"));
	assert_int_equal(r->evidence.len, 0);
}

/* Told to stop: soon, with all that was done, and no verdict. */
static void
test_stops(void **state)
{
	struct audit_report r;
	unsigned saved;
	uint64_t from = 0;

	(void)state;
	forget();
	shown.stops_at = 300;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
		    run(false, NULL, &r, &saved), VERDICT_INTERNAL);
		assert_int_equal(saved, 1);
		assert_int_equal(r.from, from);
		was_cancelled(&r);
		audit_report_release(&r);
		assert_true(kept_size() >= from + UINT64_C(120) * 256);
		from = kept_size();
	}
	/* What was found by then is told all the same. */
	shown.tree = &trees[1];
	assert_int_equal(run(false, NULL, &r, &saved), VERDICT_LOG_FORK);
	audit_report_release(&r);
	shown.tree = &trees[0];
	shown.stops_at = 0;
	assert_int_equal(run(false, NULL, &r, &saved), VERDICT_ACCEPTED);
	assert_int_equal(r.from, from);
	audit_report_release(&r);
}

/* Whoever writes an older tree over a newer one is refused. */
static void
test_state_goes_on(void **state)
{
	AUTO(buf) was = BUF_INIT(AUDIT_STATE_MAX);
	AUTO(buf) is = BUF_INIT(AUDIT_STATE_MAX);
	AUTO(audit_state) small = {0};
	struct audit_report r;
	struct error err = {0};
	unsigned saved;

	(void)state;
	forget();
	shown.size = 500;
	assert_int_equal(run(false, NULL, &r, &saved), 0);
	audit_report_release(&r);
	assert_true(
	    audit_state_read(folder_at("state"), &log_vkey, &small, &err));
	shown.size = 501;
	assert_int_equal(run(false, NULL, &r, &saved), 0);
	audit_report_release(&r);
	assert_true(file_read(folder_at("state"), &was, &err));
	assert_false(
	    audit_state_write(folder_at("state"), &log_vkey, &small, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	err = (struct error){0};
	assert_true(file_read(folder_at("state"), &is, &err));
	assert_true(bytes_equal(buf_bytes(&was), buf_bytes(&is)));
	/* Again is no step back. */
	audit_state_release(&small);
	assert_true(
	    audit_state_read(folder_at("state"), &log_vkey, &small, &err));
	assert_true(
	    audit_state_write(folder_at("state"), &log_vkey, &small, &err));
}

/* The current checkpoint that no quorum has seen: judged against all that was
 * seen before, and not walked, nor kept. */
static void
test_quorum(void **state)
{
	AUTO(buf) text = BUF_INIT(65536);
	struct quorum *q = calloc(1, sizeof(*q));
	struct audit_report r;
	struct error err = {0};
	unsigned saved;

	(void)state;
	assert_non_null(q);
	buf_put_str(&text, "log ");
	vkey_format(&log_vkey, &text);
	buf_put_str(&text, "\nquorum none\n");
	assert_true(quorum_parse(buf_bytes(&text), q, &err));
	forget();
	shown.size = FORKED + 1;
	shown.quorum = q;
	assert_int_equal(run(false, NULL, &r, &saved), 0);
	assert_int_equal(r.checks[AUDIT_COSIGNED].result, AUDIT_PASS);
	assert_false(r.cosigned.dated);
	audit_report_release(&r);
	/* One witness, who has not signed. */
	buf_clear(&text);
	buf_put_str(&text, "log ");
	vkey_format(&log_vkey, &text);
	buf_put_str(&text,
	    "\nwitness w m0.example+dc570691+"
	    "BAQo8UrUCikjJqmKWB7vPVYnLoH+6ik+n5b6fJWn9eQ8\nquorum w\n");
	quorum_init(q);
	if (!quorum_parse(buf_bytes(&text), q, &err))
		fail_msg("%s", err.text);
	shown.size = CAPACITY;
	assert_int_equal(
	    run(false, NULL, &r, &saved), VERDICT_UNTRUSTED_CHECKPOINT);
	assert_int_equal(r.checks[AUDIT_COSIGNED].result, AUDIT_FAIL);
	assert_string_equal(
	    error_reason_name(&r.checks[AUDIT_COSIGNED].why), "quorum");
	assert_int_equal(r.checks[AUDIT_HISTORY].result, AUDIT_PASS);
	assert_int_equal(r.checks[AUDIT_TREE].result, AUDIT_NOT_REACHED);
	assert_int_equal(saved, 0);
	audit_report_release(&r);
	/* Not cosigned, and not of the history either: that is worse. */
	shown.tree = &trees[1];
	assert_int_equal(run(false, NULL, &r, &saved), VERDICT_LOG_FORK);
	check_evidence(buf_bytes(&r.evidence));
	audit_report_release(&r);
	free(q);
}

/* What is served wrong is not put behind, either. */
static void
test_lie_is_met_again(void **state)
{
	static const char *const places[] = {"/tile/entries/x001/100",
	    "/tile/0/x001/100", "/tile/1/003", "/tile/entries/x001/171.p/224"};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct audit_report r;
		unsigned saved;

		forget();
		shown.breaks = places[i];
		shown.lies = true;
		for (unsigned n = 0; n < 2; n++) {
			assert_int_equal(
			    run(false, NULL, &r, &saved), VERDICT_LOG_BAD_DATA);
			assert_int_equal(r.evidence.len, 0);
			audit_report_release(&r);
		}
	}
}

/* Entries that are no signatures: found each time, never put behind. */
static void
test_entries(void **state)
{
	struct audit_report r;
	unsigned saved;

	(void)state;
	forget();
	shown.size = 300;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(
		    run(true, NULL, &r, &saved), VERDICT_LOG_BAD_DATA);
		assert_int_equal(r.bad_signatures, 300);
		assert_int_equal(r.signatures, 300);
		assert_int_equal(r.checks[AUDIT_TREE].result, AUDIT_PASS);
		assert_int_equal(saved, 0);
		audit_report_release(&r);
	}
}

static void
test_fork(void **state)
{
	static const struct {
		uint64_t before, after;
		int code;
	} cases[] = {
	    {FORKED, CAPACITY, VERDICT_ACCEPTED}, /* not yet different */
	    {FORKED + 1, CAPACITY, VERDICT_LOG_FORK},
	    {CAPACITY, CAPACITY, VERDICT_LOG_FORK},
	    {CAPACITY - 1, CAPACITY, VERDICT_LOG_FORK},
	    /* it has no longer what it had, and so there is no proof */
	    {CAPACITY, CAPACITY - 1, VERDICT_LOG_FORK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) was = BUF_INIT(AUDIT_STATE_MAX);
		AUTO(buf) is = BUF_INIT(AUDIT_STATE_MAX);
		struct error err = {0};
		struct audit_report r;
		unsigned saved;

		forget();
		shown.size = cases[i].before;
		assert_int_equal(run(false, NULL, &r, &saved), 0);
		audit_report_release(&r);
		assert_true(file_read(folder_at("state"), &was, &err));
		shown.tree = &trees[1];
		shown.size = cases[i].after;
		assert_int_equal(run(false, NULL, &r, &saved), cases[i].code);
		if (cases[i].code == VERDICT_LOG_FORK &&
		    cases[i].after >= cases[i].before)
			check_evidence(buf_bytes(&r.evidence));
		else
			assert_int_equal(r.evidence.len, 0);
		audit_report_release(&r);
		assert_true(file_read(folder_at("state"), &is, &err));
		assert_int_equal(bytes_equal(buf_bytes(&was), buf_bytes(&is)),
		    cases[i].code != VERDICT_ACCEPTED);
	}
}

/* A head that is smaller than the one of the last audit: an old one, another
 * history's, one that the log has no longer, and two that nobody can ask
 * about. */
static void
test_older(void **state)
{
	static const struct {
		unsigned tree;
		bool both, lies;
		const char *breaks;
		int code;
		const char *reason;
		bool evidence;
	} cases[] = {
	    {0, true, false, NULL, VERDICT_NOT_CURRENT, "rollback", false},
	    {1, true, false, NULL, VERDICT_LOG_FORK, "inconsistent", true},
	    {0, false, false, NULL, VERDICT_LOG_FORK, "inconsistent", false},
	    {1, false, false, NULL, VERDICT_LOG_FORK, "inconsistent", false},
	    {0, true, true, "/tile/1/002.p/77", VERDICT_LOG_BAD_DATA, "tile",
		false},
	    {0, true, false, "/tile/1/002.p/77", VERDICT_NETWORK, "network",
		false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct audit_check *c;
		struct audit_report r;
		unsigned saved;

		forget();
		shown.size = FORKED + 1000;
		assert_int_equal(run(false, NULL, &r, &saved), 0);
		audit_report_release(&r);
		/* Both trees' tiles can be served: they have other widths. */
		shown.tree = &trees[cases[i].tree];
		shown.size = FORKED + 10;
		shown.other = cases[i].both ? FORKED + 1000 : 0;
		shown.lies = cases[i].lies;
		shown.breaks = cases[i].breaks;
		assert_int_equal(run(false, NULL, &r, &saved), cases[i].code);
		c = &r.checks[AUDIT_HISTORY];
		assert_int_equal(c->result, AUDIT_FAIL);
		assert_string_equal(
		    error_reason_name(&c->why), cases[i].reason);
		assert_int_equal(
		    r.checks[AUDIT_TREE].result, AUDIT_NOT_REACHED);
		assert_int_equal(saved, 0);
		if (cases[i].evidence)
			check_evidence(buf_bytes(&r.evidence));
		else
			assert_int_equal(r.evidence.len, 0);
		audit_report_release(&r);
	}
}

/* A head that somebody else was shown; the walk is done all the same. */
static void
test_seen(void **state)
{
	static const struct {
		unsigned tree;
		uint64_t size;
		int code;
	} cases[] = {
	    {0, 1, 0},
	    {0, CAPACITY, 0},
	    {0, 12345, 0},
	    {1, FORKED, 0},
	    {1, FORKED + 1, VERDICT_LOG_FORK},
	    {1, CAPACITY, VERDICT_LOG_FORK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct audit_seen seen = {
		    .name = "seen", .note = BUF_INIT(NOTE_MAX_LEN)};
		struct audit_report r;
		unsigned saved;

		forget();
		put_note(&trees[cases[i].tree], cases[i].size, &seen.note);
		assert_int_equal(run(false, &seen, &r, &saved), cases[i].code);
		assert_int_equal(r.checks[AUDIT_TREE].result, AUDIT_PASS);
		assert_int_equal(r.seen, 1);
		if (cases[i].code != 0)
			check_evidence(buf_bytes(&r.evidence));
		buf_release(&seen.note);
		audit_report_release(&r);
	}
}

static void
test_state_file(void **state)
{
	static const char *const texts[] = {
	    "", "{", "[]", "{}", "{\"schema\":\"mtlog-audit-state/1\"}"};
	struct audit_report r;
	struct audit_state s;
	struct error err = {0};
	struct vkey other = log_vkey;
	unsigned saved;

	(void)state;
	forget();
	shown.size = 999;
	assert_int_equal(run(false, NULL, &r, &saved), 0);
	audit_report_release(&r);
	assert_true(audit_state_read(folder_at("state"), &log_vkey, &s, &err));
	assert_int_equal(s.done.size, 999);
	assert_false(s.entries);
	audit_state_release(&s);
	other.name[0] ^= 1;
	assert_false(audit_state_read(folder_at("state"), &other, &s, &err));
	assert_int_equal(err.code, ERR_IO);
	audit_state_release(&s);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		err = (struct error){0};
		folder_put("state", texts[i], strlen(texts[i]));
		assert_false(
		    audit_state_read(folder_at("state"), &log_vkey, &s, &err));
		assert_int_equal(err.code, ERR_IO);
		audit_state_release(&s);
	}
}

static int
setup(void **state)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct error err = {0};

	(void)state;
	folder_make("/tmp");
	if (!hasher_open(&hasher, &err))
		return -1;
	log_key = private_key_generate(KEY_ED25519, &err);
	if (!log_key || !private_key_public(log_key, &spki, &err) ||
	    !vkey_init(&log_vkey, BYTES_LIT("log.example"), NOTE_ED25519,
		bytes_slice(buf_bytes(&spki), spki.len - 32, spki.len), &err))
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		memory_tree_init(&trees[i], CAPACITY);
		for (uint64_t at = 0; at < CAPACITY; at++) {
			struct hash leaf;
			char text[40];

			entry_text(&trees[i], at, text);
			merkle_leaf(&hasher, bytes_str(text), &leaf);
			memory_tree_add(&trees[i], &hasher, &leaf);
		}
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_tree_release(&trees[0]);
	memory_tree_release(&trees[1]);
	private_key_close(log_key);
	hasher_release(&hasher);
	folder_remove();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_goes_on),
	    cmocka_unit_test(test_stops),
	    cmocka_unit_test(test_state_goes_on),
	    cmocka_unit_test(test_lie_is_met_again),
	    cmocka_unit_test(test_entries),
	    cmocka_unit_test(test_quorum),
	    cmocka_unit_test(test_fork),
	    cmocka_unit_test(test_older),
	    cmocka_unit_test(test_seen),
	    cmocka_unit_test(test_state_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
