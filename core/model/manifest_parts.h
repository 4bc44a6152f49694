/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_MANIFEST_PARTS_H
#define MTLOG_CORE_MODEL_MANIFEST_PARTS_H

#include "core/model/manifest.h"

/* What manifest.c and manifest_files.c share; for no one else. */

/* manifest_names_compare orders names bytewise, a prefix first: that is by
 * Unicode code point. Below, at or above 0. */
static inline int
manifest_names_compare(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

#endif
