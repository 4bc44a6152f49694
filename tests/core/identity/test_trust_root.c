/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/identity/trust_root.h"
#include "tests/support/vector_file.h"

#define FROM UINT64_C(1767225600) /* 2026-01-01T00:00:00Z */

static void
load(const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "trust_root/%s.json", name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
parse_valid(const char *name, struct trust_root *out)
{
	AUTO(buf) in = BUF_INIT(TRUST_ROOT_MAX_LEN);
	struct error err = {0};

	/* Does not borrow: the JSON is freed here. */
	load(name, &in);
	if (!trust_root_parse(buf_bytes(&in), out, &err))
		fail_msg("%s: %s", name, err.text);
}

/* Every vector has the verdict that its name begins with. */
static void
test_verdicts(void **state)
{
	static const struct {
		const char *prefix;
		enum error_code code;
	} verdicts[] = {{"valid-", ERR_NONE}, {"invalid-", ERR_SYNTAX},
	    {"limit-", ERR_LIMIT}};
	char path[VECTOR_PATH_MAX];
	DIR *d = opendir(vector_own(path, "trust_root"));
	size_t count = 0;
	struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		AUTO(buf) in = BUF_INIT(TRUST_ROOT_MAX_LEN);
		AUTO(trust_root) root = {0};
		struct bytes name = bytes_str(e->d_name);
		struct error err = {0};

		if (name.len < 6 || e->d_name[0] == '.')
			continue;
		e->d_name[name.len - 5] = '\0';
		load(e->d_name, &in);
		(void)!trust_root_parse(buf_bytes(&in), &root, &err);
		for (size_t i = 0; i < 3; i++)
			if (bytes_starts(name, bytes_str(verdicts[i].prefix)) &&
			    err.code != verdicts[i].code)
				fail_msg("%s: %s", e->d_name, err.text);
		if (err.code != ERR_NONE)
			assert_null(root.storage.ptr);
		count++;
	}
	(void)closedir(d);
	assert_int_equal(count, 47);
}

static void
test_contents(void **state)
{
	AUTO(trust_root) root = {0};
	struct error err = {0};
	struct vkey key;

	(void)state;
	parse_valid("valid-all", &root);
	assert_int_equal(root.log_count, 2);
	assert_int_equal(root.ct_log_count, 2);
	assert_int_equal(root.ca_count, 1);
	assert_int_equal(root.tsa_count, 1);
	assert_true(
	    bytes_equal(root.logs[0].url, BYTES_LIT("https://rekor.example")));
	assert_true(bytes_equal(root.logs[0].name, BYTES_LIT("rekor.example")));
	assert_true(root.logs[0].usable && root.logs[1].usable);
	assert_int_equal(root.logs[0].key.algorithm, KEY_ECDSA_P256);
	assert_int_equal(root.logs[1].key.algorithm, KEY_ED25519);
	assert_true(root.logs[0].valid.start == FROM);
	assert_true(root.logs[0].valid.end == UINT64_MAX);
	/* 2026-02-01T00:00:00.999Z: the fraction is cut off. */
	assert_true(root.ct_logs[1].valid.end == UINT64_C(1769904000));
	assert_int_equal(root.cas[0].certificate_count, 2);
	assert_true(
	    bytes_equal(root.tsas[0].uri, BYTES_LIT("https://tsa.example")));
	/* The ID of a key is that of its checkpoints, by both computations. */
	for (size_t i = 0; i < 2; i++) {
		assert_true(trust_log_vkey(&root.logs[i], &key, &err));
		assert_true(hash_equal(&key.log_id, &root.logs[i].log_id));
		assert_true(bytes_equal(vkey_name(&key), root.logs[i].name));
	}
}

static void
test_unusable(void **state)
{
	static const char *const names[] = {
	    "valid-pkcs1-key", "valid-other-details", "valid-other-hash"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(trust_root) root = {0};
		struct error err = {0};
		struct vkey key;

		parse_valid(names[i], &root);
		assert_false(root.logs[0].usable);
		assert_true(root.logs[1].usable);
		assert_false(trust_log_vkey(&root.logs[0], &key, &err));
		assert_int_equal(err.code, ERR_DENIED);
		assert_string_equal(error_reason_name(&err), "unknown-log");
	}
}

static void
test_details(void **state)
{
	AUTO(trust_root) empty = {0};
	AUTO(trust_root) slash = {0};
	AUTO(trust_root) fraction = {0};
	AUTO(trust_root) nulls = {0};

	(void)state;
	parse_valid("valid-empty", &empty);
	assert_int_equal(empty.log_count + empty.ct_log_count + empty.ca_count +
		empty.tsa_count,
	    0);
	parse_valid("valid-slash", &slash);
	assert_true(
	    bytes_equal(slash.logs[0].name, BYTES_LIT("rekor.example")));
	parse_valid("valid-fraction", &fraction);
	assert_true(fraction.logs[0].valid.start == FROM);
	assert_true(fraction.logs[0].valid.end == UINT64_C(1798761599));
	parse_valid("valid-nulls", &nulls);
	assert_true(nulls.logs[0].valid.end == UINT64_MAX);
}

static void
test_period(void **state)
{
	const struct trust_period p = {10, 20}, open = {10, UINT64_MAX};

	(void)state;
	assert_false(trust_period_has(&p, 9));
	assert_true(trust_period_has(&p, 10));
	assert_true(trust_period_has(&p, 20));
	assert_false(trust_period_has(&p, 21));
	assert_true(trust_period_has(&open, UINT64_MAX));
}

static void
test_limit(void **state)
{
	AUTO(buf) large = BUF_INIT(TRUST_ROOT_MAX_LEN + 1);
	AUTO(trust_root) root = {0};
	struct error err = {0};

	(void)state;
	assert_non_null(buf_reserve(&large, TRUST_ROOT_MAX_LEN + 1));
	memset(large.ptr, ' ', TRUST_ROOT_MAX_LEN + 1);
	buf_grow(&large, TRUST_ROOT_MAX_LEN + 1);
	assert_false(trust_root_parse(buf_bytes(&large), &root, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* The production root of Sigstore, where the public vectors are there. */
static void
test_public(void **state)
{
	AUTO(buf) in = BUF_INIT(TRUST_ROOT_MAX_LEN);
	char path[VECTOR_PATH_MAX];
	AUTO(trust_root) root = {0};
	struct error err = {0};

	(void)state;
	if (!vector_read(vector_public(path,
			     "sigstore-bundles/trusted_root.production.json"),
		&in))
		skip();
	if (!trust_root_parse(buf_bytes(&in), &root, &err))
		fail_msg("%s", err.text);
	assert_int_equal(root.log_count, 2);
	assert_int_equal(root.ct_log_count, 2);
	assert_int_equal(root.ca_count, 2);
	assert_int_equal(root.tsa_count, 1);
	for (size_t i = 0; i < 2; i++) {
		struct vkey key;

		assert_true(root.ct_logs[i].usable);
		assert_true(trust_log_vkey(&root.logs[i], &key, &err));
		assert_true(hash_equal(&key.log_id, &root.logs[i].log_id));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_contents),
	    cmocka_unit_test(test_unusable),
	    cmocka_unit_test(test_details),
	    cmocka_unit_test(test_period),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_public),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
