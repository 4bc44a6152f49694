/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a Sigstore bundle in JSON. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/model/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
same_list(const struct bytes *a, const struct bytes *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		must(bytes_equal(a[i], b[i]));
}

static void
same(const struct bundle *a, const struct bundle *b)
{
	must(a->material == b->material && bytes_equal(a->hint, b->hint));
	must(bytes_equal(a->envelope.payload, b->envelope.payload));
	must(bytes_equal(a->envelope.payload_type, b->envelope.payload_type));
	must(bytes_equal(a->envelope.signature, b->envelope.signature));
	must(a->certificate_count == b->certificate_count &&
	    a->entry_count == b->entry_count &&
	    a->timestamp_count == b->timestamp_count);
	same_list(a->certificates, b->certificates, a->certificate_count);
	same_list(a->entries, b->entries, a->entry_count);
	same_list(a->timestamps, b->timestamps, a->timestamp_count);
}

static void
check(const struct bundle *b)
{
	must(b->version >= 1 && b->version <= 3);
	must((b->material == BUNDLE_KEY) == (b->certificate_count == 0));
	must(b->certificate_count <= BUNDLE_MAX_CERTIFICATES);
	must(b->entry_count <= BUNDLE_MAX_ENTRIES);
	must(b->timestamp_count <= BUNDLE_MAX_TIMESTAMPS);
	must(b->envelope.signature.len > 0 && b->envelope.payload_type.len > 0);
	for (size_t i = 0; i < b->entry_count; i++)
		must(b->entries[i].ptr[0] == '{' &&
		    !memchr(b->entries[i].ptr, '\n', b->entries[i].len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf) in = BUF_INIT(size + 1);
	AUTO(buf) first = BUF_INIT(8 * size + 4096);
	AUTO(buf) second = BUF_INIT(8 * size + 4096);
	AUTO(bundle) b = {0};
	AUTO(bundle) again = {0};
	AUTO_PTR(json_t) tree = NULL;
	struct error err = {0};

	/* Nothing of it may be needed afterwards. */
	buf_put(&in, bytes_of(data, size));
	if (!bundle_parse(buf_bytes(&in), &b, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		must(strcmp(err.reason, "malformed-bundle") == 0);
		return 0;
	}
	buf_release(&in);
	check(&b);
	bundle_format(&b, &first);
	must(buf_ok(&first, &err));
	must(json_parse(buf_bytes(&first), first.len, &tree, &err) ||
	    strstr(err.text, "too big") || strstr(err.text, "overflow"));
	err = (struct error){0};
	must(bundle_parse(buf_bytes(&first), &again, &err));
	same(&b, &again);
	bundle_format(&again, &second);
	must(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	return 0;
}
