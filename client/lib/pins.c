/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "client/lib/fork.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "io/clock.h"
#include "io/file.h"

#define SCHEMA	  "mtlog-pins/1"
#define WAIT_MS	  10000
#define WAIT_STEP 20
#define ROUNDS	  8 /* others that move the pin under us */

static void
pin_release(struct pin *p)
{
	free(p->url);
	free(p->note);
	*p = (struct pin){0};
}

void
pins_release(struct pins *p)
{
	for (size_t i = 0; i < p->count; i++)
		pin_release(&p->list[i]);
	free(p->list);
	*p = (struct pins){0};
}

static bool
broken(struct error *err, const char *path)
{
	return error_set(err, ERR_IO,
	    "%s is broken; what was seen of the logs before is not known. Look "
	    "at it, then remove it and trust them anew",
	    path);
}

static bool
text_of(const json_t *object, const char *name, char **out)
{
	const json_t *v = json_object_get(object, name);

	*out = json_is_string(v) ? strdup(json_string_value(v)) : NULL;
	return *out != NULL;
}

static bool
time_of(const json_t *object, const char *name, uint64_t *out)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) && decimal_parse(json_text(v), out);
}

/* Takes size and root of the note, once it is the log's. */
static bool
read_note(struct pin *p, struct key_verifier *v, struct error *err)
{
	struct checkpoint c;

	if (!checkpoint_open(bytes_str(p->note), &p->key, v, &c, err))
		return false;
	p->size = c.size;
	p->root = c.root;
	return true;
}

static bool
read_pin(const json_t *from, struct key_verifier *v, struct pin *out,
    struct error *err)
{
	const json_t *vkey = json_object_get(from, "vkey");

	if (!json_is_string(vkey) || !text_of(from, "url", &out->url) ||
	    !text_of(from, "checkpoint", &out->note) ||
	    !time_of(from, "trusted", &out->trusted) ||
	    !time_of(from, "seen", &out->seen))
		return error_set(err, ERR_SYNTAX, "a member is missing");
	return vkey_parse(json_text(vkey), &out->key, err) &&
	    read_note(out, v, err);
}

const struct pin *
pins_find_origin(const struct pins *p, struct bytes origin)
{
	for (size_t i = 0; i < p->count; i++)
		if (bytes_equal(vkey_name(&p->list[i].key), origin))
			return &p->list[i];
	return NULL;
}

static bool
read_all(const json_t *list, struct pins *out, struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	size_t n = json_array_size(list);
	bool ok = v != NULL;

	if (ok && n > PINS_MAX)
		ok = error_set(err, ERR_LIMIT, "too many logs");
	if (ok) {
		out->list = calloc(n ? n : 1, sizeof(*out->list));
		ok = out->list != NULL ||
		    error_set(err, ERR_INTERNAL, "out of memory");
	}
	for (size_t i = 0; ok && i < n; i++) {
		struct pin *p = &out->list[i];

		out->count = i + 1;
		ok = read_pin(json_array_get(list, i), v, p, err) &&
		    (pins_find_origin(out, vkey_name(&p->key)) == p ||
			error_set(err, ERR_SYNTAX, "a log is there twice"));
	}
	key_verifier_close(v);
	return ok;
}

bool
pins_read(const char *path, struct pins *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(PINS_MAX_LEN);
	AUTO_PTR(json_t) root = NULL;
	struct error why = {0};
	const json_t *schema;

	*out = (struct pins){0};
	if (!file_read(path, &text, &why)) {
		if (why.code == ERR_NOTFOUND)
			return true;
		*err = why;
		return false;
	}
	if (json_parse(buf_bytes(&text), PINS_MAX_LEN, &root, &why)) {
		schema = json_object_get(root, "schema");
		if (json_is_string(schema) &&
		    bytes_equal(json_text(schema), BYTES_LIT(SCHEMA)) &&
		    json_is_array(json_object_get(root, "logs")) &&
		    read_all(json_object_get(root, "logs"), out, &why))
			return true;
	}
	pins_release(out);
	return why.code == ERR_INTERNAL
	    ? error_set(err, ERR_INTERNAL, "%s", why.text)
	    : broken(err, path);
}

const struct pin *
pins_find(const struct pins *p, const char *word)
{
	size_t n = strlen(word);

	/* As log_client_open has it. */
	while (n > 0 && word[n - 1] == '/')
		n--;
	for (size_t i = 0; i < p->count; i++)
		if (strncmp(p->list[i].url, word, n) == 0 &&
		    p->list[i].url[n] == '\0')
			return &p->list[i];
	return pins_find_origin(p, bytes_str(word));
}

/* A descriptor that holds the lock until it is closed; -1 with `err`. */
static int
take_lock(const char *path, struct error *err)
{
	char *name = NULL;
	int fd;

	if (asprintf(&name, "%s.lock", path) < 0) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return -1;
	}
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		(void)error_reason(err, ERR_IO,
		    errno == EACCES ? "permission" : NULL,
		    "%s cannot be opened: %m", name);
	free(name);
	for (unsigned waited = 0; fd >= 0; waited += WAIT_STEP) {
		struct timespec step = {.tv_nsec = WAIT_STEP * 1000000};

		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		if (errno != EWOULDBLOCK || waited >= WAIT_MS) {
			(void)error_reason(err, ERR_UNAVAILABLE, "locked",
			    "%s is in use by another process", path);
			(void)close(fd);
			return -1;
		}
		(void)nanosleep(&step, NULL);
	}
	return -1;
}

static json_t *
pin_json(const struct pin *p)
{
	AUTO(buf) vkey = BUF_INIT(4096);
	char trusted[24], seen[24];

	vkey_format(&p->key, &vkey);
	(void)snprintf(
	    trusted, sizeof(trusted), "%llu", (unsigned long long)p->trusted);
	(void)snprintf(seen, sizeof(seen), "%llu", (unsigned long long)p->seen);
	return json_pack("{s:s#,s:s,s:s,s:s,s:s}", "vkey",
	    (const char *)vkey.ptr, vkey.len, "url", p->url, "checkpoint",
	    p->note, "trusted", trusted, "seen", seen);
}

/* jansson leaves out what it had no memory for; a pin that is not written must
 * not be lost in silence. */
static bool
says(const char *text, const json_t *value)
{
	json_t *again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	bool same = again && json_equal(again, value);

	json_decref(again);
	return same;
}

static bool
write_all(const char *path, const struct pins *p, struct error *err)
{
	AUTO_PTR(json_t)
	root = json_pack("{s:s,s:[]}", "schema", SCHEMA, "logs");
	json_t *list = json_object_get(root, "logs");
	char *text = NULL;
	bool ok = root != NULL;

	for (size_t i = 0; ok && i < p->count; i++)
		ok = json_array_append_new(list, pin_json(&p->list[i])) == 0;
	if (ok)
		text = json_dumps(root, JSON_INDENT(1));
	if (!text || !says(text, root))
		ok = error_set(err, ERR_INTERNAL, "out of memory");
	else
		ok = file_write(path, bytes_str(text), 0600, err);
	free(text);
	return ok;
}

static bool
replace(char **field, struct bytes text)
{
	char *copy = malloc(text.len + 1);

	if (!copy)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	free(*field);
	*field = copy;
	return true;
}

/* What the pin should become: other URL, other note, or both. NULL: as it is. */
struct change {
	const char *url;
	const struct checkpoint *head; /* that `note` has */
	struct bytes note;
};

static bool
apply(struct pin *p, const struct change *to, struct error *err)
{
	if ((to->url && !replace(&p->url, bytes_str(to->url))) ||
	    (to->head && !replace(&p->note, to->note)))
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (to->head) {
		p->size = to->head->size;
		p->root = to->head->root;
		p->seen = (uint64_t)clock_wall_s();
	}
	return true;
}

/* The pin of an origin, if it is still as it was when `before` was read. */
static struct pin *
unmoved(const struct pins *now, const struct pin *before)
{
	for (size_t i = 0; i < now->count; i++) {
		struct pin *p = &now->list[i];

		if (bytes_equal(vkey_name(&p->key), vkey_name(&before->key)) &&
		    p->size == before->size &&
		    hash_equal(&p->root, &before->root))
			return p;
	}
	return NULL;
}

/* `*moved`: another process was faster, and what was proven is not enough. */
static bool
change_pin(const char *path, const struct pin *before, const struct change *to,
    bool *moved, struct error *err)
{
	AUTO(pins) now = {0};
	struct pin *p = NULL;
	int lock = take_lock(path, err);
	bool ok = lock >= 0 && pins_read(path, &now, err);

	if (ok)
		p = unmoved(&now, before);
	*moved = ok && !p;
	if (p)
		ok = apply(p, to, err) && write_all(path, &now, err);
	if (lock >= 0)
		(void)close(lock);
	return ok;
}

/* The log in the words of a message. */
static const char *
origin_of(const struct pin *p)
{
	return p->key.name;
}

/* A checkpoint beside the pin it was compared with. */
struct case_of {
	const struct pins_contact *contact;
	const struct pin *pin;
	struct bytes note;
	const struct checkpoint *shown;
	bool older; /* what is shown is the smaller one */
	/* what the log says of the smaller size; NULL: equal sizes, or nothing */
	const struct log_connection *said;
};

/* The evidence file; NULL: what there is would convince nobody. */
static bool
keep_evidence(const struct case_of *c, char **path, struct error *err)
{
	struct bytes pinned = bytes_str(c->pin->note);
	const char *slash = strrchr(c->contact->path, '/');
	char *folder = slash
	    ? strndup(c->contact->path, (size_t)(slash - c->contact->path) + 1)
	    : strdup(".");
	struct fork f = {
	    .folder = folder,
	    .key = &c->pin->key,
	    .smaller = c->older ? c->note : pinned,
	    .larger = c->older ? pinned : c->note,
	    .other = c->said,
	};
	bool ok = folder ? fork_keep(&f, path, err)
			 : error_set(err, ERR_INTERNAL, "out of memory");

	free(folder);
	return ok;
}

static bool
cry(const struct case_of *c, const char *what, struct error *err)
{
	struct error why = {0};
	char *path = NULL;
	bool kept = keep_evidence(c, &path, &why);

	(void)error_reason(err, ERR_BADSIG, "inconsistent",
	    "%s %s: it showed a tree of %llu before and one of %llu now. The "
	    "pin stays as it was; %s%s",
	    origin_of(c->pin), what, (unsigned long long)c->pin->size,
	    (unsigned long long)c->shown->size,
	    path       ? "evidence for everybody: "
		: kept ? "the log gave no evidence that would convince others"
		       : "evidence could not be written: ",
	    path       ? path
		: kept ? ""
		       : why.text);
	free(path);
	return false;
}

/* Between an empty tree and any other there is nothing to prove. */
static bool
empty_is_empty(const struct case_of *c, struct error *err)
{
	const struct hash *root =
	    c->pin->size == 0 ? &c->pin->root : &c->shown->root;
	struct hash empty;

	merkle_empty_root(&empty);
	return hash_equal(root, &empty) ||
	    cry(c, "FORKED (an empty tree has a root of its own)", err);
}

/*
 * No proof from the pin to a larger tree: nothing is known. None from a smaller
 * tree to the pin: the log takes back what it signed.
 */
static bool
no_proof(const struct case_of *c, const struct error *why, struct error *err)
{
	if (why->code != ERR_NOTFOUND && why->code != ERR_DENIED) {
		*err = *why;
		return false;
	}
	if (c->older)
		return cry(c, "WENT BACK", err);
	return error_reason(err, ERR_UNAVAILABLE, "server-error",
	    "%s does not prove that its tree of %llu has grown from the one of "
	    "%llu that was seen before (%s)",
	    origin_of(c->pin), (unsigned long long)c->shown->size,
	    (unsigned long long)c->pin->size, why->text);
}

/* The proof counts from the roots that are signed, not from those that the log
 * says beside it: these may be what it has instead. */
static bool
lead_over(struct case_of *c, struct error *err)
{
	AUTO(hasher) h = {0};
	const struct hash *roots[2] = {&c->pin->root, &c->shown->root};
	uint64_t sizes[2] = {c->pin->size, c->shown->size};
	struct log_connection said;
	struct error why = {0};

	if (sizes[0] == 0 || sizes[1] == 0)
		return empty_is_empty(c, err);
	if (!hasher_open(&h, err))
		return false;
	if (!c->contact->connection(c->contact->arg, sizes[c->older],
		sizes[!c->older], &said, &why))
		return no_proof(c, &why, err);
	if (proof_verify_consistency(&h, sizes[c->older], sizes[!c->older],
		roots[c->older], roots[!c->older], &said.proof, &why))
		return hasher_ok(&h, err);
	if (why.code == ERR_INTERNAL || !hasher_ok(&h, err)) {
		(void)error_set(err, ERR_INTERNAL, "%s", why.text);
		return false;
	}
	c->said = said.has_roots ? &said : NULL;
	return cry(c, "FORKED", err);
}

static bool
compare(struct case_of *c, enum pins_sight *out, struct error *err)
{
	if (c->shown->size == c->pin->size) {
		*out = PINS_SAME;
		return hash_equal(&c->shown->root, &c->pin->root) ||
		    cry(c, "FORKED", err);
	}
	c->older = c->shown->size < c->pin->size;
	*out = c->older ? PINS_OLDER : PINS_LARGER;
	return lead_over(c, err);
}

bool
pins_same_key(const struct pin *p, const struct vkey *key, struct error *err)
{
	return (bytes_equal(vkey_name(&p->key), vkey_name(key)) &&
		   p->key.type == key->type &&
		   bytes_equal(bytes_of(p->key.key, p->key.key_len),
		       bytes_of(key->key, key->key_len))) ||
	    error_reason(err, ERR_DENIED, "unknown-log",
		"%s is pinned with another key than this one", origin_of(p));
}

static bool
open_note(const struct pins_contact *c, struct bytes note,
    struct checkpoint *out, struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	struct error why = {0};
	bool ok = v && checkpoint_open(note, c->key, v, out, &why);

	key_verifier_close(v);
	if (!ok && err->code == ERR_NONE) {
		*err = why;
		if (why.code == ERR_NOTFOUND || why.code == ERR_BADSIG)
			*err = (struct error){
			    .code = ERR_BADSIG, .reason = "log-signature"};
		else if (why.code != ERR_INTERNAL)
			err->reason = "server-error";
		(void)snprintf(err->text, sizeof(err->text), "%s", why.text);
	}
	return ok;
}

/* One look at the pins as they are now. `*again`: they have changed since. */
static bool
look(const struct pins_contact *c, const struct checkpoint *shown,
    const struct change *to, enum pins_sight *out, bool *again,
    struct error *err)
{
	AUTO(pins) pins = {0};
	struct change change = *to;
	struct case_of found = {.contact = c, .note = to->note, .shown = shown};
	const struct pin *p;

	*again = false;
	*out = PINS_NOT_PINNED;
	if (!pins_read(c->path, &pins, err))
		return false;
	p = pins_find_origin(&pins, vkey_name(c->key));
	if (!p)
		return true;
	found.pin = p;
	if (!pins_same_key(p, c->key, err) || !compare(&found, out, err))
		return false;
	if (to->url && strcmp(to->url, p->url) == 0)
		change.url = NULL;
	change.head = *out == PINS_LARGER ? shown : NULL;
	if (!change.url && !change.head)
		return true;
	return change_pin(c->path, p, &change, again, err);
}

static bool
look_until(const struct pins_contact *c, const struct change *to,
    enum pins_sight *out, struct error *err)
{
	struct checkpoint shown;

	if (!open_note(c, to->note, &shown, err))
		return false;
	for (unsigned i = 0; i < ROUNDS; i++) {
		bool again;

		if (!look(c, &shown, to, out, &again, err))
			return false;
		if (!again)
			return true;
	}
	return error_reason(err, ERR_UNAVAILABLE, "locked",
	    "%s changes all the time; try again", c->path);
}

bool
pins_saw(const struct pins_contact *c, struct bytes note, enum pins_sight *out,
    struct error *err)
{
	struct change to = {.note = note};

	return look_until(c, &to, out, err);
}

static bool
add(const struct pins_contact *c, const char *url, struct bytes note,
    struct pins *pins, struct error *err)
{
	struct checkpoint head;
	struct change to = {.url = url, .note = note, .head = &head};
	struct pin *grown, *p;

	if (!open_note(c, note, &head, err))
		return false;
	if (pins->count == PINS_MAX)
		return error_set(
		    err, ERR_LIMIT, "%d logs are pinned already", PINS_MAX);
	grown = reallocarray(pins->list, pins->count + 1, sizeof(*pins->list));
	if (!grown)
		return error_set(err, ERR_INTERNAL, "out of memory");
	pins->list = grown;
	p = &pins->list[pins->count++];
	*p = (struct pin){.key = *c->key, .trusted = (uint64_t)clock_wall_s()};
	return apply(p, &to, err) && write_all(c->path, pins, err);
}

/* Adds the log unless somebody else just did. */
static bool
add_new(const struct pins_contact *c, const char *url, struct bytes note,
    bool *again, struct error *err)
{
	AUTO(pins) pins = {0};
	int lock = take_lock(c->path, err);
	bool ok = lock >= 0 && pins_read(c->path, &pins, err);

	*again = ok && pins_find_origin(&pins, vkey_name(c->key));
	if (ok && !*again)
		ok = add(c, url, note, &pins, err);
	if (lock >= 0)
		(void)close(lock);
	return ok;
}

/* Two logs at one address cannot both be meant by it. */
static bool
url_is_free(const struct pins_contact *c, const char *url, struct error *err)
{
	AUTO(pins) pins = {0};

	if (!pins_read(c->path, &pins, err))
		return false;
	for (size_t i = 0; i < pins.count; i++)
		if (strcmp(pins.list[i].url, url) == 0 &&
		    !bytes_equal(
			vkey_name(&pins.list[i].key), vkey_name(c->key)))
			return error_reason(err, ERR_DENIED, "unknown-log",
			    "%s is pinned as the log %s; forget that one first "
			    "(mtlog log forget)",
			    url, pins.list[i].key.name);
	return true;
}

bool
pins_trust(const struct pins_contact *c, const char *url, struct bytes note,
    enum pins_sight *out, struct error *err)
{
	struct change to = {.url = url, .note = note};
	bool again;

	if (!url_is_free(c, url, err) || !look_until(c, &to, out, err))
		return false;
	if (*out != PINS_NOT_PINNED)
		return true;
	if (!add_new(c, url, note, &again, err))
		return false;
	return !again || look_until(c, &to, out, err);
}

/* Without the pin at `i`. */
static void
drop(struct pins *p, size_t i)
{
	pin_release(&p->list[i]);
	p->count--;
	memmove(
	    &p->list[i], &p->list[i + 1], (p->count - i) * sizeof(*p->list));
}

bool
pins_forget(const char *path, const char *word, struct error *err)
{
	AUTO(pins) pins = {0};
	int lock = take_lock(path, err);
	bool ok = lock >= 0 && pins_read(path, &pins, err);
	const struct pin *p = ok ? pins_find(&pins, word) : NULL;

	for (size_t i = 0; p && i < pins.count; i++)
		if (&pins.list[i] == p) {
			drop(&pins, i);
			break;
		}
	if (ok && !p)
		ok = error_set(err, ERR_USAGE, "no log %s is pinned", word);
	ok = ok && write_all(path, &pins, err);
	if (lock >= 0)
		(void)close(lock);
	return ok;
}
