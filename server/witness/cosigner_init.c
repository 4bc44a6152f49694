/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/crypto/private_key.h"
#include "io/file.h"
#include "server/guard.h"
#include "server/witness/cosigner.h"

#define PEM_MAX_LEN 4096

static bool
make_folder(const char *dir, struct error *err)
{
	struct stat st;
	bool empty;

	if (!folder_empty(dir, &empty, err))
		return false;
	if (!empty)
		return error_set(err, ERR_CONFLICT,
		    "%s is not empty; a witness begins in a new folder", dir);
	return stat(dir, &st) == 0 || folder_create(dir, 0700, err);
}

static bool
vkey_of(const struct private_key *key, const char *name, struct vkey *out,
    struct error *err)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct public_key public;

	return private_key_public(key, &spki, err) &&
	    public_key_parse(buf_bytes(&spki), &public, err) &&
	    vkey_init(out, bytes_str(name), NOTE_COSIGNATURE, public.raw, err);
}

static bool
make_key(const char *dir, const char *name, struct vkey *out, struct error *err)
{
	AUTO(buf) pem = BUF_INIT(PEM_MAX_LEN);
	struct private_key *key = private_key_generate(KEY_ED25519, err);
	char *path = path_join(dir, WITNESS_KEY_FILE);
	bool ok = key && path && vkey_of(key, name, out, err) &&
	    private_key_format(key, (struct bytes){0}, &pem, err) &&
	    file_create(path, buf_bytes(&pem), 0600, err);

	private_key_close(key);
	free(path);
	if (pem.ptr)
		explicit_bzero(pem.ptr, pem.len);
	return ok || error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
make_guard(const char *dir, const struct vkey *vkey, struct error *err)
{
	static const char none[] = "commits 0\n";
	struct guard_state first = {
	    .generation = 1,
	    .log_id = vkey->log_id,
	    .note_len = sizeof(none) - 1,
	};
	char *path = path_join(dir, WITNESS_GUARD_FILE);
	bool ok;

	memcpy(first.origin, vkey->name, vkey->name_len);
	memcpy(first.note, none, sizeof(none) - 1);
	ok = path ? guard_create(path, &first, err)
		  : error_set(err, ERR_INTERNAL, "out of memory");
	free(path);
	return ok;
}

static bool
make_below(const char *dir, const char *name, struct error *err)
{
	char *path = path_join(dir, name);
	bool ok = path ? folder_create(path, 0700, err)
		       : error_set(err, ERR_INTERNAL, "out of memory");

	if (ok && strcmp(name, WITNESS_DB_FOLDER) == 0)
		ok = witness_store_create(path, err);
	free(path);
	return ok;
}

static bool
make_vkey(const char *dir, const struct vkey *vkey, struct error *err)
{
	AUTO(buf) text = BUF_INIT(4096);
	char *path = path_join(dir, WITNESS_VKEY_FILE);
	bool ok;

	vkey_format(vkey, &text);
	buf_put_u8(&text, '\n');
	ok = path && buf_ok(&text, err) &&
	    file_create(path, buf_bytes(&text), 0644, err);
	free(path);
	return ok || error_set(err, ERR_INTERNAL, "out of memory");
}

bool
cosigner_init(
    const char *dir, const char *name, struct vkey *vkey, struct error *err)
{
	if (!note_name_valid(bytes_str(name)))
		return error_set(err, ERR_USAGE,
		    "--name is the name of a key: no white space, no plus "
		    "sign, such as witness.example.org/w1");
	/* The vkey last: without it, the folder is not a witness's. */
	return make_folder(dir, err) && folder_local(dir, err) &&
	    make_key(dir, name, vkey, err) && make_guard(dir, vkey, err) &&
	    make_below(dir, WITNESS_DB_FOLDER, err) &&
	    make_below(dir, WITNESS_LOG_FOLDER, err) &&
	    make_below(dir, WITNESS_RUN_FOLDER, err) &&
	    make_vkey(dir, vkey, err) && folder_sync(dir, err);
}
