/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cosigned.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "io/file.h"

bool
cosigned_read(const char *folder, struct buf *out, struct error *err)
{
	char *path = path_join(folder, COSIGNED_FILE);
	bool ok = path ? file_read(path, out, err)
		       : error_set(err, ERR_INTERNAL, "out of memory");

	free(path);
	return ok;
}

bool
cosigned_write(const char *folder, struct bytes note, struct error *err)
{
	char *path = path_join(folder, COSIGNED_FILE);
	bool ok = path ? file_write(path, note, 0644, err)
		       : error_set(err, ERR_INTERNAL, "out of memory");

	free(path);
	return ok;
}

bool
cosigned_judge(struct bytes note, const struct quorum *q,
    struct key_verifier *verifier, bool *met, struct quorum_result *out,
    struct error *err)
{
	AUTO(note) n = {0};
	struct error why = {0};

	*met = false;
	if (!note_parse(note, &n, err))
		return false;
	*met = quorum_verify(q, &n, verifier, out, &why);
	if (*met || strcmp(error_reason_name(&why), "quorum") == 0)
		return true;
	*err = why;
	return false;
}
