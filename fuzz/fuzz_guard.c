/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "server/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hasher hasher;

static void
slot_try(const uint8_t slot[GUARD_SLOT_LEN])
{
	uint8_t again[GUARD_SLOT_LEN];
	struct guard_state s;
	struct error err = {0};

	if (!guard_decode(&hasher, slot, &s, &err))
		return;
	if (!guard_encode(&hasher, &s, again, &err) ||
	    !bytes_equal(
		bytes_of(slot, GUARD_SLOT_LEN), bytes_of(again, sizeof(again))))
		abort();
}

/* Once as it is, and once under a right checksum, which chance never finds. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t slot[GUARD_SLOT_LEN] = {0};
	struct error err = {0};
	struct hash sum;

	if (!hasher.ctx && !hasher_open(&hasher, &err))
		abort();
	memcpy(slot, data, size < sizeof(slot) ? size : sizeof(slot));
	slot_try(slot);
	sha256(&hasher, bytes_of(slot, GUARD_SLOT_LEN - HASH_LEN), &sum);
	memcpy(slot + GUARD_SLOT_LEN - HASH_LEN, sum.b, HASH_LEN);
	slot_try(slot);
	return 0;
}
