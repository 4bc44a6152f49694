/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cosigned.h"

#include "tests/server/fake_witnesses.h"

static struct witness_policy policy;
static char dir[64];

static int
setup(void **state)
{
	(void)state;
	net_open();
	(void)snprintf(dir, sizeof(dir), "/tmp/test_cosigned.XXXXXX");
	assert_non_null(mkdtemp(dir));
	policy_open(dir, "2", false, &policy);
	return 0;
}

static int
teardown(void **state)
{
	char path[96];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/" COSIGNED_FILE, dir);
	(void)unlink(path);
	witness_policy_release(&policy);
	net_close();
	return rmdir(dir);
}

/* A note of size 7, cosigned by the first `n` of the three. */
static void
note_make(size_t n, struct buf *out)
{
	struct hash root = {{7}};
	AUTO(note) parsed = {0};
	AUTO(buf) own = BUF_INIT(4096);
	struct error err = {0};

	sign_note(7, &root, &own);
	must(note_parse(buf_bytes(&own), &parsed, &err), &err);
	buf_put(out, buf_bytes(&own));
	for (size_t i = 0; i < n; i++) {
		struct checkpoint c = {.size = 7, .root = root};

		fake_cosign(&net.fakes[i], &c, parsed.text);
		buf_put(out, buf_bytes(&net.fakes[i].line));
	}
}

static void
test_round(void **state)
{
	AUTO(buf) note = BUF_INIT(8192);
	AUTO(buf) back = BUF_INIT(8192);
	struct error err = {0};

	(void)state;
	refused(cosigned_read(dir, &back, &err), &err, ERR_NOTFOUND, "missing");
	note_make(2, &note);
	for (int i = 0; i < 2; i++) {
		err = (struct error){0};
		must(cosigned_write(dir, buf_bytes(&note), &err), &err);
		buf_clear(&back);
		must(cosigned_read(dir, &back, &err), &err);
		assert_true(bytes_equal(buf_bytes(&back), buf_bytes(&note)));
		buf_put_str(&note, "");
	}
	assert_false(cosigned_write("/nowhere/at/all", buf_bytes(&note), &err));
}

static void
test_judge(void **state)
{
	(void)state;
	for (size_t n = 0; n <= FAKES; n++) {
		AUTO(buf) note = BUF_INIT(8192);
		struct quorum_result r;
		struct error err = {0};
		bool met;

		note_make(n, &note);
		must(cosigned_judge(buf_bytes(&note), policy.quorum,
			 net.verifier, &met, &r, &err),
		    &err);
		assert_int_equal(met, n >= 2);
		assert_int_equal(r.head.size, 7);
		if (met)
			assert_true(r.fresh_since > 0);
	}
}

static void
test_judge_refused(void **state)
{
	AUTO(buf) note = BUF_INIT(8192);
	struct quorum_result r;
	size_t len;

	(void)state;
	note_make(3, &note);
	len = note.len;
	/* Any byte of it changed, and it is not what it was. */
	for (size_t i = 0; i < len; i += 5) {
		struct error err = {0};
		bool met = true;

		note.ptr[i] ^= 1;
		if (cosigned_judge(buf_bytes(&note), policy.quorum,
			net.verifier, &met, &r, &err))
			/* somebody nobody knows: one fewer */
			assert_true(i > len / 4);
		else
			assert_false(met);
		note.ptr[i] ^= 1;
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_round),
	    TEST(test_judge),
	    TEST(test_judge_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
