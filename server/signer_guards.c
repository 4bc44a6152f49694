/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer_guards.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static bool verdict(struct signer_hello *hello, enum signer_guard guard,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Says why the guard is not OK; true, because finding that out succeeded. */
static bool
verdict(struct signer_hello *hello, enum signer_guard guard, const char *format,
    ...)
{
	va_list ap;

	hello->guard = guard;
	va_start(ap, format);
	(void)vsnprintf(
	    hello->note_error, sizeof(hello->note_error), format, ap);
	va_end(ap);
	return true;
}

/* Reads the head that `state` holds, if our key has signed it. */
static bool
head_open(const struct guard_state *state, const struct vkey *vkey,
    struct key_verifier *verifier, struct signed_head *out, struct error *err)
{
	struct checkpoint c;
	struct hash empty;

	if (!checkpoint_open(bytes_of(state->note, state->note_len), vkey,
		verifier, &c, err))
		return false;
	merkle_empty_root(&empty);
	if (c.size == 0 && !hash_equal(&c.root, &empty))
		return error_set(err, ERR_SYNTAX,
		    "checkpoint: size 0, but not the empty tree's root");
	*out = (struct signed_head){c.size, c.root};
	return true;
}

/*
 * Looks at one guard file that could be read. `hello->guard` stays OK, or says
 * what is wrong; false only for a defect of our own.
 */
static bool
state_check(const char *path, const struct guard_state *state,
    struct key_verifier *verifier, struct signer_hello *hello,
    struct signed_head *head, struct error *err)
{
	struct error e = {0};

	if (!bytes_equal(bytes_str(state->origin), vkey_name(&hello->vkey)))
		return verdict(hello, SIGNER_GUARD_FOREIGN,
		    "%.60s: belongs to the log %.80s", path, state->origin);
	if (!hash_equal(&state->log_id, &hello->vkey.log_id))
		return verdict(hello, SIGNER_GUARD_FOREIGN,
		    "%.60s: belongs to another key", path);
	if (head_open(state, &hello->vkey, verifier, head, &e))
		return true;
	if (e.code == ERR_INTERNAL)
		return error_set(err, e.code, "%s", e.text);
	return verdict(hello, SIGNER_GUARD_BAD, "%.60s: %.130s", path, e.text);
}

/* A copy is written after the guard: it may be behind, never ahead. */
static void
copy_compare(const char *path, const struct guard_state *copy,
    const struct signed_head *head, const struct signed_head *guard,
    struct signer_hello *hello)
{
	if (head->size > guard->size)
		(void)verdict(hello, SIGNER_GUARD_ROLLBACK,
		    "rollback: copy %.60s holds size %" PRIu64
		    ", the guard only %" PRIu64,
		    path, head->size, guard->size);
	else if (head->size == guard->size &&
	    !hash_equal(&head->root, &guard->root))
		(void)verdict(hello, SIGNER_GUARD_ROLLBACK,
		    "rollback: copy %.60s holds another root at size %" PRIu64,
		    path, head->size);
	else if (copy->frozen && !hello->state.frozen)
		(void)verdict(hello, SIGNER_GUARD_ROLLBACK,
		    "rollback: copy %.60s is frozen, the guard is not", path);
}

static bool
guard_take(struct signer_guards *g, const struct signer_options *options,
    struct key_verifier *verifier, struct signer_hello *hello,
    struct signed_head *head, struct error *err)
{
	const char *path = options->guard_path;
	struct error e = {0};

	g->files[0] =
	    guard_open(path, options->lock_wait_ms, &hello->state, &e);
	if (g->files[0]) {
		g->count = 1;
		return state_check(
		    path, &hello->state, verifier, hello, head, err);
	}
	hello->state = (struct guard_state){0};
	if (e.code == ERR_NOTFOUND)
		return verdict(hello, SIGNER_GUARD_MISSING, "%.180s", e.text);
	if (e.code == ERR_SYNTAX)
		return verdict(hello, SIGNER_GUARD_BAD, "%.180s", e.text);
	return error_set(err, e.code, "%s", e.text);
}

static bool
copy_take(struct signer_guards *g, const struct signer_options *options,
    const char *path, struct key_verifier *verifier, struct signer_hello *hello,
    const struct signed_head *head, struct error *err)
{
	struct guard_state copy;
	struct signed_head copy_head = {0};
	struct error e = {0};

	if (g->count == 1 + SIGNER_MAX_COPIES)
		return error_set(err, ERR_LIMIT, "more than %d guard copies",
		    SIGNER_MAX_COPIES);
	g->files[g->count] = guard_open(path, options->lock_wait_ms, &copy, &e);
	if (!g->files[g->count]) {
		/* Without it, a guard put back to an older state looks well. */
		if (e.code != ERR_CONFLICT && e.code != ERR_INTERNAL)
			return verdict(hello, SIGNER_GUARD_COPY,
			    "copy: %.100s. Mount its disk, or stop the server "
			    "and copy the guard file to that place",
			    e.text);
		return error_set(err, e.code, "copy: %s", e.text);
	}
	g->count++;
	if (!state_check(path, &copy, verifier, hello, &copy_head, err))
		return false;
	if (hello->guard == SIGNER_GUARD_OK)
		copy_compare(path, &copy, &copy_head, head, hello);
	return true;
}

bool
signer_guards_open(struct signer_guards *g,
    const struct signer_options *options, struct key_verifier *verifier,
    struct signer_hello *hello, struct signed_head *head, struct error *err)
{
	*g = (struct signer_guards){0};
	hello->guard = SIGNER_GUARD_OK;
	if (!guard_take(g, options, verifier, hello, head, err))
		return false;
	for (const char *const *path = options->guard_copies;
	     path && *path && hello->guard == SIGNER_GUARD_OK; path++)
		if (!copy_take(g, options, *path, verifier, hello, head, err))
			return false;
	return true;
}

void
signer_guards_release(struct signer_guards *g)
{
	for (size_t i = 0; i < g->count; i++)
		guard_close(g->files[i]);
	*g = (struct signer_guards){0};
}

bool
signer_guards_write(
    struct signer_guards *g, struct guard_state *next, struct error *err)
{
	struct guard_state copy = *next;

	if (g->failed || g->count == 0)
		return error_reason(
		    err, ERR_IO, "guard-io", "guard: an earlier write failed");
	g->failed = true; /* until all have succeeded */
	if (!guard_write(g->files[0], next, err))
		return false;
	for (size_t i = 1; i < g->count; i++)
		if (!guard_write(g->files[i], &copy, err))
			return error_prefix(err, "copy");
	g->failed = false;
	return true;
}

bool
signer_guards_create(const struct signer_options *options,
    const struct guard_state *first, struct error *err)
{
	const char *const *copies = options->guard_copies;
	size_t made = 0;

	if (!guard_create(options->guard_path, first, err))
		return false;
	while (copies && copies[made]) {
		if (!guard_create(copies[made], first, err)) {
			while (made > 0)
				(void)unlink(copies[--made]);
			(void)unlink(options->guard_path);
			return error_prefix(err, "copy");
		}
		made++;
	}
	return true;
}
