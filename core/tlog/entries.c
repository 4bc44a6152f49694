/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/entries.h"

void
entries_put(struct buf *out, struct bytes entry)
{
	if (entry.len > ENTRY_MAX_LEN) {
		out->failed = true;
		return;
	}
	buf_put_u16(out, (uint16_t)entry.len);
	buf_put(out, entry);
}

bool
entries_next(struct reader *r, struct bytes *entry, struct error *err)
{
	struct reader ahead = *r;
	uint16_t len;

	if (reader_done(r))
		return false;
	if (!reader_u16(&ahead, &len) || !reader_bytes(&ahead, len, entry))
		return error_set(
		    err, ERR_SYNTAX, "the entry bundle is cut short");
	*r = ahead;
	return true;
}

bool
entries_verify(struct hasher *h, struct bytes bundle, const struct hash *leaves,
    unsigned count, struct error *err)
{
	struct reader r;

	reader_init(&r, bundle);
	for (unsigned i = 0; i < count; i++) {
		struct bytes entry = {0};
		struct hash leaf;

		if (!entries_next(&r, &entry, err))
			return error_set(err, ERR_SYNTAX,
			    "the entry bundle has %u entries, not %u", i,
			    count);
		merkle_leaf(h, entry, &leaf);
		if (!hasher_ok(h, err))
			return false;
		if (!hash_equal(&leaf, &leaves[i]))
			return error_set(err, ERR_BADSIG,
			    "entry %u of the bundle is not the one in the tree",
			    i);
	}
	if (!reader_done(&r))
		return error_set(err, ERR_SYNTAX,
		    "the entry bundle goes on after %u entries", count);
	return true;
}
