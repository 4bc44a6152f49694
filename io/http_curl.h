/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_HTTP_CURL_H
#define MTLOG_IO_HTTP_CURL_H

#include <curl/curl.h>

#include "core/base/error.h"

/*
 * What http.c takes of libcurl, which is loaded when the first client is
 * opened and stays: it brings thirty libraries with it, and most programs here
 * never go to the network (a verification offline ends before they would all
 * be loaded).
 */
struct http_curl {
	CURL *(*easy_init)(void);
	void (*easy_cleanup)(CURL *);
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	CURLcode (*easy_perform)(CURL *);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	const char *(*easy_strerror)(CURLcode);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free_all)(struct curl_slist *);
};

/* http_curl_load gives it out, the same to all; NULL with ERR_UNAVAILABLE
 * reason "network" where there is no libcurl. */
const struct http_curl *http_curl_load(struct error *err) MUST_USE;

#endif
