/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/crypto/pem.h"
#include "io/file.h"
#include "io/pkcs11.h"

#define CERTIFICATES_MAX (BUNDLE_MAX_CERTIFICATES * CERTIFICATE_MAX_LEN)

void
cli_secret_release(struct buf *secret)
{
	if (secret->ptr)
		explicit_bzero(secret->ptr, secret->cap);
	buf_release(secret);
}

/* The first line of what a descriptor gives, however long the rest is. */
static bool
read_line(int fd, const char *from, struct buf *out, struct error *err)
{
	for (;;) {
		uint8_t c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(
			    err, ERR_IO, "%s cannot be read: %m", from);
		if (n == 0 || c == '\n')
			return buf_ok(out, err);
		buf_put_u8(out, c);
	}
}

/* Asks on the terminal itself, whatever standard input is, without echo. */
static bool
ask(const char *prompt, struct buf *out, struct error *err)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, quiet;
	bool ok;

	if (fd < 0)
		return error_reason(err, ERR_DENIED, "key-unavailable",
		    "the key needs a passphrase, and there is no terminal to "
		    "ask for it: say --passphrase-file FILE");
	ok = tcgetattr(fd, &before) == 0;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	ok = ok && tcsetattr(fd, TCSAFLUSH, &quiet) == 0 &&
	    dprintf(fd, "%s: ", prompt) > 0;
	if (!ok)
		(void)error_set(
		    err, ERR_IO, "the terminal cannot be asked: %m");
	else
		ok = read_line(fd, "the terminal", out, err);
	(void)tcsetattr(fd, TCSAFLUSH, &before);
	(void)dprintf(fd, "\n");
	(void)close(fd);
	return ok;
}

static bool
read_file_line(const char *path, struct buf *out, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool ok;

	if (fd < 0)
		return error_reason(err, ERR_IO, "key-unavailable",
		    "%s cannot be read: %m", path);
	ok = read_line(fd, path, out, err);
	(void)close(fd);
	return ok;
}

/* From the file or descriptor that was named. `*named`: whether one was. */
static bool
named_passphrase(
    const struct cli_args *a, struct buf *out, bool *named, struct error *err)
{
	const char *file = cli_value(a, "--passphrase-file");
	const char *number = cli_value(a, "--passphrase-fd");
	uint64_t fd;

	*named = file || number;
	if (file && number)
		return error_set(err, ERR_USAGE,
		    "say --passphrase-file or --passphrase-fd, not both");
	if (number) {
		if (!decimal_parse(bytes_str(number), &fd) || fd > 1000000)
			return error_set(err, ERR_USAGE,
			    "--passphrase-fd %s is no descriptor", number);
		return read_line((int)fd, "--passphrase-fd", out, err);
	}
	return !file || read_file_line(file, out, err);
}

bool
cli_new_passphrase(const struct cli_args *a, struct buf *out, struct error *err)
{
	struct buf again = BUF_INIT(PASSPHRASE_MAX_LEN);
	const char *file = cli_value(a, "--new-passphrase-file");
	bool ok;

	if (file)
		return read_file_line(file, out, err) &&
		    (out->len > 0 ||
			error_set(err, ERR_USAGE, "%s is empty", file));
	ok = ask("passphrase for the new key", out, err) &&
	    ask("once more", &again, err);
	if (ok &&
	    (out->len == 0 || !bytes_equal(buf_bytes(out), buf_bytes(&again))))
		ok = error_set(
		    err, ERR_USAGE, "the passphrases are empty or differ");
	cli_secret_release(&again);
	return ok;
}

/* Without a passphrase first, since most keys have none. */
static struct private_key *
parse_key(const struct cli_args *a, struct bytes pem, struct error *err)
{
	struct buf passphrase = BUF_INIT(PASSPHRASE_MAX_LEN);
	struct error why = {0};
	struct private_key *key;
	bool named, ok;

	ok = named_passphrase(a, &passphrase, &named, err);
	key = ok ? private_key_parse(pem, buf_bytes(&passphrase), &why) : NULL;
	if (ok && !key && !named && why.code == ERR_DENIED) {
		why = (struct error){0};
		ok = ask("passphrase of the key", &passphrase, err);
		key = ok ? private_key_parse(pem, buf_bytes(&passphrase), &why)
			 : NULL;
	}
	cli_secret_release(&passphrase);
	if (ok && !key) {
		why.reason = "key-unavailable";
		*err = why;
	}
	return key;
}

static bool
open_pem(const struct cli_args *a, const char *path, struct cli_signer *out,
    struct error *err)
{
	struct buf pem = BUF_INIT(PRIVATE_KEY_MAX_LEN);

	if (file_read(path, &pem, err)) {
		out->key = parse_key(a, buf_bytes(&pem), err);
		if (!out->key)
			(void)error_prefix(err, "%s", path);
	} else {
		err->reason = "key-unavailable";
	}
	cli_secret_release(&pem);
	return out->key && signer_of_key(out->key, &out->signer, err);
}

/* What a token asks for when it wants its PIN. */
static bool
give_pin(void *arg, const char *token, struct buf *pin, struct error *err)
{
	char prompt[128];
	bool named;

	(void)snprintf(prompt, sizeof(prompt), "PIN of %s", token);
	return named_passphrase(arg, pin, &named, err) &&
	    (named || ask(prompt, pin, err));
}

static bool
open_token(const struct cli_args *a, const char *text, struct cli_signer *out,
    struct error *err)
{
	/* give_pin only reads the arguments. */
	struct pkcs11_pin pin = {give_pin, (void *)(uintptr_t)a};
	struct pkcs11_uri *uri = malloc(sizeof(*uri));
	bool parsed;

	if (!uri)
		return error_set(err, ERR_INTERNAL, "out of memory");
	parsed = pkcs11_uri_parse(bytes_str(text), uri, err);
	if (parsed)
		out->token = pkcs11_open(uri, &pin, err);
	free(uri);
	if (!parsed) {
		err->code = ERR_USAGE;
		err->reason = NULL;
		return false;
	}
	if (out->token && pkcs11_signer(out->token, &out->signer, err))
		return true;
	err->reason = "key-unavailable";
	return false;
}

/* All certificates of a file, in their order. */
static bool
add_certificates(const char *path, struct cli_signer *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(CERTIFICATES_MAX * 2);
	struct reader r;
	struct bytes label;
	size_t before = out->identity.certificate_count;

	if (!file_read(path, &text, err))
		return false;
	reader_init(&r, buf_bytes(&text));
	for (;;) {
		AUTO(buf) der = BUF_INIT(CERTIFICATE_MAX_LEN);
		size_t n = out->identity.certificate_count;

		if (!pem_next(&r, &label, &der, err))
			break;
		if (!bytes_equal(label, BYTES_LIT("CERTIFICATE")))
			return error_set(err, ERR_USAGE,
			    "%s holds something else than certificates", path);
		if (n == BUNDLE_MAX_CERTIFICATES)
			return error_set(err, ERR_USAGE,
			    "more than %d certificates",
			    BUNDLE_MAX_CERTIFICATES);
		/* Room for all was taken at the start: views stay valid. */
		out->identity.certificates[n] = bytes_of(
		    out->certificates.ptr + out->certificates.len, der.len);
		buf_put(&out->certificates, buf_bytes(&der));
		out->identity.certificate_count++;
	}
	if (err->code != ERR_NONE)
		return error_prefix(err, "%s", path);
	return out->identity.certificate_count > before ||
	    error_set(err, ERR_USAGE, "%s holds no certificate", path);
}

static bool
open_certificates(
    const struct cli_args *a, struct cli_signer *out, struct error *err)
{
	const char *leaf = cli_value(a, "--certificate");
	const char *const *chain = cli_values(a, "--chain");
	bool ok;

	if (!leaf)
		return !chain ||
		    error_set(
			err, ERR_USAGE, "--chain goes with --certificate PEM");
	buf_init(&out->certificates, CERTIFICATES_MAX);
	if (!buf_reserve(&out->certificates, CERTIFICATES_MAX))
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = add_certificates(leaf, out, err);
	for (size_t i = 0; ok && chain && chain[i]; i++)
		ok = add_certificates(chain[i], out, err);
	return ok;
}

bool
cli_signer_open(
    const struct cli_args *a, struct cli_signer *out, struct error *err)
{
	return cli_signer_open_as(a, "--key", out, err);
}

bool
cli_signer_open_as(const struct cli_args *a, const char *option,
    struct cli_signer *out, struct error *err)
{
	const char *key = cli_need(a, option, err);

	*out = (struct cli_signer){0};
	if (!key)
		return false;
	if (!(strncmp(key, "pkcs11:", 7) == 0 ? open_token(a, key, out, err)
					      : open_pem(a, key, out, err)))
		return false;
	out->identity.signer = &out->signer;
	return open_certificates(a, out, err);
}

void
cli_signer_close(struct cli_signer *s)
{
	signer_release(&s->signer);
	private_key_close(s->key);
	pkcs11_close(s->token);
	buf_release(&s->certificates);
	*s = (struct cli_signer){0};
}
