/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *
durable_path(const char *dir, const char *name)
{
	size_t len = strlen(dir) + strlen(name) + 2;
	char *path = malloc(len);
	if (path)
		(void)snprintf(path, len, "%s/%s", dir, name);
	return path;
}

bool
durable_sync_dir(const char *dir, struct error *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERR_IO, "cannot open folder %s: %s", dir,
		    strerror(errno));
	int failed = fsync(fd) ? errno : 0;
	close(fd);
	if (failed)
		return error_set(err, ERR_IO, "cannot sync folder %s: %s", dir,
		    strerror(failed));
	return true;
}
