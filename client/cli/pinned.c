/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/pinned.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "client/cli/policies.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "io/file.h"

#define TIMEOUT_MS 60000

char *
cli_state_folder(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *out = NULL;

	if (state && state[0] == '/')
		return asprintf(&out, "%s/mtlog", state) < 0 ? NULL : out;
	if (!home || home[0] != '/')
		return NULL;
	return asprintf(&out, "%s/.local/state/mtlog", home) < 0 ? NULL : out;
}

bool
cli_make_folders(const char *path, struct error *err)
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

bool
cli_pins_path(const struct cli_args *a, char **out, struct error *err)
{
	const char *said = cli_value(a, "--pins");
	struct stat st;
	char *folder;

	*out = NULL;
	if (said && (stat(said, &st) != 0 || !S_ISDIR(st.st_mode))) {
		*out = strdup(said);
		return *out || error_set(err, ERR_INTERNAL, "out of memory");
	}
	folder = said ? strdup(said) : cli_state_folder();
	if (!folder)
		return !said || error_set(err, ERR_INTERNAL, "out of memory");
	*out = path_join(folder, PINS_FILE);
	free(folder);
	return *out || error_set(err, ERR_INTERNAL, "out of memory");
}

bool
cli_timeout(const struct cli_args *a, unsigned *out, struct error *err)
{
	uint64_t ms;

	if (!cli_number(a, "--timeout", TIMEOUT_MS, &ms, err))
		return false;
	if (ms == 0 || ms > 3600000)
		return error_set(
		    err, ERR_USAGE, "--timeout is 1 to 3600000 milliseconds");
	*out = (unsigned)ms;
	return true;
}

/* The pin that is meant; NULL with no error: none, and that is no mistake. */
static const struct pin *
choose(
    const struct pins *pins, const char *word, bool has_key, struct error *err)
{
	const struct pin *p = NULL;

	if (word)
		p = pins_find(pins, word);
	else if (pins->count == 1)
		p = &pins->list[0];
	else
		(void)error_set(err, ERR_USAGE, "%s: say which with --log URL",
		    pins->count > 1 ? "several logs are pinned"
				    : "no log is pinned");
	if (word && !p && !has_key)
		(void)error_set(err, ERR_USAGE,
		    "%s is not pinned: say mtlog log trust VKEY URL once, or "
		    "its key with --vkey VKEY",
		    word);
	return p;
}

bool
cli_pinned_note(const struct cli_args *a, const struct vkey *log,
    struct buf *note, struct error *err)
{
	AUTO(pins) pins = {0};
	const struct pin *p;
	char *path = NULL;
	bool ok = cli_pins_path(a, &path, err) &&
	    (!path || pins_read(path, &pins, err));

	free(path);
	p = ok ? pins_find_origin(&pins, vkey_name(log)) : NULL;
	if (!p)
		return ok;
	buf_put(note, bytes_str(p->note));
	return pins_same_key(p, log, err) && buf_ok(note, err);
}

static bool
take_key(struct cli_reading *r, const struct pin *p, const char *vkey,
    struct error *err)
{
	if (vkey && !log_key_read(vkey, &r->key, err))
		return false;
	if (!p)
		return true;
	r->pinned = true;
	if (!vkey)
		r->key = p->key;
	return pins_same_key(p, &r->key, err);
}

bool
cli_reading_connect(const struct cli_args *a, const char *url,
    struct cli_reading *r, struct error *err)
{
	struct tile_fetch_options o = {0};
	unsigned timeout;

	if (!cli_timeout(a, &timeout, err))
		return false;
	r->client = log_client_open(url, NULL, timeout, err);
	if (!r->client)
		return false;
	o.source = log_client_tiles(r->client);
	r->fetch = tile_fetch_open(&o, err);
	if (r->fetch)
		r->tiles = tiles_open(r->fetch, err);
	return r->tiles != NULL;
}

static bool
find_log(const struct cli_args *a, struct cli_reading *r, struct error *err)
{
	AUTO(pins) pins = {0};
	const char *word = cli_value(a, "--log");
	const char *vkey = cli_value(a, "--vkey");
	const struct pin *p;

	if (!cli_pins_path(a, &r->pins, err) ||
	    (r->pins && !pins_read(r->pins, &pins, err)))
		return false;
	p = choose(&pins, word, vkey != NULL, err);
	if (err->code != ERR_NONE || !take_key(r, p, vkey, err))
		return false;
	return cli_reading_connect(a, p ? p->url : word, r, err);
}

bool
cli_reading_open(
    const struct cli_args *a, struct cli_reading *out, struct error *err)
{
	const char *policy = cli_value(a, "--policy");

	*out = (struct cli_reading){0};
	if (policy) {
		out->policy = cli_policy_read(policy, err);
		if (!out->policy)
			return false;
	}
	return find_log(a, out, err);
}

void
cli_reading_close(struct cli_reading *r)
{
	tiles_close(r->tiles);
	tile_fetch_close(r->fetch);
	log_client_close(r->client);
	cli_policy_close(r->policy);
	free(r->pins);
	*r = (struct cli_reading){0};
}

static bool
connection(void *client, uint64_t old_size, uint64_t new_size,
    struct log_connection *out, struct error *err)
{
	return log_client_connection(client, old_size, new_size, out, err);
}

struct pins_contact
cli_contact(const char *path, const struct vkey *key, struct log_client *client)
{
	return (struct pins_contact){
	    .path = path,
	    .key = key,
	    .connection = connection,
	    .arg = client,
	    .tiles = log_client_tiles(client),
	};
}

static bool
saw(const char *pins, const struct vkey *key, struct log_client *client,
    struct bytes note, enum pins_sight *sight, struct error *err)
{
	struct pins_contact c = cli_contact(pins, key, client);

	*sight = PINS_NOT_PINNED;
	return !pins || pins_saw(&c, note, sight, err);
}

bool
cli_saw(const char *pins, const struct vkey *key, struct log_client *client,
    struct bytes note, struct error *err)
{
	enum pins_sight sight;

	return saw(pins, key, client, note, &sight, err);
}

static bool
judge(const struct policy *p, struct cli_head *h, struct key_verifier *v,
    struct error *err)
{
	bool ok;

	h->quorum = calloc(1, sizeof(*h->quorum));
	if (!h->quorum)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = quorum_verify(&p->quorum, &h->note, v, h->quorum, err);
	h->judged = ok || (err->reason && strcmp(err->reason, "quorum") == 0);
	return ok;
}

static bool
read_head(const struct cli_reading *r, struct cli_head *out,
    struct key_verifier *v, struct error *err)
{
	struct bytes text;

	if (!tile_fetch_checkpoint(r->fetch, &out->text, err))
		return error_prefix(err, "%s", log_client_url(r->client));
	text = buf_bytes(&out->text);
	if (!note_parse(text, &out->note, err))
		return false;
	if (!checkpoint_open(text, &r->key, v, &out->now, err)) {
		err->reason = "log-signature";
		return false;
	}
	return saw(r->pins, &r->key, r->client, text, &out->sight, err) &&
	    (!r->policy || judge(r->policy, out, v, err));
}

bool
cli_head_read(
    const struct cli_reading *r, struct cli_head *out, struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	bool ok;

	*out = (struct cli_head){.text = BUF_INIT(NOTE_MAX_LEN)};
	ok = v && read_head(r, out, v, err);
	key_verifier_close(v);
	return ok;
}

void
cli_head_release(struct cli_head *h)
{
	buf_release(&h->text);
	note_release(&h->note);
	free(h->quorum);
	*h = (struct cli_head){0};
}

const char *
cli_sight_name(enum pins_sight s)
{
	static const char *const names[] = {
	    [PINS_NOT_PINNED] = "not-pinned",
	    [PINS_SAME] = "same",
	    [PINS_LARGER] = "larger",
	    [PINS_OLDER] = "older",
	};

	return names[s];
}
