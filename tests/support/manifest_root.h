/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_MANIFEST_ROOT_H
#define MTLOG_TESTS_SUPPORT_MANIFEST_ROOT_H

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/crypto/hash.h"

/*
 * manifest_root_of is the root digest of a predicate in JSON, found another way
 * than the manifest's: with a tree of jansson's. What is no digest counts for
 * nothing.
 */
static inline bool
manifest_root_of(struct bytes predicate, struct hash *out)
{
	AUTO_PTR(json_t) tree = NULL;
	AUTO(buf) all = BUF_INIT(predicate.len);
	AUTO(hasher) h = {0};
	struct error err = {0};
	const json_t *list;

	*out = (struct hash){0};
	if (!json_parse(predicate, predicate.len, &tree, &err) ||
	    !hasher_open(&h, &err))
		return false;
	list = json_object_get(tree, "resources");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *digest =
		    json_object_get(json_array_get(list, i), "digest");
		uint8_t raw[DIGEST_MAX_LEN];
		size_t n = json_string_length(digest) / 2;

		if (n <= sizeof(raw) && hex_decode(json_text(digest), raw, n))
			buf_put(&all, bytes_of(raw, n));
	}
	sha256(&h, buf_bytes(&all), out);
	return hasher_ok(&h, &err);
}

#endif
