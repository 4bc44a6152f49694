/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sequencer.h"

#include <errno.h>
#include <semaphore.h>
#include <sys/mman.h>

#include "tests/server/log_fixture.h"

#define ASKED_MAX 400
#define START	  5 /* entries there are when most tests begin */

/* The guard's disk; in memory that the signer process shares. */
static int *guard_errno;

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);

ssize_t
__wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
	if (guard_errno && *guard_errno) {
		errno = *guard_errno;
		return -1;
	}
	return __real_pwrite(fd, data, len, at);
}

/* One submission, and what its owner saw. */
struct asked {
	struct submission s;
	struct enclosure enclosure;
	struct catalog_key key;
	struct buf payload;
	unsigned answers;
	unsigned order;	    /* of its answer, from 1 */
	uint64_t published; /* size of the newest head when it was answered */
};

static struct {
	struct small_log log;
	struct signer_place place;
	struct pool *pool;
	struct head_slot *heads;
	struct health *health;
	struct sequencer_parts parts;
	struct sequencer *sequencer;
	struct asked asked[ASKED_MAX];
	size_t count;
	sem_t answered;
	/* the sequencer's thread writes these */
	unsigned answers, reports, largest, alarms, restarts;
	uint64_t reported; /* entries */
	uint64_t size;	   /* of the last report */
	bool size_wrong, seen_early;
	uint64_t signed_size; /* of the last head told */
	char alarm[32];
	struct error alarm_err;
	struct error not_now; /* what may_write says */
} w;

static void
done(void *arg, struct submission *s)
{
	struct asked *a = arg;
	struct head *newest = head_current(w.heads);

	a->answers += &a->s == s;
	a->order = ++w.answers;
	a->published = newest ? newest->size : 0;
	head_release(newest);
	(void)sem_post(&w.answered);
}

static bool
may_write(void *arg, struct error *err)
{
	(void)arg;
	*err = w.not_now;
	return w.not_now.code == ERR_NONE;
}

/* Before anybody else sees it. */
static void
signed_head(void *arg, struct head *head)
{
	struct head *newest = head_current(w.heads);

	(void)arg;
	w.seen_early |= newest && newest->size >= head->size;
	w.signed_size = head->size;
	head_release(newest);
}

static void
report(void *arg, const struct batch_report *r)
{
	(void)arg;
	w.reports++;
	w.reported += r->count;
	w.size_wrong |= r->size != w.size + r->count;
	w.size = r->size;
	if (r->count > w.largest)
		w.largest = (unsigned)r->count;
}

static void
alarm_raised(void *arg, const char *what, const struct error *err)
{
	(void)arg;
	w.alarms++;
	(void)snprintf(w.alarm, sizeof(w.alarm), "%s", what);
	w.alarm_err = *err;
}

static void
restart(void *arg)
{
	(void)arg;
	w.restarts++;
}

/* A log of `stored` entries; the signer has signed `signed_size` of them, the
 * published head is of size `head`. The sequencer is not there yet. */
static void
world_open(uint64_t stored, uint64_t signed_size, uint64_t head)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct error err = {0};
	struct hash root;

	memset(&w, 0, sizeof(w));
	guard_errno = mmap(NULL, sizeof(*guard_errno), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(guard_errno != MAP_FAILED);
	place_open(&w.place);
	place_init(&w.place);
	log_open(&w.log);
	log_grow(&w.log, (size_t)stored);
	log_sign(&w.log, w.place.signer, 0, signed_size, &note);
	assert_int_equal(sem_init(&w.answered, 0, 0), 0);
	w.pool = pool_open(ASKED_MAX, 1u << 20, &err);
	w.heads = head_slot_open();
	w.health = health_open();
	assert_true(w.pool && w.heads && w.health);
	root = log_root(&w.log, head);
	head_publish(w.heads, head_new(head, &root, buf_bytes(&note)));
	w.size = head;
	w.parts = (struct sequencer_parts){
	    .pool = w.pool,
	    .tree = w.log.tree,
	    .backend = &store_faulty,
	    .store = w.log.store,
	    .store_identity = IDENTITY,
	    .signer = w.place.signer,
	    .lookup = w.log.lookup,
	    .heads = w.heads,
	    .health = w.health,
	    .batch_max = 100,
	    .may_write = may_write,
	    .signed_head = signed_head,
	    .report = report,
	    .alarm = alarm_raised,
	    .restart = restart,
	};
}

static void
start(void)
{
	struct error err = {0};

	w.sequencer = sequencer_open(&w.parts, &err);
	must(w.sequencer != NULL, &err);
	must(sequencer_start(w.sequencer, &err), &err);
}

/* From here on the test alone looks at what was recorded. */
static void
stop(void)
{
	sequencer_close(w.sequencer);
	w.sequencer = NULL;
}

static void
world_close(void)
{
	struct head *newest;

	stop();
	newest = head_current(w.heads);
	assert_false(w.seen_early);
	assert_true(w.signed_size == 0 || newest->size == w.signed_size);
	head_release(newest);
	for (size_t i = 0; i < w.count; i++) {
		submission_release(&w.asked[i].s);
		buf_release(&w.asked[i].payload);
	}
	pool_close(w.pool);
	head_slot_close(w.heads);
	health_close(w.health);
	(void)sem_destroy(&w.answered);
	(void)munmap(guard_errno, sizeof(*guard_errno));
	guard_errno = NULL;
	place_close(&w.place);
	log_close(&w.log);
}

/* Submits entry `number`; what becomes of it is in w.asked, in this order. */
static void
submit(uint64_t number)
{
	struct asked *a = &w.asked[w.count];
	enum pool_result r;
	AUTO(entry) e = {0};
	struct error err = {0};
	struct hash leaf;

	assert_true(w.count < ASKED_MAX);
	*a = (struct asked){.s = {.done = done, .arg = a, .index = NONE}};
	buf_init(&a->s.leaf, ENTRY_LEAF_MAX);
	leaf_make(number, &a->s.leaf);
	must(entry_parse(buf_bytes(&a->s.leaf), &e, &err), &err);
	merkle_leaf(&w.log.hasher, buf_bytes(&a->s.leaf), &leaf);
	lookup_keys_of(&w.log.hasher, &e, &leaf, &a->s.keys);
	do
		r = pool_put(w.pool, &a->s, pool_epoch(w.pool), &err);
	while (r == POOL_LOOK_AGAIN);
	assert_int_equal(r, POOL_TAKEN);
	w.count++;
}

/* Gives what was asked for last an envelope, before it is submitted: `n` is
 * what it says, and its one key. */
static void
enclose(struct asked *a, uint8_t n, uint64_t first)
{
	struct error err = {0};

	buf_init(&a->payload, 64);
	buf_printf(&a->payload, "payload %u", n);
	memset(&a->key.key, n, sizeof(a->key.key));
	a->key.kind = INDEX_MODEL;
	must(envelope_link(&w.log.hasher, BYTES_LIT("a/type"),
		 buf_bytes(&a->payload), NULL, &a->enclosure.link, &err),
	    &err);
	a->enclosure.link.index = first;
	a->enclosure.catalog.keys = &a->key;
	a->enclosure.catalog.count = 1;
	a->s.enclosure = &a->enclosure;
}

/* Submits entry `number` with envelope `n`, or (known) that for `index`. */
static void
submit_enclosed(uint64_t number, uint8_t n, uint64_t known, uint64_t first)
{
	struct asked *a = &w.asked[w.count];
	enum pool_result r;
	AUTO(entry) e = {0};
	struct error err = {0};
	struct hash leaf;

	*a = (struct asked){.s = {.done = done, .arg = a, .index = NONE}};
	buf_init(&a->s.leaf, ENTRY_LEAF_MAX);
	leaf_make(number, &a->s.leaf);
	must(entry_parse(buf_bytes(&a->s.leaf), &e, &err), &err);
	merkle_leaf(&w.log.hasher, buf_bytes(&a->s.leaf), &leaf);
	lookup_keys_of(&w.log.hasher, &e, &leaf, &a->s.keys);
	if (known != NONE) {
		a->s.known = true;
		a->s.index = known;
	}
	enclose(a, n, first);
	sha256(&w.log.hasher, e.key.spki, &a->enclosure.link.signer);
	do
		r = pool_put(w.pool, &a->s, pool_epoch(w.pool), &err);
	while (r == POOL_LOOK_AGAIN);
	assert_int_equal(r, POOL_TAKEN);
	w.count++;
}

static void
submit_many(uint64_t first, size_t count)
{
	while (count-- > 0)
		submit(first++);
}

static void
await(size_t count)
{
	while (count > 0)
		if (sem_wait(&w.answered) == 0)
			count--;
		else
			assert_int_equal(errno, EINTR);
}

/* The leaves of asked [first, end) are in the log, in this order. */
static void
note_leaves(size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		log_note(&w.log, buf_bytes(&w.asked[i].s.leaf));
}

/* Answered once, with its place under a head that verifies. */
static void
acknowledged(const struct asked *a, uint64_t index)
{
	struct head *head = a->s.head;
	struct hash root;

	assert_int_equal(a->answers, 1);
	must(a->s.err.code == ERR_NONE, &a->s.err);
	assert_int_equal(a->s.index, index);
	assert_non_null(head);
	assert_true(head->size > index && head->size <= w.log.size);
	assert_true(a->published >= head->size);
	root = log_root(&w.log, head->size);
	assert_true(hash_equal(&head->root, &root));
	place_signed(&w.place, &w.log, buf_bytes(&head->note), head->size);
}

static void
not_acknowledged(
    const struct asked *a, enum error_code code, const char *reason)
{
	assert_int_equal(a->answers, 1);
	assert_null(a->s.head);
	refused(a->s.err.code == ERR_NONE, &a->s.err, code, reason);
}

/* The log is w.log: stored, signed, published, and found. */
static void
log_is_whole(uint64_t found_from)
{
	struct head *newest = head_current(w.heads);

	log_store_agrees(&w.log);
	log_tree_agrees(&w.log, w.log.size);
	log_found(&w.log, found_from, w.log.size);
	assert_int_equal(newest->size, w.log.size);
	place_newest(&w.place, &w.log, buf_bytes(&newest->note), w.log.size);
	head_release(newest);
}

/* No new head anywhere: not published, not in the guard. */
static void
head_is_old(uint64_t published, uint64_t signed_size)
{
	struct head *newest = head_current(w.heads);

	assert_int_equal(newest->size, published);
	place_newest(&w.place, &w.log, buf_bytes(&newest->note), signed_size);
	head_release(newest);
}

static void
nothing_told(void)
{
	assert_int_equal(w.alarms, 0);
	assert_int_equal(w.restarts, 0);
	assert_false(health_is(w.health, HEALTH_LATCHED));
	assert_false(health_is(w.health, HEALTH_RESTARTING));
}

static void
batches_from(uint64_t begin)
{
	static const size_t sizes[] = {1, 1, 3, 40, 7, 100, 150, 1};
	uint64_t last = 0;

	world_open(begin, begin, begin);
	start();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		submit_many(begin + w.count, sizes[i]);
		await(sizes[i]);
	}
	stop();
	note_leaves(0, w.count);
	for (size_t i = 0; i < w.count; i++) {
		acknowledged(&w.asked[i], begin + i);
		assert_int_equal(w.asked[i].order, i + 1);
		assert_true(w.asked[i].s.head->size >= last);
		last = w.asked[i].s.head->size;
	}
	assert_int_equal(last, w.log.size);
	log_is_whole(begin);
	assert_int_equal(w.reported, w.count);
	assert_int_equal(w.size, w.log.size);
	assert_false(w.size_wrong);
	assert_int_equal(w.reports, faulty.appends);
	nothing_told();
	world_close();
}

static void
test_batches(void **state)
{
	(void)state;
	batches_from(0);
	batches_from(START);
}

/* What waits when the end comes is still taken, in batches as large as
 * allowed. */
static void
test_drained(void **state)
{
	(void)state;
	world_open(250, 250, 250);
	w.parts.batch_max = 7;
	w.parts.gather_ms = 5;
	submit_many(250, 50);
	start();
	stop();
	note_leaves(0, 50);
	for (size_t i = 0; i < 50; i++) {
		acknowledged(&w.asked[i], 250 + i);
		assert_true(w.asked[i].s.head->size <= 250 + i + 7);
	}
	log_is_whole(250);
	assert_true(w.largest <= 7);
	assert_int_equal(w.reported, 50);
	nothing_told();
	world_close();
}

/* One leaf, one place, however many ask; each is answered. */
static void
test_twins(void **state)
{
	static const unsigned numbers[] = {70, 71, 70, 72, 70, 71};
	static const uint64_t places[] = {5, 6, 5, 7, 5, 6};

	(void)state;
	world_open(START, START, START);
	for (size_t i = 0; i < 6; i++)
		submit(numbers[i]);
	start();
	await(6);
	stop();
	note_leaves(0, 2);
	note_leaves(3, 4);
	for (size_t i = 0; i < 6; i++)
		acknowledged(&w.asked[i], places[i]);
	assert_int_equal(w.answers, 6);
	assert_int_equal(w.reported, 3);
	log_is_whole(START);
	world_close();
}

/* "Not now" is said in the words of who says it, and leaves nothing. */
static void
test_may_not_write(void **state)
{
	(void)state;
	world_open(START, START, START);
	(void)error_reason(
	    &w.not_now, ERR_UNAVAILABLE, "disk-low", "nearly full");
	start();
	submit_many(START, 3);
	submit(START);
	await(4);
	for (size_t i = 0; i < 4; i++) {
		not_acknowledged(&w.asked[i], ERR_UNAVAILABLE, "disk-low");
		assert_string_equal(w.asked[i].s.err.text, "nearly full");
	}
	assert_int_equal(log_stored(&w.log), START);
	head_is_old(START, START);
	w.not_now = (struct error){0};
	submit_many(START, 3);
	await(3);
	stop();
	note_leaves(4, 7);
	for (size_t i = 4; i < 7; i++)
		acknowledged(&w.asked[i], START + i - 4);
	log_is_whole(START);
	assert_int_equal(w.reported, 3);
	nothing_told();
	world_close();
}

static const struct {
	enum health_condition condition;
	enum error_code code;
	const char *reason;
} conditions[] = {
    {HEALTH_STARTING, ERR_UNAVAILABLE, "starting"},
    {HEALTH_LATCHED, ERR_UNAVAILABLE, "log-latched"},
    {HEALTH_RESTARTING, ERR_UNAVAILABLE, "restarting"},
    {HEALTH_FROZEN, ERR_DENIED, "log-frozen"},
    {HEALTH_DISK_LOW, ERR_UNAVAILABLE, "disk-low"},
    {HEALTH_INDEX_BEHIND, ERR_UNAVAILABLE, "index-behind"},
};

static void
test_not_writable(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]);
	     i++) {
		enum health_condition c = conditions[i].condition;
		bool lasts = c == HEALTH_LATCHED;

		world_open(START, START, START);
		health_set(w.health, c, true, "as it is");
		start();
		submit(START);
		await(1);
		not_acknowledged(
		    &w.asked[0], conditions[i].code, conditions[i].reason);
		health_set(w.health, c, false, "%s", "");
		submit(START);
		await(1);
		stop();
		assert_int_equal(faulty.appends, lasts ? 0 : 1);
		if (lasts) {
			not_acknowledged(
			    &w.asked[1], ERR_UNAVAILABLE, "log-latched");
		} else {
			note_leaves(1, 2);
			acknowledged(&w.asked[1], START);
		}
		assert_int_equal(w.alarms, 0);
		assert_int_equal(w.restarts, 0);
		world_close();
	}
}

/* Making durable what a start had found failed: nobody knows what is there. */
static void
test_may_not_know(void **state)
{
	(void)state;
	world_open(START, START, START);
	(void)error_reason(&w.not_now, ERR_IO, "store-unknown", "no fsync");
	start();
	submit(START);
	await(1);
	stop();
	not_acknowledged(&w.asked[0], ERR_UNAVAILABLE, "restarting");
	assert_int_equal(faulty.appends, 0);
	assert_int_equal(w.alarms, 1);
	assert_string_equal(w.alarm, "restarting");
	assert_int_equal(w.restarts, 1);
	world_close();
}

/* A full disk: nothing was written, and the next batch may succeed. */
static void
test_disk_full(void **state)
{
	static const uint64_t sizes[] = {5, 253, 254, 255, 256, 511};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t size = sizes[i];

		world_open(size, size, size);
		faulty.append = ERR_UNAVAILABLE;
		start();
		submit_many(size + 1000, 3);
		submit(size + 1000);
		await(4);
		for (size_t k = 0; k < 4; k++)
			not_acknowledged(
			    &w.asked[k], ERR_UNAVAILABLE, "disk-full");
		assert_int_equal(log_stored(&w.log), size);
		head_is_old(size, size);
		assert_true(w.alarms > 0);
		assert_string_equal(w.alarm, "not-stored");
		assert_string_equal(
		    error_reason_name(&w.alarm_err), "disk-full");
		w.alarms = 0;
		faulty_none();
		submit_many(size, 4);
		await(4);
		stop();
		note_leaves(4, 8);
		for (size_t k = 4; k < 8; k++)
			acknowledged(&w.asked[k], size + k - 4);
		log_is_whole(size);
		nothing_told();
		world_close();
	}
}

enum fault {
	GUARD_FAILS,
	SIGNER_DIES,
	SIGNER_FROZEN,
	OTHER_ENTRY,
	NO_ENTRY,
	IS_THERE, /* although the append failed */
	IN_STORE, /* whatever function fails */
	DAMAGE,	  /* so it says */
};

/* What goes wrong, and what the log is from then on. */
static const struct failure {
	enum fault fault;
	enum error_code *function;
	int code; /* of the function; or errno */
	enum health_condition becomes;
	const char *cause;
} failures[] = {
    {IN_STORE, &faulty.append, ERR_IO, HEALTH_RESTARTING, "store-unknown"},
    {IN_STORE, &faulty.append, ERR_INTERNAL, HEALTH_RESTARTING,
	"store-unknown"},
    {IS_THERE, &faulty.append, ERR_IO, HEALTH_RESTARTING, "store-unknown"},
    {IN_STORE, &faulty.entries, ERR_IO, HEALTH_RESTARTING, "store-unknown"},
    {IN_STORE, &faulty.reader, ERR_IO, HEALTH_RESTARTING, "store-unknown"},
    {DAMAGE, &faulty.append, ERR_IO, HEALTH_LATCHED, "store-corrupt"},
    {DAMAGE, &faulty.entries, ERR_IO, HEALTH_LATCHED, "store-corrupt"},
    {DAMAGE, &faulty.reader, ERR_IO, HEALTH_LATCHED, "store-corrupt"},
    {NO_ENTRY, NULL, 0, HEALTH_RESTARTING, "store-missing"},
    {OTHER_ENTRY, NULL, 0, HEALTH_LATCHED, "store-corrupt"},
    {GUARD_FAILS, NULL, EIO, HEALTH_RESTARTING, "guard-io"},
    {GUARD_FAILS, NULL, ENOSPC, HEALTH_RESTARTING, "guard-io"},
    {SIGNER_DIES, NULL, 0, HEALTH_RESTARTING, "signer-down"},
    {SIGNER_FROZEN, NULL, 0, HEALTH_LATCHED, "log-frozen"},
};

static void
make_fail(const struct failure *f)
{
	struct error err = {0};

	if (f->function)
		*f->function = (enum error_code)f->code;
	faulty.reason = f->fault == DAMAGE ? "store-corrupt" : NULL;
	faulty.append_anyway = f->fault == IS_THERE;
	faulty.other_entry = f->fault == OTHER_ENTRY ? START + 1 : NONE;
	faulty.no_entry = f->fault == NO_ENTRY ? START + 2 : NONE;
	*guard_errno = f->fault == GUARD_FAILS ? f->code : 0;
	if (f->fault == SIGNER_FROZEN)
		must(signer_freeze(w.place.signer, &err), &err);
	if (f->fault == SIGNER_DIES)
		place_kill(&w.place);
}

/* Nobody hears an index, and nothing is taken any more. */
static void
stopped_taking(enum health_condition becomes, const char *cause)
{
	unsigned appends;

	submit_many(START, 3);
	submit(START + 1);
	start();
	await(4);
	appends = faulty.appends;
	/* all is well again, but that helps this process no more */
	faulty_none();
	faulty.appends = appends;
	*guard_errno = 0;
	submit_many(START + 50, 2);
	await(2);
	stop();
	for (size_t i = 0; i < 6; i++)
		not_acknowledged(
		    &w.asked[i], ERR_UNAVAILABLE, health_name(becomes));
	assert_int_equal(faulty.appends, 1);
	assert_int_equal(w.reports, 0);
	assert_int_equal(w.alarms, 1);
	assert_string_equal(w.alarm, health_name(becomes));
	assert_string_equal(error_reason_name(&w.alarm_err), cause);
	assert_int_equal(w.restarts, becomes == HEALTH_RESTARTING);
	/* who waited is told what failed */
	if (becomes == HEALTH_RESTARTING)
		assert_non_null(strstr(w.asked[0].s.err.text, cause));
	assert_int_equal(health_is(w.health, HEALTH_RESTARTING),
	    becomes == HEALTH_RESTARTING);
	assert_int_equal(
	    health_is(w.health, HEALTH_LATCHED), becomes == HEALTH_LATCHED);
}

static void
test_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		const struct failure *f = &failures[i];
		uint64_t at[8];

		world_open(START, START, START);
		make_fail(f);
		stopped_taking(f->becomes, f->cause);
		head_is_old(START, START);
		for (size_t k = 0; k < w.count; k++)
			assert_int_equal(log_find(&w.log, INDEX_LEAF,
					     &w.asked[k].s.keys.leaf, at),
			    0);
		world_close();
	}
}

static void
test_doubt(void **state)
{
	(void)state;
	/* the tree in memory has a leaf that was not signed: two ways to
	 * compute the root disagree */
	world_open(START, START - 1, START - 1);
	stopped_taking(HEALTH_LATCHED, "root-mismatch");
	head_is_old(START - 1, START - 1);
	world_close();
	/* the signer signed less than what was published */
	world_open(START, START - 2, START);
	stopped_taking(HEALTH_LATCHED, "head-refused");
	head_is_old(START, START - 2);
	world_close();
}

/* The batch itself was signed and published: who waited is told so. */
static void
test_compact_fails(void **state)
{
	(void)state;
	world_open(START, START, START);
	faulty.compact = ERR_IO;
	submit_many(START, 3);
	start();
	await(3);
	submit_many(START + 3, 2);
	await(2);
	stop();
	note_leaves(0, 3);
	for (size_t i = 0; i < 3; i++)
		acknowledged(&w.asked[i], START + i);
	for (size_t i = 3; i < 5; i++)
		not_acknowledged(&w.asked[i], ERR_UNAVAILABLE, "restarting");
	log_is_whole(START);
	assert_int_equal(faulty.appends, 1);
	assert_string_equal(w.alarm, "restarting");
	assert_int_equal(w.restarts, 1);
	world_close();
}

/* Envelope `n` is stored, and found at `index` alone. */
static void
envelope_is(uint8_t n, uint64_t index)
{
	struct store_reader *r;
	struct store_link link;
	char payload[32];
	struct hash key;
	struct error err = {0};
	uint64_t at[8];

	(void)snprintf(payload, sizeof(payload), "payload %u", n);
	must(envelope_link(&w.log.hasher, BYTES_LIT("a/type"),
		 bytes_str(payload), NULL, &link, &err),
	    &err);
	r = store_memory.reader_open(w.log.store, &err);
	must(store_memory.read_envelope(
		 r, hash_bytes(&link.s), w.log.size, NULL, &err),
	    &err);
	store_memory.reader_close(r);
	memset(&key, n, sizeof(key));
	assert_int_equal(log_find(&w.log, INDEX_MODEL, &key, at), 1);
	assert_int_equal(at[0], index);
}

/* With entries, after them, and of entries that were there before. */
static void
test_envelopes(void **state)
{
	unsigned heads;

	(void)state;
	world_open(START, START, START);
	start();
	submit_enclosed(START, 1, NONE, ENCLOSURE_FIRST);
	submit(START + 1);
	await(2);
	submit_enclosed(START + 2, 2, NONE, 1); /* its signer's first */
	await(1);
	/* nothing is signed for these */
	heads = (unsigned)place_guard(&w.place).generation;
	submit_enclosed(2, 3, 2, ENCLOSURE_FIRST);
	submit_enclosed(START, 4, START, ENCLOSURE_FIRST);
	await(2);
	assert_int_equal(place_guard(&w.place).generation, heads);
	/* the same link again changes nothing */
	submit_enclosed(START, 1, START, 0);
	await(1);
	stop();
	note_leaves(0, 3);
	for (size_t i = 0; i < 3; i++)
		acknowledged(&w.asked[i], START + i);
	acknowledged(&w.asked[3], 2);
	acknowledged(&w.asked[4], START);
	acknowledged(&w.asked[5], START);
	for (size_t i = 0; i < w.count; i++)
		assert_int_equal(w.asked[i].s.enclosed, i != 1);
	log_is_whole(START);
	envelope_is(1, START);
	envelope_is(2, 1);
	envelope_is(3, 2);
	envelope_is(4, START);
	assert_int_equal(w.reported, 3);
	nothing_told();
	world_close();
}

/* Read back with another byte: doubt, and not a word to the submitter. */
static void
test_wrong_envelope(void **state)
{
	(void)state;
	world_open(START, START, START);
	faulty.other_envelope = true;
	submit_enclosed(START, 1, NONE, ENCLOSURE_FIRST);
	start();
	await(1);
	stop();
	not_acknowledged(&w.asked[0], ERR_UNAVAILABLE, "log-latched");
	assert_false(w.asked[0].s.enclosed);
	assert_int_equal(w.asked[0].s.head != NULL, 0);
	assert_string_equal(w.alarm, "log-latched");
	head_is_old(START, START);
	world_close();

	world_open(START, START, START);
	faulty.append = ERR_UNAVAILABLE;
	submit_enclosed(2, 1, 2, ENCLOSURE_FIRST);
	start();
	await(1);
	stop();
	not_acknowledged(&w.asked[0], ERR_UNAVAILABLE, "disk-full");
	assert_false(w.asked[0].s.enclosed);
	world_close();
}

/* A log that is latched from its start on has no head. */
static void
test_no_head(void **state)
{
	(void)state;
	world_open(START, START, START);
	head_slot_close(w.heads);
	w.heads = w.parts.heads = head_slot_open();
	health_set(w.health, HEALTH_LATCHED, true, "no guard");
	start();
	submit(START);
	await(1);
	stop();
	not_acknowledged(&w.asked[0], ERR_UNAVAILABLE, "log-latched");
	assert_int_equal(faulty.appends, 0);
	world_close();
}

static void
test_open_and_close(void **state)
{
	struct error err = {0};

	(void)state;
	sequencer_close(NULL);
	world_open(700, 300, 300);
	/* never started: what is queued is nobody's yet */
	w.sequencer = sequencer_open(&w.parts, &err);
	must(w.sequencer != NULL, &err);
	stop();
	/* the frontier of the head cannot be read */
	log_forget_tree(&w.log);
	w.parts.tree = w.log.tree;
	must(tree_load(w.log.tree, 700, &err), &err);
	faulty.tile = ERR_IO;
	refused(sequencer_open(&w.parts, &err) != NULL, &err, ERR_IO,
	    "store-unknown");
	world_close();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_batches),
	    cmocka_unit_test(test_drained),
	    cmocka_unit_test(test_twins),
	    cmocka_unit_test(test_may_not_write),
	    cmocka_unit_test(test_not_writable),
	    cmocka_unit_test(test_may_not_know),
	    cmocka_unit_test(test_disk_full),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_doubt),
	    cmocka_unit_test(test_compact_fails),
	    cmocka_unit_test(test_envelopes),
	    cmocka_unit_test(test_wrong_envelope),
	    cmocka_unit_test(test_no_head),
	    cmocka_unit_test(test_open_and_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
