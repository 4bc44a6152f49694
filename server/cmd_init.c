/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/crypto/key.h"
#include "core/crypto/private_key.h"
#include "io/file.h"
#include "server/command.h"
#include "server/config_write.h"
#include "server/signed_head.h"
#include "server/store/index.h"
#include "server/store/store.h"

#define PEM_MAX_LEN 16384
#define FORMER_MAX  8

static void
warn(const char *text)
{
	(void)fprintf(stderr, "warning: %s\n", text);
}

/* The first line of a file, without its newline. */
static bool
read_passphrase(const char *path, struct buf *out, struct error *err)
{
	const uint8_t *end;

	if (!path)
		return true;
	if (!file_read(path, out, err))
		return false;
	end = out->len > 0 ? memchr(out->ptr, '\n', out->len) : NULL;
	if (end)
		out->len = (size_t)(end - out->ptr);
	return out->len > 0 ||
	    error_set(err, ERR_USAGE, "%s has no passphrase", path);
}

static bool
make_key(const struct config *c, const char *type, struct error *err)
{
	AUTO(buf) pem = BUF_INIT(PEM_MAX_LEN);
	AUTO(buf) passphrase = BUF_INIT(PASSPHRASE_MAX_LEN);
	enum key_algorithm algorithm = KEY_ED25519;
	struct private_key *key;
	bool ok;

	if (type && strcmp(type, "p256") == 0)
		algorithm = KEY_ECDSA_P256;
	else if (type && strcmp(type, "ed25519") != 0)
		return error_set(
		    err, ERR_USAGE, "--key-type is ed25519 or p256");
	if (!read_passphrase(
		c->key_passphrase_file[0] ? c->key_passphrase_file : NULL,
		&passphrase, err))
		return false;
	key = private_key_generate(algorithm, err);
	ok = key &&
	    private_key_format(key, buf_bytes(&passphrase), &pem, err) &&
	    file_create(c->key, buf_bytes(&pem), 0600, err);
	private_key_close(key);
	explicit_bzero(pem.ptr, pem.len);
	if (passphrase.len > 0)
		explicit_bzero(passphrase.ptr, passphrase.len);
	return ok;
}

static bool
make_store(const struct config *c, uint64_t *identity, struct error *err)
{
	struct index_file *index;
	struct store *store;
	bool ok;

	if (!folder_create(c->database, 0700, err) ||
	    !store_sqlite.create(c->database, err))
		return false;
	store = store_sqlite.open(c->database, true, err);
	ok = store && store_sqlite.identity(store, identity, err);
	if (store)
		store_sqlite.close(store);
	index = ok ? index_open(c->database, false, err) : NULL;
	index_close(index);
	return index != NULL;
}

static bool
make_parent(const char *path, struct error *err)
{
	char *parent = strdup(path), *slash = parent ? strrchr(parent, '/') : 0;
	struct stat st;
	bool ok = true;

	if (slash) {
		*slash = '\0';
		if (stat(parent, &st) != 0)
			ok = folder_create(parent, 0700, err);
	}
	free(parent);
	return ok;
}

static bool
make_guard(const struct config *c, uint64_t identity, struct vkey *vkey,
    struct error *err)
{
	struct signer_options o;

	log_signer_options(c, vkey, &o);
	return make_parent(c->guard, err) &&
	    signer_init(&o, identity, vkey, err);
}

static bool
make_texts(const struct config *c, const struct vkey *vkey, struct buf *text,
    struct error *err)
{
	char *conf = path_join(c->dir, CONFIG_FILE);
	char *file = path_join(c->dir, "vkey");
	bool ok;

	vkey_format(vkey, text);
	buf_put_u8(text, '\n');
	ok = conf && file && buf_ok(text, err) &&
	    config_write_default(conf, c, err) &&
	    file_create(file, buf_bytes(text), 0644, err) &&
	    folder_sync(c->dir, err);
	free(conf);
	free(file);
	return ok;
}

static bool
make_folder(const char *dir, struct error *err)
{
	struct stat st;
	bool empty;

	if (!folder_empty(dir, &empty, err))
		return false;
	if (!empty)
		return error_set(err, ERR_CONFLICT,
		    "%s is not empty; a log begins in a new folder", dir);
	return stat(dir, &st) == 0 || folder_create(dir, 0700, err);
}

static bool
list_put(struct config_list *l, struct bytes text, struct error *err)
{
	char *item;

	if (l->count == FORMER_MAX)
		return error_set(err, ERR_LIMIT,
		    "more than %d logs follow each other", FORMER_MAX);
	item = strndup((const char *)text.ptr, text.len);
	if (!item)
		return error_set(err, ERR_INTERNAL, "out of memory");
	l->items[l->count++] = item;
	return true;
}

/*
 * The new log takes the place of the one in `dir`, which must never sign
 * again: two logs that both grow would be two records. Its vkey, and those
 * that it followed itself, stay trusted.
 */
static bool
follow(const char *dir, struct config *c, struct error *err)
{
	AUTO(config) old = {0};
	AUTO(buf) text = BUF_INIT(4096);
	struct guard_state guard;
	struct vkey vkey;

	if (!config_load(dir, NULL, NULL, &old, err) ||
	    !guard_read(old.guard, &guard, err) ||
	    !log_vkey_read(dir, &vkey, err))
		return error_prefix(err, "--follows %s", dir);
	if (!guard.frozen)
		return error_set(err, ERR_CONFLICT,
		    "%s can still grow: end it first with "
		    "mtlogd freeze --dir %s --yes",
		    old.origin, dir);
	if (strcmp(old.origin, c->origin) == 0)
		return error_set(err, ERR_USAGE,
		    "a log that follows %s has an --origin of its own",
		    old.origin);
	for (size_t i = 0; i < old.former_logs.count; i++)
		if (!list_put(&c->former_logs,
			bytes_str(old.former_logs.items[i]), err))
			return false;
	vkey_format(&vkey, &text);
	return buf_ok(&text, err) &&
	    list_put(&c->former_logs, buf_bytes(&text), err);
}

static bool
make_log(const struct arguments *a, struct config *c, struct error *err)
{
	AUTO(buf) text = BUF_INIT(4096);
	const char *old = arguments_value(a, "follows");
	struct vkey vkey;
	uint64_t identity;

	if (!config_from_flags(a->dir, a->flags, c, err) ||
	    (old && !follow(old, c, err)) || !config_check(c, warn, err) ||
	    !make_folder(a->dir, err) || !folder_local(a->dir, err) ||
	    !make_key(c, arguments_value(a, "key-type"), err) ||
	    !make_store(c, &identity, err) || !log_local(c, err) ||
	    !make_guard(c, identity, &vkey, err) ||
	    !make_texts(c, &vkey, &text, err))
		return false;
	(void)fprintf(stderr,
	    "The log %s is ready in %s.\n"
	    "Start it:      mtlogd serve --dir %s\n"
	    "Hand out the line below: it is what others need to trust this "
	    "log.\nWho may submit: %s on %s "
	    "(mtlogd.conf: admit, public-submissions).\n",
	    c->origin, a->dir, a->dir,
	    c->admit == CONFIG_ADMIT_RULES ? "those whom the rules name,"
					   : "anyone with a valid signature,",
	    c->listen);
	(void)fwrite(text.ptr, 1, text.len, stdout);
	return true;
}

int
cmd_init(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"key-type=", "follows=", NULL};
	struct config c = {0};
	struct arguments a;
	bool ok =
	    arguments_read(argc, argv, own, &a, err) && make_log(&a, &c, err);

	config_release(&c);
	arguments_release(&a);
	return ok ? 0 : -1;
}
