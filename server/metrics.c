/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

#define REASONS 64 /* refusal reasons, status classes and routes are bounded */
#define ROUTES	32
#define CLASSES 6

enum phase {
	PHASE_ADMIT,
	PHASE_QUEUE,
	PHASE_INTEGRATE,
	PHASE_COMMIT,
	PHASE_READ_BACK,
	PHASE_SIGN,
	PHASE_PUBLISH,
	PHASE_ANSWER,
	PHASES
};

static const char *const phase_names[PHASES] = {
    [PHASE_ADMIT] = "admit",
    [PHASE_QUEUE] = "queue",
    [PHASE_INTEGRATE] = "integrate",
    [PHASE_COMMIT] = "commit",
    [PHASE_READ_BACK] = "read-back",
    [PHASE_SIGN] = "sign",
    [PHASE_PUBLISH] = "publish",
    [PHASE_ANSWER] = "answer",
};

/* Upper bounds in microseconds. */
static const uint64_t bounds_us[] = {50, 100, 250, 500, 1000, 2500, 5000,
    10000, 25000, 50000, 100000, 250000, 1000000};

#define BOUNDS (sizeof(bounds_us) / sizeof(bounds_us[0]))

struct histogram {
	atomic_uint_fast64_t buckets[BOUNDS + 1];
	atomic_uint_fast64_t sum_ns;
};

/* A name met at run time with its counts; names are string literals. */
struct named {
	_Atomic(const char *) name;
	atomic_uint_fast64_t counts[CLASSES];
};

struct metrics {
	struct histogram phases[PHASES];
	atomic_uint_fast64_t accepted, duplicates, batches, batch_entries;
	struct named reasons[REASONS];
	struct named routes[ROUTES];
};

struct metrics *
metrics_open(struct error *err)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	return m;
}

void
metrics_close(struct metrics *m)
{
	free(m);
}

static void
observe(struct metrics *m, enum phase p, uint64_t ns)
{
	struct histogram *h = &m->phases[p];
	size_t i = 0;

	while (i < BOUNDS && ns > bounds_us[i] * 1000)
		i++;
	atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_ns, ns, memory_order_relaxed);
}

/* The place of `name`; the last one takes whatever has no place left. */
static struct named *
find(struct named *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		const char *have = atomic_load(&list[i].name);

		if (!have &&
		    atomic_compare_exchange_strong(&list[i].name, &have, name))
			return &list[i];
		if (have == name || strcmp(have, name) == 0)
			return &list[i];
	}
	return &list[n - 1];
}

void
metrics_batch(struct metrics *m, const struct batch_report *r)
{
	observe(m, PHASE_INTEGRATE, r->integrate);
	observe(m, PHASE_COMMIT, r->commit);
	observe(m, PHASE_READ_BACK, r->read_back);
	observe(m, PHASE_SIGN, r->sign);
	observe(m, PHASE_PUBLISH, r->publish);
	atomic_fetch_add(&m->batches, 1);
	atomic_fetch_add(&m->batch_entries, r->count);
}

void
metrics_admit(struct metrics *m, const struct admit_report *r)
{
	observe(m, PHASE_ADMIT, r->admit);
	if (r->accepted) {
		atomic_fetch_add(&m->accepted, 1);
		observe(m, PHASE_QUEUE, r->queue);
	}
	if (r->duplicate)
		atomic_fetch_add(&m->duplicates, 1);
	if (r->reason)
		atomic_fetch_add(
		    &find(m->reasons, REASONS, r->reason)->counts[0], 1);
	else
		observe(m, PHASE_ANSWER, r->answer);
}

void
metrics_route(struct metrics *m, const char *route, unsigned status)
{
	struct named *n = find(m->routes, ROUTES, route);

	atomic_fetch_add_explicit(
	    &n->counts[status / 100 < CLASSES ? status / 100 : 0], 1,
	    memory_order_relaxed);
}

static void
head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP mtlog_%s %s\n# TYPE mtlog_%s %s\n", name, help,
	    name, type);
}

static void
gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
	head(out, name, "gauge", help);
	buf_printf(out, "mtlog_%s %llu\n", name, (unsigned long long)value);
}

static void
counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	head(out, name, "counter", help);
	buf_printf(out, "mtlog_%s %llu\n", name, (unsigned long long)value);
}

static void
render_phases(struct metrics *m, struct buf *out)
{
	head(out, "phase_seconds", "histogram",
	    "Time in each phase of a submission or batch.");
	for (size_t p = 0; p < PHASES; p++) {
		struct histogram *h = &m->phases[p];
		uint64_t total = 0;

		for (size_t i = 0; i <= BOUNDS; i++) {
			total += atomic_load(&h->buckets[i]);
			buf_printf(out,
			    "mtlog_phase_seconds_bucket{phase=\"%s\",le=\"",
			    phase_names[p]);
			if (i < BOUNDS)
				buf_printf(out, "%g", (double)bounds_us[i] / 1e6);
			else
				buf_put_str(out, "+Inf");
			buf_printf(
			    out, "\"} %llu\n", (unsigned long long)total);
		}
		buf_printf(out,
		    "mtlog_phase_seconds_sum{phase=\"%s\"} %.9f\n"
		    "mtlog_phase_seconds_count{phase=\"%s\"} %llu\n",
		    phase_names[p], (double)atomic_load(&h->sum_ns) / 1e9,
		    phase_names[p], (unsigned long long)total);
	}
}

static void
render_tree(const struct metrics_now *now, struct buf *out)
{
	const struct {
		const char *stage;
		uint64_t size;
	} sizes[] = {
	    {"sequenced", now->sequenced},
	    {"integrated", now->integrated},
	    {"signed", now->signed_size},
	    {"cosigned", now->cosigned_size},
	};

	head(out, "tree_size", "gauge", "Entries of the log by stage.");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		buf_printf(out, "mtlog_tree_size{stage=\"%s\"} %llu\n",
		    sizes[i].stage, (unsigned long long)sizes[i].size);
}

static void
render_counts(struct metrics *m, struct buf *out)
{
	head(out, "submissions_total", "counter", "Submissions by result.");
	buf_printf(out,
	    "mtlog_submissions_total{result=\"accepted\"} %llu\n"
	    "mtlog_submissions_total{result=\"duplicate\"} %llu\n",
	    (unsigned long long)atomic_load(&m->accepted),
	    (unsigned long long)atomic_load(&m->duplicates));
	head(out, "rejects_total", "counter", "Refused submissions by reason.");
	for (size_t i = 0; i < REASONS && atomic_load(&m->reasons[i].name); i++)
		buf_printf(out, "mtlog_rejects_total{reason=\"%s\"} %llu\n",
		    atomic_load(&m->reasons[i].name),
		    (unsigned long long)atomic_load(&m->reasons[i].counts[0]));
	head(out, "http_requests_total", "counter",
	    "Requests by route and class of status.");
	for (size_t i = 0; i < ROUTES && atomic_load(&m->routes[i].name); i++)
		for (unsigned c = 1; c < CLASSES; c++) {
			uint64_t n = atomic_load(&m->routes[i].counts[c]);

			if (n > 0)
				buf_printf(out,
				    "mtlog_http_requests_total{route=\"%s\","
				    "status=\"%uxx\"} %llu\n",
				    atomic_load(&m->routes[i].name), c,
				    (unsigned long long)n);
		}
	counter(out, "batches_total", "Batches committed.",
	    atomic_load(&m->batches));
	counter(out, "batch_entries_total", "Entries in these batches.",
	    atomic_load(&m->batch_entries));
}

static void
render_process(struct buf *out)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	head(out, "cpu_seconds_total", "counter", "CPU time of the server.");
	buf_printf(out, "mtlog_cpu_seconds_total %.6f\n",
	    (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	        (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
	gauge(out, "resident_max_bytes", "Largest resident memory so far.",
	    (uint64_t)u.ru_maxrss * 1024);
}

void
metrics_render(struct metrics *m, const struct metrics_now *now,
    struct buf *out)
{
	head(out, "info", "gauge", "Version, and what confines the processes.");
	buf_printf(out,
	    "mtlog_info{version=\"%s\",sandbox=\"%s\",signer_sandbox=\"%s\"} "
	    "1\n",
	    MTLOG_VERSION, now->sandbox, now->signer_sandbox);
	head(out, "writable", "gauge", "1 when new entries are taken.");
	buf_printf(out, "mtlog_writable{reason=\"%s\"} %d\n", now->reason,
	    now->writable);
	render_tree(now, out);
	render_counts(m, out);
	render_phases(m, out);
	gauge(out, "queue_entries", "Entries queued or in a batch.",
	    now->queue_entries);
	gauge(out, "queue_bytes", "Bytes of these.", now->queue_bytes);
	gauge(out, "admission_waiting", "Requests that wait for a worker.",
	    now->admission);
	gauge(out, "index_tail_entries", "Entries not yet in the index file.",
	    now->index_tail);
	counter(out, "index_flushes_total", "Batches moved to the index file.",
	    now->index_flushes);
	gauge(out, "disk_free_bytes", "Free space where the database is.",
	    now->disk_free);
	gauge(out, "cache_bytes", "Tiles and bundles in memory.",
	    now->cache_bytes);
	gauge(out, "http_connections", "Open connections.",
	    now->http.connections);
	gauge(out, "http_body_bytes", "Request bodies held.",
	    now->http.body_bytes);
	gauge(out, "http_answer_bytes", "Answers not yet sent.",
	    now->http.answer_bytes);
	render_process(out);
}
