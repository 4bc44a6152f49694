/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/stat.h>

#include "client/cli/signing.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "core/base/json.h"
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
