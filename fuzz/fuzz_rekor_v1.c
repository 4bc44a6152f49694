/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the JSON of an entry. */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/identity/rekor_v1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* Under a log whose key nobody has, and of a subject that nobody signed, no
 * entry is good. */
static void
check(const struct rekor_v1 *e)
{
	static const uint8_t signature[] = {
	    0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};
	static const uint8_t point[32] = {1};
	const struct rekor_v1_subject subject = {
	    .signature = BYTES_OF(signature),
	    .certificate = BYTES_OF(signature),
	};
	struct trust_log log = {
	    .name = BYTES_LIT("rekor.example"),
	    .usable = true,
	    .log_id = e->log_id,
	};
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(hasher) h = {0};
	struct key_verifier *v;
	struct error err = {0}, other = {0};

	ed25519_spki_put(&spki, BYTES_OF(point));
	must(public_key_parse(buf_bytes(&spki), &log.key, &err));
	v = key_verifier_open(&err);
	must(v && hasher_open(&h, &err));
	must(!rekor_v1_verify(e, &log, &h, v, &err));
	must(err.code != ERR_INTERNAL && err.reason);
	key_verifier_close(v);
	must(!rekor_v1_match(e, &subject, &other));
	must(other.reason && strcmp(other.reason, "wrong-entry") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(rekor_v1) e = {0};
	struct error err = {0};

	if (!rekor_v1_parse(bytes_of(data, size), &e, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT ||
		    err.code == ERR_DENIED);
		must(err.reason && e.storage.ptr == NULL);
		return 0;
	}
	must(e.proof.len <= PROOF_MAX_HASHES && e.body.len > 0);
	must(e.has_proof || e.checkpoint.len == 0);
	check(&e);
	return 0;
}
