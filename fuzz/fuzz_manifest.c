/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the predicate of a model's statement. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/model/manifest.h"
#include "tests/support/manifest_root.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* The files are all of the resources, in order, without a gap. */
static void
check_files(struct manifest *m)
{
	struct manifest_files files;
	struct error err = {0};
	size_t n = 0;

	must(manifest_group(m, &files, &err));
	must(files.count > 0 && files.count <= m->count);
	for (size_t i = 0; i < files.count; i++) {
		const struct manifest_file *f = &files.files[i];
		uint64_t end = 0;

		must(manifest_name_valid(f->name));
		must(manifest_files_find(&files, f->name) == f);
		must(f->first == n && f->shards > 0);
		must(m->sharded || f->shards == 1);
		for (size_t k = 0; k < f->shards; k++) {
			const struct resource *r =
			    &m->resources[files.order[n++]];

			must(bytes_equal(r->name, f->name));
			must(r->start == end && (r->end > end || !m->sharded));
			end = r->end;
		}
		must(end == f->size);
	}
	must(n == m->count);
}

static void
check_again(struct manifest *m, struct manifest *again, struct buf *first)
{
	struct error err = {0};
	struct hash root;

	manifest_format(m, first);
	if (first->failed)
		return;
	must(manifest_root(m, &root, &err));
	must(manifest_parse(buf_bytes(first), &root, again, &err));
	must(again->count == m->count && again->sharded == m->sharded &&
	    again->shard_size == m->shard_size &&
	    again->algorithm == m->algorithm &&
	    again->allow_symlinks == m->allow_symlinks &&
	    again->ignored_count == m->ignored_count &&
	    again->name_order == m->name_order);
	for (size_t i = 0; i < m->count; i++)
		must(bytes_equal(
		    m->resources[i].digest, again->resources[i].digest));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	AUTO(buf) first = BUF_INIT(8 * size + 4096);
	AUTO(buf) second = BUF_INIT(8 * size + 4096);
	AUTO(buf) sorted = BUF_INIT(8 * size + 4096);
	AUTO(manifest) m = {0};
	AUTO(manifest) again = {0};
	AUTO(manifest) third = {0};
	struct error err = {0};
	struct hash root;

	(void)manifest_root_of(in, &root);
	if (!manifest_parse(in, &root, &m, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		must(strcmp(err.reason, "malformed-statement") == 0);
		return 0;
	}
	check_files(&m);
	check_again(&m, &again, &first);
	manifest_format(&again, &second);
	must(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	manifest_sort(&m);
	must(m.name_order);
	check_files(&m);
	check_again(&m, &third, &sorted);
	return 0;
}
