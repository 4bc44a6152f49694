/* SPDX-License-Identifier: Apache-2.0 */
/* The library as a loader has it: what is asked for, what comes back. Linked to
 * libmtlog.so.1, as a loader is. */
#include "tests/client/lib/loader_fixture.h"

#include <time.h>

/* A policy file with this text and mode; its path. */
static const char *
policy_file(const char *text, mode_t mode)
{
	loader_put("policy", text);
	assert_int_equal(chmod(folder_at("policy"), mode), 0);
	return folder_at("policy");
}

static void
policy_refused(const char *path, const char *pin, int code, const char *reason)
{
	mtlog_verdict *v = NULL;

	assert_null(mtlog_policy_read(path, pin, &v));
	loader_expect(v, code, reason);
}

/* The digest of policy_file's text, as sha256sum knows it. */
static void
digest_of_policy(char out[65])
{
	loader_shell("sha256sum policy", out, 65);
	assert_int_equal(strlen(out), 64);
}

static void
test_policy_read(void **state)
{
	const char *text = loader_policy_text("", "");
	const char *path = policy_file(text, 0644);
	mtlog_verdict *v = NULL;
	mtlog_policy *p = mtlog_policy_read(path, NULL, &v);
	char pin[65], other[65];

	(void)state;
	assert_non_null(p);
	loader_expect(v, 0, "");
	mtlog_policy_free(p);
	digest_of_policy(pin);
	memcpy(other, pin, sizeof(pin));
	other[0] = other[0] == '0' ? '1' : '0';
	p = mtlog_policy_read(path, pin, &v);
	assert_non_null(p);
	loader_expect(v, 0, "");
	mtlog_policy_free(p);
	policy_refused(path, other, 2, "usage");
	policy_refused(path, "", 2, "usage");
	pin[63] = '\0';
	policy_refused(path, pin, 2, "usage");
	policy_refused("/no/such/file", NULL, 40, "missing");
	policy_refused(folder_path, NULL, 40, "permission");
	/* Others may write it: only its very bytes will do. */
	path = policy_file(text, 0664);
	policy_refused(path, NULL, 40, "permission");
	digest_of_policy(pin);
	p = mtlog_policy_read(path, pin, &v);
	assert_non_null(p);
	loader_expect(v, 0, "");
	mtlog_policy_free(p);
	path = policy_file(text, 0646);
	policy_refused(path, NULL, 40, "permission");
	path = policy_file("nonsense\n", 0600);
	policy_refused(path, NULL, 2, "usage");
	path = policy_file("", 0600);
	policy_refused(path, NULL, 2, "usage");
	/* A pipe keeps nobody waiting. */
	assert_int_equal(mkfifo(folder_at("pipe"), 0600), 0);
	policy_refused(folder_at("pipe"), NULL, 40, "permission");
}

static void
test_policy_owner(void **state)
{
	const char *path = policy_file(loader_policy_text("", ""), 0644);

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can give a file away\n");
		skip();
	}
	assert_int_equal(chown(path, 12345, 12345), 0);
	policy_refused(path, NULL, 40, "permission");
	assert_int_equal(chown(path, 0, 0), 0);
}

static void
test_policy_parse(void **state)
{
	static const char *const wrong[] = {"nonsense", "", "mtlog-policy 1\n",
	    "quorum none\nmtlog-policy 2\n",
	    "quorum none\nmtlog-policy 1\nmodel *\n",
	    "quorum none\nmtlog-policy 1\nquorum none\n"};
	mtlog_verdict *v = NULL;
	char *large = malloc(2 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_null(mtlog_policy_parse(wrong[i], strlen(wrong[i]), &v));
		loader_expect(v, 2, "usage");
	}
	assert_non_null(large);
	memset(large, '#', 2 << 20);
	assert_null(mtlog_policy_parse(large, 2 << 20, &v));
	loader_expect(v, 2, "usage");
	free(large);
}

static void
test_options(void **state)
{
	static const struct {
		int what;
		int64_t value;
	} wrong[] = {{MTLOG_NOW, -1}, {MTLOG_ONLINE, 2}, {MTLOG_ONLINE, -1},
	    {MTLOG_TIMEOUT_MS, 0}, {MTLOG_TIMEOUT_MS, 3600001},
	    {MTLOG_THREADS, 0}, {MTLOG_THREADS, 65}, {MTLOG_HOLD, 0},
	    {MTLOG_HOLD, 5}, {MTLOG_COPY_MAX, -1}, {0, 1}, {-1, 1}, {15, 1},
	    {22, 1}, {MTLOG_STATE, 1}, {INT32_MAX, 1}, {INT32_MIN, 1}};
	static const int paths[] = {
	    MTLOG_SIGNATURE, MTLOG_STATE, MTLOG_SCRATCH, MTLOG_LOG_URL};
	static const int none[] = {
	    0, -1, 6, 99, MTLOG_NOW, MTLOG_HOLD, INT32_MAX, INT32_MIN};
	mtlog_options *o = mtlog_options_new(MTLOG_ANY_NAME, "1.0");

	(void)state;
	assert_non_null(o);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		errno = 0;
		assert_int_equal(
		    mtlog_option_number(o, wrong[i].what, wrong[i].value), -1);
		assert_int_equal(errno, EINVAL);
	}
	for (int what = MTLOG_NOW; what <= MTLOG_COPY_MAX; what++) {
		assert_int_equal(mtlog_option_number(o, what, 1), 0);
		errno = 0;
		assert_int_equal(mtlog_option_number(o, what, 1), -1);
		assert_int_equal(errno, EINVAL);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		errno = 0;
		assert_int_equal(mtlog_option_path(o, none[i], "x"), -1);
		assert_int_equal(errno, EINVAL);
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(mtlog_option_path(o, paths[i], "x"), 0);
		errno = 0;
		assert_int_equal(mtlog_option_path(o, paths[i], "y"), -1);
		assert_int_equal(errno, EINVAL);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mtlog_option_path(o, MTLOG_EVIDENCE, "x"), 0);
		assert_int_equal(mtlog_option_file(o, "x"), 0);
	}
	mtlog_options_free(o);
}

static void
test_freeing_nothing(void **state)
{
	(void)state;
	mtlog_verdict_free(NULL);
	mtlog_policy_free(NULL);
	mtlog_options_free(NULL);
	mtlog_model_free(NULL);
	assert_int_equal(
	    strspn(mtlog_version(), "0123456789."), strlen(mtlog_version()));
}

static void
test_names_and_sizes(void **state)
{
	static const struct {
		const char *name;
		uint64_t size;
	} files[] = {{"config.json", 2}, {"sub/large.bin", LOADER_LARGE},
	    {"weights.bin", strlen(LOADER_WEIGHTS)}};
	mtlog_model *m =
	    loader_open("model", "", loader_options(MTLOG_HOLD_COPY), 0, "");
	uint64_t size = 0;

	(void)state;
	assert_int_equal(mtlog_model_files(m), 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(
		    mtlog_model_file(m, i, &size), files[i].name);
		assert_int_equal(size, files[i].size);
	}
	assert_string_equal(mtlog_model_file(m, 0, NULL), "config.json");
	errno = 0;
	assert_null(mtlog_model_file(m, 3, &size));
	assert_int_equal(errno, ENOENT);
	assert_null(mtlog_model_file(m, SIZE_MAX, NULL));
	mtlog_model_free(m);
}

/* Whatever the manifest does not list is not there, on disk or not. */
static void
test_other_names(void **state)
{
	static const char *const names[] = {"", ".", "..", "/", "model.sig",
	    "../k", "sub", "sub/", "/etc/passwd", "weights.bin/",
	    "./weights.bin", "sub/../weights.bin", "Weights.bin",
	    "weights.bin\n"};
	mtlog_model *m =
	    loader_open("model", "", loader_options(MTLOG_HOLD_COPY), 0, "");
	size_t size = 0;
	char to[16];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		errno = 0;
		assert_int_equal(mtlog_model_open_file(m, names[i]), -1);
		assert_int_equal(errno, ENOENT);
		errno = 0;
		assert_int_equal(mtlog_model_read(m, names[i], to, 16, 0), -1);
		assert_int_equal(errno, ENOENT);
		errno = 0;
		assert_null(mtlog_model_map(m, names[i], &size));
		assert_int_equal(errno, ENOENT);
	}
	mtlog_model_free(m);
}

static void
test_openat(void **state)
{
	int fd = open(folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int empty = open(folder_at("model/sub"), O_PATH | O_CLOEXEC);
	mtlog_options *o = loader_options(MTLOG_HOLD_COPY);
	mtlog_policy *p = loader_policy("");
	mtlog_verdict *v = NULL;
	mtlog_model *m;

	(void)state;
	m = mtlog_model_openat(fd, "model", p, o, &v);
	assert_non_null(m);
	loader_expect(v, 0, "");
	mtlog_model_free(m);
	m = mtlog_model_openat(empty, folder_at("model"), p, o, &v);
	assert_non_null(m);
	loader_expect(v, 0, "");
	mtlog_model_free(m);
	assert_null(mtlog_model_openat(empty, "model", p, o, &v));
	loader_expect(v, 40, "missing");
	assert_null(mtlog_model_openat(-1, "model", p, o, &v));
	loader_expect(v, 40, "missing");
	assert_null(mtlog_model_open("", p, o, &v));
	loader_expect(v, 40, "missing");
	(void)close(fd);
	(void)close(empty);
	mtlog_policy_free(p);
	mtlog_options_free(o);
}

static void
test_names_asked_for(void **state)
{
	static const struct {
		const char *name, *version;
		int code;
		const char *reason;
	} cases[] = {
	    {"acme/m", NULL, 0, ""},
	    {MTLOG_ANY_NAME, NULL, 0, ""},
	    {"acme/other", NULL, 13, "wrong-name"},
	    {"acme/m2", NULL, 13, "wrong-name"},
	    {"acme", NULL, 13, "wrong-name"},
	    {"acme/*", NULL, 13, "wrong-name"},
	    {"acme/m", "1.0", 13, "wrong-name"},
	    {"acme/m", MTLOG_ANY_NAME, 13, "wrong-name"},
	    /* Nothing is not anything. */
	    {"", NULL, 2, "usage"},
	    {"acme/m", "", 2, "usage"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		mtlog_model_free(loader_open("model", "",
		    mtlog_options_new(cases[i].name, cases[i].version),
		    cases[i].code, cases[i].reason));
}

static char *
read_bundle(size_t *len)
{
	char *text = malloc(1 << 16);
	int fd = open(folder_at("model/model.sig"), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, 1 << 16);

	assert_true(n > 0);
	(void)close(fd);
	*len = (size_t)n;
	return text;
}

static void
test_bundle_check(void **state)
{
	mtlog_options *o = loader_options(0), *other;
	mtlog_policy *p = loader_policy("");
	mtlog_verdict *v = NULL;
	size_t len;
	char *bundle = read_bundle(&len);

	(void)state;
	assert_int_equal(mtlog_bundle_check(bundle, len, p, o, &v), 1);
	loader_expect(v, 0, "");
	other = mtlog_options_new("acme/other", NULL);
	assert_int_equal(mtlog_bundle_check(bundle, len, p, other, &v), 0);
	loader_expect(v, 13, "wrong-name");
	mtlog_options_free(other);
	other = mtlog_options_new("", NULL);
	assert_int_equal(mtlog_bundle_check(bundle, len, p, other, &v), 0);
	loader_expect(v, 2, "usage");
	mtlog_options_free(other);
	assert_int_equal(mtlog_bundle_check(bundle, len - 1, p, o, &v), 0);
	loader_expect(v, 12, "malformed-bundle");
	assert_int_equal(mtlog_bundle_check("", 0, p, o, &v), 0);
	loader_expect(v, 12, "malformed-bundle");
	for (size_t i = 0; i < len; i += 41) {
		bundle[i] ^= 1;
		assert_int_equal(mtlog_bundle_check(bundle, len, p, o, &v), 0);
		assert_true(mtlog_verdict_code(v) > 0);
		mtlog_verdict_free(v);
		bundle[i] ^= 1;
	}
	free(bundle);
	mtlog_policy_free(p);
	mtlog_options_free(o);
}

static void
test_refused_files(void **state)
{
	(void)state;
	loader_put("model/weights.bin", "the weightz");
	loader_refused("model", loader_options(0), 10, "file-changed");
	loader_put("model/weights.bin", "the weight");
	loader_refused("model", loader_options(0), 10, "file-changed");
	assert_int_equal(unlink(folder_at("model/weights.bin")), 0);
	loader_refused("model", loader_options(0), 10, "file-missing");
	assert_int_equal(
	    symlink("../model/config.json", folder_at("model/weights.bin")), 0);
	loader_refused("model", loader_options(0), 10, "file-type");
	assert_int_equal(unlink(folder_at("model/weights.bin")), 0);
	assert_int_equal(mkfifo(folder_at("model/weights.bin"), 0600), 0);
	loader_refused("model", loader_options(0), 10, "file-type");
	assert_int_equal(unlink(folder_at("model/weights.bin")), 0);
	loader_put("model/weights.bin", LOADER_WEIGHTS);
	loader_put("model/extra.py", "import os");
	loader_refused("model", loader_options(0), 10, "file-unsigned");
	assert_int_equal(unlink(folder_at("model/extra.py")), 0);
	loader_refused("no-model", loader_options(0), 40, "missing");
	loader_refused("model/sub", loader_options(0), 12, "no-bundle");
}

/* Only these are looked at and handed out; the others may be anything. */
static void
test_chosen_files(void **state)
{
	mtlog_options *o = loader_options(MTLOG_HOLD_COPY);
	mtlog_model *m;
	char to[16];

	(void)state;
	loader_put("model/config.json", "[]");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mtlog_option_file(o, "weights.bin"), 0);
		assert_int_equal(mtlog_option_file(o, "sub/large.bin"), 0);
	}
	m = loader_open("model", "", o, 0, "");
	assert_int_equal(mtlog_model_files(m), 2);
	assert_string_equal(mtlog_model_file(m, 0, NULL), "sub/large.bin");
	assert_string_equal(mtlog_model_file(m, 1, NULL), "weights.bin");
	assert_int_equal(mtlog_model_read(m, "weights.bin", to, 16, 4), 7);
	errno = 0;
	assert_int_equal(mtlog_model_read(m, "config.json", to, 16, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mtlog_model_open_file(m, "config.json"), -1);
	mtlog_model_free(m);
	o = loader_options(0);
	assert_int_equal(mtlog_option_file(o, "config.json"), 0);
	loader_refused("model", o, 10, "file-changed");
	o = loader_options(0);
	assert_int_equal(mtlog_option_file(o, "weights.bin"), 0);
	assert_int_equal(mtlog_option_file(o, "no-such"), 0);
	loader_refused("model", o, 10, "file-missing");
	o = loader_options(0);
	assert_int_equal(mtlog_option_file(o, ""), 0);
	loader_refused("model", o, 10, "file-missing");
	/* What nobody signed may not lie there, chosen or not. */
	loader_put("model/extra.py", "import os");
	o = loader_options(0);
	assert_int_equal(mtlog_option_file(o, "weights.bin"), 0);
	loader_refused("model", o, 10, "file-unsigned");
	assert_int_equal(unlink(folder_at("model/extra.py")), 0);
	loader_put("model/config.json", "{}");
}

struct told {
	unsigned calls, stop_at;
	uint64_t done, total;
	bool backwards;
};

static int
tell(void *arg, const char *file, uint64_t done, uint64_t total)
{
	struct told *t = arg;

	assert_non_null(file);
	t->backwards = t->backwards || done > total;
	t->done = done;
	t->total = total;
	return ++t->calls == t->stop_at;
}

static void
test_progress_and_cancel(void **state)
{
	struct told told = {0};
	unsigned calls;

	(void)state;
	for (int hold = MTLOG_HOLD_OPEN; hold <= MTLOG_HOLD_COPY; hold++) {
		mtlog_options *o = loader_options(hold);

		if (hold == MTLOG_HOLD_VERITY)
			mtlog_options_free(o);
		if (hold == MTLOG_HOLD_VERITY)
			continue;
		told = (struct told){0};
		assert_int_equal(mtlog_option_progress(o, tell, &told), 0);
		mtlog_model_free(loader_open("model", "", o, 0, ""));
		assert_true(told.calls > 0);
		assert_false(told.backwards);
		assert_int_equal(told.done, told.total);
		assert_int_equal(
		    told.total, LOADER_LARGE + 2 + strlen(LOADER_WEIGHTS));
		calls = told.calls;
		for (unsigned at = 1; at <= calls; at++) {
			o = loader_options(hold);
			told = (struct told){.stop_at = at};
			assert_int_equal(
			    mtlog_option_progress(o, tell, &told), 0);
			loader_refused("model", o, 1, "cancelled");
		}
	}
}

/* An older policy is refused where a newer one was used; a broken memory
 * refuses all. */
static void
test_state(void **state)
{
	static const struct {
		const char *head;
		int code;
		const char *reason;
	} cases[] = {{"serial 7\n", 0, ""},
	    {"serial 6\n", 44, "policy-rollback"}, {"", 44, "policy-rollback"},
	    {"serial 8\n", 0, ""}, {"serial 7\n", 44, "policy-rollback"}};
	mtlog_verdict *v = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = loader_policy_text(cases[i].head, "");
		mtlog_policy *p = mtlog_policy_parse(text, strlen(text), &v);
		mtlog_options *o = loader_options(0);
		mtlog_model *m;

		assert_non_null(p);
		mtlog_verdict_free(v);
		assert_int_equal(
		    mtlog_option_path(o, MTLOG_STATE, folder_at("state")), 0);
		m = mtlog_model_open(folder_at("model"), p, o, &v);
		assert_true((m != NULL) == (cases[i].code == 0));
		loader_expect(v, cases[i].code, cases[i].reason);
		mtlog_model_free(m);
		mtlog_policy_free(p);
		mtlog_options_free(o);
	}
	loader_put("state/state.json", "{}");
	for (int i = 0; i < 2; i++) {
		mtlog_options *o = loader_options(0);

		assert_int_equal(mtlog_option_path(o, MTLOG_STATE,
				     folder_at(i ? "k/no" : "state")),
		    0);
		loader_refused("model", o, 40, "io");
	}
}

static void
test_now(void **state)
{
	static const struct {
		int64_t now;
		int code;
		const char *reason;
	} cases[] = {{1767225599, 0, ""}, {1767225600, 44, "policy-expired"},
	    {INT64_MAX, 44, "policy-expired"}, {0, 0, ""}};
	const char *text = loader_policy_text("expires 2026-01-01\n", "");
	mtlog_verdict *v = NULL;
	mtlog_policy *p = mtlog_policy_parse(text, strlen(text), &v);

	(void)state;
	assert_non_null(p);
	mtlog_verdict_free(v);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		mtlog_options *o = loader_options(0);
		mtlog_model *m;

		assert_int_equal(
		    mtlog_option_number(o, MTLOG_NOW, cases[i].now), 0);
		m = mtlog_model_open(folder_at("model"), p, o, &v);
		assert_true((m != NULL) == (cases[i].code == 0));
		loader_expect(v, cases[i].code, cases[i].reason);
		mtlog_model_free(m);
		mtlog_options_free(o);
	}
	mtlog_policy_free(p);
}

static void
test_signature_and_evidence(void **state)
{
	mtlog_options *o = loader_options(0);
	size_t len;
	char *bundle = read_bundle(&len);

	(void)state;
	folder_put("elsewhere", bundle, len);
	free(bundle);
	assert_int_equal(
	    mtlog_option_path(o, MTLOG_SIGNATURE, folder_at("elsewhere")), 0);
	/* The one in the model is then a file like any other. */
	loader_refused("model", o, 10, "file-unsigned");
	assert_int_equal(
	    rename(folder_at("model/model.sig"), folder_at("kept")), 0);
	o = loader_options(0);
	assert_int_equal(
	    mtlog_option_path(o, MTLOG_SIGNATURE, folder_at("elsewhere")), 0);
	mtlog_model_free(loader_open("model", "", o, 0, ""));
	loader_refused("model", loader_options(0), 12, "no-bundle");
	assert_int_equal(
	    rename(folder_at("kept"), folder_at("model/model.sig")), 0);
	o = loader_options(0);
	assert_int_equal(
	    mtlog_option_path(o, MTLOG_EVIDENCE, folder_at("no-such")), 0);
	loader_refused("model", o, 40, "missing");
	/* Evidence that cannot be read could be a withdrawal. */
	loader_put("broken", "{");
	o = loader_options(0);
	assert_int_equal(
	    mtlog_option_path(o, MTLOG_EVIDENCE, folder_at("broken")), 0);
	loader_refused("model", o, 12, "malformed-bundle");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policy_read),
	    cmocka_unit_test(test_policy_owner),
	    cmocka_unit_test(test_policy_parse),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_freeing_nothing),
	    cmocka_unit_test(test_names_and_sizes),
	    cmocka_unit_test(test_other_names),
	    cmocka_unit_test(test_openat),
	    cmocka_unit_test(test_names_asked_for),
	    cmocka_unit_test(test_bundle_check),
	    cmocka_unit_test(test_refused_files),
	    cmocka_unit_test(test_chosen_files),
	    cmocka_unit_test(test_progress_and_cancel),
	    cmocka_unit_test(test_state),
	    cmocka_unit_test(test_now),
	    cmocka_unit_test(test_signature_and_evidence),
	};

	return cmocka_run_group_tests(tests, loader_setup, loader_teardown);
}
