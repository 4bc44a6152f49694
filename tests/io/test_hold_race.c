/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writers in processes of their own against a reader that holds, hashes,
 * reads, and checks. A file is all 'A' when a round begins; whatever the writer
 * does makes some of it 'B'. An unverified byte is one that comes out of a hold
 * whose hash was that of all 'A', and is not 'A'.
 *
 * MTLOG_ROUNDS (500) is how many rounds there are with each kind of hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/base/cleanup.h"
#include "io/clock.h"
#include "io/hold.h"
#include "tests/support/folder.h"

#define SMALL	    ((size_t)64 << 10)	       /* joins the shared copy */
#define LARGE	    (((size_t)1 << 20) + 4096) /* has one of its own */
#define DELAY_NS    100000U
#define PATIENCE_NS 2000000U /* for a writer that may be made to wait */

static uint8_t good[LARGE], bad[LARGE], seen[LARGE];
static char path[300], other[300], spare[300];
static size_t size;
static uint8_t digests[2][CONTENT_DIGEST_MAX]; /* of all 'A': small, large */
static uint64_t luck;

static uint64_t
draw(uint64_t below)
{
	luck ^= luck << 13;
	luck ^= luck >> 7;
	luck ^= luck << 17;
	return luck % below;
}

static void
spin(uint64_t ns)
{
	uint64_t until = clock_monotonic_ns() + ns;

	while (clock_monotonic_ns() < until)
		(void)sched_yield();
}

/* The steps of a round. At one of them reader and writer meet. */
enum step { HOLDING = 1, HASHING, READING, CHECKING, CLOSED, STEPS };

static struct shared {
	_Atomic enum step step;
	atomic_bool begun, ended; /* the attack */
} * shared;

static enum step target; /* at which the writer begins */

/* When the reader goes on from there: as soon as the writer is there, too, which
 * then waits a little (it is in the midst of the next step when the file
 * changes); a little after it began; when it is done. */
static enum wait { UNTIL_THERE, UNTIL_BEGUN, UNTIL_ENDED, WAITS } waits;

static void
at_step(enum step step)
{
	atomic_store(&shared->step, step);
	if (step != target)
		return;
	while (!atomic_load(&shared->begun))
		(void)sched_yield();
	if (waits == UNTIL_THERE)
		return;
	if (waits == UNTIL_BEGUN) {
		spin(draw(DELAY_NS));
		return;
	}
	for (uint64_t until = clock_monotonic_ns() + PATIENCE_NS;
	     !atomic_load(&shared->ended) && clock_monotonic_ns() < until;)
		(void)sched_yield();
}

static void
need(bool ok, const char *what)
{
	folder_need(ok, what);
}

static void
put(const char *to, const uint8_t *data)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	need(fd >= 0 && write(fd, data, size) == (ssize_t)size, to);
	(void)close(fd);
}

/*
 * The writers. `prepare` comes before a round, with the file as it should be;
 * `attack` while it is held, hashed and read.
 */
static volatile uint8_t *map;
static size_t mapped;

/* Maps the file and makes its pages dirty; the descriptor is closed. */
static void
prepare_map(void)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (map)
		(void)munmap((void *)(uintptr_t)map, mapped);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(fd >= 0 && map != MAP_FAILED, "mmap");
	(void)close(fd);
	mapped = size;
	for (size_t i = 0; i < size; i += 4096)
		map[i] = 'A';
}

static void
attack_map(void)
{
	for (int i = 0; i < 16; i++)
		map[draw(size)] = 'B';
}

static void
prepare_other(void)
{
	put(other, bad);
}

static void
attack_rename(void)
{
	need(rename(other, path) == 0, "rename");
}

static void
attack_link(void)
{
	need(link(other, spare) == 0 && rename(spare, path) == 0, "link");
}

static void
attack_symlink(void)
{
	need(unlink(path) == 0 && symlink("../other", path) == 0, "symlink");
}

static void
attack_truncate(void)
{
	need(truncate(path, (off_t)draw(size)) == 0, "truncate");
	need(truncate(path, (off_t)size) == 0, "truncate");
}

static void
attack_rewrite(void)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	need(fd >= 0, path);
	for (int i = 0; i < 4; i++)
		need(pwrite(fd, "B", 1, (off_t)draw(size)) == 1, "pwrite");
	(void)close(fd);
}

/* Gives up at once where it would have to wait for a lease to end. */
static void
attack_impatient(void)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return;
	need(write(fd, bad, size) == (ssize_t)size, "write");
	(void)close(fd);
}

static void
no_preparation(void)
{
}

static const struct writer {
	const char *name;
	void (*prepare)(void);
	void (*attack)(void);
} writers[] = {
    {"mapped and dirtied before", prepare_map, attack_map},
    {"replaced by rename", prepare_other, attack_rename},
    {"re-linked", prepare_other, attack_link},
    {"replaced by a link", prepare_other, attack_symlink},
    {"truncated", no_preparation, attack_truncate},
    {"rewritten in place", no_preparation, attack_rewrite},
    {"rewritten without waiting", no_preparation, attack_impatient},
};

#define WRITERS (sizeof(writers) / sizeof(writers[0]))

static int lines[WRITERS]; /* to each writer's process */
static pid_t pids[WRITERS];

static void
say(int line, char c)
{
	need(send(line, &c, 1, MSG_NOSIGNAL) == 1, "a writer is gone");
}

static char
hear(int line)
{
	char c = 0;

	return recv(line, &c, 1, 0) == 1 ? c : '\0';
}

/* 's' or 'l': a round with a small or large file is coming. The digit of a
 * step: begin there; its letter ('A' is 0): a little after. */
static void
writer_main(const struct writer *w, int line)
{
	char c;

	while ((c = hear(line)) != '\0') {
		if (c == 's' || c == 'l') {
			size = c == 's' ? SMALL : LARGE;
			w->prepare();
			say(line, 'r');
			continue;
		}
		while ((int)atomic_load(&shared->step) <
		    c - (c >= 'A' ? 'A' : '0'))
			(void)sched_yield();
		atomic_store(&shared->begun, true);
		if (c >= 'A')
			spin(draw(3 * DELAY_NS));
		w->attack();
		atomic_store(&shared->ended, true);
		say(line, 'd');
	}
	_exit(0);
}

static int
start_writers(void **state)
{
	(void)state;
	if (!folder_make_with_leases())
		folder_make("/tmp");
	folder_put_folder("model");
	(void)snprintf(path, sizeof(path), "%s/model/file", folder_path);
	(void)snprintf(other, sizeof(other), "%s/other", folder_path);
	(void)snprintf(spare, sizeof(spare), "%s/spare", folder_path);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(shared != MAP_FAILED, "mmap");
	memset(good, 'A', sizeof(good));
	memset(bad, 'B', sizeof(bad));
	for (size_t i = 0; i < WRITERS; i++) {
		int ends[2];

		need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ==
			0,
		    "socketpair");
		pids[i] = fork();
		need(pids[i] >= 0, "fork");
		luck = i + 1;
		if (pids[i] == 0) {
			(void)close(ends[0]);
			for (size_t k = 0; k < i; k++)
				(void)close(lines[k]);
			writer_main(&writers[i], ends[1]);
		}
		(void)close(ends[1]);
		lines[i] = ends[0];
	}
	for (size_t i = 0; i < 2; i++) {
		struct error err = {0};
		struct content_hasher *h =
		    content_hasher_open(CONTENT_SHA256, &err);

		content_put(h, bytes_of(good, i ? LARGE : SMALL));
		need(content_end(h, digests[i], &err), "hash");
		content_hasher_close(h);
	}
	return 0;
}

static int
stop_writers(void **state)
{
	int worst = 0;

	(void)state;
	for (size_t i = 0; i < WRITERS; i++) {
		int status = 1;

		(void)close(lines[i]);
		(void)waitpid(pids[i], &status, 0);
		worst |= status;
	}
	folder_remove();
	return worst;
}

struct counts {
	unsigned rounds, refused, broken, accepted, unverified;
	unsigned kinds[HELD_VERITY + 1]; /* of those accepted */
};

static bool
is_good(const void *data, size_t len)
{
	return len == size && memcmp(data, good, size) == 0;
}

/* All that comes out of the hold, in every way, is as it should be. */
static bool
reads_good(struct hold *h, struct bytes name)
{
	bool ok;
	size_t len = 0;
	const void *m = hold_map(h, name, &len);
	int fd = hold_open_file(h, name);
	ssize_t n = hold_read(h, name, seen, size, 0);

	ok = n >= 0 && is_good(seen, (size_t)n);
	memset(seen, 0, size);
	n = read(fd, seen, size);
	ok = ok && n >= 0 && is_good(seen, (size_t)n);
	(void)close(fd);
	return ok && (!m || is_good(m, len));
}

static void
hold_and_read(struct hold *h, struct bytes name, struct counts *c)
{
	struct tree_hash_options options = {
	    .algorithm = CONTENT_SHA256, .threads = 1};
	struct tree_piece piece = {.name = name};
	struct error err = {0};
	enum hold_kind kind = hold_reached(h);
	bool ok;

	at_step(HASHING);
	if (!hold_hash(h, &piece, 1, &options, &err) || piece.fault.code ||
	    memcmp(piece.digest, digests[size == LARGE], 32) != 0) {
		c->refused++;
		return;
	}
	/* From here on it is what it claims to be. */
	at_step(READING);
	ok = reads_good(h, name);
	at_step(CHECKING);
	if (!hold_check(h, &err)) {
		c->broken++;
		return;
	}
	c->accepted++;
	c->kinds[kind]++;
	c->unverified += !ok;
}

static void
one_round(size_t w, const struct hold_options *options, struct counts *c)
{
	struct bytes name = BYTES_LIT("file");
	AUTO(file_tree) t = FILE_TREE_INIT;
	struct error err = {0};
	struct hold *h = NULL;

	size = draw(8) == 0 ? LARGE : SMALL;
	c->rounds++;
	(void)unlink(path);
	put(path, good);
	say(lines[w], size == SMALL ? 's' : 'l');
	need(hear(lines[w]) == 'r', writers[w].name);
	atomic_store(&shared->step, 0);
	atomic_store(&shared->begun, false);
	atomic_store(&shared->ended, false);
	target = (enum step)(HOLDING + (c->rounds - 1) % (STEPS - HOLDING));
	waits = (enum wait)draw(WAITS);
	say(lines[w], (char)((waits == UNTIL_THERE ? 'A' : '0') + target));
	at_step(HOLDING);
	if (file_tree_open(AT_FDCWD, folder_at("model"), NULL, NULL, &t, &err))
		h = hold_open(&t, &name, 1, options, &err);
	if (h)
		hold_and_read(h, name, c);
	else
		c->refused++;
	/* A writer that waits for the lease goes on now. */
	hold_close(h);
	atomic_store(&shared->step, STEPS);
	need(hear(lines[w]) == 'd', writers[w].name);
}

static unsigned
rounds_wanted(void)
{
	const char *text = getenv("MTLOG_ROUNDS");

	return text ? (unsigned)strtoul(text, NULL, 10) : 500;
}

static void
show(const char *what, const char *writer, const struct counts *c)
{
	print_message("%s, %s: %u rounds; refused %u, check failed %u, "
		      "accepted %u (open %u, lease %u, copy %u), with "
		      "unverified bytes %u\n",
	    what, writer, c->rounds, c->refused, c->broken, c->accepted,
	    c->kinds[HELD_OPEN], c->kinds[HELD_LEASE], c->kinds[HELD_COPY],
	    c->unverified);
}

/* All writers in turn against one kind of hold. */
static void
race(const char *what, const struct hold_options *options,
    struct counts counts[WRITERS])
{
	unsigned rounds = rounds_wanted() / WRITERS + 1;

	for (size_t w = 0; w < WRITERS; w++) {
		counts[w] = (struct counts){0};
		luck = 1000 + w;
		for (unsigned i = 0; i < rounds; i++)
			one_round(w, options, &counts[w]);
		show(what, writers[w].name, &counts[w]);
	}
}

static void
test_copy(void **state)
{
	int scratch = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct hold_options options = {.accept = HELD_BIT(HELD_COPY),
		    .copy_max = UINT64_MAX,
		    .scratch = i ? scratch : -1,
		    .threads = 1};
		struct counts counts[WRITERS];

		race(i ? "copy in a folder" : "copy", &options, counts);
		for (size_t w = 0; w < WRITERS; w++) {
			assert_int_equal(counts[w].unverified, 0);
			assert_int_equal(counts[w].broken, 0);
			/* Neither all too early nor all too late. */
			assert_true(counts[w].accepted > 0);
		}
	}
	(void)close(scratch);
}

static void
test_lease(void **state)
{
	struct hold_options options = {
	    .accept = HELD_BIT(HELD_LEASE) | HELD_BIT(HELD_COPY),
	    .copy_max = UINT64_MAX,
	    .scratch = -1,
	    .threads = 1};
	struct counts counts[WRITERS];
	unsigned leases = 0, broken = 0;

	(void)state;
	race("lease or copy", &options, counts);
	for (size_t w = 0; w < WRITERS; w++) {
		assert_int_equal(counts[w].unverified, 0);
		assert_true(counts[w].accepted > 0);
		leases += counts[w].kinds[HELD_LEASE];
		broken += counts[w].broken;
	}
	/* No lease on what is mapped for writing. */
	assert_int_equal(counts[0].kinds[HELD_LEASE], 0);
	if (leases == 0) {
		print_message("SKIP leases: no file system here grants them\n");
		skip();
	}
	assert_true(broken > 0);
}

/*
 * The same test under `open` finds what it looks for: the writer who mapped the
 * file before, unseen by the check. So it would find it above, too.
 */
static void
test_open(void **state)
{
	struct hold_options options = {
	    .accept = HELD_BIT(HELD_OPEN), .scratch = -1, .threads = 1};
	struct counts counts[WRITERS];

	(void)state;
	race("open", &options, counts);
	assert_true(counts[0].unverified > 0);
	/* What is replaced by name is not what is read. */
	for (size_t w = 1; w < 4; w++)
		assert_int_equal(counts[w].unverified, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_lease),
	    cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, start_writers, stop_writers);
}
