/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/hold_parts.h"

/* Folders in folders: a model's own, and what a loader left there. */
#define DEPTH (2 * TREE_MAX_DEPTH)

static bool
failed(const char *what, const char *path, struct error *err)
{
	struct tree_fault fault = tree_fault_of(errno);

	return error_reason(err, fault.code, fault.reason, "cannot %s %s: %s",
	    what, path, strerror(errno));
}

/*
 * Removes all that is below the folder open as `fd`, which it closes. Through
 * descriptors: a path could be longer than a path may be, and someone could put
 * a link into it. What cannot be removed stays.
 */
static void
remove_below(int fd, unsigned depth)
{
	DIR *d = fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		(void)close(fd);
		return;
	}
	while ((e = readdir(d))) {
		int below;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0 || errno != EISDIR ||
		    depth == 0)
			continue;
		below = openat(fd, e->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			remove_below(below, depth - 1);
		(void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
	}
	(void)closedir(d);
}

void
hold_dir_remove(struct hold *h)
{
	int fd;

	/* A child of ours that closes its copy leaves the folder to us. */
	if (h->folder && h->folder_owner == getpid()) {
		fd = open(
		    h->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			remove_below(fd, DEPTH);
		(void)rmdir(h->folder);
	}
	free(h->folder);
	h->folder = NULL;
}

/* Makes the folders of `path`, which is in the folder open as `at`. */
static bool
make_folders(int at, char *path, struct error *err)
{
	for (char *slash = strchr(path, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(at, path, 0700) != 0 && errno != EEXIST)
			return failed("make the folder", path, err);
		*slash = '/';
	}
	return true;
}

/* A descriptor that is this file and nothing else, as long as the hold. */
static int
own_descriptor(struct hold *h, struct held *f)
{
	if (f->fd >= 0)
		return f->fd;
	if (f->link_fd >= 0)
		return f->link_fd;
	if (!hold_slot(h)) {
		errno = EMFILE;
		return -1;
	}
	f->link_fd = hold_copy_single(h->arena.fd, f->offset, f->size);
	return f->link_fd;
}

static bool
make_link(struct hold *h, int at, struct held *f, struct bytes name,
    struct error *err)
{
	char path[PATH_MAX], target[40];
	int fd = own_descriptor(h, f);

	if (fd < 0)
		return failed("make a link to", "a file", err);
	if (name.len >= sizeof(path) || !tree_name_relative(name))
		return error_set(
		    err, ERR_SYNTAX, "a file's name cannot be a link's");
	memcpy(path, name.ptr, name.len);
	path[name.len] = '\0';
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	return make_folders(at, path, err) &&
	    (symlinkat(target, at, path) == 0 ||
		failed("make the link", path, err));
}

static bool
make_links(struct hold *h, struct error *err)
{
	int at = open(h->folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = at >= 0 || failed("open the folder", h->folder, err);

	for (size_t i = 0; ok && i < h->count; i++) {
		struct held *f = &h->files[i];
		bool single = bytes_equal(f->name, BYTES_LIT("."));

		ok = make_link(h, at, f, single ? h->base : f->name, err);
	}
	if (at >= 0)
		(void)close(at);
	return ok;
}

static void
close_links(struct hold *h)
{
	for (size_t i = 0; i < h->count; i++) {
		struct held *f = &h->files[i];

		if (f->link_fd < 0)
			continue;
		(void)close(f->link_fd);
		f->link_fd = -1;
		hold_slot_back(h);
	}
}

static bool
make_folder(struct hold *h, const char *parent, struct error *err)
{
	if (asprintf(&h->folder, "%s/mtlog-XXXXXX", parent) < 0) {
		h->folder = NULL;
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	if (!mkdtemp(h->folder)) {
		(void)failed("make a folder in", parent, err);
		free(h->folder);
		h->folder = NULL;
		return false;
	}
	h->folder_owner = getpid();
	if (make_links(h, err))
		return true;
	/* Taking it away needs descriptors, which there may be none of. */
	close_links(h);
	hold_dir_remove(h);
	return false;
}

const char *
hold_dir(struct hold *h, const char *parent, struct error *err)
{
	const char *path = NULL;

	if (h->reached < HELD_COPY) {
		(void)error_reason(err, ERR_DENIED, "hold-too-weak",
		    "a folder of links needs all files held by copy or "
		    "verity; the weakest is held by: %s",
		    hold_kind_name(h->reached));
		return NULL;
	}
	(void)pthread_mutex_lock(&h->lock);
	if (h->folder || make_folder(h, parent, err))
		path = h->folder;
	(void)pthread_mutex_unlock(&h->lock);
	return path;
}
