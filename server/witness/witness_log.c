/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/witness_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "io/file.h"

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "witnessed log: %s", what);
}

void
witness_log_id(struct hasher *h, struct bytes origin, struct hash *out)
{
	sha256(h, origin, out);
}

bool
witness_log_add_key(struct witness_log *l, struct bytes vkey, struct error *err)
{
	struct vkey *key = &l->keys[l->key_count];

	if (l->key_count == WITNESS_LOG_KEYS)
		return error_set(err, ERR_LIMIT, "a log has at most %d keys",
		    WITNESS_LOG_KEYS);
	if (!vkey_parse(vkey, key, err))
		return false;
	if (key->type != NOTE_ED25519 && key->type != NOTE_ECDSA)
		return error_set(err, ERR_USAGE,
		    "%s: this is the key of a cosigner, not of a log",
		    key->name);
	for (size_t i = 0; i < l->key_count; i++) {
		if (!bytes_equal(vkey_name(key), vkey_name(&l->keys[i])))
			return error_set(err, ERR_USAGE,
			    "%s and %s are two logs", l->keys[i].name,
			    key->name);
		if (key->key_id == l->keys[i].key_id)
			return error_set(err, ERR_USAGE,
			    "%s: the same key twice", key->name);
	}
	l->key_count++;
	return true;
}

bool
witness_log_set_url(struct witness_log *l, struct bytes url, struct error *err)
{
	if (url.len == 0 || url.len > WITNESS_LOG_URL_MAX)
		return syntax(err, "the URL is empty or too long");
	for (size_t i = 0; i < url.len; i++)
		if (url.ptr[i] <= ' ' || url.ptr[i] > '~')
			return syntax(err, "the URL has odd characters");
	memcpy(l->url, url.ptr, url.len);
	l->url[url.len] = '\0';
	return true;
}

bool
witness_log_set_rate(
    struct witness_log *l, struct bytes digits, struct error *err)
{
	if (!decimal_parse(digits, &l->per_day) || l->per_day == 0 ||
	    l->per_day > WITNESS_PER_DAY_MAX)
		return error_set(err, ERR_SYNTAX,
		    "a number of growths a day is 1 to %d",
		    WITNESS_PER_DAY_MAX);
	return true;
}

static bool
take_line(struct witness_log *l, struct bytes line, struct error *err)
{
	struct reader r = {line};
	struct bytes word;

	if (!reader_until(&r, ' ', &word))
		return syntax(err, "a line is a word and its value");
	if (bytes_equal(word, BYTES_LIT("vkey")))
		return witness_log_add_key(l, r.rest, err);
	if (bytes_equal(word, BYTES_LIT("url")))
		return l->url[0] ? syntax(err, "url is there twice")
				 : witness_log_set_url(l, r.rest, err);
	if (bytes_equal(word, BYTES_LIT("per-day")))
		return l->per_day ? syntax(err, "per-day is there twice")
				  : witness_log_set_rate(l, r.rest, err);
	return syntax(err, "a line is vkey, url or per-day");
}

bool
witness_log_parse(struct bytes text, struct witness_log *out, struct error *err)
{
	struct reader r = {text};
	struct bytes line;

	*out = (struct witness_log){0};
	if (text.len > WITNESS_LOG_TEXT_MAX)
		return error_set(
		    err, ERR_LIMIT, "witnessed log: %zu bytes", text.len);
	while (!reader_done(&r)) {
		if (!reader_line(&r, &line))
			return syntax(err, "the last line has no newline");
		if (!take_line(out, line, err))
			return false;
	}
	if (out->key_count == 0)
		return syntax(err, "there is no vkey");
	if (out->per_day == 0)
		out->per_day = WITNESS_PER_DAY;
	return true;
}

void
witness_log_format(const struct witness_log *l, struct buf *out)
{
	for (size_t i = 0; i < l->key_count; i++) {
		buf_put_str(out, "vkey ");
		vkey_format(&l->keys[i], out);
		buf_put_u8(out, '\n');
	}
	if (l->url[0])
		buf_printf(out, "url %s\n", l->url);
	buf_put_str(out, "per-day ");
	buf_put_decimal(out, l->per_day);
	buf_put_u8(out, '\n');
}

static char *
path_of(const char *folder, const struct hash *id)
{
	AUTO(buf) path = BUF_INIT(65536);

	buf_put_str(&path, folder);
	buf_put_u8(&path, '/');
	hex_put(&path, hash_bytes(id));
	return buf_dup_string(&path);
}

static bool
load(const char *path, const struct hash *id, struct hasher *h,
    struct witness_log *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(WITNESS_LOG_TEXT_MAX);
	struct hash check;

	if (!file_read(path, &text, err))
		return false;
	if (!witness_log_parse(buf_bytes(&text), out, err))
		return error_prefix(err, "%s", path);
	witness_log_id(h, witness_log_origin(out), &check);
	return hasher_ok(h, err) &&
	    (hash_equal(&check, id) ||
		error_set(err, ERR_SYNTAX, "%s: this is the file of %s", path,
		    out->keys[0].name));
}

bool
witness_log_load(const char *folder, const struct hash *id, struct hasher *h,
    struct witness_log *out, struct error *err)
{
	char *path = path_of(folder, id);
	bool ok = path ? load(path, id, h, out, err)
		       : error_set(err, ERR_INTERNAL, "out of memory");

	free(path);
	return ok;
}

bool
witness_log_store(const char *folder, const struct witness_log *l, bool replace,
    struct error *err)
{
	AUTO(buf) text = BUF_INIT(WITNESS_LOG_TEXT_MAX);
	AUTO(hasher) h = {0};
	struct hash id;
	char *path;
	bool ok;

	witness_log_format(l, &text);
	if (!buf_ok(&text, err) || !hasher_open(&h, err))
		return false;
	witness_log_id(&h, witness_log_origin(l), &id);
	if (!hasher_ok(&h, err))
		return false;
	path = path_of(folder, &id);
	if (!path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = replace ? file_write(path, buf_bytes(&text), 0644, err)
		     : file_create(path, buf_bytes(&text), 0644, err);
	free(path);
	if (!ok && err->code == ERR_CONFLICT)
		return error_prefix(err, "%s is witnessed already (--replace)",
		    l->keys[0].name);
	return ok;
}
