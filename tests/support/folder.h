/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_FOLDER_H
#define MTLOG_TESTS_SUPPORT_FOLDER_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * A folder of a test's own, made by folder_make and removed by folder_remove;
 * every name below is relative to it. What fails ends the test program.
 */
static char folder_path[200];

static inline void
folder_need(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

static inline void
folder_make(const char *parent)
{
	(void)snprintf(
	    folder_path, sizeof(folder_path), "%s/mtlog-test-XXXXXX", parent);
	folder_need(mkdtemp(folder_path) != NULL, folder_path);
}

/* Through descriptors: a test may have made a path too long for one. */
static inline void
folder_remove_below(int fd)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	folder_need(d != NULL, "fdopendir");
	while ((e = readdir(d))) {
		int below;

		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    unlinkat(fd, e->d_name, 0) == 0 || errno != EISDIR)
			continue;
		below =
		    openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (below >= 0)
			folder_remove_below(below);
		(void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
	}
	(void)closedir(d);
}

static inline void
folder_remove(void)
{
	int fd = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	folder_need(fd >= 0, folder_path);
	folder_remove_below(fd);
	folder_need(rmdir(folder_path) == 0, folder_path);
}

/* Leases mean something there: not on overlayfs, nor over a network. */
static inline int
folder_has_leases(void)
{
	int fd = open(folder_path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct statfs fs;
	char link[40];
	int again, ok;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	again = open(link, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
	ok = again >= 0 && fstatfs(again, &fs) == 0 &&
	    (uint32_t)fs.f_type != 0x794c7630 &&
	    fcntl(again, F_SETLEASE, F_RDLCK) == 0;
	if (again >= 0)
		(void)close(again);
	return ok;
}

/* folder_make where leases are to be had; 0: nowhere. */
static inline int
folder_make_with_leases(void)
{
	static const char *const parents[] = {"/tmp", "/var/tmp", "/dev/shm"};

	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		if (access(parents[i], W_OK) != 0)
			continue;
		folder_make(parents[i]);
		if (folder_has_leases())
			return 1;
		folder_remove();
	}
	return 0;
}

/* The full path of a name: one of eight in turn. */
static inline const char *
folder_at(const char *name)
{
	static char paths[8][4400];
	static unsigned n;
	char *path = paths[n++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder_path, name);
	return path;
}

static inline void
folder_put_folder(const char *name)
{
	folder_need(mkdir(folder_at(name), 0755) == 0, name);
}

static inline void
folder_put(const char *name, const void *data, size_t len)
{
	int fd = open(
	    folder_at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	folder_need(fd >= 0, name);
	folder_need(write(fd, data, len) == (ssize_t)len, name);
	(void)close(fd);
}

/* `len` bytes, not the same for every `seed`. */
static inline void
folder_fill(uint8_t *out, size_t len, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15U + 1;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		out[i] = (uint8_t)x;
	}
}

#endif
