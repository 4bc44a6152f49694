/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness_policy.h"

#include "tests/server/fake_witnesses.h"

static char dir[64], path[96];
static unsigned warnings;

static int
setup(void **state)
{
	(void)state;
	net_open();
	warnings = 0;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_policy.XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/policy", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	net_close();
	return rmdir(dir);
}

static void
warn(const char *text)
{
	assert_non_null(strstr(text, "is not asked"));
	warnings++;
}

/* "%0" to "%2" stand for the fakes' vkeys, "%L" for the log's. */
static bool
read_policy(const char *text, int mode, const char *option,
    struct witness_policy *out, struct error *err)
{
	AUTO(buf) full = BUF_INIT(8192);
	struct config c = {
	    .witness_mode = mode,
	    .witness_policy = path,
	    .witness_interval_ms = 1000,
	    .witness_timeout_ms = 5000,
	};
	char value[200];

	for (const char *p = text; *p; p++) {
		if (*p != '%') {
			buf_put_u8(&full, (uint8_t)*p);
			continue;
		}
		p++;
		vkey_format(
		    *p == 'L' ? &net.log : &net.fakes[*p - '0'].vkey, &full);
	}
	must(file_write(path, buf_bytes(&full), 0644, err), err);
	if (option) {
		(void)snprintf(value, sizeof(value), "%s", option);
		c.witness_options.items[0] = value;
		c.witness_options.count = 1;
	}
	return witness_policy_read(&c, &net.log, warn, out, err);
}

#define THREE                                                                  \
	"witness a %0 http://a.example/w/\nwitness b %1 https://b.example\n"   \
	"witness c %2 http://c.example\ngroup g 2 a b c\nquorum g\n"

static void
test_read(void **state)
{
	struct witness_policy p;
	AUTO(buf) hex = BUF_INIT(64);
	struct hash origin;
	char want[200];
	struct error err = {0};

	(void)state;
	must(read_policy("log %L\n" THREE, CONFIG_WITNESS_REQUIRED,
		 "b interval=70 timeout=9 monitoring=https://m.example", &p,
		 &err),
	    &err);
	assert_int_equal(p.count, 3);
	assert_int_equal(warnings, 0);
	assert_string_equal(
	    p.witnesses[0].add_url, "http://a.example/w/add-checkpoint");
	sha256(&net.hasher, bytes_str(ORIGIN), &origin);
	hex_put(&hex, hash_bytes(&origin));
	(void)snprintf(want, sizeof(want), "http://a.example/w/%.*s/checkpoint",
	    (int)hex.len, (const char *)hex.ptr);
	assert_string_equal(p.witnesses[0].checkpoint_url, want);
	(void)snprintf(want, sizeof(want), "https://m.example/%.*s/checkpoint",
	    (int)hex.len, (const char *)hex.ptr);
	assert_string_equal(p.witnesses[1].checkpoint_url, want);
	assert_int_equal(p.witnesses[0].interval_ns, 1000000000);
	assert_int_equal(p.witnesses[0].timeout_ms, 5000);
	assert_int_equal(p.witnesses[1].interval_ns, 70000000);
	assert_int_equal(p.witnesses[1].timeout_ms, 9000);
	assert_int_equal(witness_policy_set(&p), 7);
	witness_policy_release(&p);
	witness_policy_release(&p);
}

/* Those that cannot be asked are told, and are no matter while others are a
 * quorum. */
static void
test_unfit(void **state)
{
	struct witness_policy p;
	struct error err = {0};

	(void)state;
	must(read_policy("witness a %0\nwitness b %1 ftp://b.example\n"
			 "witness c %2 http://c.example\ngroup g 1 a b c\n"
			 "quorum g\n",
		 CONFIG_WITNESS_OPEN, NULL, &p, &err),
	    &err);
	assert_int_equal(p.count, 1);
	assert_int_equal(warnings, 2);
	assert_int_equal(p.witnesses[0].number, 2);
	assert_int_equal(witness_policy_set(&p), 4);
	witness_policy_release(&p);
}

static void
test_decides(void **state)
{
	/* n - k + 1 of k-of-n */
	struct witness_policy p;
	struct error err = {0};

	(void)state;
	must(read_policy(THREE, CONFIG_WITNESS_REQUIRED, NULL, &p, &err), &err);
	for (uint64_t set = 0; set < 8; set++)
		assert_int_equal(witness_policy_decides(&p, set),
		    __builtin_popcountll(set) >= 2);
	witness_policy_release(&p);
	must(read_policy("witness a %0 http://a\nwitness b %1 http://b\n"
			 "witness c %2 http://c\ngroup g all a b\nquorum g\n",
		 CONFIG_WITNESS_REQUIRED, NULL, &p, &err),
	    &err);
	for (uint64_t set = 0; set < 8; set++)
		assert_int_equal(
		    witness_policy_decides(&p, set), (set & 3) != 0);
	witness_policy_release(&p);
}

static const struct {
	const char *text;
	int mode;
	const char *option;
	enum error_code code;
	const char *says;
} refusals[] = {
    {"quorum none\n", CONFIG_WITNESS_OPEN, NULL, ERR_USAGE, "quorum is none"},
    {"witness a %0 http://a\n", CONFIG_WITNESS_OPEN, NULL, ERR_SYNTAX,
	"quorum"},
    {"log %0\n" THREE, CONFIG_WITNESS_OPEN, NULL, ERR_SYNTAX, "1"},
    {"log log.example.org+b9a4c1fb+"
     "AUtK6HhLBpAxPGS0dTW3tZmkEhwQkTxMrHQsyXvIhOnG\n" THREE,
	CONFIG_WITNESS_OPEN, NULL, ERR_SYNTAX, "policy"},
    {"witness a %0\nquorum a\n", CONFIG_WITNESS_OPEN, NULL, ERR_USAGE,
	"are no quorum"},
    {"witness a %0 http://a\nwitness b %1\ngroup g 2 a b\nquorum g\n",
	CONFIG_WITNESS_OPEN, NULL, ERR_USAGE, "are no quorum"},
    /* b could form a quorum that is never asked */
    {"witness a %0 http://a\nwitness b %1\ngroup g 1 a b\nquorum g\n",
	CONFIG_WITNESS_REQUIRED, NULL, ERR_USAGE, "could prevent nothing"},
    {THREE, CONFIG_WITNESS_OPEN, "d timeout=5", ERR_USAGE,
	"no witness of that"},
    {"", CONFIG_WITNESS_OPEN, NULL, ERR_SYNTAX, "quorum"},
    {"allow everything\n", CONFIG_WITNESS_OPEN, NULL, ERR_SYNTAX, "policy"},
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct witness_policy p;
		struct error err = {0};

		assert_false(read_policy(refusals[i].text, refusals[i].mode,
		    refusals[i].option, &p, &err));
		if (err.code != refusals[i].code ||
		    !strstr(err.text, refusals[i].says))
			fail_msg("%zu: %s: %s", i, error_code_name(err.code),
			    err.text);
		witness_policy_release(&p);
	}
}

static void
test_other_log(void **state)
{
	struct witness_policy p;
	struct private_key *key;
	struct vkey ours = net.log, other;
	struct error err = {0};

	(void)state;
	key_pair(ORIGIN, NOTE_ED25519, &key, &other);
	private_key_close(key);
	net.log = other; /* in the file; afterwards it is not ours */
	must(read_policy("log %L\n" THREE, CONFIG_WITNESS_OPEN, NULL, &p, &err),
	    &err);
	witness_policy_release(&p);
	{
		struct config c = {
		    .witness_mode = CONFIG_WITNESS_OPEN,
		    .witness_policy = path,
		};

		refused(witness_policy_read(&c, &ours, warn, &p, &err), &err,
		    ERR_USAGE, "usage");
		assert_non_null(strstr(err.text, "is not among them"));
		witness_policy_release(&p);
	}
	net.log = ours;
}

static void
test_no_file(void **state)
{
	struct config c = {.witness_policy = path};
	struct witness_policy p;
	struct error err = {0};

	(void)state;
	refused(witness_policy_read(&c, &net.log, warn, &p, &err), &err,
	    ERR_NOTFOUND, "missing");
	witness_policy_release(&p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_read),
	    TEST(test_unfit),
	    TEST(test_decides),
	    TEST(test_refused),
	    TEST(test_other_log),
	    TEST(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
