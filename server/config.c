/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/tlog/note.h"
#include "io/file.h"
#include "server/config_keys.h"

#define ENVIRONMENT "MTLOGD_"

/* One of the places that values come from; a list begins anew in each. */
struct source {
	struct config *config;
	size_t seen[CONFIG_KEYS]; /* the line of a key; 0: not yet */
};

static struct bytes
trim(struct bytes b)
{
	while (b.len > 0 && (b.ptr[0] == ' ' || b.ptr[0] == '\t'))
		b = bytes_slice(b, 1, b.len);
	while (
	    b.len > 0 && (b.ptr[b.len - 1] == ' ' || b.ptr[b.len - 1] == '\t'))
		b.len--;
	return b;
}

static bool
take(struct source *s, const struct config_key *k, struct bytes value,
    size_t line, struct error *err)
{
	if (s->seen[k - config_keys] == 0)
		config_value_clear(k, s->config);
	s->seen[k - config_keys] = line;
	return config_value_set(k, value, s->config, err);
}

/* The file. `*at` is the offset in the line of what an error is about. */

static bool
parse_line(struct source *s, struct bytes line, size_t number, size_t *at,
    struct error *err)
{
	struct bytes text = trim(line), name, value;
	struct reader r = {text};
	const struct config_key *k;
	size_t in_value;

	*at = 0;
	if (!config_text_clean(line, false, at, err))
		return false;
	if (text.len == 0 || text.ptr[0] == '#')
		return true;
	*at = (size_t)(text.ptr - line.ptr);
	if (!reader_until(&r, '=', &name))
		return error_set(
		    err, ERR_SYNTAX, "a line reads \"key = value\"");
	name = trim(name);
	if (name.len == 0)
		return error_set(
		    err, ERR_SYNTAX, "there is no key before \"=\"");
	k = config_key_find(name, err);
	if (!k)
		return false;
	if (s->seen[k - config_keys] && !config_key_repeats(k))
		return error_set(err, ERR_SYNTAX,
		    "%s is set again; it was in line %zu", k->name,
		    s->seen[k - config_keys]);
	value = trim(r.rest);
	*at = value.len > 0 ? (size_t)(value.ptr - line.ptr) : line.len;
	if (!config_text_clean(value, true, &in_value, err)) {
		*at += in_value;
		return false;
	}
	return take(s, k, value, number, err);
}

/* Columns count characters, as editors do. */
static size_t
column_of(struct bytes line, size_t at)
{
	size_t column = 1;

	for (size_t i = 0; i < at; i++)
		column += (line.ptr[i] & 0xc0) != 0x80;
	return column;
}

bool
config_parse(
    struct bytes text, const char *name, struct config *c, struct error *err)
{
	struct source s = {.config = c};
	struct reader r = {text};

	if (bytes_starts(text, BYTES_LIT("\xef\xbb\xbf"))) {
		(void)error_set(
		    err, ERR_SYNTAX, "the file begins with a byte order mark");
		return error_prefix(err, "%s:1:1", name);
	}
	for (size_t number = 1; !reader_done(&r); number++) {
		struct bytes line = r.rest;
		size_t at = 0;

		if (!reader_line(&r, &line))
			r.rest = (struct bytes){0};
		if (!parse_line(&s, line, number, &at, err))
			return error_prefix(err, "%s:%zu:%zu", name, number,
			    column_of(line, at));
	}
	return true;
}

/* Environment and flags. */

static bool
take_outside(struct source *s, const struct config_key *k, struct bytes value,
    struct error *err)
{
	size_t at;

	value = trim(value);
	return config_text_clean(value, true, &at, err) &&
	    take(s, k, value, 1, err);
}

/* "MTLOGD_QUEUE_BYTES" of "queue-bytes". */
static void
variable_name(const char *key, char out[CONFIG_NAME_MAX + 10])
{
	size_t at = strlen(ENVIRONMENT);

	memcpy(out, ENVIRONMENT, at);
	for (; *key && at < CONFIG_NAME_MAX + 9; key++)
		out[at++] = *key == '-' ? '_' : (char)(*key - 'a' + 'A');
	out[at] = '\0';
}

static bool
read_variable(struct source *s, const struct config_key *k, const char *value,
    struct error *err)
{
	struct reader r = {bytes_str(value)};
	struct bytes item;

	while (config_key_repeats(k) && reader_until(&r, ',', &item))
		if (!take_outside(s, k, item, err))
			return false;
	return take_outside(s, k, r.rest, err);
}

static bool
read_environment(struct config *c, struct error *err)
{
	struct source s = {.config = c};

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		char name[CONFIG_NAME_MAX + 10];
		const char *value;

		variable_name(config_keys[i].name, name);
		value = getenv(name);
		if (value && !read_variable(&s, &config_keys[i], value, err))
			return error_prefix(err, "environment %s", name);
	}
	return true;
}

/* POSIX leaves the declaration to the program. */
extern char **environ;

/* Someone else's variables may begin like ours, so they are no error. */
static void
warn_of_variables(void (*warning)(const char *))
{
	for (char **e = environ; e && *e; e++) {
		char name[CONFIG_NAME_MAX + 10], text[200];
		size_t len = strcspn(*e, "="), i = 0;

		if (strncmp(*e, ENVIRONMENT, strlen(ENVIRONMENT)) != 0)
			continue;
		for (; i < CONFIG_KEYS; i++) {
			variable_name(config_keys[i].name, name);
			if (strlen(name) == len && strncmp(*e, name, len) == 0)
				break;
		}
		if (i < CONFIG_KEYS)
			continue;
		(void)snprintf(text, sizeof(text),
		    "the environment has %.*s, which names no key of "
		    "mtlogd.conf(5)",
		    len < 100 ? (int)len : 100, *e);
		warning(text);
	}
}

static bool
read_flags(const char *const *flags, struct config *c, struct error *err)
{
	struct source s = {.config = c};

	for (; flags && *flags; flags++) {
		struct reader r = {bytes_str(*flags)};
		const struct config_key *k;
		struct bytes name;

		if (!reader_until(&r, '=', &name))
			return error_set(
			    err, ERR_USAGE, "--%s wants a value", *flags);
		k = config_key_find(name, err);
		if (k && take_outside(&s, k, r.rest, err))
			continue;
		err->code = err->code == ERR_SYNTAX ? ERR_USAGE : err->code;
		return k ? error_prefix(err, "--%s", k->name) : false;
	}
	return true;
}

/* All together. */

bool
config_defaults(const char *dir, struct config *c, struct error *err)
{
	*c = (struct config){.dir = strdup(dir)};
	if (!c->dir)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *k = &config_keys[i];

		/* The origin alone has neither a default nor an empty value. */
		if (k->kind == KEY_ORIGIN)
			c->origin = strdup("");
		else if (!config_value_set(k, bytes_str(k->fallback), c, err))
			return false;
	}
	return c->origin || error_set(err, ERR_INTERNAL, "out of memory");
}

/* The sources' names are kept for a reload. */
static bool
remember(struct config *c, const char *file, const char *const *flags,
    struct error *err)
{
	size_t n = 0;

	while (flags && flags[n])
		n++;
	c->file = file ? strdup(file) : path_join(c->dir, CONFIG_FILE);
	c->flags = calloc(n + 1, sizeof(*c->flags));
	if (!c->file || !c->flags)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < n; i++) {
		c->flags[i] = strdup(flags[i]);
		if (!c->flags[i])
			return error_set(err, ERR_INTERNAL, "out of memory");
	}
	return true;
}

static bool
begin(const char *dir, const char *file, const char *const *flags,
    struct config *out, struct error *err)
{
	return config_defaults(dir, out, err) &&
	    remember(out, file, flags, err);
}

static bool
read_sources(struct bytes text, struct config *out, struct error *err)
{
	return config_parse(text, out->file, out, err) &&
	    read_environment(out, err) &&
	    read_flags((const char *const *)out->flags, out, err);
}

bool
config_load(const char *dir, const char *file, const char *const *flags,
    struct config *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);

	return begin(dir, file, flags, out, err) &&
	    file_read(out->file, &text, err) &&
	    read_sources(buf_bytes(&text), out, err);
}

bool
config_from_flags(const char *dir, const char *const *flags, struct config *out,
    struct error *err)
{
	return begin(dir, NULL, flags, out, err) &&
	    read_environment(out, err) && read_flags(flags, out, err);
}

void
config_release(struct config *c)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		config_value_release(&config_keys[i], c);
	for (size_t i = 0; c->flags && c->flags[i]; i++)
		free(c->flags[i]);
	free(c->flags);
	free(c->file);
	free(c->dir);
	*c = (struct config){0};
}

/* The next component of a path, without "." and empty ones; empty at the end.
 */
static struct bytes
component(struct reader *r)
{
	while (!reader_done(r)) {
		struct bytes c = r->rest;

		if (!reader_until(r, '/', &c))
			r->rest = (struct bytes){0};
		if (c.len > 0 && !bytes_equal(c, BYTES_LIT(".")))
			return c;
	}
	return (struct bytes){0};
}

/* Whether `path` is `folder` or below it, by their names. */
static bool
path_below(const char *folder, const char *path)
{
	struct reader f = {bytes_str(folder)}, p = {bytes_str(path)};

	if ((folder[0] == '/') != (path[0] == '/'))
		return false;
	for (;;) {
		struct bytes want = component(&f);

		if (want.len == 0)
			return true;
		if (!bytes_equal(want, component(&p)))
			return false;
	}
}

/* The server may write in the database's folder, so nothing that it must not
 * be able to change may be there. */
static bool
check_places(const struct config *c, struct error *err)
{
	const struct config_list *copies = &c->guard_copies;

	if (path_below(c->database, c->guard))
		return error_set(err, ERR_USAGE,
		    "guard = %s is in the database's folder; it must outlive "
		    "the database, so it has a folder of its own",
		    c->guard);
	if (path_below(c->database, c->key))
		return error_set(err, ERR_USAGE,
		    "key = %s is in the database's folder, which the process "
		    "that reads the network may open",
		    c->key);
	for (size_t i = 0; i < copies->count; i++) {
		if (path_below(c->database, copies->items[i]))
			return error_set(err, ERR_USAGE,
			    "guard-copy = %s is in the database's folder; a "
			    "copy is for another disk",
			    copies->items[i]);
		if (path_below(copies->items[i], c->guard) &&
		    path_below(c->guard, copies->items[i]))
			return error_set(err, ERR_USAGE,
			    "guard-copy = %s is the guard itself",
			    copies->items[i]);
	}
	return true;
}

static bool
check_rules(const struct config *c, struct error *err)
{
	size_t rules = c->admit_keys.count + c->admit_identities.count +
	    c->admit_tokens.count;

	if (c->admit == CONFIG_ADMIT_ANYONE && rules > 0)
		return error_set(err, ERR_USAGE,
		    "there are rules for submissions, but admit = anyone: say "
		    "admit = rules, or leave them out");
	if (c->admit == CONFIG_ADMIT_RULES && rules == 0)
		return error_set(err, ERR_USAGE,
		    "admit = rules without admit-key, admit-identity or "
		    "admit-token takes nobody's submissions");
	return true;
}

static bool
check_witnesses(
    const struct config *c, void (*warning)(const char *), struct error *err)
{
	bool off = c->witness_mode == CONFIG_WITNESS_OFF;
	bool any = c->witness_policy && c->witness_policy[0];

	if (!off && !any)
		return error_set(err, ERR_USAGE,
		    "witness-mode wants witnesses: say witness-policy = FILE, "
		    "which names them and their quorum");
	if (off && any && warning)
		warning("there is a witness-policy, but witness-mode = off: "
			"no witness is asked");
	return true;
}

static bool
check_limits(const struct config *c, struct error *err)
{
	if (c->max_connections_per_client > c->max_connections)
		return error_set(err, ERR_USAGE,
		    "max-connections-per-client = %llu is more than "
		    "max-connections = %llu",
		    (unsigned long long)c->max_connections_per_client,
		    (unsigned long long)c->max_connections);
	if (c->queue_bytes < c->max_body)
		return error_set(err, ERR_USAGE,
		    "queue-bytes = %llu is less than max-body = %llu: a "
		    "request could never be queued",
		    (unsigned long long)c->queue_bytes,
		    (unsigned long long)c->max_body);
	return true;
}

bool
config_check(
    const struct config *c, void (*warning)(const char *), struct error *err)
{
	if (!c->origin || !c->origin[0])
		return error_set(err, ERR_USAGE,
		    "origin is not set: it is the log's name, such as "
		    "log.example.org");
	if (!note_name_valid(bytes_str(c->origin)))
		return error_set(
		    err, ERR_USAGE, "origin cannot be a log's name");
	if (c->admit == CONFIG_ADMIT_ANYONE &&
	    !config_address_loopback(c->listen) && !c->public_submissions)
		return error_set(err, ERR_USAGE,
		    "listen = %s is open to others, and admit = anyone lets "
		    "each of them write: say public-submissions = yes if that "
		    "is what you want, or listen on 127.0.0.1",
		    c->listen);
	if (!check_rules(c, err) || !check_places(c, err) ||
	    !check_limits(c, err) || !check_witnesses(c, warning, err))
		return false;
	if (!warning)
		return true;
	if (strpbrk(c->origin, "/:"))
		warning("the origin is not a bare host name: sigstore-go and "
			"cosign take the host of the log's URL for its origin "
			"and will refuse its proofs");
	warn_of_variables(warning);
	return true;
}

static void
apply_key(const struct config_key *k, struct config *c, struct config *next)
{
	AUTO(buf) value = BUF_INIT(CONFIG_MAX_LEN);
	struct error ignored = {0};

	/* Formatted and read again: what is valid there is valid here. */
	config_value_format(k, next, 0, &value);
	(void)!config_value_set(k, buf_bytes(&value), c, &ignored);
}

void
config_apply(struct config *c, struct config *next, char *restart, size_t len)
{
	size_t at = 0;

	if (len > 0)
		restart[0] = '\0';
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *k = &config_keys[i];
		int n;

		if (config_value_equal(k, c, next))
			continue;
		if (k->reload) {
			apply_key(k, c, next);
		} else if (at < len) {
			n = snprintf(restart + at, len - at, "%s%s",
			    at > 0 ? ", " : "", k->name);
			at += n > 0 ? (size_t)n : 0;
		}
	}
}

bool
config_reload(struct config *c, struct bytes text, char *restart, size_t len,
    struct error *err)
{
	AUTO(config) next = {0};

	if (!begin(
		c->dir, c->file, (const char *const *)c->flags, &next, err) ||
	    !read_sources(text, &next, err) || !config_check(&next, NULL, err))
		return false;
	config_apply(c, &next, restart, len);
	return true;
}
