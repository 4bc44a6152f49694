/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http_curl.h"

#include <dlfcn.h>
#include <pthread.h>

#define LIBRARY "libcurl.so.4"

static struct http_curl curl;
static bool loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool
find(void *library, const char *name, void *place)
{
	void *symbol = dlsym(library, name);

	/* Object and function pointers are alike where there is dlsym. */
	memcpy(place, &symbol, sizeof(symbol));
	return symbol != NULL;
}

static void
load(void)
{
	void *l = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	loaded = l && find(l, "curl_easy_init", &curl.easy_init) &&
	    find(l, "curl_easy_cleanup", &curl.easy_cleanup) &&
	    find(l, "curl_easy_setopt", &curl.easy_setopt) &&
	    find(l, "curl_easy_perform", &curl.easy_perform) &&
	    find(l, "curl_easy_getinfo", &curl.easy_getinfo) &&
	    find(l, "curl_easy_strerror", &curl.easy_strerror) &&
	    find(l, "curl_slist_append", &curl.slist_append) &&
	    find(l, "curl_slist_free_all", &curl.slist_free_all);
}

const struct http_curl *
http_curl_load(struct error *err)
{
	(void)pthread_once(&once, load);
	if (loaded)
		return &curl;
	(void)error_reason(err, ERR_UNAVAILABLE, "network",
	    LIBRARY " cannot be loaded; install libcurl to reach a log");
	return NULL;
}
