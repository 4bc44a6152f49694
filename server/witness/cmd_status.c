/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "io/clock.h"
#include "io/file.h"
#include "server/serving.h"
#include "server/witness/commands.h"
#include "server/witness/cosigner.h"
#include "server/witness/kept.h"
#include "server/witness/witness_log.h"

#define OUT_MAX (64u << 20)

/* What `status` looks at. */
struct status {
	const char *dir;
	char *logs;
	struct witness_store *store;
	struct hasher hasher;
	struct key_verifier *verifier;
	struct vkey vkey;
	struct serving serving;
	const char *state;
	struct hash *ids; /* of every log that was added or cosigned, sorted */
	size_t count;
};

/* One log. */
struct line {
	struct witness_log log; /* without keys: it is not witnessed any more */
	struct witness_head head;
	bool cosigned;
	uint64_t forks;
};

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, HASH_LEN);
}

static bool
add_id(struct status *s, const struct hash *id, struct error *err)
{
	struct hash *more;

	for (size_t i = 0; i < s->count; i++)
		if (hash_equal(&s->ids[i], id))
			return true;
	more = reallocarray(s->ids, s->count + 1, sizeof(*s->ids));
	if (!more)
		return error_set(err, ERR_INTERNAL, "out of memory");
	s->ids = more;
	s->ids[s->count++] = *id;
	return true;
}

static bool
find_added(struct status *s, struct error *err)
{
	DIR *d = opendir(s->logs);
	bool ok = d != NULL;

	for (struct dirent *e; ok && (e = readdir(d));) {
		struct hash id = {{0}};

		/* What has no such name is no log's: half a file, say. */
		if (hex_decode(bytes_str(e->d_name), id.b, HASH_LEN))
			ok = add_id(s, &id, err);
	}
	if (d)
		(void)closedir(d);
	return ok || error_set(err, ERR_IO, "%s: %s", s->logs, strerror(errno));
}

static bool
find_cosigned(struct status *s, struct error *err)
{
	struct hash after;
	bool found = true;

	for (bool first = true; found; first = false) {
		AUTO(witness_head) head = {0};

		if (!witness_store_next(
			s->store, first ? NULL : &after, &head, &found, err))
			return false;
		after = head.log;
		if (found && !add_id(s, &head.log, err))
			return false;
	}
	return true;
}

static void
find_process(struct status *s)
{
	char *run = path_join(s->dir, WITNESS_RUN_FOLDER);
	struct error none = {0};

	s->state = "stopped";
	if (run && serving_read(run, &s->serving, &none))
		s->state = kill(s->serving.pid, 0) == 0 || errno == EPERM
		    ? "running"
		    : "killed";
	free(run);
}

static bool
look(struct status *s, struct error *err)
{
	char *db = path_join(s->dir, WITNESS_DB_FOLDER);

	s->logs = path_join(s->dir, WITNESS_LOG_FOLDER);
	if (!db || !s->logs) {
		free(db);
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	find_process(s);
	if (cosigner_vkey_read(s->dir, &s->vkey, err) &&
	    hasher_open(&s->hasher, err))
		s->verifier = key_verifier_open(err);
	if (s->verifier)
		s->store = witness_store_open(db, true, err);
	free(db);
	if (!s->store || !find_added(s, err) || !find_cosigned(s, err))
		return false;
	if (s->count > 0)
		qsort(s->ids, s->count, sizeof(*s->ids), compare);
	return true;
}

static bool
look_at(struct status *s, const struct hash *id, struct line *out,
    struct error *err)
{
	struct error why = {0};

	*out = (struct line){0};
	if (!witness_log_load(s->logs, id, &s->hasher, &out->log, &why)) {
		if (why.code != ERR_NOTFOUND)
			return error_set(err, why.code, "%s", why.text);
		out->log = (struct witness_log){0};
	}
	return witness_store_get(
		   s->store, id, &out->head, &out->cosigned, err) &&
	    witness_store_forks(s->store, id, &out->forks, err);
}

static const char *
origin_of(const struct line *l)
{
	return l->log.key_count > 0 ? l->log.keys[0].name : l->head.origin;
}

static long long
age_of(const struct line *l)
{
	return (long long)clock_wall_s() - (long long)l->head.time;
}

static void
print_text(const struct line *l, struct buf *out)
{
	buf_printf(out, "log      %s", origin_of(l));
	if (l->log.key_count == 0)
		buf_put_str(out, " (no longer witnessed)");
	buf_put_str(out, "\n         ");
	if (l->cosigned)
		buf_printf(out, "size %llu, cosigned %lld s ago",
		    (unsigned long long)l->head.size, age_of(l));
	else
		buf_put_str(out, "nothing cosigned");
	if (l->log.key_count > 0)
		buf_printf(out, ", %llu growths a day",
		    (unsigned long long)l->log.per_day);
	if (l->forks > 0)
		buf_printf(out, ", %llu FORKS KEPT (see evidence)",
		    (unsigned long long)l->forks);
	buf_put_u8(out, '\n');
}

static void
print_kept(const struct kept *k, struct buf *out)
{
	buf_printf(out, "{\"size\":\"%llu\",\"time\":%llu,\"roots\":[\"",
	    (unsigned long long)k->size, (unsigned long long)k->time);
	base64_put(out, hash_bytes(&k->cosigned));
	buf_put_str(out, "\",\"");
	base64_put(out, hash_bytes(&k->other));
	buf_printf(out, "\"],\"proves\":%s", k->proves ? "true" : "false");
	if (k->proves)
		buf_printf(out, ",\"file\":\"%s\"", k->name);
	buf_put_u8(out, '}');
}

static bool
print_forks(struct status *s, const struct line *l, const struct hash *id,
    struct buf *out, struct error *err)
{
	const struct kept_reader r = {s->store, &s->hasher, s->verifier};
	struct hash after;
	bool found = true;

	buf_put_str(out, ",\"evidence\":[");
	for (bool first = true; found; first = false) {
		AUTO(kept) k = {0};

		if (!kept_next(&r, id, &l->log, first ? NULL : &after, &k,
			&found, err))
			return false;
		if (found && !first)
			buf_put_u8(out, ',');
		if (found)
			print_kept(&k, out);
		after = k.fork.root;
	}
	buf_put_u8(out, ']');
	return true;
}

static bool
print_json(struct status *s, const struct line *l, const struct hash *id,
    struct buf *out, struct error *err)
{
	buf_put_str(out, "{\"origin\":");
	json_put_string(out, bytes_str(origin_of(l)));
	buf_put_str(out, ",\"id\":\"");
	hex_put(out, hash_bytes(id));
	buf_printf(out, "\",\"witnessed\":%s,\"url\":",
	    l->log.key_count > 0 ? "true" : "false");
	json_put_string(out, bytes_str(l->log.url));
	buf_printf(out, ",\"perDay\":%llu,\"forks\":%llu",
	    (unsigned long long)l->log.per_day, (unsigned long long)l->forks);
	if (l->cosigned)
		buf_printf(out, ",\"size\":\"%llu\",\"time\":%llu,\"age\":%lld",
		    (unsigned long long)l->head.size,
		    (unsigned long long)l->head.time, age_of(l));
	if (!print_forks(s, l, id, out, err))
		return false;
	buf_put_u8(out, '}');
	return true;
}

static void
print_head(const struct status *s, bool json, struct buf *out)
{
	if (!json) {
		buf_put_str(out, "witness  ");
		vkey_format(&s->vkey, out);
		buf_printf(out, "\nserver   %s", s->state);
		if (strcmp(s->state, "running") == 0)
			buf_printf(out, ", pid %ld, %s", (long)s->serving.pid,
			    s->serving.url);
		buf_put_u8(out, '\n');
		if (strcmp(s->state, "running") == 0)
			buf_printf(out, "sandbox  server: %s; keeper: %s\n",
			    s->serving.sandbox, s->serving.signer_sandbox);
		return;
	}
	buf_put_str(out, "{\"vkey\":\"");
	vkey_format(&s->vkey, out);
	buf_printf(out,
	    "\",\"state\":\"%s\",\"url\":\"%s\",\"metrics\":\"%s\","
	    "\"sandbox\":\"%s\",\"keeperSandbox\":\"%s\",\"logs\":[",
	    s->state, s->serving.url, s->serving.metrics, s->serving.sandbox,
	    s->serving.signer_sandbox);
}

static bool
print(struct status *s, bool json, struct error *err)
{
	AUTO(buf) out = BUF_INIT(OUT_MAX);

	print_head(s, json, &out);
	for (size_t i = 0; i < s->count; i++) {
		struct line l;
		bool ok = look_at(s, &s->ids[i], &l, err);

		if (ok && json && i > 0)
			buf_put_u8(&out, ',');
		if (ok && json)
			ok = print_json(s, &l, &s->ids[i], &out, err);
		else if (ok)
			print_text(&l, &out);
		witness_head_release(&l.head);
		if (!ok)
			return false;
	}
	if (json)
		buf_put_str(&out, "]}\n");
	if (!buf_ok(&out, err))
		return false;
	(void)fwrite(out.ptr, 1, out.len, stdout);
	return true;
}

int
witness_status(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"json", NULL};
	struct status s = {0};
	struct arguments a;
	bool ok = witness_arguments(argc, argv, own, &a, err);

	s.dir = a.dir;
	ok = ok && look(&s, err) &&
	    print(&s, arguments_value(&a, "json") != NULL, err);
	witness_store_close(s.store);
	key_verifier_close(s.verifier);
	hasher_release(&s.hasher);
	free(s.ids);
	free(s.logs);
	arguments_release(&a);
	return ok ? 0 : -1;
}
