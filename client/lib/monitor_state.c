/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "io/file.h"

#define SCHEMA "mtlog-monitor/1"

static bool
broken(const struct watched *w, struct error *err)
{
	return error_set(err, ERR_IO,
	    "%s/state.json is broken; what was seen of this log is not known. "
	    "Look at it, then remove the folder to begin anew",
	    w->folder);
}

static bool
text_of(const json_t *object, const char *name, struct buf *out)
{
	const json_t *v = json_object_get(object, name);

	if (!json_is_string(v))
		return false;
	buf_put(out, json_text(v));
	return !out->failed;
}

/* "<index>:<hex> …" */
static bool
take_late(struct watched *w, const json_t *s)
{
	const json_t *v = json_object_get(s, "late");
	struct reader r = {{0}};

	if (!json_is_string(v))
		return false;
	r.rest = json_text(v);
	while (!reader_done(&r)) {
		struct late *l = &w->late[w->late_count];
		struct bytes hex;

		if (w->late_count == MONITOR_LATE_MAX ||
		    !reader_decimal(&r, &l->index) ||
		    !reader_literal(&r, BYTES_LIT(":")) ||
		    !reader_until(&r, ' ', &hex))
			return false;
		l->len = hex.len / 2;
		if (l->len == 0 || l->len > sizeof(l->digest) ||
		    !hex_decode(hex, l->digest, l->len))
			return false;
		w->late_count++;
	}
	return true;
}

static void
put_late(const struct watched *w, struct buf *out)
{
	buf_put_str(out, ",\n \"late\":\"");
	for (size_t i = 0; i < w->late_count; i++) {
		const struct late *l = &w->late[i];

		buf_printf(out, "%llu:", (unsigned long long)l->index);
		hex_put(out, bytes_of(l->digest, l->len));
		buf_put_u8(out, ' ');
	}
	buf_put_u8(out, '"');
}

/* Who can write the file could make us forget; who cannot sign cannot make us
 * believe. */
static bool
take_head(struct watched *w, struct error *err)
{
	struct error why = {0};
	struct checkpoint c;

	if (w->note.len == 0)
		return true;
	if (!checkpoint_open(
		buf_bytes(&w->note), &w->log->key, w->verifier, &c, &why))
		return broken(w, err);
	w->has_head = true;
	w->size = c.size;
	w->root = c.root;
	for (size_t i = 0; i < w->late_count; i++)
		if (w->late[i].index >= w->next)
			return broken(w, err);
	return w->next <= w->size || broken(w, err);
}

static bool
take_state(struct watched *w, const json_t *s, struct error *err)
{
	AUTO(buf) vkey = BUF_INIT(4096);
	AUTO(buf) ours = BUF_INIT(4096);
	const char *schema = json_string_value(json_object_get(s, "schema"));

	if (!schema || strcmp(schema, SCHEMA) != 0 ||
	    !text_of(s, "vkey", &vkey) || !text_of(s, "checkpoint", &w->note) ||
	    !text_of(s, "ahead", &w->ahead) ||
	    !json_decimal(json_object_get(s, "seen"), &w->seen) ||
	    !json_decimal(json_object_get(s, "next"), &w->next) ||
	    !json_decimal(json_object_get(s, "stalled"), &w->stalled) ||
	    !json_decimal(json_object_get(s, "aheadSince"), &w->ahead_since) ||
	    !json_decimal(json_object_get(s, "journal"), &w->journal) ||
	    !take_late(w, s))
		return broken(w, err);
	vkey_format(&w->log->key, &ours);
	if (!bytes_equal(buf_bytes(&vkey), buf_bytes(&ours)))
		return error_reason(err, ERR_DENIED, "unknown-log",
		    "%s was made for another key of %s; a log does not change "
		    "its key. Is this the right one?",
		    w->folder, w->log->key.name);
	return take_head(w, err);
}

static bool
make_folder(struct monitor *m, struct watched *w, struct error *err)
{
	AUTO(buf) path = BUF_INIT(8192);
	struct error why = {0};
	struct hash h;

	sha256(&w->hasher, vkey_name(&w->log->key), &h);
	buf_printf(&path, "%s/", m->o.state);
	hex_put(&path, hash_bytes(&h));
	w->folder = buf_dup_string(&path);
	if (!w->folder)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!hasher_ok(&w->hasher, err))
		return false;
	/* Public, as the checkpoint in it is. */
	return folder_create(w->folder, 0755, &why) ||
	    why.code == ERR_CONFLICT ||
	    error_set(err, why.code, "%s", why.text);
}

bool
monitor_state_read(struct monitor *m, struct watched *w, struct error *err)
{
	AUTO(buf) text = BUF_INIT(MONITOR_STATE_MAX);
	AUTO_PTR(json_t) value = NULL;
	struct error why = {0};
	char *path;
	bool ok;

	buf_init(&w->note, NOTE_MAX_LEN);
	buf_init(&w->ahead, NOTE_MAX_LEN);
	if (!make_folder(m, w, err))
		return false;
	path = path_join(w->folder, "state.json");
	if (!path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = file_read(path, &text, &why);
	free(path);
	if (!ok && why.code == ERR_NOTFOUND)
		return true;
	if (!ok)
		return error_set(err, why.code, "%s", why.text);
	return (json_parse(buf_bytes(&text), MONITOR_STATE_MAX, &value, &why) ||
		   broken(w, err)) &&
	    take_state(w, value, err);
}

static void
put_number(struct buf *out, const char *name, uint64_t n)
{
	buf_printf(out, ",\n \"%s\":\"%llu\"", name, (unsigned long long)n);
}

static void
put_text(struct buf *out, const char *name, struct bytes text)
{
	buf_printf(out, ",\n \"%s\":", name);
	json_put_string(out, text);
}

static bool
write_file(const struct watched *w, const char *name, struct bytes data,
    mode_t mode, struct error *err)
{
	char *path = path_join(w->folder, name);
	bool ok;

	if (!path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = file_write(path, data, mode, err);
	free(path);
	return ok;
}

bool
monitor_state_write(struct watched *w, struct error *err)
{
	AUTO(buf) out = BUF_INIT(MONITOR_STATE_MAX);
	AUTO(buf) vkey = BUF_INIT(4096);

	vkey_format(&w->log->key, &vkey);
	buf_put_str(&out, "{\"schema\":\"" SCHEMA "\"");
	put_text(&out, "vkey", buf_bytes(&vkey));
	put_number(&out, "seen", w->seen);
	put_number(&out, "next", w->next);
	put_number(&out, "stalled", w->stalled);
	put_number(&out, "aheadSince", w->ahead_since);
	put_number(&out, "journal", w->journal);
	put_late(w, &out);
	put_text(&out, "checkpoint", buf_bytes(&w->note));
	put_text(&out, "ahead", buf_bytes(&w->ahead));
	buf_put_str(&out, "}\n");
	if (!buf_ok(&out, err) ||
	    !write_file(w, "state.json", buf_bytes(&out), 0600, err))
		return false;
	w->dirty = false;
	if (!w->has_head || !w->advanced)
		return true;
	w->advanced = false;
	return write_file(w, "checkpoint", buf_bytes(&w->note), 0644, err);
}

void
monitor_state_release(struct watched *w)
{
	statements_close(w->statements);
	tiles_close(w->tiles);
	tile_fetch_close(w->fetch);
	for (size_t i = 0; i < MONITOR_MAX_COMPARED; i++)
		tile_fetch_close(w->compared[i]);
	watch_release(&w->watch);
	key_verifier_close(w->verifier);
	hasher_release(&w->hasher);
	buf_release(&w->note);
	buf_release(&w->ahead);
	free(w->folder);
}
