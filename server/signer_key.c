/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"

#define KEY_FILE_MAX	    16384
#define PASSPHRASE_FILE_MAX 1024

/* A small secret file: wiped when released. */
struct secret {
	uint8_t bytes[KEY_FILE_MAX];
	size_t len;
};

static void
secret_release(struct secret *s)
{
	explicit_bzero(s, sizeof(*s));
}

static bool
file_error(struct error *err, const char *path, const char *what)
{
	int e = errno;
	enum error_code code = e == ENOENT ? ERR_NOTFOUND
	    : e == EACCES || e == EPERM	   ? ERR_DENIED
					   : ERR_IO;

	return error_set(err, code, "%s: %s: %s", path, what, strerror(e));
}

/* Checks what was opened: a plain file, not for everyone. Group rights may
 * stand, because an access list (systemd's credentials) shows as them. */
static bool
file_check(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return file_error(err, path, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_IO, "%s: not a regular file", path);
	if (st.st_mode & S_IRWXO)
		return error_set(err, ERR_DENIED,
		    "%s: open to everyone; take those rights away (chmod o=)",
		    path);
	return true;
}

static bool
file_read(
    int fd, const char *path, size_t max, struct secret *out, struct error *err)
{
	ssize_t n = 0;

	out->len = 0;
	do {
		n = read(fd, out->bytes + out->len, max - out->len);
		if (n > 0)
			out->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return file_error(err, path, "cannot read");
	if (out->len == max)
		return error_set(
		    err, ERR_LIMIT, "%s: not under %zu bytes", path, max);
	return true;
}

static int
file_open(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		file_error(err, path, "cannot open");
		return -1;
	}
	if (file_check(fd, path, err))
		return fd;
	(void)close(fd);
	return -1;
}

/* The first line, without its newline. */
static bool
passphrase_read(const char *path, struct secret *out, struct error *err)
{
	int fd = file_open(path, err);
	const uint8_t *newline;
	bool ok;

	if (fd < 0)
		return false;
	ok = file_read(fd, path, PASSPHRASE_FILE_MAX, out, err);
	(void)close(fd);
	if (!ok)
		return false;
	newline = memchr(out->bytes, '\n', out->len);
	if (newline)
		out->len = (size_t)(newline - out->bytes);
	if (out->len == 0)
		return error_set(
		    err, ERR_SYNTAX, "%s: the first line is empty", path);
	return true;
}

static bool
vkey_of(const struct private_key *key, const char *origin, struct vkey *out,
    struct error *err)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct public_key public;

	if (!private_key_public(key, &spki, err) ||
	    !public_key_parse(buf_bytes(&spki), &public, err))
		return false;
	if (public.algorithm == KEY_ED25519)
		return vkey_init(
		    out, bytes_str(origin), NOTE_ED25519, public.raw, err);
	if (public.algorithm != KEY_ECDSA_P256)
		return error_set(err, ERR_SYNTAX,
		    "the log's key is %s; a log signs with Ed25519 or ECDSA "
		    "P-256",
		    key_algorithm_name(public.algorithm));
	return vkey_init(out, bytes_str(origin), NOTE_ECDSA, public.spki, err);
}

static bool
key_load(struct signer_key *k, const struct signer_options *options,
    struct error *err)
{
	AUTO(secret) pem = {.len = 0};
	AUTO(secret) passphrase = {.len = 0};

	if (!file_read(
		k->lock_fd, options->key_path, sizeof(pem.bytes), &pem, err))
		return false;
	if (options->passphrase_path &&
	    !passphrase_read(options->passphrase_path, &passphrase, err))
		return false;
	k->private = private_key_parse(bytes_of(pem.bytes, pem.len),
	    bytes_of(passphrase.bytes, passphrase.len), err);
	if (!k->private)
		return error_prefix(err, "%s", options->key_path);
	return true;
}

bool
signer_key_open(struct signer_key *k, const struct signer_options *options,
    struct vkey *vkey, struct error *err)
{
	*k = (struct signer_key){.lock_fd = file_open(options->key_path, err)};
	if (k->lock_fd < 0)
		return false;
	if (guard_lock(
		k->lock_fd, options->key_path, options->lock_wait_ms, err) &&
	    key_load(k, options, err) &&
	    vkey_of(k->private, options->origin, vkey, err))
		return true;
	signer_key_release(k);
	return false;
}

void
signer_key_release(struct signer_key *k)
{
	if (k->private)
		private_key_close(k->private);
	if (k->lock_fd > 0)
		(void)close(k->lock_fd);
	*k = (struct signer_key){0};
}
