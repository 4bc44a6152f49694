/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a log entry in JSON. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/model/tle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Escapes in the JSON that is written can make it longer. */
	AUTO(buf) first = BUF_INIT(TLE_MAX_LEN);
	AUTO(buf) second = BUF_INIT(TLE_MAX_LEN);
	struct error err = {0};
	AUTO(tle) t = {0};
	AUTO(tle) again = {0};

	if (!tle_parse(bytes_of(data, size), &t, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		return 0;
	}
	must(t.proof.len <= PROOF_MAX_HASHES);
	tle_format(&t, &first);
	if (first.failed)
		return 0;
	must(tle_parse(buf_bytes(&first), &again, &err));
	must(again.index == t.index && again.size == t.size);
	must(bytes_equal(again.checkpoint, t.checkpoint));
	must(bytes_equal(again.body, t.body));
	tle_format(&again, &second);
	must(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	return 0;
}
