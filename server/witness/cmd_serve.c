/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/log.h"
#include "io/notify.h"
#include "io/sandbox.h"
#include "server/daemon.h"
#include "server/serving.h"
#include "server/witness/commands.h"
#include "server/witness/front.h"

#define DRAIN_MS    9000 /* of the ten seconds that TERM may take */
#define TICK_MS	    500
#define PROXIES_MAX 16

/* What is larger than a submission can be is read up to here, so that who sends
 * it can read its 400; beyond, that comes before the end of the body. */
#define BODY_MAX (4 * WITNESS_REQUEST_MAX_LEN)

/* Everything that runs, in the order it is made; closed in the reverse. */
struct service {
	const char *dir;
	char *run; /* the folder that this process may write */
	char listen[200], metrics_listen[200];
	const char *proxies[PROXIES_MAX + 1];
	struct keeper *keeper;
	struct keeper_hello hello;
	int signal_fd;
	struct notify *notify;
	struct httpd *httpd, *metrics_httpd;
	struct front *front;
	struct serving serving;
	uint64_t watchdog_ns;
};

/* What was asked for. */

static bool
set_address(char out[200], const char *text, struct error *err)
{
	int n = snprintf(out, 200, "%s", text);

	return (n > 0 && n < 200 && strrchr(text, ':')) ||
	    error_set(err, ERR_USAGE, "\"%s\" is not ADDR:PORT", text);
}

/* The address of init, where the command line has none. */
static bool
read_listen(struct service *s, struct error *err)
{
	AUTO(buf) text = BUF_INIT(200);
	char *path = path_join(s->dir, WITNESS_LISTEN_FILE);
	char *address = NULL;
	bool ok = path && file_read(path, &text, err);

	free(path);
	if (ok && text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (ok)
		address = buf_dup_string(&text);
	ok = address && set_address(s->listen, address, err);
	free(address);
	return ok || error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
set_log(const char *format, struct error *err)
{
	static const char *const names[] = {"text", "json", "journal"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!format || strcmp(format, names[i]) == 0) {
			log_setup((enum log_format)i, LOG_LEVEL_INFO);
			return true;
		}
	return error_set(
	    err, ERR_USAGE, "--log-format is text, json or journal");
}

static bool
take_options(struct service *s, const struct arguments *a, struct error *err)
{
	const char *listen = arguments_value(a, "listen");
	const char *metrics = arguments_value(a, "metrics-listen");
	const char *proxy;
	size_t at = 0, n = 0;
	struct vkey vkey;

	s->dir = a->dir;
	while ((proxy = arguments_next(a, "trusted-proxy", &at))) {
		if (n == PROXIES_MAX)
			return error_set(err, ERR_USAGE,
			    "more than %d trusted proxies", PROXIES_MAX);
		s->proxies[n++] = proxy;
	}
	s->run = path_join(s->dir, WITNESS_RUN_FOLDER);
	if (!s->run)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return set_log(arguments_value(a, "log-format"), err) &&
	    cosigner_vkey_read(s->dir, &vkey, err) &&
	    (listen ? set_address(s->listen, listen, err)
		    : read_listen(s, err)) &&
	    (!metrics || set_address(s->metrics_listen, metrics, err));
}

/* The start, in order. */

static bool
open_keeper(struct service *s, struct error *err)
{
	const char *doubt = folder_doubt(s->dir);

	if (doubt)
		log_event(LOG_LEVEL_WARN, "storage", "%s", doubt);
	if (!folder_local(s->dir, err))
		return false;
	s->keeper = keeper_start(s->dir, &s->hello, err);
	return s->keeper != NULL;
}

static bool
open_signals(struct service *s, struct error *err)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	/* Threads made later inherit the mask. */
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN); /* nothing is kept to read again */
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	s->notify = notify_open(err);
	return s->notify &&
	    (s->signal_fd >= 0 ||
		error_set(err, ERR_IO, "signalfd: %s", strerror(errno)));
}

/* The handlers' argument is the front, which is made after the sandbox: it is
 * reached through here. */

static void
handle(void *arg, struct exchange *x)
{
	struct service *s = arg;

	front_handle(s->front, x);
}

static void
handle_metrics(void *arg, struct exchange *x)
{
	struct service *s = arg;

	front_handle_metrics(s->front, x);
}

static bool
open_listeners(struct service *s, struct error *err)
{
	struct httpd_options o = {
	    .listen = s->listen,
	    .max_connections = 512,
	    .max_connections_per_client = 128,
	    .max_body = BODY_MAX,
	    .trusted_proxies = s->proxies[0] ? s->proxies : NULL,
	    .handler = handle,
	    .refuse = front_refuse,
	    .arg = s,
	};

	s->httpd = httpd_open(&o, err);
	if (!s->httpd || !s->metrics_listen[0])
		return s->httpd != NULL;
	o.listen = s->metrics_listen;
	o.threads = 1;
	o.max_connections = 64;
	o.handler = handle_metrics;
	s->metrics_httpd = httpd_open(&o, err);
	return s->metrics_httpd != NULL;
}

/* "http://ADDR:PORT" with the port that was really bound. */
static void
bound_address(const char *listen, const struct httpd *h, char *out, size_t len)
{
	const char *colon = strrchr(listen, ':');
	int n = colon ? (int)(colon - listen) : (int)strlen(listen);

	(void)snprintf(out, len, "http://%.*s:%u", n, listen, httpd_port(h));
}

static void
describe(struct service *s)
{
	struct serving *v = &s->serving;

	v->pid = getpid();
	bound_address(s->listen, s->httpd, v->url, sizeof(v->url));
	if (s->metrics_httpd)
		bound_address(s->metrics_listen, s->metrics_httpd, v->metrics,
		    sizeof(v->metrics));
	(void)snprintf(v->signer_sandbox, sizeof(v->signer_sandbox), "%s",
	    s->hello.sandbox);
}

/* Key and database are the keeper's alone. */
static bool
confine(struct service *s, struct error *err)
{
	const char *const read_write[] = {s->run, NULL};
	const char *const read_only[] = {"/dev/urandom", NULL};
	const struct sandbox_options o = {
	    .profile = SANDBOX_SERVER,
	    .read_write = read_write,
	    .read_only = read_only,
	};

	return sandbox_enter(
	    &o, s->serving.sandbox, sizeof(s->serving.sandbox), err);
}

static bool
begin(struct service *s, struct error *err)
{
	s->front = front_open(s->keeper, err);
	if (!s->front)
		return false;
	front_stats_of(
	    s->front, s->httpd, s->serving.sandbox, s->serving.signer_sandbox);
	if (!httpd_start(s->httpd, err) ||
	    (s->metrics_httpd && !httpd_start(s->metrics_httpd, err)))
		return false;
	if (!serving_write(s->run, &s->serving, err)) {
		/* Only `status` misses it. */
		log_event(LOG_LEVEL_WARN, "no-serving-file", "%s", err->text);
		*err = (struct error){0};
	}
	(void)printf("ready %s\n", s->serving.url);
	(void)fflush(stdout);
	notify_send(s->notify, "READY=1\nSTATUS=serving");
	log_event(LOG_LEVEL_INFO, "ready", "%s sandbox=\"%s\" keeper=\"%s\"",
	    s->serving.url, s->serving.sandbox, s->serving.signer_sandbox);
	return true;
}

/* The rest of its life. */

static void
tick(struct service *s)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t every = notify_watchdog_ns(s->notify);

	log_tick();
	if (every > 0 && now - s->watchdog_ns >= every / 2) {
		s->watchdog_ns = now;
		notify_send(s->notify, "WATCHDOG=1");
	}
}

/* Until TERM (0), or until the keeper has ended (75). */
static int
watch(struct service *s)
{
	struct pollfd fds[] = {
	    {.fd = s->signal_fd, .events = POLLIN},
	    /* Its answers are another thread's: only its end is told here. */
	    {.fd = keeper_fd(s->keeper), .events = 0},
	};

	for (;;) {
		struct signalfd_siginfo info;

		(void)poll(fds, sizeof(fds) / sizeof(fds[0]), TICK_MS);
		tick(s);
		if (fds[0].revents & POLLIN &&
		    read(s->signal_fd, &info, sizeof(info)) ==
			(ssize_t)sizeof(info))
			return 0;
		if (fds[1].revents & (POLLHUP | POLLERR)) {
			log_event(LOG_LEVEL_ERROR, "keeper-down",
			    "the keeper process has ended");
			return DAEMON_EXIT_RESTART;
		}
	}
}

/* Takes nothing new, answers what it has, closes in the reverse order. */
static void
finish(struct service *s)
{
	if (s->notify)
		notify_send(s->notify, "STOPPING=1");
	if (s->front) {
		front_drain(s->front);
		httpd_drain(s->httpd, DRAIN_MS);
	}
	httpd_close(s->metrics_httpd);
	httpd_close(s->httpd);
	front_close(s->front);
	keeper_close(s->keeper);
	notify_close(s->notify);
	if (s->serving.pid)
		serving_remove(s->run);
	free(s->run);
}

int
witness_serve(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"listen=", "metrics-listen=",
	    "trusted-proxy=*", "log-format=", NULL};
	struct service s = {.signal_fd = -1};
	struct arguments a;
	int code = -1;
	bool ok;

	(void)mallopt(M_ARENA_MAX, 2);
	/* The keeper is forked before anything that it must not inherit. */
	ok = witness_arguments(argc, argv, own, &a, err) &&
	    take_options(&s, &a, err) && open_keeper(&s, err) &&
	    open_signals(&s, err) && open_listeners(&s, err);
	if (ok)
		describe(&s);
	ok = ok && confine(&s, err) && begin(&s, err);
	if (ok)
		code = watch(&s);
	finish(&s);
	arguments_release(&a);
	return code;
}
