/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/log_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/clock.h"
#include "io/http.h"

#define URL_MAX	     4096
#define SMALL_ANSWER 65536 /* bytes: proofs, keys, errors */
#define NS_PER_MS    UINT64_C(1000000)
#define WAIT_MS	     1000 /* before a busy log is asked again */

struct log_client {
	struct http *http;
	char *url;
	uint64_t deadline; /* of the monotonic clock, ns */
};

struct log_client *
log_client_open(
    const char *url, const char *token, unsigned timeout_ms, struct error *err)
{
	struct log_client *c = calloc(1, sizeof(*c));
	size_t n = strlen(url);

	while (n > 0 && url[n - 1] == '/')
		n--;
	if (c)
		c->url = strndup(url, n);
	if (!c || !c->url) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		log_client_close(c);
		return NULL;
	}
	c->deadline = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
	c->http = http_open(timeout_ms, err);
	if (!c->http || !http_token(c->http, token, err)) {
		log_client_close(c);
		return NULL;
	}
	return c;
}

void
log_client_close(struct log_client *c)
{
	if (!c)
		return;
	http_close(c->http);
	free(c->url);
	free(c);
}

void
log_client_renew(struct log_client *c, unsigned timeout_ms)
{
	c->deadline = clock_monotonic_ns() + timeout_ms * NS_PER_MS;
}

void
log_client_cancel(struct log_client *c)
{
	http_cancel(c->http);
}

const char *
log_client_url(const struct log_client *c)
{
	return c->url;
}

/* Milliseconds that are left of the client's time. */
static unsigned
time_left(const struct log_client *c)
{
	uint64_t now = clock_monotonic_ns();

	if (now >= c->deadline)
		return 0;
	return (unsigned)((c->deadline - now) / NS_PER_MS) + 1;
}

static bool
limit_time(struct log_client *c, struct error *err)
{
	unsigned left = time_left(c);

	if (left == 0)
		return error_reason(err, ERR_UNAVAILABLE, "network",
		    "%s gave no answer in time", c->url);
	http_limit(c->http, left);
	return true;
}

/* What the server says is wrong, in its own words, made harmless. */
static bool
refused(
    const struct log_client *c, const struct http_answer *a, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;
	struct error ignored = {0};
	const char *text = NULL;
	char shown[200] = "no reason given";

	if (json_parse(buf_bytes(&a->body), SMALL_ANSWER, &value, &ignored))
		text = json_string_value(json_object_get(value, "message"));
	if (text)
		(void)snprintf(shown, sizeof(shown), "%s", text);
	for (char *p = shown; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	/* 204, 206 and such: it does not refuse, and gives nothing. */
	if (a->status < 300)
		return error_reason(err, ERR_UNAVAILABLE, "server-error",
		    "%s answers with status %u, and not with what was asked "
		    "for",
		    c->url, a->status);
	if (a->status >= 300 && a->status < 400)
		return error_reason(err, ERR_UNAVAILABLE, "server-error",
		    "%s sends us elsewhere (status %u), and we do not follow; "
		    "give the log's own address",
		    c->url, a->status);
	if (a->status == 429 || a->status == 503)
		return error_reason(err, ERR_UNAVAILABLE, "throttled",
		    "%s is busy or not ready (status %u): %s", c->url,
		    a->status, shown);
	if (a->status >= 500)
		return error_reason(err, ERR_UNAVAILABLE, "server-error",
		    "%s fails (status %u): %s", c->url, a->status, shown);
	return error_reason(err, a->status == 404 ? ERR_NOTFOUND : ERR_DENIED,
	    "rejected", "%s refuses (status %u): %s", c->url, a->status, shown);
}

static bool
full_url(
    const struct log_client *c, const char *path, char *out, struct error *err)
{
	int n = snprintf(out, URL_MAX, "%s%s", c->url, path);

	return (n > 0 && n < URL_MAX) ||
	    error_set(err, ERR_USAGE, "the log's address is too long");
}

/* An answer without an end is the log's failure, whatever was asked. */
static bool
no_answer(struct error *err)
{
	if (err->code == ERR_LIMIT)
		err->reason = "server-error";
	return false;
}

bool
log_client_get(
    struct log_client *c, const char *path, struct buf *out, struct error *err)
{
	struct http_answer a = {.body = BUF_INIT(out->limit)};
	char url[URL_MAX];
	bool ok = full_url(c, path, url, err) && limit_time(c, err) &&
	    (http_get(c->http, url, &a, err) || no_answer(err));

	if (ok && a.status != 200)
		ok = refused(c, &a, err);
	if (ok)
		buf_put(out, buf_bytes(&a.body));
	buf_release(&a.body);
	return ok && buf_ok(out, err);
}

/* Waits as long as a busy log says, if there is that much time. */
static bool
wait_for(const struct log_client *c, unsigned seconds)
{
	unsigned ms = seconds ? seconds * 1000 : WAIT_MS;
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	if (time_left(c) <= ms)
		return false;
	(void)nanosleep(&t, NULL);
	return true;
}

static bool
get_file(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	struct log_client *c = arg;
	struct http_answer a = {.body = BUF_INIT(out->limit)};
	char url[URL_MAX];
	bool ok = full_url(c, path, url, err);

	(void)worker;
	do {
		buf_clear(&a.body);
		a.status = 0;
		a.retry_after = 0;
		ok = ok && limit_time(c, err) &&
		    (http_get(c->http, url, &a, err) || no_answer(err));
	} while (ok && (a.status == 503 || a.status == 429) &&
	    wait_for(c, a.retry_after));
	ok = ok && tile_fetch_answered(c->url, path, a.status, err);
	if (ok)
		buf_put(out, buf_bytes(&a.body));
	buf_release(&a.body);
	return ok && buf_ok(out, err);
}

bool
log_client_silent(const struct error *why)
{
	return why->code == ERR_NOTFOUND || why->code == ERR_DENIED ||
	    why->code == ERR_SYNTAX || why->code == ERR_LIMIT ||
	    (why->code == ERR_UNAVAILABLE &&
		strcmp(error_reason_name(why), "server-error") == 0);
}

struct tile_source
log_client_tiles(struct log_client *c)
{
	return (struct tile_source){get_file, c};
}

bool
log_client_post(struct log_client *c, const char *path, const char *type,
    struct bytes body, struct buf *out, struct error *err)
{
	struct http_answer a = {.body = BUF_INIT(out->limit)};
	char url[URL_MAX];
	bool ok = full_url(c, path, url, err);

	do {
		buf_clear(&a.body);
		a.status = 0;
		ok = ok && limit_time(c, err) &&
		    (http_post(c->http, url, type, body, &a, err) ||
			no_answer(err));
	} while (ok && (a.status == 503 || a.status == 429) &&
	    wait_for(c, a.retry_after));
	if (ok && a.status != 200 && a.status != 201)
		ok = refused(c, &a, err);
	if (ok)
		buf_put(out, buf_bytes(&a.body));
	buf_release(&a.body);
	return ok && buf_ok(out, err);
}

bool
log_client_bundle(struct log_client *c, struct bytes bundle, struct bytes spki,
    struct buf *out, struct error *err)
{
	AUTO(buf) line = BUF_INIT(2 * SPKI_MAX_LEN);
	char *text;
	bool ok;

	buf_put_str(&line, "Mtlog-Public-Key: ");
	base64_put(&line, spki);
	text = spki.len > 0 ? buf_dup_string(&line) : NULL;
	if (spki.len > 0 && !text)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = http_header(c->http, text, err) &&
	    log_client_post(
		c, "/api/v1/bundles", "application/json", bundle, out, err) &&
	    http_header(c->http, NULL, err);
	free(text);
	return ok;
}

bool
log_client_envelope(struct log_client *c, const struct hash *statement,
    struct buf *out, struct error *err)
{
	AUTO(buf) path = BUF_INIT(128);
	char *text;
	bool ok;

	buf_put_str(&path, "/api/v1/envelopes/");
	hex_put(&path, hash_bytes(statement));
	text = buf_dup_string(&path);
	if (!text)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = log_client_get(c, text, out, err);
	free(text);
	return ok;
}

static bool
take_hashes(const json_t *value, struct proof *out)
{
	const json_t *list = json_object_get(value, "hashes");
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > PROOF_MAX_HASHES)
		return false;
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(list, i);
		AUTO(buf) raw = BUF_INIT(HASH_LEN);

		if (!json_is_string(one) ||
		    !base64_decode(json_text(one), &raw) || raw.len != HASH_LEN)
			return false;
		memcpy(out->hashes[i].b, raw.ptr, HASH_LEN);
	}
	out->len = n;
	return true;
}

static bool
take_root(const json_t *value, const char *name, struct hash *out)
{
	AUTO(buf) raw = BUF_INIT(HASH_LEN);
	const json_t *root = json_object_get(value, name);

	if (!json_is_string(root) || !base64_decode(json_text(root), &raw) ||
	    raw.len != HASH_LEN)
		return false;
	memcpy(out->b, raw.ptr, HASH_LEN);
	return true;
}

static bool
no_consistency(const struct log_client *c, struct error *err)
{
	return error_reason(err, ERR_SYNTAX, "server-error",
	    "%s answered with no consistency proof", c->url);
}

static bool
ask_consistency(struct log_client *c, uint64_t old_size, uint64_t new_size,
    json_t **out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(SMALL_ANSWER);
	struct error why = {0};
	char path[100];

	(void)snprintf(path, sizeof(path),
	    "/api/v1/proof/consistency/%llu/%llu", (unsigned long long)old_size,
	    (unsigned long long)new_size);
	return log_client_get(c, path, &text, err) &&
	    (json_parse(buf_bytes(&text), SMALL_ANSWER, out, &why) ||
		no_consistency(c, err));
}

bool
log_client_consistency(struct log_client *c, uint64_t old_size,
    uint64_t new_size, struct proof *out, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;

	out->len = 0;
	if (old_size == new_size)
		return true;
	return ask_consistency(c, old_size, new_size, &value, err) &&
	    (take_hashes(value, out) || no_consistency(c, err));
}

bool
log_client_connection(struct log_client *c, uint64_t old_size,
    uint64_t new_size, struct log_connection *out, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;

	if (!ask_consistency(c, old_size, new_size, &value, err))
		return false;
	out->has_roots = take_root(value, "oldRootHash", &out->old_root) &&
	    take_root(value, "newRootHash", &out->new_root);
	return take_hashes(value, &out->proof) || no_consistency(c, err);
}

/* What a refusal of a cosigned proof means. */
static enum log_cosigned_state
state_of(const struct http_answer *a)
{
	AUTO_PTR(json_t) value = NULL;
	struct error ignored = {0};
	const char *reason = NULL;

	if (a->status != 404)
		return a->status >= 500 || a->status == 429 ? LOG_NOT_YET
							    : LOG_NO_WITNESSES;
	if (json_parse(buf_bytes(&a->body), SMALL_ANSWER, &value, &ignored))
		reason = json_string_value(json_object_get(
		    json_array_get(json_object_get(value, "details"), 0),
		    "reason"));
	return reason &&
		(strcmp(reason, "not-cosigned-yet") == 0 ||
		    strcmp(reason, "no-such-entry") == 0)
	    ? LOG_NOT_YET
	    : LOG_NO_WITNESSES;
}

static bool
take_cosigned(const struct log_client *c, struct bytes body,
    struct log_cosigned *out, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;
	struct error why = {0};
	const json_t *note;

	if (json_parse(body, NOTE_MAX_LEN + SMALL_ANSWER, &value, &why)) {
		note = json_object_get(
		    json_object_get(value, "checkpoint"), "envelope");
		if (json_is_string(note) && take_hashes(value, &out->proof)) {
			buf_put(&out->checkpoint, json_text(note));
			return buf_ok(&out->checkpoint, err);
		}
	}
	return error_reason(err, ERR_SYNTAX, "server-error",
	    "%s answered with no cosigned proof", c->url);
}

bool
log_client_cosigned(struct log_client *c, uint64_t index, unsigned ms,
    struct log_cosigned *out, struct error *err)
{
	struct http_answer a = {.body = BUF_INIT(NOTE_MAX_LEN + SMALL_ANSWER)};
	char path[100], url[URL_MAX];
	unsigned left = time_left(c);
	bool ok;

	(void)snprintf(path, sizeof(path),
	    "/api/v1/proof/inclusion/%llu/cosigned", (unsigned long long)index);
	ok = full_url(c, path, url, err) && limit_time(c, err);
	if (ok && ms < left)
		http_limit(c->http, ms);
	ok = ok && (http_get(c->http, url, &a, err) || no_answer(err));
	out->retry_after = a.retry_after;
	if (ok && a.status == 200) {
		out->state = LOG_COSIGNED;
		ok = take_cosigned(c, buf_bytes(&a.body), out, err);
	} else if (ok) {
		out->state = state_of(&a);
	}
	buf_release(&a.body);
	return ok;
}

bool
log_client_key(struct log_client *c, struct vkey *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(SMALL_ANSWER);

	if (!log_client_get(c, "/.well-known/mtlog/vkey", &text, err))
		return false;
	while (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (vkey_parse(buf_bytes(&text), out, err))
		return true;
	err->reason = "server-error";
	return error_prefix(err, "%s: its key", c->url);
}
