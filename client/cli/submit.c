/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "client/cli/cosigned.h"
#include "client/cli/submission.h"
#include "client/cli/verbs.h"
#include "client/lib/policy_flags.h"
#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "core/crypto/pem.h"
#include "core/model/statement.h"
#include "core/model/tle.h"
#include "core/tlog/tlog_proof.h"
#include "io/file.h"

#define FILES_MAX    1000
#define ANSWER_LIMIT (64u << 20)
#define BATCH_BYTES  (1u << 20)
#define PROOF_LIMIT  65536
#define SAID_MAX     20 /* files that the question names */

static const struct cli_option options[] = {
    CLI_LOG_OPTIONS,
    CLI_DIGEST_OPTION,
    {"--key", "PEM", "public key of bundles that have only a hint", false},
    {"--output", "FOLDER", "submissions: where the proofs go", false},
    {"--json", NULL, "one line of JSON a file", false},
    {0},
};

/* One file of the command line. */
struct item {
	const char *path;
	struct buf text;
	struct buf leaf; /* of a submission */
	bool is_bundle;
	bool over; /* logged before, or refused here */
};

struct submit {
	const struct cli_args *args;
	struct cli_log log;
	struct item *items;
	size_t count;
	struct buf spki; /* --key; empty: none */
	struct hasher hasher;
	struct key_verifier *verifier;
};

/* Bundles have a mediaType; what Rekor v2 takes has not. */
static bool
read_item(struct item *item, struct error *err)
{
	struct error why = {0};
	struct bundle b = {0};

	buf_init(&item->text, BUNDLE_MAX_LEN);
	buf_init(&item->leaf, ENTRY_LEAF_MAX);
	if (!file_read(item->path, &item->text, err))
		return false;
	item->is_bundle = bundle_parse(buf_bytes(&item->text), &b, &why);
	bundle_release(&b);
	return item->is_bundle ||
	    submission_leaf(buf_bytes(&item->text), &item->leaf, err) ||
	    error_prefix(err, "%s", item->path);
}

static bool
read_key(struct submit *s, struct error *err)
{
	AUTO(buf) text = BUF_INIT(PRIVATE_KEY_MAX_LEN);
	const char *path = cli_value(s->args, "--key");

	buf_init(&s->spki, SPKI_MAX_LEN);
	return !path ||
	    (file_read(path, &text, err) &&
		(pem_public_key(buf_bytes(&text), &s->spki, err) ||
		    error_prefix(err, "%s", path)));
}

static void
tell(const struct submit *s, const struct item *item, uint64_t index,
    const char *what, const char *place)
{
	AUTO(buf) line = BUF_INIT(65536);

	if (cli_flag(s->args, "--json")) {
		buf_put_str(&line, "{\"file\":");
		json_put_string(&line, bytes_str(item->path));
		buf_printf(&line, ",\"logIndex\":\"%llu\",\"result\":\"%s\"",
		    (unsigned long long)index, what);
		if (place) {
			buf_put_str(&line, ",\"proof\":");
			json_put_string(&line, bytes_str(place));
		}
		buf_put_str(&line, "}\n");
	} else {
		buf_printf(&line, "%s: entry %llu of %s, %s%s%s\n", item->path,
		    (unsigned long long)index, s->log.key.name, what,
		    place ? "; " : "", place ? place : "");
	}
	(void)fwrite(line.ptr, 1, line.len, stdout);
}

static bool
bundle_verifier(const struct submit *s, const struct item *item,
    const struct bundle *b, struct bytes *out, struct error *err)
{
	char hint[2 * HASH_LEN + 1];
	AUTO(hasher) h = {0};

	*out = (struct bytes){0};
	if (b->material != BUNDLE_KEY)
		return true;
	*out = buf_bytes(&s->spki);
	if (out->len == 0)
		return error_set(err, ERR_USAGE,
		    "%s is signed with a key that is not in it: say --key PEM",
		    item->path);
	if (!hasher_open(&h, err))
		return false;
	key_hint(&h, *out, hint);
	return b->hint.len == 0 || bytes_equal(b->hint, bytes_str(hint)) ||
	    error_set(err, ERR_USAGE,
		"%s is signed with another key than --key", item->path);
}

/* One line of the question: what of a bundle becomes public. */
static void
say_bundle(const struct submit *s, const struct bundle *b, struct buf *out)
{
	struct statement st = {0};
	struct error ignored = {0};
	bool ours = statement_parse(b->envelope.payload, &st, &ignored);

	if (s->log.digest_only) {
		buf_put_str(out, "the digest of what was signed");
	} else if (ours && st.kind == STATEMENT_MODEL) {
		buf_put_str(out, "the name ");
		escaped_put(out, st.subjects[0].name);
		buf_put_str(out, ", the names and digests of its files");
	} else {
		buf_put_str(out, "what was signed, ");
		if (ours)
			buf_put_str(out, statement_kind_type(st.kind));
		else
			escaped_put(out, b->envelope.payload_type);
	}
	statement_release(&st);
}

/* It is there; but its proof may still lack the witnesses. */
static bool
look_again(struct submit *s, const struct item *item, struct bytes verifier,
    uint64_t index, struct error *err)
{
	AUTO(buf) done = BUF_INIT(BUNDLE_MAX_LEN);

	if (!cli_log_upgrade(
		&s->log, buf_bytes(&item->text), verifier, &done, err) ||
	    (done.len > 0 &&
		!file_write(item->path, buf_bytes(&done), 0644, err)))
		return false;
	tell(s, item, index, done.len > 0 ? "cosigned" : "logged before", NULL);
	return true;
}

/* An entry that verifies already needs no other; what the log would not keep is
 * not sent. */
static bool
look_at_bundle(
    struct submit *s, struct item *item, struct buf *line, struct error *err)
{
	struct bundle b = {0};
	struct bytes verifier;
	struct error no = {0};
	uint64_t index = 0;
	bool ok;

	ok = bundle_parse(buf_bytes(&item->text), &b, err) &&
	    bundle_verifier(s, item, &b, &verifier, err);
	if (ok && cli_log_has(&s->log, &b, verifier, &index, &no)) {
		ok = look_again(s, item, verifier, index, err);
		item->over = true;
	} else if (ok) {
		ok = cli_log_fits(&s->log, &b.envelope, err);
		say_bundle(s, &b, line);
	}
	bundle_release(&b);
	return ok;
}

static bool
submit_bundle(struct submit *s, const struct item *item, struct error *err)
{
	AUTO(buf) done = BUF_INIT(BUNDLE_MAX_LEN);
	struct bundle b = {0};
	struct bytes verifier;
	uint64_t index = 0;
	bool ok;

	ok = bundle_parse(buf_bytes(&item->text), &b, err) &&
	    bundle_verifier(s, item, &b, &verifier, err) &&
	    cli_log_bundle(&s->log, buf_bytes(&item->text), verifier, &done,
		&index, err) &&
	    file_write(item->path, buf_bytes(&done), 0644, err);
	bundle_release(&b);
	if (ok)
		tell(s, item, index, "proven", NULL);
	return ok;
}

/* A submission on one line, whatever its layout was. */
static bool
add_line(struct buf *body, struct bytes json, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;
	char *line;

	if (!json_parse(json, ENTRY_REQUEST_MAX, &value, err))
		return false;
	line = json_dumps(value, JSON_COMPACT);
	if (!line)
		return error_set(err, ERR_INTERNAL, "out of memory");
	buf_put_str(body, line);
	buf_put_u8(body, '\n');
	free(line);
	return !body->failed ||
	    error_set(err, ERR_LIMIT,
		"the submissions are larger than %u bytes; submit fewer files "
		"at a time",
		BATCH_BYTES);
}

static bool
keep_proof(struct submit *s, const struct item *item, const struct tle *t,
    struct error *err)
{
	AUTO(buf) text = BUF_INIT(PROOF_LIMIT);
	const char *folder = cli_value(s->args, "--output");
	const char *name = strrchr(item->path, '/');
	struct tlog_proof p = {
	    .index = t->index,
	    .proof = t->proof,
	    .checkpoint = t->checkpoint,
	};
	char *path = NULL;
	bool ok;

	tlog_proof_format(&p, &text);
	if (folder)
		ok = asprintf(&path, "%s/%s.tlog-proof", folder,
			 name ? name + 1 : item->path) > 0;
	else
		ok = asprintf(&path, "%s.tlog-proof", item->path) > 0;
	if (!ok)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok =
	    buf_ok(&text, err) && file_write(path, buf_bytes(&text), 0644, err);
	if (ok)
		tell(s, item, t->index, "proven", path);
	free(path);
	return ok;
}

/* What the log says is wrong with one line of a batch. */
static bool
line_refused(struct bytes line, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;
	struct error ignored = {0};
	const char *text = NULL;

	if (json_parse(line, ANSWER_LIMIT, &value, &ignored))
		text = json_string_value(json_object_get(value, "message"));
	return error_reason(err, ERR_DENIED, "rejected", "the log refuses: %s",
	    text ? text : "no reason given");
}

/* One line of the answer: verified, then kept. */
static bool
take_line(struct submit *s, const struct item *item, struct bytes line,
    struct error *err)
{
	AUTO(tle) t = {0};
	AUTO(cosigned) c = {0};
	bool enough, got = false;

	if (bytes_starts(line, BYTES_LIT("{\"code\"")))
		return line_refused(line, err);
	if (!tle_parse(line, &t, err) ||
	    !tle_verify(&t, &s->log.key, buf_bytes(&item->leaf), &s->hasher,
		s->verifier, err) ||
	    !cli_saw(
		s->log.pins, &s->log.key, s->log.client, t.checkpoint, err) ||
	    !cosigned_enough(&s->log, t.checkpoint, &enough, err) ||
	    (!enough &&
		!cosigned_get(
		    &s->log, t.index, buf_bytes(&item->leaf), &c, &got, err)))
		return false;
	return keep_proof(s, item, got ? &c.t : &t, err);
}

/* Says what is wrong with one file, and goes on with the next. */
static void
complain(const struct item *item, const struct error *why, struct error *err)
{
	(void)fprintf(stderr, "%s: %s\n", item->path, why->text);
	if (err->code == ERR_NONE)
		*err = *why;
}

static bool
submit_batch(struct submit *s, struct error *failed, struct error *err)
{
	AUTO(buf) body = BUF_INIT(BATCH_BYTES);
	AUTO(buf) answer = BUF_INIT(ANSWER_LIMIT);
	struct reader r;

	for (size_t i = 0; i < s->count; i++)
		if (!s->items[i].is_bundle &&
		    !add_line(&body, buf_bytes(&s->items[i].text), err))
			return false;
	if (body.len == 0)
		return true;
	if (!log_client_post(s->log.client, "/api/v1/batch",
		"application/x-ndjson", buf_bytes(&body), &answer, err))
		return false;
	reader_init(&r, buf_bytes(&answer));
	for (size_t i = 0; i < s->count; i++) {
		struct error why = {0};
		struct bytes line;

		if (s->items[i].is_bundle)
			continue;
		if (!reader_line(&r, &line))
			return error_reason(err, ERR_SYNTAX, "server-error",
			    "the log did not answer every line");
		if (!take_line(s, &s->items[i], line, &why))
			complain(&s->items[i], &why, failed);
	}
	return true;
}

/* Says what becomes public, but of what is there already, and asks once. */
static bool
look_and_ask(struct submit *s, struct error *failed, struct error *err)
{
	size_t left = 0;

	for (size_t i = 0; i < s->count; i++) {
		AUTO(buf) line = BUF_INIT(65536);
		struct item *item = &s->items[i];
		struct error why = {0};

		if (!item->is_bundle) {
			buf_put_str(&line, "a digest");
		} else if (!look_at_bundle(s, item, &line, &why)) {
			complain(item, &why, failed);
			item->over = true;
		}
		if (item->over || ++left > SAID_MAX)
			continue;
		if (left == 1)
			cli_say_public(&s->log);
		(void)fprintf(stderr, "  %s: %.*s,\n", item->path,
		    (int)line.len, (const char *)line.ptr);
	}
	if (left == 0)
		return true;
	if (left > SAID_MAX)
		(void)fprintf(stderr, "  and so on, %zu files in all,\n", left);
	(void)fputs("  with the signature and the public key, or the "
		    "certificate with its names.\n",
	    stderr);
	if (s->log.digest_only)
		cli_say_digest();
	return cli_confirm("Publish it?", cli_flag(s->args, "--yes"), err);
}

static bool
submit_all(struct submit *s, struct error *err)
{
	struct error failed = {0};

	if (!look_and_ask(s, &failed, err) || !submit_batch(s, &failed, err))
		return false;
	for (size_t i = 0; i < s->count; i++) {
		struct error why = {0};

		if (s->items[i].is_bundle && !s->items[i].over &&
		    !submit_bundle(s, &s->items[i], &why))
			complain(&s->items[i], &why, &failed);
	}
	if (failed.code == ERR_NONE)
		return cosigned_end(&s->log, err);
	*err = failed;
	return error_prefix(err, "not all were logged");
}

static bool
read_all(struct submit *s, struct error *err)
{
	if (s->count == 0 || s->count > FILES_MAX)
		return error_set(err, ERR_USAGE,
		    "say which files: 1 to %d bundles or submissions",
		    FILES_MAX);
	s->items = calloc(s->count, sizeof(*s->items));
	if (!s->items)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < s->count; i++) {
		s->items[i].path = s->args->operands[i];
		if (!read_item(&s->items[i], err))
			return false;
	}
	return read_key(s, err);
}

static int
run(struct cli_args *a, struct error *err)
{
	struct submit s = {.args = a, .count = a->operand_count};
	bool ok = read_all(&s, err) && cli_log_open(a, &s.log, err) &&
	    hasher_open(&s.hasher, err) &&
	    (s.verifier = key_verifier_open(err)) != NULL;

	s.log.digest_only = cli_flag(a, "--no-envelope");
	ok = ok && submit_all(&s, err);

	for (size_t i = 0; s.items && i < s.count; i++) {
		buf_release(&s.items[i].text);
		buf_release(&s.items[i].leaf);
	}
	free(s.items);
	buf_release(&s.spki);
	hasher_release(&s.hasher);
	key_verifier_close(s.verifier);
	cli_log_close(&s.log);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_submit = {
    .name = "submit",
    .arguments = "FILE...",
    .summary = "Log what was signed elsewhere; verify each answer and keep it",
    .details =
	"FILE is a bundle (completed in place; left alone if its entry "
	"verifies\n"
	"already) or a submission as Rekor v2 takes it (FILE.tlog-proof is\n"
	"written). Says what becomes public, and asks unless --yes. Safe to\n"
	"repeat.",
    .run = run,
    .options = options,
};
