/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a policy of log, witness, group and quorum lines. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/quorum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* Too large for the stack of a sanitizer build. */
static struct quorum first, second;

static void
check_format(void)
{
	AUTO(buf) a = BUF_INIT(2 * QUORUM_MAX_LEN);
	AUTO(buf) b = BUF_INIT(2 * QUORUM_MAX_LEN);
	struct error err = {0};

	quorum_format(&first, &a);
	must(buf_ok(&a, &err));
	must(quorum_parse(buf_bytes(&a), &second, &err));
	quorum_format(&second, &b);
	must(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
}

/* More cosigners never make it worse, and all of them suffice. */
static void
check_met(void)
{
	uint64_t set = 0;
	bool met = quorum_met(&first, set);

	must(met == (first.kind == QUORUM_NONE));
	for (size_t i = 0; i < first.witness_count; i++) {
		bool now;

		set |= UINT64_C(1) << i;
		now = quorum_met(&first, set);
		must(now || !met);
		must(now == quorum_met(&second, set));
		met = now;
	}
	must(met);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};

	if (!quorum_parse(bytes_of(data, size), &first, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT ||
		    err.code == ERR_CONFLICT);
		return 0;
	}
	check_format();
	check_met();
	return 0;
}
