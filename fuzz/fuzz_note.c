/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a signed note. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/note.h"

#define LOG "log.example+328a282e+AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_format(const struct note *n, struct bytes in)
{
	AUTO(buf) again = BUF_INIT(in.len);
	struct error err = {0};

	buf_put(&again, n->text);
	buf_put_u8(&again, '\n');
	for (size_t i = 0; i < n->signature_count; i++)
		note_signature_put(&again, n->signatures[i].name,
		    n->signatures[i].key_id, n->signatures[i].signature);
	must(buf_ok(&again, &err));
	must(bytes_equal(buf_bytes(&again), in));
}

/* What verifies does so for this text alone. */
static void
check_verify(struct note *n)
{
	struct key_verifier *verifier;
	struct error err = {0};
	struct vkey key;

	must(vkey_parse(BYTES_LIT(LOG), &key, &err));
	verifier = key_verifier_open(&err);
	must(verifier != NULL);
	if (note_verify(n, &key, verifier, &err)) {
		n->text.len--;
		must(!note_verify(n, &key, verifier, &err));
		must(err.code == ERR_BADSIG);
	} else {
		must(err.code == ERR_BADSIG || err.code == ERR_NOTFOUND);
	}
	key_verifier_close(verifier);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct error err = {0};
	AUTO(note) n = {0};

	if (!note_parse(in, &n, &err)) {
		must(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
		return 0;
	}
	check_format(&n, in);
	check_verify(&n);
	return 0;
}
