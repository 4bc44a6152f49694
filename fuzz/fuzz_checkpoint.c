/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the text of a checkpoint, without signatures. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/checkpoint.h"

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
	struct error err = {0};
	struct checkpoint c;

	if (!checkpoint_parse(in, &c, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		return 0;
	}
	must(note_text_valid(in));
	checkpoint_format(&c, &again);
	must(buf_ok(&again, &err));
	must(bytes_equal(buf_bytes(&again), in));
	return 0;
}
