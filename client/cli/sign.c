/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/signing.h"
#include "client/cli/verbs.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/file.h"

static const struct cli_option options[] = {
    CLI_SIGN_OPTIONS,
    {0},
};

static int
run(struct cli_args *a, struct error *err)
{
	struct cli_signer who;
	struct cli_signed s = {0};
	AUTO(buf) digest = BUF_INIT(2 * HASH_LEN);
	bool ok = cli_signer_open(a, &who, err) &&
	    cli_sign_with(a, &who, &s, err) &&
	    file_write(s.path, buf_bytes(&s.bundle), 0644, err);

	if (ok) {
		hex_put(&digest, hash_bytes(&s.statement));
		(void)printf("%s: signed as %.*s, statement %.*s\n", s.path,
		    (int)s.name.len, (const char *)s.name.ptr, (int)digest.len,
		    (const char *)digest.ptr);
	}
	cli_signed_release(&s);
	cli_signer_close(&who);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_sign = {
    .name = "sign",
    .arguments = "MODEL",
    .summary = "Sign a model: a bundle that lists and hashes all its files",
    .details =
	"Writes MODEL/model.sig (MODEL.sig for a single file). The bundle is\n"
	"not logged; mtlog submit does that later, from another machine too.",
    .run = run,
    .options = options,
};
