/* SPDX-License-Identifier: Apache-2.0 */
/* Input: what a connection sends. It means the same in whatever pieces. */
#include <stdlib.h>

#include "server/httpd_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static struct http_reader
read_in(struct bytes in, size_t piece)
{
	struct http_reader r;
	size_t passed = 0;

	http_reader_init(&r, 1000);
	for (size_t i = 0; i < in.len; i += piece) {
		struct bytes part = bytes_of(
		    in.ptr + i, in.len - i < piece ? in.len - i : piece);
		bool faulty = r.fault != HTTP_FAULT_NONE;
		size_t n = http_reader_take(&r, part);

		must(n <= part.len && !(faulty && n > 0));
		passed += n;
	}
	must(r.whole <= r.heads && r.heads <= r.whole + 1);
	must(r.heads == 0 || passed > 0 || piece >= in.len);
	http_reader_end(&r);
	must(r.fault != HTTP_FAULT_NONE || r.heads == r.whole);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct http_reader all = read_in(in, size + 1);

	for (size_t piece = 1; piece < 9; piece += 3) {
		struct http_reader r = read_in(in, piece);

		must(r.fault == all.fault && r.heads == all.heads &&
		    r.whole == all.whole && r.state == all.state);
	}
	if (all.fault != HTTP_FAULT_NONE)
		must(http_fault_answer(all.fault)->status / 100 == 4);
	return 0;
}
