/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/crypto/der.h"
#include "core/crypto/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key inside a certificate is one that public_key_parse takes alone. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes der = bytes_of(data, size);
	struct public_key key, alone;
	struct error err = {0};

	if (!certificate_key_parse(der, &key, &err)) {
		if (err.code != ERR_SYNTAX && err.code != ERR_LIMIT)
			abort();
		return 0;
	}
	if (!der_well_formed(der) || key.spki.ptr < data ||
	    (size_t)(key.spki.ptr - data) > size - key.spki.len)
		abort();
	if (!public_key_parse(key.spki, &alone, &err) ||
	    alone.algorithm != key.algorithm ||
	    !bytes_equal(alone.raw, key.raw))
		abort();
	return 0;
}
