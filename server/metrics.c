/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/reader.h"
#include "io/clock.h"

#define NAMES	64 /* reasons and routes told apart; the last is "other" */
#define CLASSES 6  /* of status: 1xx to 5xx, and 0 for what is none */
#define BOUNDS	14

enum phase {
	PHASE_ADMIT,
	PHASE_QUEUE,
	PHASE_INTEGRATE,
	PHASE_COMMIT,
	PHASE_READ_BACK,
	PHASE_SIGN,
	PHASE_PUBLISH,
	PHASE_ANSWER,
	PHASE_TOTAL,
	PHASES
};

static const char *const phase_names[PHASES] = {
    [PHASE_ADMIT] = "admit",
    [PHASE_QUEUE] = "queue",
    [PHASE_INTEGRATE] = "integrate",
    [PHASE_COMMIT] = "commit",
    [PHASE_READ_BACK] = "readback",
    [PHASE_SIGN] = "sign",
    [PHASE_PUBLISH] = "publish",
    [PHASE_ANSWER] = "answer",
    [PHASE_TOTAL] = "total",
};

/* Upper bounds of buckets; `label` is `bound` as the page writes it. */
struct bound {
	uint64_t bound;
	const char *label;
};

static const struct bound bounds_ns[BOUNDS] = {
    {50000, "0.00005"},
    {100000, "0.0001"},
    {250000, "0.00025"},
    {500000, "0.0005"},
    {1000000, "0.001"},
    {2500000, "0.0025"},
    {5000000, "0.005"},
    {10000000, "0.01"},
    {25000000, "0.025"},
    {50000000, "0.05"},
    {100000000, "0.1"},
    {250000000, "0.25"},
    {1000000000, "1"},
    {10000000000, "10"},
};

static const struct bound bounds_entries[BOUNDS] = {
    {1, "1"},
    {2, "2"},
    {4, "4"},
    {8, "8"},
    {16, "16"},
    {32, "32"},
    {64, "64"},
    {128, "128"},
    {256, "256"},
    {512, "512"},
    {1024, "1024"},
    {2048, "2048"},
    {4096, "4096"},
    {8192, "8192"},
};

struct histogram {
	atomic_uint_fast64_t buckets[BOUNDS + 1];
	atomic_uint_fast64_t sum;
};

/* A name met at run time with its counts; names are string literals. */
struct named {
	_Atomic(const char *) name;
	atomic_uint_fast64_t counts[CLASSES];
};

struct metrics {
	struct histogram phases[PHASES];
	struct histogram batches;
	atomic_uint_fast64_t accepted, duplicates;
	struct named reasons[NAMES];
	struct named routes[NAMES];
	int64_t started_s;
	int statm; /* /proc/self/statm, or -1 */
	pthread_mutex_t lock;
	DIR *descriptors; /* /proc/self/fd, or NULL; by the lock */
};

struct metrics *
metrics_open(struct error *err)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	(void)pthread_mutex_init(&m->lock, NULL);
	m->started_s = clock_wall_s();
	m->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	m->descriptors = opendir("/proc/self/fd");
	return m;
}

void
metrics_close(struct metrics *m)
{
	if (!m)
		return;
	if (m->statm >= 0)
		(void)close(m->statm);
	if (m->descriptors)
		(void)closedir(m->descriptors);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

/* Counting. */

static void
count(atomic_uint_fast64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static void
observe(struct histogram *h, const struct bound *bounds, uint64_t value)
{
	size_t i = 0;

	while (i < BOUNDS && value > bounds[i].bound)
		i++;
	count(&h->buckets[i]);
	atomic_fetch_add_explicit(&h->sum, value, memory_order_relaxed);
}

static void
observe_phase(struct metrics *m, enum phase p, uint64_t ns)
{
	observe(&m->phases[p], bounds_ns, ns);
}

/* The place of `name`; the last one takes whatever has no place left. */
static struct named *
find(struct named list[NAMES], const char *name)
{
	for (size_t i = 0; i < NAMES - 1; i++) {
		const char *have = atomic_load(&list[i].name);

		/* Where another thread was first, `have` is its name. */
		if (!have &&
		    atomic_compare_exchange_strong(&list[i].name, &have, name))
			return &list[i];
		if (have == name || strcmp(have, name) == 0)
			return &list[i];
	}
	atomic_store(&list[NAMES - 1].name, "other");
	return &list[NAMES - 1];
}

void
metrics_batch(struct metrics *m, const struct batch_report *r)
{
	observe(&m->batches, bounds_entries, r->count);
	observe_phase(m, PHASE_INTEGRATE, r->integrate);
	observe_phase(m, PHASE_COMMIT, r->commit);
	observe_phase(m, PHASE_READ_BACK, r->read_back);
	observe_phase(m, PHASE_SIGN, r->sign);
	observe_phase(m, PHASE_PUBLISH, r->publish);
}

void
metrics_admit(struct metrics *m, const struct admit_report *r)
{
	observe_phase(m, PHASE_ADMIT, r->admit);
	if (r->reason) {
		count(&find(m->reasons, r->reason)->counts[0]);
		return;
	}
	if (r->accepted) {
		count(&m->accepted);
		observe_phase(m, PHASE_QUEUE, r->queue);
		observe_phase(m, PHASE_TOTAL, r->admit + r->queue + r->answer);
	}
	if (r->duplicate)
		count(&m->duplicates);
	observe_phase(m, PHASE_ANSWER, r->answer);
}

void
metrics_route(struct metrics *m, const char *route, unsigned status)
{
	unsigned class = status / 100 < CLASSES ? status / 100 : 0;

	count(&find(m->routes, route)->counts[class]);
}

/* The page. */

/* One family of samples: what its head says, and what writes its samples. */
struct family {
	const char *name, *type, *help;
	void (*put)(const struct family *f, struct metrics *m,
	    const struct metrics_now *now, struct buf *out);
	size_t at, size; /* of put_now: the field */
};

static void
put_label_value(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_put_str(out, "\\n");
		else if (*text == '"' || *text == '\\')
			buf_printf(out, "\\%c", *text);
		else
			buf_put_u8(out, (uint8_t)*text);
	}
}

/* A sample with one label. */
static void
put_sample(const struct family *f, const char *label, const char *value,
    uint64_t n, struct buf *out)
{
	buf_printf(out, "%s{%s=\"", f->name, label);
	put_label_value(out, value ? value : "");
	buf_printf(out, "\"} %llu\n", (unsigned long long)n);
}

static void
put_now(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	const char *field = (const char *)now + f->at;
	uint64_t n = 0;

	(void)m;
	if (f->size == sizeof(uint64_t))
		memcpy(&n, field, sizeof(n));
	else if (f->size == sizeof(bool))
		n = *(const bool *)field;
	buf_printf(out, "%s %llu\n", f->name, (unsigned long long)n);
}

static void
put_build(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)m;
	(void)now;
	put_sample(f, "version", MTLOG_VERSION, 1, out);
}

static void
put_sandbox(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	const struct {
		const char *process, *in_force;
	} all[] = {
	    {"server", now->sandbox},
	    {"signer", now->signer_sandbox},
	    {"config-reader", now->config_reader_sandbox},
	};

	(void)m;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		buf_printf(out, "%s{process=\"%s\",in_force=\"", f->name,
		    all[i].process);
		put_label_value(out, all[i].in_force ? all[i].in_force : "");
		buf_put_str(out, "\"} 1\n");
	}
}

/* A sample for each condition, so that an alert can name one. */
static void
put_conditions(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	const char *reason = now->reason ? now->reason : "";

	(void)m;
	for (int c = 0; c < HEALTH_CONDITIONS; c++) {
		const char *name = health_name((enum health_condition)c);

		put_sample(f, "reason", name, strcmp(name, reason) == 0, out);
	}
}

static void
put_sizes(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)m;
	put_sample(f, "stage", "sequenced", now->sequenced, out);
	put_sample(f, "stage", "integrated", now->integrated, out);
	put_sample(f, "stage", "signed", now->signed_size, out);
	put_sample(f, "stage", "cosigned", now->cosigned_size, out);
}

static void
put_submissions(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)now;
	put_sample(f, "result", "accepted", atomic_load(&m->accepted), out);
	put_sample(f, "result", "duplicate", atomic_load(&m->duplicates), out);
}

static void
put_rejects(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)now;
	for (size_t i = 0; i < NAMES; i++) {
		const char *name = atomic_load(&m->reasons[i].name);

		if (name)
			put_sample(f, "reason", name,
			    atomic_load(&m->reasons[i].counts[0]), out);
	}
}

static void
put_requests(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)now;
	for (size_t i = 0; i < NAMES; i++) {
		const char *name = atomic_load(&m->routes[i].name);

		for (unsigned c = 0; name && c < CLASSES; c++) {
			uint64_t n = atomic_load(&m->routes[i].counts[c]);

			if (n == 0)
				continue;
			buf_printf(out, "%s{route=\"", f->name);
			put_label_value(out, name);
			buf_printf(out, "\",status=\"%uxx\"} %llu\n", c,
			    (unsigned long long)n);
		}
	}
}

static const char *const refused_names[HTTPD_REFUSED_COUNT] = {
    [HTTPD_REFUSED_MALFORMED] = "malformed",
    [HTTPD_REFUSED_TIMEOUT] = "timeout",
    [HTTPD_REFUSED_TOO_LARGE] = "too-large",
    [HTTPD_REFUSED_CLIENT] = "client-limit",
    [HTTPD_REFUSED_BUSY] = "busy",
    [HTTPD_REFUSED_DEADLINE] = "deadline",
};

static void
put_refused(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)m;
	for (size_t i = 0; i < HTTPD_REFUSED_COUNT; i++)
		put_sample(
		    f, "why", refused_names[i], now->http.refused[i], out);
}

/* `label` is "" or ends with a comma; a sum of nanoseconds goes out as seconds.
 */
static void
put_histogram(const char *name, const char *label, const struct bound *bounds,
    struct histogram *h, struct buf *out)
{
	uint64_t total = 0, sum = atomic_load(&h->sum);
	int cut = label[0] ? (int)strlen(label) - 1 : 0;
	const char *open = cut ? "{" : "", *close = cut ? "}" : "";

	for (size_t i = 0; i <= BOUNDS; i++) {
		total += atomic_load(&h->buckets[i]);
		buf_printf(out, "%s_bucket{%sle=\"%s\"} %llu\n", name, label,
		    i < BOUNDS ? bounds[i].label : "+Inf",
		    (unsigned long long)total);
	}
	buf_printf(out, "%s_sum%s%.*s%s ", name, open, cut, label, close);
	if (bounds == bounds_ns)
		buf_printf(out, "%llu.%09llu",
		    (unsigned long long)(sum / 1000000000),
		    (unsigned long long)(sum % 1000000000));
	else
		buf_put_decimal(out, sum);
	buf_printf(out, "\n%s_count%s%.*s%s %llu\n", name, open, cut, label,
	    close, (unsigned long long)total);
}

static void
put_phases(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)now;
	for (size_t p = 0; p < PHASES; p++) {
		char label[40];

		(void)snprintf(
		    label, sizeof(label), "phase=\"%s\",", phase_names[p]);
		put_histogram(f->name, label, bounds_ns, &m->phases[p], out);
	}
}

static void
put_batches(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)now;
	put_histogram(f->name, "", bounds_entries, &m->batches, out);
}

static void
put_cpu(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	struct rusage u;
	uint64_t us;

	(void)m;
	(void)now;
	(void)getrusage(RUSAGE_SELF, &u);
	us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	buf_printf(out, "%s %llu.%06llu\n", f->name,
	    (unsigned long long)(us / 1000000),
	    (unsigned long long)(us % 1000000));
}

/* The second number of statm: pages. What is not known is left out. */
static void
put_resident(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	char text[128];
	ssize_t n = m->statm < 0 ? -1 : pread(m->statm, text, sizeof(text), 0);
	struct reader r = {bytes_of(text, n > 0 ? (size_t)n : 0)};
	uint64_t all, resident;

	(void)now;
	if (!reader_decimal(&r, &all) || !reader_literal(&r, BYTES_LIT(" ")) ||
	    !reader_decimal(&r, &resident))
		return;
	buf_printf(out, "%s %llu\n", f->name,
	    (unsigned long long)(resident * (uint64_t)sysconf(_SC_PAGESIZE)));
}

static void
put_descriptors(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	unsigned n = 0;

	(void)now;
	if (!m->descriptors)
		return;
	(void)pthread_mutex_lock(&m->lock);
	rewinddir(m->descriptors);
	for (struct dirent *e; (e = readdir(m->descriptors));)
		n += e->d_name[0] != '.';
	(void)pthread_mutex_unlock(&m->lock);
	buf_printf(out, "%s %u\n", f->name, n);
}

static void
put_started(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)now;
	buf_printf(out, "%s %lld\n", f->name, (long long)m->started_s);
}

static void
put_witness_requests(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)m;
	for (size_t i = 0; i < now->witness_count; i++)
		for (int r = 0; r < WITNESS_RESULTS; r++) {
			buf_printf(out, "%s{witness=\"", f->name);
			put_label_value(out, now->witnesses[i].name);
			buf_printf(out, "\",result=\"%s\"} %llu\n",
			    witness_result_name((enum witness_result)r),
			    (unsigned long long)now->witnesses[i].results[r]);
		}
}

/* One number of each witness: `f->at` says which. */
static void
put_witnesses(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)m;
	for (size_t i = 0; i < now->witness_count; i++) {
		const struct witness_stats *w = &now->witnesses[i];
		uint64_t n;

		memcpy(&n, (const char *)w + f->at, sizeof(n));
		put_sample(f, "witness", w->name, n, out);
	}
}

static void
put_witness_took(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)m;
	for (size_t i = 0; i < now->witness_count; i++) {
		const struct witness_stats *w = &now->witnesses[i];

		buf_printf(out, "%s{witness=\"", f->name);
		put_label_value(out, w->name);
		buf_printf(out, "\"} %llu.%09llu\n",
		    (unsigned long long)(w->took_ns / 1000000000),
		    (unsigned long long)(w->took_ns % 1000000000));
	}
}

static void
put_uncosigned(const struct family *f, struct metrics *m,
    const struct metrics_now *now, struct buf *out)
{
	(void)m;
	buf_printf(out, "%s %llu.%09llu\n", f->name,
	    (unsigned long long)(now->uncosigned_ns / 1000000000),
	    (unsigned long long)(now->uncosigned_ns % 1000000000));
}

#define OF_WITNESS(field)                                                      \
	put_witnesses, offsetof(struct witness_stats, field), 0

#define NOW(field)                                                             \
	put_now, offsetof(struct metrics_now, field),                          \
	    sizeof(((struct metrics_now *)0)->field)

/* Everything that the page has. */
static const struct family families[] = {
    {"mtlog_build_info", "gauge", "Version of the server.", put_build, 0, 0},
    {"mtlog_sandbox_info", "gauge", "What confines the processes.", put_sandbox,
	0, 0},
    {"mtlog_writable", "gauge", "1 while new entries are taken.",
	NOW(writable)},
    {"mtlog_condition", "gauge",
	"1 for the gravest reason why new entries are not taken.",
	put_conditions, 0, 0},
    {"mtlog_tree_size", "gauge", "Entries of the log by stage.", put_sizes, 0,
	0},
    {"mtlog_uncosigned_entries", "gauge",
	"Entries that are signed and wait for a quorum of witnesses.",
	NOW(uncosigned)},
    {"mtlog_uncosigned_seconds", "gauge",
	"How long the oldest of them has waited.", put_uncosigned, 0, 0},
    {"mtlog_quorum_time_seconds", "gauge",
	"When a quorum cosigned last, in seconds since 1970; 0: never.",
	NOW(quorum_time)},
    {"mtlog_witness_requests_total", "counter",
	"Requests to a witness by what came of them.", put_witness_requests, 0,
	0},
    {"mtlog_witness_size", "gauge",
	"Tree size that a witness cosigned last, since the start.",
	OF_WITNESS(size)},
    {"mtlog_witness_time_seconds", "gauge",
	"When it did, by its clock, in seconds since 1970; 0: not yet.",
	OF_WITNESS(time)},
    {"mtlog_witness_seconds_total", "counter",
	"Time that all requests to a witness took.", put_witness_took, 0, 0},
    {"mtlog_submissions_total", "counter", "Submissions answered with a proof.",
	put_submissions, 0, 0},
    {"mtlog_rejects_total", "counter", "Submissions refused, by reason.",
	put_rejects, 0, 0},
    {"mtlog_phase_seconds", "histogram",
	"Time in each phase of a submission or of its batch.", put_phases, 0,
	0},
    {"mtlog_batch_entries", "histogram", "Entries in one commit.", put_batches,
	0, 0},
    {"mtlog_queue_entries", "gauge", "Entries queued or in a batch.",
	NOW(queue_entries)},
    {"mtlog_queue_bytes", "gauge", "Bytes of the entries queued or in a batch.",
	NOW(queue_bytes)},
    {"mtlog_admission_waiting", "gauge", "Requests that wait for a worker.",
	NOW(admission)},
    {"mtlog_index_tail_entries", "gauge", "Entries not yet in the index file.",
	NOW(index_tail)},
    {"mtlog_index_size", "gauge", "Entries that the index file covers.",
	NOW(index_size)},
    {"mtlog_index_flushes_total", "counter",
	"Times the tail went into the index file.", NOW(index_flushes)},
    {"mtlog_wal_bytes", "gauge", "Size of the database's write-ahead log.",
	NOW(wal_bytes)},
    {"mtlog_disk_free_bytes", "gauge", "Free space where the database is.",
	NOW(disk_free)},
    {"mtlog_cache_bytes", "gauge", "Tiles and bundles in memory.",
	NOW(cache_bytes)},
    {"mtlog_http_requests_total", "counter",
	"Requests by route and class of status.", put_requests, 0, 0},
    {"mtlog_http_received_total", "counter", "Requests received in all.",
	NOW(http.requests)},
    {"mtlog_http_refused_total", "counter",
	"Requests refused before any route.", put_refused, 0, 0},
    {"mtlog_http_cut_total", "counter", "Slow readers cut off.", NOW(http.cut)},
    {"mtlog_http_connections", "gauge", "Open connections.",
	NOW(http.connections)},
    {"mtlog_http_body_bytes", "gauge", "Bytes of request bodies held.",
	NOW(http.body_bytes)},
    {"mtlog_http_answer_bytes", "gauge", "Bytes of answers not yet sent.",
	NOW(http.answer_bytes)},
    {"process_cpu_seconds_total", "counter",
	"CPU time of the server, without the signer.", put_cpu, 0, 0},
    {"process_resident_memory_bytes", "gauge",
	"Resident memory of the server, without the signer.", put_resident, 0,
	0},
    {"process_open_fds", "gauge", "Open file descriptors.", put_descriptors, 0,
	0},
    {"process_start_time_seconds", "gauge",
	"Start of the server, in seconds since 1970.", put_started, 0, 0},
};

void
metrics_render(
    struct metrics *m, const struct metrics_now *now, struct buf *out)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct family *f = &families[i];

		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name,
		    f->help, f->name, f->type);
		f->put(f, m, now, out);
	}
}
