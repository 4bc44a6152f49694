/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the body of an add-checkpoint request. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/witness_request.h"

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
	struct bytes in = bytes_of(data, size);
	AUTO(buf) again = BUF_INIT(size);
	struct witness_request r;
	struct error err = {0};
	struct checkpoint head;
	AUTO(note) note = {0};

	if (!witness_request_parse(in, &r, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		return 0;
	}
	must(note_parse(r.checkpoint, &note, &err));
	must(checkpoint_parse(note.text, &head, &err));
	witness_request_format(&r, &again);
	must(buf_ok(&again, &err));
	must(bytes_equal(buf_bytes(&again), in));
	return 0;
}
