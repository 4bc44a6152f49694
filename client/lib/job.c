/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/model_files.h"
#include "client/lib/online.h"
#include "client/lib/scan_view.h"
#include "client/lib/sources.h"
#include "client/lib/state.h"
#include "core/base/cleanup.h"
#include "io/clock.h"
#include "io/file.h"

/* One run: what has to be released at its end. */
struct run {
	const struct job *job;
	char *path; /* of the model, from the current folder */
	struct buf bundle;
	struct evidence_list evidence;
	struct state *state;
	struct file_tree tree;
	struct online *online;
	struct scan_view scan;
	struct model_files files;
	struct verify_input in;
	int scratch;
};

static void
run_release(struct run *r)
{
	free(r->path);
	buf_release(&r->bundle);
	evidence_list_release(&r->evidence);
	state_close(r->state);
	file_tree_release(&r->tree);
	online_close(r->online);
	held_model_release(&r->files.held);
	free(r->files.signature);
	if (r->scratch >= 0)
		(void)close(r->scratch);
}

static bool
not_there(struct error *err, const char *path)
{
	return error_reason(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
	    errno == EACCES ? "permission" : "missing", "%s cannot be read: %m",
	    path);
}

/* A path relative to a descriptor, as one that any call takes. */
static char *
full_path(int dirfd, const char *path)
{
	char *out = NULL;

	if (dirfd == AT_FDCWD || path[0] == '/')
		return strdup(path);
	return asprintf(&out, "/proc/self/fd/%d/%s", dirfd, path) < 0 ? NULL
								      : out;
}

static bool
read_bundle(struct run *r, bool is_folder, struct error *err)
{
	const struct job *job = r->job;
	char *path = job->signature ? strdup(job->signature)
				    : signature_path(r->path, is_folder);
	struct error why = {0};
	bool ok;

	if (!path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	buf_init(&r->bundle, BUNDLE_MAX_LEN);
	ok = file_read(path, &r->bundle, &why);
	if (!ok && why.code == ERR_NOTFOUND)
		(void)error_reason(err, ERR_NOTFOUND, "no-bundle",
		    "there is no signature at %s; say --signature FILE if it "
		    "lies elsewhere",
		    path);
	else if (!ok)
		*err = why;
	ok = ok && signature_within(r->path, path, &r->files.signature, err);
	free(path);
	return ok;
}

static bool
read_evidence(struct run *r, bool is_folder, struct error *err)
{
	const char *const *more = r->job->evidence;
	char *beside = r->path ? evidence_path(r->path, is_folder) : NULL;
	bool ok =
	    !r->path || beside || error_set(err, ERR_INTERNAL, "out of memory");

	if (ok && beside)
		ok = evidence_add_path(&r->evidence, beside, true, err);
	free(beside);
	for (size_t i = 0; ok && more && more[i]; i++)
		ok = evidence_add_path(&r->evidence, more[i], false, err);
	return ok;
}

static bool
open_state(struct run *r, struct error *err)
{
	if (!r->job->state)
		return true;
	r->state = state_open(r->job->state, err);
	if (!r->state)
		return false;
	r->in.state = state_view(r->state);
	return true;
}

static bool
open_scratch(struct run *r, struct error *err)
{
	const char *path = r->job->scratch;

	if (path && r->job->hold != HOLD_NONE) {
		r->scratch = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (r->scratch < 0)
			return not_there(err, path);
	}
	r->files.scratch = r->scratch;
	return true;
}

/* The log is asked about the statement that lies here, believed or not: what
 * comes back is judged by verify(). */
static bool
ask_log(struct run *r, struct error *err)
{
	r->in.online = r->job->online;
	if (!r->job->online)
		return true;
	r->online = online_open(r->job, buf_bytes(&r->bundle), err);
	if (!r->online || !online_evidence(r->online, &r->evidence, err))
		return false;
	r->in.current = online_current(r->online);
	return true;
}

/* The scans that lie in the state: what they found refuses offline, too. */
static bool
read_scans(struct run *r, struct error *err)
{
	if (!r->job->state)
		return true;
	if (!scan_view_read(r->job->state, r->job->policy,
		buf_bytes(&r->bundle), &r->evidence, &r->scan, err))
		return false;
	if (r->scan.there)
		r->in.scan = &r->scan.scan;
	return true;
}

static void
set_input(struct run *r)
{
	const struct job *job = r->job;
	struct verify_input *in = &r->in;

	in->policy = job->policy;
	in->sigstore = job->sigstore;
	in->model = job->path ? bytes_str(job->path) : (struct bytes){0};
	if (job->name)
		in->asked_name = bytes_str(job->name);
	if (job->version)
		in->asked_version = bytes_str(job->version);
	in->now = job->has_now ? job->now : (uint64_t)clock_wall_s();
	in->bundle = &r->bundle;
	in->allow_v02 = job->allow_v02;
	in->files_chosen = job->files != NULL;
	in->hold = job->hold;
	in->hold_of_rule = job->hold_of_rule;
}

/* An empty word is a variable that nobody set, and never "any". */
static bool
asks_sensibly(const struct job *job, struct error *err)
{
	if (job->name && !*job->name)
		return error_set(err, ERR_USAGE,
		    "the name that is asked for is empty; leave it out for "
		    "any name");
	if (job->version && !*job->version)
		return error_set(err, ERR_USAGE,
		    "the version that is asked for is empty; leave it out for "
		    "any version");
	return true;
}

static bool
judge(struct run *r, struct verdict *out)
{
	struct error err = {0};

	r->in.evidence = r->evidence.items;
	r->in.evidence_count = r->evidence.count;
	if (!verify(&r->in, out))
		return false;
	/* What cannot be remembered cannot refuse a rollback later. */
	if (r->state && !state_learn(r->state, out, &err)) {
		out->code = VERDICT_INTERNAL;
		verdict_refuse(out, &err);
		return false;
	}
	return true;
}

static bool
prepare(struct run *r, struct error *err)
{
	const struct job *job = r->job;
	struct stat st;
	bool is_folder;

	r->path = full_path(job->dirfd, job->path);
	if (!r->path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (stat(r->path, &st) != 0)
		return not_there(err, job->path);
	is_folder = S_ISDIR(st.st_mode);
	r->files.job = job;
	r->files.tree = &r->tree;
	r->in.files.check = model_files_check;
	r->in.files.arg = &r->files;
	return open_state(r, err) && open_scratch(r, err) &&
	    read_bundle(r, is_folder, err) &&
	    read_evidence(r, is_folder, err) && ask_log(r, err) &&
	    read_scans(r, err) &&
	    file_tree_open(
		AT_FDCWD, r->path, model_files_skip, NULL, &r->tree, err);
}

bool
job_run(const struct job *job, struct verdict *out, struct held_model *held)
{
	struct run r = {.job = job, .tree = FILE_TREE_INIT, .scratch = -1};
	struct error err = {0};
	bool ok;

	set_input(&r);
	out->model = r.in.model;
	ok = asks_sensibly(job, &err) && prepare(&r, &err);
	if (!ok)
		verdict_refuse(out, &err);
	else
		ok = judge(&r, out);
	if (ok && held) {
		*held = r.files.held;
		r.files.held = (struct held_model){0}; /* transferred */
	}
	run_release(&r);
	return ok;
}

bool
job_run_bundle(const struct job *job, struct bytes json, struct verdict *out)
{
	struct run r = {.job = job, .tree = FILE_TREE_INIT, .scratch = -1};
	struct error err = {0};
	bool ok;

	buf_init(&r.bundle, BUNDLE_MAX_LEN);
	buf_put(&r.bundle, json);
	set_input(&r);
	ok = asks_sensibly(job, &err) && buf_ok(&r.bundle, &err) &&
	    open_state(&r, &err) && read_evidence(&r, false, &err) &&
	    ask_log(&r, &err) && read_scans(&r, &err);
	if (!ok)
		verdict_refuse(out, &err);
	else
		ok = judge(&r, out);
	run_release(&r);
	return ok;
}

void
held_model_release(struct held_model *h)
{
	hold_close(h->hold);
	for (size_t i = 0; i < h->count; i++)
		free(h->names[i]);
	free(h->names);
	*h = (struct held_model){0};
}
