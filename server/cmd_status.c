/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "io/http.h"
#include "server/command.h"
#include "server/serving.h"
#include "server/signed_head.h"
#include "server/store/store.h"

/* What `status` found out; "" and 0 where it could not. */
struct status {
	struct serving serving;
	bool running, killed, frozen;
	char ready[64];
	uint64_t stored, signed_size, disk_free;
};

static void
ask_server(struct status *s)
{
	struct http_answer answer = {.body = BUF_INIT(1024)};
	struct error err = {0};
	struct http *http = http_open(3000, &err);
	char url[sizeof(s->serving.url) + 8];

	(void)snprintf(url, sizeof(url), "%s/readyz", s->serving.url);
	if (http && http_get(http, url, &answer, &err)) {
		size_t n = answer.body.len < sizeof(s->ready) - 1
		    ? answer.body.len
		    : sizeof(s->ready) - 1;

		memcpy(s->ready, answer.body.ptr, n);
		s->ready[n] = '\0';
		s->ready[strcspn(s->ready, "\n")] = '\0';
	} else {
		(void)snprintf(s->ready, sizeof(s->ready), "does not answer");
	}
	buf_release(&answer.body);
	http_close(http);
}

static bool
look(const struct config *c, struct status *s, struct error *err)
{
	struct guard_state guard;
	struct fsck_head head;
	struct error why = {0};
	struct statvfs fs;
	struct store *store;

	*s = (struct status){0};
	if (serving_read(c->database, &s->serving, &why)) {
		s->running = kill(s->serving.pid, 0) == 0 || errno == EPERM;
		s->killed = !s->running;
	}
	if (s->running)
		ask_server(s);
	store = store_sqlite.open(c->database, true, err);
	if (!store)
		return false;
	if (!store_sqlite.size(store, &s->stored, err)) {
		store_sqlite.close(store);
		return false;
	}
	store_sqlite.close(store);
	if (!guard_read(c->guard, &guard, err) ||
	    !signed_head_read(c, &head, err))
		return false;
	s->frozen = guard.frozen;
	s->signed_size = head.size;
	if (statvfs(c->database, &fs) == 0)
		s->disk_free = (uint64_t)fs.f_bavail * fs.f_frsize;
	return true;
}

static const char *
run_state(const struct status *s)
{
	if (s->running)
		return "running";
	return s->killed ? "killed" : "stopped";
}

static void
print_json(const struct config *c, const struct status *s)
{
	AUTO(buf) out = BUF_INIT(8192);

	buf_put_str(&out, "{\"origin\":");
	json_put_string(&out, bytes_str(c->origin));
	buf_printf(&out,
	    ",\"state\":\"%s\",\"ready\":\"%s\",\"frozen\":%s,\"stored\":"
	    "\"%llu\",\"signed\":\"%llu\",\"diskFree\":\"%llu\",\"url\":\"%s\","
	    "\"metrics\":\"%s\",\"sandbox\":\"%s\",\"signerSandbox\":\"%s\","
	    "\"configReaderSandbox\":\"%s\"}\n",
	    run_state(s), s->ready, s->frozen ? "true" : "false",
	    (unsigned long long)s->stored, (unsigned long long)s->signed_size,
	    (unsigned long long)s->disk_free, s->serving.url,
	    s->serving.metrics, s->serving.sandbox, s->serving.signer_sandbox,
	    s->serving.config_reader_sandbox);
	(void)fwrite(out.ptr, 1, out.len, stdout);
}

static void
print_text(const struct config *c, const struct status *s)
{
	(void)printf(
	    "log      %s%s\n", c->origin, s->frozen ? " (frozen)" : "");
	(void)printf("server   %s", run_state(s));
	if (s->running)
		(void)printf(", pid %ld, %s, %s", (long)s->serving.pid,
		    s->serving.url, s->ready);
	(void)printf("\nentries  %llu stored, %llu signed\n",
	    (unsigned long long)s->stored, (unsigned long long)s->signed_size);
	(void)printf("disk     %llu MiB free, read-only below %llu MiB\n",
	    (unsigned long long)(s->disk_free >> 20),
	    (unsigned long long)(c->low_water >> 20));
	if (!s->running)
		return;
	(void)printf("sandbox  server: %s; signer: %s; config reader: %s\n",
	    s->serving.sandbox, s->serving.signer_sandbox,
	    s->serving.config_reader_sandbox);
	if (s->serving.metrics[0])
		(void)printf("metrics  %s/metrics\n", s->serving.metrics);
}

int
cmd_status(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"json", NULL};
	struct config c = {0};
	struct arguments a;
	struct status s;
	bool ok = arguments_read(argc, argv, own, &a, err) &&
	    command_config(&a, &c, err) && look(&c, &s, err);

	if (ok && arguments_value(&a, "json"))
		print_json(&c, &s);
	else if (ok)
		print_text(&c, &s);
	config_release(&c);
	arguments_release(&a);
	return ok ? 0 : -1;
}
