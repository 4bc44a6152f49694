/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "io/http_curl.h"

struct http {
	const struct http_curl *lib;
	CURL *curl;
	char *authorization, *extra; /* whole header lines; NULL: none */
	bool compressed;	     /* ask for it */
	char error[CURL_ERROR_SIZE];
	atomic_bool cancelled;
};

/* libcurl asks while it waits, at least once a second. */
static int
go_on(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct http *h = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(&h->cancelled);
}

struct http *
http_open(unsigned timeout_ms, struct error *err)
{
	struct http *h = calloc(1, sizeof(*h));
	bool ok;

	if (!h) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	h->lib = http_curl_load(err);
	if (!h->lib || !(h->curl = h->lib->easy_init())) {
		free(h);
		(void)error_set(err, ERR_INTERNAL, "libcurl does not start");
		return NULL;
	}
	ok = h->lib->easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error) ==
		CURLE_OK &&
	    h->lib->easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, "http,https") ==
		CURLE_OK &&
	    h->lib->easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 0L) ==
		CURLE_OK &&
	    h->lib->easy_setopt(h->curl, CURLOPT_ACCEPT_ENCODING, "gzip") ==
		CURLE_OK &&
	    h->lib->easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    h->lib->easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION, go_on) ==
		CURLE_OK &&
	    h->lib->easy_setopt(h->curl, CURLOPT_XFERINFODATA, h) == CURLE_OK &&
	    h->lib->easy_setopt(h->curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	    h->lib->easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT_MS,
		(long)timeout_ms) == CURLE_OK &&
	    h->lib->easy_setopt(
		h->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK &&
	    h->lib->easy_setopt(
		h->curl, CURLOPT_USERAGENT, "mtlog/" MTLOG_VERSION) == CURLE_OK;
	if (!ok) {
		http_close(h);
		(void)error_set(err, ERR_INTERNAL, "libcurl refuses an option");
		return NULL;
	}
	return h;
}

void
http_close(struct http *h)
{
	if (!h)
		return;
	h->lib->easy_cleanup(h->curl);
	free(h->authorization);
	free(h->extra);
	free(h);
}

void
http_cancel(struct http *h)
{
	atomic_store(&h->cancelled, true);
}

void
http_limit(struct http *h, unsigned timeout_ms)
{
	(void)h->lib->easy_setopt(
	    h->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	(void)h->lib->easy_setopt(
	    h->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
}

bool
http_token(struct http *h, const char *token, struct error *err)
{
	free(h->authorization);
	h->authorization = NULL;
	if (!token)
		return true;
	for (const char *p = token; *p; p++)
		if (*p <= ' ' || *p > '~')
			return error_set(err, ERR_USAGE,
			    "the token has a character that no token has");
	if (asprintf(&h->authorization, "Authorization: Bearer %s", token) <
	    0) {
		h->authorization = NULL;
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	return true;
}

bool
http_header(struct http *h, const char *line, struct error *err)
{
	free(h->extra);
	h->extra = NULL;
	if (!line)
		return true;
	for (const char *p = line; *p; p++)
		if (*p < ' ' || *p > '~')
			return error_set(
			    err, ERR_USAGE, "a character that no header has");
	h->extra = strdup(line);
	return h->extra || error_set(err, ERR_INTERNAL, "out of memory");
}

void
http_compressed(struct http *h)
{
	h->compressed = true;
}

/* The header lines of a call; `first` may be NULL. False without memory. */
static bool
set_headers(struct http *h, const char *first, struct curl_slist **out)
{
	/* libcurl unpacks only where it may ask for packing; a line without a
	 * value keeps it from asking. */
	const char *lines[] = {first, h->authorization, h->extra,
	    h->compressed ? NULL : "Accept-Encoding:"};

	*out = NULL;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct curl_slist *longer;

		if (!lines[i])
			continue;
		longer = h->lib->slist_append(*out, lines[i]);
		if (!longer) {
			h->lib->slist_free_all(*out);
			return false;
		}
		*out = longer;
	}
	(void)h->lib->easy_setopt(h->curl, CURLOPT_HTTPHEADER, *out);
	return true;
}

static size_t
take_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_answer *out = arg;

	buf_put(&out->body, bytes_of(data, size * count));
	return out->body.failed ? 0 : size * count;
}

static bool
perform(
    struct http *h, const char *url, struct http_answer *out, struct error *err)
{
	curl_off_t retry = 0;
	long status = 0;
	CURLcode rc;

	h->error[0] = '\0';
	(void)h->lib->easy_setopt(h->curl, CURLOPT_URL, url);
	(void)h->lib->easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take_body);
	(void)h->lib->easy_setopt(h->curl, CURLOPT_WRITEDATA, out);
	rc = h->lib->easy_perform(h->curl);
	if (rc == CURLE_WRITE_ERROR && out->body.failed)
		return error_set(err, ERR_LIMIT,
		    "%s: the answer is larger than %zu bytes", url,
		    out->body.limit);
	if (rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL)
		return error_set(
		    err, ERR_USAGE, "%s is not an http or https address", url);
	if (rc != CURLE_OK)
		return error_reason(err, ERR_UNAVAILABLE, "network", "%s: %s",
		    url, h->error[0] ? h->error : h->lib->easy_strerror(rc));
	(void)h->lib->easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)h->lib->easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &retry);
	out->status = (unsigned)status;
	out->retry_after = retry > 0 && retry < 3600 ? (unsigned)retry : 0;
	return true;
}

bool
http_get(
    struct http *h, const char *url, struct http_answer *out, struct error *err)
{
	struct curl_slist *headers;
	bool ok;

	(void)h->lib->easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	if (!set_headers(h, NULL, &headers))
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = perform(h, url, out, err);
	(void)h->lib->easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	h->lib->slist_free_all(headers);
	return ok;
}

bool
http_post(struct http *h, const char *url, const char *content_type,
    struct bytes body, struct http_answer *out, struct error *err)
{
	struct curl_slist *headers = NULL;
	char type[100];
	bool ok;

	(void)snprintf(type, sizeof(type), "Content-Type: %s", content_type);
	if (!set_headers(h, type, &headers))
		return error_set(err, ERR_INTERNAL, "out of memory");
	(void)h->lib->easy_setopt(h->curl, CURLOPT_POST, 1L);
	(void)h->lib->easy_setopt(h->curl, CURLOPT_POSTFIELDS, body.ptr);
	(void)h->lib->easy_setopt(
	    h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	ok = perform(h, url, out, err);
	(void)h->lib->easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	h->lib->slist_free_all(headers);
	return ok;
}
