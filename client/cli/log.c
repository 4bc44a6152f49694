/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/stat.h>

#include "client/cli/signing.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/model/entry.h"
#include "core/model/tle.h"
#include "io/file.h"

#define TIMEOUT_MS 60000
#define PINS_MAX   (1u << 20)
#define TOKEN_MAX  4096

/* $XDG_STATE_HOME/mtlog, else ~/.local/state/mtlog; malloc'd, NULL: none. */
static char *
state_folder(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *out = NULL;

	if (state && state[0] == '/')
		return asprintf(&out, "%s/mtlog", state) < 0 ? NULL : out;
	if (!home || home[0] != '/')
		return NULL;
	return asprintf(&out, "%s/.local/state/mtlog", home) < 0 ? NULL : out;
}

static bool
make_folders(const char *path, struct error *err)
{
	char *copy = strdup(path);
	bool ok = copy != NULL;

	for (char *p = copy ? copy + 1 : NULL; ok && p; p++) {
		p = strchr(p, '/');
		if (p)
			*p = '\0';
		(void)mkdir(copy, 0700);
		if (!p)
			break;
		*p = '/';
	}
	free(copy);
	return ok || error_set(err, ERR_INTERNAL, "out of memory");
}

/* The keys of logs that were met before: {"<url>":"<vkey>"}. */
static bool
read_pins(const char *path, json_t **out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(PINS_MAX);
	struct error why = {0};

	if (file_read(path, &text, &why))
		return json_parse(buf_bytes(&text), PINS_MAX, out, err) ||
		    error_prefix(err, "%s", path);
	if (why.code != ERR_NOTFOUND) {
		*err = why;
		return false;
	}
	*out = json_object();
	return *out || error_set(err, ERR_INTERNAL, "out of memory");
}

static bool
write_pins(const char *path, const json_t *pins, struct error *err)
{
	char *text = json_dumps(pins, JSON_INDENT(1) | JSON_SORT_KEYS);
	bool ok = text ? file_write(path, bytes_str(text), 0600, err)
		       : error_set(err, ERR_INTERNAL, "out of memory");

	free(text);
	return ok;
}

/* First contact: the log's own word, from then on remembered. */
static bool
meet(struct cli_log *l, json_t *pins, const char *path, struct error *err)
{
	AUTO(buf) text = BUF_INIT(4096);
	const char *url = log_client_url(l->client);
	char *vkey;
	bool ok;

	if (!log_client_key(l->client, &l->key, err))
		return false;
	vkey_format(&l->key, &text);
	vkey = buf_dup_string(&text);
	if (!vkey)
		return error_set(err, ERR_INTERNAL, "out of memory");
	(void)fprintf(stderr,
	    "mtlog: first contact with %s; its key is remembered:\n  %s\n", url,
	    vkey);
	ok = json_object_set_new(pins, url, json_string(vkey)) == 0 &&
	    write_pins(path, pins, err);
	free(vkey);
	return ok;
}

static bool
pinned_key(struct cli_log *l, struct error *err)
{
	AUTO_PTR(json_t) pins = NULL;
	char *folder = state_folder();
	char *path = folder ? path_join(folder, "logs.json") : NULL;
	const json_t *known;
	bool ok;

	if (!path) {
		free(folder);
		return error_set(err, ERR_USAGE,
		    "say --vkey VKEY: there is no home folder to remember the "
		    "log's key in");
	}
	ok = make_folders(folder, err) && read_pins(path, &pins, err);
	if (ok) {
		known = json_object_get(pins, log_client_url(l->client));
		ok = known ? vkey_parse(json_text(known), &l->key, err)
			   : meet(l, pins, path, err);
	}
	free(path);
	free(folder);
	return ok;
}

static bool
read_token(const struct cli_args *a, struct buf *out, struct error *err)
{
	const char *path = cli_value(a, "--token-file");

	if (!path)
		return true;
	if (!file_read(path, out, err))
		return false;
	while (out->len > 0 && out->ptr[out->len - 1] == '\n')
		out->len--;
	buf_put_u8(out, '\0');
	return buf_ok(out, err);
}

bool
cli_log_open(const struct cli_args *a, struct cli_log *out, struct error *err)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	const char *url = cli_need(a, "--log", err);
	const char *vkey = cli_value(a, "--vkey");
	uint64_t timeout;
	bool ok;

	*out = (struct cli_log){0};
	if (!url || !cli_number(a, "--timeout", TIMEOUT_MS, &timeout, err))
		return false;
	if (timeout == 0 || timeout > 3600000)
		return error_set(
		    err, ERR_USAGE, "--timeout is 1 to 3600000 milliseconds");
	ok = read_token(a, &token, err);
	if (ok)
		out->client = log_client_open(url,
		    token.len > 0 ? (const char *)token.ptr : NULL,
		    (unsigned)timeout, err);
	cli_secret_release(&token);
	if (!out->client)
		return false;
	return vkey ? log_key_read(vkey, &out->key, err) : pinned_key(out, err);
}

void
cli_log_close(struct cli_log *l)
{
	log_client_close(l->client);
	l->client = NULL;
}

/* The entry of our log among those of the answer: verified, or nothing. */
static bool
verify_entry(const struct cli_log *l, const struct bundle *b, struct bytes leaf,
    uint64_t *index, struct error *err)
{
	AUTO(hasher) h = {0};
	struct key_verifier *v = key_verifier_open(err);
	struct error why = {0};
	bool ok = false;

	(void)error_reason(&why, ERR_BADSIG, "no-entry",
	    "%s answered without an entry", log_client_url(l->client));
	for (size_t i = 0;
	     v && (h.md || hasher_open(&h, err)) && !ok && i < b->entry_count;
	     i++) {
		AUTO(tle) t = {0};
		struct error no = {0};

		ok = tle_parse(b->entries[i], &t, &no) &&
		    tle_verify(&t, &l->key, leaf, &h, v, &no);
		if (ok)
			*index = t.index;
		else
			why = no;
	}
	key_verifier_close(v);
	if (!ok && err->code == ERR_NONE)
		*err = why;
	return ok;
}

/* Whoever meets S later asks the log for it: it must be there. */
static bool
comes_back(struct cli_log *l, const struct envelope *e, struct error *err)
{
	AUTO(buf) payload = BUF_INIT(BUNDLE_MAX_LEN);
	struct hash statement;

	if (!dsse_statement_digest(e, &statement, err) ||
	    !log_client_envelope(l->client, &statement, &payload, err))
		return error_prefix(err, "the log does not keep the statement");
	return bytes_equal(buf_bytes(&payload), e->payload) ||
	    error_reason(err, ERR_BADSIG, "envelope",
		"%s gives back another statement than was sent",
		log_client_url(l->client));
}

static bool
same_statement(
    const struct bundle *sent, const struct bundle *got, struct error *err)
{
	if (bytes_equal(sent->envelope.payload, got->envelope.payload) &&
	    bytes_equal(sent->envelope.signature, got->envelope.signature) &&
	    bytes_equal(
		sent->envelope.payload_type, got->envelope.payload_type))
		return true;
	return error_reason(err, ERR_BADSIG, "wrong-entry",
	    "the log answered with another statement than was sent");
}

static bool
check_answer(struct cli_log *l, struct bytes sent, struct bytes answer,
    struct bytes verifier, uint64_t *index, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	struct bundle ours = {0}, got = {0};
	bool ok = bundle_parse(sent, &ours, err) &&
	    bundle_leaf(&ours,
		ours.material == BUNDLE_KEY ? verifier : ours.certificates[0],
		&leaf, err);

	if (ok && !bundle_parse(answer, &got, err)) {
		err->reason = "server-error";
		ok = error_prefix(err, "the log's answer");
	}
	ok = ok && same_statement(&ours, &got, err) &&
	    verify_entry(l, &got, buf_bytes(&leaf), index, err) &&
	    comes_back(l, &ours.envelope, err);
	bundle_release(&ours);
	bundle_release(&got);
	return ok;
}

bool
cli_log_bundle(struct cli_log *l, struct bytes bundle, struct bytes verifier,
    struct buf *out, uint64_t *index, struct error *err)
{
	return log_client_bundle(l->client, bundle, verifier, out, err) &&
	    check_answer(l, bundle, buf_bytes(out), verifier, index, err);
}
