/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a private key in PEM, not encrypted. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/crypto/private_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* What was read is a key of a kind that is known, and reads again as itself. */
static void
check_key(const struct private_key *key)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) pem = BUF_INIT(PRIVATE_KEY_MAX_LEN);
	AUTO(buf) again = BUF_INIT(SPKI_MAX_LEN);
	struct public_key public;
	struct private_key *other;
	struct error err = {0};

	must(private_key_public(key, &spki, &err));
	must(public_key_parse(buf_bytes(&spki), &public, &err));
	must(public.algorithm == private_key_algorithm(key));
	must(private_key_format(key, (struct bytes){0}, &pem, &err));
	other = private_key_parse(buf_bytes(&pem), (struct bytes){0}, &err);
	must(other != NULL);
	must(private_key_public(other, &again, &err));
	must(bytes_equal(buf_bytes(&spki), buf_bytes(&again)));
	private_key_close(other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = {0};
	struct private_key *key =
	    private_key_parse(bytes_of(data, size), (struct bytes){0}, &err);

	if (key)
		check_key(key);
	else
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT ||
		    err.code == ERR_DENIED || err.code == ERR_USAGE);
	private_key_close(key);
	return 0;
}
