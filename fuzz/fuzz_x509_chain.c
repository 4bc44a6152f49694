/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a .chain file (tests/support/make_certificate_vectors.py). */
#include <stdlib.h>

#include "tests/support/chain_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* Each end of a path that is found is what it must be, and all are valid. */
static void
check(const struct chain *c, const struct chain_path *path)
{
	must(path->count >= 2 && path->count <= CHAIN_MAX_DEPTH);
	must(path->anchor < c->anchor_count);
	must(path->certificates[0].ptr == c->leaf.ptr);
	must(bytes_equal(
	    path->certificates[path->count - 1], c->anchors[path->anchor]));
	for (size_t i = 0; i < path->count; i++) {
		struct certificate one;
		struct error err = {0};

		must(certificate_parse(path->certificates[i], &one, &err));
		must(one.not_before <= c->time && c->time <= one.not_after);
		must(i == 0 || one.is_ca);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chain_file f;
	struct chain_path path;
	struct error err = {0};

	if (!chain_file_parse(bytes_of(data, size), &f))
		return 0;
	if (chain_find(&f.chain, f.purpose, &path, &err))
		check(&f.chain, &path);
	else
		must(err.code != ERR_NONE && err.code != ERR_INTERNAL &&
		    err.reason != NULL);
	return 0;
}
