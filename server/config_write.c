/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_write.h"

#include "core/base/cleanup.h"
#include "io/file.h"
#include "server/config_keys.h"

const char *
config_own_file(const struct config *c, const char *key)
{
	struct error ignored = {0};
	const struct config_key *k = config_key_find(bytes_str(key), &ignored);
	const char *path;

	if (!k || k->kind != KEY_PATH)
		return NULL;
	path = config_value_relative(k, c);
	return path[0] && !strchr(path, '/') ? path : NULL;
}

void
config_format(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *k = &config_keys[i];

		/* A log without a name has no line for it. */
		if (k->kind == KEY_ORIGIN && !c->origin[0])
			continue;
		for (size_t n = 0; n < config_value_count(k, c); n++) {
			buf_printf(out, "%s = ", k->name);
			config_value_format(k, c, n, out);
			buf_put_u8(out, '\n');
		}
	}
}

/* What is said about a key above its line. */
static void
put_comment(const struct config_key *k, struct buf *out)
{
	AUTO(buf) range = BUF_INIT(200);

	buf_printf(out, "\n# %s", k->help);
	config_range_format(k, &range);
	if (range.len > 1)
		buf_printf(out, " (%.*s)", (int)range.len, range.ptr);
	buf_put_str(out, config_key_repeats(k) ? "; repeatable\n" : "\n");
}

/* A key that has its default is shown behind '#'. */
static void
put_key(const struct config_key *k, const struct config *c, bool is_default,
    struct buf *out)
{
	/* Named even so: these are what the owner should have seen. */
	bool shown = !is_default || k->kind == KEY_ORIGIN ||
	    strcmp(k->name, "listen") == 0 || strcmp(k->name, "admit") == 0;

	put_comment(k, out);
	if (!shown || config_value_count(k, c) == 0) {
		buf_printf(out, "#%s =%s%s\n", k->name,
		    k->fallback[0] ? " " : "", k->fallback);
		return;
	}
	for (size_t n = 0; n < config_value_count(k, c); n++) {
		buf_printf(out, "%s = ", k->name);
		config_value_format(k, c, n, out);
		buf_put_u8(out, '\n');
	}
}

bool
config_write_default(
    const char *path, const struct config *c, struct error *err)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
	AUTO(config) defaults = {0};

	if (!config_defaults(c->dir, &defaults, err))
		return false;
	buf_put_str(&text,
	    "# Configuration of a transparency log: see mtlogd.conf(5).\n"
	    "# A line \"#key = value\" shows a default.\n");
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		put_key(&config_keys[i], c,
		    config_value_equal(&config_keys[i], c, &defaults), &text);
	return buf_ok(&text, err) &&
	    file_create(path, buf_bytes(&text), 0644, err);
}

bool
config_key(
    size_t n, const char **name, const char **fallback, const char **help)
{
	if (n >= CONFIG_KEYS)
		return false;
	*name = config_keys[n].name;
	*fallback = config_keys[n].fallback;
	*help = config_keys[n].help;
	return true;
}

static const char *const kind_names[] = {
    [KEY_ORIGIN] = "name",
    [KEY_ADDRESS] = "address:port",
    [KEY_URL] = "url",
    [KEY_PROXIES] = "address[/bits]",
    [KEY_PATH] = "path",
    [KEY_PATHS] = "path",
    [KEY_VKEYS] = "vkey",
    [KEY_SIGNERS] = "key",
    [KEY_IDENTITIES] = "identity",
    [KEY_TOKENS] = "token",
    [KEY_WITNESSES] = "witness",
    [KEY_SIZE] = "size",
    [KEY_COUNT] = "number",
    [KEY_SECONDS] = "seconds",
    [KEY_MILLISECONDS] = "milliseconds",
    [KEY_YES_NO] = "yes|no",
    [KEY_CHOICE] = "word",
};

void
config_print_keys(FILE *out)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *k = &config_keys[i];
		AUTO(buf) range = BUF_INIT(200);

		config_range_format(k, &range);
		(void)fprintf(out, "%s\t%s\t%s\t%.*s\t%s\t%s\t%s\n", k->name,
		    kind_names[k->kind], k->fallback[0] ? k->fallback : "-",
		    (int)range.len, range.ptr, k->reload ? "reload" : "restart",
		    config_key_repeats(k) ? "repeatable" : "once", k->help);
	}
}
