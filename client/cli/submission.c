/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/submission.h"

#include "core/base/cleanup.h"
#include "io/file.h"

bool
submission_leaf(struct bytes json, struct buf *leaf, struct error *err)
{
	AUTO(entry) e = {0};

	if (!entry_request_parse(json, &e, err))
		return false;
	entry_format(&e, leaf);
	return buf_ok(leaf, err);
}

bool
submission_read(
    const char *path, struct buf *json, struct buf *leaf, struct error *err)
{
	return file_read(path, json, err) &&
	    (submission_leaf(buf_bytes(json), leaf, err) ||
		error_prefix(err, "%s", path));
}
