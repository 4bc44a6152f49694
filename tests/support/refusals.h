/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_REFUSALS_H
#define MTLOG_TESTS_SUPPORT_REFUSALS_H

#include <dirent.h>

#include "core/base/cleanup.h"
#include "tests/support/vector_file.h"

/* A file of a folder of vectors that a parser refuses, and its words. */
struct refusal {
	const char *name; /* without ".json" */
	enum error_code code;
	const char *says;
};

static inline void
vector_load(const char *folder, const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[256];

	(void)snprintf(inside, sizeof(inside), "%s/%s.json", folder, name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static inline size_t
vector_count(const char *folder)
{
	char path[VECTOR_PATH_MAX];
	struct dirent *e;
	size_t n = 0;
	DIR *d = opendir(vector_own(path, folder));

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return n;
}

/* refusals_check runs a parser over all files of a folder; none may be missing
 * in the list. */
static inline void
refusals_check(const char *folder, const char *reason,
    const struct refusal *list, size_t count,
    bool (*parse)(struct bytes in, struct error *err))
{
	for (size_t i = 0; i < count; i++) {
		AUTO(buf) in = BUF_INIT(1u << 20);
		struct error err = {0};

		vector_load(folder, list[i].name, &in);
		if (parse(buf_bytes(&in), &err))
			fail_msg("%s: accepted", list[i].name);
		if (err.code != list[i].code || !strstr(err.text, list[i].says))
			fail_msg("%s: %s: %s", list[i].name,
			    error_code_name(err.code), err.text);
		assert_string_equal(error_reason_name(&err), reason);
	}
	assert_int_equal(vector_count(folder), count);
}

#endif
