/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "server/api/api.h"
#include "server/api/reply.h"

/* Every route. `prefix` routes get what follows; exact ones must match whole.
 */
static const struct {
	const char *path;
	bool prefix;
	bool post;
	api_route *run;
} routes[] = {
    {"/checkpoint", false, false, api_checkpoint},
    {"/api/v1/checkpoint/signed", false, false, api_signed},
    {"/tile/", true, false, api_tile},
    {"/api/v2/log/entries", false, true, api_submit},
    {"/api/v2/checkpoint", false, false, api_checkpoint},
    {"/api/v2/tile/", true, false, api_tile},
    {"/api/v1/batch", false, true, api_batch},
    {"/api/v1/bundles", false, true, api_bundle},
    {"/api/v1/entries/", true, false, api_entry},
    {"/api/v1/proof/inclusion/", true, false, api_inclusion},
    {"/api/v1/proof/consistency/", true, false, api_consistency},
    {"/api/v1/envelopes/", true, false, api_envelope},
    {"/api/v1/search", false, false, api_search},
    {"/healthz", false, false, api_healthz},
    {"/readyz", false, false, api_readyz},
    {"/openapi.yaml", false, false, api_openapi},
    {"/.well-known/mtlog/vkey", false, false, api_vkey},
    {"/.well-known/mtlog/trusted_root.json", false, false, api_trusted_root},
    {"/.well-known/mtlog/signing_config.json", false, false,
	api_signing_config},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

void
api_init(struct api *api)
{
	(void)pthread_mutex_init(&api->lock, NULL);
	api->cursor_count = 0;
}

void
api_release(struct api *api)
{
	for (size_t i = 0; i < api->cursor_count; i++)
		tree_cursor_release(&api->cursors[i]);
	api->cursor_count = 0;
	(void)pthread_mutex_destroy(&api->lock);
}

bool
api_cursor_take(struct api *api, struct tree_cursor *out, struct error *err)
{
	bool have;

	(void)pthread_mutex_lock(&api->lock);
	have = api->cursor_count > 0;
	if (have)
		*out = api->cursors[--api->cursor_count];
	(void)pthread_mutex_unlock(&api->lock);
	return have || tree_cursor_open(out, api->tree, err);
}

void
api_cursor_give(struct api *api, struct tree_cursor *c)
{
	bool kept;

	tree_cursor_rest(c);
	(void)pthread_mutex_lock(&api->lock);
	kept = api->cursor_count < API_CURSORS;
	if (kept)
		api->cursors[api->cursor_count++] = *c;
	(void)pthread_mutex_unlock(&api->lock);
	if (!kept)
		tree_cursor_release(c);
}

static size_t
find_route(struct bytes path, struct bytes *rest)
{
	for (size_t i = 0; i < ROUTES; i++) {
		struct bytes want = bytes_str(routes[i].path);

		if (!bytes_starts(path, want) ||
		    (!routes[i].prefix && path.len != want.len))
			continue;
		*rest = bytes_slice(path, want.len, path.len);
		return i;
	}
	return ROUTES;
}

/* What a browser asks before it reads across origins. */
static void
preflight(struct exchange *x)
{
	struct response r;

	reply_text(&r, 204, NULL);
	response_header(&r, "Access-Control-Allow-Origin", "*");
	response_header(
	    &r, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
	response_header(&r, "Access-Control-Allow-Headers",
	    "If-None-Match, If-Range, Range");
	response_header(&r, "Access-Control-Max-Age", "86400");
	exchange_reply(x, &r);
}

static void
wrong_method(struct exchange *x, bool post)
{
	struct error err = {0};
	struct response r;

	(void)error_reason(&err, ERR_USAGE, "wrong-method",
	    post ? "this address takes POST"
		 : "this address takes GET or HEAD");
	reply_error(&r, &err);
	response_header(&r, "Allow", post ? "POST" : "GET, HEAD, OPTIONS");
	exchange_reply(x, &r);
}

void
api_handle(void *arg, struct exchange *x)
{
	struct api *api = arg;
	const struct request *q = exchange_request(x);
	struct error err = {0};
	struct bytes rest = {0};
	size_t i = find_route(q->path, &rest);
	bool post = q->method == HTTP_POST;
	bool read = q->method == HTTP_GET || q->method == HTTP_HEAD;

	if (i == ROUTES) {
		(void)error_reason(&err, ERR_NOTFOUND, "no-such-address",
		    "there is nothing at this address; see /openapi.yaml");
	} else if (!routes[i].post && q->method == HTTP_OPTIONS) {
		preflight(x);
		return;
	} else if (routes[i].post ? !post : !read) {
		api->counted(api->arg, routes[i].path, 405);
		wrong_method(x, routes[i].post);
		return;
	} else if (routes[i].run(api, x, rest, &err)) {
		api->counted(api->arg, routes[i].path, 200);
		return;
	}
	api->counted(api->arg, i == ROUTES ? "" : routes[i].path,
	    reply_status_of(&err).http);
	exchange_fail(x, &err);
}

void
api_refuse(void *arg, unsigned status, const char *reason, const char *message,
    struct response *r)
{
	static const struct {
		unsigned status;
		enum error_code code;
	} classes[] = {
	    {400, ERR_SYNTAX},
	    {408, ERR_UNAVAILABLE},
	    {413, ERR_LIMIT},
	    {429, ERR_UNAVAILABLE},
	    {431, ERR_LIMIT},
	    {503, ERR_UNAVAILABLE},
	    {504, ERR_UNAVAILABLE},
	};
	struct api *api = arg;
	struct error err = {0};
	enum error_code code = ERR_INTERNAL;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].status == status)
			code = classes[i].code;
	(void)error_reason(&err, code, reason, "%s", message);
	reply_error(r, &err);
	r->status = status;
	api->counted(api->arg, "", status);
}
