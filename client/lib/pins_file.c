/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/pins_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/lib/json_file.h"
#include "client/lib/lock.h"
#include "core/base/cleanup.h"
#include "io/file.h"

#define SCHEMA "mtlog-pins/1"

void
pin_release(struct pin *p)
{
	free(p->url);
	free(p->note);
	*p = (struct pin){0};
}

void
pins_release(struct pins *p)
{
	for (size_t i = 0; i < p->count; i++)
		pin_release(&p->list[i]);
	free(p->list);
	*p = (struct pins){0};
}

static bool
broken(struct error *err, const char *path)
{
	return error_set(err, ERR_IO,
	    "%s is broken; what was seen of the logs before is not known. Look "
	    "at it, then remove it and trust them anew",
	    path);
}

static bool
text_of(const json_t *object, const char *name, char **out)
{
	const json_t *v = json_object_get(object, name);

	*out = json_is_string(v) ? strdup(json_string_value(v)) : NULL;
	return *out != NULL;
}

/* Takes size and root of the note, once it is the log's. */
static bool
read_note(struct pin *p, struct key_verifier *v, struct error *err)
{
	struct checkpoint c;

	if (!checkpoint_open(bytes_str(p->note), &p->key, v, &c, err))
		return false;
	p->size = c.size;
	p->root = c.root;
	return true;
}

static bool
read_pin(const json_t *from, struct key_verifier *v, struct pin *out,
    struct error *err)
{
	const json_t *vkey = json_object_get(from, "vkey");

	if (!json_is_string(vkey) || !text_of(from, "url", &out->url) ||
	    !text_of(from, "checkpoint", &out->note) ||
	    !json_decimal(json_object_get(from, "trusted"), &out->trusted) ||
	    !json_decimal(json_object_get(from, "seen"), &out->seen))
		return error_set(err, ERR_SYNTAX, "a member is missing");
	/* Who wrote the file may not have known of it. */
	out->witnessed = json_is_true(json_object_get(from, "witnessed"));
	return vkey_parse(json_text(vkey), &out->key, err) &&
	    read_note(out, v, err);
}

const struct pin *
pins_find_origin(const struct pins *p, struct bytes origin)
{
	for (size_t i = 0; i < p->count; i++)
		if (bytes_equal(vkey_name(&p->list[i].key), origin))
			return &p->list[i];
	return NULL;
}

static bool
read_all(const json_t *list, struct pins *out, struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	size_t n = json_array_size(list);
	bool ok = v != NULL;

	if (ok && n > PINS_MAX)
		ok = error_set(err, ERR_LIMIT, "too many logs");
	if (ok) {
		out->list = calloc(n ? n : 1, sizeof(*out->list));
		ok = out->list != NULL ||
		    error_set(err, ERR_INTERNAL, "out of memory");
	}
	for (size_t i = 0; ok && i < n; i++) {
		struct pin *p = &out->list[i];

		out->count = i + 1;
		ok = read_pin(json_array_get(list, i), v, p, err) &&
		    (pins_find_origin(out, vkey_name(&p->key)) == p ||
			error_set(err, ERR_SYNTAX, "a log is there twice"));
	}
	key_verifier_close(v);
	return ok;
}

bool
pins_read(const char *path, struct pins *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(PINS_MAX_LEN);
	AUTO_PTR(json_t) root = NULL;
	struct error why = {0};
	const json_t *schema;

	*out = (struct pins){0};
	if (!file_read(path, &text, &why)) {
		if (why.code == ERR_NOTFOUND)
			return true;
		*err = why;
		return false;
	}
	if (json_parse(buf_bytes(&text), PINS_MAX_LEN, &root, &why)) {
		schema = json_object_get(root, "schema");
		if (json_is_string(schema) &&
		    bytes_equal(json_text(schema), BYTES_LIT(SCHEMA)) &&
		    json_is_array(json_object_get(root, "logs")) &&
		    read_all(json_object_get(root, "logs"), out, &why))
			return true;
	}
	pins_release(out);
	return why.code == ERR_INTERNAL
	    ? error_set(err, ERR_INTERNAL, "%s", why.text)
	    : broken(err, path);
}

const struct pin *
pins_find(const struct pins *p, const char *word)
{
	size_t n = strlen(word);

	/* As log_client_open has it. */
	while (n > 0 && word[n - 1] == '/')
		n--;
	for (size_t i = 0; i < p->count; i++)
		if (strncmp(p->list[i].url, word, n) == 0 &&
		    p->list[i].url[n] == '\0')
			return &p->list[i];
	return pins_find_origin(p, bytes_str(word));
}

int
pins_lock(const char *path, struct error *err)
{
	char *name = NULL;
	int fd;

	if (asprintf(&name, "%s.lock", path) < 0) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return -1;
	}
	fd = lock_take(name, LOCK_WAIT_MS, path, err);
	free(name);
	return fd;
}

static json_t *
pin_json(const struct pin *p)
{
	AUTO(buf) vkey = BUF_INIT(4096);
	char trusted[24], seen[24];

	vkey_format(&p->key, &vkey);
	(void)snprintf(
	    trusted, sizeof(trusted), "%llu", (unsigned long long)p->trusted);
	(void)snprintf(seen, sizeof(seen), "%llu", (unsigned long long)p->seen);
	return json_pack("{s:s#,s:s,s:s,s:s,s:s,s:b}", "vkey",
	    (const char *)vkey.ptr, vkey.len, "url", p->url, "checkpoint",
	    p->note, "trusted", trusted, "seen", seen, "witnessed",
	    p->witnessed);
}

bool
pins_write(const char *path, const struct pins *p, struct error *err)
{
	AUTO_PTR(json_t)
	root = json_pack("{s:s,s:[]}", "schema", SCHEMA, "logs");
	json_t *list = json_object_get(root, "logs");
	bool ok = root != NULL;

	for (size_t i = 0; ok && i < p->count; i++)
		ok = json_array_append_new(list, pin_json(&p->list[i])) == 0;
	return ok ? json_file_write(path, root, PINS_MAX_LEN, err)
		  : error_set(err, ERR_INTERNAL, "out of memory");
}
