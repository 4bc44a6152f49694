/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/fork.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/tlog/evidence.h"
#include "io/file.h"

#define DIGITS 16

/* Nothing is called evidence that its reader would not take for it. */
static bool
convinces(const struct evidence *e, struct hasher *h)
{
	struct error why = {0};
	struct key_verifier *v = key_verifier_open(&why);
	bool ok = v && evidence_verify(e, &e->key, h, v, NULL, &why);

	key_verifier_close(v);
	return ok;
}

bool
fork_said(const struct fork *f, struct buf *out, struct error *err)
{
	AUTO(hasher) h = {0};
	struct evidence e = {
	    .key = *f->key,
	    .smaller = f->smaller,
	    .larger = f->larger,
	    .has_root = f->other != NULL,
	};

	if (f->other) {
		e.root = f->other->old_root;
		e.proof = f->other->proof;
	}
	if (!hasher_open(&h, err))
		return false;
	if (convinces(&e, &h))
		evidence_format(&e, out);
	return hasher_ok(&h, err) && buf_ok(out, err);
}

bool
fork_write(
    const char *folder, struct bytes evidence, char **path, struct error *err)
{
	AUTO(hasher) h = {0};
	AUTO(buf) digits = BUF_INIT(2 * HASH_LEN);
	struct hash digest;

	*path = NULL;
	if (!hasher_open(&h, err))
		return false;
	sha256(&h, evidence, &digest);
	hex_put(&digits, hash_bytes(&digest));
	if (!hasher_ok(&h, err) || !buf_ok(&digits, err))
		return false;
	if (asprintf(path, "%s/fork-%.*s.evidence", folder, DIGITS,
		(const char *)digits.ptr) < 0) {
		*path = NULL;
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	if (file_write(*path, evidence, 0644, err))
		return true;
	free(*path);
	*path = NULL;
	return false;
}
