/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/audit_evidence.h"
#include "client/cli/pinned.h"
#include "client/cli/policies.h"
#include "client/cli/verbs.h"
#include "client/lib/audit.h"
#include "client/lib/audit_search.h"
#include "client/lib/lock.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/times.h"
#include "io/clock.h"
#include "io/progress.h"

#define TIMEOUT_MS 60000
#define SEARCH	   16	      /* digests, if not said */
#define REPORT_MAX (1u << 20) /* bytes */
#define THREADS	   0

static const struct cli_option options[] = {
    {"--log", "VKEY", "the log's key, or a file with it", false},
    {"--url", "URL", "the log's address", false},
    {"--entries", NULL, "verify the signature of every entry, too", false},
    {"--search", "N",
	"ask the log's search for the digests of N entries; 16 if not said",
	false},
    {"--seen", "FILE",
	"a bundle, .tlog-proof or checkpoint that must be of this history",
	true},
    CLI_PINS_OPTION,
    {"--policy", "FILE",
	"whose witnesses must have cosigned the current checkpoint", false},
    {"--state", "FILE|DIR", "where to keep how far it came, and go on from",
	false},
    {"--cache", "DIR", "where to keep tiles and entries", false},
    {"--evidence", "FILE", "where to write what proves a fork", false},
    {"--threads", "N", "for downloads and signatures", false},
    {"--timeout", "MS", "for one tile, with all attempts", false},
    {"--json", NULL, "one line of JSON", false},
    {0},
};

/* What the command has open. */
struct job {
	const struct cli_args *args;
	const char *url;
	struct vkey log;
	unsigned timeout_ms;
	struct tile_fetch *fetch;
	struct policy *policy; /* NULL: no witness is asked for */
	char *cache, *state_path;
	int lock; /* of the state; -1: none */
	struct audit_state state;
	struct audit_seen *seen;
	struct audit_options options;
	struct audit_report report;
	struct progress progress;
	struct cli_evidence evidence;
	double seconds;
};

static bool
search_get(void *arg, const char *path, struct buf *out, struct error *err)
{
	struct job *j = arg;

	return tile_fetch_get(j->fetch, 0, path, out, err);
}

static bool
save_state(void *arg, const struct audit_state *state, struct error *err)
{
	struct job *j = arg;

	return audit_state_write(j->state_path, &j->log, state, err);
}

static void
show_progress(void *arg, uint64_t done, uint64_t total)
{
	struct job *j = arg;

	(void)progress_update(
	    &j->progress, bytes_str(j->log.name), done, total);
}

/* Set by SIGTERM and SIGINT, read between two bundles. */
static volatile sig_atomic_t stopping;

static void
on_stop(int number)
{
	(void)number;
	stopping = 1;
}

static bool
stops(void *arg)
{
	(void)arg;
	return stopping != 0;
}

/* The second one kills: a log that does not answer is waited for. */
static bool
catch_signals(struct error *err)
{
	struct sigaction a = {
	    .sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND | SA_RESTART};

	(void)sigemptyset(&a.sa_mask);
	return (sigaction(SIGTERM, &a, NULL) == 0 &&
		   sigaction(SIGINT, &a, NULL) == 0) ||
	    error_set(err, ERR_INTERNAL, "cannot catch signals: %m");
}

/* --- opening --- */

static bool
number(const struct job *j, const char *name, uint64_t otherwise, uint64_t min,
    uint64_t max, uint64_t *out, struct error *err)
{
	if (!cli_number(j->args, name, otherwise, out, err))
		return false;
	return (*out >= min && *out <= max) ||
	    error_set(err, ERR_USAGE, "%s is %llu to %llu", name,
		(unsigned long long)min, (unsigned long long)max);
}

static bool
read_numbers(struct job *j, struct error *err)
{
	uint64_t timeout, search, threads;

	if (!number(j, "--timeout", TIMEOUT_MS, 1, 3600000, &timeout, err) ||
	    !number(j, "--search", SEARCH, 0, AUDIT_SEARCH_MAX, &search, err) ||
	    !number(
		j, "--threads", THREADS, 0, TILE_FETCH_WORKERS, &threads, err))
		return false;
	j->timeout_ms = (unsigned)timeout;
	j->options.threads = (unsigned)threads;
	j->options.search = (unsigned)search;
	j->options.search_must =
	    cli_value(j->args, "--search") != NULL && search > 0;
	j->options.entries = cli_flag(j->args, "--entries");
	return getrandom(&j->options.seed, sizeof(j->options.seed), 0) ==
	    (ssize_t)sizeof(j->options.seed) ||
	    error_set(err, ERR_INTERNAL, "no random numbers");
}

static bool
read_seen(struct job *j, struct error *err)
{
	const char *const *files = cli_values(j->args, "--seen");

	for (size_t i = 0; files && files[i]; i++)
		if (!audit_seen_read(files[i], &j->log, &j->seen, err))
			return false;
	if (j->args->operand_count > 0 && !files)
		return error_set(err, ERR_USAGE,
		    "%s: files that show checkpoints come after --seen",
		    j->args->operands[0]);
	for (size_t i = 0; i < j->args->operand_count; i++)
		if (!audit_seen_read(
			j->args->operands[i], &j->log, &j->seen, err))
			return false;
	return true;
}

static bool
read_pin(struct job *j, struct error *err)
{
	AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);

	return cli_pinned_note(j->args, &j->log, &note, err) &&
	    (note.len == 0 ||
		audit_seen_put("the pin", buf_bytes(&note), &j->seen, err));
}

/* One audit at a time: the slower one would put an older tree in place of a
 * newer one. */
static bool
take_lock(struct job *j, struct error *err)
{
	char *path = NULL;

	if (asprintf(&path, "%s.lock", j->state_path) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	j->lock = lock_take(path, 0, j->state_path, err);
	free(path);
	return j->lock >= 0;
}

static bool
read_policy(struct job *j, struct error *err)
{
	const char *path = cli_value(j->args, "--policy");

	if (!path)
		return true;
	j->policy = cli_policy_read(path, err);
	if (j->policy)
		j->options.quorum = &j->policy->quorum;
	return j->policy != NULL;
}

static bool
read_state(struct job *j, struct error *err)
{
	const char *word = cli_value(j->args, "--state");

	if (!word)
		return true;
	j->state_path = audit_state_path(word, &j->log, err);
	if (!j->state_path || !take_lock(j, err) ||
	    !audit_state_read(j->state_path, &j->log, &j->state, err))
		return false;
	j->options.state = &j->state;
	j->options.save = save_state;
	return true;
}

static bool
open_log(struct job *j, struct error *err)
{
	const char *cache = cli_value(j->args, "--cache");
	struct tile_fetch_options o = {
	    .url = j->url, .timeout_ms = j->timeout_ms};

	if (cache) {
		j->cache = audit_log_folder(cache, &j->log, err);
		if (!j->cache)
			return false;
		(void)mkdir(cache, 0700);
		(void)mkdir(j->cache, 0700);
	}
	o.cache = j->cache;
	j->fetch = tile_fetch_open(&o, err);
	if (j->fetch)
		j->options.tiles = tiles_open(j->fetch, err);
	return j->options.tiles != NULL;
}

static bool
open_job(struct job *j, struct error *err)
{
	const char *vkey = cli_need(j->args, "--log", err);

	j->url = vkey ? cli_need(j->args, "--url", err) : NULL;
	if (!j->url || !read_numbers(j, err))
		return false;
	if (!utf8_valid(bytes_str(j->url)))
		return error_set(err, ERR_USAGE, "--url URL is no address");
	j->options.log = &j->log;
	j->options.search_get = search_get;
	j->options.progress = show_progress;
	j->options.stop = stops;
	j->options.arg = j;
	return log_key_read(vkey, &j->log, err) && read_policy(j, err) &&
	    read_seen(j, err) && read_pin(j, err) && read_state(j, err) &&
	    cli_evidence_open(&j->evidence, cli_value(j->args, "--evidence"),
		j->state_path, err) &&
	    catch_signals(err) && open_log(j, err);
}

static void
close_job(struct job *j)
{
	audit_report_release(&j->report);
	tiles_close(j->options.tiles);
	tile_fetch_close(j->fetch);
	audit_seen_release(j->seen);
	audit_state_release(&j->state);
	if (j->policy)
		cli_policy_close(j->policy);
	free(j->cache);
	free(j->state_path);
	if (j->lock >= 0)
		(void)close(j->lock); /* lets the lock go */
}

/* --- what is told --- */

static const struct audit_check *
worst_check(const struct audit_report *r, int code)
{
	for (unsigned i = 0; i < AUDIT_STEPS; i++)
		if (r->checks[i].result == AUDIT_FAIL &&
		    (int)verdict_code_of(&r->checks[i].why) == code)
			return &r->checks[i];
	return NULL;
}

static void
put_checks(const struct audit_report *r, struct buf *out)
{
	buf_put_str(out, ",\"checks\":[");
	for (unsigned i = 0; i < AUDIT_STEPS; i++) {
		const struct audit_check *c = &r->checks[i];

		buf_printf(out, "%s{\"name\":\"%s\",\"result\":\"%s\"",
		    i > 0 ? "," : "", audit_step_name((enum audit_step)i),
		    audit_result_name(c->result));
		if (c->result == AUDIT_FAIL) {
			buf_printf(out, ",\"code\":%d,\"reason\":\"%s\"",
			    (int)verdict_code_of(&c->why),
			    error_reason_name(&c->why));
			buf_put_str(out, ",\"message\":");
			json_put_string(out, bytes_str(c->why.text));
			buf_put_str(out, "}");
			continue;
		}
		buf_put_str(
		    out, ",\"code\":0,\"reason\":null,\"message\":null}");
	}
	buf_put_u8(out, ']');
}

static void
put_head(const struct audit_report *r, struct buf *out)
{
	if (r->checks[AUDIT_CHECKPOINT].result != AUDIT_PASS) {
		buf_put_str(out, ",\"size\":null,\"root\":null");
		return;
	}
	buf_printf(out, ",\"size\":\"%" PRIu64 "\",\"root\":\"", r->head.size);
	hex_put(out, hash_bytes(&r->head.root));
	buf_put_u8(out, '"');
}

/* Whether the checks say who cosigned. */
static bool
was_judged(const struct audit_report *r)
{
	const struct audit_check *c = &r->checks[AUDIT_COSIGNED];

	return c->result == AUDIT_PASS ||
	    (c->result == AUDIT_FAIL &&
		strcmp(error_reason_name(&c->why), "quorum") == 0);
}

static void
put_cosigned(const struct job *j, struct buf *out)
{
	const struct audit_report *r = &j->report;
	const struct quorum_result *q = &r->cosigned;
	const char *comma = "";
	bool judged = was_judged(r),
	     met = r->checks[AUDIT_COSIGNED].result == AUDIT_PASS;

	buf_put_str(out, ",\"cosigned\":");
	if (!j->policy ||
	    r->checks[AUDIT_COSIGNED].result == AUDIT_NOT_REACHED) {
		buf_put_str(out, "null");
		return;
	}
	buf_printf(
	    out, "{\"quorum\":%s,\"witnesses\":[", met ? "true" : "false");
	for (size_t i = 0; judged && i < j->policy->quorum.witness_count; i++) {
		if (((q->cosigned >> i) & 1) == 0)
			continue;
		buf_put_str(out, comma);
		json_put_string(out, j->policy->quorum.witnesses[i].name);
		comma = ",";
	}
	buf_put_str(out, "],\"freshSince\":");
	if (met && q->dated) {
		buf_put_u8(out, '"');
		time_put(out, q->fresh_since);
		buf_put_str(out, "\"}");
	} else {
		buf_put_str(out, "null}");
	}
}

static void
put_json(const struct job *j, int code, struct buf *out)
{
	const struct audit_report *r = &j->report;
	const struct audit_check *why = worst_check(r, code);
	uint64_t shown = r->bad_signatures < AUDIT_BAD_SHOWN ? r->bad_signatures
							     : AUDIT_BAD_SHOWN;

	buf_printf(out,
	    "{\"schema\":\"mtlog-audit/1\",\"clean\":%s,\"code\":%d,"
	    "\"reason\":",
	    code == 0 ? "true" : "false", code);
	if (why)
		buf_printf(
		    out, "\"%s\",\"message\":", error_reason_name(&why->why));
	else
		buf_put_str(out, "null,\"message\":");
	if (why)
		json_put_string(out, bytes_str(why->why.text));
	else
		buf_put_str(out, "null");
	buf_put_str(out, ",\"origin\":");
	json_put_string(out, vkey_name(&j->log));
	buf_put_str(out, ",\"url\":");
	json_put_string(out, bytes_str(j->url));
	put_head(r, out);
	put_cosigned(j, out);
	buf_printf(out,
	    ",\"walked\":{\"from\":\"%" PRIu64 "\",\"to\":\"%" PRIu64 "\"}"
	    ",\"signatures\":{\"checked\":\"%" PRIu64 "\",\"bad\":\"%" PRIu64
	    "\",\"badAt\":[",
	    r->from, r->to, r->signatures, r->bad_signatures);
	for (uint64_t i = 0; i < shown; i++)
		buf_printf(
		    out, "%s\"%" PRIu64 "\"", i > 0 ? "," : "", r->bad_at[i]);
	buf_printf(out,
	    "]},\"seen\":%zu,\"search\":{\"digests\":%u,\"entries\":\"%" PRIu64
	    "\"},\"seconds\":%.3f,\"evidence\":",
	    r->seen, r->digests, r->hits, j->seconds);
	if (j->evidence.path[0])
		json_put_string(out, bytes_str(j->evidence.path));
	else
		buf_put_str(out, "null");
	put_checks(r, out);
	buf_put_str(out, "}\n");
}

/* By whom, or that it is the log's word alone. */
static void
put_witnesses(const struct job *j, struct buf *out)
{
	const struct quorum_result *q = &j->report.cosigned;
	const struct quorum *quorum = j->options.quorum;
	const char *comma = "by ";

	if (!quorum) {
		buf_put_str(
		    out, "without --policy the log alone says what is current");
		return;
	}
	for (size_t i = 0; i < quorum->witness_count; i++) {
		if (((q->cosigned >> i) & 1) == 0)
			continue;
		buf_put_str(out, comma);
		escaped_put(out, quorum->witnesses[i].name);
		comma = ", ";
	}
	if (q->dated) {
		buf_put_str(out, "; fresh since ");
		time_put(out, q->fresh_since);
	} else {
		buf_put_str(out,
		    q->cosigned ? "; the policy wants no quorum"
				: "nobody; the policy wants no quorum");
	}
}

/* What a step did, in the words of its numbers. */
static void
put_did(const struct job *j, enum audit_step step, struct buf *out)
{
	const struct audit_report *r = &j->report;
	double rate =
	    j->seconds > 0 ? (double)(r->to - r->from) / j->seconds : 0;

	switch (step) {
	case AUDIT_CHECKPOINT:
		buf_printf(out, "size %" PRIu64 ", root ", r->head.size);
		hex_put(out, hash_bytes(&r->head.root));
		break;
	case AUDIT_COSIGNED:
		put_witnesses(j, out);
		break;
	case AUDIT_HISTORY:
		buf_put_str(out, "consistent with the last audit");
		break;
	case AUDIT_SEEN:
		buf_printf(out, "%zu checkpoint%s of this history", r->seen,
		    r->seen == 1 ? "" : "s");
		break;
	case AUDIT_TREE:
		buf_printf(out,
		    "%" PRIu64 " entries from %" PRIu64
		    " on, and their tiles (%.0f/s)",
		    r->to - r->from, r->from, rate);
		break;
	case AUDIT_ENTRIES:
		buf_printf(out, "%" PRIu64 " signatures", r->signatures);
		break;
	case AUDIT_SEARCH:
	case AUDIT_STEPS:
		buf_printf(out, "%u digests, %" PRIu64 " entries found",
		    r->digests, r->hits);
	}
}

static void
put_text(const struct job *j, int code, struct buf *out)
{
	const struct audit_report *r = &j->report;

	buf_printf(out, "%s  ", j->log.name);
	escaped_put(out, bytes_str(j->url));
	buf_put_u8(out, '\n');
	for (unsigned i = 0; i < AUDIT_STEPS; i++) {
		const struct audit_check *c = &r->checks[i];

		buf_printf(out, "  %-11s %-12s",
		    audit_step_name((enum audit_step)i),
		    audit_result_name(c->result));
		if (c->result == AUDIT_PASS ||
		    (i == AUDIT_COSIGNED && c->result == AUDIT_NOT_ASKED))
			put_did(j, (enum audit_step)i, out);
		if (c->result == AUDIT_FAIL)
			escaped_put(out, bytes_str(c->why.text));
		while (out->len > 0 && out->ptr[out->len - 1] == ' ')
			out->len--;
		buf_put_u8(out, '\n');
	}
	for (uint64_t i = 0; i < r->bad_signatures && i < AUDIT_BAD_SHOWN; i++)
		buf_printf(out, "    entry %" PRIu64 " is bad\n", r->bad_at[i]);
	if (r->bad_signatures > AUDIT_BAD_SHOWN)
		buf_printf(out, "    and %" PRIu64 " more\n",
		    r->bad_signatures - AUDIT_BAD_SHOWN);
	if (j->evidence.path[0]) {
		buf_put_str(out, "  evidence    ");
		escaped_put(out, bytes_str(j->evidence.path));
		buf_put_u8(out, '\n');
	}
	buf_printf(out, "%s\n", code == 0 ? "clean" : "NOT CLEAN");
}

static bool
tell(struct job *j, int code, struct error *err)
{
	AUTO(buf) out = BUF_INIT(REPORT_MAX);

	cli_evidence_write(&j->evidence, buf_bytes(&j->report.evidence));
	if (cli_flag(j->args, "--json"))
		put_json(j, code, &out);
	else
		put_text(j, code, &out);
	return buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
}

static int
run(struct cli_args *a, struct error *err)
{
	struct job j = {.args = a, .lock = -1};
	int code = -1;

	if (open_job(&j, err)) {
		uint64_t began = clock_monotonic_ns();

		progress_init(&j.progress, STDERR_FILENO);
		j.progress.unit = "entries";
		j.options.seen = j.seen;
		code = audit_run(&j.options, &j.report);
		progress_release(&j.progress);
		j.seconds = (double)(clock_monotonic_ns() - began) / 1e9;
		/* A fork that could not be told stays a fork. */
		if (!tell(&j, code, err) && code != VERDICT_ACCEPTED) {
			(void)fprintf(stderr, "mtlog audit: %s\n", err->text);
			*err = (struct error){0};
		}
	}
	close_job(&j);
	return err->code == ERR_NONE ? code : -1;
}

const struct cli_verb verb_audit = {
    .name = "audit",
    .arguments = "[FILE]...",
    .summary = "Recompute a whole log, and look for a second history",
    .details =
	"Reads every entry and tile and computes the root again. Files after\n"
	"--seen show checkpoints that somebody was given: they must be of the\n"
	"same history.",
    .run = run,
    .options = options,
};
