/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "server/metrics.h"

#define PAGE_MAX (1 << 18)

static struct metrics *
fresh(void)
{
	struct error err = {0};
	struct metrics *m = metrics_open(&err);

	assert_non_null(m);
	return m;
}

/* The page as a string; the caller frees. */
static char *
page_of(struct metrics *m, const struct metrics_now *now)
{
	AUTO(buf) out = BUF_INIT(PAGE_MAX);
	char *text;

	metrics_render(m, now, &out);
	text = buf_dup_string(&out);
	assert_non_null(text);
	return text;
}

/* The value of the sample that begins with `sample`; it must be there. */
static double
value_of(const char *page, const char *sample)
{
	size_t len = strlen(sample);

	for (const char *p = page; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, sample, len) == 0 && p[len] == ' ')
			return strtod(p + len + 1, NULL);
	}
	fail_msg("no %s in %s", sample, page);
	return -1;
}

/* A small reader of the exposition format, written from its description. */
struct checker {
	char family[100], type[20];
	char families[100][100];
	size_t count, samples;
	double bucket; /* the last of the running histogram */
};

static const char *
name_end(const char *p)
{
	assert_true(isalpha(*p) || *p == '_');
	while (isalnum(*p) || *p == '_')
		p++;
	return p;
}

static void
check_head(struct checker *c, const char *line)
{
	char kind[8];
	int n = 0;

	assert_int_equal(sscanf(line, "# %7s %99s %n", kind, c->family, &n), 2);
	if (strcmp(kind, "HELP") == 0) {
		/* Each family once, and with a text. */
		for (size_t i = 0; i < c->count; i++)
			assert_string_not_equal(c->families[i], c->family);
		assert_true(c->count < 100 && line[n]);
		memcpy(c->families[c->count++], c->family, sizeof(c->family));
		return;
	}
	assert_string_equal(kind, "TYPE");
	assert_string_equal(c->families[c->count - 1], c->family);
	(void)snprintf(c->type, sizeof(c->type), "%s", line + n);
	assert_true(strcmp(c->type, "counter") == 0 ||
	    strcmp(c->type, "gauge") == 0 || strcmp(c->type, "histogram") == 0);
	/* Counters, and they alone, end with _total. */
	n = (int)strlen(c->family) - 6;
	assert_int_equal(strcmp(c->type, "counter") == 0,
	    n > 0 && strcmp(c->family + n, "_total") == 0);
}

/* After the brace, up to what follows the closing one; the `le` goes out. */
static const char *
check_labels(const char *p, char le[20])
{
	for (;;) {
		const char *name = p, *end = name_end(p), *value = end + 2;

		assert_true(end[0] == '=' && end[1] == '"');
		for (p = value; *p != '"'; p++) {
			assert_true(*p && *p != '\n');
			if (*p != '\\')
				continue;
			p++;
			assert_true(*p && strchr("\\\"n", *p));
		}
		if (end - name == 2 && strncmp(name, "le", 2) == 0)
			(void)snprintf(le, 20, "%.*s", (int)(p - value), value);
		p++;
		if (*p == '}')
			return p + 1;
		assert_int_equal(*p++, ',');
	}
}

static void
check_sample(struct checker *c, const char *line)
{
	const char *end = name_end(line), *suffix;
	size_t family = strlen(c->family);
	char le[20] = "", *rest;
	double value;

	assert_true(strncmp(line, c->family, family) == 0);
	suffix = line + family;
	if (*end == '{')
		end = check_labels(end + 1, le);
	assert_int_equal(*end, ' ');
	value = strtod(end + 1, &rest);
	assert_true(rest > end + 1 && *rest == '\0' && value >= 0);
	c->samples++;
	if (strcmp(c->type, "histogram") != 0) {
		assert_true(*suffix == '{' || *suffix == ' ');
		return;
	}
	if (strncmp(suffix, "_bucket{", 8) == 0) {
		assert_true(le[0]);
		assert_true(value >= c->bucket);
		c->bucket = value;
	} else if (strncmp(suffix, "_count", 6) == 0) {
		/* As many as the last bucket, +Inf, has. */
		assert_true(value == c->bucket);
		c->bucket = 0;
	} else {
		assert_true(strncmp(suffix, "_sum", 4) == 0);
	}
}

static size_t
check_page(const char *page)
{
	struct checker c = {.count = 0};
	char *copy = strdup(page);

	assert_non_null(copy);
	assert_int_equal(page[strlen(page) - 1], '\n');
	assert_null(strstr(page, "\n\n"));
	for (char *line = copy, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		*end = '\0';
		if (line[0] == '#')
			check_head(&c, line);
		else
			check_sample(&c, line);
	}
	free(copy);
	return c.samples;
}

static void
test_empty(void **state)
{
	struct metrics *m = fresh();
	struct metrics_now now = {0};
	char *page = page_of(m, &now);

	(void)state;
	assert_true(check_page(page) > 100);
	assert_true(value_of(page, "mtlog_writable") == 0);
	assert_true(
	    value_of(page, "mtlog_phase_seconds_count{phase=\"total\"}") == 0);
	assert_true(value_of(page, "mtlog_batch_entries_sum") == 0);
	free(page);
	metrics_close(m);
	metrics_close(NULL);
}

struct sample {
	const char *sample;
	double value;
};

static const struct sample now_samples[] = {
    {"mtlog_tree_size{stage=\"sequenced\"}", 4},
    {"mtlog_tree_size{stage=\"integrated\"}", 3},
    {"mtlog_tree_size{stage=\"signed\"}", 2},
    {"mtlog_tree_size{stage=\"cosigned\"}", 1},
    {"mtlog_uncosigned_entries", 20},
    {"mtlog_uncosigned_seconds", 1.5},
    {"mtlog_quorum_time_seconds", 21},
    {"mtlog_witness_requests_total{witness=\"no\\\"rth\",result="
     "\"cosigned\"}",
	22},
    {"mtlog_witness_requests_total{witness=\"south\",result=\"lying\"}", 23},
    {"mtlog_witness_size{witness=\"south\"}", 24},
    {"mtlog_witness_time_seconds{witness=\"south\"}", 25},
    {"mtlog_witness_seconds_total{witness=\"south\"}", 2.25},
    {"mtlog_queue_entries", 5},
    {"mtlog_queue_bytes", 6},
    {"mtlog_admission_waiting", 7},
    {"mtlog_index_tail_entries", 8},
    {"mtlog_index_size", 9},
    {"mtlog_index_flushes_total", 10},
    {"mtlog_wal_bytes", 11},
    {"mtlog_disk_free_bytes", 12},
    {"mtlog_cache_bytes", 13},
    {"mtlog_http_connections", 14},
    {"mtlog_http_received_total", 15},
    {"mtlog_http_body_bytes", 16},
    {"mtlog_http_answer_bytes", 17},
    {"mtlog_http_cut_total", 18},
    {"mtlog_http_refused_total{why=\"busy\"}", 19},
    {"mtlog_http_refused_total{why=\"deadline\"}", 0},
    {"mtlog_writable", 0},
    {"mtlog_condition{reason=\"log-latched\"}", 1},
    {"mtlog_condition{reason=\"disk-low\"}", 0},
    {"mtlog_sandbox_info{process=\"server\",in_force=\"a \\\"b\\\" "
     "\\\\ \\n\"}",
	1},
    {"mtlog_sandbox_info{process=\"signer\",in_force=\"\"}", 1},
    {"mtlog_sandbox_info{process=\"config-reader\",in_force=\"seccomp\"}", 1},
    {"mtlog_build_info{version=\"" MTLOG_VERSION "\"}", 1},
};

static void
test_now(void **state)
{
	struct metrics *m = fresh();
	struct metrics_now now = {
	    .sequenced = 4,
	    .integrated = 3,
	    .signed_size = 2,
	    .cosigned_size = 1,
	    .uncosigned = 20,
	    .uncosigned_ns = 1500000000,
	    .quorum_time = 21,
	    .witness_count = 2,
	    .witnesses = {{.name = "no\"rth",
			      .results = {[WITNESS_COSIGNED] = 22}},
		{.name = "south",
		    .results = {[WITNESS_LYING] = 23},
		    .size = 24,
		    .time = 25,
		    .took_ns = 2250000000}},
	    .queue_entries = 5,
	    .queue_bytes = 6,
	    .admission = 7,
	    .index_tail = 8,
	    .index_size = 9,
	    .index_flushes = 10,
	    .wal_bytes = 11,
	    .disk_free = 12,
	    .cache_bytes = 13,
	    .http = {.connections = 14,
		.requests = 15,
		.body_bytes = 16,
		.answer_bytes = 17,
		.cut = 18,
		.refused = {[HTTPD_REFUSED_BUSY] = 19}},
	    .reason = "log-latched",
	    .config_reader_sandbox = "seccomp",
	    .sandbox = "a \"b\" \\ \n",
	};
	char *page = page_of(m, &now);

	(void)state;
	(void)check_page(page);
	for (size_t i = 0; i < sizeof(now_samples) / sizeof(now_samples[0]);
	     i++)
		assert_true(value_of(page, now_samples[i].sample) ==
		    now_samples[i].value);
	free(page);
	now.writable = true;
	now.reason = "";
	page = page_of(m, &now);
	assert_true(value_of(page, "mtlog_writable") == 1);
	assert_true(
	    value_of(page, "mtlog_condition{reason=\"log-latched\"}") == 0);
	free(page);
	metrics_close(m);
}

static const struct sample count_samples[] = {
    {"mtlog_submissions_total{result=\"accepted\"}", 2},
    {"mtlog_submissions_total{result=\"duplicate\"}", 1},
    {"mtlog_rejects_total{reason=\"bad-signature\"}", 2},
    {"mtlog_rejects_total{reason=\"queue-full\"}", 1},
    {"mtlog_phase_seconds_count{phase=\"admit\"}", 6},
    {"mtlog_phase_seconds_bucket{phase=\"admit\",le=\"0.00005\"}", 2},
    {"mtlog_phase_seconds_bucket{phase=\"admit\",le=\"0.0001\"}", 6},
    {"mtlog_phase_seconds_count{phase=\"queue\"}", 2},
    {"mtlog_phase_seconds_sum{phase=\"queue\"}", 0.002000002},
    {"mtlog_phase_seconds_count{phase=\"answer\"}", 3},
    {"mtlog_phase_seconds_count{phase=\"total\"}", 2},
    {"mtlog_phase_seconds_bucket{phase=\"total\",le=\"0.001\"}", 1},
    {"mtlog_phase_seconds_bucket{phase=\"total\",le=\"0.0025\"}", 2},
    {"mtlog_phase_seconds_sum{phase=\"commit\"}", 12.000000001},
    {"mtlog_phase_seconds_bucket{phase=\"commit\",le=\"10\"}", 1},
    {"mtlog_phase_seconds_bucket{phase=\"commit\",le=\"+Inf\"}", 2},
    {"mtlog_phase_seconds_count{phase=\"readback\"}", 2},
    {"mtlog_batch_entries_bucket{le=\"1024\"}", 1},
    {"mtlog_batch_entries_bucket{le=\"2048\"}", 2},
    {"mtlog_batch_entries_sum", 1025},
    {"mtlog_batch_entries_count", 2},
    {"mtlog_http_requests_total{route=\"/checkpoint\","
     "status=\"2xx\"}",
	2},
    {"mtlog_http_requests_total{route=\"/checkpoint\","
     "status=\"5xx\"}",
	1},
    {"mtlog_http_requests_total{route=\"/tile\",status=\"0xx\"}", 1},
};

static void
test_counts(void **state)
{
	static const struct admit_report reports[] = {
	    {.accepted = true,
		.admit = 100000,
		.queue = 2000000,
		.answer = 400000},
	    {.accepted = true, .admit = 1, .queue = 2, .answer = 3},
	    {.duplicate = true, .admit = 60000, .answer = 70000},
	    {.reason = "bad-signature", .admit = 90000},
	    {.reason = "bad-signature", .admit = 90000},
	    {.reason = "queue-full"},
	};
	struct metrics *m = fresh();
	struct metrics_now now = {0};
	char *page;

	(void)state;
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		metrics_admit(m, &reports[i]);
	metrics_batch(m, &(const struct batch_report){.count = 0, .commit = 1});
	metrics_batch(m,
	    &(const struct batch_report){
		.count = 1025, .commit = 12000000000u});
	metrics_route(m, "/checkpoint", 200);
	metrics_route(m, "/checkpoint", 206);
	metrics_route(m, "/checkpoint", 599);
	metrics_route(m, "/tile", 600);
	page = page_of(m, &now);
	(void)check_page(page);
	for (size_t i = 0; i < sizeof(count_samples) / sizeof(count_samples[0]);
	     i++)
		assert_true(value_of(page, count_samples[i].sample) ==
		    count_samples[i].value);
	assert_null(strstr(page, "route=\"/tile\",status=\"2xx\""));
	free(page);
	metrics_close(m);
}

/* However many names there are, the page is bounded and counts them all. */
static void
test_many_names(void **state)
{
	static char names[200][16];
	struct metrics *m = fresh();
	struct metrics_now now = {0};
	char *page;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < 200; i++) {
			struct admit_report r = {.reason = names[i]};

			(void)snprintf(
			    names[i], sizeof(names[i]), "name-%zu", i);
			metrics_admit(m, &r);
			metrics_route(m, names[i], 200);
		}
	page = page_of(m, &now);
	(void)check_page(page);
	assert_true(
	    value_of(page, "mtlog_rejects_total{reason=\"name-62\"}") == 2);
	assert_null(strstr(page, "name-63"));
	assert_true(
	    value_of(page, "mtlog_rejects_total{reason=\"other\"}") == 2 * 137);
	assert_true(value_of(page,
			"mtlog_http_requests_total{route=\"other\","
			"status=\"2xx\"}") == 2 * 137);
	free(page);
	metrics_close(m);
}

static void
test_process(void **state)
{
	struct metrics *m = fresh();
	struct metrics_now now = {0};
	char *before = page_of(m, &now), *after;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_true(fd >= 0);
	after = page_of(m, &now);
	assert_true(value_of(after, "process_open_fds") ==
	    value_of(before, "process_open_fds") + 1);
	assert_true(value_of(after, "process_resident_memory_bytes") > 500000);
	assert_true(value_of(after, "process_start_time_seconds") > 1.7e9);
	assert_true(value_of(after, "process_cpu_seconds_total") >=
	    value_of(before, "process_cpu_seconds_total"));
	(void)close(fd);
	free(before);
	free(after);
	metrics_close(m);
}

static void *
worker(void *arg)
{
	static const char *const reasons[] = {"a", "b", "c", "d"};

	for (unsigned i = 0; i < 5000; i++) {
		struct admit_report r = {
		    .accepted = i % 2 == 0,
		    .reason = i % 2 ? reasons[i / 2 % 4] : NULL,
		    .admit = i,
		};

		metrics_admit(arg, &r);
		metrics_route(arg, reasons[i % 4], 200);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct metrics *m = fresh();
	struct metrics_now now = {0};
	pthread_t threads[4];
	char *page;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, worker, m), 0);
	for (int i = 0; i < 5; i++) {
		page = page_of(m, &now);
		(void)check_page(page);
		free(page);
	}
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	page = page_of(m, &now);
	assert_true(
	    value_of(page, "mtlog_submissions_total{result=\"accepted\"}") ==
	    10000);
	assert_true(
	    value_of(page, "mtlog_rejects_total{reason=\"d\"}") == 2500);
	assert_true(
	    value_of(page,
		"mtlog_http_requests_total{route=\"a\",status=\"2xx\"}") ==
	    5000);
	free(page);
	metrics_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_now),
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_many_names),
	    cmocka_unit_test(test_process),
	    cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
