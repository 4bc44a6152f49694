/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/dsse.h"
#include "core/model/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The envelope that a submission brought is what its entry is about. */
static void
check_envelope(struct bytes json, const struct entry *want)
{
	AUTO(buf) type = BUF_INIT(ENTRY_DSSE_TYPE_MAX);
	AUTO(buf) payload = BUF_INIT(ENTRY_REQUEST_MAX);
	uint8_t digest[DIGEST_MAX_LEN];
	AUTO(entry) e = {0};
	struct error err = {0};

	if (!entry_request_parse_whole(json, &e, &type, &payload, &err) ||
	    !bytes_equal(e.digest, want->digest))
		abort();
	if (type.len == 0 && payload.len == 0)
		return;
	if (!dsse_digest(e.digest_algorithm, buf_bytes(&type),
		buf_bytes(&payload), digest, &err) ||
	    !bytes_equal(
		e.digest, bytes_of(digest, digest_len(e.digest_algorithm))))
		abort();
}

/*
 * A submission that is taken gives a leaf that parses back to the same entry;
 * one that is refused has a reason and a sentence of valid UTF-8.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) again = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(entry) e = {0};
	AUTO(entry) back = {0};
	struct error err = {0};

	if (!entry_request_parse(bytes_of(data, size), &e, &err)) {
		if ((err.code != ERR_SYNTAX && err.code != ERR_LIMIT) ||
		    !err.reason || err.text[0] == '\0' ||
		    !utf8_valid(bytes_str(err.text)))
			abort();
		return 0;
	}
	check_envelope(bytes_of(data, size), &e);
	entry_format(&e, &leaf);
	if (leaf.failed || !entry_parse(buf_bytes(&leaf), &back, &err))
		abort();
	entry_format(&back, &again);
	if (!bytes_equal(buf_bytes(&leaf), buf_bytes(&again)))
		abort();
	return 0;
}
