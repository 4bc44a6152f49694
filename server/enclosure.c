/* SPDX-License-Identifier: Apache-2.0 */
#include "server/enclosure.h"

bool
enclosure_make(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *e, struct enclosure *out, struct error *err)
{
	*out = (struct enclosure){0};
	if (!catalog_read(h, type, payload, e, &out->catalog, err) ||
	    !envelope_link(h, type, payload, e, &out->link, err))
		return false;
	out->link.index = ENCLOSURE_FIRST;
	return true;
}

void
enclosure_release(struct enclosure *x)
{
	catalog_release(&x->catalog);
}
