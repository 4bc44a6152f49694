/* SPDX-License-Identifier: Apache-2.0 */
#include "io/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"

#define NS_PER_MS UINT64_C(1000000)

/* A file in memory: unlike a pipe it takes everything at once, and a program
 * that does not read it hurts nobody. */
static int
input_file(struct bytes input, struct error *err)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	while (fd >= 0 && input.len > 0) {
		ssize_t n = write(fd, input.ptr, input.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)close(fd);
			fd = -1;
			break;
		}
		input = bytes_slice(input, (size_t)n, input.len);
	}
	if (fd < 0 || lseek(fd, 0, SEEK_SET) != 0) {
		(void)error_set(err, ERR_IO, "cannot make a file in memory: %s",
		    strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	return fd;
}

/* Our environment and a little more: borrowed strings in a list of its own. */
static char **
environment(const char *const *extra)
{
	static char *const none[] = {NULL};
	char *const *from = environ ? environ : none;
	size_t ours = 0, more = 0;
	char **out;

	while (from[ours])
		ours++;
	while (extra[more])
		more++;
	out = calloc(ours + more + 1, sizeof(*out));
	if (!out)
		return NULL;
	/* The first of two equal names counts. */
	for (size_t i = 0; i < more; i++)
		out[i] = (char *)(uintptr_t)extra[i];
	for (size_t i = 0; i < ours; i++)
		out[more + i] = from[i];
	return out;
}

/* The defaults of a fresh process, whatever we ignore or block. */
static int
set_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	return posix_spawnattr_setflags(a,
		   POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
		       POSIX_SPAWN_SETSIGMASK) ||
	    posix_spawnattr_setpgroup(a, 0) ||
	    posix_spawnattr_setsigdefault(a, &all) ||
	    posix_spawnattr_setsigmask(a, &none);
}

static int
spawn(const char *program, int input, char **env, pid_t *pid)
{
	char *argv[] = {(char *)(uintptr_t)program, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int rc = posix_spawn_file_actions_init(&files);

	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&attributes);
	if (rc != 0) {
		(void)posix_spawn_file_actions_destroy(&files);
		return rc;
	}
	if (set_attributes(&attributes) ||
	    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO) ||
	    posix_spawn_file_actions_adddup2(
		&files, STDERR_FILENO, STDOUT_FILENO))
		rc = ENOMEM;
	else
		rc = posix_spawn(pid, program, &files, &attributes, argv, env);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&files);
	return rc;
}

/* False: it still runs when its time is over. */
static bool
ends_in_time(pid_t pid, unsigned timeout_ms)
{
	uint64_t end = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	int fd = pidfd_open(pid, 0);
	bool ended = false;

	while (fd >= 0 && !ended) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uint64_t now = clock_monotonic_ns();

		if (now >= end)
			break;
		ended = poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1) == 1;
	}
	if (fd >= 0)
		(void)close(fd);
	return ended;
}

static bool
wait_for(const char *program, pid_t pid, unsigned timeout_ms, struct error *err)
{
	bool ended = ends_in_time(pid, timeout_ms);
	int status = 0;
	pid_t got;

	/* The group outlives its leader's end, until we have waited for it. */
	(void)kill(-pid, SIGKILL);
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (!ended)
		return error_set(err, ERR_IO,
		    "%s took longer than %u ms and was killed", program,
		    timeout_ms);
	if (WIFSIGNALED(status))
		return error_set(err, ERR_IO, "%s died of signal %d", program,
		    WTERMSIG(status));
	return (got == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	    error_set(err, ERR_IO, "%s ended with code %d", program,
		WEXITSTATUS(status));
}

bool
child_run(const char *program, struct bytes input, const char *const *extra,
    unsigned timeout_ms, struct error *err)
{
	int fd = input_file(input, err);
	char **env;
	pid_t pid = 0;
	int rc;

	if (fd < 0)
		return false;
	env = environment(extra);
	rc = env ? spawn(program, fd, env, &pid) : ENOMEM;
	free(env);
	(void)close(fd);
	if (rc != 0)
		return error_set(
		    err, ERR_IO, "cannot start %s: %s", program, strerror(rc));
	return wait_for(program, pid, timeout_ms, err);
}
