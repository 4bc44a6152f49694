/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/json_file.h"

#include <stdlib.h>

#include "io/file.h"

static bool
says(const char *text, const json_t *value)
{
	json_t *again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	bool same = again && json_equal(again, value);

	json_decref(again);
	return same;
}

bool
json_file_write(
    const char *path, const json_t *value, size_t limit, struct error *err)
{
	char *text = json_dumps(value, JSON_INDENT(1) | JSON_SORT_KEYS);
	bool ok;

	if (!text || !says(text, value))
		ok = error_set(err, ERR_INTERNAL, "out of memory");
	else if (strlen(text) > limit)
		ok = error_set(err, ERR_LIMIT,
		    "%s would have more than %zu bytes", path, limit);
	else
		ok = file_write(path, bytes_str(text), 0600, err);
	free(text);
	return ok;
}
