/* SPDX-License-Identifier: Apache-2.0 */
#include <microhttpd.h>

#include "server/httpd_parts.h"

/* Answers in the library's form. */

static void
release_shared(void *body)
{
	httpd_body_release(body);
}

static struct MHD_Response *
body_response(struct response *r)
{
	struct MHD_Response *m;

	if (r->shared) {
		const uint8_t *from = r->shared->data.ptr;

		m = MHD_create_response_from_buffer_with_free_callback_cls(
		    r->shared_len,
		    (void *)(uintptr_t)(from ? from + r->shared_offset : from),
		    release_shared, r->shared);
		if (m)
			r->shared = NULL; /* transferred */
	} else if (r->text.len > 0) {
		m = MHD_create_response_from_buffer(
		    r->text.len, r->text.ptr, MHD_RESPMEM_MUST_FREE);
		if (m)
			r->text = (struct buf){0}; /* transferred */
	} else {
		m = MHD_create_response_from_buffer(
		    0, NULL, MHD_RESPMEM_PERSISTENT);
	}
	return m;
}

static bool
add_headers(struct MHD_Response *m, const struct response *r)
{
	bool ok = !r->content_type ||
	    MHD_add_response_header(
		m, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);

	for (size_t i = 0; ok && i < r->header_count; i++)
		if (r->headers[i].value[0] != '\0')
			ok = MHD_add_response_header(
			    m, r->headers[i].name, r->headers[i].value);
	return ok;
}

void *
answer_fixed(const struct response *r)
{
	struct httpd_body *b = r->shared;
	struct MHD_Response *m;
	void *have = __atomic_load_n(&b->fixed, __ATOMIC_ACQUIRE);

	if (have)
		return have;
	m = MHD_create_response_from_buffer(b->data.len,
	    (void *)(uintptr_t)b->data.ptr, MHD_RESPMEM_PERSISTENT);
	if (!m || !add_headers(m, r)) {
		if (m)
			MHD_destroy_response(m);
		return NULL;
	}
	if (__atomic_compare_exchange_n(&b->fixed, &have, (void *)m, false,
		__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return m;
	MHD_destroy_response(m);
	return have;
}

void *
answer_make(struct httpd *h, struct response *r)
{
	struct MHD_Response *m = body_response(r);
	bool ok = m && add_headers(m, r);

	if (ok && atomic_load_explicit(&h->draining, memory_order_relaxed))
		ok = MHD_add_response_header(
		    m, MHD_HTTP_HEADER_CONNECTION, "close");
	response_release(r);
	if (!ok && m)
		MHD_destroy_response(m);
	return ok ? m : NULL;
}

void
answer_drop(void *answer)
{
	MHD_destroy_response(answer);
}
