/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/older.h"

#include "core/verify/verdict_code.h"

enum older
older_judge(struct tiles *t, const struct checkpoint *shown,
    const struct checkpoint *larger, struct error *why)
{
	struct hash root;

	if (tiles_head(t, larger->size, &larger->root, why) &&
	    tiles_root(t, shown->size, &root, why))
		return hash_equal(&root, &shown->root) ? OLDER_AGREES
						       : OLDER_FORKED;
	/* It answers, but has no longer what it had. */
	if (why->code == ERR_BADSIG || why->code == ERR_SYNTAX ||
	    verdict_code_of(why) == VERDICT_SERVER_ERROR)
		return OLDER_UNPROVEN;
	return OLDER_UNKNOWN;
}
