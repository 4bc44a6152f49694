/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/json_file.h"
#include "client/lib/lock.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "io/file.h"

#define SCHEMA "mtlog-state/1"

struct state {
	char *path;
	int lock;
	json_t *root;
	struct verify_state view;
};

static bool
broken(struct error *err, const struct state *s)
{
	return error_set(err, ERR_IO,
	    "%s is broken; what was accepted before is not known. Look at it, "
	    "then remove it to begin anew",
	    s->path);
}

static bool
hash_of(const json_t *object, const char *name, struct hash *out)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) && hex_decode(json_text(v), out->b, HASH_LEN);
}

/* A member by a name that is not NUL-terminated. */
static json_t *
member(const json_t *object, struct bytes name)
{
	char text[2 * NOTE_NAME_MAX + STATEMENT_NAME_MAX + 2];

	if (name.len >= sizeof(text))
		return NULL;
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	return json_object_get(object, text);
}

static void
name_key(struct buf *out, struct bytes origin, struct bytes name)
{
	buf_put(out, origin);
	buf_put_u8(out, ' ');
	buf_put(out, name);
}

static bool
recall(void *arg, struct bytes origin, struct bytes name,
    struct verify_memory *out, struct error *err)
{
	AUTO(buf) key = BUF_INIT(NOTE_NAME_MAX + MANIFEST_NAME_MAX);
	struct state *s = arg;
	const json_t *log = member(json_object_get(s->root, "logs"), origin);
	const json_t *last;

	name_key(&key, origin, name);
	if (!buf_ok(&key, err))
		return false;
	last = member(json_object_get(s->root, "names"), buf_bytes(&key));
	*out = (struct verify_memory){0};
	out->has_pin = log != NULL;
	out->has_last = last != NULL;
	if (log &&
	    (!json_decimal(json_object_get(log, "size"), &out->pin_size) ||
		!hash_of(log, "root", &out->pin_root)))
		return broken(err, s);
	if (last &&
	    (!json_decimal(json_object_get(last, "index"), &out->last_index) ||
		!hash_of(last, "statement", &out->last_statement)))
		return broken(err, s);
	return true;
}

static bool
take_lock(struct state *s, const char *dir, struct error *err)
{
	char *path = path_join(dir, "lock");

	s->lock = path ? lock_take(path, LOCK_WAIT_MS, dir, err) : -1;
	free(path);
	return s->lock >= 0 || error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
read_file(struct state *s, struct error *err)
{
	AUTO(buf) text = BUF_INIT(STATE_MAX_LEN);
	struct error why = {0};
	const json_t *schema;

	if (!file_read(s->path, &text, &why)) {
		if (why.code != ERR_NOTFOUND) {
			*err = why;
			return false;
		}
		s->root = json_pack("{s:s,s:s,s:{},s:{}}", "schema", SCHEMA,
		    "policySerial", "0", "logs", "names");
		return s->root != NULL ||
		    error_set(err, ERR_INTERNAL, "out of memory");
	}
	if (!json_parse(buf_bytes(&text), STATE_MAX_LEN, &s->root, &why))
		return why.code == ERR_INTERNAL
		    ? error_set(err, ERR_INTERNAL, "%s", why.text)
		    : broken(err, s);
	schema = json_object_get(s->root, "schema");
	if (!json_is_string(schema) ||
	    !bytes_equal(json_text(schema), BYTES_LIT(SCHEMA)) ||
	    !json_is_object(json_object_get(s->root, "logs")) ||
	    !json_is_object(json_object_get(s->root, "names")))
		return broken(err, s);
	return true;
}

struct state *
state_open(const char *dir, struct error *err)
{
	struct state *s = calloc(1, sizeof(*s));
	bool ok;

	if (!s) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	s->lock = -1;
	s->path = path_join(dir, "state.json");
	if (!s->path)
		ok = error_set(err, ERR_INTERNAL, "out of memory");
	else if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		ok = error_reason(err, ERR_IO,
		    errno == EACCES ? "permission" : NULL,
		    "%s cannot be made: %m", dir);
	else
		ok = take_lock(s, dir, err) && read_file(s, err);
	if (ok &&
	    !json_decimal(json_object_get(s->root, "policySerial"),
		&s->view.policy_serial))
		ok = broken(err, s);
	if (!ok) {
		state_close(s);
		return NULL;
	}
	s->view.recall = recall;
	s->view.arg = s;
	return s;
}

void
state_close(struct state *s)
{
	if (!s)
		return;
	json_decref(s->root);
	free(s->path);
	if (s->lock >= 0)
		(void)close(s->lock); /* lets the lock go */
	free(s);
}

const struct verify_state *
state_view(struct state *s)
{
	return &s->view;
}

static json_t *
decimal(uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return json_string(text);
}

static json_t *
hex_of(const struct hash *h)
{
	AUTO(buf) text = BUF_INIT(2 * HASH_LEN);

	hex_put(&text, hash_bytes(h));
	return json_stringn((const char *)text.ptr, text.len);
}

static bool
put(json_t *object, struct bytes name, json_t *value)
{
	char text[2 * NOTE_NAME_MAX + STATEMENT_NAME_MAX + 2];

	if (name.len >= sizeof(text)) {
		json_decref(value);
		return false;
	}
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	return json_object_set_new(object, text, value) == 0;
}

static bool
learn_log(struct state *s, const struct verdict *v, struct error *err)
{
	AUTO(buf) key = BUF_INIT(NOTE_NAME_MAX + MANIFEST_NAME_MAX);
	struct verify_memory m;
	bool ok = true;

	if (v->origin.len == 0)
		return true;
	/* Only statements of model_signing 0.2 have none. */
	if (v->name.len == 0 && (v->weakened & WEAK_LEGACY_V02) == 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!recall(s, v->origin, v->name, &m, err))
		return false;
	if (!m.has_pin || v->head_size > m.pin_size)
		ok = put(json_object_get(s->root, "logs"), v->origin,
		    json_pack("{s:o,s:o,s:s#}", "size", decimal(v->head_size),
			"root", hex_of(&v->head_root), "checkpoint",
			(const char *)v->head_note.ptr, v->head_note.len));
	name_key(&key, v->origin, v->name);
	if (ok && (!m.has_last || v->index > m.last_index))
		ok = put(json_object_get(s->root, "names"), buf_bytes(&key),
		    json_pack("{s:o,s:o}", "index", decimal(v->index),
			"statement", hex_of(&v->statement)));
	return ok ||
	    error_set(err, ERR_INTERNAL, "the state cannot take this in");
}

bool
state_learn(struct state *s, const struct verdict *v, struct error *err)
{
	if (!learn_log(s, v, err))
		return false;
	if (v->serial > s->view.policy_serial &&
	    json_object_set_new(s->root, "policySerial", decimal(v->serial)) !=
		0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return json_file_write(s->path, s->root, STATE_MAX_LEN, err);
}
