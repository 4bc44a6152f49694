/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/crypto/hash.h"
#include "io/file.h"

static bool
may_be_trusted(
    const char *path, const struct stat *st, bool pinned, struct error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_reason(err, ERR_DENIED, "permission",
		    "%s is not a regular file", path);
	if (pinned)
		return true;
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return error_reason(err, ERR_DENIED, "permission",
		    "%s belongs to another user, who could change it; copy it, "
		    "or name its SHA-256",
		    path);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return error_reason(err, ERR_DENIED, "permission",
		    "%s may be written by others; chmod go-w, or name its "
		    "SHA-256",
		    path);
	return true;
}

static bool
read_all(int fd, const char *path, struct buf *out, struct error *err)
{
	for (;;) {
		uint8_t *place = buf_reserve(out, 8192);
		ssize_t n;

		/* The last bytes before the limit come in smaller pieces. */
		if (!place) {
			size_t left = out->limit - out->len;

			out->failed = false;
			place = left > 0 ? buf_reserve(out, left) : NULL;
			if (!place)
				return error_set(err, ERR_USAGE,
				    "%s is larger than %zu bytes", path,
				    out->limit);
			n = read(fd, place, left);
		} else {
			n = read(fd, place, 8192);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(
			    err, ERR_IO, "%s cannot be read: %m", path);
		if (n == 0)
			return true;
		buf_grow(out, (size_t)n);
	}
}

static bool
is_digest(struct bytes text, const char *digits, struct error *err)
{
	struct hash want, got;
	AUTO(hasher) h = {0};

	if (!hex_decode(bytes_str(digits), want.b, HASH_LEN))
		return error_set(err, ERR_USAGE,
		    "a policy's SHA-256 is 64 lower-case hex digits");
	if (!hasher_open(&h, err))
		return false;
	sha256(&h, text, &got);
	if (!hasher_ok(&h, err))
		return false;
	return hash_equal(&want, &got) ||
	    error_set(err, ERR_USAGE,
		"the policy is another one than its SHA-256 says");
}

bool
policy_file_read(
    const char *path, const char *sha256, struct buf *out, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool ok;

	if (fd < 0)
		return error_reason(err,
		    errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
		    errno == EACCES ? "permission" : "missing",
		    "%s cannot be read: %m", path);
	ok = fstat(fd, &st) == 0 ||
	    error_set(err, ERR_IO, "%s cannot be read: %m", path);
	ok = ok && may_be_trusted(path, &st, sha256 != NULL, err) &&
	    read_all(fd, path, out, err) &&
	    (!sha256 || is_digest(buf_bytes(out), sha256, err));
	(void)close(fd);
	return ok;
}
