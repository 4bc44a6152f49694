/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/tlog/entries.h"
#include "core/tlog/evidence.h"
#include "io/file.h"
#include "io/http.h"
#include "server/command.h"
#include "server/config_write.h"
#include "server/copy.h"
#include "server/cosigned.h"
#include "server/restore_witnesses.h"
#include "server/signer_key.h"
#include "server/signed_head.h"

#define HEADS_MAX  128
#define NOTE_LIMIT 65536
#define TEXT_LIMIT (1u << 20) /* of a policy, the largest text beside */
#define BUNDLE_MAX (TILE_WIDTH * (2 + ENTRY_MAX_LEN))

/*
 * Making a log again out of a backup. The danger is signing a head that
 * contradicts one that somebody holds. So:
 *
 *   1. the backup is checked in full, and copied
 *   2. heads that our key signed are collected: the backup's, those of the
 *      guard and its copies, --seen files, the public address (--from), what
 *      witnesses show
 *   3. two that contradict each other: evidence, and an end
 *   4. entries up to the largest head are fetched and verified into its root;
 *      with --read-only they may be missing for ever
 *   5. signing goes on only (a) with a guard that survived, when the database
 *      reaches it with its root, or (b) where nothing was ever shown without a
 *      quorum (witness-mode = required, --required-since-backup), if of every
 *      quorum one witness cosigns the largest head now; otherwise the log is
 *      frozen, read-only
 */

/* A head that our key has signed, and where we found it. */
struct seen {
	struct fsck_head head;
	const char *from;
	uint8_t note[GUARD_NOTE_MAX];
	size_t note_len;
};

struct restore {
	struct config config;
	const struct arguments *arguments;
	const char *backup, *key, *url, *policy;
	bool read_only; /* what nobody has is given up */
	struct vkey vkey;
	struct seen heads[HEADS_MAX];
	size_t head_count;
	struct seen *largest;
	struct seen
	    *guard; /* the newest of the guard and its copies; or NULL */
	struct guard_state guard_state;
	struct restore_witnesses witnesses;
	bool confirmed;	     /* by them: nothing beyond the largest head */
	struct buf cosigned; /* it, with a quorum of cosignatures; or empty */
	struct store *store;
	struct copy copy;
};

/* The note with the log's own signature alone: whoever else signed, the guard
 * has no room for that. */
static bool
own_note(const struct restore *r, struct bytes note, struct seen *out,
    struct error *err)
{
	AUTO(buf) own = BUF_INIT(GUARD_NOTE_MAX);
	AUTO(note) n = {0};

	if (!note_head(note, &r->vkey, &out->head, err) ||
	    !note_parse(note, &n, err))
		return false;
	buf_put(&own, n.text);
	buf_put_u8(&own, '\n');
	for (size_t i = 0; i < n.signature_count; i++) {
		const struct note_signature *s = &n.signatures[i];

		if (s->key_id != r->vkey.key_id ||
		    !bytes_equal(s->name, vkey_name(&r->vkey)))
			continue;
		note_signature_put(&own, s->name, s->key_id, s->signature);
		break;
	}
	if (!buf_ok(&own, err))
		return false;
	memcpy(out->note, own.ptr, own.len);
	out->note_len = own.len;
	return true;
}

static bool
add_head(
    struct restore *r, struct bytes note, const char *from, struct error *err)
{
	struct seen *s = &r->heads[r->head_count];

	if (r->head_count == HEADS_MAX)
		return error_set(err, ERR_LIMIT, "%s: too many heads", from);
	if (!own_note(r, note, s, err))
		return error_prefix(err, "%s", from);
	s->from = from;
	r->head_count++;
	if (!r->largest || s->head.size > r->largest->head.size)
		r->largest = s;
	return true;
}

static bool
add_file(struct restore *r, const char *path, struct error *err)
{
	AUTO(buf) note = BUF_INIT(NOTE_LIMIT);

	return file_read(path, &note, err) &&
	    add_head(r, buf_bytes(&note), path, err);
}

static bool
fetch(struct restore *r, const char *path, size_t limit, struct buf *out,
    struct error *err)
{
	struct http_answer a = {.body = BUF_INIT(limit)};
	struct http *http = http_open(30000, err);
	char *url = NULL;
	bool ok = http && asprintf(&url, "%s%s", r->url, path) > 0 &&
	    http_get(http, url, &a, err);

	if (ok && a.status != 200)
		ok = error_set(
		    err, ERR_UNAVAILABLE, "%s: status %u", url, a.status);
	if (ok)
		buf_put(out, buf_bytes(&a.body));
	buf_release(&a.body);
	free(url);
	http_close(http);
	return ok;
}

/* The guard or a copy of it: one alone holds every head that ever left. */
static bool
add_guard(struct restore *r, const char *path, struct error *err)
{
	struct guard_state s;
	bool frozen = r->guard && r->guard_state.frozen;

	if (!guard_read(path, &s, err) ||
	    !add_head(r, bytes_of(s.note, s.note_len), path, err))
		return error_prefix(err, "--guard");
	if (!r->guard ||
	    r->heads[r->head_count - 1].head.size > r->guard->head.size) {
		r->guard = &r->heads[r->head_count - 1];
		r->guard_state = s;
	}
	r->guard_state.frozen = frozen || s.frozen;
	return true;
}

static bool
add_shown(void *arg, struct bytes note, const char *name, struct error *err)
{
	return add_head(arg, note, name, err);
}

/* What is shown to everybody, and what was only signed. */
static bool
add_url(struct restore *r, struct error *err)
{
	static const char *const paths[] = {
	    "/checkpoint", "/api/v1/checkpoint/signed"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		AUTO(buf) note = BUF_INIT(NOTE_LIMIT);
		struct error why = {0};

		if (!fetch(r, paths[i], NOTE_LIMIT, &note, &why))
			(void)fprintf(stderr, "warning: %s\n", why.text);
		else if (!add_head(r, buf_bytes(&note), r->url, err))
			return false;
	}
	return true;
}

static bool
collect(struct restore *r, struct error *err)
{
	const char *file;
	char *path = path_join(r->backup, "checkpoint");
	bool ok = path && add_file(r, path, err);

	free(path);
	if (!ok)
		return false;
	/* The name of the first head must outlive `path`. */
	r->heads[0].from = r->backup;
	for (size_t at = 0;
	     (file = arguments_next(r->arguments, "guard", &at));)
		if (!add_guard(r, file, err))
			return false;
	for (size_t at = 0; (file = arguments_next(r->arguments, "seen", &at));)
		if (!add_file(r, file, err))
			return error_prefix(err, "--seen");
	if (!restore_witnesses_shown(
		&r->witnesses, &r->vkey, add_shown, r, err))
		return false;
	return !r->url || add_url(r, err);
}

static bool
copy_backup(struct restore *r, struct error *err)
{
	struct store *from = store_sqlite.open(r->backup, true, err);
	struct store_reader *reader =
	    from ? store_sqlite.reader_open(from, err) : NULL;
	uint64_t size = 0;
	bool ok = reader && store_sqlite.size(from, &size, err) &&
	    copy_range(&r->copy, reader, 0, size, err) &&
	    copy_links(&r->copy, reader, size, err);

	if (reader)
		store_sqlite.reader_close(reader);
	if (from)
		store_sqlite.close(from);
	return ok;
}

static bool
fetch_bundle(struct restore *r, uint64_t size, struct error *err)
{
	AUTO(buf) path = BUF_INIT(128);
	AUTO(buf) bundle = BUF_INIT(BUNDLE_MAX);
	uint64_t have = tree_size(r->copy.tree);
	struct tile_place place = {
	    .level = TILE_ENTRIES,
	    .index = have / TILE_WIDTH,
	    .width = TILE_WIDTH,
	};
	struct reader in;
	struct bytes leaf;

	if (size / TILE_WIDTH == place.index)
		place.width = (unsigned)(size % TILE_WIDTH);
	buf_put_str(&path, "/tile/");
	tile_path_format(place, &path);
	buf_put_u8(&path, '\0');
	if (!buf_ok(&path, err) ||
	    !fetch(r, (const char *)path.ptr, BUNDLE_MAX, &bundle, err))
		return false;
	reader_init(&in, buf_bytes(&bundle));
	for (uint64_t i = place.index * TILE_WIDTH;
	     entries_next(&in, &leaf, err); i++)
		if (i >= have && !copy_entry(&r->copy, leaf, err))
			return false;
	return err->code == ERR_NONE && copy_flush(&r->copy, err) &&
	    (tree_size(r->copy.tree) > have ||
		error_set(err, ERR_SYNTAX, "%s: an empty bundle", r->url));
}

/* Up to the largest head that anybody is known to hold. */
static bool
fetch_missing(struct restore *r, struct error *err)
{
	uint64_t size = r->largest->head.size;

	if (r->read_only && !r->url)
		return true;
	if (tree_size(r->copy.tree) < size && !r->url)
		return error_set(err, ERR_CONFLICT,
		    "%s shows a head of %llu entries, the backup has %llu: "
		    "give --from URL of somebody who serves the rest, or, if "
		    "nobody has it, --read-only",
		    r->largest->from, (unsigned long long)size,
		    (unsigned long long)tree_size(r->copy.tree));
	while (tree_size(r->copy.tree) < size)
		if (!fetch_bundle(r, size, err))
			return false;
	return true;
}

/* Evidence that these two contradict each other, if the entries show that. */
static bool
put_fork(struct restore *r, const struct seen *a, const struct seen *b,
    struct key_verifier *verifier, struct buf *out)
{
	const struct seen *small = a->head.size < b->head.size ? a : b;
	const struct seen *large = small == a ? b : a;
	struct tree_cursor *c = &r->copy.cursor;
	struct node_reader nodes = tree_nodes(c);
	struct evidence e = {
	    .key = r->vkey,
	    .smaller = bytes_of(small->note, small->note_len),
	    .larger = bytes_of(large->note, large->note_len),
	    .has_root = small->head.size < large->head.size,
	};
	struct error why = {0};

	if (e.has_root &&
	    (large->head.size > tree_size(r->copy.tree) ||
		!copy_root(&r->copy, small->head.size, &e.root, &why) ||
		(small->head.size > 0 &&
		    !proof_consistency(&c->hasher, &nodes, small->head.size,
			large->head.size, &e.proof, &why))))
		return false;
	if (!evidence_verify(&e, &r->vkey, &c->hasher, verifier, NULL, &why))
		return false;
	evidence_format(&e, out);
	return buf_ok(out, &why);
}

/* With any of the others, what proves it to everybody. */
static void
write_fork(struct restore *r, const struct seen *s)
{
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	char *path = path_join(r->config.dir, "evidence");
	struct error why = {0};
	struct key_verifier *verifier = key_verifier_open(&why);
	bool found = false;

	for (size_t i = 0; path && verifier && !found && i < r->head_count; i++)
		found = &r->heads[i] != s &&
		    put_fork(r, s, &r->heads[i], verifier, &text);
	if (found && !file_write(path, buf_bytes(&text), 0644, &why))
		(void)fprintf(stderr, "warning: %s\n", why.text);
	key_verifier_close(verifier);
	free(path);
}

/* Both signed notes, for whoever judges. */
static bool
contradiction(struct restore *r, const struct seen *s, const struct seen *other,
    struct error *err)
{
	AUTO(buf) text = BUF_INIT(NOTE_LIMIT);
	char *path = path_join(r->config.dir, "evidence.txt");
	struct error ignored = {0};

	buf_printf(&text,
	    "Two heads signed by %s contradict each other, or "
	    "one of them the entries.\n\n%s\n\n",
	    r->vkey.name, s->from);
	buf_put(&text, bytes_of(s->note, s->note_len));
	buf_printf(&text, "\n%s\n\n", other->from);
	buf_put(&text, bytes_of(other->note, other->note_len));
	/* If not even that can be written, the sentence below still stands. */
	if (!path || !file_write(path, buf_bytes(&text), 0644, &ignored))
		(void)fprintf(stderr, "warning: %s\n", ignored.text);
	free(path);
	write_fork(r, s);
	return error_reason(err, ERR_BADSIG, "inconsistent",
	    "the head of %s does not fit the entries; both are in "
	    "evidence.txt, and in evidence if they prove a fork to others "
	    "(mtlog inspect). Nothing is signed any more",
	    s->from);
}

static bool
check_heads(struct restore *r, struct error *err)
{
	struct hash root;

	for (size_t i = 0; i < r->head_count; i++) {
		const struct seen *s = &r->heads[i];

		for (size_t j = 0; j < i; j++)
			if (r->heads[j].head.size == s->head.size &&
			    !hash_equal(&r->heads[j].head.root, &s->head.root))
				return contradiction(r, s, &r->heads[j], err);
		/* The backup's own head is not among what may be missing. */
		if (i > 0 && r->read_only &&
		    s->head.size > tree_size(r->copy.tree))
			continue;
		if (!copy_root(&r->copy, s->head.size, &root, err))
			return false;
		if (!hash_equal(&root, &s->head.root))
			return contradiction(r, s, &r->heads[0], err);
	}
	return true;
}

/* The largest head that the entries reach: the backup's, at least. */
static const struct seen *
last_head(const struct restore *r)
{
	const struct seen *last = &r->heads[0];

	for (size_t i = 1; i < r->head_count; i++)
		if (r->heads[i].head.size > last->head.size &&
		    r->heads[i].head.size <= tree_size(r->copy.tree))
			last = &r->heads[i];
	return last;
}

/* The new guard: it goes on, or is frozen. */
static bool
make_guard(struct restore *r, bool frozen, struct error *err)
{
	const struct seen *last = last_head(r);
	struct guard_state s = r->guard_state;
	char *folder = path_join(r->config.dir, "guard");
	bool ok;

	if (frozen || r->confirmed) {
		s = (struct guard_state){.frozen = frozen};
		memcpy(s.origin, r->vkey.name, r->vkey.name_len);
		s.log_id = r->vkey.log_id;
		memcpy(s.note, last->note, last->note_len);
		s.note_len = last->note_len;
	}
	ok = store_sqlite.identity(r->store, &s.store_identity, err) &&
	    folder && folder_create(folder, 0700, err) &&
	    guard_create(r->config.guard, &s, err);
	free(folder);
	return ok;
}

static bool
copy_file(const char *from, const char *to, mode_t mode, struct error *err)
{
	AUTO(buf) data = BUF_INIT(TEXT_LIMIT);
	bool ok = file_read(from, &data, err) &&
	    file_create(to, buf_bytes(&data), mode, err);

	if (data.len > 0)
		explicit_bzero(data.ptr, data.len);
	return ok;
}

/* Whether the key in place is the log's. */
static bool
check_key(struct restore *r, struct error *err)
{
	const char *passphrase = r->config.key_passphrase_file;
	struct signer_options o = {
	    .key_path = r->config.key,
	    .passphrase_path = passphrase[0] ? passphrase : NULL,
	    .origin = r->vkey.name,
	};
	struct signer_key key = {0};
	struct error why = {0};
	struct vkey vkey;

	if (!signer_key_open(&key, &o, &vkey, &why)) {
		if (strcmp(error_reason_name(&why), "passphrase-missing") != 0)
			return error_set(err, why.code, "--key: %s", why.text);
		(void)fprintf(stderr,
		    "warning: %s is encrypted: whether it is the log's key "
		    "was not checked (--key-passphrase-file)\n",
		    r->key);
		return true;
	}
	signer_key_release(&key);
	return hash_equal(&vkey.log_id, &r->vkey.log_id) ||
	    error_set(err, ERR_CONFLICT,
		"--key: %s is not the key of %s: its vkey would be another",
		r->key, r->vkey.name);
}

/* First, for a wrong key is no reason to wait for a copy. Whoever may read it
 * where it comes from, only the owner may here. */
static bool
copy_key(struct restore *r, struct error *err)
{
	if (!r->key)
		return true;
	if (!copy_file(r->key, r->config.key, 0600, err))
		return false;
	if (check_key(r, err))
		return true;
	(void)unlink(r->config.key);
	return false;
}

static bool
copy_texts(struct restore *r, struct error *err)
{
	const char *policy =
	    config_own_file(&r->witnesses.config, "witness-policy");
	const char *const names[] = {CONFIG_FILE, "vkey", policy};
	bool ok = true;

	for (size_t i = 0; ok && i < (policy ? 3 : 2); i++) {
		char *from = path_join(r->backup, names[i]);
		char *to = path_join(r->config.dir, names[i]);

		ok = from && to && copy_file(from, to, 0644, err);
		free(from);
		free(to);
	}
	return ok;
}

/* Way (b): the operator says that nothing was shown without a quorum, and the
 * backup's configuration does not say otherwise. */
static bool
ask_witnesses(struct restore *r, struct error *err)
{
	if (!arguments_value(r->arguments, "required-since-backup"))
		return true;
	if (r->witnesses.config.witness_mode != CONFIG_WITNESS_REQUIRED)
		return error_set(err, ERR_USAGE,
		    "--required-since-backup, but the backup's configuration "
		    "does not say witness-mode = required");
	return restore_witnesses_confirm(&r->witnesses, &r->vkey,
	    bytes_of(r->largest->note, r->largest->note_len), r->copy.tree,
	    &r->confirmed, &r->cosigned, err);
}

/* Whether it may never sign again; else it needs its key. */
static bool
decide(struct restore *r, bool *frozen, struct error *err)
{
	bool survived =
	    r->guard && r->largest->head.size <= r->guard->head.size;

	*frozen = r->read_only || r->guard_state.frozen;
	if (!*frozen && !survived && !ask_witnesses(r, err))
		return false;
	*frozen |= !survived && !r->confirmed;
	return *frozen || r->key ||
	    error_set(err, ERR_USAGE,
		"--key PEM is missing: %s, so the log goes on",
		survived ? "the guard survived" : "the witnesses agree");
}

/* What the witnesses cosigned is what is shown first. */
static bool
keep_cosigned(struct restore *r, struct error *err)
{
	return r->cosigned.len == 0 ||
	    (buf_ok(&r->cosigned, err) &&
		cosigned_write(
		    r->config.database, buf_bytes(&r->cosigned), err));
}

static bool
restore(struct restore *r, bool *frozen, uint64_t *size, struct error *err)
{
	bool ok;

	if (!log_vkey_read(r->backup, &r->vkey, err) ||
	    !restore_witnesses_open(
		r->backup, r->policy, &r->vkey, &r->witnesses, err) ||
	    !copy_key(r, err) || !collect(r, err) ||
	    !folder_create(r->config.database, 0700, err) ||
	    !store_sqlite.create(r->config.database, err))
		return false;
	r->store = store_sqlite.open(r->config.database, false, err);
	ok = r->store && copy_open(&r->copy, &store_sqlite, r->store, err) &&
	    copy_backup(r, err) && fetch_missing(r, err) &&
	    check_heads(r, err) && decide(r, frozen, err) &&
	    store_sqlite.settle(r->store, err) && copy_texts(r, err) &&
	    keep_cosigned(r, err) && make_guard(r, *frozen, err);
	if (ok)
		*size = tree_size(r->copy.tree);
	copy_release(&r->copy);
	if (r->store)
		store_sqlite.close(r->store);
	return ok;
}

static bool
read_arguments(const struct arguments *a, struct restore *r, struct error *err)
{
	bool empty;

	buf_init(&r->cosigned, COSIGNED_MAX);
	r->arguments = a;
	r->backup = arguments_value(a, "from-backup");
	r->key = arguments_value(a, "key");
	r->url = arguments_value(a, "from");
	/* A file of the caller's, not of the new log's folder. */
	for (size_t i = 0; i < a->flag_count; i++)
		if (strncmp(a->flags[i], "witness-policy=", 15) == 0)
			r->policy = a->flags[i] + 15;
	r->read_only = arguments_value(a, "read-only");
	if (!r->backup)
		return error_set(
		    err, ERR_USAGE, "--from-backup FOLDER is missing");
	if (!config_from_flags(a->dir, a->flags, &r->config, err) ||
	    !folder_empty(a->dir, &empty, err))
		return false;
	if (!empty)
		return error_set(err, ERR_CONFLICT, "%s is not empty", a->dir);
	return folder_create(a->dir, 0700, err) || err->code == ERR_CONFLICT;
}

int
cmd_restore(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"from-backup=", "key=", "guard=*",
	    "from=", "seen=*", "read-only", "required-since-backup", NULL};
	struct restore *r = calloc(1, sizeof(*r));
	struct arguments a = {0};
	bool frozen = true;
	uint64_t size = 0;
	bool ok = r && arguments_read(argc, argv, own, &a, err) &&
	    read_arguments(&a, r, err);

	if (ok)
		err->code = ERR_NONE; /* an empty folder was there already */
	ok = ok && restore(r, &frozen, &size, err);
	if (ok)
		(void)printf("%llu entries restored in %s. %s\n",
		    (unsigned long long)size, a.dir,
		    frozen ? "No guard proves that nothing more was signed, so "
			     "this log is frozen: reads only. Make a new one: "
			     "mtlogd init --follows"
			: r->confirmed
			? "The witnesses know nothing beyond: the log goes on."
			: "The guard survived: the log goes on.");
	if (r) {
		config_release(&r->config);
		restore_witnesses_release(&r->witnesses);
		buf_release(&r->cosigned);
	}
	free(r);
	arguments_release(&a);
	return ok ? 0 : -1;
}
