/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/tlog/note.h"
#include "io/file.h"

enum kind { TEXT, PATH, LIST, PATH_LIST, SIZE, NUMBER, SECONDS, YESNO, CHOICE };

/* The one table of keys: file, environment, flags, help and manual follow it. */
static const struct key {
	const char *name;
	enum kind kind;
	size_t at;
	const char *fallback;
	uint64_t min, max;
	const char *choices; /* CHOICE: separated by spaces, numbered from 0 */
	bool reload;
	const char *help;
} keys[] = {
#define AT(field) offsetof(struct config, field)
    {"origin", TEXT, AT(origin), "", 0, 0, NULL, false,
        "the log's name: origin of checkpoints and name of its key"},
    {"listen", TEXT, AT(listen), "127.0.0.1:8080", 0, 0, NULL, false,
        "address and port; port 0 takes a free one"},
    {"url", TEXT, AT(url), "", 0, 0, NULL, false,
        "how clients reach the log; empty: http:// and the address"},
    {"metrics-listen", TEXT, AT(metrics_listen), "", 0, 0, NULL, false,
        "address and port of the Prometheus metrics; empty: none"},
    {"database", PATH, AT(database), "db", 0, 0, NULL, false,
        "folder of log.db and index.db"},
    {"guard", PATH, AT(guard), "guard/guard", 0, 0, NULL, false,
        "the signer's memory of the last signed checkpoint"},
    {"guard-copy", PATH_LIST, AT(guard_copies), "", 0, 0, NULL, false,
        "a second guard on another disk; repeatable"},
    {"key", PATH, AT(key), "key.pem", 0, 0, NULL, false,
        "the log's private key, PEM"},
    {"key-passphrase-file", PATH, AT(key_passphrase_file), "", 0, 0, NULL,
        false, "file whose first line decrypts the key"},
    {"admit", CHOICE, 0, "anyone", 0, 0, "anyone", false,
        "whose submissions are taken: anyone with a valid signature"},
    {"public-submissions", YESNO, AT(public_submissions), "no", 0, 0, NULL,
        false, "yes: anyone may submit on an address that is not loopback"},
    {"trusted-proxy", LIST, AT(trusted_proxies), "", 0, 0, NULL, false,
        "address of a proxy whose X-Forwarded-For counts; repeatable"},
    {"low-water", SIZE, AT(low_water), "256MiB", CONFIG_LOW_WATER_MIN,
        1ull << 50, NULL, true, "free space below which the log is read-only"},
    {"queue-entries", NUMBER, AT(queue_entries), "8192", 16, 1000000, NULL,
        false, "entries that may wait for the sequencer"},
    {"queue-bytes", SIZE, AT(queue_bytes), "32MiB", 1 << 20, 1ull << 32, NULL,
        false, "bytes of entries that may wait for the sequencer"},
    {"batch-max", NUMBER, AT(batch_max), "1024", 1, 8192, NULL, false,
        "entries in one commit"},
    {"gather", NUMBER, AT(gather_ms), "3", 0, 50, NULL, false,
        "milliseconds in which a batch of more than four grows"},
    {"submit-timeout", SECONDS, AT(submit_timeout_ms), "20", 1, 600, NULL,
        false, "seconds until a submission is answered 504"},
    {"request-timeout", SECONDS, AT(request_timeout_ms), "10", 1, 600, NULL,
        false, "seconds in which a request must have arrived whole"},
    {"idle-timeout", SECONDS, AT(idle_timeout_ms), "60", 1, 3600, NULL, false,
        "seconds that an idle connection is kept"},
    {"max-connections", NUMBER, AT(max_connections), "8192", 8, 65536, NULL,
        false, "connections in all"},
    {"max-connections-per-client", NUMBER, AT(max_connections_per_client),
        "0", 0, 65536, NULL, false,
        "connections of one address (IPv6: /64); 0: no limit"},
    {"max-body", SIZE, AT(max_body), "1MiB", 4096, 16 << 20, NULL, false,
        "largest request body"},
    {"workers", NUMBER, AT(workers), "0", 0, 64, NULL, false,
        "threads that verify submissions; 0: one a processor"},
    {"http-threads", NUMBER, AT(http_threads), "2", 1, 64, NULL, false,
        "threads that serve connections"},
    {"cache-size", SIZE, AT(cache_size), "32MiB", 1 << 20, 1ull << 36, NULL,
        false, "memory for tiles and entry bundles"},
    {"log-format", CHOICE, AT(log_format), "text", 0, 0, "text json journal",
        true, "form of the lines on standard error"},
    {"log-level", CHOICE, AT(log_level), "info", 0, 0,
        "error warn info debug", true, "least grave event that is written"},
    {"witness-mode", CHOICE, 0, "off", 0, 0, "off", false,
        "whether witnesses cosign checkpoints; this version knows only off"},
#undef AT
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

bool
config_key(size_t n, const char **name, const char **fallback,
    const char **help)
{
	if (n >= KEYS)
		return false;
	*name = keys[n].name;
	*fallback = keys[n].fallback;
	*help = keys[n].help;
	return true;
}

static void *
field(struct config *c, const struct key *k)
{
	return (char *)c + k->at;
}

static char *
dup_bytes(struct bytes b)
{
	return strndup((const char *)b.ptr, b.len);
}

static bool
set_text(const struct key *k, struct bytes value, struct config *c,
    struct error *err)
{
	char **out = field(c, k);
	char *text = dup_bytes(value);

	if (text && k->kind == PATH && value.len > 0) {
		char *joined = path_join(c->dir, text);

		free(text);
		text = joined;
	}
	if (!text)
		return error_set(err, ERR_INTERNAL, "out of memory");
	free(*out);
	*out = text;
	return true;
}

static bool
add_item(const struct key *k, struct bytes value, struct config *c,
    struct error *err)
{
	struct config_list *list = field(c, k);
	char *text;

	if (value.len == 0)
		return true;
	if (list->count == CONFIG_LIST_MAX)
		return error_set(err, ERR_LIMIT, "at most %d values of %s",
		    CONFIG_LIST_MAX, k->name);
	text = dup_bytes(value);
	if (text && k->kind == PATH_LIST) {
		char *joined = path_join(c->dir, text);

		free(text);
		text = joined;
	}
	if (!text)
		return error_set(err, ERR_INTERNAL, "out of memory");
	list->items[list->count++] = text;
	return true;
}

/* A number with an optional unit; the unit's factor goes into `*out` too. */
static bool
read_number(const struct key *k, struct bytes value, uint64_t *out)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
	struct reader r = {value};

	if (!reader_decimal(&r, out))
		return false;
	if (reader_done(&r))
		return true;
	for (size_t i = 0; k->kind == SIZE && i < 3; i++)
		if (bytes_equal(r.rest, bytes_str(units[i].unit)))
			return !__builtin_mul_overflow(
			    *out, units[i].factor, out);
	return false;
}

static bool
set_number(const struct key *k, struct bytes value, struct config *c,
    struct error *err)
{
	uint64_t *out = field(c, k);
	uint64_t n;

	if (!read_number(k, value, &n) || n < k->min || n > k->max)
		return error_set(err, ERR_SYNTAX,
		    "%s wants %s from %llu to %llu", k->name,
		    k->kind == SIZE      ? "bytes (or KiB, MiB, GiB)"
		    : k->kind == SECONDS ? "seconds"
		                         : "a number",
		    (unsigned long long)k->min, (unsigned long long)k->max);
	*out = k->kind == SECONDS ? n * 1000 : n;
	return true;
}

static bool
set_choice(const struct key *k, struct bytes value, struct config *c,
    struct error *err)
{
	struct reader r = {bytes_str(k->choices)};
	int number = 0;

	while (!reader_done(&r)) {
		struct bytes word = r.rest;

		if (!reader_until(&r, ' ', &word))
			r.rest = (struct bytes){0};
		if (bytes_equal(word, value)) {
			if (k->at)
				*(int *)field(c, k) = number;
			return true;
		}
		number++;
	}
	return error_set(err, ERR_SYNTAX, "%s wants one of: %s", k->name,
	    k->choices);
}

static bool
set_value(const struct key *k, struct bytes value, struct config *c,
    struct error *err)
{
	switch (k->kind) {
	case TEXT:
	case PATH:
		return set_text(k, value, c, err);
	case LIST:
	case PATH_LIST:
		return add_item(k, value, c, err);
	case SIZE:
	case NUMBER:
	case SECONDS:
		return set_number(k, value, c, err);
	case YESNO:
		*(bool *)field(c, k) = bytes_equal(value, BYTES_LIT("yes"));
		return *(bool *)field(c, k) ||
		    bytes_equal(value, BYTES_LIT("no")) ||
		    error_set(err, ERR_SYNTAX, "%s wants yes or no", k->name);
	case CHOICE:
		return set_choice(k, value, c, err);
	}
	return false;
}

#define NAME_MAX_LEN 40

/* Edits (insert, delete, replace) between two short names. */
static size_t
distance(struct bytes a, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], n = strlen(b);

	if (a.len > NAME_MAX_LEN || n > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a.ptr[i - 1] != (uint8_t)b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static const struct key *
find_key(struct bytes name, struct error *err)
{
	size_t best = 0, least = SIZE_MAX;

	for (size_t i = 0; i < KEYS; i++) {
		size_t d = distance(name, keys[i].name);

		if (d == 0)
			return &keys[i];
		if (d < least) {
			least = d;
			best = i;
		}
	}
	(void)error_set(err, ERR_SYNTAX, "unknown key \"%.*s\"%s%s%s",
	    (int)(name.len < NAME_MAX_LEN ? name.len : NAME_MAX_LEN), name.ptr,
	    least <= 3 ? "; did you mean \"" : "",
	    least <= 3 ? keys[best].name : "", least <= 3 ? "\"?" : "");
	return NULL;
}

static struct bytes
trim(struct bytes b)
{
	while (b.len > 0 && (b.ptr[0] == ' ' || b.ptr[0] == '\t'))
		b = bytes_slice(b, 1, b.len);
	while (b.len > 0 && (b.ptr[b.len - 1] == ' ' || b.ptr[b.len - 1] == '\t'))
		b.len--;
	return b;
}

/* One line; `*column` says where an error is. */
static bool
parse_line(struct bytes line, bool seen[KEYS], struct config *c,
    size_t *column, struct error *err)
{
	struct bytes rest = trim(line), name, value;
	struct reader r = {rest};
	const struct key *k;
	size_t indent;

	if (rest.len == 0 || rest.ptr[0] == '#')
		return true;
	indent = (size_t)(rest.ptr - line.ptr);
	*column = indent + 1;
	if (!reader_until(&r, '=', &name))
		return error_set(err, ERR_SYNTAX, "a line reads key = value");
	k = find_key(trim(name), err);
	if (!k)
		return false;
	if (seen[k - keys] && k->kind != LIST && k->kind != PATH_LIST)
		return error_set(err, ERR_SYNTAX, "%s is set twice", k->name);
	seen[k - keys] = true;
	value = trim(r.rest);
	*column = value.len > 0 ? (size_t)(value.ptr - line.ptr) + 1
	                        : line.len + 1;
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
			return error_set(err, ERR_SYNTAX,
			    "control character in the value of %s", k->name);
	return set_value(k, value, c, err);
}

bool
config_parse(struct bytes text, const char *name, struct config *c,
    struct error *err)
{
	struct reader r = {text};
	bool seen[KEYS] = {0};
	size_t number = 0;

	while (!reader_done(&r)) {
		struct bytes line = r.rest;
		size_t column = 1;

		number++;
		if (!reader_line(&r, &line))
			r.rest = (struct bytes){0};
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (!parse_line(line, seen, c, &column, err))
			return error_prefix(
			    err, "%s:%zu:%zu", name, number, column);
	}
	return true;
}

bool
config_defaults(const char *dir, struct config *c, struct error *err)
{
	*c = (struct config){.dir = strdup(dir)};
	if (!c->dir)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < KEYS; i++)
		if (!set_value(&keys[i], bytes_str(keys[i].fallback), c, err))
			return false;
	return true;
}

static bool
read_environment(struct config *c, struct error *err)
{
	for (size_t i = 0; i < KEYS; i++) {
		char name[NAME_MAX_LEN + 8] = "MTLOGD_";
		const char *value;
		size_t at = strlen(name);

		for (const char *p = keys[i].name; *p; p++)
			name[at++] = *p == '-' ? '_' : (char)(*p - 'a' + 'A');
		value = getenv(name);
		if (value && !set_value(&keys[i], bytes_str(value), c, err))
			return error_prefix(err, "environment %s", name);
	}
	return true;
}

static bool
read_flags(const char *const *flags, struct config *c, struct error *err)
{
	for (; flags && *flags; flags++) {
		struct reader r = {bytes_str(*flags)};
		const struct key *k;
		struct bytes name;

		if (!reader_until(&r, '=', &name))
			return error_set(err, ERR_USAGE, "--%s wants a value",
			    *flags);
		k = find_key(name, err);
		if (!k || !set_value(k, r.rest, c, err))
			return error_prefix(
			    err, "--%.*s", (int)name.len, name.ptr);
	}
	return true;
}

bool
config_load(const char *dir, const char *file, const char *const *flags,
    struct config *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
	char *path = file ? strdup(file) : path_join(dir, CONFIG_FILE);
	bool ok = config_defaults(dir, out, err) &&
	    (path || error_set(err, ERR_INTERNAL, "out of memory")) &&
	    file_read(path, &text, err) &&
	    config_parse(buf_bytes(&text), path, out, err) &&
	    read_environment(out, err) && read_flags(flags, out, err);

	free(path);
	return ok;
}

static void
list_release(struct config_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i]);
	*l = (struct config_list){0};
}

void
config_release(struct config *c)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (keys[i].kind == TEXT || keys[i].kind == PATH)
			free(*(char **)field(c, &keys[i]));
		else if (keys[i].kind == LIST || keys[i].kind == PATH_LIST)
			list_release(field(c, &keys[i]));
	}
	free(c->dir);
	*c = (struct config){0};
}

static bool
is_loopback(const char *listen)
{
	return strncmp(listen, "127.", 4) == 0 ||
	    strncmp(listen, "[::1]", 5) == 0 ||
	    strncmp(listen, "localhost:", 10) == 0;
}

bool
config_check(const struct config *c, void (*warning)(const char *),
    struct error *err)
{
	struct bytes origin = bytes_str(c->origin);

	if (!note_name_valid(origin))
		return error_set(err, ERR_USAGE,
		    "origin \"%s\" cannot be a log's name: 1 to %d bytes "
		    "without white space or +",
		    c->origin, NOTE_NAME_MAX);
	if (strpbrk(c->origin, "/:") && warning)
		warning("the origin is not a bare host name: sigstore-go and "
		        "cosign take the host of the log's URL for its origin "
		        "and will refuse its proofs");
	if (!is_loopback(c->listen) && !c->public_submissions)
		return error_set(err, ERR_USAGE,
		    "listen = %s is open to others, and admit = anyone lets "
		    "each of them write: say public-submissions = yes if that "
		    "is what you want, or listen on 127.0.0.1",
		    c->listen);
	return true;
}

static bool
same_value(const struct key *k, struct config *a, struct config *b)
{
	struct config_list *la, *lb;

	switch (k->kind) {
	case TEXT:
	case PATH:
		return strcmp(*(char **)field(a, k), *(char **)field(b, k)) == 0;
	case LIST:
	case PATH_LIST:
		la = field(a, k);
		lb = field(b, k);
		if (la->count != lb->count)
			return false;
		for (size_t i = 0; i < la->count; i++)
			if (strcmp(la->items[i], lb->items[i]) != 0)
				return false;
		return true;
	case YESNO:
		return *(bool *)field(a, k) == *(bool *)field(b, k);
	case CHOICE:
		return !k->at || *(int *)field(a, k) == *(int *)field(b, k);
	case SIZE:
	case NUMBER:
	case SECONDS:
		break;
	}
	return *(uint64_t *)field(a, k) == *(uint64_t *)field(b, k);
}

void
config_apply(struct config *c, struct config *next, char *restart, size_t len)
{
	size_t at = 0;

	restart[0] = '\0';
	for (size_t i = 0; i < KEYS; i++) {
		const struct key *k = &keys[i];
		int n;

		if (same_value(k, c, next))
			continue;
		if (k->reload && k->kind == CHOICE) {
			*(int *)field(c, k) = *(int *)field(next, k);
		} else if (k->reload) {
			*(uint64_t *)field(c, k) = *(uint64_t *)field(next, k);
		} else if (at < len) {
			n = snprintf(restart + at, len - at, "%s%s",
			    at > 0 ? ", " : "", k->name);
			at += n > 0 ? (size_t)n : 0;
		}
	}
}

bool
config_from_flags(const char *dir, const char *const *flags,
    struct config *out, struct error *err)
{
	return config_defaults(dir, out, err) && read_environment(out, err) &&
	    read_flags(flags, out, err);
}

/* A path below the log's folder is written relative to it. */
static const char *
relative(const struct config *c, const char *path)
{
	size_t n = strlen(c->dir);

	return strncmp(path, c->dir, n) == 0 && path[n] == '/' ? path + n + 1
	                                                       : path;
}

static void
put_text_value(struct config *c, const struct key *k, struct buf *out)
{
	const char *value = *(char **)field(c, k);

	if (k->kind == PATH)
		value = relative(c, value);
	buf_printf(out, "%s%s%s\n", k->name, value[0] ? " = " : " =", value);
}

static void
put_list(struct config *c, const struct key *k, struct buf *out)
{
	const struct config_list *l = field(c, k);

	for (size_t i = 0; i < l->count; i++)
		buf_printf(out, "%s = %s\n", k->name,
		    k->kind == PATH_LIST ? relative(c, l->items[i])
		                         : l->items[i]);
}

static void
put_value(struct config *c, const struct key *k, struct buf *out)
{
	uint64_t n;

	switch (k->kind) {
	case TEXT:
	case PATH:
		put_text_value(c, k, out);
		return;
	case LIST:
	case PATH_LIST:
		put_list(c, k, out);
		return;
	case YESNO:
		buf_printf(out, "%s = %s\n", k->name,
		    *(bool *)field(c, k) ? "yes" : "no");
		return;
	case SIZE:
	case NUMBER:
	case SECONDS:
		n = *(uint64_t *)field(c, k);
		buf_printf(out, "%s = %llu\n", k->name,
		    (unsigned long long)(k->kind == SECONDS ? n / 1000 : n));
		return;
	case CHOICE:
		break;
	}
}

static bool
always_written(const struct key *k)
{
	return strcmp(k->name, "origin") == 0 || strcmp(k->name, "listen") == 0;
}

bool
config_write_default(const char *path, const struct config *c,
    struct error *err)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
	struct config defaults, copy = *c;
	bool ok = config_defaults(c->dir, &defaults, err);

	buf_put_str(&text,
	    "# mtlogd.conf: see mtlogd.conf(5). Keys behind # have the value "
	    "shown.\n");
	for (size_t i = 0; ok && i < KEYS; i++) {
		const struct key *k = &keys[i];

		buf_printf(&text, "\n# %s\n", k->help);
		if (always_written(k) || !same_value(k, &copy, &defaults))
			put_value(&copy, k, &text);
		else if (strcmp(k->name, "admit") == 0)
			buf_printf(&text, "%s = %s\n", k->name, k->fallback);
		else
			buf_printf(&text, "#%s =%s%s\n", k->name,
			    k->fallback[0] ? " " : "", k->fallback);
	}
	config_release(&defaults);
	return ok && buf_ok(&text, err) &&
	    file_create(path, buf_bytes(&text), 0644, err);
}
