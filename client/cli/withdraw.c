/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/stat.h>

#include "client/cli/cosigned.h"
#include "client/cli/issue.h"
#include "client/cli/verbs.h"
#include "client/lib/sources.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/verify/verdict.h"
#include "io/file.h"

static const struct cli_option options[] = {
    CLI_ISSUE_OPTIONS,
    {"--reason", "WORD", "compromised, unsafe, mistake, superseded or other",
	false},
    {"--comment", "TEXT", "to whoever reads it", false},
    {"--name", "NAME", "with S and --no-log: the name it has", false},
    {"--output", "FOLDER", "where the withdrawal goes", false},
    {0},
};

/* What is withdrawn: a subject, and the folder that keeps the withdrawal. */
struct target {
	char *folder;
	struct buf name;
	struct hash statement;
};

struct withdrawal {
	struct issuer who;
	size_t count;
	struct target *targets;
	size_t subject_count; /* what is named twice is one */
	struct statement_subject *subjects;
};

/* The name that a statement gives its subject; S is made here. */
static bool
take_payload(struct bytes payload, struct target *t, struct error *err)
{
	struct envelope e = {
	    .payload_type = BYTES_LIT(DSSE_IN_TOTO), .payload = payload};
	struct statement s = {0};
	bool ok = dsse_statement_digest(&e, &t->statement, err) &&
	    statement_parse(payload, &s, err);

	if (ok && s.kind != STATEMENT_MODEL && s.kind != STATEMENT_APPROVAL)
		ok = error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "only models and approvals can be withdrawn");
	if (ok)
		buf_put(&t->name, s.subjects[0].name);
	statement_release(&s);
	return ok && buf_ok(&t->name, err);
}

static bool
of_bundle(const char *path, struct target *t, struct error *err)
{
	AUTO(buf) text = BUF_INIT(BUNDLE_MAX_LEN);
	struct bundle b = {0};
	bool ok = file_read(path, &text, err) &&
	    bundle_parse(buf_bytes(&text), &b, err);

	if (ok &&
	    !bytes_equal(b.envelope.payload_type, BYTES_LIT(DSSE_IN_TOTO)))
		ok = error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "it is no in-toto statement");
	ok = ok && take_payload(b.envelope.payload, t, err);
	bundle_release(&b);
	return ok || error_prefix(err, "%s", path);
}

static bool
of_digest(struct withdrawal *w, const struct hash *statement, struct target *t,
    struct error *err)
{
	AUTO(buf) payload = BUF_INIT(BUNDLE_MAX_LEN);
	const char *name = cli_value(w->who.args, "--name");

	t->statement = *statement;
	t->folder = strdup(".");
	if (!t->folder)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (name) {
		buf_put_str(&t->name, name);
		return buf_ok(&t->name, err);
	}
	if (!w->who.logs)
		return error_set(err, ERR_USAGE,
		    "with --no-log the name of a statement is not known: say "
		    "--name");
	if (!log_client_envelope(w->who.log.client, statement, &payload, err) ||
	    !take_payload(buf_bytes(&payload), t, err))
		return false;
	return hash_equal(&t->statement, statement) ||
	    error_reason(err, ERR_BADSIG, "envelope",
		"%s gives another statement than it was asked for",
		log_client_url(w->who.log.client));
}

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* An S, a bundle by the end of its name, or else a model. */
static bool
read_target(
    struct withdrawal *w, const char *word, struct target *t, struct error *err)
{
	struct hash statement = {0};
	struct stat st;
	char *path;
	bool ok;

	buf_init(&t->name, STATEMENT_SIDE_MAX);
	if (strlen(word) == 2 * HASH_LEN &&
	    hex_decode(bytes_str(word), statement.b, HASH_LEN))
		return of_digest(w, &statement, t, err);
	if (stat(word, &st) != 0)
		return error_reason(err, ERR_NOTFOUND, "missing",
		    "%s is no digest of a statement, and cannot be read: %m",
		    word);
	if (S_ISREG(st.st_mode) &&
	    (ends_with(word, ".sigstore.json") || ends_with(word, ".sig"))) {
		t->folder = folder_of(word);
		path = strdup(word);
	} else {
		t->folder = evidence_path(word, S_ISDIR(st.st_mode));
		path = signature_path(word, S_ISDIR(st.st_mode));
	}
	ok = (path && t->folder) ||
	    error_set(err, ERR_INTERNAL, "out of memory");
	ok = ok && of_bundle(path, t, err);
	free(path);
	return ok;
}

static bool
is_subject(const struct withdrawal *w, const struct hash *statement)
{
	for (size_t i = 0; i < w->subject_count; i++)
		if (hash_equal(&w->subjects[i].digest, statement))
			return true;
	return false;
}

static bool
read_targets(struct withdrawal *w, struct error *err)
{
	const struct cli_args *a = w->who.args;

	if (a->operand_count == 0 || a->operand_count > STATEMENT_MAX_SUBJECTS)
		return error_set(err, ERR_USAGE,
		    "say what to withdraw: 1 to %d models, bundles or digests "
		    "of statements",
		    STATEMENT_MAX_SUBJECTS);
	w->targets = calloc(a->operand_count, sizeof(*w->targets));
	w->subjects = calloc(a->operand_count, sizeof(*w->subjects));
	if (!w->targets || !w->subjects)
		return error_set(err, ERR_INTERNAL, "out of memory");
	while (w->count < a->operand_count) {
		struct target *t = &w->targets[w->count++];

		if (!read_target(w, a->operands[w->count - 1], t, err))
			return false;
		if (!is_subject(w, &t->statement))
			w->subjects[w->subject_count++] =
			    (struct statement_subject){
				buf_bytes(&t->name), t->statement};
	}
	return true;
}

static bool
write_all(struct withdrawal *w, const struct issued *s, struct error *err)
{
	const char *output = cli_value(w->who.args, "--output");

	if (output)
		return issue_write(&w->who, s, output, err);
	for (size_t i = 0; i < w->count; i++) {
		bool before = false;

		for (size_t j = 0; j < i && !before; j++)
			before = strcmp(w->targets[i].folder,
				     w->targets[j].folder) == 0;
		if (!before &&
		    !issue_write(&w->who, s, w->targets[i].folder, err))
			return false;
	}
	return true;
}

static bool
issue(struct withdrawal *w, const char *reason, struct error *err)
{
	const char *comment = cli_value(w->who.args, "--comment");
	struct statement s = {
	    .kind = STATEMENT_WITHDRAWAL,
	    .subject_count = w->subject_count,
	    .subjects = w->subjects,
	    .reason = bytes_str(reason),
	    .comment = comment ? bytes_str(comment) : (struct bytes){0},
	};
	AUTO(buf) what = BUF_INIT(1u << 20);
	struct issued out = {0};
	bool ok;

	for (size_t i = 0; i < w->subject_count; i++) {
		buf_put_str(&what, "  the withdrawal of ");
		escaped_put(&what, w->subjects[i].name);
		buf_put_str(&what, ", statement ");
		hex_put(&what, hash_bytes(&w->subjects[i].digest));
		buf_put_str(&what, "\n");
	}
	buf_put_str(&what, "  A withdrawn statement is refused for ever.\n");
	buf_put_u8(&what, '\0');
	ok = buf_ok(&what, err) &&
	    issue_sign(&w->who, "withdrawal", &s, &out, err) &&
	    issue_log(&w->who, (const char *)what.ptr, issue_verifier(&w->who),
		&out, err) &&
	    write_all(w, &out, err);
	issued_release(&out);
	return ok;
}

static int
run(struct cli_args *a, struct error *err)
{
	struct withdrawal w = {0};
	const char *reason = cli_need(a, "--reason", err);
	bool ok;

	if (!reason)
		return -1;
	ok = issuer_open(a, true, &w.who, err) && read_targets(&w, err) &&
	    issue(&w, reason, err) && cosigned_end(&w.who.log, err);
	for (size_t i = 0; i < w.count; i++) {
		free(w.targets[i].folder);
		buf_release(&w.targets[i].name);
	}
	free(w.targets);
	free(w.subjects);
	issuer_close(&w.who);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_withdraw = {
    .name = "withdraw",
    .arguments = "MODEL|BUNDLE|S...",
    .summary =
	"Sign and log that models or approvals must not be used any more",
    .details =
	"BUNDLE is *.sig or *.sigstore.json, S the digest of a statement. "
	"Nothing\n"
	"undoes it: release the model again under another version. It counts "
	"where\n"
	"the policy names the key, or for what this key signed. It is kept "
	"beside\n"
	"each model, for an S in the current folder, or in --output.",
    .run = run,
    .options = options,
};
