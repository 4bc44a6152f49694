/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a .sct file (tests/support/make_sigstore_vectors.py). */
#include <stdlib.h>

#include "tests/support/sct_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any verdict, always with its reason, and no crash. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct key_verifier *v = key_verifier_open(&err);
	bool readable;

	if (!v)
		abort();
	if (!sct_file_verify(bytes_of(data, size), v, &readable, &err) &&
	    readable && (err.code == ERR_NONE || err.code == ERR_INTERNAL))
		abort();
	key_verifier_close(v);
	return 0;
}
