/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/descriptors.h"

static bool
is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    st.st_rdev == makedev(1, 3);
}

/* What a process finds whose descriptors in `closed` (bits) are closed: 0, or
 * the number of what is wrong. It has none to say it with. */
static int
look(unsigned closed)
{
	int fd;
	char c;

	for (fd = 0; fd < 3; fd++)
		if ((closed >> fd) & 1)
			(void)close(fd);
	if (!descriptors_fill())
		return 1;
	for (fd = 0; fd < 3; fd++) {
		bool was_closed = ((closed >> fd) & 1) != 0;

		if (is_null(fd) != was_closed)
			return 2;
		if (was_closed && read(fd, &c, 1) != 0)
			return 3;
		if (was_closed && (write(fd, "x", 1) != -1 || errno != EBADF))
			return 4;
	}
	/* What is opened next is none of the three. */
	fd = open("/dev/zero", O_RDONLY);
	if (fd < 3)
		return 5;
	/* And a second call changes nothing. */
	return descriptors_fill() && open("/dev/zero", O_RDONLY) == fd + 1 ? 0
									   : 6;
}

static void
test_every_combination(void **state)
{
	(void)state;
	for (unsigned closed = 0; closed < 8; closed++) {
		int pipes[2], status;
		pid_t pid;

		/* Three that are open, and not /dev/null. */
		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			for (int fd = 0; fd < 3; fd++)
				if (dup2(pipes[fd != 0], fd) != fd)
					_exit(100);
			_exit(look(closed));
		}
		(void)close(pipes[0]);
		(void)close(pipes[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("closed %u: status %d", closed, status);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_combination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
