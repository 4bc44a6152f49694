/* SPDX-License-Identifier: Apache-2.0 */
#include "server/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "io/file.h"

#define SERVING_FILE	"serving.json"
#define SERVING_MAX_LEN 4096

/* The string members; the file and the struct follow this table. */
static const struct {
	const char *name;
	size_t at, size;
} texts[] = {
#define TEXT(field)                                                            \
	{                                                                      \
#field, offsetof(struct serving, field),                       \
		    sizeof(((struct serving *)0)->field)                       \
	}
    TEXT(url),
    TEXT(metrics),
    TEXT(sandbox),
    TEXT(signer_sandbox),
    TEXT(config_reader_sandbox),
#undef TEXT
};

#define TEXTS (sizeof(texts) / sizeof(texts[0]))

void
serving_address(char out[SERVING_URL_MAX], const char *listen, unsigned port)
{
	const char *colon = strrchr(listen, ':');
	int n = colon ? (int)(colon - listen) : (int)strlen(listen);

	(void)snprintf(out, SERVING_URL_MAX, "http://%.*s:%u", n, listen, port);
}

bool
serving_write(const char *database, const struct serving *s, struct error *err)
{
	AUTO(buf) json = BUF_INIT(SERVING_MAX_LEN);
	char *path = path_join(database, SERVING_FILE);
	bool ok;

	buf_printf(&json, "{\"pid\":%ld", (long)s->pid);
	for (size_t i = 0; i < TEXTS; i++) {
		buf_printf(&json, ",\"%s\":", texts[i].name);
		json_put_string(
		    &json, bytes_str((const char *)s + texts[i].at));
	}
	buf_put_str(&json, "}\n");
	ok = path ? buf_ok(&json, err) &&
		file_write(path, buf_bytes(&json), 0644, err)
		  : error_set(err, ERR_INTERNAL, "out of memory");
	free(path);
	return ok;
}

bool
serving_read(const char *database, struct serving *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(SERVING_MAX_LEN);
	AUTO_PTR(json_t) json = NULL;
	char *path = path_join(database, SERVING_FILE);
	bool ok = path && file_read(path, &text, err) &&
	    json_parse(buf_bytes(&text), SERVING_MAX_LEN, &json, err);

	free(path);
	*out = (struct serving){0};
	if (!ok)
		return error_set(err, ERR_INTERNAL, "out of memory");
	out->pid = (pid_t)json_integer_value(json_object_get(json, "pid"));
	for (size_t i = 0; i < TEXTS; i++) {
		struct bytes v =
		    json_text(json_object_get(json, texts[i].name));

		if (v.len < texts[i].size && v.len > 0)
			memcpy((char *)out + texts[i].at, v.ptr, v.len);
	}
	return true;
}

void
serving_remove(const char *database)
{
	char *path = path_join(database, SERVING_FILE);

	if (path)
		(void)unlink(path);
	free(path);
}
