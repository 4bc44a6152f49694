/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_ENCLOSURE_H
#define MTLOG_SERVER_ENCLOSURE_H

#include "server/catalog.h"

#define ENCLOSURE_FIRST                                                        \
	UINT64_MAX /* link.index: the entry that it comes with */

/*
 * An envelope on its way into the store, beside its entry. Borrows the bytes
 * of type and payload from the request.
 */
struct enclosure {
	struct store_link link;
	struct catalog catalog;
};

/* enclosure_make reads an envelope (see catalog_read) that `e` logs; its link
 * begins as ENCLOSURE_FIRST. enclosure_release. */
bool enclosure_make(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *e, struct enclosure *out, struct error *err) MUST_USE;
void enclosure_release(struct enclosure *x);

/* enclosure_bytes is what it counts against limits. */
static inline size_t
enclosure_bytes(const struct enclosure *x)
{
	return x->link.type.len + x->link.payload.len;
}

#endif
