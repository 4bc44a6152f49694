/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/signing.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/sources.h"
#include "core/base/cleanup.h"
#include "core/base/times.h"
#include "core/identity/certificate.h"
#include "io/progress.h"

void
cli_signed_release(struct cli_signed *s)
{
	free(s->path);
	buf_release(&s->payload);
	buf_release(&s->bundle);
	buf_release(&s->base);
}

static bool
read_options(
    const struct cli_args *a, struct sign_options *o, struct error *err)
{
	const char *hash = cli_value(a, "--hash");
	uint64_t threads;

	if (hash && !content_algorithm_find(bytes_str(hash), &o->algorithm))
		return error_set(err, ERR_USAGE,
		    "--hash is sha256, blake2b or blake3, not %s", hash);
	if (!cli_number(a, "--shard-size", 0, &o->shard_size, err) ||
	    !cli_number(a, "--threads", 0, &threads, err))
		return false;
	if (cli_value(a, "--shard-size") && o->shard_size == 0)
		return error_set(
		    err, ERR_USAGE, "--shard-size is at least 1 byte");
	if (threads > TREE_MAX_THREADS)
		return error_set(err, ERR_USAGE, "--threads is at most %d",
		    TREE_MAX_THREADS);
	o->threads = (unsigned)threads;
	o->ignored = cli_values(a, "--ignore");
	o->allow_symlinks = cli_flag(a, "--allow-symlinks");
	o->allow_empty = cli_flag(a, "--allow-empty-in-shards");
	o->dot_name = cli_flag(a, "--dot-name");
	return true;
}

static bool
place_of(
    const struct cli_args *a, const char *model, char **out, struct error *err)
{
	const char *given = cli_value(a, "--signature");
	struct stat st;

	if (stat(model, &st) != 0)
		return error_reason(err, ERR_NOTFOUND, "missing",
		    "%s cannot be read: %m", model);
	*out =
	    given ? strdup(given) : signature_path(model, S_ISDIR(st.st_mode));
	return *out || error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
make_payload(const struct cli_args *a, const struct sign_options *o,
    struct cli_signed *out, struct error *err)
{
	const char *name = cli_value(a, "--name");
	const char *version = cli_value(a, "--version");
	struct manifest m = {0};
	struct sign_options with_bar = *o;
	struct progress bar;
	bool ok;

	buf_init(&out->base, MANIFEST_NAME_MAX);
	buf_init(&out->payload, BUNDLE_MAX_LEN);
	progress_init(&bar, STDERR_FILENO);
	with_bar.progress = progress_update;
	with_bar.progress_arg = &bar;
	ok = sign_manifest(&with_bar, &m, &out->base, err);
	progress_release(&bar);
	out->name = name ? bytes_str(name) : buf_bytes(&out->base);
	if (version)
		out->version = bytes_str(version);
	out->resources = m.count;
	ok = ok &&
	    sign_statement(&m, out->name, out->version, &out->payload, err);
	manifest_release(&m);
	return ok;
}

bool
cli_sign_with(const struct cli_args *a, const struct cli_signer *who,
    struct cli_signed *out, struct error *err)
{
	struct sign_options o = {0};
	struct envelope e = {.payload_type = BYTES_LIT(DSSE_IN_TOTO)};

	*out = (struct cli_signed){0};
	if (a->operand_count != 1)
		return error_set(err, ERR_USAGE,
		    "say which model: mtlog %s … MODEL", a->verb->name);
	o.path = a->operands[0];
	if (!read_options(a, &o, err) || !place_of(a, o.path, &out->path, err))
		return false;
	o.signature = out->path;
	buf_init(&out->bundle, BUNDLE_MAX_LEN);
	if (!make_payload(a, &o, out, err) ||
	    !sign_bundle(
		&who->identity, buf_bytes(&out->payload), &out->bundle, err))
		return false;
	e.payload = buf_bytes(&out->payload);
	return dsse_statement_digest(&e, &out->statement, err);
}

static void
print_until(const struct cli_signer *who)
{
	AUTO(buf) text = BUF_INIT(64);
	struct error ignored = {0};
	struct certificate c;

	if (who->identity.certificate_count == 0 ||
	    !certificate_parse(who->identity.certificates[0], &c, &ignored))
		return;
	time_put(&text, c.not_after);
	(void)fprintf(stderr,
	    "  The certificate ends at %.*s. After that the signature "
	    "verifies only\n  with a witnessed time from before.\n",
	    (int)text.len, (const char *)text.ptr);
}

void
cli_say_public(const struct cli_log *log)
{
	(void)fprintf(stderr,
	    "This becomes public in %s, and can never be taken out again:\n",
	    log_client_url(log->client));
}

void
cli_say_digest(void)
{
	(void)fputs(
	    "  The log gets a digest, and not what was signed: nobody finds it "
	    "there by\n  name or file, and a watcher of this key's entries "
	    "cannot tell what it is,\n  so that its scans are incomplete.\n",
	    stderr);
}

bool
cli_ask_to_publish(const struct cli_args *a, const struct cli_signer *who,
    const struct cli_log *log, const struct cli_signed *what, struct error *err)
{
	cli_say_public(log);
	if (log->digest_only)
		(void)fputs("  the digest of the statement,\n", stderr);
	else
		(void)fprintf(stderr,
		    "  the name %.*s%s%.*s, the names and digests of %zu "
		    "files,\n",
		    (int)what->name.len, (const char *)what->name.ptr,
		    what->version.len ? " " : "", (int)what->version.len,
		    (const char *)what->version.ptr, what->resources);
	(void)fprintf(stderr, "  the signature and the %s.\n",
	    who->identity.certificate_count ? "certificate with its names"
					    : "public key");
	if (log->digest_only)
		cli_say_digest();
	print_until(who);
	return cli_confirm("Publish it?", cli_flag(a, "--yes"), err);
}
