/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "io/clock.h"
#include "server/command.h"
#include "server/fsck.h"
#include "server/guard.h"
#include "server/signed_head.h"

struct console {
	bool json;
	bool progress; /* standard error is a terminal */
	uint64_t shown_ns, began_ns;
};

static void
tell_problem(void *arg, const char *sentence, bool mended)
{
	const struct console *c = arg;
	AUTO(buf) line = BUF_INIT(4096);

	if (c->json) {
		buf_put_str(&line, "{\"problem\":");
		json_put_string(&line, bytes_str(sentence));
		buf_printf(
		    &line, ",\"mended\":%s}\n", mended ? "true" : "false");
		(void)fwrite(line.ptr, 1, line.len, stdout);
		return;
	}
	(void)printf("%s%s\n", mended ? "mended: " : "WRONG: ", sentence);
}

static void
tell_progress(void *arg, uint64_t done, uint64_t total)
{
	struct console *c = arg;
	uint64_t now = clock_monotonic_ns();
	double rate;

	if (!c->progress || now - c->shown_ns < 200000000u)
		return;
	c->shown_ns = now;
	rate = (double)done / ((double)(now - c->began_ns) / 1e9 + 1e-9);
	(void)fprintf(stderr, "\r%llu of %llu entries, %.0f/s, %.0f s left ",
	    (unsigned long long)done, (unsigned long long)total, rate,
	    (double)(total - done) / (rate + 1));
}

static void
tell_result(const struct console *c, const struct fsck_result *r)
{
	double s = (double)(clock_monotonic_ns() - c->began_ns) / 1e9;

	if (c->progress && c->shown_ns)
		(void)fputs("\r\033[K", stderr);
	if (c->json)
		(void)printf("{\"entries\":\"%llu\",\"tiles\":\"%llu\","
			     "\"indexRows\":\"%llu\",\"envelopes\":\"%llu\","
			     "\"dropped\":\"%llu\",\"problems\":\"%llu\","
			     "\"mended\":\"%llu\",\"seconds\":%.3f}\n",
		    (unsigned long long)r->entries,
		    (unsigned long long)r->tiles,
		    (unsigned long long)r->index_rows,
		    (unsigned long long)r->envelopes,
		    (unsigned long long)r->dropped,
		    (unsigned long long)r->problems,
		    (unsigned long long)r->mended, s);
	else
		(void)printf(
		    "%s: %llu entries, %llu full tiles, %llu index "
		    "rows, %llu envelopes (%llu dropped), %llu problems, "
		    "%llu mended, %.2f s\n",
		    r->problems == r->mended ? "clean" : "NOT CLEAN",
		    (unsigned long long)r->entries,
		    (unsigned long long)r->tiles,
		    (unsigned long long)r->index_rows,
		    (unsigned long long)r->envelopes,
		    (unsigned long long)r->dropped,
		    (unsigned long long)r->problems,
		    (unsigned long long)r->mended, s);
}

/* With --repair nobody else may be at work: the guard's lock is the log's. */
static bool
lock_for_repair(
    const struct config *c, bool repair, struct guard **out, struct error *err)
{
	struct guard_state state;

	*out = NULL;
	if (!repair)
		return true;
	*out = guard_open(c->guard, 0, &state, err);
	return *out ||
	    error_prefix(err, "stop the server first; --repair works alone");
}

static bool
examine(const struct config *c, bool repair, struct console *console,
    struct fsck_result *result, struct error *err)
{
	struct fsck_parts p = {
	    .backend = &store_sqlite,
	    .repair = repair,
	    .problem = tell_problem,
	    .progress = tell_progress,
	    .arg = console,
	};
	bool ok;

	if (!signed_head_read(c, &p.head, err))
		return false;
	p.store = p.backend->open(c->database, !repair, err);
	p.index = p.store ? index_open(c->database, !repair, err) : NULL;
	ok = p.index && fsck_run(&p, result, err);
	index_close(p.index);
	if (p.store)
		p.backend->close(p.store);
	return ok;
}

int
cmd_fsck(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"repair", "json", NULL};
	struct config c = {0};
	struct arguments a;
	struct console console = {.began_ns = clock_monotonic_ns()};
	struct fsck_result result;
	struct guard *guard = NULL;
	bool ok = arguments_read(argc, argv, own, &a, err) &&
	    command_config(&a, &c, err);
	bool repair = ok && arguments_value(&a, "repair");

	console.json = ok && arguments_value(&a, "json");
	console.progress = !console.json && isatty(STDERR_FILENO);
	ok = ok && lock_for_repair(&c, repair, &guard, err) &&
	    examine(&c, repair, &console, &result, err);
	if (ok)
		tell_result(&console, &result);
	guard_close(guard);
	config_release(&c);
	arguments_release(&a);
	return ok && result.problems == result.mended ? 0 : EXIT_FOUND;
}
