/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "server/api/api.h"
#include "server/api/reply.h"
#include "server/catalog.h"

/* Raw bytes of the digest that the address ends in. */
static bool
read_digest(struct bytes text, uint8_t out[DIGEST_MAX_LEN], size_t *len,
    struct error *err)
{
	*len = text.len / 2;
	return ((*len == 32 || *len == 48 || *len == 64) &&
		   hex_decode(text, out, *len)) ||
	    error_reason(err, ERR_SYNTAX, "bad-digest",
		"an envelope is named by S, the SHA-256 of its PAE, or by the "
		"digest of its entry: 64, 96 or 128 lower-case hex digits");
}

/* Stored bytes are believed when they have the digest that was asked for. */
static bool
read_envelope(struct api *api, struct bytes digest, uint64_t size,
    struct store_envelope *e, struct store_link *link, struct error *err)
{
	struct store_reader *r = tree_reader_take(api->tree, err);
	AUTO(hasher) h = {0};
	bool ok;

	if (!r)
		return false;
	ok = api->backend->read_envelope(r, digest, size, e, err);
	tree_reader_give(api->tree, r);
	if (!ok || !hasher_open(&h, err) ||
	    !envelope_link(&h, buf_bytes(&e->type), buf_bytes(&e->payload),
		NULL, link, err))
		return false;
	return bytes_equal(digest,
		   digest.len == 32	  ? hash_bytes(&link->s)
		       : digest.len == 48 ? BYTES_OF(link->sha384)
					  : BYTES_OF(link->sha512)) ||
	    error_reason(err, ERR_INTERNAL, "store-corrupt",
		"the stored envelope has another digest");
}

/*
 * The payload, whoever wrote it: nothing that a browser would show or run.
 * The type is in a header; both together give the digest.
 */
static void
begin(struct response *r, const struct store_envelope *e,
    const struct store_link *link, char etag[2 * HASH_LEN + 3])
{
	AUTO(buf) hex = BUF_INIT(2 * HASH_LEN);

	hex_put(&hex, hash_bytes(&link->s));
	(void)snprintf(etag, 2 * HASH_LEN + 3, "\"%.*s\"", (int)hex.len,
	    (const char *)hex.ptr);
	reply_text(r, 200, "application/octet-stream");
	buf_put(&r->text, buf_bytes(&e->payload));
	response_header(r, "Mtlog-Payload-Type", "%.*s", (int)e->type.len,
	    (const char *)e->type.ptr);
	response_header(r, "X-Content-Type-Options", "nosniff");
	response_header(r, "Content-Disposition", "attachment");
	response_header(
	    r, "Content-Security-Policy", "default-src 'none'; sandbox");
	/* It can be dropped, so it is asked for again. */
	response_header(r, "Cache-Control", "no-cache");
	response_header(r, "Access-Control-Allow-Origin", "*");
	response_header(
	    r, "Access-Control-Expose-Headers", "Mtlog-Payload-Type");
}

bool
api_envelope(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err)
{
	struct store_envelope e = {
	    BUF_INIT(ENVELOPE_TYPE_MAX), BUF_INIT(ENVELOPE_MAX_LEN)};
	struct head *head = head_current(api->heads);
	uint64_t size = head ? head->size : 0;
	uint8_t digest[DIGEST_MAX_LEN];
	char etag[2 * HASH_LEN + 3];
	struct store_link link;
	struct response r;
	size_t len;
	bool ok;

	head_release(head);
	ok = read_digest(rest, digest, &len, err) &&
	    read_envelope(api, bytes_of(digest, len), size, &e, &link, err);
	if (ok)
		begin(&r, &e, &link, etag);
	buf_release(&e.type);
	buf_release(&e.payload);
	if (ok && !buf_ok(&r.text, err)) {
		response_release(&r);
		ok = false;
	}
	if (ok)
		reply_conditional(x, &r, etag);
	return ok;
}
