/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a .tlog-proof file. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/tlog_proof.h"

#define LOG "log.example+328a282e+AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* What includes a leaf includes no other one there. */
static void
check_verify(const struct tlog_proof *p)
{
	struct key_verifier *verifier;
	struct checkpoint head;
	AUTO(hasher) h = {0};
	struct error err = {0};
	struct hash leaf;
	struct vkey key;

	must(hasher_open(&h, &err) && vkey_parse(BYTES_LIT(LOG), &key, &err));
	verifier = key_verifier_open(&err);
	must(verifier != NULL);
	merkle_leaf(&h, BYTES_LIT("4"), &leaf);
	if (tlog_proof_verify(p, &leaf, &key, &h, verifier, &head, &err)) {
		must(p->index == 4 && head.size == 7);
		leaf.b[0] ^= 1;
		must(!tlog_proof_verify(
		    p, &leaf, &key, &h, verifier, &head, &err));
	}
	must(err.code == ERR_BADSIG || err.code == ERR_SYNTAX ||
	    err.code == ERR_LIMIT);
	key_verifier_close(verifier);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	AUTO(buf) again = BUF_INIT(size);
	struct error err = {0};
	struct tlog_proof p;

	if (!tlog_proof_parse(in, &p, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		return 0;
	}
	tlog_proof_format(&p, &again);
	must(buf_ok(&again, &err));
	must(bytes_equal(buf_bytes(&again), in));
	check_verify(&p);
	return 0;
}
