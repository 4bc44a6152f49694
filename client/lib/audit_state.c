/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/audit_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "io/file.h"

#define SCHEMA "mtlog-audit-state/1"

static bool
text_is(const json_t *root, const char *name, struct bytes want)
{
	const json_t *v = json_object_get(root, name);

	return json_is_string(v) && bytes_equal(json_text(v), want);
}

static bool
read_frontier(const json_t *root, struct frontier *out)
{
	const json_t *size = json_object_get(root, "size");
	const json_t *hashes = json_object_get(root, "frontier");
	size_t i = 0;

	if (!json_decimal(size, &out->size))
		return false;
	for (uint64_t bits = out->size; bits != 0; bits &= bits - 1) {
		const json_t *v = json_array_get(hashes, i++);
		struct hash *node = &out->node[__builtin_ctzll(bits)];

		if (!json_is_string(v) ||
		    !hex_decode(json_text(v), node->b, HASH_LEN))
			return false;
	}
	return json_array_size(hashes) == i;
}

/* A file that was damaged must not decide what is skipped. */
static bool
root_is(const json_t *root, const struct frontier *f, struct error *err)
{
	AUTO(hasher) h = {0};
	AUTO(buf) hex = BUF_INIT(2 * HASH_LEN);
	struct hash sum;

	if (!hasher_open(&h, err))
		return false;
	frontier_root(&h, f, &sum);
	hex_put(&hex, hash_bytes(&sum));
	return hasher_ok(&h, err) && text_is(root, "root", buf_bytes(&hex));
}

static bool
note_is(const struct vkey *log, const struct audit_state *s, struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	struct error why = {0};
	struct checkpoint c;
	bool ok = v && checkpoint_open(buf_bytes(&s->note), log, v, &c, &why) &&
	    c.size >= s->done.size;

	key_verifier_close(v);
	return ok;
}

static bool
parse(const char *path, struct bytes text, const struct vkey *log,
    struct audit_state *out, struct error *err)
{
	AUTO_PTR(json_t) root = NULL;
	struct error why = {0};
	const json_t *note, *entries;
	bool ok = json_parse(text, AUDIT_STATE_MAX, &root, &why) &&
	    text_is(root, "schema", BYTES_LIT(SCHEMA));

	if (ok && !text_is(root, "origin", vkey_name(log)))
		return error_set(err, ERR_IO, "%s is of another log than %s",
		    path, log->name);
	note = json_object_get(root, "checkpoint");
	entries = json_object_get(root, "entries");
	if (ok && json_is_string(note) && json_is_boolean(entries) &&
	    read_frontier(root, &out->done) && root_is(root, &out->done, err)) {
		out->entries = json_is_true(entries);
		buf_put(&out->note, json_text(note));
		if (note_is(log, out, err))
			return true;
	}
	return error_set(err, ERR_IO,
	    "%s is broken; how far the audit came is not known. Look at it, "
	    "then remove it to begin anew",
	    path);
}

bool
audit_state_read(const char *path, const struct vkey *log,
    struct audit_state *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(AUDIT_STATE_MAX);
	struct error why = {0};

	*out = (struct audit_state){.note = BUF_INIT(NOTE_MAX_LEN)};
	if (file_read(path, &text, &why))
		return parse(path, buf_bytes(&text), log, out, err);
	if (why.code == ERR_NOTFOUND)
		return true;
	*err = why;
	return false;
}

void
audit_state_release(struct audit_state *s)
{
	buf_release(&s->note);
}

static bool
size_of(
    const struct vkey *log, struct bytes note, uint64_t *out, struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	struct checkpoint c = {0};
	bool ok = v && checkpoint_open(note, log, v, &c, err);

	key_verifier_close(v);
	*out = c.size;
	return ok;
}

/* Whoever writes holds a lock; a file may be put back, all the same. */
static bool
goes_on(const char *path, const struct vkey *log, const struct audit_state *s,
    struct error *err)
{
	struct audit_state old;
	uint64_t was = 0, is;
	bool ok = audit_state_read(path, log, &old, err) &&
	    (old.note.len == 0 ||
		size_of(log, buf_bytes(&old.note), &was, err)) &&
	    size_of(log, buf_bytes(&s->note), &is, err);

	audit_state_release(&old);
	return ok &&
	    (was <= is ||
		error_reason(err, ERR_CONFLICT, "locked",
		    "%s was replaced meanwhile, and knows a larger tree of "
		    "%llu entries",
		    path, (unsigned long long)was));
}

bool
audit_state_write(const char *path, const struct vkey *log,
    const struct audit_state *s, struct error *err)
{
	AUTO(buf) out = BUF_INIT(AUDIT_STATE_MAX);
	AUTO(hasher) h = {0};
	const char *comma = "";
	struct hash root;

	if (!goes_on(path, log, s, err) || !hasher_open(&h, err))
		return false;
	frontier_root(&h, &s->done, &root);
	buf_printf(&out, "{\"schema\":\"" SCHEMA "\",\"origin\":");
	json_put_string(&out, vkey_name(log));
	buf_printf(&out, ",\"size\":\"%llu\",\"root\":\"",
	    (unsigned long long)s->done.size);
	hex_put(&out, hash_bytes(&root));
	buf_put_str(&out, "\",\"frontier\":[");
	for (uint64_t bits = s->done.size; bits != 0; bits &= bits - 1) {
		buf_printf(&out, "%s\"", comma);
		hex_put(&out, hash_bytes(&s->done.node[__builtin_ctzll(bits)]));
		buf_put_u8(&out, '"');
		comma = ",";
	}
	buf_printf(&out,
	    "],\"entries\":%s,\"checkpoint\":", s->entries ? "true" : "false");
	json_put_string(&out, buf_bytes(&s->note));
	buf_put_str(&out, "}\n");
	return hasher_ok(&h, err) && buf_ok(&out, err) &&
	    file_write(path, buf_bytes(&out), 0600, err);
}

/* "<folder>/<sha256 of the origin><suffix>" */
static char *
of_log(const char *folder, const struct vkey *log, const char *suffix,
    struct error *err)
{
	AUTO(hasher) h = {0};
	AUTO(buf) name = BUF_INIT(4 * HASH_LEN);
	struct hash sum;
	char *text, *path = NULL;

	if (!hasher_open(&h, err))
		return NULL;
	sha256(&h, vkey_name(log), &sum);
	if (!hasher_ok(&h, err))
		return NULL;
	hex_put(&name, hash_bytes(&sum));
	buf_put_str(&name, suffix);
	text = buf_dup_string(&name);
	if (text)
		path = path_join(folder, text);
	free(text);
	if (!path)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	return path;
}

char *
audit_state_path(const char *word, const struct vkey *log, struct error *err)
{
	struct stat st;
	char *path;

	if (stat(word, &st) == 0 && S_ISDIR(st.st_mode))
		return of_log(word, log, ".audit.json", err);
	path = strdup(word);
	if (!path)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	return path;
}

char *
audit_log_folder(const char *folder, const struct vkey *log, struct error *err)
{
	return of_log(folder, log, "", err);
}
