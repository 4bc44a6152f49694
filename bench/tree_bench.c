/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast files are listed and hashed, beside `openssl dgst -sha256` in one
 * process a processor over the same warm files, in turns.
 *
 * usage: tree_bench DIR [MIB [RUNS]]; makes its files in DIR and removes them.
 * MIB (1024) is the size of a big file; the median of RUNS (5) is shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/tree.h"
#include "io/workers.h"

#define RUNS_MAX 99
#define KIB	 1024
#define SHARD	 ((uint64_t)256 << 20)

struct load {
	const char *name;
	unsigned files, in_folder; /* how many, and how many in one folder */
	uint64_t size;
	bool shards;
};

extern char **environ;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
check(bool ok, const struct error *err)
{
	if (ok)
		return;
	(void)fprintf(stderr, "tree_bench: %s\n", err->text);
	exit(1);
}

static void
name_of(const struct load *l, unsigned i, char out[32])
{
	(void)snprintf(out, 32, "%u/%u", i / l->in_folder, i);
}

static void
write_file(const char *name, uint64_t size)
{
	static uint8_t block[1 << 20];
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t x = size * 2654435761U + 1;

	for (size_t i = 0; i < sizeof(block); i += 8) {
		x = x * 6364136223846793005U + 1442695040888963407U;
		memcpy(block + i, &x, 8);
	}
	if (fd < 0)
		die(name);
	while (size > 0) {
		size_t step = size < sizeof(block) ? size : sizeof(block);

		if (write(fd, block, step) != (ssize_t)step)
			die(name);
		size -= step;
	}
	(void)close(fd);
}

static void
make_files(const struct load *l)
{
	char name[32];

	for (unsigned i = 0; i < l->files; i++) {
		if (i % l->in_folder == 0) {
			(void)snprintf(name, 32, "%u", i / l->in_folder);
			if (mkdir(name, 0700) != 0)
				die(name);
		}
		name_of(l, i, name);
		write_file(name, l->size);
	}
}

static void
remove_files(const struct load *l)
{
	char name[32];

	for (unsigned i = 0; i < l->files; i++) {
		name_of(l, i, name);
		(void)unlink(name);
	}
	for (unsigned i = 0; i * l->in_folder < l->files; i++) {
		(void)snprintf(name, 32, "%u", i);
		(void)rmdir(name);
	}
}

/* Every n-th file, beginning with `first`, to one process. */
static pid_t
spawn_peer(const struct load *l, unsigned first, unsigned step)
{
	char(*names)[32] = calloc(l->files, sizeof(*names));
	char **argv = calloc(l->files + 4, sizeof(*argv));
	posix_spawn_file_actions_t actions;
	static char command[][8] = {"openssl", "dgst", "-sha256"};
	size_t n = 0;
	pid_t pid;

	if (!names || !argv)
		die("memory");
	for (; n < 3; n++)
		argv[n] = command[n];
	for (unsigned i = first; i < l->files; i += step) {
		name_of(l, i, names[i]);
		argv[n++] = names[i];
	}
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(
	    &actions, 1, "/dev/null", O_WRONLY, 0);
	errno = posix_spawnp(&pid, "openssl", &actions, NULL, argv, environ);
	if (errno != 0)
		die("openssl");
	(void)posix_spawn_file_actions_destroy(&actions);
	free(argv);
	free(names);
	return pid;
}

static double
run_peer(const struct load *l, unsigned threads)
{
	uint64_t began = clock_monotonic_ns();
	pid_t pids[WORKERS_MAX];
	unsigned n = threads < l->files ? threads : l->files;

	for (unsigned i = 0; i < n; i++)
		pids[i] = spawn_peer(l, i, n);
	for (unsigned i = 0; i < n; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) < 0 || status != 0)
			die("openssl");
	}
	return (double)(clock_monotonic_ns() - began) / 1e6;
}

static size_t
make_pieces(const struct file_tree *t, bool shards, struct tree_piece **out)
{
	size_t count = 0;

	*out = calloc(t->count * (shards ? 64 : 1), sizeof(**out));
	if (!*out)
		die("memory");
	for (size_t i = 0; i < t->count; i++) {
		const struct tree_file *f = &t->files[i];
		uint64_t step = shards ? SHARD : f->size;

		for (uint64_t at = 0; at < f->size; at += step)
			(*out)[count++] = (struct tree_piece){.name = f->name,
			    .start = at,
			    .end = !shards	      ? 0
				: f->size - at < step ? f->size
						      : at + step,
			    .size = step};
	}
	return count;
}

static void
run_own(const struct load *l, unsigned threads, double *walk, double *hash)
{
	const struct tree_hash_options options = {
	    .algorithm = CONTENT_SHA256, .threads = threads};
	uint64_t began = clock_monotonic_ns(), walked;
	struct tree_piece *pieces;
	struct error err = {0};
	struct file_tree t;
	size_t count;

	check(file_tree_open(AT_FDCWD, ".", NULL, NULL, &t, &err), &err);
	walked = clock_monotonic_ns();
	count = make_pieces(&t, l->shards, &pieces);
	check(tree_hash(&t, pieces, count, &options, &err), &err);
	*hash = (double)(clock_monotonic_ns() - walked) / 1e6;
	*walk = (double)(walked - began) / 1e6;
	for (size_t i = 0; i < count; i++)
		if (pieces[i].fault.code)
			check(tree_fault_explain(
				  &pieces[i].fault, pieces[i].name, &err),
			    &err);
	free(pieces);
	file_tree_release(&t);
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static void
measure(const struct load *l, unsigned runs)
{
	double walk[RUNS_MAX], hash[RUNS_MAX], peer[RUNS_MAX];
	unsigned threads = workers_count(0, SIZE_MAX);
	double bytes = (double)l->files * (double)l->size;
	double walk_ms, hash_ms, peer_ms;

	make_files(l);
	(void)run_peer(l, threads); /* warm */
	for (unsigned i = 0; i < runs; i++) {
		run_own(l, threads, &walk[i], &hash[i]);
		peer[i] = run_peer(l, threads);
	}
	remove_files(l);
	walk_ms = median(walk, runs);
	hash_ms = median(hash, runs);
	peer_ms = median(peer, runs);
	(void)printf("| %-26s | %7.1f | %8.1f | %5.2f | %10.1f | %5.2f "
		     "| %4.0f %% |\n",
	    l->name, walk_ms, hash_ms, bytes / hash_ms / 1e6, peer_ms,
	    bytes / peer_ms / 1e6, 100 * peer_ms / hash_ms);
	(void)fflush(stdout);
}

int
main(int argc, char **argv)
{
	uint64_t big = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1024) << 20;
	unsigned runs = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
	const struct load loads[] = {
	    {"10,000 files of 10 KiB", 10000, 100, (uint64_t)10 * KIB, false},
	    {"100,000 files of 1 KiB", 100000, 1000, KIB, false},
	    {"4 big files", 4, 4, big, false},
	    {"1 big file", 1, 1, big, false},
	    {"1 big file, 256 MiB shards", 1, 1, big, true},
	};
	char folder[] = "tree-bench-XXXXXX";
	struct rusage use;

	if (argc < 2 || runs == 0 || runs > RUNS_MAX || big == 0) {
		(void)fputs("usage: tree_bench DIR [MIB [RUNS]]\n", stderr);
		return 2;
	}
	if (chdir(argv[1]) != 0 || !mkdtemp(folder) || chdir(folder) != 0)
		die(argv[1]);
	(void)printf("| %u threads; big: %5llu MiB     | walk ms | hash ms  "
		     "|  GB/s | openssl ms |  GB/s | ratio  |\n"
		     "|---|---|---|---|---|---|---|\n",
	    workers_count(0, SIZE_MAX), (unsigned long long)(big >> 20));
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		measure(&loads[i], runs);
	(void)getrusage(RUSAGE_SELF, &use);
	(void)printf(
	    "\nlargest resident memory: %ld MiB\n", use.ru_maxrss / 1024);
	if (chdir("..") != 0 || rmdir(folder) != 0)
		die(folder);
	return 0;
}
