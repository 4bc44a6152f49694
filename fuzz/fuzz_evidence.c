/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a file of evidence. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* What is verified are two heads that are not the same. */
static void
check_verify(const struct evidence *e)
{
	struct key_verifier *verifier;
	struct checkpoint heads[2];
	AUTO(hasher) h = {0};
	struct error err = {0};

	must(hasher_open(&h, &err));
	verifier = key_verifier_open(&err);
	must(verifier != NULL);
	if (evidence_verify(e, &e->key, &h, verifier, heads, &err)) {
		must(heads[0].size <= heads[1].size);
		must(!hash_equal(&heads[0].root, &heads[1].root));
	} else {
		must(err.code == ERR_BADSIG || err.code == ERR_SYNTAX ||
		    err.code == ERR_LIMIT || err.code == ERR_DENIED);
	}
	key_verifier_close(verifier);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	AUTO(buf) again = BUF_INIT(size);
	struct error err = {0};
	struct evidence e;

	if (!evidence_parse(in, &e, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		return 0;
	}
	evidence_format(&e, &again);
	must(buf_ok(&again, &err));
	must(bytes_equal(buf_bytes(&again), in));
	check_verify(&e);
	return 0;
}
