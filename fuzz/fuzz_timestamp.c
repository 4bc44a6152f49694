/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a .stamp file (tests/support/make_timestamp_vectors.py). */
#include <stdlib.h>

#include "tests/support/stamp_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* What verifies does so for these bytes alone, and again. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stamp_file f;
	struct error err = {0}, other = {0};
	uint64_t time = 0, again = 0;
	size_t anchor = SIZE_MAX;

	if (!stamp_file_parse(bytes_of(data, size), &f))
		return 0;
	if (!timestamp_verify_by(
		f.token, f.message, &f.authority, &time, &anchor, &err)) {
		must(err.code != ERR_NONE && err.code != ERR_INTERNAL);
		must(err.reason && strcmp(err.reason, "timestamp") == 0);
		return 0;
	}
	must(anchor < f.authority.anchor_count);
	must(!timestamp_verify_by(f.token, BYTES_LIT("other bytes"),
	    &f.authority, &again, &anchor, &other));
	must(other.code == ERR_BADSIG && again == 0);
	return 0;
}
