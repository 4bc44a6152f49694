/* SPDX-License-Identifier: Apache-2.0 */
/* A monitor before a log in memory, whose own files fail at each place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "client/lib/monitor.h"
#include "client/lib/monitor_statements.h"
#include "client/lib/tiles.h"
#include "core/base/cleanup.h"
#include "core/tlog/entries.h"
#include "core/tlog/evidence.h"
#include "core/verify/verdict_code.h"
#include "io/file.h"
#include "tests/support/folder.h"
#include "tests/support/memory_tree.h"

#define SIZE   300
#define FORKED 99 /* the first entry in which the two histories differ */

/* --- system calls --- */

/*
 * Link with -Wl,--wrap=…: the n-th of these fails. Before a state.json takes
 * its name, what the journal was given must be durable.
 */
static int fail_at;
static atomic_int calls;
static atomic_bool journal_dirty, order_broken;

ssize_t __real_pwrite(int fd, const void *data, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t n, off_t at);
ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

static bool
fails(void)
{
	errno = ENOSPC;
	return atomic_fetch_add(&calls, 1) + 1 == fail_at;
}

ssize_t
__wrap_pwrite(int fd, const void *data, size_t n, off_t at)
{
	if (fails())
		return -1;
	/* "<check> event …": an event, not a mark. */
	if (n > 15 && memcmp((const char *)data + 9, "event ", 6) == 0)
		journal_dirty = true;
	return __real_pwrite(fd, data, n, at);
}

ssize_t
__wrap_write(int fd, const void *data, size_t n)
{
	return fails() ? -1 : __real_write(fd, data, n);
}

int
__wrap_fdatasync(int fd)
{
	if (fails())
		return -1;
	journal_dirty = false;
	return __real_fdatasync(fd);
}

int
__wrap_fsync(int fd)
{
	return fails() ? -1 : __real_fsync(fd);
}

int
__wrap_rename(const char *from, const char *to)
{
	if (fails())
		return -1;
	if (strstr(to, "/state.json") && journal_dirty)
		order_broken = true;
	return __real_rename(from, to);
}

/* --- a log --- */

static struct memory_tree ours, theirs;
static struct hasher hasher;
static struct key_verifier *verifier;
static struct private_key *key;
static struct vkey vkey, slow_vkey;

static struct {
	struct memory_tree *tree;
	uint64_t size;
} server;

static unsigned count_of(const char *file, const char *word);

static void
put_entry(struct buf *out, uint64_t index)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)index);
	entries_put(out,
	    server.tree == &theirs && index == FORKED ? BYTES_LIT("another")
						      : bytes_str(text));
}

static void
sign_as(
    const struct vkey *v, struct memory_tree *t, uint64_t size, struct buf *out)
{
	struct checkpoint c = {.origin = vkey_name(v), .size = size};
	struct node_reader nodes = memory_tree_nodes(t, size);
	struct error err = {0};

	assert_true(merkle_root(&hasher, &nodes, size, &c.root, &err));
	assert_true(checkpoint_sign(&c, key, v, verifier, out, &err));
}

static void
sign_head(struct memory_tree *t, uint64_t size, struct buf *out)
{
	sign_as(&vkey, t, size, out);
}

static bool
serve_path(const char *path, struct buf *out, struct error *err)
{
	struct tile_place place = {0};

	if (strcmp(path, "/checkpoint") == 0) {
		sign_head(server.tree, server.size, out);
		return true;
	}
	assert_true(tile_path_parse(bytes_str(path + 6), &place, err));
	if (!tile_exists(place, server.size))
		return error_set(err, ERR_NOTFOUND, "404");
	for (unsigned i = 0; i < place.width; i++) {
		uint64_t at = place.index * TILE_WIDTH + i;

		if (place.level == TILE_ENTRIES)
			put_entry(out, at);
		else
			buf_put(out,
			    hash_bytes(
				&server.tree->level[8 * place.level][at]));
	}
	return buf_ok(out, err);
}

/* Trees and hasher are one thread's at a time, and each log has its own. */
static pthread_mutex_t server_lock = PTHREAD_MUTEX_INITIALIZER;

static bool
serve(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	bool ok;

	(void)arg;
	(void)worker;
	(void)pthread_mutex_lock(&server_lock);
	ok = serve_path(path, out, err);
	(void)pthread_mutex_unlock(&server_lock);
	return ok;
}

static bool
no_envelope(void *arg, struct bytes digest, struct buf *out, struct error *err)
{
	(void)arg;
	(void)digest;
	(void)out;
	return error_set(err, ERR_NOTFOUND, "404");
}

/* --- a log that takes its time --- */

#define PATIENCE_MS 20000

/* Waits for others, but not for ever; whether they came. */
static bool
comes(bool (*there)(void))
{
	for (unsigned i = 0; i < PATIENCE_MS / 10; i++) {
		if (there())
			return true;
		(void)poll(NULL, 0, 10);
	}
	return false;
}

static bool
fast_was_told(void)
{
	return count_of("out", "\"log\":\"log.example\"") == SIZE;
}

static atomic_bool overtaken;

/* Of another log, which gives its entries once those of the first are told. */
static bool
serve_slowly(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	if (strcmp(path, "/checkpoint") == 0) {
		(void)pthread_mutex_lock(&server_lock);
		sign_as(&slow_vkey, &ours, SIZE, out);
		(void)pthread_mutex_unlock(&server_lock);
		return true;
	}
	if (strstr(path, "/entries/"))
		atomic_store(&overtaken, comes(fast_was_told));
	return serve(arg, worker, path, out, err);
}

static atomic_uint waiting, most;

static bool
several_wait(void)
{
	return atomic_load(&most) >= 4;
}

/* Answers once four are asked for. */
static bool
slow_envelope(
    void *arg, struct bytes digest, struct buf *out, struct error *err)
{
	unsigned n = atomic_fetch_add(&waiting, 1) + 1;

	if (n > atomic_load(&most))
		atomic_store(&most, n);
	(void)comes(several_wait);
	(void)atomic_fetch_sub(&waiting, 1);
	if (digest.ptr[0] == 9)
		return error_reason(
		    err, ERR_UNAVAILABLE, "network", "no answer");
	return digest.ptr[0] % 2 ? no_envelope(arg, digest, out, err) : true;
}

static int
setup(void **state)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct error err = {0};
	struct hash leaf;

	(void)state;
	verifier = key_verifier_open(&err);
	key = private_key_generate(KEY_ED25519, &err);
	if (!verifier || !key || !hasher_open(&hasher, &err) ||
	    !private_key_public(key, &spki, &err) ||
	    !vkey_init(&vkey, BYTES_LIT("log.example"), NOTE_ED25519,
		bytes_slice(buf_bytes(&spki), spki.len - 32, spki.len), &err) ||
	    !vkey_init(&slow_vkey, BYTES_LIT("slow.example"), NOTE_ED25519,
		bytes_slice(buf_bytes(&spki), spki.len - 32, spki.len), &err))
		return -1;
	memory_tree_init(&ours, SIZE);
	memory_tree_init(&theirs, SIZE);
	memory_tree_fill(&ours, &hasher, SIZE);
	memory_tree_fill(&theirs, &hasher, FORKED);
	merkle_leaf(&hasher, BYTES_LIT("another"), &leaf);
	memory_tree_add(&theirs, &hasher, &leaf);
	memory_tree_fill(&theirs, &hasher, SIZE);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	memory_tree_release(&ours);
	memory_tree_release(&theirs);
	private_key_close(key);
	key_verifier_close(verifier);
	hasher_release(&hasher);
	return 0;
}

/* --- a monitor --- */

static int64_t now;
static unsigned troubles;

static int64_t
clock_of_test(void)
{
	return now;
}

static void
count_trouble(void *arg, const char *log, const struct error *err)
{
	(void)arg;
	(void)log;
	assert_true(err->code != ERR_NONE);
	troubles++;
}

/* Opens a monitor of these logs, without what a test adds. */
static struct monitor_options
options_of(const struct monitor_log *logs, size_t count)
{
	struct monitor_options o = {.state = folder_at("state"),
	    .rules = folder_at("rules"),
	    .log_count = count,
	    .logs = logs,
	    .timeout_ms = 1000,
	    .json = true,
	    .trouble = count_trouble,
	    .now = clock_of_test};

	o.output = open(
	    folder_at("out"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(o.output >= 0);
	return o;
}

/* One round of a monitor that is opened for it; -1: it failed. */
static int
run_once(const char *const *compared, struct error *err)
{
	struct monitor_log log = {
	    .key = vkey, .source = {serve, NULL}, .envelope = no_envelope};
	struct monitor_options o = options_of(&log, 1);
	struct monitor *m;
	int code = -1;

	o.compared = compared;
	o.compared_count = compared ? 1 : 0;
	o.feed = folder_at("feed");
	o.metrics = folder_at("metrics");
	o.stalled_after = 1000;
	m = monitor_open(&o, err);
	if (m && !monitor_round(m, &code, err))
		code = -1;
	monitor_close(m);
	(void)close(o.output);
	return code;
}

static int
begin(void **state)
{
	(void)state;
	folder_make(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	folder_put("rules", "opaque\n", 7);
	fail_at = 0;
	calls = 0;
	order_broken = journal_dirty = false;
	now = 1000000;
	troubles = 0;
	server.tree = &ours;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

static unsigned
count_of(const char *file, const char *word)
{
	AUTO(buf) text = BUF_INIT(1 << 24);
	struct error err = {0};
	unsigned n = 0;

	if (!file_read(folder_at(file), &text, &err))
		return 0;
	buf_put_u8(&text, '\0');
	for (const char *p = (const char *)text.ptr; (p = strstr(p, word)); p++)
		n++;
	return n;
}

static int
round_at(uint64_t size)
{
	struct error err = {0};
	int code;

	server.size = size;
	code = run_once(NULL, &err);
	if (code < 0)
		fail_msg("%s", err.text);
	return code;
}

static void
test_rounds(void **state)
{
	(void)state;
	assert_int_equal(round_at(0), VERDICT_ACCEPTED);
	assert_int_equal(round_at(SIZE), VERDICT_WATCH_HIT);
	assert_int_equal(count_of("out", "\"kind\":\"entry\""), SIZE);
	assert_int_equal(count_of("out", "\"repeated\":true"), 0);
	assert_int_equal(round_at(SIZE), VERDICT_ACCEPTED);
	assert_int_equal(count_of("out", "\n"), SIZE);
	assert_int_equal(count_of("feed", "<entry>"), 100);
	assert_int_equal(troubles, 0);
	assert_false(order_broken);
}

static void
test_stalled(void **state)
{
	(void)state;
	assert_int_equal(round_at(5), VERDICT_WATCH_HIT);
	now += 999;
	assert_int_equal(round_at(5), VERDICT_ACCEPTED);
	now++;
	assert_int_equal(round_at(5), VERDICT_LOG_STALLED);
	assert_int_equal(round_at(5), VERDICT_LOG_STALLED);
	assert_int_equal(count_of("out", "\"kind\":\"stalled\""), 1);
	/* A clock that goes back. */
	now -= 100000;
	assert_int_equal(round_at(5), VERDICT_ACCEPTED);
	assert_int_equal(round_at(6), VERDICT_WATCH_HIT);
	assert_int_equal(count_of("out", "\"kind\":\"resumed\""), 1);
	now += 1000;
	assert_int_equal(round_at(6), VERDICT_LOG_STALLED);
	assert_int_equal(count_of("out", "\"kind\":\"stalled\""), 2);
}

/* The evidence in the one folder that there is, believed by nobody's word. */
static void
check_evidence(uint64_t smaller, uint64_t larger)
{
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	struct checkpoint heads[2];
	struct error err = {0};
	struct evidence e;
	const char *at;
	char path[600];

	assert_int_equal(count_of("out", "\"kind\":\"fork\""), 1);
	assert_true(file_read(folder_at("out"), &text, &err));
	buf_put_u8(&text, '\0');
	at = strstr((const char *)text.ptr, "\"evidence\":\"");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "\"evidence\":\"%500[^\"]", path), 1);
	buf_clear(&text);
	assert_true(file_read(path, &text, &err));
	assert_true(evidence_parse(buf_bytes(&text), &e, &err));
	assert_true(evidence_verify(&e, &vkey, &hasher, verifier, heads, &err));
	assert_int_equal(heads[0].size, smaller);
	assert_int_equal(heads[1].size, larger);
}

static void
test_forks(void **state)
{
	static const struct {
		uint64_t seen, shown;
	} cases[] = {
	    {FORKED + 1, FORKED + 1},
	    {FORKED + 1, SIZE},
	    {SIZE, FORKED + 1},
	    {128, 256},
	    {256, 128},
	    {SIZE - 1, SIZE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t a = cases[i].seen, b = cases[i].shown;

		assert_int_equal(round_at(a), VERDICT_WATCH_HIT);
		server.tree = &theirs;
		/* A smaller one is judged by the tiles of what was seen, which
		 * another history does not have. */
		if (b >= a) {
			assert_int_equal(round_at(b), VERDICT_LOG_FORK);
			check_evidence(a, b);
			assert_int_equal(round_at(b), VERDICT_LOG_FORK);
			check_evidence(a, b);
		} else {
			assert_int_equal(round_at(b), VERDICT_LOG_FORK);
			assert_int_equal(
			    count_of("out", "\"kind\":\"rollback\""), 1);
		}
		/* What was seen is what is believed. */
		server.tree = &ours;
		assert_true(round_at(a) == VERDICT_ACCEPTED);
		(void)end(state);
		(void)begin(state);
	}
}

static void
test_compared(void **state)
{
	static const uint64_t sizes[] = {1, FORKED, FORKED + 1, 200, SIZE};
	const char *compared[] = {NULL};

	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);
		struct memory_tree *other = i % 2 ? &theirs : &ours;
		struct error err = {0};
		uint64_t size = sizes[i / 2];
		bool fork = other == &theirs && size > FORKED;

		assert_int_equal(round_at(SIZE), VERDICT_WATCH_HIT);
		sign_head(other, size, &note);
		folder_put("note", note.ptr, note.len);
		compared[0] = folder_at("note");
		assert_int_equal(run_once(compared, &err),
		    fork ? VERDICT_LOG_FORK : VERDICT_ACCEPTED);
		if (fork)
			check_evidence(size, SIZE);
		(void)end(state);
		(void)begin(state);
	}
}

/* Every entry was told, none of them twice without saying so. */
static void
check_told(unsigned size)
{
	unsigned fresh[SIZE] = {0}, all[SIZE] = {0};
	char line[70000];
	FILE *f = fopen(folder_at("out"), "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "\"index\":\"");
		unsigned long n;

		assert_non_null(at);
		n = strtoul(at + 9, NULL, 10);
		assert_true(n < size);
		all[n]++;
		fresh[n] += !strstr(line, "\"repeated\":true");
	}
	(void)fclose(f);
	for (unsigned i = 0; i < size; i++) {
		assert_true(all[i] >= 1);
		assert_true(fresh[i] <= 1);
	}
}

/* Whatever of its own fails, wherever: the next run makes it good. */
static void
test_failures(void **state)
{
	int at = 0, last;

	do {
		struct error err = {0};
		int code;

		at++;
		calls = 0;
		fail_at = at;
		server.size = 3;
		code = run_once(NULL, &err);
		last = calls;
		if (last >= at)
			assert_true(code < 0 || troubles > 0 ||
			    code == VERDICT_WATCH_HIT);
		if (code < 0)
			assert_true(err.code != ERR_NONE);
		fail_at = 0;
		(void)round_at(5);
		check_told(5);
		assert_int_equal(round_at(5), VERDICT_ACCEPTED);
		assert_false(order_broken);
		(void)end(state);
		(void)begin(state);
	} while (last >= at);
	assert_in_range(at, 30, 1000);
}

static const char *const of_logs[] = {
    "\"log\":\"log.example\"",
    "\"log\":\"slow.example\"",
};

/* The second log waits for the first one, whose thread must not be its own. */
static void
test_side_by_side(void **state)
{
	struct monitor_log logs[] = {
	    {.key = slow_vkey,
		.source = {serve_slowly, NULL},
		.envelope = no_envelope},
	    {.key = vkey, .source = {serve, NULL}, .envelope = no_envelope},
	};
	struct monitor_options o = options_of(logs, 2);
	struct error err = {0};
	struct monitor *m = monitor_open(&o, &err);
	int code = -1;

	(void)state;
	server.size = SIZE;
	assert_non_null(m);
	assert_true(monitor_round(m, &code, &err));
	assert_int_equal(code, VERDICT_WATCH_HIT);
	monitor_close(m);
	(void)close(o.output);
	assert_true(overtaken);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(count_of("out", of_logs[i]), SIZE);
	assert_int_equal(troubles, 0);
}

static bool
all_told(void *arg)
{
	(void)arg;
	return count_of("out", "\n") == SIZE;
}

static void
count_round(void *arg, int code)
{
	(void)arg;
	assert_true(code == VERDICT_WATCH_HIT || code == VERDICT_ACCEPTED);
}

/* On until it is stopped; and then, nothing is left. */
static void
test_follow(void **state)
{
	struct monitor_log log = {
	    .key = vkey, .source = {serve, NULL}, .envelope = no_envelope};
	struct monitor_options o = options_of(&log, 1);
	struct error err = {0};
	struct monitor *m;

	(void)state;
	server.size = SIZE;
	o.stop = all_told;
	m = monitor_open(&o, &err);
	assert_non_null(m);
	assert_true(monitor_follow(m, 1, count_round, &err));
	monitor_close(m);
	(void)close(o.output);
	assert_int_equal(round_at(SIZE), VERDICT_ACCEPTED);
	check_told(SIZE);
	assert_int_equal(count_of("out", "\"repeated\":true"), 0);
}

/* What stops it is a failure of its own files, as in one round. */
static void
test_follow_fails(void **state)
{
	struct monitor_log log = {
	    .key = vkey, .source = {serve, NULL}, .envelope = no_envelope};
	struct monitor_options o = options_of(&log, 1);
	struct error err = {0};
	struct monitor *m;

	(void)state;
	server.size = 5;
	m = monitor_open(&o, &err);
	assert_non_null(m);
	fail_at = calls + 5;
	assert_false(monitor_follow(m, 1, NULL, &err));
	assert_int_equal(err.code, ERR_IO);
	fail_at = 0;
	monitor_close(m);
	(void)close(o.output);
	(void)round_at(5);
	check_told(5);
}

/* Nobody reads the pipe: what is told ends, and is told in the next run. */
static bool
is_begun(void *arg)
{
	(void)arg;
	return count_of("state/journal", " event ") == 5 &&
	    count_of("state/journal", " begin 0 ") == 1;
}

static void
test_blocked(void **state)
{
	struct monitor_log log = {
	    .key = vkey, .source = {serve, NULL}, .envelope = no_envelope};
	struct monitor_options o = options_of(&log, 1);
	const uint8_t zeros[PIPE_BUF] = {0};
	struct error err = {0};
	struct monitor *m;
	int ends[2], code = -1;

	(void)state;
	assert_return_code(pipe2(ends, O_CLOEXEC | O_NONBLOCK), errno);
	while (__real_write(ends[1], zeros, sizeof(zeros)) > 0)
		;
	/* As a pipe is: a write would wait. */
	assert_return_code(fcntl(ends[1], F_SETFL, 0), errno);
	(void)close(o.output);
	o.output = ends[1];
	o.stop = is_begun;
	server.size = 5;
	m = monitor_open(&o, &err);
	assert_non_null(m);
	assert_true(monitor_round(m, &code, &err));
	monitor_close(m);
	(void)close(ends[0]);
	(void)close(ends[1]);
	assert_int_equal(round_at(5), VERDICT_WATCH_HIT);
	check_told(5);
	assert_in_range(count_of("out", "\"repeated\":true"), 1, 5);
}

/* Several at once, not too many; each gets its own answer, and what was not
 * asked for is not absent. */
static void
test_statements(void **state)
{
	struct monitor_log log = {.key = vkey, .envelope = slow_envelope};
	struct statement_wanted list[MONITOR_AT_ONCE] = {0};
	uint8_t digests[MONITOR_AT_ONCE];
	struct error err = {0};
	struct statements *s = statements_open(&log, 1000, &err);

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < MONITOR_AT_ONCE; i++) {
		digests[i] = (uint8_t)i;
		list[i].digest = bytes_of(&digests[i], 1);
		buf_init(&list[i].payload, 100);
	}
	most = waiting = 0;
	statements_get(s, list, MONITOR_AT_ONCE);
	assert_in_range(most, 4, MONITOR_WORKERS);
	for (size_t i = 0; i < MONITOR_AT_ONCE; i++) {
		if (i < 9)
			assert_int_equal(list[i].err.code, ERR_NONE);
		if (i == 9)
			assert_int_equal(list[i].err.code, ERR_UNAVAILABLE);
		assert_int_equal(
		    list[i].there, list[i].err.code == ERR_NONE && i % 2 == 0);
		buf_release(&list[i].payload);
	}
	statements_get(s, list, 0);
	statements_close(s);
}

/* Of a real connection: nothing is asked for once all ends. */
static void
test_cancelled(void **state)
{
	struct monitor_log log = {.key = vkey, .url = "http://127.0.0.1:1"};
	struct statement_wanted one = {.digest = BYTES_LIT("d")};
	struct error err = {0};
	struct statements *s = statements_open(&log, 1000, &err);

	(void)state;
	assert_non_null(s);
	buf_init(&one.payload, 100);
	statements_get(s, &one, 1);
	assert_string_equal(error_reason_name(&one.err), "network");
	statements_cancel(s);
	statements_get(s, &one, 1);
	assert_string_equal(error_reason_name(&one.err), "cancelled");
	assert_false(one.there);
	buf_release(&one.payload);
	statements_close(s);
}

static void
test_fetch_cancelled(void **state)
{
	struct tile_fetch_options o = {
	    .url = "http://127.0.0.1:1", .timeout_ms = 1000};
	static const char *const reasons[] = {
	    "network", "cancelled", "cancelled"};
	AUTO(buf) out = BUF_INIT(100);
	struct error err = {0};
	struct tile_fetch *f = tile_fetch_open(&o, &err);

	(void)state;
	assert_non_null(f);
	for (unsigned i = 0; i < 3; i++) {
		/* The last one with a connection that is opened afterwards. */
		err = (struct error){0};
		assert_false(tile_fetch_get(f, i / 2, "/x", &out, &err));
		assert_int_equal(err.code, ERR_UNAVAILABLE);
		assert_string_equal(error_reason_name(&err), reasons[i]);
		if (i == 0)
			tile_fetch_cancel(f);
	}
	tile_fetch_close(f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_rounds, begin, end),
	    cmocka_unit_test_setup_teardown(test_stalled, begin, end),
	    cmocka_unit_test_setup_teardown(test_forks, begin, end),
	    cmocka_unit_test_setup_teardown(test_compared, begin, end),
	    cmocka_unit_test_setup_teardown(test_failures, begin, end),
	    cmocka_unit_test_setup_teardown(test_side_by_side, begin, end),
	    cmocka_unit_test_setup_teardown(test_follow, begin, end),
	    cmocka_unit_test_setup_teardown(test_follow_fails, begin, end),
	    cmocka_unit_test_setup_teardown(test_blocked, begin, end),
	    cmocka_unit_test(test_statements),
	    cmocka_unit_test(test_cancelled),
	    cmocka_unit_test(test_fetch_cancelled),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
