/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program costs, its start included: real seconds, and the most memory
 * that it or one of its children had (KiB). Small, since a child's peak begins
 * with that of the process that it was forked from.
 *
 * usage: spend COMMAND [ARGUMENT...] ; prints to descriptor 3, and ends as the
 * command does
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct timespec from, to;
	struct rusage used;
	int status;
	pid_t child;

	if (argc < 2)
		return 2;
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	child = fork();
	if (child == 0) {
		(void)close(3);
		(void)execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &used) != child)
		return 125;
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	(void)dprintf(3, "%.6f %ld\n",
	    (double)(to.tv_sec - from.tv_sec) +
		(double)(to.tv_nsec - from.tv_nsec) / 1e9,
	    used.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
