/* SPDX-License-Identifier: Apache-2.0 */
#include "server/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/notify.h"
#include "io/sandbox.h"
#include "server/api/api.h"
#include "server/api/reply.h"
#include "server/bundle_work.h"
#include "server/config_reader.h"
#include "server/descriptors.h"
#include "server/disk.h"
#include "server/metrics.h"
#include "server/recover.h"
#include "server/serving.h"
#include "server/signed_head.h"
#include "server/witnessing.h"

#define DRAIN_MS	9000 /* of the ten seconds that TERM may take */
#define DRAIN_QUORUM_MS 2000 /* of these, for witnesses */
#define TICK_MS		500

/* Everything that runs, in the order it is made; closed in the reverse. */
struct daemon {
	struct config *config;
	int signal_fd, restart_fd;
	struct notify *notify;
	struct metrics *metrics;
	struct health *health;
	struct disk *disk;
	struct config_reader *config_reader;
	struct signer *signer;
	struct signer_hello hello;
	struct api api;
	struct httpd *httpd, *metrics_httpd;
	const struct store_backend *backend;
	struct store *store;
	uint64_t identity;
	struct tree *tree;
	struct index_file *index;
	struct lookup *lookup;
	struct head_slot *heads;
	struct pool *pool;
	struct sequencer *sequencer;
	struct rules *rules;
	struct quota *quota;
	struct admit *admit;
	struct witnessing *witnessing; /* NULL: witness-mode = off */
	struct serving serving;
	uint64_t watchdog_ns; /* when it was fed last */
	bool index_told;      /* of its failure, once */
	bool unsettled;	  /* the sequencer's: settle before the first write */
	bool wants_space; /* start again when the disk has space */
};

/* Below the low-water mark the log is read-only, before the disk is full. */
static bool
watch_disk(struct daemon *d)
{
	bool low = disk_low(d->disk, NULL);

	if (low != health_is(d->health, HEALTH_DISK_LOW))
		log_event(low ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "disk-low",
		    low ? "read-only until there is space" : "writing again");
	health_set(d->health, HEALTH_DISK_LOW, low,
	    "the disk is nearly full; reads go on, and new entries are taken "
	    "again when there is space");
	return low;
}

/* What the sequencer asks and tells. */

static bool
may_write(void *arg, struct error *err)
{
	struct daemon *d = arg;

	if (tree_corrupt(d->tree))
		health_set(d->health, HEALTH_LATCHED, true,
		    "the log takes no new entries: stored bytes do not match "
		    "the tree. Sound parts are still served. Stop it and run "
		    "`mtlogd fsck`");
	/* Before each batch: many fit between two ticks. */
	(void)watch_disk(d);
	if (!health_writable(d->health, err))
		return false;
	if (d->unsettled && !d->backend->settle(d->store, err))
		return false;
	d->unsettled = false;
	return true;
}

static void
report_batch(void *arg, const struct batch_report *r)
{
	struct daemon *d = arg;

	metrics_batch(d->metrics, r);
	if (log_wanted(LOG_LEVEL_DEBUG))
		log_event(LOG_LEVEL_DEBUG, "batch", "entries=%zu size=%llu",
		    r->count, (unsigned long long)r->size);
}

static void
report_admit(void *arg, const struct admit_report *r)
{
	struct daemon *d = arg;

	metrics_admit(d->metrics, r);
}

static void
count_route(void *arg, const char *route, unsigned status)
{
	struct daemon *d = arg;

	metrics_route(d->metrics, route, status);
}

static void
alarm_raised(void *arg, const char *what, const struct error *err)
{
	struct daemon *d = arg;

	if (strcmp(error_reason_name(err), "disk-full") == 0)
		disk_full(d->disk);
	log_event(LOG_LEVEL_ERROR, what, "reason=%s: %s",
	    error_reason_name(err), err->text);
}

static void
head_signed(void *arg, struct head *head)
{
	struct daemon *d = arg;

	witnessing_signed(d->witnessing, head);
}

static void
ask_restart(void *arg)
{
	struct daemon *d = arg;
	uint64_t one = 1;

	(void)!write(d->restart_fd, &one, sizeof(one));
}

/* The metrics page, on a listener of its own. */

static void
metrics_now(struct daemon *d, struct metrics_now *now, struct error *why)
{
	struct head *head = head_current(d->heads);

	*now = (struct metrics_now){
	    .sequenced = tree_size(d->tree),
	    .integrated = head ? head->size : 0,
	    .signed_size = head ? head->size : 0,
	    .admission = admit_waiting(d->admit),
	    .index_tail = lookup_tail(d->lookup),
	    .index_flushes = lookup_generation(d->lookup),
	    .cache_bytes = tree_cache_bytes(d->tree),
	    .wal_bytes = disk_file_bytes(d->config->database, "log.db-wal"),
	    .sandbox = d->serving.sandbox,
	    .signer_sandbox = d->serving.signer_sandbox,
	    .config_reader_sandbox = d->serving.config_reader_sandbox,
	};
	now->index_size = lookup_stored(d->lookup);
	head_release(head);
	witnessing_metrics(d->witnessing, now);
	pool_load(d->pool, &now->queue_entries, &now->queue_bytes);
	(void)disk_low(d->disk, &now->disk_free);
	httpd_stats(d->httpd, &now->http);
	now->writable = health_writable(d->health, why);
	now->reason = now->writable ? "" : error_reason_name(why);
}

static void
metrics_handle(void *arg, struct exchange *x)
{
	struct daemon *d = arg;
	struct error err = {0};
	struct metrics_now now;
	struct response r;

	if (!bytes_equal(exchange_request(x)->path, BYTES_LIT("/metrics"))) {
		(void)error_reason(&err, ERR_NOTFOUND, "no-such-address",
		    "the metrics are at /metrics");
		exchange_fail(x, &err);
		return;
	}
	metrics_now(d, &now, &err);
	reply_text(&r, 200, "text/plain; version=0.0.4; charset=utf-8");
	metrics_render(d->metrics, &now, &r.text);
	exchange_reply(x, &r);
}

/* The start, in order. Each step leaves what it made in `d`. */

static bool
open_signals(struct daemon *d, struct error *err)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	/* Threads made later inherit the mask. */
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	d->restart_fd = eventfd(0, EFD_CLOEXEC);
	return (d->signal_fd >= 0 && d->restart_fd >= 0) ||
	    error_set(err, ERR_IO, "signalfd: %s", strerror(errno));
}

static bool
open_processes(struct daemon *d, struct error *err)
{
	struct signer_options o;
	struct vkey vkey;

	log_signer_options(d->config, &vkey, &o);
	d->signer = signer_start(&o, &d->hello, err);
	if (!d->signer)
		return false;
	d->config_reader = config_reader_start(
	    d->config->file, d->serving.config_reader_sandbox, err);
	return d->config_reader != NULL;
}

static bool
open_small_parts(struct daemon *d, struct error *err)
{
	uint64_t seed = 0;

	d->notify = notify_open(err);
	d->metrics = metrics_open(err);
	d->health = health_open();
	d->heads = head_slot_open();
	d->disk = disk_open(d->config->database, d->config->low_water, err);
	(void)!getrandom(&seed, sizeof(seed), 0);
	d->quota = quota_open(d->config->envelope_quota, seed, err);
	/* Files that only the start may read. */
	d->rules = d->quota ? rules_open(d->config, err) : NULL;
	if (!d->health || !d->heads)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return d->notify && d->metrics && d->disk && d->rules;
}

static bool
open_witnessing(struct daemon *d, struct error *err)
{
	struct witnessing_parts p = {
	    .config = d->config,
	    .log = &d->hello.vkey,
	    .health = d->health,
	    .restart = ask_restart,
	    .arg = d,
	};

	if (d->config->witness_mode == CONFIG_WITNESS_OFF)
		return true;
	d->witnessing = witnessing_open(&p, err);
	return d->witnessing != NULL;
}

static bool
open_listeners(struct daemon *d, struct error *err)
{
	const struct config *c = d->config;
	struct httpd_options o = {
	    .listen = c->listen,
	    .threads = (unsigned)c->http_threads,
	    .max_connections = (unsigned)c->max_connections,
	    .max_connections_per_client =
		(unsigned)c->max_connections_per_client,
	    .max_body = (size_t)c->max_body,
	    .large_path = "/api/v1/bundles",
	    .max_large_body = BUNDLE_BODY_MAX,
	    .body_budget = 64u << 20,
	    .answer_budget = 64u << 20,
	    .header_timeout_ms = (unsigned)c->request_timeout_ms,
	    .answer_timeout_ms = (unsigned)c->submit_timeout_ms,
	    .idle_timeout_ms = (unsigned)c->idle_timeout_ms,
	    .min_send_rate = 1024,
	    .trusted_proxies = (const char *const *)c->trusted_proxies.items,
	    .handler = api_handle,
	    .refuse = api_refuse,
	    .arg = &d->api,
	};

	descriptors_raise(c);
	d->httpd = httpd_open(&o, err);
	if (!d->httpd)
		return false;
	if (!c->metrics_listen[0])
		return true;
	o.listen = c->metrics_listen;
	o.threads = 1;
	o.max_connections = 64;
	o.handler = metrics_handle;
	o.arg = d;
	o.refuse = NULL;
	d->metrics_httpd = httpd_open(&o, err);
	return d->metrics_httpd != NULL;
}

static void
describe(struct daemon *d)
{
	struct serving *s = &d->serving;

	s->pid = getpid();
	serving_address(s->url, d->config->listen, httpd_port(d->httpd));
	if (d->metrics_httpd)
		serving_address(s->metrics, d->config->metrics_listen,
		    httpd_port(d->metrics_httpd));
	(void)snprintf(s->signer_sandbox, sizeof(s->signer_sandbox), "%s",
	    d->hello.sandbox);
	d->api.url = d->config->url[0] ? d->config->url : s->url;
}

static bool
confine(struct daemon *d, struct error *err)
{
	const char *const read_write[] = {d->config->database, NULL};
	/* SQLite reads urandom. Key and guard are the signer's alone, and the
	 * configuration is read by a process of its own. */
	const char *read_only[1 + WITNESSING_FILES + 1] = {"/dev/urandom"};
	struct sandbox_options o = {
	    .profile = SANDBOX_SERVER,
	    .read_write = read_write,
	    .read_only = read_only,
	};

	if (d->witnessing)
		memcpy(
		    read_only + 1, witnessing_files, sizeof(witnessing_files));

	return sandbox_enter(
	    &o, d->serving.sandbox, sizeof(d->serving.sandbox), err);
}

static bool
open_store(struct daemon *d, struct error *err)
{
	const char *folder = d->config->database;

	d->backend = &store_sqlite;
	d->store = d->backend->open(folder, false, err);
	if (!d->store || !d->backend->identity(d->store, &d->identity, err))
		return false;
	d->tree =
	    tree_open(d->backend, d->store, (size_t)d->config->cache_size, err);
	d->index = d->tree ? index_open(folder, false, err) : NULL;
	d->lookup = d->index ? lookup_open(d->index, err) : NULL;
	witnessing_tree(d->witnessing, d->tree);
	return d->lookup != NULL;
}

static struct recover_parts
recover_parts_of(struct daemon *d)
{
	return (struct recover_parts){
	    .backend = d->backend,
	    .store = d->store,
	    .tree = d->tree,
	    .signer = d->signer,
	    .hello = &d->hello,
	    .index = d->index,
	    .lookup = d->lookup,
	    .ask = d->witnessing ? witnessing_ask : NULL,
	    .arg = d->witnessing,
	};
}

static bool
recover(struct daemon *d, struct error *err)
{
	struct recover_parts parts = recover_parts_of(d);
	struct recovered r;

	if (!recover_log(&parts, &r, err))
		return false;
	witnessing_begin(d->witnessing, r.head);
	if (r.head)
		head_publish(d->heads, r.head);
	log_event(r.found == RECOVER_LATCH ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
	    r.found == RECOVER_LATCH ? "log-latched" : "recovered", "%s",
	    r.sentence);
	d->wants_space = r.unsettled && r.found == RECOVER_LATCH;
	d->unsettled = r.unsettled;
	if (d->wants_space || r.unasked)
		health_set(
		    d->health, HEALTH_RESTARTING, true, "%s", r.sentence);
	else if (r.found == RECOVER_LATCH)
		health_set(d->health, HEALTH_LATCHED, true,
		    "the log takes no new entries: %s", r.sentence);
	if (d->hello.state.frozen)
		health_set(d->health, HEALTH_FROZEN, true,
		    "this log has been frozen; switch to its successor");
	if (r.unasked)
		witnessing_restart(d->witnessing);
	return true;
}

static bool
open_workers(struct daemon *d, struct error *err)
{
	const struct config *c = d->config;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	/* Nothing else is shown where a quorum is required. */
	struct head_slot *shown = witnessing_required(d->witnessing)
	    ? witnessing_slot(d->witnessing)
	    : d->heads;
	struct sequencer_parts s = {
	    .tree = d->tree,
	    .backend = d->backend,
	    .store = d->store,
	    .store_identity = d->identity,
	    .signer = d->signer,
	    .lookup = d->lookup,
	    .heads = d->heads,
	    .health = d->health,
	    .batch_max = (size_t)c->batch_max,
	    .gather_ms = (unsigned)c->gather_ms,
	    .may_write = may_write,
	    .signed_head = head_signed,
	    .report = report_batch,
	    .alarm = alarm_raised,
	    .restart = ask_restart,
	    .arg = d,
	};
	struct admit_parts a = {
	    .tree = d->tree,
	    .lookup = d->lookup,
	    .heads = shown,
	    .quorum = witnessing_required(d->witnessing),
	    .quorum_wait_ms = c->submit_timeout_ms / 10 * 9,
	    .open_max = (size_t)c->max_connections / 2,
	    .health = d->health,
	    .vkey = d->hello.vkey,
	    .backend = d->backend,
	    .rules = d->rules,
	    .quota = d->quota,
	    .workers = c->workers ? (unsigned)c->workers
				  : (unsigned)(cpus > 0 ? cpus : 1),
	    /* Twice: one address may hold half of what waits for workers. */
	    .queue_max = 2 * (size_t)c->queue_entries,
	    .report = report_admit,
	    .arg = d,
	};

	/* However little is allowed, the largest envelope must fit. */
	d->pool = pool_open((size_t)c->queue_entries,
	    (size_t)c->queue_bytes + ENVELOPE_MAX_LEN, err);
	s.pool = a.pool = d->pool;
	if (!d->pool)
		return false;
	d->sequencer = sequencer_open(&s, err);
	d->admit = d->sequencer ? admit_open(&a, err) : NULL;
	d->api.admit = d->admit;
	d->api.tree = d->tree;
	d->api.backend = d->backend;
	d->api.lookup = d->lookup;
	d->api.heads = shown;
	d->api.cosigned = witnessing_slot(d->witnessing);
	d->api.witnessing = d->witnessing;
	witnessing_admit(d->witnessing, d->admit);
	d->api.health = d->health;
	d->api.vkey = d->hello.vkey;
	d->api.former = (const char *const *)d->config->former_logs.items;
	d->api.counted = count_route;
	d->api.arg = d;
	return d->admit && lookup_start(d->lookup, err) &&
	    sequencer_start(d->sequencer, err);
}

/* Reads are served while the look-up index catches up. */
static bool
begin_serving(struct daemon *d, struct error *err)
{
	struct recover_parts parts = recover_parts_of(d);
	struct head *head = head_current(d->heads);
	bool ok;

	health_set(d->health, HEALTH_STARTING, true,
	    "the server is starting; try again in a moment");
	watch_disk(d);
	ok = httpd_start(d->httpd, err) &&
	    (!d->metrics_httpd || httpd_start(d->metrics_httpd, err)) &&
	    (!head || recover_index(&parts, head, err));
	head_release(head);
	if (!ok)
		return false;
	health_set(d->health, HEALTH_STARTING, false, "%s", "");
	if (!serving_write(d->config->database, &d->serving, err)) {
		/* Only `status` misses it; a full disk must not stop reads. */
		log_event(LOG_LEVEL_WARN, "no-serving-file", "%s", err->text);
		*err = (struct error){0};
	}
	(void)printf("ready %s\n", d->serving.url);
	(void)fflush(stdout);
	notify_send(d->notify, "READY=1\nSTATUS=serving");
	log_event(LOG_LEVEL_INFO, "ready", "%s sandbox=\"%s\" signer=\"%s\"",
	    d->serving.url, d->serving.sandbox, d->serving.signer_sandbox);
	return true;
}

/* The rest of its life: signals, the disk, the watchdog. */

static void
reload(struct daemon *d)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
	struct error err = {0};
	char restart[400];

	notify_reloading(d->notify);
	if (config_reader_read(d->config_reader, &text, &err) &&
	    config_reload(
		d->config, buf_bytes(&text), restart, sizeof(restart), &err)) {
		log_setup((enum log_format)d->config->log_format,
		    (enum log_level)d->config->log_level);
		disk_mark(d->disk, d->config->low_water);
		log_event(LOG_LEVEL_INFO, "reloaded", "%s%s",
		    restart[0] ? "changes that need a restart: " : "done",
		    restart);
	} else {
		log_event(LOG_LEVEL_ERROR, "not-reloaded",
		    "%s; everything stays as it was", err.text);
	}
	notify_send(d->notify, "READY=1");
}

static void
watch_index(struct daemon *d)
{
	struct error err = {0};

	health_set(d->health, HEALTH_INDEX_BEHIND,
	    lookup_tail(d->lookup) > LOOKUP_TAIL_MAX - 100000,
	    "the lookup index is behind; try again in a while");
	if (d->index_told || !lookup_failed(d->lookup, &err))
		return;
	d->index_told = true;
	if (strcmp(error_reason_name(&err), "store-corrupt") != 0) {
		log_event(LOG_LEVEL_ERROR, "index-stopped",
		    "reason=%s: %s; look-ups go on from memory until it is "
		    "full, then restart",
		    error_reason_name(&err), err.text);
		return;
	}
	/* It is derived, so a start mends it; and unlike a write that failed it
	 * is asked for again by the next look-up. */
	log_event(LOG_LEVEL_ERROR, "index-damaged",
	    "reason=%s: %s; restarting to build it again",
	    error_reason_name(&err), err.text);
	health_set(d->health, HEALTH_RESTARTING, true,
	    "the server restarts to build the lookup index again; submit "
	    "again, it is safe");
	ask_restart(d);
}

static void
tick(struct daemon *d)
{
	uint64_t now = clock_monotonic_ns(), every;
	bool low = watch_disk(d);

	watch_index(d);
	witnessing_tick(d->witnessing);
	admit_expire(d->admit);
	log_tick();
	if (d->wants_space && !low)
		ask_restart(d);
	every = notify_watchdog_ns(d->notify);
	if (every > 0 && now - d->watchdog_ns >= every / 2) {
		d->watchdog_ns = now;
		notify_send(d->notify, "WATCHDOG=1");
	}
}

/* Until TERM (0), or until something wants a restart (75). */
static int
watch(struct daemon *d)
{
	struct pollfd fds[] = {
	    {.fd = d->signal_fd, .events = POLLIN},
	    {.fd = d->restart_fd, .events = POLLIN},
	    {.fd = signer_fd(d->signer), .events = POLLIN},
	};

	for (;;) {
		struct signalfd_siginfo s;

		(void)poll(fds, sizeof(fds) / sizeof(fds[0]), TICK_MS);
		tick(d);
		if (fds[0].revents & POLLIN &&
		    read(d->signal_fd, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
			if (s.ssi_signo != SIGHUP)
				return 0;
			reload(d);
		}
		if (fds[1].revents & POLLIN)
			return DAEMON_EXIT_RESTART;
		if (fds[2].revents & (POLLHUP | POLLERR)) {
			log_event(LOG_LEVEL_ERROR, "signer-down",
			    "the signer process has ended");
			return DAEMON_EXIT_RESTART;
		}
	}
}

/* Takes nothing new, answers what it has, closes in the reverse order. */
static void
finish(struct daemon *d)
{
	if (d->notify)
		notify_send(d->notify, "STOPPING=1");
	if (d->health)
		health_set(d->health, HEALTH_DRAINING, true,
		    "the server is shutting down; submit again in a moment");
	if (d->httpd && d->serving.pid) {
		httpd_drain(d->httpd, DRAIN_QUORUM_MS);
		admit_hurry(d->admit);
		httpd_drain(d->httpd, DRAIN_MS - DRAIN_QUORUM_MS);
	}
	/* Closed first: from here on nobody brings anything to the workers. */
	httpd_close(d->metrics_httpd);
	httpd_close(d->httpd);
	witnessing_stop(d->witnessing);
	admit_close(d->admit);
	sequencer_close(d->sequencer);
	witnessing_close(d->witnessing);
	pool_close(d->pool);
	lookup_close(d->lookup);
	index_close(d->index);
	api_release(&d->api);
	tree_close(d->tree);
	if (d->store)
		d->backend->close(d->store);
	signer_close(d->signer);
	config_reader_close(d->config_reader);
	head_slot_close(d->heads);
	rules_close(d->rules);
	quota_close(d->quota);
	disk_close(d->disk);
	health_close(d->health);
	metrics_close(d->metrics);
	notify_close(d->notify);
	if (d->serving.pid)
		serving_remove(d->config->database);
}

int
daemon_run(struct config *config, struct error *err)
{
	struct daemon d = {.config = config, .signal_fd = -1};
	int code = 1;
	bool ok;

	const char *doubt = folder_doubt(config->database);

	/* A pool a thread would keep what each of them ever needed. */
	(void)mallopt(M_ARENA_MAX, 2);
	api_init(&d.api);
	if (doubt)
		log_event(LOG_LEVEL_WARN, "storage", "%s", doubt);
	/* Processes are forked before anything that they must not inherit. */
	ok = log_local(config, err) && open_processes(&d, err) &&
	    open_signals(&d, err) && open_small_parts(&d, err) &&
	    open_witnessing(&d, err) && open_listeners(&d, err);
	if (ok)
		describe(&d);
	ok = ok && confine(&d, err) && open_store(&d, err) &&
	    recover(&d, err) && open_workers(&d, err) && begin_serving(&d, err);
	if (ok)
		code = watch(&d);
	finish(&d);
	return code;
}
