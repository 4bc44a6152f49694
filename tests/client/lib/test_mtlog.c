/* SPDX-License-Identifier: Apache-2.0 */
/* The library as a loader has it: a model is signed by the command, then opened
 * by mtlog.h alone. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/lib/mtlog.h"

#define WEIGHTS "the weights"

static char folder[] = "/tmp/mtlog-lib.XXXXXX";
static char policy_text[4096];

static void
put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Runs the command in the folder; its standard output goes to FILE. */
static void
command(const char *file, const char *const argv[])
{
	const char *mtlog = getenv("MTLOG");
	int status;
	pid_t child = fork();

	if (child == 0) {
		int fd;

		if (chdir(folder) != 0)
			_exit(126);
		fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || dup2(fd, 1) < 0)
			_exit(126);
		/* execv changes none of them. */
		(void)execv(
		    mtlog ? mtlog : "./mtlog", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static char *
model_path(void)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/model", folder);
	return path;
}

static int
setup(void **state)
{
	static char key[2048];
	char path[512], *at;
	size_t n;
	FILE *f;

	(void)state;
	if (!mkdtemp(folder) || mkdir(model_path(), 0755) != 0)
		return -1;
	put("model/weights.bin", WEIGHTS);
	put("model/config.json", "{}");
	command(
	    "out", (const char *[]){"mtlog", "key", "new", "--out", "k", NULL});
	command("out",
	    (const char *[]){"mtlog", "sign", "--key", "k", "--name", "acme/m",
		"model", NULL});
	command("key", (const char *[]){"mtlog", "key", "show", "k.pub", NULL});
	(void)snprintf(path, sizeof(path), "%s/key", folder);
	f = fopen(path, "r");
	n = f ? fread(key, 1, sizeof(key) - 1, f) : 0;
	key[n] = '\0';
	if (f)
		(void)fclose(f);
	at = strstr(key, "signer NAME key ");
	if (!at)
		return -1;
	at += strlen("signer NAME key ");
	at[strcspn(at, "\n")] = '\0';
	(void)snprintf(policy_text, sizeof(policy_text),
	    "quorum none\nmtlog-policy 1\nsigner ci key %s\nmodel acme/*\n"
	    "  signed-by ci\n  logged no\n",
	    at);
	return 0;
}

static int
teardown(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		(void)execlp("rm", "rm", "-rf", folder, (char *)NULL);
		_exit(127);
	}
	return waitpid(child, &status, 0) == child ? status : -1;
}

static void
link_signature(const char *name)
{
	char from[512], to[512];

	(void)snprintf(from, sizeof(from), "%s/model/model.sig", folder);
	(void)snprintf(to, sizeof(to), "%s/%s", folder, name);
	assert_int_equal(link(from, to), 0);
}

static void
remove_file(const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(unlink(path), 0);
}

static mtlog_policy *
policy(void)
{
	mtlog_verdict *v = NULL;
	mtlog_policy *p =
	    mtlog_policy_parse(policy_text, strlen(policy_text), &v);

	if (!p)
		fail_msg("%s", mtlog_verdict_message(v));
	assert_int_equal(mtlog_verdict_code(v), 0);
	mtlog_verdict_free(v);
	return p;
}

/* Opens the model; NULL wants `reason`. */
static mtlog_model *
open_model(mtlog_options *o, const char *reason)
{
	mtlog_policy *p = policy();
	mtlog_verdict *v = NULL;
	mtlog_model *m = mtlog_model_open(model_path(), p, o, &v);

	assert_non_null(v);
	assert_true((mtlog_verdict_code(v) == 0) == (m != NULL));
	if (strcmp(mtlog_verdict_reason(v), reason) != 0)
		fail_msg("%s instead of %s: %s", mtlog_verdict_reason(v),
		    reason, mtlog_verdict_message(v));
	assert_non_null(strstr(mtlog_verdict_json(v), "mtlog-verdict/1"));
	mtlog_verdict_free(v);
	mtlog_policy_free(p);
	return m;
}

static mtlog_options *
options(const char *name)
{
	mtlog_options *o = mtlog_options_new(name, NULL);

	assert_non_null(o);
	assert_int_equal(
	    mtlog_option_number(o, MTLOG_HOLD, MTLOG_HOLD_COPY), 0);
	return o;
}

static void
test_reads(void **state)
{
	mtlog_options *o = options("acme/m");
	mtlog_model *m = open_model(o, "");
	mtlog_verdict *v = NULL;
	char text[64] = {0};
	uint64_t bytes = 0;
	size_t size = 0;
	int fd;

	(void)state;
	assert_non_null(m);
	assert_int_equal(mtlog_model_files(m), 2);
	assert_string_equal(mtlog_model_file(m, 1, &bytes), "weights.bin");
	assert_int_equal(bytes, strlen(WEIGHTS));
	assert_null(mtlog_model_file(m, 2, NULL));
	assert_int_equal(mtlog_model_read(m, "weights.bin", text, 64, 4), 7);
	assert_string_equal(text, "weights");
	assert_memory_equal(
	    mtlog_model_map(m, "weights.bin", &size), WEIGHTS, strlen(WEIGHTS));
	assert_int_equal(size, strlen(WEIGHTS));
	fd = mtlog_model_open_file(m, "config.json");
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, 64), 2);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	(void)close(fd);
	errno = 0;
	assert_int_equal(mtlog_model_open_file(m, "model.sig"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mtlog_model_read(m, "../k", text, 64, 0), -1);
	assert_int_equal(mtlog_model_hold(m), MTLOG_HOLD_COPY);
	assert_int_equal(mtlog_model_check(m, &v), 0);
	mtlog_verdict_free(v);
	assert_non_null(mtlog_model_dir(m, &v));
	mtlog_verdict_free(v);
	/* A copy does not see what becomes of the file. */
	put("model/weights.bin", "other bytes");
	assert_int_equal(mtlog_model_read(m, "weights.bin", text, 64, 0), 11);
	assert_memory_equal(text, WEIGHTS, 11);
	put("model/weights.bin", WEIGHTS);
	mtlog_model_free(m);
	mtlog_options_free(o);
}

static void
test_refuses(void **state)
{
	mtlog_options *o = options("acme/other");

	(void)state;
	assert_null(open_model(o, "wrong-name"));
	mtlog_options_free(o);
	o = options("acme/m");
	put("model/weights.bin", "the weightz");
	assert_null(open_model(o, "file-changed"));
	put("model/weights.bin", WEIGHTS);
	put("model/extra.py", "import os");
	assert_null(open_model(o, "file-unsigned"));
	mtlog_options_free(o);
	/* The bundle under another name is a file like any other. */
	link_signature("model/copy.json");
	remove_file("model/extra.py");
	o = options("acme/m");
	assert_null(open_model(o, "file-unsigned"));
	mtlog_options_free(o);
	remove_file("model/copy.json");
	o = options("acme/m");
	mtlog_model_free(open_model(o, ""));
	mtlog_options_free(o);
	/* A variable that nobody set is not "any". */
	o = mtlog_options_new("", NULL);
	assert_null(open_model(o, "usage"));
	mtlog_options_free(o);
	o = mtlog_options_new(MTLOG_ANY_NAME, "");
	assert_null(open_model(o, "usage"));
	mtlog_options_free(o);
	put("model/extra.py", "import os");
	/* Only the file that was chosen is looked at, or handed out. */
	o = options("acme/m");
	assert_int_equal(mtlog_option_file(o, "no-such"), 0);
	assert_null(open_model(o, "file-missing"));
	mtlog_options_free(o);
	o = options("acme/m");
	assert_int_equal(mtlog_option_file(o, "config.json"), 0);
	assert_null(open_model(o, "file-unsigned"));
	mtlog_options_free(o);
}

static void
test_usage(void **state)
{
	mtlog_options *o = mtlog_options_new(MTLOG_ANY_NAME, NULL);
	mtlog_verdict *v = NULL;

	(void)state;
	assert_int_equal(mtlog_option_number(o, MTLOG_THREADS, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(mtlog_option_number(o, MTLOG_THREADS, 1), 0);
	assert_int_equal(mtlog_option_number(o, MTLOG_THREADS, 1), -1);
	assert_int_equal(mtlog_option_path(o, 99, "x"), -1);
	assert_int_equal(mtlog_option_path(o, MTLOG_STATE, "x"), 0);
	assert_int_equal(mtlog_option_path(o, MTLOG_STATE, "y"), -1);
	mtlog_options_free(o);
	assert_null(mtlog_policy_parse("nonsense", 8, &v));
	assert_int_equal(mtlog_verdict_code(v), 2);
	assert_true(strlen(mtlog_verdict_message(v)) > 0);
	mtlog_verdict_free(v);
	assert_null(mtlog_policy_read("/no/such/file", NULL, &v));
	assert_int_equal(mtlog_verdict_code(v), 40);
	mtlog_verdict_free(v);
	mtlog_verdict_free(NULL);
	mtlog_policy_free(NULL);
	mtlog_options_free(NULL);
	mtlog_model_free(NULL);
}

static int
stop(void *arg, const char *file, uint64_t done, uint64_t total)
{
	(void)file;
	(void)done;
	(void)total;
	return *(int *)arg;
}

static void
test_bundle_and_cancel(void **state)
{
	mtlog_options *o = options("acme/m");
	mtlog_policy *p = policy();
	mtlog_verdict *v = NULL;
	static char bundle[65536];
	char path[512];
	size_t n;
	FILE *f;
	int yes = 1;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/model/model.sig", folder);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(bundle, 1, sizeof(bundle), f);
	(void)fclose(f);
	assert_int_equal(mtlog_bundle_check(bundle, n, p, o, &v), 1);
	mtlog_verdict_free(v);
	bundle[n / 2] ^= 1;
	assert_int_equal(mtlog_bundle_check(bundle, n, p, o, &v), 0);
	assert_true(mtlog_verdict_code(v) != 0);
	mtlog_verdict_free(v);
	assert_int_equal(mtlog_option_progress(o, stop, &yes), 0);
	assert_null(mtlog_model_open(model_path(), p, o, &v));
	assert_true(mtlog_verdict_code(v) != 0);
	mtlog_verdict_free(v);
	mtlog_policy_free(p);
	mtlog_options_free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads),
	    cmocka_unit_test(test_usage),
	    cmocka_unit_test(test_bundle_and_cancel),
	    cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
