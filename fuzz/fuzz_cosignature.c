/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a cosigned checkpoint. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/cosignature.h"

#define WITNESS                                                                \
	"w1.example+2e5a873e+BEJsmvX7Hh64uz0bJumMGBaInv6XNFK02hmLFbdmrnUe"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_payload(struct bytes payload, enum note_type type)
{
	AUTO(buf) again = BUF_INIT(payload.len);
	struct error err = {0};
	struct cosignature c;

	if (!cosignature_parse(payload, type, &c, &err)) {
		must(err.code == ERR_SYNTAX);
		return;
	}
	must(c.time <= (uint64_t)INT64_MAX);
	cosignature_format(&c, &again);
	must(bytes_equal(buf_bytes(&again), payload));
}

/* What verifies does so for this text alone. */
static void
check_verify(struct note *n)
{
	struct cosignature_times t;
	struct key_verifier *verifier;
	struct error err = {0};
	struct vkey key;

	must(vkey_parse(BYTES_LIT(WITNESS), &key, &err));
	verifier = key_verifier_open(&err);
	must(verifier != NULL);
	if (cosignature_verify(n, &key, verifier, &t, &err)) {
		must(t.first > 0 && t.first <= t.last);
		n->text.len--;
		must(!cosignature_verify(n, &key, verifier, &t, &err));
	}
	must(err.code == ERR_BADSIG || err.code == ERR_NOTFOUND ||
	    err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
	key_verifier_close(verifier);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	AUTO(note) n = {0};

	check_payload(bytes_of(data, size), NOTE_COSIGNATURE);
	check_payload(bytes_of(data, size), NOTE_MLDSA44);
	if (!note_parse(bytes_of(data, size), &n, &err))
		return 0;
	for (size_t i = 0; i < n.signature_count; i++) {
		check_payload(n.signatures[i].signature, NOTE_COSIGNATURE);
		check_payload(n.signatures[i].signature, NOTE_MLDSA44);
	}
	check_verify(&n);
	return 0;
}
