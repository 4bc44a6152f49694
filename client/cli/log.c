/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "client/cli/pinned.h"
#include "client/cli/policies.h"
#include "client/cli/signing.h"
#include "client/lib/json_file.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "io/file.h"

#define KEYS_MAX  (1u << 20)
#define TOKEN_MAX 4096
#define WAIT_S	  5 /* for witnesses */

/* The keys of logs that were met before: {"<url>":"<vkey>"}. */
static bool
read_keys(const char *path, json_t **out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(KEYS_MAX);
	struct error why = {0};

	if (file_read(path, &text, &why))
		return json_parse(buf_bytes(&text), KEYS_MAX, out, err) ||
		    error_prefix(err, "%s", path);
	if (why.code != ERR_NOTFOUND) {
		*err = why;
		return false;
	}
	*out = json_object();
	return *out || error_set(err, ERR_INTERNAL, "out of memory");
}

/* First contact: the log's own word, from then on remembered. */
static bool
meet(struct cli_log *l, json_t *keys, const char *path, struct error *err)
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
	ok = json_object_set_new(keys, url, json_string(vkey)) == 0 &&
	    json_file_write(path, keys, KEYS_MAX, err);
	free(vkey);
	return ok;
}

static bool
remembered_key(struct cli_log *l, struct error *err)
{
	AUTO_PTR(json_t) keys = NULL;
	char *folder = cli_state_folder();
	char *path = folder ? path_join(folder, "logs.json") : NULL;
	const json_t *known;
	bool ok;

	if (!path) {
		free(folder);
		return error_set(err, ERR_USAGE,
		    "say --vkey VKEY: there is no home folder to remember the "
		    "log's key in");
	}
	ok = cli_make_folders(folder, err) && read_keys(path, &keys, err);
	if (ok) {
		known = json_object_get(keys, log_client_url(l->client));
		ok = known ? vkey_parse(json_text(known), &l->key, err)
			   : meet(l, keys, path, err);
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

/* What the user pinned, else the log's word of an earlier day. */
static bool
find_key(const struct cli_args *a, const struct pin *pin, struct cli_log *out,
    struct error *err)
{
	const char *vkey = cli_value(a, "--vkey");

	if (vkey && !log_key_read(vkey, &out->key, err))
		return false;
	if (!pin)
		return vkey || remembered_key(out, err);
	if (!vkey)
		out->key = pin->key;
	return pins_same_key(pin, &out->key, err);
}

static bool
open_client(const struct cli_args *a, const char *url, struct cli_log *out,
    struct error *err)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	unsigned timeout;

	if (cli_timeout(a, &timeout, err) && read_token(a, &token, err))
		out->client = log_client_open(url,
		    token.len > 0 ? (const char *)token.ptr : NULL, timeout,
		    err);
	cli_secret_release(&token);
	return out->client != NULL;
}

static bool
read_wait(const struct cli_args *a, struct cli_log *out, struct error *err)
{
	const char *policy = cli_value(a, "--witnesses");
	uint64_t seconds;

	if (!cli_number(a, "--wait", WAIT_S, &seconds, err))
		return false;
	if (seconds > 3600)
		return error_set(err, ERR_USAGE, "--wait is 0 to 3600 seconds");
	if (seconds == 0 && policy)
		return error_set(err, ERR_USAGE,
		    "--wait 0 does not wait for --witnesses: say one of them");
	out->wait_ms = seconds * 1000;
	if (policy)
		out->witnesses = cli_policy_read(policy, err);
	return !policy || out->witnesses;
}

bool
cli_log_open(const struct cli_args *a, struct cli_log *out, struct error *err)
{
	AUTO(pins) pins = {0};
	const char *word = cli_need(a, "--log", err);
	const struct pin *pin;

	*out = (struct cli_log){0};
	if (!word || !read_wait(a, out, err) ||
	    !cli_pins_path(a, &out->pins, err) ||
	    (out->pins && !pins_read(out->pins, &pins, err)))
		return false;
	pin = pins_find(&pins, word);
	out->witnessed = pin && pin->witnessed;
	return open_client(a, pin ? pin->url : word, out, err) &&
	    find_key(a, pin, out, err);
}

void
cli_log_close(struct cli_log *l)
{
	log_client_close(l->client);
	free(l->pins);
	cli_policy_close(l->witnesses);
	*l = (struct cli_log){0};
}
