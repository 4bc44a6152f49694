/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "core/model/tle.h"
#include "core/tlog/tlog_proof.h"
#include "io/file.h"
#include "io/http.h"

#define FILES_MAX    1000
#define TRIES	     5
#define TIMEOUT_MS   60000
#define ANSWER_LIMIT (64u << 20)
#define BATCH_BYTES  (1u << 20)
#define PROOF_LIMIT  65536

struct submit {
	const char *url, *folder;
	bool json;
	struct vkey log;
	struct http *http;
	struct hasher hasher;
	struct key_verifier *verifier;
	char **files;
	size_t count;
	struct buf *leaves; /* of each file */
	struct buf body;    /* one line a file */
};

/* A submission on one line, whatever its layout was. */
static bool
add_line(struct submit *s, struct bytes json, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;
	char *line;

	if (!json_parse(json, ENTRY_REQUEST_MAX, &value, err))
		return false;
	line = json_dumps(value, JSON_COMPACT);
	if (!line)
		return error_set(err, ERR_INTERNAL, "out of memory");
	buf_put_str(&s->body, line);
	buf_put_u8(&s->body, '\n');
	free(line);
	return !s->body.failed ||
	    error_set(err, ERR_LIMIT,
		"the submissions are larger than %u bytes; submit fewer files "
		"at a time",
		BATCH_BYTES);
}

static bool
read_files(struct submit *s, struct error *err)
{
	for (size_t i = 0; i < s->count; i++) {
		AUTO(buf) json = BUF_INIT(ENTRY_REQUEST_MAX);

		buf_init(&s->leaves[i], ENTRY_LEAF_MAX);
		if (!cli_submission(s->files[i], &json, &s->leaves[i], err) ||
		    !add_line(s, buf_bytes(&json), err))
			return false;
	}
	return true;
}

/* What the server says is wrong, in its own words. */
static bool
refused(unsigned status, struct bytes body, struct error *err)
{
	AUTO_PTR(json_t) value = NULL;
	struct error ignored = {0};
	const char *text = NULL;
	const char *reason = "rejected";

	if (json_parse(body, ANSWER_LIMIT, &value, &ignored))
		text = json_string_value(json_object_get(value, "message"));
	if (status == 429 || status == 503)
		reason = "throttled";
	else if (status >= 500)
		reason = "server-error";
	return error_reason(err, ERR_DENIED, reason,
	    "the log refuses (status %u): %s", status,
	    text ? text : "no reason given");
}

/* Submitting again is safe, so a busy log is asked again. */
static bool
post(struct submit *s, struct http_answer *answer, struct error *err)
{
	char *url = NULL;
	bool ok = true;

	if (asprintf(&url, "%s/api/v1/batch", s->url) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (unsigned i = 0; ok && i < TRIES; i++) {
		buf_clear(&answer->body);
		ok = http_post(s->http, url, "application/x-ndjson",
		    buf_bytes(&s->body), answer, err);
		if (!ok || (answer->status != 503 && answer->status != 429))
			break;
		(void)sleep(answer->retry_after ? answer->retry_after : 1);
	}
	free(url);
	if (ok && answer->status != 200)
		ok = refused(answer->status, buf_bytes(&answer->body), err);
	return ok;
}

static bool
keep_proof(
    struct submit *s, const char *file, const struct tle *t, struct error *err)
{
	AUTO(buf) text = BUF_INIT(PROOF_LIMIT);
	const char *name = strrchr(file, '/');
	struct tlog_proof p = {
	    .index = t->index,
	    .proof = t->proof,
	    .checkpoint = t->checkpoint,
	};
	char *path = NULL;
	bool ok;

	tlog_proof_format(&p, &text);
	if (s->folder)
		ok = asprintf(&path, "%s/%s.tlog-proof", s->folder,
			 name ? name + 1 : file) > 0;
	else
		ok = asprintf(&path, "%s.tlog-proof", file) > 0;
	if (!ok)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok =
	    buf_ok(&text, err) && file_write(path, buf_bytes(&text), 0644, err);
	if (ok && s->json)
		(void)printf("{\"file\":\"%s\",\"logIndex\":\"%llu\","
			     "\"treeSize\":\"%llu\",\"proof\":\"%s\"}\n",
		    file, (unsigned long long)t->index,
		    (unsigned long long)t->size, path);
	else if (ok)
		(void)printf("%s: entry %llu of %s, proven in a tree of %llu; "
			     "%s\n",
		    file, (unsigned long long)t->index, s->log.name,
		    (unsigned long long)t->size, path);
	free(path);
	return ok;
}

/* One line of the answer: verified, then kept. */
static bool
take_line(struct submit *s, size_t i, struct bytes line, struct error *err)
{
	AUTO(tle) t = {0};

	if (bytes_starts(line, BYTES_LIT("{\"code\"")))
		return refused(400, line, err);
	return tle_parse(line, &t, err) &&
	    tle_verify(&t, &s->log, buf_bytes(&s->leaves[i]), &s->hasher,
		s->verifier, err) &&
	    keep_proof(s, s->files[i], &t, err);
}

static bool
take_answer(struct submit *s, struct bytes body, struct error *err)
{
	struct reader r = {body};
	bool all = true;

	for (size_t i = 0; i < s->count; i++) {
		struct error why = {0};
		struct bytes line;

		if (!reader_line(&r, &line))
			return error_reason(err, ERR_SYNTAX, "server-error",
			    "the log answered %zu of %zu lines", i, s->count);
		if (take_line(s, i, line, &why))
			continue;
		(void)fprintf(stderr, "%s: %s\n", s->files[i], why.text);
		all = false;
		*err = why;
	}
	if (!all)
		return error_prefix(err, "not all were logged");
	return true;
}

static bool
submit(struct submit *s, struct error *err)
{
	struct http_answer answer = {.body = BUF_INIT(ANSWER_LIMIT)};
	bool ok;

	s->http = http_open(TIMEOUT_MS, err);
	s->verifier = key_verifier_open(err);
	s->leaves = calloc(s->count, sizeof(*s->leaves));
	buf_init(&s->body, BATCH_BYTES);
	ok = s->leaves && s->http && s->verifier &&
	    hasher_open(&s->hasher, err) && read_files(s, err) &&
	    post(s, &answer, err) &&
	    take_answer(s, buf_bytes(&answer.body), err);
	for (size_t i = 0; s->leaves && i < s->count; i++)
		buf_release(&s->leaves[i]);
	free(s->leaves);
	buf_release(&s->body);
	buf_release(&answer.body);
	hasher_release(&s->hasher);
	key_verifier_close(s->verifier);
	http_close(s->http);
	return ok;
}

int
cli_submit(int argc, char **argv, struct error *err)
{
	static const struct option longs[] = {
	    {"log", required_argument, NULL, 'l'},
	    {"vkey", required_argument, NULL, 'v'},
	    {"output", required_argument, NULL, 'o'},
	    {"json", no_argument, NULL, 'j'},
	    {0},
	};
	struct submit s = {0};
	const char *vkey = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'l')
			s.url = optarg;
		else if (c == 'v')
			vkey = optarg;
		else if (c == 'o')
			s.folder = optarg;
		else if (c == 'j')
			s.json = true;
		else
			return CLI_USAGE;
	}
	s.files = argv + optind;
	s.count = (size_t)(argc - optind);
	if (!s.url || s.count == 0 || s.count > FILES_MAX)
		(void)error_set(err, ERR_USAGE,
		    "--log URL and 1 to %d files are needed", FILES_MAX);
	else if (cli_log_key(vkey, &s.log, err) && submit(&s, err))
		return CLI_OK;
	return -1;
}
