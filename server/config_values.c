/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/tlog/note.h"
#include "io/file.h"
#include "server/config_keys.h"
#include "server/rule_text.h"

#define LIST_MAX 8 /* values of a list that does not say */

static void *
field(struct config *c, const struct config_key *k)
{
	return (char *)c + k->at;
}

static const void *
field_of(const struct config *c, const struct config_key *k)
{
	return (const char *)c + k->at;
}

static const char *
text_of(const struct config *c, const struct config_key *k)
{
	const char *text = *(const char *const *)field_of(c, k);

	return text ? text : "";
}

static bool
is_port(const char *text)
{
	uint64_t port;

	return decimal_parse(bytes_str(text), &port) && port <= 65535;
}

/* The address of "ADDR:PORT" or "[v6]:PORT", as 16 bytes. */
static bool
address_parse(const char *text, struct in6_addr *out)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 8] = "::ffff:";
	size_t at = 7, len = colon ? (size_t)(colon - text) : 0;

	if (!colon || !is_port(colon + 1))
		return false;
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
		at = 0;
	} else if (memchr(text, ':', len)) {
		return false;
	}
	if (len == 0 || len >= sizeof(host) - at)
		return false;
	memcpy(host + at, text, len);
	host[at + len] = '\0';
	return inet_pton(AF_INET6, host, out) == 1;
}

bool
config_address_loopback(const char *address)
{
	struct in6_addr a;

	if (!address_parse(address, &a))
		return false;
	return IN6_IS_ADDR_LOOPBACK(&a) ||
	    (IN6_IS_ADDR_V4MAPPED(&a) && a.s6_addr[12] == 127);
}

static bool
origin_valid(const char *text)
{
	return note_name_valid(bytes_str(text));
}

static bool
address_valid(const char *text)
{
	struct in6_addr a;

	return address_parse(text, &a);
}

static bool
url_valid(const char *text)
{
	size_t len = strlen(text);
	size_t scheme = strncmp(text, "https://", 8) == 0 ? 8
	    : strncmp(text, "http://", 7) == 0		  ? 7
							  : 0;

	return scheme > 0 && len > scheme && text[scheme] != '/' &&
	    text[len - 1] != '/' && !strpbrk(text, " \"<>\\^`{|}?#");
}

/* ADDR or ADDR/BITS. */
static bool
proxy_valid(const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[INET6_ADDRSTRLEN];
	struct in6_addr a;
	uint64_t bits = 0;

	if (len == 0 || len >= sizeof(host) ||
	    (slash && !decimal_parse(bytes_str(slash + 1), &bits)))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return (inet_pton(AF_INET, host, &a) == 1 && bits <= 32) ||
	    (inet_pton(AF_INET6, host, &a) == 1 && bits <= 128);
}

static bool
vkey_valid(const char *text)
{
	struct error err = {0};
	struct vkey vkey;

	return vkey_parse(bytes_str(text), &vkey, &err);
}

static bool
signer_valid(const char *text)
{
	struct rule_key k;

	return rule_key_parse(bytes_str(text), &k);
}

static bool
identity_valid(const char *text)
{
	struct rule_identity i;

	return rule_identity_parse(bytes_str(text), &i);
}

static bool
token_valid(const char *text)
{
	struct rule_token t;

	return rule_token_parse(bytes_str(text), &t);
}

static bool
witness_valid(const char *text)
{
	struct rule_witness w;
	char url[2048];

	if (!rule_witness_parse(bytes_str(text), &w) ||
	    w.monitoring.len >= sizeof(url))
		return false;
	if (w.monitoring.len == 0)
		return true;
	memcpy(url, w.monitoring.ptr, w.monitoring.len);
	url[w.monitoring.len] = '\0';
	return url_valid(url);
}

/* What a text of a kind must be; a path may be anything. */
static const struct {
	bool (*valid)(const char *text);
	const char *wants;
} texts[] = {
    [KEY_ORIGIN] = {origin_valid,
	"a name of 1 to 255 bytes without white space or \"+\""},
    [KEY_ADDRESS] = {address_valid,
	"a numeric address and a port up to 65535, such as 127.0.0.1:8080 or "
	"[::1]:8080"},
    [KEY_URL] = {url_valid,
	"http:// or https:// and a host, without \"/\" at the end"},
    [KEY_PROXIES] = {proxy_valid,
	"a numeric address or a range of them, such as 10.0.0.1 or "
	"10.0.0.0/8"},
    [KEY_PATH] = {NULL, "the name of a file or folder"},
    [KEY_PATHS] = {NULL, "the name of a file or folder"},
    [KEY_VKEYS] = {vkey_valid, "a log's vkey: name+hash+key"},
    [KEY_SIGNERS] = {signer_valid,
	"64 lower-case hex digits, or the name of a PEM file"},
    [KEY_IDENTITIES] = {identity_valid,
	"email:, uri:, dns: or other: and a name, perhaps issuer= and a URL, "
	"and the name of a PEM file, separated by blanks"},
    [KEY_TOKENS] = {token_valid,
	"NAME, NAME/* or *, a number of entries a day, and the name of a "
	"file, separated by blanks"},
    [KEY_WITNESSES] = {witness_valid,
	"a witness's name, perhaps interval= and milliseconds (50 to "
	"3600000), timeout= and seconds (1 to 60), monitoring= and a URL, in "
	"this order, separated by blanks"},
};

/* An owned copy of the value as it is kept; NULL with `err` set. */
static char *
text_make(const struct config_key *k, struct bytes value,
    const struct config *c, struct error *err)
{
	char *text, *joined;

	/* The one name that everyone writes for an address. */
	if (k->kind == KEY_ADDRESS &&
	    bytes_starts(value, BYTES_LIT("localhost:"))) {
		if (asprintf(&text, "127.0.0.1:%.*s", (int)value.len - 10,
			value.ptr + 10) < 0)
			text = NULL;
	} else {
		/* Not strndup: the value is the end of no string. */
		text = calloc(1, value.len + 1);
		if (text && value.len > 0)
			memcpy(text, value.ptr, value.len);
	}
	if (text && (k->kind == KEY_PATH || k->kind == KEY_PATHS) && text[0]) {
		joined = path_join(c->dir, text);
		free(text);
		text = joined;
	}
	if (!text) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	if (value.len == 0
		? !k->optional
		: texts[k->kind].valid && !texts[k->kind].valid(text)) {
		(void)error_set(err, ERR_SYNTAX, "%s wants %s", k->name,
		    texts[k->kind].wants);
		free(text);
		return NULL;
	}
	return text;
}

static bool
text_set(const struct config_key *k, struct bytes value, struct config *c,
    struct error *err)
{
	char **out = field(c, k);
	char *text = text_make(k, value, c, err);

	if (!text)
		return false;
	free(*out);
	*out = text;
	return true;
}

static bool
list_add(const struct config_key *k, struct bytes value, struct config *c,
    struct error *err)
{
	struct config_list *list = field(c, k);
	char *text;

	if (value.len == 0)
		return true;
	if (list->count == (k->max ? k->max : LIST_MAX))
		return error_set(err, ERR_SYNTAX, "%s has more than %d values",
		    k->name, (int)list->count);
	text = text_make(k, value, c, err);
	if (!text)
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0) {
			free(text);
			return error_set(err, ERR_SYNTAX,
			    "%s has this value already", k->name);
		}
	list->items[list->count++] = text;
	return true;
}

static const struct {
	const char *name;
	uint64_t factor;
} size_units[] = {
    {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}};

#define SIZE_UNITS (sizeof(size_units) / sizeof(size_units[0]))

/* A number with its unit, which only a size needs. */
static bool
number_parse(enum key_kind kind, struct bytes value, uint64_t *out)
{
	struct reader r = {value};

	if (!reader_decimal(&r, out))
		return false;
	if (reader_done(&r))
		return true;
	if (kind == KEY_SECONDS)
		return bytes_equal(r.rest, BYTES_LIT("s"));
	if (kind == KEY_MILLISECONDS)
		return bytes_equal(r.rest, BYTES_LIT("ms"));
	for (size_t i = 0; kind == KEY_SIZE && i < SIZE_UNITS; i++)
		if (bytes_equal(r.rest, bytes_str(size_units[i].name)))
			return !__builtin_mul_overflow(
			    *out, size_units[i].factor, out);
	return false;
}

static bool
number_set(const struct config_key *k, struct bytes value, struct config *c,
    struct error *err)
{
	uint64_t *out = field(c, k);
	AUTO(buf) range = BUF_INIT(100);
	uint64_t n;

	if (number_parse(k->kind, value, &n) && n >= k->min && n <= k->max) {
		*out = k->kind == KEY_SECONDS ? n * 1000 : n;
		return true;
	}
	config_range_format(k, &range);
	return error_set(err, ERR_SYNTAX, "%s wants %s%.*s", k->name,
	    k->kind == KEY_SIZE ? "bytes, or a number of KiB, MiB or GiB, from "
				: "",
	    (int)range.len, range.ptr);
}

/* The place of `word` among words separated by single spaces, or -1. */
static int
word_find(const char *words, struct bytes word)
{
	struct reader r = {bytes_str(words ? words : "")};

	for (int i = 0; !reader_done(&r); i++) {
		struct bytes w = r.rest;

		if (!reader_until(&r, ' ', &w))
			r.rest = (struct bytes){0};
		if (bytes_equal(w, word))
			return i;
	}
	return -1;
}

static bool
choice_set(const struct config_key *k, struct bytes value, struct config *c,
    struct error *err)
{
	int n = word_find(k->choices, value);

	if (n >= 0) {
		if (k->at)
			*(int *)field(c, k) = n;
		return true;
	}
	return error_set(
	    err, ERR_SYNTAX, "%s wants one of: %s", k->name, k->choices);
}

static bool
yes_no_set(const struct config_key *k, struct bytes value, struct config *c,
    struct error *err)
{
	bool yes = bytes_equal(value, BYTES_LIT("yes"));

	if (!yes && !bytes_equal(value, BYTES_LIT("no")))
		return error_set(
		    err, ERR_SYNTAX, "%s wants yes or no", k->name);
	*(bool *)field(c, k) = yes;
	return true;
}

bool
config_value_set(const struct config_key *k, struct bytes value,
    struct config *c, struct error *err)
{
	switch (k->kind) {
	case KEY_ORIGIN:
	case KEY_ADDRESS:
	case KEY_URL:
	case KEY_PATH:
		return text_set(k, value, c, err);
	case KEY_PROXIES:
	case KEY_PATHS:
	case KEY_VKEYS:
	case KEY_SIGNERS:
	case KEY_IDENTITIES:
	case KEY_TOKENS:
	case KEY_WITNESSES:
		return list_add(k, value, c, err);
	case KEY_SIZE:
	case KEY_COUNT:
	case KEY_SECONDS:
	case KEY_MILLISECONDS:
		return number_set(k, value, c, err);
	case KEY_YES_NO:
		return yes_no_set(k, value, c, err);
	case KEY_CHOICE:
		return choice_set(k, value, c, err);
	}
	return error_set(err, ERR_INTERNAL, "%s has no kind", k->name);
}

void
config_value_clear(const struct config_key *k, struct config *c)
{
	struct config_list *list;

	if (!config_key_repeats(k))
		return;
	list = field(c, k);
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	*list = (struct config_list){0};
}

void
config_value_release(const struct config_key *k, struct config *c)
{
	char **text;

	config_value_clear(k, c);
	if (k->kind != KEY_ORIGIN && k->kind != KEY_ADDRESS &&
	    k->kind != KEY_URL && k->kind != KEY_PATH)
		return;
	text = field(c, k);
	free(*text);
	*text = NULL;
}

bool
config_text_clean(
    struct bytes text, bool is_value, size_t *at, struct error *err)
{
	for (size_t i = 0, len; i < text.len; i += len) {
		uint8_t b = text.ptr[i];

		*at = i;
		len = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
		if (len > text.len - i ||
		    !utf8_valid(bytes_slice(text, i, i + len)))
			return error_set(err, ERR_SYNTAX, "not UTF-8");
		if (b == '\t' && !is_value)
			continue;
		if (b == '\r')
			return error_set(err, ERR_SYNTAX,
			    "carriage return; lines end with a line feed "
			    "alone");
		if (b < 0x20 || b == 0x7f)
			return error_set(
			    err, ERR_SYNTAX, "control character 0x%02x", b);
		if (b == '#' && is_value && i > 0 && text.ptr[i - 1] == ' ')
			return error_set(err, ERR_SYNTAX,
			    "a comment stands on a line of its own");
	}
	return true;
}

static void
put_size(struct buf *out, uint64_t n)
{
	for (size_t i = 0; i < SIZE_UNITS; i++)
		if (n > 0 && n % size_units[i].factor == 0) {
			buf_printf(out, "%llu%s",
			    (unsigned long long)(n / size_units[i].factor),
			    size_units[i].name);
			return;
		}
	buf_put_decimal(out, n);
}

static void
put_choice(struct buf *out, const char *choices, int n)
{
	struct reader r = {bytes_str(choices)};
	struct bytes word = r.rest;

	for (; n >= 0; n--) {
		word = r.rest;
		if (!reader_until(&r, ' ', &word))
			break;
	}
	buf_put(out, word);
}

/* A path below the log's folder as the file has it: relative, unless it would
 * be read as something else then. */
static const char *
relative(const struct config *c, const char *path)
{
	size_t n = strlen(c->dir);
	const char *rest;

	while (n > 1 && c->dir[n - 1] == '/')
		n--;
	if (strncmp(path, c->dir, n) != 0 || path[n] != '/')
		return path;
	rest = path + n + 1;
	return *rest && *rest != '/' && *rest != ' ' ? rest : path;
}

const char *
config_value_relative(const struct config_key *k, const struct config *c)
{
	return relative(c, text_of(c, k));
}

void
config_value_format(const struct config_key *k, const struct config *c,
    size_t n, struct buf *out)
{
	const struct config_list *list = field_of(c, k);
	const uint64_t *number = field_of(c, k);

	switch (k->kind) {
	case KEY_ORIGIN:
	case KEY_ADDRESS:
	case KEY_URL:
		buf_put_str(out, text_of(c, k));
		break;
	case KEY_PATH:
		buf_put_str(out, relative(c, text_of(c, k)));
		break;
	case KEY_PROXIES:
	case KEY_VKEYS:
	case KEY_SIGNERS:
	case KEY_IDENTITIES:
	case KEY_TOKENS:
	case KEY_WITNESSES:
		buf_put_str(out, list->items[n]);
		break;
	case KEY_PATHS:
		buf_put_str(out, relative(c, list->items[n]));
		break;
	case KEY_SIZE:
		put_size(out, *number);
		break;
	case KEY_COUNT:
	case KEY_MILLISECONDS:
		buf_put_decimal(out, *number);
		break;
	case KEY_SECONDS:
		buf_put_decimal(out, *number / 1000);
		break;
	case KEY_YES_NO:
		buf_put_str(out, *(const bool *)field_of(c, k) ? "yes" : "no");
		break;
	case KEY_CHOICE:
		put_choice(
		    out, k->choices, k->at ? *(const int *)field_of(c, k) : 0);
		break;
	}
}

size_t
config_value_count(const struct config_key *k, const struct config *c)
{
	if (!config_key_repeats(k))
		return 1;
	return ((const struct config_list *)field_of(c, k))->count;
}

static bool
list_equal(const struct config_list *a, const struct config_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

bool
config_value_equal(
    const struct config_key *k, const struct config *a, const struct config *b)
{
	switch (k->kind) {
	case KEY_ORIGIN:
	case KEY_ADDRESS:
	case KEY_URL:
	case KEY_PATH:
		return strcmp(text_of(a, k), text_of(b, k)) == 0;
	case KEY_PROXIES:
	case KEY_PATHS:
	case KEY_VKEYS:
	case KEY_SIGNERS:
	case KEY_IDENTITIES:
	case KEY_TOKENS:
	case KEY_WITNESSES:
		return list_equal(field_of(a, k), field_of(b, k));
	case KEY_SIZE:
	case KEY_COUNT:
	case KEY_SECONDS:
	case KEY_MILLISECONDS:
		return *(const uint64_t *)field_of(a, k) ==
		    *(const uint64_t *)field_of(b, k);
	case KEY_YES_NO:
		return *(const bool *)field_of(a, k) ==
		    *(const bool *)field_of(b, k);
	case KEY_CHOICE:
		return !k->at ||
		    *(const int *)field_of(a, k) ==
		    *(const int *)field_of(b, k);
	}
	return false;
}

void
config_range_format(const struct config_key *k, struct buf *out)
{
	switch (k->kind) {
	case KEY_SIZE:
		put_size(out, k->min);
		buf_put_str(out, " to ");
		put_size(out, k->max);
		break;
	case KEY_COUNT:
	case KEY_SECONDS:
	case KEY_MILLISECONDS:
		buf_printf(out, "%llu to %llu %s", (unsigned long long)k->min,
		    (unsigned long long)k->max,
		    k->kind == KEY_COUNT	 ? k->unit
			: k->kind == KEY_SECONDS ? "seconds"
						 : "milliseconds");
		break;
	case KEY_YES_NO:
		buf_put_str(out, "yes or no");
		break;
	case KEY_CHOICE:
		buf_put_str(out, k->choices);
		break;
	case KEY_ORIGIN:
	case KEY_ADDRESS:
	case KEY_URL:
	case KEY_PROXIES:
	case KEY_PATH:
	case KEY_PATHS:
	case KEY_VKEYS:
	case KEY_SIGNERS:
	case KEY_IDENTITIES:
	case KEY_TOKENS:
	case KEY_WITNESSES:
		buf_put_str(out, "-");
		break;
	}
}
