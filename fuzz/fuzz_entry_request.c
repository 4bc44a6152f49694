/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A submission that is taken gives a leaf that parses back to the same entry;
 * one that is refused has a reason and a sentence of valid UTF-8.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) again = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(entry) e = {0};
	AUTO(entry) back = {0};
	struct error err = {0};

	if (!entry_request_parse(bytes_of(data, size), &e, &err)) {
		if ((err.code != ERR_SYNTAX && err.code != ERR_LIMIT) ||
		    !err.reason || err.text[0] == '\0' ||
		    !utf8_valid(bytes_str(err.text)))
			abort();
		return 0;
	}
	entry_format(&e, &leaf);
	if (leaf.failed || !entry_parse(buf_bytes(&leaf), &back, &err))
		abort();
	entry_format(&back, &again);
	if (!bytes_equal(buf_bytes(&leaf), buf_bytes(&again)))
		abort();
	return 0;
}
