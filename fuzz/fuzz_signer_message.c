/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "server/signer_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hasher hasher;

static void
same(const struct buf *packet, struct bytes in)
{
	struct error err = {0};

	if (!buf_ok(packet, &err) || !bytes_equal(buf_bytes(packet), in))
		abort();
}

static void
request_try(struct bytes in)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
	struct signer_request r;
	struct error err = {0};

	if (!signer_request_parse(in, &r, &err))
		return;
	signer_request_format(&r, &packet);
	same(&packet, in);
}

static void
reply_try(struct bytes in)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
	struct signer_reply r;
	struct error err = {0};

	if (!signer_reply_parse(in, &r, &err))
		return;
	signer_reply_format(&r, &packet);
	same(&packet, in);
}

static void
hello_try(struct bytes in)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
	static struct signer_hello hello;
	struct error err = {0};

	if (!signer_hello_parse(&hasher, in, &hello, &err))
		return;
	if (!signer_hello_format(&hasher, &hello, &packet, &err))
		abort();
	same(&packet, in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct error err = {0};

	if (!hasher.ctx && !hasher_open(&hasher, &err))
		abort();
	request_try(in);
	reply_try(in);
	hello_try(in);
	return 0;
}
