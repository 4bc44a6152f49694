/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "server/httpd_parts.h"

static void
set_default(unsigned *n, unsigned value)
{
	if (*n == 0)
		*n = value;
}

static void
set_default_size(size_t *n, size_t value)
{
	if (*n == 0)
		*n = value;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

void
options_fill(struct httpd *h)
{
	struct httpd_options *o = &h->o;

	set_default(&o->threads, 2);
	set_default(&o->max_connections, 8192);
	set_default(&o->header_timeout_ms, 10000);
	set_default(&o->answer_timeout_ms, 20000);
	set_default(&o->idle_timeout_ms, 60000);
	set_default(&o->send_window_ms, 10000);
	set_default_size(&o->max_body, 1 << 20);
	set_default_size(&o->body_budget, 64 << 20);
	set_default_size(&o->answer_budget, 64 << 20);
	set_default_size(&o->min_send_rate, 1024);
	h->tick_ms = least(least(o->header_timeout_ms, o->answer_timeout_ms),
			 least(o->idle_timeout_ms, o->send_window_ms)) /
	    8;
	h->tick_ms = h->tick_ms < 10 ? 10 : least(h->tick_ms, 250);
}

bool
options_proxies(struct httpd *h, const char *const *texts, struct error *err)
{
	size_t n = 0;

	while (texts && texts[n])
		n++;
	h->proxies = calloc(n + 1, sizeof(*h->proxies));
	if (!h->proxies)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (; h->proxy_count < n; h->proxy_count++)
		if (!proxy_parse(texts[h->proxy_count],
			&h->proxies[h->proxy_count], err))
			return false;
	return true;
}
