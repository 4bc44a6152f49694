/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/pinned.h"
#include "client/cli/policies.h"
#include "client/cli/verbs.h"
#include "client/lib/monitor.h"
#include "client/lib/policy_flags.h"
#include "io/notify.h"

#define INTERVAL_S   30
#define INTERVAL_MAX 86400
#define TIMEOUT_MS   10000
#define TIMEOUT_MAX  600000
#define STALLED_S    86400
#define STALLED_MAX  (366u * 86400)
#define HOOK_S	     30
#define HOOK_MAX     3600
#define MS_PER_S     1000

static const struct cli_option options[] = {
    {"--log", "VKEY", "a log's key, or a file with it", true},
    {"--url", "URL", "its address; as many as there are logs", true},
    CLI_PINS_OPTION,
    {"--state", "DIR", "where to remember what was seen", false},
    {"--rules", "FILE", "which entries are news", false},
    {"--once", NULL, "one round, for cron; the exit code tells", false},
    {"--interval", "S", "seconds between rounds; 30 if not said", false},
    {"--new-only", NULL,
	"begin with what a log has now, not with its first entry", false},
    {"--stalled-after", "S",
	"seconds without a new checkpoint; 0: never; a day if not said", false},
    {"--policy", "FILE", "whose witnesses must have cosigned what is shown",
	false},
    {"--compare", "URL|FILE", "what a witness or another monitor saw", true},
    {"--exec", "HOOK", "program that gets each event on standard input", false},
    {"--exec-timeout", "S", "seconds it may take; 30 if not said", false},
    {"--feed", "FILE", "write an Atom feed of the newest events", false},
    {"--metrics", "FILE", "write metrics as Prometheus reads them", false},
    {"--timeout", "MS", "for each request; 10000 if not said", false},
    {"--json", NULL, "one line of JSON for each event", false},
    {0},
};

/* Set by SIGTERM and SIGINT, looked at several times a second. */
static volatile sig_atomic_t stopped;

static void
on_stop(int number)
{
	(void)number;
	stopped = 1;
}

static bool
stops(void *arg)
{
	(void)arg;
	return stopped != 0;
}

static bool
catch_signals(struct error *err)
{
	struct sigaction a = {.sa_handler = on_stop};

	(void)sigemptyset(&a.sa_mask);
	return (sigaction(SIGTERM, &a, NULL) == 0 &&
		   sigaction(SIGINT, &a, NULL) == 0) ||
	    error_set(err, ERR_INTERNAL, "cannot catch signals: %m");
}

/* A pipe that nobody reads must not hold up what is watched for. */
static void
trouble(void *arg, const char *log, const struct error *err)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	(void)arg;
	if (poll(&p, 1, 0) == 1)
		(void)fprintf(stderr, "mtlog monitor: %s%s%s\n", log ? log : "",
		    log ? ": " : "", err->text);
}

struct monitoring {
	struct monitor_options o;
	struct monitor_log *logs;
	struct buf *pins; /* a note for each */
	struct policy *policy;
	uint64_t interval;
	bool once;
	struct notify *notify;
};

static size_t
count_of(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static bool
read_logs(struct cli_args *a, struct monitoring *m, struct error *err)
{
	const char *const *keys = cli_values(a, "--log");
	const char *const *urls = cli_values(a, "--url");
	size_t n = count_of(keys);

	if (!cli_need(a, "--log", err) || !cli_need(a, "--url", err))
		return false;
	if (n == 0 || n != count_of(urls))
		return error_set(err, ERR_USAGE,
		    "each --log needs a --url, in the same order: there are "
		    "%zu and %zu",
		    n, count_of(urls));
	m->logs = calloc(n, sizeof(*m->logs));
	m->pins = calloc(n, sizeof(*m->pins));
	if (!m->logs || !m->pins)
		return error_set(err, ERR_INTERNAL, "out of memory");
	m->o.logs = m->logs;
	m->o.log_count = n;
	for (size_t i = 0; i < n; i++) {
		struct monitor_log *log = &m->logs[i];

		log->url = urls[i];
		buf_init(&m->pins[i], NOTE_MAX_LEN);
		if (!log_key_read(keys[i], &log->key, err) ||
		    !cli_pinned_note(a, &log->key, &m->pins[i], err))
			return false;
		log->pin = buf_bytes(&m->pins[i]);
	}
	return true;
}

static bool
read_number(struct cli_args *a, const char *name, uint64_t otherwise,
    const uint64_t range[2], uint64_t *out, struct error *err)
{
	if (!cli_number(a, name, otherwise, out, err))
		return false;
	return (*out >= range[0] && *out <= range[1]) ||
	    error_set(err, ERR_USAGE, "%s is %llu to %llu", name,
		(unsigned long long)range[0], (unsigned long long)range[1]);
}

static bool
read_numbers(struct cli_args *a, struct monitoring *m, struct error *err)
{
	uint64_t timeout, hook;

	if (!read_number(a, "--interval", INTERVAL_S,
		(const uint64_t[]){1, INTERVAL_MAX}, &m->interval, err) ||
	    !read_number(a, "--timeout", TIMEOUT_MS,
		(const uint64_t[]){1, TIMEOUT_MAX}, &timeout, err) ||
	    !read_number(a, "--exec-timeout", HOOK_S,
		(const uint64_t[]){1, HOOK_MAX}, &hook, err) ||
	    !read_number(a, "--stalled-after", STALLED_S,
		(const uint64_t[]){0, STALLED_MAX}, &m->o.stalled_after, err))
		return false;
	m->o.timeout_ms = (unsigned)timeout;
	m->o.hook_ms = (unsigned)hook * MS_PER_S;
	return true;
}

static bool
read_policy(struct cli_args *a, struct monitoring *m, struct error *err)
{
	const char *path = cli_value(a, "--policy");

	if (!path)
		return true;
	m->policy = cli_policy_read(path, err);
	if (!m->policy)
		return false;
	m->o.quorum = &m->policy->quorum;
	return true;
}

static bool
read_options(struct cli_args *a, struct monitoring *m, struct error *err)
{
	if (a->operand_count > 0)
		return error_set(err, ERR_USAGE,
		    "surplus \"%s\"; see mtlog monitor --help", a->operands[0]);
	if (!read_logs(a, m, err) || !read_numbers(a, m, err) ||
	    !read_policy(a, m, err))
		return false;
	m->o.state = cli_need(a, "--state", err);
	m->o.rules = m->o.state ? cli_need(a, "--rules", err) : NULL;
	if (!m->o.rules)
		return false;
	m->o.compared = cli_values(a, "--compare");
	m->o.compared_count = count_of(m->o.compared);
	m->o.hook = cli_value(a, "--exec");
	m->o.feed = cli_value(a, "--feed");
	m->o.metrics = cli_value(a, "--metrics");
	m->o.only_new = cli_flag(a, "--new-only");
	m->o.json = cli_flag(a, "--json");
	m->o.output = STDOUT_FILENO;
	m->o.trouble = trouble;
	m->o.stop = stops;
	m->once = cli_flag(a, "--once");
	/* No search in PATH: what runs is what was written. */
	return !m->o.hook || access(m->o.hook, X_OK) == 0 ||
	    error_set(err, ERR_USAGE,
		"--exec %s: it is not there or no program: %m", m->o.hook);
}

static void
tell_round(void *arg, int code)
{
	const struct monitoring *m = arg;

	notify_status(m->notify, "last round: %s", verdict_code_name(code));
}

/* Until it is stopped: a log that fails today may answer tomorrow. */
static bool
go_on(struct monitoring *m, struct monitor *monitor, struct error *err)
{
	bool ok;

	m->notify = notify_open(err);
	if (!m->notify)
		return false;
	notify_send(m->notify, "READY=1");
	ok = monitor_follow(monitor, (unsigned)m->interval, tell_round, err);
	notify_send(m->notify, "STOPPING=1");
	notify_close(m->notify);
	return ok;
}

static int
run(struct cli_args *a, struct error *err)
{
	struct monitoring m = {0};
	struct monitor *monitor = NULL;
	int code = VERDICT_ACCEPTED;
	bool ok = read_options(a, &m, err) && catch_signals(err);

	m.o.arg = &m;
	ok = ok && (monitor = monitor_open(&m.o, err)) != NULL;

	if (ok && m.once)
		ok = monitor_round(monitor, &code, err);
	else if (ok)
		ok = go_on(&m, monitor, err);
	monitor_close(monitor);
	for (size_t i = 0; m.pins && i < m.o.log_count; i++)
		buf_release(&m.pins[i]);
	free(m.pins);
	cli_policy_close(m.policy);
	free(m.logs);
	return ok ? code : -1;
}

const struct cli_verb verb_monitor = {
    .name = "monitor",
    .arguments = "",
    .summary = "Follow logs: tell what is new, and when one lies",
    .details =
	"Each checkpoint is held against the newest one seen before, each new\n"
	"entry against the rules. Without --once it goes on until it is\n"
	"stopped.",
    .run = run,
    .options = options,
};
