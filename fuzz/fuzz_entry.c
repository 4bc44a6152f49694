/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/model/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses as a leaf is exactly what the entry formats to. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf) again = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(entry) e = {0};
	struct bytes leaf = bytes_of(data, size);
	struct error err = {0};

	if (!entry_parse(leaf, &e, &err)) {
		if (err.code != ERR_SYNTAX && err.code != ERR_LIMIT)
			abort();
		return 0;
	}
	entry_format(&e, &again);
	if (!bytes_equal(buf_bytes(&again), leaf))
		abort();
	return 0;
}
