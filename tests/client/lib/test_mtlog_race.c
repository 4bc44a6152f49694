/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer in a process of its own against a loader. A model's file is all 'A'
 * when it is signed and when a round begins; what the writer does makes some of
 * it 'B', at a random moment of opening, reading, or checking. An unverified
 * byte is one that a handle gave out and that is not 'A'.
 *
 * MTLOG_ROUNDS (300) is how many rounds there are with each hold; io's own race
 * (tests/io/test_hold_race) has more kinds of moments.
 */
#include "tests/client/lib/loader_fixture.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#define SMALL ((size_t)64 << 10)	 /* joins the shared copy */
#define LARGE (((size_t)1 << 20) + 4096) /* has one of its own */
#define HUGE  ((size_t)96 << 20)

enum attack { MAP, RENAME, LINK, SYMLINK, TRUNCATE, REWRITE, SWAP, ATTACKS };

static const char *const attack_names[] = {"mapped and dirtied before",
    "renamed over", "linked over", "replaced by a link", "truncated",
    "rewritten in place", "swapped in a large model"};

static struct shared {
	atomic_uint prepare, prepared, go, done; /* numbers of rounds */
	atomic_bool stop;
	enum attack attack;
	uint64_t delay_ns;
	size_t size;
	char path[300], other[300];
} * shared;

static uint8_t good[LARGE], bad[LARGE], seen[LARGE];
static pid_t writer;
static uint64_t luck = 1;

static uint64_t
draw(uint64_t below)
{
	luck ^= luck << 13;
	luck ^= luck >> 7;
	luck ^= luck << 17;
	return luck % below;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void
spin(uint64_t ns)
{
	for (uint64_t until = now_ns() + ns; now_ns() < until;)
		(void)sched_yield();
}

static void
await(atomic_uint *number, unsigned value)
{
	while (atomic_load(number) < value && !atomic_load(&shared->stop))
		(void)sched_yield();
}

static void
put(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	folder_need(fd >= 0 && write(fd, data, size) == (ssize_t)size, path);
	(void)close(fd);
}

/* The file mapped, its pages dirty, no descriptor left. */
static volatile uint8_t *map;
static size_t mapped;

static void
prepare(void)
{
	int fd;

	if (map)
		(void)munmap((void *)(uintptr_t)map, mapped);
	map = NULL;
	(void)unlink(shared->other);
	switch (shared->attack) {
	case MAP:
		fd = open(shared->path, O_RDWR | O_CLOEXEC);
		mapped = shared->size;
		map = mmap(
		    NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		folder_need(fd >= 0 && map != MAP_FAILED, "mmap");
		(void)close(fd);
		for (size_t i = 0; i < mapped; i += 4096)
			map[i] = 'A';
		break;
	case RENAME:
	case LINK:
	case SYMLINK:
		put(shared->other, bad, shared->size);
		break;
	case SWAP:
		put(shared->other, bad, SMALL);
		folder_need(truncate(shared->other, (off_t)HUGE) == 0, "swap");
		break;
	case TRUNCATE:
	case REWRITE:
	case ATTACKS:
		break;
	}
}

static void
attack(void)
{
	char spare[310];
	int fd;

	switch (shared->attack) {
	case MAP:
		for (int i = 0; i < 16; i++)
			map[draw(mapped)] = 'B';
		break;
	case RENAME:
	case SWAP:
		folder_need(rename(shared->other, shared->path) == 0, "rename");
		break;
	case LINK:
		(void)snprintf(spare, sizeof(spare), "%s.spare", shared->other);
		folder_need(link(shared->other, spare) == 0 &&
			rename(spare, shared->path) == 0,
		    "link");
		break;
	case SYMLINK:
		folder_need(unlink(shared->path) == 0 &&
			symlink(shared->other, shared->path) == 0,
		    "symlink");
		break;
	case TRUNCATE:
		folder_need(
		    truncate(shared->path, (off_t)draw(shared->size)) == 0 &&
			truncate(shared->path, (off_t)shared->size) == 0,
		    "truncate");
		break;
	case REWRITE:
		fd = open(shared->path, O_WRONLY | O_CLOEXEC);
		for (int i = 0; i < 4; i++)
			folder_need(
			    pwrite(fd, "B", 1, (off_t)draw(shared->size)) == 1,
			    "pwrite");
		(void)close(fd);
		break;
	case ATTACKS:
		break;
	}
}

static void
writer_main(void)
{
	for (unsigned round = 1;; round++) {
		await(&shared->prepare, round);
		if (atomic_load(&shared->stop))
			_exit(0);
		prepare();
		atomic_store(&shared->prepared, round);
		await(&shared->go, round);
		spin(shared->delay_ns);
		attack();
		atomic_store(&shared->done, round);
	}
}

static int
setup(void **state)
{
	static const struct {
		const char *model, *file;
		size_t size;
	} models[] = {{"s", "s/f", SMALL}, {"l", "l/f", LARGE}};

	if (loader_setup(state) != 0)
		return -1;
	memset(good, 'A', sizeof(good));
	memset(bad, 'B', sizeof(bad));
	for (size_t i = 0; i < 2; i++) {
		folder_put_folder(models[i].model);
		folder_put(models[i].file, good, models[i].size);
		loader_sign(models[i].model, NULL);
	}
	folder_put_folder("h");
	folder_put("h/f", good, SMALL);
	folder_need(truncate(folder_at("h/f"), (off_t)HUGE) == 0, "h/f");
	loader_sign("h", NULL);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	folder_need(shared != MAP_FAILED, "mmap");
	(void)snprintf(
	    shared->other, sizeof(shared->other), "%s/other", folder_path);
	writer = fork();
	folder_need(writer >= 0, "fork");
	if (writer == 0)
		writer_main();
	return 0;
}

static int
teardown(void **state)
{
	int status = 1;

	atomic_store(&shared->stop, true);
	(void)waitpid(writer, &status, 0);
	return loader_teardown(state) | status;
}

struct counts {
	unsigned rounds, refused, broken, accepted, unverified;
};

/* Whether all that comes out, in each way, is what was signed. */
static bool
reads_good(mtlog_model *m, size_t size)
{
	size_t n = 0;
	const void *p = mtlog_model_map(m, "f", &n);
	int fd = mtlog_model_open_file(m, "f");
	bool ok = !p || (n >= size && memcmp(p, good, size) == 0);

	memset(seen, 0, size);
	ok = mtlog_model_read(m, "f", seen, size, 0) == (ssize_t)size &&
	    memcmp(seen, good, size) == 0 && ok;
	memset(seen, 0, size);
	ok = fd >= 0 && read(fd, seen, size) == (ssize_t)size &&
	    memcmp(seen, good, size) == 0 && ok;
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* When the writer begins: while the model is opened (a little later), before
 * it is read, before it is checked. */
enum moment { OPENING, READING, CHECKING, MOMENTS };

/* The writer goes; it has the time to end, unless a lease keeps it. */
static void
let_go(unsigned number)
{
	atomic_store(&shared->go, number);
	for (uint64_t until = now_ns() + 2000000;
	     atomic_load(&shared->done) < number && now_ns() < until;)
		(void)sched_yield();
}

static void
open_and_read(const char *model, const mtlog_policy *p, const mtlog_options *o,
    unsigned number, struct counts *c)
{
	enum moment moment = (enum moment)(number / SWAP % MOMENTS);
	mtlog_verdict *v = NULL, *checked = NULL;
	bool ok = true, holds = false;
	mtlog_model *m;

	if (shared->attack == SWAP)
		moment = OPENING;
	if (moment == OPENING)
		atomic_store(&shared->go, number);
	else
		shared->delay_ns = 0;
	m = mtlog_model_open(folder_at(model), p, o, &v);
	assert_non_null(v);
	if (moment == READING)
		let_go(number);
	if (m) {
		/* The large one is only read where the other differs. */
		ok = reads_good(m, model[0] == 'h' ? SMALL : shared->size);
		if (moment == CHECKING)
			let_go(number);
		if (moment == CHECKING &&
		    mtlog_model_hold(m) >= MTLOG_HOLD_VERITY)
			ok = reads_good(m, shared->size) && ok;
		holds = mtlog_model_check(m, &checked) == 0;
		mtlog_verdict_free(checked);
	} else {
		assert_true(mtlog_verdict_code(v) >= 10);
	}
	c->refused += !m;
	c->broken += m && !holds;
	c->accepted += m && holds;
	/* Of a copy every byte counts, else those before a good check. */
	c->unverified +=
	    m && !ok && (holds || mtlog_model_hold(m) >= MTLOG_HOLD_VERITY);
	mtlog_verdict_free(v);
	mtlog_model_free(m);
	atomic_store(&shared->go, number);
}

static void
one_round(enum attack kind, const mtlog_policy *p, const mtlog_options *o,
    struct counts *c)
{
	static unsigned number;
	const char *model = kind == SWAP ? "h" : draw(8) == 0 ? "l" : "s";

	number++;
	c->rounds++;
	(void)snprintf(
	    shared->path, sizeof(shared->path), "%s/%s/f", folder_path, model);
	shared->attack = kind;
	shared->size = model[0] == 'l' ? LARGE : SMALL;
	shared->delay_ns = draw(kind == SWAP ? 80000000 : 2500000);
	(void)unlink(shared->path);
	put(shared->path, good, shared->size);
	if (kind == SWAP)
		folder_need(truncate(shared->path, (off_t)HUGE) == 0, "h/f");
	atomic_store(&shared->prepare, number);
	await(&shared->prepared, number);
	open_and_read(model, p, o, number, c);
	/* A writer that waits for a lease goes on now. */
	await(&shared->done, number);
}

static unsigned
rounds_wanted(void)
{
	const char *text = getenv("MTLOG_ROUNDS");

	return text ? (unsigned)strtoul(text, NULL, 10) : 300;
}

static void
race(int hold, int64_t copy_max)
{
	unsigned rounds = rounds_wanted();
	mtlog_policy *p = loader_policy("");
	mtlog_options *o = loader_options(hold);
	struct counts of[ATTACKS] = {{0}};

	assert_int_equal(mtlog_option_number(o, MTLOG_COPY_MAX, copy_max), 0);
	for (unsigned i = 0; i < rounds; i++)
		one_round((enum attack)(i % SWAP), p, o, &of[i % SWAP]);
	for (unsigned i = 0; i < (rounds < 3000 ? 10 : 100); i++)
		one_round(SWAP, p, o, &of[SWAP]);
	for (size_t i = 0; i < ATTACKS; i++) {
		print_message("%s: %u rounds; refused %u, check failed %u, "
			      "accepted %u, with unverified bytes %u\n",
		    attack_names[i], of[i].rounds, of[i].refused, of[i].broken,
		    of[i].accepted, of[i].unverified);
		/* What a mapping does, `open` promises nothing about. */
		if (hold != MTLOG_HOLD_OPEN)
			assert_int_equal(of[i].unverified, 0);
	}
	/* Without a hold the race is lost: it is one. */
	if (hold == MTLOG_HOLD_OPEN && rounds >= 3 * SWAP)
		assert_true(of[MAP].unverified > 0);
	mtlog_policy_free(p);
	mtlog_options_free(o);
}

static void
test_copy(void **state)
{
	(void)state;
	race(MTLOG_HOLD_COPY, INT64_C(1) << 30);
}

static void
test_lease(void **state)
{
	(void)state;
	if (!loader_leases) {
		print_message("no leases in %s\n", folder_path);
		skip();
	}
	race(MTLOG_HOLD_LEASE, 0);
}

static void
test_open(void **state)
{
	(void)state;
	race(MTLOG_HOLD_OPEN, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_lease),
	    cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
