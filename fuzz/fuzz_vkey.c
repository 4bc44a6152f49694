/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the text of a verifier key. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/note.h"

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
	struct vkey v;

	if (!vkey_parse(in, &v, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		return 0;
	}
	must(note_name_valid(vkey_name(&v)));
	vkey_format(&v, &again);
	must(buf_ok(&again, &err));
	must(bytes_equal(buf_bytes(&again), in));
	return 0;
}
