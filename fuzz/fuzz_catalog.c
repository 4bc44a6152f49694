/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/model/dsse.h"
#include "server/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
signer_make(struct entry *out)
{
	AUTO(buf) spki = BUF_INIT(64);
	uint8_t raw[32] = {1}, digest[64] = {2}, signature[64] = {3};
	struct error err = {0};

	ed25519_spki_put(&spki, BYTES_OF(raw));
	if (!entry_fill(out, BYTES_OF(digest), BYTES_OF(signature),
		buf_bytes(&spki), false, &err))
		abort();
}

/* Sorted, each once, and everything in it is found. */
static void
check_keys(const struct catalog *c)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->keys[i].kind < INDEX_STATEMENT ||
		    c->keys[i].kind >= INDEX_KINDS ||
		    !catalog_has(c, &c->keys[i]))
			abort();
		if (i > 0 && c->keys[i - 1].kind == c->keys[i].kind &&
		    memcmp(c->keys[i - 1].key.b, c->keys[i].key.b, HASH_LEN) >=
			0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes payload = bytes_of(data, size);
	struct bytes type = BYTES_LIT(DSSE_IN_TOTO);
	AUTO(entry) signer = {0};
	AUTO(catalog) whole = {0};
	AUTO(catalog) head = {0};
	AUTO(hasher) h = {0};
	struct error err = {0}, ignored = {0};

	signer_make(&signer);
	if (!hasher_open(&h, &err))
		abort();
	if (!catalog_read(&h, type, payload, &signer, &whole, &err)) {
		if (err.code == ERR_NONE || err.code == ERR_INTERNAL)
			abort();
		return 0;
	}
	check_keys(&whole);
	/* A peek sees less, and nothing else. */
	if (!catalog_peek(&h, type, payload, &signer, &head, &ignored) ||
	    !hash_equal(&head.s, &whole.s))
		abort();
	for (size_t i = 0; i < head.count; i++)
		if (!catalog_has(&whole, &head.keys[i]))
			abort();
	return 0;
}
