/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http.h"

#include <stdlib.h>

#include <curl/curl.h>

struct http {
	CURL *curl;
	char error[CURL_ERROR_SIZE];
};

struct http *
http_open(unsigned timeout_ms, struct error *err)
{
	struct http *h = calloc(1, sizeof(*h));
	bool ok;

	if (!h || !(h->curl = curl_easy_init())) {
		free(h);
		(void)error_set(err, ERR_INTERNAL, "libcurl does not start");
		return NULL;
	}
	ok = curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error) ==
		CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, "http,https") ==
		CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT_MS,
		(long)timeout_ms) == CURLE_OK &&
	    curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms) ==
		CURLE_OK &&
	    curl_easy_setopt(
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
	curl_easy_cleanup(h->curl);
	free(h);
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
	(void)curl_easy_setopt(h->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, out);
	rc = curl_easy_perform(h->curl);
	if (rc == CURLE_WRITE_ERROR && out->body.failed)
		return error_set(err, ERR_LIMIT,
		    "%s: the answer is larger than %zu bytes", url,
		    out->body.limit);
	if (rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL)
		return error_set(
		    err, ERR_USAGE, "%s is not an http or https address", url);
	if (rc != CURLE_OK)
		return error_reason(err, ERR_UNAVAILABLE, "network", "%s: %s",
		    url, h->error[0] ? h->error : curl_easy_strerror(rc));
	(void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &retry);
	out->status = (unsigned)status;
	out->retry_after = retry > 0 && retry < 3600 ? (unsigned)retry : 0;
	return true;
}

bool
http_get(
    struct http *h, const char *url, struct http_answer *out, struct error *err)
{
	(void)curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	return perform(h, url, out, err);
}

bool
http_post(struct http *h, const char *url, const char *content_type,
    struct bytes body, struct http_answer *out, struct error *err)
{
	struct curl_slist *headers = NULL;
	char type[100];
	bool ok;

	(void)snprintf(type, sizeof(type), "Content-Type: %s", content_type);
	headers = curl_slist_append(NULL, type);
	if (!headers)
		return error_set(err, ERR_INTERNAL, "out of memory");
	(void)curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body.ptr);
	(void)curl_easy_setopt(
	    h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	(void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	ok = perform(h, url, out, err);
	(void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	return ok;
}
