/* SPDX-License-Identifier: Apache-2.0 */
#include "io/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool
descriptors_fill(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest that is free, and those below are not. It stays
		 * open in what this program runs, as 0 to 2 must. */
		if (open("/dev/null", O_RDONLY | O_NOCTTY) != fd)
			return false;
	}
	return true;
}
