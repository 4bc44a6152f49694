/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/older.h"

enum older
older_judge(struct tiles *t, const struct checkpoint *shown,
    const struct checkpoint *larger, struct error *why)
{
	struct hash root;

	if (tiles_head(t, larger->size, &larger->root, why) &&
	    tiles_root(t, shown->size, &root, why))
		return hash_equal(&root, &shown->root) ? OLDER_AGREES
						       : OLDER_FORKED;
	/* A plain "no" takes back what was signed. What fails otherwise, or does
	 * not hash into it, may be the fault of whoever stands between. */
	return tiles_gone(t) ? OLDER_GONE : OLDER_UNKNOWN;
}
