/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/cosigner.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/tlog/cosignature.h"
#include "core/tlog/merkle.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/log.h"
#include "server/disk.h"
#include "server/guard.h"
#include "server/signer_key.h"
#include "server/witness/growth.h"
#include "server/witness/witness_log.h"

#define BUSY_RETRY_S 5

/* Twice what the write-ahead log and its copy can take, and some. */
#define LOW_WATER (16u << 20)

struct cosigner {
	struct cosigner_options o;
	char *logs; /* the folder */
	struct signer_key key;
	struct vkey vkey;
	struct guard *guard;
	struct guard_state counted;
	struct witness_store *store;
	struct growth *growth;
	struct disk *disk;
	struct key_verifier *verifier;
	struct hasher hasher;
	bool unsettled; /* make durable what can be read, before any write */
	bool failed;
};

void
cosigner_answer_release(struct cosigner_answer *a)
{
	buf_release(&a->text);
}

bool
cosigner_failed(const struct cosigner *c)
{
	return c->failed;
}

const struct vkey *
cosigner_vkey(const struct cosigner *c)
{
	return &c->vkey;
}

/* The start. */

bool
cosigner_vkey_read(const char *dir, struct vkey *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(4096);
	char *path = path_join(dir, WITNESS_VKEY_FILE);
	bool ok = path ? file_read(path, &text, err)
		       : error_set(err, ERR_INTERNAL, "out of memory");

	free(path);
	if (!ok)
		return err->code == ERR_NOTFOUND
		    ? error_prefix(err,
			  "%s is not the folder of a witness (mtlog witness "
			  "init makes one)",
			  dir)
		    : false;
	if (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	return vkey_parse(buf_bytes(&text), out, err) &&
	    (out->type == NOTE_COSIGNATURE ||
		error_set(err, ERR_SYNTAX, "%s: not a witness's vkey", dir));
}

/* The key, locked, must be the one that was printed. */
static bool
open_key(struct cosigner *c, struct error *err)
{
	char *path = path_join(c->o.dir, WITNESS_KEY_FILE);
	struct signer_options o = {
	    .key_path = path,
	    .lock_wait_ms = c->o.lock_wait_ms,
	};
	struct vkey plain;
	bool ok = path && cosigner_vkey_read(c->o.dir, &c->vkey, err);

	o.origin = c->vkey.name;
	ok = ok && signer_key_open(&c->key, &o, &plain, err);
	free(path);
	if (!ok)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return (plain.type == NOTE_ED25519 &&
		   bytes_equal(bytes_of(plain.key, plain.key_len),
		       bytes_of(c->vkey.key, c->vkey.key_len))) ||
	    error_set(err, ERR_SYNTAX, "%s: key.pem and vkey differ", c->o.dir);
}

static bool
read_count(const struct guard_state *g, uint64_t *out)
{
	struct reader r = {bytes_of(g->note, g->note_len)};

	return reader_literal(&r, BYTES_LIT("commits ")) &&
	    reader_decimal(&r, out) && reader_literal(&r, BYTES_LIT("\n")) &&
	    reader_done(&r);
}

static bool
set_count(struct guard_state *g, uint64_t n, struct error *err)
{
	AUTO(buf) text = BUF_INIT(64);

	buf_put_str(&text, "commits ");
	buf_put_decimal(&text, n);
	buf_put_u8(&text, '\n');
	if (!buf_ok(&text, err))
		return false;
	memset(g->note, 0, sizeof(g->note));
	memcpy(g->note, text.ptr, text.len);
	g->note_len = text.len;
	return true;
}

static bool
open_guard(struct cosigner *c, uint64_t *count, struct error *err)
{
	char *path = path_join(c->o.dir, WITNESS_GUARD_FILE);

	c->guard =
	    path ? guard_open(path, c->o.lock_wait_ms, &c->counted, err) : NULL;
	free(path);
	if (!c->guard)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return (hash_equal(&c->counted.log_id, &c->vkey.log_id) &&
		   read_count(&c->counted, count)) ||
	    error_reason(err, ERR_IO, "guard-foreign",
		"%s: the guard is another witness's", c->o.dir);
}

/* A database that has lost commits would let a log grow from where it was. */
static bool
open_store(struct cosigner *c, uint64_t counted, struct error *err)
{
	char *folder = path_join(c->o.dir, WITNESS_DB_FOLDER);
	struct error why = {0};
	uint64_t have = 0;

	c->disk = folder ? disk_open(folder, LOW_WATER, err) : NULL;
	c->store = c->disk ? witness_store_open(folder, false, err) : NULL;
	free(folder);
	if (!c->store)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!witness_store_commits(c->store, &have, err))
		return false;
	if (have < counted)
		return error_reason(err, ERR_IO, "store-rolled-back",
		    "%s: the database has %llu commits, %llu were counted: it "
		    "was put back to an older state, or damaged. Nothing is "
		    "cosigned from it; begin again with a new key (mtlog "
		    "witness init)",
		    c->o.dir, (unsigned long long)have,
		    (unsigned long long)counted);
	c->unsettled = !witness_store_settle(c->store, &why);
	if (c->unsettled && why.code != ERR_UNAVAILABLE)
		return error_reason(err, why.code, why.reason, "%s", why.text);
	return true;
}

static bool
open_parts(struct cosigner *c, struct error *err)
{
	uint64_t counted = 0;

	c->logs = path_join(c->o.dir, WITNESS_LOG_FOLDER);
	if (!c->logs)
		return error_set(err, ERR_INTERNAL, "out of memory");
	c->verifier = key_verifier_open(err);
	c->growth = growth_open(err);
	return c->verifier && c->growth && hasher_open(&c->hasher, err) &&
	    open_key(c, err) && open_guard(c, &counted, err) &&
	    open_store(c, counted, err);
}

struct cosigner *
cosigner_open(const struct cosigner_options *o, struct error *err)
{
	struct cosigner *c = calloc(1, sizeof(*c));

	if (!c) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	c->o = *o;
	if (!c->o.wall_s)
		c->o.wall_s = clock_wall_s;
	if (!c->o.monotonic_ns)
		c->o.monotonic_ns = clock_monotonic_ns;
	if (open_parts(c, err))
		return c;
	cosigner_close(c);
	return NULL;
}

void
cosigner_close(struct cosigner *c)
{
	if (!c)
		return;
	witness_store_close(c->store);
	guard_close(c->guard);
	signer_key_release(&c->key);
	growth_close(c->growth);
	disk_close(c->disk);
	key_verifier_close(c->verifier);
	hasher_release(&c->hasher);
	free(c->logs);
	free(c);
}

bool
cosigner_try(struct cosigner *c, struct error *err)
{
	AUTO(buf) text = BUF_INIT(CHECKPOINT_MAX_LEN);
	AUTO(buf) line = BUF_INIT(WITNESS_LINE_MAX);
	struct checkpoint none = {.origin = vkey_name(&c->vkey)};

	merkle_empty_root(&none.root);
	checkpoint_format(&none, &text);
	return buf_ok(&text, err) &&
	    cosignature_sign(buf_bytes(&text), 1, c->key.private, &c->vkey,
		c->verifier, &line, err);
}

/* Answers. */

static void
answer_init(struct cosigner_answer *a)
{
	*a = (struct cosigner_answer){0};
	buf_init(&a->text, COSIGNER_TEXT_MAX);
}

static void
answer_row(
    struct cosigner_answer *a, enum judge_row row, const struct error *err)
{
	a->row = row;
	a->status = judge_status(row);
	a->reason = judge_name(row);
	buf_clear(&a->text);
	if (row == JUDGE_STALE)
		buf_put_decimal(&a->text, a->size);
	else
		buf_put_str(&a->text, err->text);
	buf_put_u8(&a->text, '\n');
}

/* What is not the submission's fault. */
static void
answer_failure(struct cosigner_answer *a, const struct error *err)
{
	bool soon = err->code == ERR_UNAVAILABLE;

	a->row = JUDGE_BROKEN;
	a->reason = error_reason_name(err);
	a->status = soon ? 503 : 500;
	if (strcmp(a->reason, "log-rate") == 0)
		a->status = 429;
	else
		log_event(LOG_LEVEL_ERROR, "not-cosigned", "reason=%s: %s",
		    a->reason, err->text);
	if (a->retry_s == 0 && soon)
		a->retry_s = BUSY_RETRY_S;
	buf_clear(&a->text);
	buf_put_str(&a->text, soon ? err->text : "internal error");
	buf_put_u8(&a->text, '\n');
}

/* Writing. */

/* After a commit, and before anything of it is told. */
static bool
count_commit(struct cosigner *c, struct error *err)
{
	uint64_t n = 0;

	return witness_store_commits(c->store, &n, err) &&
	    set_count(&c->counted, n, err) &&
	    guard_write(c->guard, &c->counted, err);
}

/* A commit that may be there but was not counted: nothing may follow it. */
static bool
written(struct cosigner *c, bool ok, struct error *err)
{
	if (!ok) {
		if (err->code != ERR_UNAVAILABLE && err->code != ERR_CONFLICT)
			c->failed = true;
		if (strcmp(error_reason_name(err), "disk-full") == 0)
			disk_full(c->disk);
		return false;
	}
	if (count_commit(c, err))
		return true;
	c->failed = true;
	return false;
}

/* A database that cannot be read is not asked again by this process. */
static bool
was_read(struct cosigner *c, bool ok)
{
	if (!ok)
		c->failed = true;
	return ok;
}

static bool
may_write(struct cosigner *c, struct error *err)
{
	if (c->failed)
		return error_reason(err, ERR_IO, "store-unknown",
		    "an earlier write failed: the program has to restart");
	/* Before the disk is so full that only COMMIT notices it. */
	if (disk_low(c->disk, NULL))
		return error_reason(err, ERR_UNAVAILABLE, "disk-low",
		    "the witness's disk is nearly full");
	if (c->unsettled && !witness_store_settle(c->store, err)) {
		c->failed = err->code != ERR_UNAVAILABLE;
		return false;
	}
	c->unsettled = false;
	return true;
}

/* A submission. */

/* One that is being judged. */
struct judged {
	struct addition s;
	struct witness_log log;
	struct hash id;
	struct witness_head last; /* size 0 and H("") if none */
	bool cosigned;		  /* there is one */
};

static enum judge_row
find_log(struct cosigner *c, struct judged *j, struct error *err)
{
	witness_log_id(&c->hasher, j->s.head.origin, &j->id);
	if (!hasher_ok(&c->hasher, err))
		return JUDGE_BROKEN;
	if (witness_log_load(c->logs, &j->id, &c->hasher, &j->log, err))
		return JUDGE_COSIGN;
	if (err->code != ERR_NOTFOUND)
		return JUDGE_BROKEN;
	(void)snprintf(err->text, sizeof(err->text),
	    "this witness does not know that log");
	return JUDGE_UNKNOWN;
}

static enum judge_row
judge(
    struct cosigner *c, struct bytes body, struct judged *j, struct error *err)
{
	enum judge_row row = judge_form(body, &j->s, err);
	struct judge_last last = {0};

	if (row == JUDGE_COSIGN)
		row = find_log(c, j, err);
	if (row == JUDGE_COSIGN)
		row = judge_signatures(
		    &j->s, j->log.keys, j->log.key_count, c->verifier, err);
	if (row != JUDGE_COSIGN)
		return row;
	if (!was_read(c,
		witness_store_get(
		    c->store, &j->id, &j->last, &j->cosigned, err)))
		return JUDGE_BROKEN;
	if (!j->cosigned)
		merkle_empty_root(&j->last.root);
	last.size = j->last.size;
	last.root = j->last.root;
	return judge_growth(&j->s, &last, &c->hasher, err);
}

/* Evidence is kept for its own sake: the answer is the same without it. */
static void
keep_fork(struct cosigner *c, const struct judged *j)
{
	AUTO(buf) note = BUF_INIT(WITNESS_NOTE_MAX);
	struct error err = {0};
	uint64_t time = (uint64_t)c->o.wall_s();

	log_event(LOG_LEVEL_ERROR, "fork",
	    "%s has signed two roots for size %llu", j->last.origin,
	    (unsigned long long)j->last.size);
	judge_note(&j->s, j->log.keys, j->log.key_count, &note);
	if (buf_ok(&note, &err) && may_write(c, &err) &&
	    written(c,
		witness_store_fork(c->store, &j->last, &j->s.head.root,
		    buf_bytes(&note), time, &err),
		&err))
		return;
	log_event(LOG_LEVEL_ERROR, "fork-not-kept", "%s", err.text);
}

/* The time to cosign at; never before the last one. */
static bool
choose_time(struct cosigner *c, const struct judged *j, uint64_t *out,
    struct error *err)
{
	int64_t now = c->o.wall_s();
	uint64_t last = j->cosigned ? j->last.time : 0;

	if (now < COSIGNER_CLOCK_FIRST_S)
		return error_reason(err, ERR_UNAVAILABLE, "clock-unset",
		    "the witness's clock is not set");
	if ((uint64_t)now + COSIGNER_CLOCK_SLACK_S < last)
		return error_reason(err, ERR_UNAVAILABLE, "clock-behind",
		    "the witness's clock is behind its last cosignature");
	*out = (uint64_t)now > last ? (uint64_t)now : last;
	return true;
}

static void
answer_line(struct cosigner_answer *a, uint64_t time, struct bytes line)
{
	a->row = JUDGE_COSIGN;
	a->status = judge_status(JUDGE_COSIGN);
	a->reason = judge_name(JUDGE_COSIGN);
	a->time = time;
	buf_clear(&a->text);
	buf_put(&a->text, line);
}

/* Who repeats a head gets a newer time, at the log's rate at most: the line
 * that is there would be the answer of a moment ago. */
static bool
is_fresh(const struct judged *j, uint64_t time)
{
	uint64_t every =
	    growth_interval_ns(j->log.per_day) / UINT64_C(1000000000);

	return j->cosigned && j->s.head.size == j->last.size &&
	    time - j->last.time < (every > 0 ? every : 1);
}

static bool
next_head(struct cosigner *c, const struct judged *j, uint64_t time,
    struct witness_head *next, struct error *err)
{
	struct bytes origin = j->s.head.origin;

	*next = (struct witness_head){
	    .log = j->id,
	    .size = j->s.head.size,
	    .root = j->s.head.root,
	    .time = time,
	    .note = BUF_INIT(WITNESS_NOTE_MAX),
	    .cosignature = BUF_INIT(WITNESS_LINE_MAX),
	};
	memcpy(next->origin, origin.ptr, origin.len);
	judge_note(&j->s, j->log.keys, j->log.key_count, &next->note);
	return buf_ok(&next->note, err) &&
	    cosignature_sign(j->s.note.text, time, c->key.private, &c->vkey,
		c->verifier, &next->cosignature, err);
}

/* Signs, and makes it durable; only then is there a line to give. */
static bool
cosign(struct cosigner *c, const struct judged *j, uint64_t time,
    struct cosigner_answer *a, struct error *err)
{
	AUTO(witness_head) next = {0};

	if (!may_write(c, err) || !next_head(c, j, time, &next, err) ||
	    !written(
		c, witness_store_swap(c->store, j->last.size, &next, err), err))
		return false;
	answer_line(a, time, buf_bytes(&next.cosignature));
	return buf_ok(&a->text, err);
}

static void
grow_or_refresh(
    struct cosigner *c, const struct judged *j, struct cosigner_answer *a)
{
	bool grows = !j->cosigned || j->s.head.size > j->last.size;
	struct error err = {0};
	uint64_t time = 0;
	bool ok = choose_time(c, j, &time, &err);

	if (ok && is_fresh(j, time)) {
		answer_line(a, j->last.time, buf_bytes(&j->last.cosignature));
		return;
	}
	ok = ok &&
	    (!grows ||
		growth_take(c->growth, &j->id, j->log.per_day,
		    c->o.monotonic_ns(), &a->retry_s, &err)) &&
	    cosign(c, j, time, a, &err);
	if (!ok)
		answer_failure(a, &err);
}

void
cosigner_add(struct cosigner *c, struct bytes body, struct cosigner_answer *a)
{
	struct judged j = {0};
	struct error err = {0};
	enum judge_row row;

	answer_init(a);
	row = judge(c, body, &j, &err);
	a->log = j.id;
	a->size = j.last.size;
	if (row == JUDGE_COSIGN) {
		a->size = j.s.head.size;
		grow_or_refresh(c, &j, a);
	} else if (row == JUDGE_BROKEN) {
		answer_failure(a, &err);
	} else {
		if (row == JUDGE_FORK)
			keep_fork(c, &j);
		answer_row(a, row, &err);
	}
	witness_head_release(&j.last);
	addition_release(&j.s);
}

/* Reading. */

static void
answer_head(struct cosigner *c, bool ok, const struct witness_head *head,
    bool found, struct cosigner_answer *a, const struct error *err)
{
	if (!was_read(c, ok)) {
		answer_failure(a, err);
		return;
	}
	a->status = found ? 200 : 404;
	a->reason = found ? "found" : "not-cosigned";
	if (!found)
		return;
	a->log = head->log;
	a->size = head->size;
	a->time = head->time;
}

void
cosigner_get(
    struct cosigner *c, const struct hash *log, struct cosigner_answer *a)
{
	AUTO(witness_head) head = {0};
	struct error err = {0};
	bool found = false;
	bool ok = witness_store_get(c->store, log, &head, &found, &err);

	answer_init(a);
	answer_head(c, ok, &head, found, a, &err);
	if (a->status == 200) {
		buf_put(&a->text, buf_bytes(&head.note));
		buf_put(&a->text, buf_bytes(&head.cosignature));
	} else if (a->status == 404) {
		buf_put_str(&a->text, "nothing of that log was cosigned\n");
	}
}

void
cosigner_next(
    struct cosigner *c, const struct hash *after, struct cosigner_answer *a)
{
	AUTO(witness_head) head = {0};
	struct error err = {0};
	bool found = false;
	bool ok = witness_store_next(c->store, after, &head, &found, &err);

	answer_init(a);
	answer_head(c, ok, &head, found, a, &err);
	if (a->status == 200)
		buf_put_str(&a->text, head.origin);
}
