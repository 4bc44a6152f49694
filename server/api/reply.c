/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/reply.h"

#include <stdio.h>
#include <sys/random.h>

#include "core/base/json.h"
#include "core/base/reader.h"

/* The one table from class of failure to HTTP. */
static const struct reply_status by_class[] = {
    [ERR_NONE] = {200, 0},
    [ERR_USAGE] = {400, 3},
    [ERR_LIMIT] = {413, 3},
    [ERR_SYNTAX] = {400, 3},
    [ERR_BADSIG] = {400, 3},
    [ERR_DENIED] = {403, 7},
    [ERR_NOTFOUND] = {404, 5},
    [ERR_CONFLICT] = {409, 6},
    [ERR_UNAVAILABLE] = {503, 14},
    [ERR_IO] = {500, 13},
    [ERR_INTERNAL] = {500, 13},
};

/* Reasons that HTTP has a better word for. */
static const struct {
	const char *reason;
	struct reply_status status;
} by_reason[] = {
    {"log-frozen", {405, 9}},
    {"wrong-method", {405, 12}},
    {"deadline", {504, 4}},
    {"envelope-dropped", {410, 5}},
    {"envelope-quota", {429, 8}},
    {"token-missing", {401, 16}},
    {"token-unknown", {401, 16}},
    {"token-quota", {429, 8}},
    {"too-many-connections", {429, 8}},
    {"header-too-large", {431, 3}},
    {"request-timeout", {408, 4}},
    {"range-not-satisfiable", {416, 11}},
};

struct reply_status
reply_status_of(const struct error *err)
{
	const char *reason = error_reason_name(err);

	for (size_t i = 0; i < sizeof(by_reason) / sizeof(by_reason[0]); i++)
		if (strcmp(reason, by_reason[i].reason) == 0)
			return by_reason[i].status;
	return by_class[err->code];
}

void
reply_error_body(struct buf *out, const struct error *err)
{
	buf_printf(out, "{\"code\":%u,\"message\":", reply_status_of(err).grpc);
	json_put_string(out, bytes_str(err->text));
	buf_put_str(out, ",\"details\":[{\"reason\":");
	json_put_string(out, bytes_str(error_reason_name(err)));
	buf_put_str(out, "}]}");
}

/* Seconds, jittered, so that the refused do not come back all at once. */
static unsigned
retry_after(void)
{
	uint8_t r = 0;

	(void)!getrandom(&r, sizeof(r), GRND_NONBLOCK);
	return 1 + r % 4;
}

void
reply_text(struct response *r, unsigned status, const char *content_type)
{
	*r = (struct response){.status = status, .content_type = content_type};
	buf_init(&r->text, REPLY_MAX_LEN);
}

void
reply_error(struct response *r, const struct error *err)
{
	struct reply_status status = reply_status_of(err);

	reply_text(r, status.http, "application/json");
	reply_error_body(&r->text, err);
	response_header(r, "Cache-Control", "no-store");
	response_header(r, "Access-Control-Allow-Origin", "*");
	if (status.http == 503 || status.http == 429)
		response_header(r, "Retry-After", "%u", retry_after());
	if (status.http == 401)
		response_header(r, "WWW-Authenticate", "Bearer");
	/* Only submissions hear it, and known entries are still answered. */
	if (strcmp(error_reason_name(err), "log-frozen") == 0)
		response_header(r, "Allow", "POST");
}

void
exchange_fail(struct exchange *x, const struct error *err)
{
	struct response r;

	reply_error(&r, err);
	exchange_reply(x, &r);
}

static size_t
body_len(const struct response *r)
{
	return r->shared ? r->shared_len : r->text.len;
}

static void
drop_body(struct response *r)
{
	if (r->shared)
		httpd_body_release(r->shared);
	r->shared = NULL;
	buf_release(&r->text);
}

enum range { RANGE_NONE, RANGE_ONE, RANGE_WRONG };

/* One range of RFC 9110 section 14; several or malformed ones are ignored. */
static enum range
range_parse(struct bytes value, size_t len, size_t *first, size_t *last)
{
	struct reader in = {value};
	uint64_t a = 0, b = 0;
	bool has_a, has_b;

	if (!reader_literal(&in, BYTES_LIT("bytes=")))
		return RANGE_NONE;
	has_a = reader_decimal(&in, &a);
	if (!reader_literal(&in, BYTES_LIT("-")))
		return RANGE_NONE;
	has_b = reader_decimal(&in, &b);
	if (!reader_done(&in) || (!has_a && !has_b) ||
	    (has_a && has_b && b < a))
		return RANGE_NONE;
	if (!has_a) {
		if (b == 0 || len == 0)
			return RANGE_WRONG;
		*first = b < len ? len - (size_t)b : 0;
		*last = len - 1;
		return RANGE_ONE;
	}
	if (a >= len)
		return RANGE_WRONG;
	*first = (size_t)a;
	*last = has_b && b < len ? (size_t)b : len - 1;
	return RANGE_ONE;
}

/* An error like others: what the resource says of caching is not its own. */
static void
refuse_range(struct response *r, size_t len)
{
	struct error err = {0};

	response_release(r);
	(void)error_reason(&err, ERR_USAGE, "range-not-satisfiable",
	    "the range begins behind the end: there are %zu bytes", len);
	reply_error(r, &err);
	response_header(r, "Content-Range", "bytes */%zu", len);
}

/* A range of a GET, unless If-Range names other bytes than these. */
static void
apply_range(struct exchange *x, struct response *r, const char *etag)
{
	struct bytes value = exchange_header(x, "range");
	struct bytes only_of = exchange_header(x, "if-range");
	size_t len = body_len(r), first = 0, last = 0;

	if (value.len == 0 || r->status != 200 ||
	    exchange_request(x)->method != HTTP_GET ||
	    (only_of.len > 0 && !bytes_equal(only_of, bytes_str(etag))))
		return;
	switch (range_parse(value, len, &first, &last)) {
	case RANGE_NONE:
		return;
	case RANGE_WRONG:
		refuse_range(r, len);
		return;
	case RANGE_ONE:
		r->status = 206;
		r->fixed = false;
		response_header(
		    r, "Content-Range", "bytes %zu-%zu/%zu", first, last, len);
		if (r->shared) {
			r->shared_offset += first;
			r->shared_len = last - first + 1;
		} else {
			memmove(
			    r->text.ptr, r->text.ptr + first, last - first + 1);
			r->text.len = last - first + 1;
		}
		return;
	}
}

/* Whether If-None-Match lists our tag ("*", or any in a list, weak or not). */
static bool
tag_listed(struct bytes value, const char *etag)
{
	size_t n = strlen(etag);

	if (bytes_equal(value, BYTES_LIT("*")))
		return true;
	for (size_t i = 0; i + n <= value.len; i++)
		if (memcmp(value.ptr + i, etag, n) == 0)
			return true;
	return false;
}

void
reply_conditional(struct exchange *x, struct response *r, const char *etag)
{
	response_header(r, "ETag", "%s", etag);
	response_header(r, "Accept-Ranges", "bytes");
	response_header(
	    r, "Access-Control-Expose-Headers", "Content-Range, ETag");
	if (tag_listed(exchange_header(x, "if-none-match"), etag)) {
		drop_body(r);
		r->status = 304;
		r->content_type = NULL;
	} else {
		apply_range(x, r, etag);
	}
	exchange_reply(x, r);
}

bool
reply_again(struct exchange *x, struct httpd_body *body)
{
	return exchange_header(x, "if-none-match").len == 0 &&
	    exchange_header(x, "range").len == 0 &&
	    exchange_reply_again(x, body);
}
