/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_CLIENT_LIB_LOADER_FIXTURE_H
#define MTLOG_TESTS_CLIENT_LIB_LOADER_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "client/lib/mtlog.h"
#include "tests/support/folder.h"

/*
 * A loader and its publisher: models are signed by the command ($MTLOG) with
 * the key `k` of the test's folder, and opened by mtlog.h alone.
 */
static char loader_key[2048]; /* base64 of the SPKI */
static bool loader_leases;    /* leases mean something in the folder */

static inline void
loader_put(const char *name, const char *text)
{
	folder_put(name, text, strlen(text));
}

/* Runs a program in the folder; its standard output goes to the file `out`. */
static inline void
loader_run(const char *path, const char *const argv[])
{
	int status;
	pid_t child;

	child = fork();
	folder_need(child >= 0, "fork");
	if (child == 0) {
		int fd;

		if (chdir(folder_path) != 0)
			_exit(126);
		fd = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || dup2(fd, 1) < 0)
			_exit(126);
		/* execv changes none of them. */
		(void)execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	errno = 0;
	folder_need(waitpid(child, &status, 0) == child && status == 0, path);
}

static inline void
loader_command(const char *const argv[])
{
	const char *mtlog = getenv("MTLOG");
	char path[4096];

	folder_need(realpath(mtlog ? mtlog : "./mtlog", path) != NULL, "mtlog");
	loader_run(path, argv);
}

/* What the last program said, at most `size` - 1 bytes. */
static inline void
loader_output(char *out, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(folder_at("out"), O_RDONLY | O_CLOEXEC);
	n = read(fd, out, size - 1);
	folder_need(n >= 0, "out");
	out[n] = '\0';
	(void)close(fd);
}

static inline void
loader_shell(const char *script, char *out, size_t size)
{
	loader_run("/bin/sh", (const char *[]){"sh", "-c", script, NULL});
	loader_output(out, size);
}

/* Signs `model` as acme/m; `more` are further words, NULL-ended, or NULL. */
static inline void
loader_sign(const char *model, const char *const *more)
{
	const char *argv[16] = {
	    "mtlog", "sign", "--key", "k", "--name", "acme/m", model};
	size_t n = 7;

	while (more && *more && n + 1 < sizeof(argv) / sizeof(argv[0]))
		argv[n++] = *more++;
	loader_command(argv);
}

/* A model of three files, one larger than what shares a copy. */
#define LOADER_WEIGHTS "the weights"
#define LOADER_LARGE   ((size_t)(1 << 20) + 4097)

static inline int
loader_setup(void **state)
{
	static const char before[] = "signer NAME key ";
	uint8_t *large = malloc(LOADER_LARGE);
	char *at;
	size_t n;

	(void)state;
	loader_leases = folder_make_with_leases();
	if (!loader_leases)
		folder_make("/tmp");
	folder_put_folder("model");
	folder_put_folder("model/sub");
	loader_put("model/weights.bin", LOADER_WEIGHTS);
	loader_put("model/config.json", "{}");
	folder_need(large != NULL, "malloc");
	folder_fill(large, LOADER_LARGE, 1);
	folder_put("model/sub/large.bin", large, LOADER_LARGE);
	free(large);
	loader_command(
	    (const char *[]){"mtlog", "key", "new", "--out", "k", NULL});
	loader_sign("model", NULL);
	loader_command((const char *[]){"mtlog", "key", "show", "k.pub", NULL});
	loader_output(loader_key, sizeof(loader_key));
	at = strstr(loader_key, before);
	folder_need(at != NULL, "mtlog key show: no line for a policy");
	at += strlen(before);
	n = strcspn(at, "\n");
	memmove(loader_key, at, n);
	loader_key[n] = '\0';
	return 0;
}

static inline int
loader_teardown(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

/* The text of a policy with these lines before and in its one rule. */
static inline const char *
loader_policy_text(const char *head, const char *rule)
{
	static char text[4096];

	(void)snprintf(text, sizeof(text),
	    "quorum none\nmtlog-policy 1\n%ssigner ci key %s\nmodel acme/*\n"
	    "  signed-by ci\n  logged no\n%s",
	    head, loader_key, rule);
	return text;
}

static inline mtlog_policy *
loader_policy(const char *rule)
{
	const char *text = loader_policy_text("", rule);
	mtlog_verdict *v = NULL;
	mtlog_policy *p = mtlog_policy_parse(text, strlen(text), &v);

	if (!p)
		fail_msg("%s", mtlog_verdict_message(v));
	assert_int_equal(mtlog_verdict_code(v), 0);
	mtlog_verdict_free(v);
	return p;
}

static inline mtlog_options *
loader_options(int hold)
{
	mtlog_options *o = mtlog_options_new("acme/m", NULL);

	assert_non_null(o);
	if (hold)
		assert_int_equal(mtlog_option_number(o, MTLOG_HOLD, hold), 0);
	return o;
}

/* Consumes the verdict: its code and reason are these ("": accepted). */
static inline void
loader_expect(mtlog_verdict *v, int code, const char *reason)
{
	assert_non_null(v);
	assert_non_null(strstr(mtlog_verdict_json(v), "mtlog-verdict/1"));
	if (mtlog_verdict_code(v) != code ||
	    strcmp(mtlog_verdict_reason(v), reason) != 0)
		fail_msg("%d %s instead of %d %s: %s", mtlog_verdict_code(v),
		    mtlog_verdict_reason(v), code, reason,
		    mtlog_verdict_message(v));
	assert_true(code == 0 || strlen(mtlog_verdict_message(v)) > 0);
	mtlog_verdict_free(v);
}

/* Opens `name` in the folder with a policy's further lines; consumes `o`. */
static inline mtlog_model *
loader_open(const char *name, const char *rule, mtlog_options *o, int code,
    const char *reason)
{
	mtlog_policy *p = loader_policy(rule);
	mtlog_verdict *v = NULL;
	mtlog_model *m = mtlog_model_open(folder_at(name), p, o, &v);

	loader_expect(v, code, reason);
	assert_true((code == 0) == (m != NULL));
	mtlog_policy_free(p);
	mtlog_options_free(o);
	return m;
}

static inline void
loader_refused(const char *name, mtlog_options *o, int code, const char *reason)
{
	assert_null(loader_open(name, "", o, code, reason));
}

#endif
