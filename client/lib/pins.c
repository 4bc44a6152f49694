/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/pins_parts.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/lib/fork.h"
#include "client/lib/history.h"
#include "core/base/cleanup.h"
#include "core/tlog/cosignature.h"
#include "core/tlog/evidence.h"
#include "io/clock.h"

#define ROUNDS 8 /* others that move the pin under us */

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
	bool witnessed; /* the note has the line of a witness */
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
	p->witnessed = p->witnessed || to->witnessed;
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
	int lock = pins_lock(path, err);
	bool ok = lock >= 0 && pins_read(path, &now, err);

	if (ok)
		p = unmoved(&now, before);
	*moved = ok && !p;
	if (p)
		ok = apply(p, to, err) && pins_write(path, &now, err);
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
};

/* `evidence`: empty if there is none. */
static bool
keep_evidence(const struct case_of *c, struct bytes evidence, char **path,
    struct error *err)
{
	const char *pins = c->contact->path, *slash = strrchr(pins, '/');
	/* The root is a slash. */
	size_t len = slash > pins ? (size_t)(slash - pins) : 1;
	char *folder = slash ? strndup(pins, len) : strdup(".");
	bool ok = folder || error_set(err, ERR_INTERNAL, "out of memory");

	*path = NULL;
	ok = ok &&
	    (evidence.len == 0 || fork_write(folder, evidence, path, err));
	free(folder);
	return ok;
}

static bool
cry(const struct case_of *c, const char *what, struct bytes evidence,
    struct error *err)
{
	struct error why = {0};
	char *path = NULL;
	bool kept = keep_evidence(c, evidence, &path, &why);

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

/* `said`: why the log gave no proof; of no code: it gave one that fails. */
static bool
untold(const struct case_of *c, bool gone, const struct error *said,
    const struct error *why, struct error *err)
{
	if (why->code == ERR_INTERNAL || why->code == ERR_BADSIG ||
	    why->code == ERR_SYNTAX ||
	    (why->code == ERR_UNAVAILABLE &&
		strcmp(error_reason_name(why), "server-error") != 0)) {
		*err = *why;
		return false;
	}
	/* It takes back what it signed: that much is known of a plain "no". */
	if (c->older && gone &&
	    (said->code == ERR_NOTFOUND || said->code == ERR_DENIED))
		return cry(c, "WENT BACK", (struct bytes){0}, err);
	return error_reason(err, ERR_UNAVAILABLE, "server-error",
	    "%s does not prove that its tree of %llu and the one of %llu that "
	    "was seen before are of one history (%s; %s)",
	    origin_of(c->pin), (unsigned long long)c->shown->size,
	    (unsigned long long)c->pin->size,
	    said->code == ERR_NONE ? "its proof fails" : said->text, why->text);
}

static enum history_is
ask_tiles(const struct case_of *c, struct history *h, struct error *why)
{
	struct tile_fetch_options o = {.source = c->contact->tiles};
	enum history_is is = HISTORY_UNKNOWN;
	struct tile_fetch *f;
	struct tiles *t = NULL;

	if (!o.source.get) {
		(void)error_reason(why, ERR_UNAVAILABLE, "server-error",
		    "there are no tiles to ask");
		return is;
	}
	f = tile_fetch_open(&o, why);
	if (f)
		t = tiles_open(f, why);
	if (t)
		is = history_judge(t, h, why);
	tiles_close(t);
	tile_fetch_close(f);
	return is;
}

/* What the two trees are to each other, by what they consist of. `tiles`: they
 * differ in size, and neither is empty. */
static bool
one_history(const struct case_of *c, bool tiles, const struct error *said,
    struct error *err)
{
	struct history h = {
	    .log = &c->pin->key,
	    .heads = {{bytes_str(c->pin->note), c->pin->size, c->pin->root},
		{c->note, c->shown->size, c->shown->root}},
	};
	struct error why = {0};
	enum history_is is =
	    tiles ? ask_tiles(c, &h, &why) : history_judge(NULL, &h, &why);

	if (is == HISTORY_FORKED)
		(void)cry(c, "FORKED", buf_bytes(&h.evidence), err);
	else if (is != HISTORY_ONE)
		(void)untold(c, is == HISTORY_GONE, said, &why, err);
	buf_release(&h.evidence);
	return is == HISTORY_ONE;
}

/* What the log says of the smaller size in the larger tree may be a fork in its
 * own words: it leads there, and from another root than was signed. */
static bool
denies(const struct case_of *c, const struct log_connection *said,
    struct error *err)
{
	AUTO(buf) evidence = BUF_INIT(EVIDENCE_MAX_LEN);
	struct bytes pinned = bytes_str(c->pin->note);
	struct fork f = {
	    .key = &c->pin->key,
	    .smaller = c->older ? c->note : pinned,
	    .larger = c->older ? pinned : c->note,
	    .other = said->has_roots ? said : NULL,
	};

	return fork_said(&f, &evidence, err) &&
	    (evidence.len == 0 || cry(c, "FORKED", buf_bytes(&evidence), err));
}

/* The proof counts from the roots that are signed, not from those that the log
 * says beside it: these may be what it has instead. */
static bool
proof_holds(const struct case_of *c, const struct log_connection *said,
    bool *holds, struct error *err)
{
	AUTO(hasher) h = {0};
	const struct hash *roots[2] = {&c->pin->root, &c->shown->root};
	uint64_t sizes[2] = {c->pin->size, c->shown->size};
	struct error why = {0};

	if (!hasher_open(&h, err))
		return false;
	*holds = proof_verify_consistency(&h, sizes[c->older], sizes[!c->older],
	    roots[c->older], roots[!c->older], &said->proof, &why);
	return hasher_ok(&h, err) &&
	    (why.code != ERR_INTERNAL ||
		error_set(err, ERR_INTERNAL, "%s", why.text));
}

/* Sizes that differ, of trees that are not empty. */
static bool
lead_over(const struct case_of *c, struct error *err)
{
	const uint64_t sizes[2] = {c->pin->size, c->shown->size};
	struct log_connection said = {0};
	struct error why = {0};
	bool holds;

	if (!c->contact->connection(c->contact->arg, sizes[c->older],
		sizes[!c->older], &said, &why)) {
		/* Who is not to be reached has no tiles, either. */
		if (log_client_silent(&why))
			return one_history(c, true, &why, err);
		*err = why;
		return false;
	}
	if (!proof_holds(c, &said, &holds, err))
		return false;
	if (holds)
		return true;
	return denies(c, &said, err) && one_history(c, true, &why, err);
}

static bool
compare(struct case_of *c, enum pins_sight *out, struct error *err)
{
	const struct error none = {0};

	c->older = c->shown->size < c->pin->size;
	*out = c->older			     ? PINS_OLDER
	    : c->shown->size == c->pin->size ? PINS_SAME
					     : PINS_LARGER;
	if (*out == PINS_SAME || c->shown->size == 0 || c->pin->size == 0)
		return one_history(c, false, &none, err);
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

bool
pins_cosigned(const struct note *n, const struct vkey *log)
{
	for (size_t i = 0; i < n->signature_count; i++) {
		const struct note_signature *s = &n->signatures[i];

		if ((s->signature.len == COSIGNATURE_ED25519_LEN ||
			s->signature.len == COSIGNATURE_MLDSA44_LEN) &&
		    (s->key_id != log->key_id ||
			!bytes_equal(s->name, vkey_name(log))))
			return true;
	}
	return false;
}

/* open_note has parsed it. */
static bool
is_witnessed(const struct pins_contact *c, struct bytes note)
{
	AUTO(note) n = {0};
	struct error ignored = {0};

	return note_parse(note, &n, &ignored) && pins_cosigned(&n, c->key);
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
	change.witnessed = to->witnessed && !p->witnessed;
	if (!change.url && !change.head && !change.witnessed)
		return true;
	return change_pin(c->path, p, &change, again, err);
}

static bool
look_until(const struct pins_contact *c, struct change *to,
    enum pins_sight *out, struct error *err)
{
	struct checkpoint shown;

	if (!open_note(c, to->note, &shown, err))
		return false;
	to->witnessed = is_witnessed(c, to->note);
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
	to.witnessed = is_witnessed(c, note);
	if (pins->count == PINS_MAX)
		return error_set(
		    err, ERR_LIMIT, "%d logs are pinned already", PINS_MAX);
	grown = reallocarray(pins->list, pins->count + 1, sizeof(*pins->list));
	if (!grown)
		return error_set(err, ERR_INTERNAL, "out of memory");
	pins->list = grown;
	p = &pins->list[pins->count++];
	*p = (struct pin){.key = *c->key, .trusted = (uint64_t)clock_wall_s()};
	return apply(p, &to, err) && pins_write(c->path, pins, err);
}

/* Adds the log unless somebody else just did. */
static bool
add_new(const struct pins_contact *c, const char *url, struct bytes note,
    bool *again, struct error *err)
{
	AUTO(pins) pins = {0};
	int lock = pins_lock(c->path, err);
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
	int lock = pins_lock(path, err);
	bool ok = lock >= 0 && pins_read(path, &pins, err);
	const struct pin *p = ok ? pins_find(&pins, word) : NULL;

	for (size_t i = 0; p && i < pins.count; i++)
		if (&pins.list[i] == p) {
			drop(&pins, i);
			break;
		}
	if (ok && !p)
		ok = error_set(err, ERR_USAGE, "no log %s is pinned", word);
	ok = ok && pins_write(path, &pins, err);
	if (lock >= 0)
		(void)close(lock);
	return ok;
}
