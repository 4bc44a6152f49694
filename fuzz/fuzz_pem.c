/* SPDX-License-Identifier: Apache-2.0 */
/* Input: PEM text. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/crypto/key.h"
#include "core/crypto/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* A block written anew reads as the same one. */
static void
check_again(struct bytes label, struct bytes der)
{
	AUTO(buf) text = BUF_INIT(4 * CERTIFICATE_MAX_LEN);
	AUTO(buf) again = BUF_INIT(CERTIFICATE_MAX_LEN);
	char name[PEM_LABEL_MAX + 1] = {0};
	struct bytes found;
	struct error err = {0};
	struct reader r;

	must(label.len <= PEM_LABEL_MAX);
	memcpy(name, label.ptr, label.len);
	pem_put(&text, name, der);
	must(buf_ok(&text, &err));
	reader_init(&r, buf_bytes(&text));
	must(pem_next(&r, &found, &again, &err));
	must(bytes_equal(found, label) && bytes_equal(buf_bytes(&again), der));
	must(!pem_next(&r, &found, &again, &err) && err.code == ERR_NONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf) der = BUF_INIT(CERTIFICATE_MAX_LEN);
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct bytes in = bytes_of(data, size), label;
	struct error err = {0}, why = {0};
	struct reader r = {in};
	size_t blocks = 0;

	for (; pem_next(&r, &label, &der, &err); blocks++)
		check_again(label, buf_bytes(&der));
	must(err.code == ERR_NONE || err.code == ERR_SYNTAX ||
	    err.code == ERR_LIMIT);
	if (pem_public_key(in, &spki, &why)) {
		must(blocks == 1 && err.code == ERR_NONE);
		must(spki.len > 0);
	} else {
		must(why.code == ERR_SYNTAX || why.code == ERR_LIMIT);
	}
	return 0;
}
