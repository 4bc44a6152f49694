/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/signing.h"
#include "client/cli/verbs.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/file.h"

static const struct cli_option options[] = {
    CLI_SIGN_OPTIONS,
    CLI_LOG_OPTIONS,
    {0},
};

static void
tell(const struct cli_signed *s, const struct cli_log *log, uint64_t index)
{
	AUTO(buf) digest = BUF_INIT(2 * HASH_LEN);

	hex_put(&digest, hash_bytes(&s->statement));
	(void)printf("%s: %.*s is entry %llu of %s, statement %.*s\n", s->path,
	    (int)s->name.len, (const char *)s->name.ptr,
	    (unsigned long long)index, log->key.name, (int)digest.len,
	    (const char *)digest.ptr);
}

static bool
publish(const struct cli_args *a, struct error *err)
{
	AUTO(buf) done = BUF_INIT(BUNDLE_MAX_LEN);
	struct cli_signer who = {0};
	struct cli_signed s = {0};
	struct cli_log log = {0};
	uint64_t index = 0;
	struct bytes verifier = {0};
	bool ok;

	/* Nothing is written before the answer has been verified. */
	ok = cli_signer_open(a, &who, err) && cli_log_open(a, &log, err) &&
	    cli_sign_with(a, &who, &s, err) &&
	    cli_ask_to_publish(a, &who, log_client_url(log.client), &s, err);
	if (who.identity.certificate_count == 0)
		verifier = buf_bytes(&who.signer.spki);
	ok = ok &&
	    cli_log_bundle(
		&log, buf_bytes(&s.bundle), verifier, &done, &index, err) &&
	    file_write(s.path, buf_bytes(&done), 0644, err);
	if (ok)
		tell(&s, &log, index);
	cli_signed_release(&s);
	cli_log_close(&log);
	cli_signer_close(&who);
	return ok;
}

static int
run(struct cli_args *a, struct error *err)
{
	return publish(a, err) ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_publish = {
    .name = "publish",
    .arguments = "MODEL",
    .summary = "Sign a model, log it, and keep the proven bundle beside it",
    .details =
	"Says what becomes public and asks, unless --yes. The bundle is "
	"written\n"
	"only after the log's answer has been verified; repeating is safe.",
    .run = run,
    .options = options,
};
