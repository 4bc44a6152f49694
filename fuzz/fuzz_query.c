/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "server/api/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct catalog_key key = {0}, wanted[QUERY_TERMS];
	struct hasher h = {0};
	struct error err = {0};
	struct query q;

	if (!hasher_open(&h, &err))
		abort();
	if (!query_parse(bytes_of(data, size), &q, &err)) {
		if (err.code != ERR_SYNTAX || !err.reason)
			abort();
	} else {
		size_t n = query_keys(&q, &h, wanted);

		/* What is asked for has an index to look in. */
		query_key(&q, &h, &key);
		if (key.kind < INDEX_DIGEST || key.kind >= INDEX_KINDS ||
		    (n > 0) != query_by_envelope(&q) || q.limit < 1 ||
		    q.limit > QUERY_LIMIT_MAX)
			abort();
	}
	query_release(&q);
	hasher_release(&h);
	return 0;
}
