/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a whole safetensors file. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* Every byte behind the header belongs to exactly one tensor. */
static void
check(const struct safetensors *s, uint64_t size)
{
	uint64_t sum = 0;

	must(s->data <= size);
	for (size_t i = 0; i < s->count; i++) {
		const struct safetensors_tensor *t = &s->tensors[i];

		must(t->begin <= t->end && t->end <= size - s->data);
		must(t->dtype != NULL && t->rank <= SAFETENSORS_RANK_MAX);
		must(utf8_valid(t->name));
		sum += t->end - t->begin;
		must(i == 0 || !bytes_equal(t[-1].name, t->name));
	}
	must(sum == size - s->data);
	for (size_t i = 0; i < s->metadata_count; i++)
		must(utf8_valid(s->metadata[i].key) &&
		    utf8_valid(s->metadata[i].value));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(safetensors) s = {0};
	AUTO(safetensors) again = {0};
	struct error err = {0};
	struct bytes in = bytes_of(data, size);

	if (!safetensors_parse(in, size, &s, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		must(strcmp(err.reason, "malformed-safetensors") == 0);
		must(s.tensors == NULL && s.metadata == NULL);
		return 0;
	}
	check(&s, size);
	/* What lies behind the header is not looked at. */
	must(safetensors_parse(
	    bytes_slice(in, 0, (size_t)s.data), size, &again, &err));
	must(again.count == s.count);
	return 0;
}
