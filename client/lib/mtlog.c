/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/mtlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/lib/job.h"
#include "client/lib/policy_file.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"

#define LIST_MAX 1000000

/* A verdict as the caller has it: texts only. */
struct mtlog_verdict {
	int code;
	char *reason, *message, *json;
};

struct mtlog_policy {
	struct policy policy;
	struct buf text;
};

/* A NULL-ended list of strings of our own. */
struct words {
	char **list;
	size_t count;
};

struct mtlog_options {
	char *name, *version;
	char *signature, *state, *scratch, *log_url;
	struct words evidence, files;
	int64_t number[MTLOG_COPY_MAX + 1];
	bool has_number[MTLOG_COPY_MAX + 1];
	int (*progress)(
	    void *arg, const char *file, uint64_t done, uint64_t total);
	void *progress_arg;
};

struct mtlog_model {
	struct held_model held;
	uint64_t *sizes; /* of each */
};

/* What is told when there is no memory to tell anything else. */
static mtlog_verdict out_of_memory = {
    .code = VERDICT_INTERNAL,
    .reason = (char[]){"internal"},
    .message = (char[]){"out of memory"},
    .json = (char[]){"{\"schema\":\"mtlog-verdict/1\",\"accepted\":false,"
		     "\"code\":1,\"reason\":\"internal\","
		     "\"message\":\"out of memory\"}"},
};

const char *
mtlog_version(void)
{
	return MTLOG_VERSION;
}

void
mtlog_verdict_free(mtlog_verdict *v)
{
	if (!v || v == &out_of_memory)
		return;
	free(v->reason);
	free(v->message);
	free(v->json);
	free(v);
}

int
mtlog_verdict_code(const mtlog_verdict *v)
{
	return v->code;
}

const char *
mtlog_verdict_reason(const mtlog_verdict *v)
{
	return v->reason;
}

const char *
mtlog_verdict_message(const mtlog_verdict *v)
{
	return v->message;
}

const char *
mtlog_verdict_json(const mtlog_verdict *v)
{
	return v->json;
}

/* False: `*out` is the static one, and whatever was accepted must not be. */
static bool
tell(const struct verdict *v, mtlog_verdict **out)
{
	AUTO(buf) json = BUF_INIT(VERDICT_JSON_MAX);
	AUTO(buf) message = BUF_INIT(4 * ERROR_TEXT_MAX);
	mtlog_verdict *t = calloc(1, sizeof(*t));

	*out = &out_of_memory;
	verdict_json(v, &json);
	escaped_put(&message, bytes_str(v->message));
	if (!t)
		return false;
	t->code = (int)v->code;
	t->reason = strdup(v->reason ? v->reason : "");
	t->message = buf_dup_string(&message);
	t->json = buf_dup_string(&json);
	if (!t->reason || !t->message || !t->json) {
		mtlog_verdict_free(t);
		return false;
	}
	*out = t;
	return true;
}

/* A verdict that consists of one failure, or of none. */
static bool
tell_error(const struct error *err, mtlog_verdict **out)
{
	struct verdict *v = malloc(sizeof(*v));
	bool told;

	*out = &out_of_memory;
	if (!v)
		return false;
	verdict_init(v);
	if (err->code != ERR_NONE) {
		verdict_refuse(v, err);
	} else {
		v->code = VERDICT_ACCEPTED;
		v->reason = NULL;
	}
	told = tell(v, out);
	verdict_release(v);
	free(v);
	return told;
}

void
mtlog_policy_free(mtlog_policy *p)
{
	if (!p)
		return;
	policy_release(&p->policy);
	buf_release(&p->text);
	free(p);
}

/* Takes over `text`. */
static mtlog_policy *
make_policy(struct buf *text, struct error *err)
{
	mtlog_policy *p = calloc(1, sizeof(*p));

	if (!p) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	p->text = *text;
	*text = (struct buf){0}; /* transferred */
	if (policy_parse(buf_bytes(&p->text), &p->policy, err))
		return p;
	/* Whatever is wrong with the text, it is the policy that is wrong. */
	if (err->code != ERR_INTERNAL) {
		err->code = ERR_USAGE;
		err->reason = "usage";
	}
	mtlog_policy_free(p);
	return NULL;
}

static mtlog_policy *
finish_policy(mtlog_policy *p, const struct error *err, mtlog_verdict **verdict)
{
	if (tell_error(err, verdict))
		return p;
	mtlog_policy_free(p);
	return NULL;
}

mtlog_policy *
mtlog_policy_parse(const void *text, size_t len, mtlog_verdict **verdict)
{
	AUTO(buf) copy = BUF_INIT(POLICY_MAX_LEN);
	struct error err = {0};
	mtlog_policy *p = NULL;

	buf_put(&copy, bytes_of(text, len));
	if (buf_ok(&copy, &err))
		p = make_policy(&copy, &err);
	else
		err.reason = "usage";
	return finish_policy(p, &err, verdict);
}

mtlog_policy *
mtlog_policy_read(
    const char *path, const char *sha256_or_null, mtlog_verdict **verdict)
{
	AUTO(buf) text = BUF_INIT(POLICY_MAX_LEN);
	struct error err = {0};
	mtlog_policy *p = NULL;

	if (policy_file_read(path, sha256_or_null, &text, &err)) {
		p = make_policy(&text, &err);
		if (!p)
			(void)error_prefix(&err, "%s", path);
	}
	return finish_policy(p, &err, verdict);
}

static bool
words_add(struct words *w, const char *word)
{
	char **longer;
	char *copy;

	if (w->count >= LIST_MAX)
		return false;
	longer = realloc(w->list, (w->count + 2) * sizeof(*longer));
	if (!longer)
		return false;
	w->list = longer;
	copy = strdup(word);
	w->list[w->count] = copy;
	w->list[w->count + 1] = NULL;
	if (!copy)
		return false;
	w->count++;
	return true;
}

static void
words_release(struct words *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->list[i]);
	free(w->list);
	*w = (struct words){0};
}

mtlog_options *
mtlog_options_new(const char *name, const char *version_or_null)
{
	mtlog_options *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->name = strdup(name);
	o->version = version_or_null ? strdup(version_or_null) : NULL;
	if (!o->name || (version_or_null && !o->version)) {
		mtlog_options_free(o);
		return NULL;
	}
	return o;
}

void
mtlog_options_free(mtlog_options *o)
{
	if (!o)
		return;
	free(o->name);
	free(o->version);
	free(o->signature);
	free(o->state);
	free(o->scratch);
	free(o->log_url);
	words_release(&o->evidence);
	words_release(&o->files);
	free(o);
}

static int
no(int cause)
{
	errno = cause;
	return -1;
}

int
mtlog_option_path(mtlog_options *o, int what, const char *path)
{
	char **place[] = {
	    [MTLOG_SIGNATURE] = &o->signature,
	    [MTLOG_STATE] = &o->state,
	    [MTLOG_SCRATCH] = &o->scratch,
	    [MTLOG_LOG_URL] = &o->log_url,
	};

	if (what == MTLOG_EVIDENCE)
		return words_add(&o->evidence, path) ? 0 : no(ENOMEM);
	if (what < MTLOG_SIGNATURE || what > MTLOG_LOG_URL || *place[what])
		return no(EINVAL);
	*place[what] = strdup(path);
	return *place[what] ? 0 : no(ENOMEM);
}

int
mtlog_option_number(mtlog_options *o, int what, int64_t value)
{
	static const struct {
		int64_t least, most;
	} range[] = {
	    [MTLOG_NOW] = {0, INT64_MAX},
	    [MTLOG_ONLINE] = {0, 1},
	    [MTLOG_TIMEOUT_MS] = {1, 3600000},
	    [MTLOG_THREADS] = {1, TREE_MAX_THREADS},
	    [MTLOG_HOLD] = {MTLOG_HOLD_OPEN, MTLOG_HOLD_COPY},
	    [MTLOG_COPY_MAX] = {0, INT64_MAX},
	};

	if (what < MTLOG_NOW || what > MTLOG_COPY_MAX || o->has_number[what] ||
	    value < range[what].least || value > range[what].most)
		return no(EINVAL);
	o->number[what] = value;
	o->has_number[what] = true;
	return 0;
}

int
mtlog_option_file(mtlog_options *o, const char *name)
{
	return words_add(&o->files, name) ? 0 : no(ENOMEM);
}

int
mtlog_option_progress(mtlog_options *o,
    int (*progress)(void *, const char *, uint64_t, uint64_t), void *arg)
{
	o->progress = progress;
	o->progress_arg = arg;
	return 0;
}

/* The caller's progress takes a C string. */
static bool
pass_progress(void *arg, struct bytes name, uint64_t done, uint64_t total)
{
	const mtlog_options *o = arg;
	char text[MANIFEST_NAME_MAX + 1];
	size_t n = name.len < sizeof(text) ? name.len : sizeof(text) - 1;

	if (n > 0)
		memcpy(text, name.ptr, n);
	text[n] = '\0';
	return o->progress(o->progress_arg, text, done, total) == 0;
}

static int64_t
number_or(const mtlog_options *o, int what, int64_t otherwise)
{
	return o->has_number[what] ? o->number[what] : otherwise;
}

static struct job
make_job(const mtlog_policy *policy, const mtlog_options *o)
{
	bool any = strcmp(o->name, MTLOG_ANY_NAME) == 0;

	return (struct job){
	    .policy = &policy->policy,
	    .dirfd = AT_FDCWD,
	    .name = any ? NULL : o->name,
	    .version = o->version,
	    .signature = o->signature,
	    .evidence = (const char *const *)o->evidence.list,
	    .state = o->state,
	    .scratch = o->scratch,
	    .log_url = o->log_url,
	    .online = number_or(o, MTLOG_ONLINE, 0) != 0,
	    .timeout_ms =
		(unsigned)number_or(o, MTLOG_TIMEOUT_MS, JOB_TIMEOUT_MS),
	    .has_now = o->has_number[MTLOG_NOW],
	    .now = (uint64_t)number_or(o, MTLOG_NOW, 0),
	    .threads = (unsigned)number_or(o, MTLOG_THREADS, 0),
	    .copy_max =
		(uint64_t)number_or(o, MTLOG_COPY_MAX, (int64_t)JOB_COPY_MAX),
	    .files = (const char *const *)o->files.list,
	    .progress = o->progress ? pass_progress : NULL,
	    /* tree_hash hands it back as it is; the cast drops a const only */
	    .progress_arg = (void *)(uintptr_t)o,
	};
}

int
mtlog_bundle_check(const void *bundle, size_t len, const mtlog_policy *policy,
    const mtlog_options *options, mtlog_verdict **verdict)
{
	struct job job = make_job(policy, options);
	struct verdict *v = malloc(sizeof(*v));
	bool ok;

	*verdict = &out_of_memory;
	if (!v)
		return 0;
	verdict_init(v);
	ok = job_run_bundle(&job, bytes_of(bundle, len), v);
	ok = tell(v, verdict) && ok;
	verdict_release(v);
	free(v);
	return ok;
}

/* A model's one file may be listed as "."; it is held under that name. */
static struct bytes
held_name(const mtlog_model *m, const char *name)
{
	return m->held.single ? BYTES_LIT(".") : bytes_str(name);
}

static bool
find_sizes(mtlog_model *m, struct error *err)
{
	m->sizes = calloc(m->held.count + 1, sizeof(*m->sizes));
	if (!m->sizes)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < m->held.count; i++)
		if (!hold_size(m->held.hold, held_name(m, m->held.names[i]),
			&m->sizes[i]))
			return error_set(err, ERR_INTERNAL,
			    "an accepted file is not held: a defect");
	return true;
}

static mtlog_model *
make_model(struct held_model *held, struct error *err)
{
	mtlog_model *m = calloc(1, sizeof(*m));

	if (!m) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		held_model_release(held);
		return NULL;
	}
	m->held = *held;
	if (find_sizes(m, err))
		return m;
	mtlog_model_free(m);
	return NULL;
}

mtlog_model *
mtlog_model_openat(int dirfd, const char *path, const mtlog_policy *policy,
    const mtlog_options *options, mtlog_verdict **verdict)
{
	struct job job = make_job(policy, options);
	struct verdict *v = malloc(sizeof(*v));
	struct held_model held = {0};
	struct error err = {0};
	mtlog_model *m = NULL;

	*verdict = &out_of_memory;
	if (!v)
		return NULL;
	verdict_init(v);
	job.dirfd = dirfd;
	job.path = path;
	job.hold = (enum hold_strength)number_or(
	    options, MTLOG_HOLD, MTLOG_HOLD_LEASE);
	job.hold_of_rule = !options->has_number[MTLOG_HOLD];
	if (job_run(&job, v, &held)) {
		m = make_model(&held, &err);
		if (!m) {
			v->message[0] = '\0';
			verdict_refuse(v, &err);
		}
	}
	if (!tell(v, verdict)) {
		mtlog_model_free(m);
		m = NULL;
	}
	verdict_release(v);
	free(v);
	return m;
}

mtlog_model *
mtlog_model_open(const char *path, const mtlog_policy *policy,
    const mtlog_options *options, mtlog_verdict **verdict)
{
	return mtlog_model_openat(AT_FDCWD, path, policy, options, verdict);
}

void
mtlog_model_free(mtlog_model *m)
{
	if (!m)
		return;
	held_model_release(&m->held);
	free(m->sizes);
	free(m);
}

size_t
mtlog_model_files(const mtlog_model *m)
{
	return m->held.count;
}

const char *
mtlog_model_file(const mtlog_model *m, size_t i, uint64_t *size_or_null)
{
	if (i >= m->held.count) {
		errno = ENOENT;
		return NULL;
	}
	if (size_or_null)
		*size_or_null = m->sizes[i];
	return m->held.names[i];
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Only names of the manifest that were verified are handed out. */
static bool
is_listed(const mtlog_model *m, const char *name)
{
	if (bsearch(&name, m->held.names, m->held.count, sizeof(*m->held.names),
		compare_names))
		return true;
	errno = ENOENT;
	return false;
}

int
mtlog_model_open_file(mtlog_model *m, const char *name)
{
	return is_listed(m, name)
	    ? hold_open_file(m->held.hold, held_name(m, name))
	    : -1;
}

ssize_t
mtlog_model_read(
    mtlog_model *m, const char *name, void *to, size_t len, uint64_t offset)
{
	return is_listed(m, name)
	    ? hold_read(m->held.hold, held_name(m, name), to, len, offset)
	    : -1;
}

const void *
mtlog_model_map(mtlog_model *m, const char *name, size_t *size)
{
	return is_listed(m, name)
	    ? hold_map(m->held.hold, held_name(m, name), size)
	    : NULL;
}

const char *
mtlog_model_dir(mtlog_model *m, mtlog_verdict **verdict)
{
	static const char memory[] = "/dev/shm";
	struct error err = {0};
	const char *dir = NULL;
	char own[64]; /* what $XDG_RUNTIME_DIR is, without looking there */

	(void)snprintf(own, sizeof(own), "/run/user/%u", (unsigned)geteuid());
	if (access(own, W_OK | X_OK) == 0)
		dir = hold_dir(m->held.hold, own, &err);
	else if (access(memory, W_OK | X_OK) == 0)
		dir = hold_dir(m->held.hold, memory, &err);
	else
		(void)error_set(&err, ERR_UNAVAILABLE,
		    "there is no folder in memory for links");
	/* Too weak a hold, or no place: of such things there is one reason. */
	if (!dir && (err.code == ERR_DENIED || err.code == ERR_UNAVAILABLE))
		err.reason = "hold-unavailable";
	return tell_error(&err, verdict) ? dir : NULL;
}

int
mtlog_model_hold(const mtlog_model *m)
{
	static const int numbers[] = {
	    [HOLD_NONE] = 0,
	    [HOLD_OPEN] = MTLOG_HOLD_OPEN,
	    [HOLD_LEASE] = MTLOG_HOLD_LEASE,
	    [HOLD_VERITY] = MTLOG_HOLD_VERITY,
	    [HOLD_COPY] = MTLOG_HOLD_COPY,
	};

	return numbers[m->held.reached];
}

int
mtlog_model_check(mtlog_model *m, mtlog_verdict **verdict)
{
	struct error err = {0};

	(void)!hold_check(m->held.hold, &err);
	if (!tell_error(&err, verdict))
		return VERDICT_INTERNAL;
	return (*verdict)->code;
}
