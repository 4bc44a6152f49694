/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/front_metrics.h"

void
front_figures_add(struct front_figures *f, enum judge_row row, unsigned status)
{
	unsigned result = row;

	if (status == 429)
		result = RESULT_RATE;
	else if (status == 503)
		result = RESULT_UNAVAILABLE;
	(void)atomic_fetch_add(&f->submissions[result], 1);
}

static const char *
result_name(unsigned result)
{
	if (result == RESULT_RATE)
		return "log-rate";
	if (result == RESULT_UNAVAILABLE)
		return "unavailable";
	return judge_name((enum judge_row)result);
}

static void
put_family(
    struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: quotes, backslashes and newlines are escaped. */
static void
put_label(struct buf *out, struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '\n') {
			buf_put_str(out, "\\n");
			continue;
		}
		if (value.ptr[i] == '"' || value.ptr[i] == '\\')
			buf_put_u8(out, '\\');
		buf_put_u8(out, value.ptr[i]);
	}
}

static void
put_submissions(const struct front_figures *f, struct buf *out)
{
	put_family(out, "mtlog_witness_submissions_total", "counter",
	    "Submissions answered, by result.");
	for (unsigned i = 0; i < RESULT_COUNT; i++)
		buf_printf(out,
		    "mtlog_witness_submissions_total{result=\"%s\"} %llu\n",
		    result_name(i),
		    (unsigned long long)atomic_load(&f->submissions[i]));
}

/* One family after the other, so the keeper is asked twice. */
static void
put_heads(struct keeper *k, const char *name, const char *help, bool size,
    struct buf *out)
{
	struct bytes after = {0};
	struct hash log;

	put_family(out, name, "gauge", help);
	for (unsigned i = 0; k && i < FRONT_METRIC_LOGS; i++) {
		struct cosigner_answer a;
		struct error err = {0};
		bool found = keeper_ask(k, KEEPER_NEXT, after, &a, &err) &&
		    a.status == 200;

		if (found) {
			buf_printf(out, "%s{log=\"", name);
			put_label(out, buf_bytes(&a.text));
			buf_printf(out, "\"} %llu\n",
			    (unsigned long long)(size ? a.size : a.time));
			log = a.log;
			after = hash_bytes(&log);
		}
		cosigner_answer_release(&a);
		if (!found)
			return;
	}
}

static void
put_http(const struct front_figures *f, struct buf *out)
{
	struct httpd_stats now = {0};
	uint64_t refused = 0;

	if (f->httpd)
		httpd_stats(f->httpd, &now);
	for (unsigned i = 0; i < HTTPD_REFUSED_COUNT; i++)
		refused += now.refused[i];
	put_family(out, "mtlog_http_received_total", "counter",
	    "Requests received in all.");
	buf_printf(out, "mtlog_http_received_total %llu\n",
	    (unsigned long long)now.requests);
	put_family(out, "mtlog_http_refused_total", "counter",
	    "Requests refused before any route.");
	buf_printf(out, "mtlog_http_refused_total %llu\n",
	    (unsigned long long)refused);
	put_family(out, "mtlog_http_connections", "gauge", "Open connections.");
	buf_printf(out, "mtlog_http_connections %llu\n",
	    (unsigned long long)now.connections);
}

void
front_metrics_render(
    struct front_figures *f, struct keeper *keeper, struct buf *out)
{
	put_family(out, "mtlog_build_info", "gauge", "Version of the witness.");
	buf_printf(out, "mtlog_build_info{version=\"%s\"} 1\n", MTLOG_VERSION);
	put_family(
	    out, "mtlog_sandbox_info", "gauge", "What confines the processes.");
	buf_printf(out, "mtlog_sandbox_info{server=\"%s\",keeper=\"%s\"} 1\n",
	    f->sandbox ? f->sandbox : "",
	    f->keeper_sandbox ? f->keeper_sandbox : "");
	put_submissions(f, out);
	put_heads(keeper, "mtlog_witness_log_size",
	    "Size of the last cosigned checkpoint.", true, out);
	put_heads(keeper, "mtlog_witness_log_cosigned_seconds",
	    "Time of the last cosignature, in seconds since 1970.", false, out);
	put_http(f, out);
}
