/* SPDX-License-Identifier: Apache-2.0 */
/* Input: an entry bundle. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/entries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_verify(struct hasher *h, struct bytes bundle, struct hash *leaves,
    unsigned count, uint8_t flip)
{
	struct error err = {0};

	must(entries_verify(h, bundle, leaves, count, &err));
	must(!entries_verify(h, bundle, leaves, count + 1, &err));
	must(err.code == ERR_SYNTAX);
	if (count == 0)
		return;
	err = (struct error){0};
	must(!entries_verify(h, bundle, leaves, count - 1, &err));
	must(err.code == ERR_SYNTAX);
	err = (struct error){0};
	leaves[flip % count].b[flip % HASH_LEN] ^= 1;
	must(!entries_verify(h, bundle, leaves, count, &err));
	must(err.code == ERR_BADSIG);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), entry;
	AUTO(buf) again = BUF_INIT(size);
	struct hash leaves[TILE_WIDTH + 1] = {0};
	AUTO(hasher) h = {0};
	struct error err = {0};
	struct reader r;
	unsigned count = 0;

	must(hasher_open(&h, &err));
	reader_init(&r, in);
	while (entries_next(&r, &entry, &err)) {
		entries_put(&again, entry);
		if (count < TILE_WIDTH)
			merkle_leaf(&h, entry, &leaves[count]);
		count++;
	}
	must(err.code == ERR_NONE || err.code == ERR_SYNTAX);
	must(reader_done(&r) == (err.code == ERR_NONE));
	/* What was read is what would be written; the rest is what was cut. */
	must(buf_ok(&again, &err));
	must(again.len + r.rest.len == size);
	must(bytes_starts(in, buf_bytes(&again)));
	if (reader_done(&r) && count <= TILE_WIDTH)
		check_verify(&h, in, leaves, count, size ? data[size - 1] : 0);
	return 0;
}
