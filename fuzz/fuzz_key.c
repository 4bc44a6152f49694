/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/crypto/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A public key that parses is within its limits, has its views inside the
 * input, and is the only encoding: Ed25519 keys are written again.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes der = bytes_of(data, size);
	struct public_key key;
	struct error err = {0};

	if (!public_key_parse(der, &key, &err)) {
		if (err.code != ERR_SYNTAX && err.code != ERR_LIMIT)
			abort();
		return 0;
	}
	if (!bytes_equal(key.spki, der) || key.raw.ptr < data ||
	    key.raw.len > size ||
	    (size_t)(key.raw.ptr - data) > size - key.raw.len)
		abort();
	if (key.algorithm == KEY_ED25519) {
		struct buf again = BUF_INIT(SPKI_MAX_LEN);

		ed25519_spki_put(&again, key.raw);
		if (!bytes_equal(buf_bytes(&again), der))
			abort();
		buf_release(&again);
	}
	/* The key's own bytes as a signature: any answer, no crash. */
	err = (struct error){0};
	if (!key_signature_check(key.algorithm, key.raw, &err) &&
	    err.code != ERR_SYNTAX)
		abort();
	return 0;
}
