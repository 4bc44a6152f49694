/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS	  10
#define NS_PER_MS 1000000

int
lock_take(
    const char *path, unsigned wait_ms, const char *what, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		(void)error_reason(err, ERR_IO,
		    errno == EACCES ? "permission" : NULL,
		    "%s cannot be opened: %m", path);
		return -1;
	}
	for (unsigned waited = 0;; waited += STEP_MS) {
		struct timespec step = {.tv_nsec = STEP_MS * NS_PER_MS};

		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		if (errno != EWOULDBLOCK || waited >= wait_ms) {
			(void)error_reason(err, ERR_UNAVAILABLE, "locked",
			    "%s is in use by another process", what);
			(void)close(fd);
			return -1;
		}
		(void)nanosleep(&step, NULL);
	}
}
