/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a trusted_root.json. */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/identity/trust_root.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_logs(const struct trust_log *logs, size_t count)
{
	must(count <= TRUST_ROOT_MAX_LOGS);
	for (size_t i = 0; i < count; i++) {
		struct public_key key;
		struct error err = {0};
		struct vkey vkey;

		must(logs[i].name.len <= logs[i].url.len);
		if (!logs[i].usable)
			continue;
		must(public_key_parse(logs[i].key.spki, &key, &err));
		(void)!trust_log_vkey(&logs[i], &vkey, &err);
	}
}

static void
check_authorities(const struct trust_authority *a, size_t count)
{
	must(count <= TRUST_ROOT_MAX_AUTHORITIES);
	for (size_t i = 0; i < count; i++) {
		must(a[i].certificate_count >= 1);
		must(a[i].certificate_count <= TRUST_ROOT_MAX_CERTIFICATES);
		for (size_t k = 0; k < a[i].certificate_count; k++)
			must(a[i].certificates[k].len > 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(trust_root) root = {0};
	struct error err = {0};

	if (!trust_root_parse(bytes_of(data, size), &root, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		must(root.storage.ptr == NULL);
		return 0;
	}
	check_logs(root.logs, root.log_count);
	check_logs(root.ct_logs, root.ct_log_count);
	check_authorities(root.cas, root.ca_count);
	check_authorities(root.tsas, root.tsa_count);
	return 0;
}
