/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signed_head.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/checkpoint.h"
#include "io/file.h"

#define VKEY_FILE_MAX 4096

bool
log_vkey_read(const char *dir, struct vkey *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(VKEY_FILE_MAX);
	char *path = path_join(dir, "vkey");
	bool ok = path && file_read(path, &text, err);

	free(path);
	if (!ok)
		return error_set(err, ERR_INTERNAL, "out of memory");
	while (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	return vkey_parse(buf_bytes(&text), out, err);
}

void
log_signer_options(
    const struct config *c, struct vkey *vkey, struct signer_options *out)
{
	struct error none = {0};

	*out = (struct signer_options){
	    .key_path = c->key,
	    .passphrase_path =
		c->key_passphrase_file[0] ? c->key_passphrase_file : NULL,
	    .guard_path = c->guard,
	    .guard_copies = (const char *const *)c->guard_copies.items,
	    .origin = c->origin,
	    .vkey = log_vkey_read(c->dir, vkey, &none) ? vkey : NULL,
	    .lock_wait_ms = 2000,
	};
}

bool
note_head(struct bytes note, const struct vkey *vkey, struct fsck_head *out,
    struct error *err)
{
	struct key_verifier *verifier = key_verifier_open(err);
	struct checkpoint c;
	bool ok = verifier && checkpoint_open(note, vkey, verifier, &c, err);

	key_verifier_close(verifier);
	if (ok)
		*out = (struct fsck_head){.size = c.size, .root = c.root};
	return ok;
}

bool
signed_head_read(
    const struct config *c, struct fsck_head *out, struct error *err)
{
	struct guard_state state;
	struct vkey vkey;

	return log_vkey_read(c->dir, &vkey, err) &&
	    guard_read(c->guard, &state, err) &&
	    note_head(bytes_of(state.note, state.note_len), &vkey, out, err);
}

/* The file system of a guard, or of the folder where it will be. Whatever else
 * is wrong with it, the signer finds out. */
static bool
guard_local(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	struct error why = {0};
	char *folder;

	if (folder_local(path, &why))
		return true;
	if (why.code == ERR_NOTFOUND && slash) {
		folder = strndup(path, (size_t)(slash - path) + 1);
		if (!folder)
			return error_set(err, ERR_INTERNAL, "out of memory");
		why = (struct error){0};
		(void)!folder_local(folder, &why);
		free(folder);
	}
	return strcmp(error_reason_name(&why), "network-file-system") != 0 ||
	    error_reason(
		err, why.code, "network-file-system", "guard: %s", why.text);
}

bool
log_local(const struct config *c, struct error *err)
{
	bool ok = folder_local(c->database, err) && guard_local(c->guard, err);

	for (size_t i = 0; ok && i < c->guard_copies.count; i++)
		ok = guard_local(c->guard_copies.items[i], err);
	return ok;
}
