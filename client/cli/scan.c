/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/keys.h"
#include "client/cli/pinned.h"
#include "client/cli/policies.h"
#include "client/cli/verbs.h"
#include "client/lib/scan.h"
#include "client/lib/scan_status.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/times.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/progress.h"

#define TIMEOUT_MS 30000
#define REPORT_MAX (64u << 20) /* bytes */

static const struct cli_option options[] = {
    {"--policy", "FILE", "whose signers, and which log: mtlog-policy(5)",
	false},
    CLI_PINS_OPTION,
    {"--state", "DIR", "where what was found is kept", false},
    {"--log", "ORIGIN", "this log, if the policy has several", false},
    {"--log-url", "URL", "where it is", false},
    {"--offline", NULL, "ask nobody; tell what is in the state", false},
    {"--status-key", "PEM|URI", "sign a status with this private key", false},
    {"--status-out", "FILE", "where the status goes", false},
    {"--passphrase-file", "FILE",
	"the key's passphrase (or the token's PIN), the file's first line",
	false},
    {"--passphrase-fd", "N", "the same, from an open descriptor", false},
    {"--certificate", "PEM", "sign with this certificate of the key's", false},
    {"--chain", "PEM", "its issuers, without the root", true},
    {"--timeout", "MS", "for each request", false},
    {"--json", NULL, "one line of JSON", false},
    {0},
};

struct run {
	const struct cli_args *args;
	struct policy *policy;
	struct scan_options options;
	struct buf pin;
	struct scan_book *book;
	struct scan_summary summary;
	struct cli_signer who;
	struct progress bar;
	const char *status; /* where one was written */
};

static bool
find_log(struct run *r, struct error *err)
{
	const struct quorum *q = &r->policy->quorum;
	const char *origin = cli_value(r->args, "--log");

	for (size_t i = 0; i < q->log_count; i++)
		if (origin ? bytes_equal(
				 bytes_str(origin), vkey_name(&q->logs[i].key))
			   : q->log_count == 1) {
			r->options.log = i;
			return true;
		}
	return error_set(err, ERR_USAGE,
	    origin ? "the policy has no log %s"
		   : "the policy has several logs, or none%s; say --log ORIGIN",
	    origin ? origin : "");
}

static bool
read_options(struct run *r, struct error *err)
{
	const struct cli_args *a = r->args;
	const char *policy = cli_need(a, "--policy", err);
	const char *key = cli_value(a, "--status-key");
	const char *out = cli_value(a, "--status-out");
	uint64_t timeout;

	r->options.state = cli_need(a, "--state", err);
	if (!policy || !r->options.state ||
	    !cli_number(a, "--timeout", TIMEOUT_MS, &timeout, err))
		return false;
	if (a->operand_count > 0)
		return error_set(
		    err, ERR_USAGE, "there is nothing to name but the options");
	if (timeout == 0 || timeout > 3600000)
		return error_set(
		    err, ERR_USAGE, "--timeout is 1 to 3600000 milliseconds");
	if (!key != !out)
		return error_set(err, ERR_USAGE,
		    "--status-key and --status-out belong together");
	r->options.timeout_ms = (unsigned)timeout;
	r->options.url = cli_value(a, "--log-url");
	r->options.now = (uint64_t)clock_wall_s();
	r->policy = cli_policy_read(policy, err);
	r->options.policy = r->policy;
	return r->policy && find_log(r, err) &&
	    (!key || cli_signer_open_as(a, "--status-key", &r->who, err));
}

static void
draw(void *arg, uint64_t done, uint64_t total)
{
	(void)progress_update(arg, BYTES_LIT("entries"), done, total);
}

static bool
scan(struct run *r, struct error *err)
{
	const struct vkey *key = &r->policy->quorum.logs[r->options.log].key;
	bool ok;

	if (cli_flag(r->args, "--offline")) {
		r->book = scan_book_open(r->options.state, vkey_name(key), err);
		return r->book != NULL;
	}
	if (!cli_pinned_note(r->args, key, &r->pin, err))
		return false;
	r->options.pin = buf_bytes(&r->pin);
	progress_init(&r->bar, STDERR_FILENO);
	r->options.progress = draw;
	r->options.progress_arg = &r->bar;
	ok = scan_run(&r->options, &r->book, err);
	progress_release(&r->bar);
	return ok;
}

/* What no loader would read must not be signed. */
static bool
is_read(struct bytes payload, struct error *err)
{
	struct statement s = {0};
	bool ok = statement_parse(payload, &s, err);

	statement_release(&s);
	return ok || error_prefix(err, "the status");
}

static bool
write_status(struct run *r, struct error *err)
{
	const char *path = cli_value(r->args, "--status-out");
	AUTO(buf) payload = BUF_INIT(STATEMENT_SIDE_MAX);
	AUTO(buf) bundle = BUF_INIT(BUNDLE_MAX_LEN);
	struct statement s = {0};
	bool ok;

	if (!path)
		return true;
	ok = scan_status(&r->summary, &s, err);
	if (ok)
		statement_format(&s, &payload);
	statement_release(&s);
	if (!ok || !buf_ok(&payload, err) ||
	    !is_read(buf_bytes(&payload), err) ||
	    !sign_bundle(&r->who.identity, buf_bytes(&payload), &bundle, err) ||
	    !file_write(path, buf_bytes(&bundle), 0644, err))
		return false;
	r->status = path;
	return true;
}

static void
put_hashes(
    struct buf *out, const char *name, const struct hash *list, size_t count)
{
	buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < count; i++) {
		buf_put_str(out, i > 0 ? ",\"" : "\"");
		hex_put(out, hash_bytes(&list[i]));
		buf_put_u8(out, '"');
	}
	buf_put_u8(out, ']');
}

static void
put_member(struct buf *out, const char *name, struct bytes value)
{
	buf_printf(out, "\"%s\":", name);
	json_put_string(out, value);
}

static void
put_head(struct buf *out, const struct scan_summary *s)
{
	buf_put_str(out, "{\"schema\":\"mtlog-scan-report/1\",");
	put_member(out, "log", s->origin);
	buf_printf(out, ",\"size\":\"%llu\",\"root\":\"",
	    (unsigned long long)s->head.size);
	hex_put(out, hash_bytes(&s->head.root));
	buf_put_str(out, "\",\"time\":");
	if (s->head.dated) {
		buf_put_u8(out, '"');
		time_put(out, s->head.time);
		buf_put_u8(out, '"');
	} else {
		buf_put_str(out, "null");
	}
	buf_printf(out, ",\"complete\":%s", s->complete ? "true" : "false");
	buf_printf(out,
	    ",\"leaves\":{\"models\":%zu,\"approvals\":%zu,\"withdrawals\":%zu,"
	    "\"revocations\":%zu,\"others\":%zu,\"missing\":%zu}",
	    s->models, s->approvals, s->withdrawals, s->revocations, s->others,
	    s->missing_count);
}

static void
put_json(const struct run *r, struct buf *out)
{
	const struct scan_summary *s = &r->summary;

	put_head(out, s);
	buf_put_str(out, ",\"newest\":[");
	for (size_t i = 0; i < s->newest_count; i++) {
		buf_put_str(out, i > 0 ? ",{" : "{");
		put_member(out, "name", s->newest[i].name);
		buf_put_str(out, ",\"statement\":\"");
		hex_put(out, hash_bytes(&s->newest[i].statement));
		buf_printf(out, "\",\"index\":\"%llu\"}",
		    (unsigned long long)s->newest[i].index);
	}
	buf_put_u8(out, ']');
	put_hashes(out, "withdrawn", s->withdrawn, s->withdrawn_count);
	put_hashes(out, "revoked", s->revoked, s->revoked_count);
	buf_put_str(out, ",\"missing\":[");
	for (size_t i = 0; i < s->missing_count; i++) {
		const struct scan_missing_leaf *m = &s->missing[i];

		buf_printf(out, "%s{\"index\":\"%llu\",", i > 0 ? "," : "",
		    (unsigned long long)m->index);
		put_member(out, "digest", m->digest);
		buf_put_u8(out, ',');
		put_member(out, "why", m->why);
		buf_printf(
		    out, ",\"denied\":%s}", m->counts ? "false" : "true");
	}
	buf_put_str(out, "],\"status\":");
	if (r->status)
		json_put_string(out, bytes_str(r->status));
	else
		buf_put_str(out, "null");
	buf_put_str(out, "}\n");
}

/* A name that another has chosen, as a string of JSON: nothing in it reaches
 * the terminal as it is. */
static void
put_text(const struct run *r, struct buf *out)
{
	const struct scan_summary *s = &r->summary;

	buf_put(out, s->origin);
	buf_printf(out, ": %s up to size %llu",
	    s->complete ? "complete" : "INCOMPLETE",
	    (unsigned long long)s->head.size);
	if (s->head.dated) {
		buf_put_str(out, ", of ");
		time_put(out, s->head.time);
	}
	buf_printf(out,
	    "\n%zu models, %zu approvals, %zu withdrawals, %zu revocations, "
	    "%zu others\n",
	    s->models, s->approvals, s->withdrawals, s->revocations, s->others);
	for (size_t i = 0; i < s->newest_count; i++) {
		buf_put_str(out, "newest     ");
		hex_put(out, hash_bytes(&s->newest[i].statement));
		buf_printf(out, "  entry %llu  ",
		    (unsigned long long)s->newest[i].index);
		json_put_string(out, s->newest[i].name);
		buf_put_u8(out, '\n');
	}
	for (size_t i = 0; i < s->withdrawn_count; i++) {
		buf_put_str(out, "withdrawn  ");
		hex_put(out, hash_bytes(&s->withdrawn[i]));
		buf_put_u8(out, '\n');
	}
	for (size_t i = 0; i < s->revoked_count; i++) {
		buf_put_str(out, "revoked    ");
		hex_put(out, hash_bytes(&s->revoked[i]));
		buf_put_u8(out, '\n');
	}
	for (size_t i = 0; i < s->missing_count; i++) {
		const struct scan_missing_leaf *m = &s->missing[i];

		buf_put_str(out, m->counts ? "missing    " : "denied     ");
		buf_put(out, m->digest);
		buf_printf(out, "  entry %llu  ", (unsigned long long)m->index);
		json_put_string(out, m->why);
		buf_put_u8(out, '\n');
	}
	if (r->status)
		buf_printf(out, "status     %s\n", r->status);
}

static bool
report(const struct run *r, struct error *err)
{
	AUTO(buf) text = BUF_INIT(REPORT_MAX);

	if (cli_flag(r->args, "--json"))
		put_json(r, &text);
	else
		put_text(r, &text);
	return buf_ok(&text, err) && cli_print(buf_bytes(&text), err);
}

static int
run(struct cli_args *a, struct error *err)
{
	struct run r = {.args = a, .pin = BUF_INIT(NOTE_MAX_LEN)};
	bool ok = read_options(&r, err) && scan(&r, err) &&
	    scan_summarize(r.book, r.policy, r.options.now, &r.summary, err) &&
	    write_status(&r, err) && report(&r, err);
	int code = r.summary.complete ? VERDICT_ACCEPTED : VERDICT_LOG_BAD_DATA;

	scan_summary_release(&r.summary);
	scan_book_close(r.book);
	cli_signer_close(&r.who);
	buf_release(&r.pin);
	if (r.policy)
		cli_policy_close(r.policy);
	return ok ? code : -1;
}

const struct cli_verb verb_scan = {
    .name = "scan",
    .arguments = "",
    .summary = "Read every entry of a log for a policy's signers; state it",
    .details =
	"Looks at each leaf, so that no withdrawal can be left out of a "
	"search;\n"
	"what it finds is kept for mtlog verify --state DIR. Exit code 21 if "
	"an\n"
	"entry of a signer is without its envelope: the scan is incomplete.",
    .run = run,
    .options = options,
};
