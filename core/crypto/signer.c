/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/signer.h"

void
signer_release(struct signer *s)
{
	buf_release(&s->spki);
	*s = (struct signer){0};
}

bool
signature_confirm(struct bytes spki, enum digest_algorithm alg,
    struct bytes digest, struct bytes signature, struct error *err)
{
	struct error why = {0};
	struct public_key key;
	struct key_verifier *v;
	bool ok;

	if (!public_key_parse(spki, &key, err))
		return false;
	v = key_verifier_open(err);
	if (!v)
		return false;
	ok = key_verify_digest(v, &key, alg, digest, signature, &why);
	key_verifier_close(v);
	return ok ||
	    error_set(err, why.code == ERR_USAGE ? ERR_USAGE : ERR_INTERNAL,
		"a signature just made is no good: %s", why.text);
}
