/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/file.h"
#include "server/witness/commands.h"
#include "server/witness/cosigner.h"
#include "server/witness/witness_log.h"

static bool
take_log(const struct arguments *a, struct witness_log *l, struct error *err)
{
	const char *url = arguments_value(a, "url");
	const char *rate = arguments_value(a, "per-day");
	const char *vkey;
	size_t at = 0;

	*l = (struct witness_log){.per_day = WITNESS_PER_DAY};
	while ((vkey = arguments_next(a, "@", &at)))
		if (!witness_log_add_key(l, bytes_str(vkey), err))
			return false;
	if (l->key_count == 0)
		return error_set(err, ERR_USAGE,
		    "VKEY is missing: the log's vkey, as its operator hands "
		    "it out");
	return (!url || witness_log_set_url(l, bytes_str(url), err)) &&
	    (!rate || witness_log_set_rate(l, bytes_str(rate), err));
}

static bool
add(const struct arguments *a, struct error *err)
{
	AUTO(buf) hex = BUF_INIT(2 * HASH_LEN + 1);
	char *folder = path_join(a->dir, WITNESS_LOG_FOLDER);
	AUTO(hasher) h = {0};
	struct vkey witness;
	struct witness_log l;
	struct hash id;
	bool ok = folder && take_log(a, &l, err) &&
	    cosigner_vkey_read(a->dir, &witness, err) && hasher_open(&h, err) &&
	    witness_log_store(folder, &l, arguments_value(a, "replace"), err);

	free(folder);
	if (!ok)
		return error_set(err, ERR_INTERNAL, "out of memory");
	witness_log_id(&h, witness_log_origin(&l), &id);
	hex_put(&hex, hash_bytes(&id));
	if (!hasher_ok(&h, err) || !buf_ok(&hex, err))
		return false;
	(void)printf("%s /%.*s/checkpoint\n", l.keys[0].name, (int)hex.len,
	    (const char *)hex.ptr);
	return true;
}

int
witness_add_log(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {
	    "url=", "per-day=", "replace", COMMAND_OPERANDS, NULL};
	struct arguments a;
	bool ok = witness_arguments(argc, argv, own, &a, err) && add(&a, err);

	arguments_release(&a);
	return ok ? 0 : -1;
}
