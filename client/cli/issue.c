/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/issue.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/file.h"

#define NAME_DIGITS 16
#define NAMES_MAX   64

bool
issuer_open(
    const struct cli_args *a, bool signs, struct issuer *out, struct error *err)
{
	*out = (struct issuer){.args = a, .signs = signs};
	out->logs = !cli_flag(a, "--no-log");
	if (!out->logs && cli_value(a, "--log"))
		return error_set(
		    err, ERR_USAGE, "say --log URL or --no-log, not both");
	return (!signs || cli_signer_open(a, &out->who, err)) &&
	    (!out->logs || cli_log_open(a, &out->log, err));
}

void
issuer_close(struct issuer *i)
{
	if (i->logs)
		cli_log_close(&i->log);
	if (i->signs)
		cli_signer_close(&i->who);
}

void
issued_release(struct issued *s)
{
	buf_release(&s->bundle);
}

struct bytes
issue_verifier(const struct issuer *i)
{
	struct bytes in_the_bundle = {0};

	if (i->who.identity.certificate_count > 0)
		return in_the_bundle;
	return buf_bytes(&i->who.signer.spki);
}

/* What nobody would read must not be signed. */
static bool
is_read(struct bytes payload, struct error *err)
{
	struct statement s = {0};
	struct error why = {0};
	bool ok = statement_parse(payload, &s, &why);

	statement_release(&s);
	return ok || error_set(err, ERR_USAGE, "%s", why.text);
}

bool
issue_sign(struct issuer *i, const char *word, const struct statement *s,
    struct issued *out, struct error *err)
{
	AUTO(buf) payload = BUF_INIT(STATEMENT_SIDE_MAX);
	struct envelope e = {.payload_type = BYTES_LIT(DSSE_IN_TOTO)};

	*out = (struct issued){.word = word};
	buf_init(&out->bundle, BUNDLE_MAX_LEN);
	statement_format(s, &payload);
	e.payload = buf_bytes(&payload);
	return buf_ok(&payload, err) && is_read(e.payload, err) &&
	    sign_bundle(&i->who.identity, e.payload, &out->bundle, err) &&
	    dsse_statement_digest(&e, &out->statement, err);
}

bool
issue_log(struct issuer *i, const char *what, struct bytes verifier,
    struct issued *s, struct error *err)
{
	struct buf done = BUF_INIT(BUNDLE_MAX_LEN);

	if (!i->logs)
		return true;
	cli_say_public(&i->log);
	(void)fputs(what, stderr);
	if (!cli_confirm("Publish it?", cli_flag(i->args, "--yes"), err))
		return false;
	if (!cli_log_bundle(&i->log, buf_bytes(&s->bundle), verifier, &done,
		&s->index, err)) {
		buf_release(&done);
		return false;
	}
	buf_release(&s->bundle);
	s->bundle = done; /* transferred */
	return true;
}

static bool
make_folder(const char *path, struct error *err)
{
	struct error why = {0};
	struct stat st;

	if (stat(path, &st) == 0 || folder_create(path, 0755, &why) ||
	    why.code == ERR_CONFLICT)
		return true;
	*err = why;
	return false;
}

/* Two who state the same have the same S: neither may replace the other's. */
static bool
is_anothers(const char *path, const struct issued *s)
{
	AUTO(buf) text = BUF_INIT(BUNDLE_MAX_LEN);
	struct bundle theirs = {0}, ours = {0};
	struct error ignored = {0};
	bool same = !file_read(path, &text, &ignored) ||
	    (bundle_parse(buf_bytes(&text), &theirs, &ignored) &&
		bundle_parse(buf_bytes(&s->bundle), &ours, &ignored) &&
		theirs.material == ours.material &&
		bytes_equal(theirs.hint, ours.hint) &&
		bytes_equal(theirs.certificates[0], ours.certificates[0]));

	bundle_release(&theirs);
	bundle_release(&ours);
	return !same;
}

/* The first name that is free, or has the same statement of the same key. */
static bool
free_path(const struct issued *s, const char *folder, const char *digest,
    char **out, struct error *err)
{
	for (unsigned i = 1; i <= NAMES_MAX; i++) {
		char suffix[16] = "";

		if (i > 1)
			(void)snprintf(suffix, sizeof(suffix), "-%u", i);
		if (asprintf(out, "%s/%s-%.*s%s.sigstore.json", folder, s->word,
			NAME_DIGITS, digest, suffix) < 0) {
			*out = NULL;
			return error_set(err, ERR_INTERNAL, "out of memory");
		}
		if (!is_anothers(*out, s))
			return true;
		free(*out);
		*out = NULL;
	}
	return error_set(err, ERR_CONFLICT,
	    "%s has %d files of this statement already", folder, NAMES_MAX);
}

bool
issue_write(const struct issuer *i, const struct issued *s, const char *folder,
    struct error *err)
{
	AUTO(buf) digest = BUF_INIT(2 * HASH_LEN + 1);
	char *path = NULL;
	bool ok;

	hex_put(&digest, hash_bytes(&s->statement));
	buf_put_u8(&digest, '\0');
	if (!buf_ok(&digest, err) || !make_folder(folder, err))
		return false;
	if (!free_path(s, folder, (const char *)digest.ptr, &path, err))
		return false;
	ok = file_write(path, buf_bytes(&s->bundle), 0644, err);
	if (ok && i->logs)
		(void)printf("%s: entry %llu of %s, statement %s\n", path,
		    (unsigned long long)s->index, i->log.key.name,
		    (const char *)digest.ptr);
	else if (ok)
		(void)printf("%s: signed, not logged, statement %s\n", path,
		    (const char *)digest.ptr);
	free(path);
	return ok;
}
