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
	static const struct {
		int number;
		enum error_code code;
		const char *reason;
	} causes[] = {
	    {ENOENT, ERR_NOTFOUND, "missing"},
	    {EACCES, ERR_DENIED, "permission"},
	    {EPERM, ERR_DENIED, "permission"},
	    {EEXIST, ERR_CONFLICT, NULL},
	    {ENOSPC, ERR_IO, "no-space"},
	    {EMFILE, ERR_IO, "too-many-files"},
	    {ENFILE, ERR_IO, "too-many-files"},
	    {0, ERR_IO, NULL},
	};
	size_t i = 0;

	while (causes[i].number != 0 && causes[i].number != errno)
		i++;
	return error_reason(err, causes[i].code, causes[i].reason,
	    "cannot %s %s: %s", what, path, strerror(errno));
}

static ssize_t
read_some(int fd, void *to, size_t len)
{
	ssize_t n;

	do
		n = read(fd, to, len);
	while (n < 0 && errno == EINTR);
	return n;
}

/* `hint`: how much is expected; one more byte shows the end of it. */
static bool
read_all(
    int fd, const char *path, size_t hint, struct buf *out, struct error *err)
{
	size_t step_max = hint < READ_STEP ? hint + 1 : READ_STEP;

	for (;;) {
		size_t left = out->limit - out->len;
		size_t step = left < step_max ? left : step_max;
		uint8_t extra = 0;
		uint8_t *to = step > 0 ? buf_reserve(out, step) : &extra;
		ssize_t n;

		if (!to)
			return error_set(err, ERR_INTERNAL, "out of memory");
		/* At the limit one more byte tells whether that was all. */
		n = read_some(fd, to, step > 0 ? step : 1);
		if (n < 0)
			return failed(err, "read", path);
		if (n == 0)
			return true;
		if (step == 0)
			return error_set(err, ERR_LIMIT,
			    "%s is larger than %zu bytes", path, out->limit);
		buf_grow(out, (size_t)n);
	}
}

static bool
read_opened(int fd, const char *path, struct buf *out, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return failed(err, "look at", path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, ERR_USAGE, "%s is a folder", path);
	/* A pipe's writer may take its time. */
	if (!S_ISREG(st.st_mode) && fcntl(fd, F_SETFL, 0) != 0)
		return failed(err, "read", path);
	/* Files of /proc say 0. */
	return read_all(fd, path,
	    st.st_size > 0 && st.st_size < READ_STEP ? (size_t)st.st_size
						     : READ_STEP,
	    out, err);
}

bool
file_read(const char *path, struct buf *out, struct error *err)
{
	bool ok;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_all(
		    STDIN_FILENO, "standard input", READ_STEP, out, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return failed(err, "open", path);
	ok = read_opened(fd, path, out, err);
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
	size_t len = strlen(path);
	char *parent;
	bool ok;

	/* The folder of "a/b" and "a/b/" is "a". */
	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	parent = len > 0 ? strndup(path, len) : strdup(".");
	if (!parent)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = folder_sync(parent, err);
	free(parent);
	return ok;
}

static int
replace(const char *temporary, const char *path)
{
	return rename(temporary, path);
}

/* Unlike rename, link fails where something is already. */
static int
appear(const char *temporary, const char *path)
{
	if (link(temporary, path) != 0)
		return -1;
	(void)unlink(temporary);
	return 0;
}

/* The file appears under its name, by `put`, only when it is durable. */
static bool
write_beside(const char *path, struct bytes data, mode_t mode,
    int (*put)(const char *, const char *), struct error *err)
{
	char *temporary = NULL;
	bool ok;
	int fd;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		(void)failed(err, "create a file beside", path);
		free(temporary);
		return false;
	}
	ok = (fchmod(fd, mode) == 0 || failed(err, "set the mode of", path)) &&
	    write_all(fd, path, data, err) &&
	    (put(temporary, path) == 0 ||
		failed(err, put == replace ? "replace" : "create", path));
	(void)close(fd);
	if (!ok)
		(void)unlink(temporary);
	free(temporary);
	return ok && parent_sync(path, err);
}

bool
file_write(const char *path, struct bytes data, mode_t mode, struct error *err)
{
	return write_beside(path, data, mode, replace, err);
}

bool
file_create(const char *path, struct bytes data, mode_t mode, struct error *err)
{
	return write_beside(path, data, mode, appear, err);
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
	bool ok;

	*empty = true;
	if (!d)
		return errno == ENOENT || failed(err, "open the folder", path);
	errno = 0;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			*empty = false;
	ok = errno == 0 || failed(err, "read the folder", path);
	(void)closedir(d);
	return ok;
}

/* By f_type of statfs(2). */
static const struct {
	uint32_t magic;
	const char *network; /* its name, if it is one */
	const char *doubt;
} file_systems[] = {
    {0x6969, "NFS", NULL},
    {0xff534d42, "CIFS", NULL},
    {0xfe534d42, "SMB2", NULL},
    {0x517b, "SMB", NULL},
    {0x01021997, "9p", NULL},
    {0x5346414f, "AFS", NULL},
    {0x6b414653, "AFS", NULL},
    {0x00c36400, "Ceph", NULL},
    {0x73757245, "Coda", NULL},
    {0x0bd00bd0, "Lustre", NULL},
    {0x65735546, NULL,
	"it is on FUSE: whether a sync makes anything durable is up to the "
	"program behind it"},
    {0x01021994, NULL,
	"it is on tmpfs: everything is gone when the machine stops"},
    {0x858458f6, NULL,
	"it is on ramfs: everything is gone when the machine stops"},
};

#define FILE_SYSTEMS (sizeof(file_systems) / sizeof(file_systems[0]))

/* The row of the file system that `path` is on; FILE_SYSTEMS if it has none. */
static size_t
file_system_of(const struct statfs *fs)
{
	size_t i = 0;

	/* f_type is signed, and some magic numbers have the highest bit. */
	while (
	    i < FILE_SYSTEMS && file_systems[i].magic != (uint32_t)fs->f_type)
		i++;
	return i;
}

bool
folder_local(const char *path, struct error *err)
{
	struct statfs fs;
	size_t i;

	if (statfs(path, &fs) != 0)
		return failed(err, "look at", path);
	i = file_system_of(&fs);
	if (i == FILE_SYSTEMS || !file_systems[i].network)
		return true;
	return error_reason(err, ERR_DENIED, "network-file-system",
	    "%s is on %s; locks and syncs there do not promise what a log "
	    "needs. Use a local disk",
	    path, file_systems[i].network);
}

const char *
folder_doubt(const char *path)
{
	struct statfs fs;
	size_t i;

	if (statfs(path, &fs) != 0)
		return NULL;
	i = file_system_of(&fs);
	return i < FILE_SYSTEMS ? file_systems[i].doubt : NULL;
}

char *
path_join(const char *folder, const char *name)
{
	size_t len = strlen(folder);
	char *out = NULL;

	if (name[0] == '/')
		return strdup(name);
	if (asprintf(&out, "%s%s%s", folder,
		len > 0 && folder[len - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return out;
}
