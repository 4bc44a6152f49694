/* SPDX-License-Identifier: Apache-2.0 */
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define READ_STEP 65536

static bool
failed(struct error *err, const char *what, const char *path)
{
	enum error_code code = ERR_IO;

	if (errno == ENOENT)
		code = ERR_NOTFOUND;
	else if (errno == EACCES || errno == EPERM)
		code = ERR_DENIED;
	else if (errno == EEXIST)
		code = ERR_CONFLICT;
	return error_set(err, code, "cannot %s %s: %s", what, path,
	    strerror(errno));
}

static bool
read_all(int fd, const char *path, struct buf *out, struct error *err)
{
	for (;;) {
		size_t left = out->limit - out->len;
		uint8_t extra;
		ssize_t n;

		if (left == 0) {
			n = read(fd, &extra, 1);
			if (n == 0)
				return true;
			return error_set(err, ERR_LIMIT,
			    "%s is larger than %zu bytes", path, out->limit);
		}
		if (left > READ_STEP)
			left = READ_STEP;
		if (!buf_reserve(out, left))
			return error_set(err, ERR_INTERNAL, "out of memory");
		n = read(fd, out->ptr + out->len, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(err, "read", path);
		if (n == 0)
			return true;
		buf_grow(out, (size_t)n);
	}
}

bool
file_read(const char *path, struct buf *out, struct error *err)
{
	struct stat st;
	bool ok;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, "standard input", out, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return failed(err, "open", path);
	if (fstat(fd, &st) != 0)
		ok = failed(err, "look at", path);
	else if (S_ISDIR(st.st_mode))
		ok = error_set(err, ERR_USAGE, "%s is a folder", path);
	else
		ok = read_all(fd, path, out, err);
	(void)close(fd);
	return ok;
}

static bool
write_all(int fd, const char *path, struct bytes data, struct error *err)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.ptr, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(err, "write", path);
		data = bytes_slice(data, (size_t)n, data.len);
	}
	return fsync(fd) == 0 || failed(err, "make durable", path);
}

static bool
parent_sync(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char *parent;
	bool ok;

	if (!slash)
		return folder_sync(".", err);
	parent = slash == path ? strdup("/")
	                       : strndup(path, (size_t)(slash - path));
	if (!parent)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = folder_sync(parent, err);
	free(parent);
	return ok;
}

bool
file_create(const char *path, struct bytes data, mode_t mode,
    struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool ok;

	if (fd < 0)
		return failed(err, "create", path);
	ok = write_all(fd, path, data, err);
	(void)close(fd);
	if (!ok) {
		(void)unlink(path);
		return false;
	}
	return parent_sync(path, err);
}

bool
file_write(const char *path, struct bytes data, mode_t mode, struct error *err)
{
	char *temporary = NULL;
	bool ok;
	int fd;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		free(temporary);
		return failed(err, "create a file beside", path);
	}
	ok = write_all(fd, temporary, data, err) &&
	    (fchmod(fd, mode) == 0 || failed(err, "set the mode of", path)) &&
	    (rename(temporary, path) == 0 || failed(err, "replace", path));
	(void)close(fd);
	if (!ok)
		(void)unlink(temporary);
	free(temporary);
	return ok && parent_sync(path, err);
}

bool
folder_create(const char *path, mode_t mode, struct error *err)
{
	if (mkdir(path, mode) != 0)
		return failed(err, "make the folder", path);
	return parent_sync(path, err);
}

bool
folder_sync(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return failed(err, "open the folder", path);
	ok = fsync(fd) == 0 || failed(err, "make durable", path);
	(void)close(fd);
	return ok;
}

bool
folder_empty(const char *path, bool *empty, struct error *err)
{
	DIR *d = opendir(path);
	struct dirent *e;

	*empty = true;
	if (!d)
		return errno == ENOENT || failed(err, "open the folder", path);
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			*empty = false;
	(void)closedir(d);
	return true;
}

bool
folder_local(const char *path, struct error *err)
{
	static const struct {
		long magic;
		const char *name;
	} network[] = {
	    {0x6969, "NFS"},
	    {0xff534d42L, "CIFS"},
	    {0xfe534d42L, "SMB2"},
	    {0x517b, "SMB"},
	    {0x01021997, "9p"},
	    {0x5346414f, "AFS"},
	    {0x00c36400, "Ceph"},
	    {0x65735546, "FUSE"},
	};
	struct statfs fs;

	if (statfs(path, &fs) != 0)
		return failed(err, "look at", path);
	for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++)
		if ((long)fs.f_type == network[i].magic)
			return error_reason(err, ERR_DENIED,
			    "network-file-system",
			    "%s is on %s; locks and syncs there do not "
			    "promise what a log needs. Use a local disk",
			    path, network[i].name);
	return true;
}

char *
path_join(const char *folder, const char *name)
{
	char *out = NULL;

	if (name[0] == '/')
		return strdup(name);
	return asprintf(&out, "%s/%s", folder, name) < 0 ? NULL : out;
}
