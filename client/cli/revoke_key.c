/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "client/cli/cosigned.h"
#include "client/cli/issue.h"
#include "client/cli/verbs.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/crypto/pem.h"
#include "io/file.h"

static const struct cli_option options[] = {
    CLI_ISSUE_OPTIONS,
    {"--of", "PEM", "another's public key; else --key revokes itself", false},
    {"--bundle", "FILE", "publish this revocation: KEY.revoke", false},
    {"--public-key", "PEM", "the key of --bundle; else KEY.pub beside it",
	false},
    {"--reason", "WORD", "compromised, lost or retired", false},
    {"--earlier", "WORD", "what it signed before: keep (default) or withdraw",
	false},
    {"--output", "FOLDER", "where it goes; else the current folder", false},
    {0},
};

static bool
read_public(const char *path, struct buf *spki, struct error *err)
{
	AUTO(buf) text = BUF_INIT(PRIVATE_KEY_MAX_LEN);

	return file_read(path, &text, err) &&
	    (pem_public_key(buf_bytes(&text), spki, err) ||
		error_prefix(err, "%s", path));
}

static void
describe(const struct hash *key, bool earlier_withdrawn, struct buf *what)
{
	buf_put_str(what, "  the revocation of the key ");
	hex_put(what, hash_bytes(key));
	buf_put_str(what,
	    earlier_withdrawn
		? "\n  All that it ever signed is refused for ever.\n"
		: "\n  What it signs from now on is refused for ever.\n");
	buf_put_u8(what, '\0');
}

static bool
keep(struct issuer *who, const char *what, struct bytes verifier,
    struct issued *out, struct error *err)
{
	const char *folder = cli_value(who->args, "--output");

	return issue_log(who, what, verifier, out, err) &&
	    issue_write(who, out, folder ? folder : ".", err);
}

static bool
revoke(const struct cli_args *a, struct issuer *who, struct error *err)
{
	const char *reason = cli_need(a, "--reason", err);
	const char *earlier = cli_value(a, "--earlier");
	const char *of = cli_value(a, "--of");
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) what = BUF_INIT(4096);
	AUTO(hasher) h = {0};
	struct statement_subject subject = {.name = BYTES_LIT("key")};
	struct statement s = {
	    .kind = STATEMENT_REVOCATION,
	    .subject_count = 1,
	    .subjects = &subject,
	    .earlier_withdrawn = earlier && strcmp(earlier, "withdraw") == 0,
	};
	struct issued out = {0};
	bool ok;

	if (!reason)
		return false;
	if (earlier && !s.earlier_withdrawn && strcmp(earlier, "keep") != 0)
		return error_set(err, ERR_USAGE,
		    "--earlier is keep or withdraw, not %s", earlier);
	s.reason = bytes_str(reason);
	if (!issuer_open(a, true, who, err))
		return false;
	if (of && !read_public(of, &spki, err))
		return false;
	if (!of)
		buf_put(&spki, buf_bytes(&who->who.signer.spki));
	if (!buf_ok(&spki, err) || !hasher_open(&h, err))
		return false;
	sha256(&h, buf_bytes(&spki), &subject.digest);
	describe(&subject.digest, s.earlier_withdrawn, &what);
	ok = hasher_ok(&h, err) && buf_ok(&what, err) &&
	    issue_sign(who, "revocation", &s, &out, err) &&
	    keep(who, (const char *)what.ptr, issue_verifier(who), &out, err);
	issued_release(&out);
	return ok;
}

/* The public key of KEY.revoke is KEY.pub. */
static char *
public_of(const struct cli_args *a, const char *bundle)
{
	const char *given = cli_value(a, "--public-key");
	size_t n = strlen(bundle);
	char *out = NULL;

	if (given)
		return strdup(given);
	if (n > 7 && strcmp(bundle + n - 7, ".revoke") == 0)
		n -= 7;
	return asprintf(&out, "%.*s.pub", (int)n, bundle) < 0 ? NULL : out;
}

/* A revocation that was signed before; its digest and what it says. */
static bool
read_revocation(const char *path, struct issued *out, struct buf *what,
    bool *bare, struct error *err)
{
	struct bundle b = {0};
	struct statement s = {0};
	bool ok;

	out->word = "revocation";
	buf_init(&out->bundle, BUNDLE_MAX_LEN);
	ok = file_read(path, &out->bundle, err) &&
	    bundle_parse(buf_bytes(&out->bundle), &b, err) &&
	    statement_parse(b.envelope.payload, &s, err) &&
	    dsse_statement_digest(&b.envelope, &out->statement, err);
	if (ok && s.kind != STATEMENT_REVOCATION)
		ok = error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "it revokes no key");
	if (ok) {
		*bare = b.material == BUNDLE_KEY;
		describe(&s.subjects[0].digest, s.earlier_withdrawn, what);
	}
	statement_release(&s);
	bundle_release(&b);
	return ok || error_prefix(err, "%s", path);
}

static bool
publish(const struct cli_args *a, const char *bundle, struct issuer *who,
    struct error *err)
{
	static const char *const signing[] = {
	    "--key", "--of", "--reason", "--earlier", "--no-log"};
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) what = BUF_INIT(4096);
	struct issued out = {0};
	bool bare = false, ok;
	char *public;

	for (size_t i = 0; i < sizeof(signing) / sizeof(signing[0]); i++)
		if (cli_values(a, signing[i]))
			return error_set(err, ERR_USAGE,
			    "%s does not go with --bundle, which is signed "
			    "already",
			    signing[i]);
	public = public_of(a, bundle);
	ok = public || error_set(err, ERR_INTERNAL, "out of memory");
	ok = ok && issuer_open(a, false, who, err) &&
	    read_revocation(bundle, &out, &what, &bare, err) &&
	    (!bare || read_public(public, &spki, err)) && buf_ok(&what, err) &&
	    keep(who, (const char *)what.ptr, buf_bytes(&spki), &out, err);
	issued_release(&out);
	free(public);
	return ok;
}

static int
run(struct cli_args *a, struct error *err)
{
	const char *bundle = cli_value(a, "--bundle");
	struct issuer who = {0};
	bool ok;

	if (a->operand_count > 0) {
		(void)error_set(
		    err, ERR_USAGE, "say the key with --key, --of or --bundle");
		return -1;
	}
	ok = (bundle ? publish(a, bundle, &who, err) : revoke(a, &who, err)) &&
	    cosigned_end(&who.log, err);
	issuer_close(&who);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_revoke_key = {
    .name = "revoke-key",
    .arguments = "",
    .summary = "Sign and log that a key must not be believed any more",
    .details =
	"With --key it revokes itself, or with --of another's key where a "
	"policy\n"
	"lets this one (withdrawn-by). A lost key is revoked with the "
	"KEY.revoke\n"
	"that mtlog key new wrote. Entries from before stay good, unless\n"
	"--earlier withdraw.",
    .run = run,
    .options = options,
};
