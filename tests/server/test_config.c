/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "io/file.h"
#include "server/config.h"
#include "server/config_write.h"

static char folder[] = "/tmp/test-config-XXXXXX";
static unsigned warnings;
static char last_warning[400];

static void
heard(const char *text)
{
	warnings++;
	(void)snprintf(last_warning, sizeof(last_warning), "%s", text);
}

static void
in_folder(const char *name, char out[128])
{
	(void)snprintf(out, 128, "%s/%s", folder, name);
}

static void
put_file(const char *name, const char *text)
{
	struct error err = {0};
	char path[128];

	in_folder(name, path);
	assert_true(file_write(path, bytes_str(text), 0600, &err));
}

static bool
parse(const char *text, struct config *c, struct error *err)
{
	assert_true(config_defaults("/log", c, err));
	return config_parse(bytes_str(text), "f", c, err);
}

static void
test_defaults(void **state)
{
	AUTO(config) c = {0};
	struct error err = {0};

	(void)state;
	assert_true(parse("", &c, &err));
	assert_string_equal(c.origin, "");
	assert_string_equal(c.listen, "127.0.0.1:8080");
	assert_string_equal(c.metrics_listen, "");
	assert_string_equal(c.url, "");
	assert_string_equal(c.database, "/log/db");
	assert_string_equal(c.guard, "/log/guard/guard");
	assert_string_equal(c.key, "/log/key.pem");
	assert_string_equal(c.key_passphrase_file, "");
	assert_int_equal(c.guard_copies.count, 0);
	assert_null(c.guard_copies.items[0]);
	assert_int_equal(c.trusted_proxies.count, 0);
	assert_int_equal(c.admit, CONFIG_ADMIT_ANYONE);
	assert_int_equal(c.admit_keys.count, 0);
	assert_int_equal(c.envelope_quota, 256 << 20);
	assert_false(c.public_submissions);
	assert_int_equal(c.low_water, 256 << 20);
	assert_int_equal(c.queue_entries, 8192);
	assert_int_equal(c.queue_bytes, 32 << 20);
	assert_int_equal(c.batch_max, 1024);
	assert_int_equal(c.gather_ms, 3);
	assert_int_equal(c.submit_timeout_ms, 20000);
	assert_int_equal(c.request_timeout_ms, 10000);
	assert_int_equal(c.idle_timeout_ms, 60000);
	assert_int_equal(c.max_connections, 8192);
	assert_int_equal(c.max_connections_per_client, 0);
	assert_int_equal(c.max_body, 1 << 20);
	assert_int_equal(c.workers, 0);
	assert_int_equal(c.http_threads, 2);
	assert_int_equal(c.cache_size, 48 << 20);
	assert_int_equal(c.log_format, LOG_FORMAT_TEXT);
	assert_int_equal(c.log_level, LOG_LEVEL_INFO);
}

static void
test_values(void **state)
{
	AUTO(config) c = {0};
	struct error err = {0};

	(void)state;
	assert_true(parse("# a comment # of two\n\n\t\n"
			  "origin=log.example\n"
			  "  listen\t=  [::1]:0  \n"
			  "metrics-listen = localhost:9090\n"
			  "url = https://log.example/rekor\n"
			  "database = /var/lib/db\n"
			  "guard-copy = /mnt/a\nguard-copy = b/c d\n"
			  "trusted-proxy = 10.0.0.0/8\n"
			  "trusted-proxy = 2001:db8::/32\n"
			  "trusted-proxy = ::1\n"
			  "public-submissions = yes\n"
			  "low-water = 134217728\n"
			  "queue-bytes = 1GiB\nmax-body = 4KiB\n"
			  "gather = 50ms\nidle-timeout = 3600s\n"
			  "log-format = journal\nlog-level = debug\n"
			  "witness-mode = required\nadmit = rules\n"
			  "witness-policy = trust/policy\n"
			  "witness-interval = 50ms\nwitness-timeout = 60s\n"
			  "witness-option = north interval=3600000 timeout=1 "
			  "monitoring=https://n.example/mon\n"
			  "witness-option = south timeout=60\n"
			  "admit-key = a.pem\nadmit-key = b c.pem\n"
			  "admit-identity = dns:a issuer=b c d\n"
			  "admit-token = a/* 5 t\n"
			  "envelope-quota = 0\n"
			  "key = schl\xc3\xbcssel#1",
	    &c, &err));
	assert_string_equal(c.origin, "log.example");
	assert_string_equal(c.listen, "[::1]:0");
	assert_string_equal(c.metrics_listen, "127.0.0.1:9090");
	assert_string_equal(c.url, "https://log.example/rekor");
	assert_string_equal(c.database, "/var/lib/db");
	assert_int_equal(c.guard_copies.count, 2);
	assert_string_equal(c.guard_copies.items[0], "/mnt/a");
	assert_string_equal(c.guard_copies.items[1], "/log/b/c d");
	assert_null(c.guard_copies.items[2]);
	assert_int_equal(c.trusted_proxies.count, 3);
	assert_string_equal(c.trusted_proxies.items[1], "2001:db8::/32");
	assert_int_equal(c.witness_mode, CONFIG_WITNESS_REQUIRED);
	assert_string_equal(c.witness_policy, "/log/trust/policy");
	assert_int_equal(c.witness_interval_ms, 50);
	assert_int_equal(c.witness_timeout_ms, 60000);
	assert_int_equal(c.witness_options.count, 2);
	assert_int_equal(c.admit, CONFIG_ADMIT_RULES);
	assert_int_equal(c.admit_keys.count, 2);
	assert_string_equal(c.admit_keys.items[1], "b c.pem");
	assert_string_equal(c.admit_identities.items[0], "dns:a issuer=b c d");
	assert_string_equal(c.admit_tokens.items[0], "a/* 5 t");
	assert_int_equal(c.envelope_quota, 0);
	assert_true(c.public_submissions);
	assert_int_equal(c.low_water, 128 << 20);
	assert_int_equal(c.queue_bytes, 1 << 30);
	assert_int_equal(c.max_body, 4096);
	assert_int_equal(c.gather_ms, 50);
	assert_int_equal(c.idle_timeout_ms, 3600000);
	assert_int_equal(c.log_format, LOG_FORMAT_JOURNAL);
	assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(c.key, "/log/schl\xc3\xbcssel#1");
}

#define ADDRESS                                                                \
	"wants a numeric address and a port up to 65535, such as "             \
	"127.0.0.1:8080 or [::1]:8080"
#define SIZES "wants bytes, or a number of KiB, MiB or GiB, from "

#define OPTION                                                                 \
	"a witness's name, perhaps interval= and milliseconds (50 to "         \
	"3600000), timeout= and seconds (1 to 60), monitoring= and a URL, in " \
	"this order, separated by blanks"

static const struct {
	const char *text, *error;
} refused[] = {
    /* lines */
    {"listen", "f:1:1: a line reads \"key = value\""},
    {"\n\n  listen 1.2.3.4:5\n", "f:3:3: a line reads \"key = value\""},
    {" = x\n", "f:1:2: there is no key before \"=\""},
    {"# fine\nkey = a\nguard = b\nkey = c\n",
	"f:4:1: key is set again; it was in line 2"},
    {"key = a\n key = a\n", "f:2:2: key is set again; it was in line 1"},
    {"gather = 3\r\n",
	"f:1:11: carriage return; lines end with a line feed alone"},
    {"# x\r\n", "f:1:4: carriage return; lines end with a line feed alone"},
    {"\xef\xbb\xbfgather = 3\n",
	"f:1:1: the file begins with a byte order mark"},
    {"key = a\x01", "f:1:8: control character 0x01"},
    {"key = a\tb", "f:1:8: control character 0x09"},
    {"key = a\x7f", "f:1:8: control character 0x7f"},
    {"# \x1b[2J", "f:1:3: control character 0x1b"},
    {"key = \xc3\xa4\xff", "f:1:8: not UTF-8"},
    {"# \xc3\xa4\xc3", "f:1:4: not UTF-8"},
    {"key = \xed\xa0\x80", "f:1:7: not UTF-8"},
    {"key = \xc0\xaf", "f:1:7: not UTF-8"},
    {"key = \x80", "f:1:7: not UTF-8"},
    {"key = \xc3\xa4\xc3\xa4 # the key\n",
	"f:1:10: a comment stands on a line of its own"},
    /* keys */
    {"lisetn = 127.0.0.1:1",
	"f:1:1: unknown key \"lisetn\"; did you mean \"listen\"?"},
    {"Listen = 127.0.0.1:1",
	"f:1:1: unknown key \"Listen\"; did you mean \"listen\"?"},
    {"kye = x", "f:1:1: unknown key \"kye\"; did you mean \"key\"?"},
    {"max_body = 1MiB",
	"f:1:1: unknown key \"max_body\"; did you mean \"max-body\"?"},
    {"\tguard-copies = x",
	"f:1:2: unknown key \"guard-copies\"; did you mean \"guard-copy\"?"},
    {"port = 80", "f:1:1: unknown key \"port\"; mtlogd.conf(5) lists the keys"},
    {"dir = /x", "f:1:1: unknown key \"dir\"; mtlogd.conf(5) lists the keys"},
    {"[server]\nx = 1", "f:1:1: a line reads \"key = value\""},
    {"\"listen\" = x",
	"f:1:1: unknown key \"\"listen\"\"; did you mean \"listen\"?"},
    {"a-key-whose-name-is-much-longer-than-any-other = 1",
	"f:1:1: unknown key \"a-key-whose-name-is-much-longer-than-any\"; "
	"mtlogd.conf(5) lists the keys"},
    /* texts */
    {"origin =",
	"f:1:9: origin wants a name of 1 to 255 bytes without white "
	"space or \"+\""},
    {"origin = a b",
	"f:1:10: origin wants a name of 1 to 255 bytes without "
	"white space or \"+\""},
    {"origin = a+b",
	"f:1:10: origin wants a name of 1 to 255 bytes without "
	"white space or \"+\""},
    {"listen =   ", "f:1:12: listen " ADDRESS},
    {"listen = 8080", "f:1:10: listen " ADDRESS},
    {"listen = :8080", "f:1:10: listen " ADDRESS},
    {"listen = 127.0.0.1", "f:1:10: listen " ADDRESS},
    {"listen = 127.0.0.1:", "f:1:10: listen " ADDRESS},
    {"listen = 127.0.0.1:65536", "f:1:10: listen " ADDRESS},
    {"listen = 127.0.0.1:080", "f:1:10: listen " ADDRESS},
    {"listen = 127.0.0.1:-1", "f:1:10: listen " ADDRESS},
    {"listen = 127.0.0.256:80", "f:1:10: listen " ADDRESS},
    {"listen = 127.1:80", "f:1:10: listen " ADDRESS},
    {"listen = ::1:80", "f:1:10: listen " ADDRESS},
    {"listen = [::1:80", "f:1:10: listen " ADDRESS},
    {"listen = []:80", "f:1:10: listen " ADDRESS},
    {"listen = [127.0.0.1]:80", "f:1:10: listen " ADDRESS},
    {"listen = 127.evil.example:80", "f:1:10: listen " ADDRESS},
    {"listen = localhost:x", "f:1:10: listen " ADDRESS},
    {"metrics-listen = here", "f:1:18: metrics-listen " ADDRESS},
    {"url = log.example",
	"f:1:7: url wants http:// or https:// and a host, "
	"without \"/\" at the end"},
    {"url = https://",
	"f:1:7: url wants http:// or https:// and a host, "
	"without \"/\" at the end"},
    {"url = https://a/",
	"f:1:7: url wants http:// or https:// and a host, "
	"without \"/\" at the end"},
    {"url = https://a b",
	"f:1:7: url wants http:// or https:// and a host, "
	"without \"/\" at the end"},
    {"database =", "f:1:11: database wants the name of a file or folder"},
    {"trusted-proxy = proxy.example",
	"f:1:17: trusted-proxy wants a numeric address or a range of them, "
	"such as 10.0.0.1 or 10.0.0.0/8"},
    {"trusted-proxy = 10.0.0.0/33",
	"f:1:17: trusted-proxy wants a numeric address or a range of them, "
	"such as 10.0.0.1 or 10.0.0.0/8"},
    {"trusted-proxy = ::/129",
	"f:1:17: trusted-proxy wants a numeric address or a range of them, "
	"such as 10.0.0.1 or 10.0.0.0/8"},
    {"trusted-proxy = 10.0.0.1/",
	"f:1:17: trusted-proxy wants a numeric address or a range of them, "
	"such as 10.0.0.1 or 10.0.0.0/8"},
    {"guard-copy = a\nguard-copy = a",
	"f:2:14: guard-copy has this value already"},
    {"guard-copy=1\nguard-copy=2\nguard-copy=3\nguard-copy=4\nguard-copy=5\n"
     "guard-copy=6\nguard-copy=7\nguard-copy=8\nguard-copy=9\n",
	"f:9:12: guard-copy has more than 8 values"},
    /* numbers, with their units */
    {"low-water = 127MiB", "f:1:13: low-water " SIZES "128MiB to 1048576GiB"},
    {"low-water = 256MB", "f:1:13: low-water " SIZES "128MiB to 1048576GiB"},
    {"low-water = 256 MiB", "f:1:13: low-water " SIZES "128MiB to 1048576GiB"},
    {"low-water = 99999999999GiB",
	"f:1:13: low-water " SIZES "128MiB to 1048576GiB"},
    {"low-water = 9007199254740993GiB",
	"f:1:13: low-water " SIZES "128MiB to 1048576GiB"},
    {"low-water = ", "f:1:13: low-water " SIZES "128MiB to 1048576GiB"},
    {"queue-bytes = 1023KiB", "f:1:15: queue-bytes " SIZES "1MiB to 4GiB"},
    {"max-body = 17MiB", "f:1:12: max-body " SIZES "4KiB to 16MiB"},
    {"max-body = -1", "f:1:12: max-body " SIZES "4KiB to 16MiB"},
    {"max-body = 0x1000", "f:1:12: max-body " SIZES "4KiB to 16MiB"},
    {"cache-size = 0", "f:1:14: cache-size " SIZES "1MiB to 64GiB"},
    {"queue-entries = 15", "f:1:17: queue-entries wants 16 to 1000000 entries"},
    {"queue-entries = 1000001",
	"f:1:17: queue-entries wants 16 to 1000000 entries"},
    {"queue-entries = 8k", "f:1:17: queue-entries wants 16 to 1000000 entries"},
    {"batch-max = 0", "f:1:13: batch-max wants 1 to 8192 entries"},
    {"batch-max = 010", "f:1:13: batch-max wants 1 to 8192 entries"},
    {"gather = 51", "f:1:10: gather wants 0 to 50 milliseconds"},
    {"gather = 1s", "f:1:10: gather wants 0 to 50 milliseconds"},
    {"gather = 3.5", "f:1:10: gather wants 0 to 50 milliseconds"},
    {"submit-timeout = 0", "f:1:18: submit-timeout wants 1 to 600 seconds"},
    {"request-timeout = 601", "f:1:19: request-timeout wants 1 to 600 seconds"},
    {"request-timeout = 10ms",
	"f:1:19: request-timeout wants 1 to 600 seconds"},
    {"idle-timeout = 3601", "f:1:16: idle-timeout wants 1 to 3600 seconds"},
    {"max-connections = 7",
	"f:1:19: max-connections wants 8 to 65536 connections"},
    {"max-connections-per-client = 65537",
	"f:1:30: max-connections-per-client wants 0 to 65536 connections"},
    {"workers = 65", "f:1:11: workers wants 0 to 64 threads"},
    {"http-threads = 0", "f:1:16: http-threads wants 1 to 64 threads"},
    /* words */
    {"public-submissions = true", "f:1:22: public-submissions wants yes or no"},
    {"admit = nobody", "f:1:9: admit wants one of: anyone rules"},
    {"admit =", "f:1:8: admit wants one of: anyone rules"},
    {"admit-identity = roots.pem",
	"f:1:18: admit-identity wants email:, uri:, dns: or other: and a name, "
	"perhaps issuer= and a URL, and the name of a PEM file, separated by "
	"blanks"},
    {"admit-token = acme 5",
	"f:1:15: admit-token wants NAME, NAME/* or *, a number of entries a "
	"day, and the name of a file, separated by blanks"},
    {"admit-key = a\nadmit-key = a",
	"f:2:13: admit-key has this value already"},
    {"envelope-quota = 1PiB",
	"f:1:18: envelope-quota wants bytes, or a number of KiB, MiB or GiB, "
	"from 0 to 1048576GiB"},
    {"log-format = xml", "f:1:14: log-format wants one of: text json journal"},
    {"log-format = text json",
	"f:1:14: log-format wants one of: text json journal"},
    {"log-level = Info",
	"f:1:13: log-level wants one of: error warn info debug"},
    {"witness-mode = on",
	"f:1:16: witness-mode wants one of: off open required"},
    {"witness-interval = 49",
	"f:1:20: witness-interval wants 50 to 3600000 milliseconds"},
    {"witness-timeout = 0s", "f:1:19: witness-timeout wants 1 to 60 seconds"},
    {"witness-option = north", "f:1:18: witness-option wants " OPTION},
    {"witness-option = north ", "f:1:18: witness-option wants " OPTION},
    {"witness-option = north interval=49",
	"f:1:18: witness-option wants " OPTION},
    {"witness-option = north timeout=61",
	"f:1:18: witness-option wants " OPTION},
    {"witness-option = north timeout=6 interval=100",
	"f:1:18: witness-option wants " OPTION},
    {"witness-option = north interval=100  timeout=6",
	"f:1:18: witness-option wants " OPTION},
    {"witness-option = north monitoring=",
	"f:1:18: witness-option wants " OPTION},
    {"witness-option = north monitoring=n.example",
	"f:1:18: witness-option wants " OPTION},
    {"witness-option = north monitoring=https://n.example/ timeout=6",
	"f:1:18: witness-option wants " OPTION},
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		AUTO(config) c = {0};
		struct error err = {0};

		if (parse(refused[i].text, &c, &err))
			fail_msg("accepted: %s", refused[i].text);
		assert_string_equal(err.text, refused[i].error);
		assert_int_equal(err.code, ERR_SYNTAX);
	}
}

/* A NUL does not end the text. */
static void
test_nul(void **state)
{
	AUTO(config) c = {0};
	struct error err = {0};

	(void)state;
	assert_true(config_defaults("/log", &c, &err));
	assert_false(config_parse(BYTES_LIT("key = a\0b\n"), "f", &c, &err));
	assert_string_equal(err.text, "f:1:8: control character 0x00");
}

static bool
load(const char *const *flags, struct config *c, struct error *err)
{
	return config_load(folder, NULL, flags, c, err);
}

static void
test_precedence(void **state)
{
	static const char *const flags[] = {"gather=7", "batch-max=1",
	    "batch-max=9", "guard-copy=/f1", "guard-copy=/f2", NULL};
	struct error err = {0};

	(void)state;
	put_file("mtlogd.conf",
	    "origin = a\ngather = 5\nbatch-max = 5\n"
	    "workers = 5\nguard-copy = /a\n"
	    "trusted-proxy = ::1\n");
	(void)setenv("MTLOGD_GATHER", "6", 1);
	(void)setenv("MTLOGD_WORKERS", " 6 ", 1);
	(void)setenv("MTLOGD_GUARD_COPY", "/e", 1);
	(void)setenv("MTLOGD_TRUSTED_PROXY", "10.0.0.1, 10.1.0.0/16", 1);
	{
		AUTO(config) c = {0};

		assert_true(load(flags, &c, &err));
		assert_int_equal(c.gather_ms, 7);
		assert_int_equal(c.workers, 6);
		assert_int_equal(c.batch_max, 9);
		assert_int_equal(c.http_threads, 2);
		assert_int_equal(c.guard_copies.count, 2);
		assert_string_equal(c.guard_copies.items[1], "/f2");
		assert_int_equal(c.trusted_proxies.count, 2);
		assert_string_equal(c.trusted_proxies.items[1], "10.1.0.0/16");
	}
	(void)setenv("MTLOGD_TRUSTED_PROXY", "", 1);
	{
		AUTO(config) c = {0};

		assert_true(load(NULL, &c, &err));
		assert_int_equal(c.gather_ms, 6);
		assert_int_equal(c.batch_max, 5);
		assert_int_equal(c.guard_copies.count, 1);
		assert_string_equal(c.guard_copies.items[0], "/e");
		assert_int_equal(c.trusted_proxies.count, 0);
	}
	(void)unsetenv("MTLOGD_GATHER");
	(void)unsetenv("MTLOGD_WORKERS");
	(void)unsetenv("MTLOGD_GUARD_COPY");
	(void)unsetenv("MTLOGD_TRUSTED_PROXY");
}

static void
refuse_flag(const char *flag, const char *text)
{
	const char *const flags[] = {flag, NULL};
	AUTO(config) c = {0};
	struct error err = {0};

	assert_false(load(flags, &c, &err));
	assert_string_equal(err.text, text);
	assert_int_equal(err.code, ERR_USAGE);
}

static void
test_outside_refused(void **state)
{
	AUTO(config) c = {0}, d = {0};
	struct error err = {0};
	char path[128];

	(void)state;
	put_file("mtlogd.conf", "origin = a\n");
	refuse_flag("gather=99", "--gather: gather wants 0 to 50 milliseconds");
	refuse_flag("gather", "--gather wants a value");
	refuse_flag("lsten=127.0.0.1:1",
	    "unknown key \"lsten\"; did you mean \"listen\"?");
	refuse_flag("key=a\nb", "--key: control character 0x0a");
	(void)setenv("MTLOGD_BATCH_MAX", "many", 1);
	assert_false(load(NULL, &c, &err));
	(void)unsetenv("MTLOGD_BATCH_MAX");
	assert_string_equal(err.text,
	    "environment MTLOGD_BATCH_MAX: "
	    "batch-max wants 1 to 8192 entries");
	err = (struct error){0};
	in_folder("absent.conf", path);
	assert_false(config_load(folder, path, NULL, &d, &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_non_null(strstr(err.text, path));
}

static void
test_too_large(void **state)
{
	char *text = calloc(1, CONFIG_MAX_LEN + 2);
	AUTO(config) c = {0};
	struct error err = {0};

	(void)state;
	assert_non_null(text);
	memset(text, '\n', CONFIG_MAX_LEN + 1);
	put_file("mtlogd.conf", text);
	free(text);
	assert_false(load(NULL, &c, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

static const struct {
	const char *text, *error; /* "": nothing is wrong */
	unsigned warnings;
} checks[] = {
    {"origin = log.example", "", 0},
    {"origin = log.example/2026", "", 1},
    {"origin = log.example:8080", "", 1},
    {"", "origin is not set", 0},
    {"origin = a\nlisten = [::1]:80", "", 0},
    {"origin = a\nlisten = 127.9.9.9:80", "", 0},
    {"origin = a\nlisten = [::ffff:127.0.0.1]:80", "", 0},
    {"origin = a\nlisten = 0.0.0.0:80", "say public-submissions = yes", 0},
    {"origin = a\nlisten = [::]:80", "say public-submissions = yes", 0},
    {"origin = a\nlisten = [::ffff:1.2.3.4]:80", "say public-submissions = yes",
	0},
    {"origin = a\nlisten = 0.0.0.0:80\npublic-submissions = yes", "", 0},
    {"origin = a\nadmit = rules", "takes nobody's submissions", 0},
    {"origin = a\nadmit = rules\nadmit-key = a", "", 0},
    {"origin = a\nadmit = rules\nadmit-token = * 1 a\nlisten = 0.0.0.0:80", "",
	0},
    {"origin = a\nadmit = rules\nadmit-identity = dns:a b", "", 0},
    {"origin = a\nadmit-key = a", "but admit = anyone", 0},
    {"origin = a\nadmit = anyone\nadmit-token = * 1 a", "but admit = anyone",
	0},
    {"origin = a\nguard = db/guard", "in the database's folder", 0},
    {"origin = a\nguard = ./db//guard", "in the database's folder", 0},
    {"origin = a\nguard = dbx/guard", "", 0},
    {"origin = a\ndatabase = .", "in the database's folder", 0},
    {"origin = a\ndatabase = /", "in the database's folder", 0},
    {"origin = a\nkey = db/key.pem", "key = /log/db/key.pem is in", 0},
    {"origin = a\nguard-copy = /log/db/guard", "for another disk", 0},
    {"origin = a\nguard-copy = guard/./guard", "is the guard itself", 0},
    {"origin = a\nmax-connections = 10\nmax-connections-per-client = 11",
	"is more than max-connections = 10", 0},
    {"origin = a\nqueue-bytes = 1MiB\nmax-body = 2MiB", "is less than max-body",
	0},
};

static void
test_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		AUTO(config) c = {0};
		struct error err = {0};
		bool ok;

		assert_true(parse(checks[i].text, &c, &err));
		warnings = 0;
		ok = config_check(&c, heard, &err);
		assert_int_equal(ok, !checks[i].error[0]);
		assert_int_equal(err.code, ok ? ERR_NONE : ERR_USAGE);
		if (!ok)
			assert_non_null(strstr(err.text, checks[i].error));
		assert_int_equal(warnings, checks[i].warnings);
		if (ok)
			assert_true(config_check(&c, NULL, &err));
	}
}

static void
test_unknown_variable(void **state)
{
	AUTO(config) c = {0};
	struct error err = {0};

	(void)state;
	assert_true(parse("origin = a", &c, &err));
	(void)setenv("MTLOGD_GATHERS", "1", 1);
	(void)setenv("MTLOGD_URL", "http://a", 1);
	warnings = 0;
	assert_true(config_check(&c, heard, &err));
	(void)unsetenv("MTLOGD_GATHERS");
	(void)unsetenv("MTLOGD_URL");
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(last_warning, "MTLOGD_GATHERS,"));
}

static bool
reload(struct config *c, char *restart, size_t len, struct error *err)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);

	return file_read(c->file, &text, err) &&
	    config_reload(c, buf_bytes(&text), restart, len, err);
}

static void
test_reload(void **state)
{
	static const char *const flags[] = {"batch-max=77", NULL};
	AUTO(config) c = {0};
	struct error err = {0};
	char restart[100], short_text[8];

	(void)state;
	put_file("mtlogd.conf", "origin = a\n");
	assert_true(load(flags, &c, &err));
	assert_true(reload(&c, restart, sizeof(restart), &err));
	assert_string_equal(restart, "");
	put_file("mtlogd.conf",
	    "origin = a\nlow-water = 1GiB\nworkers = 3\n"
	    "batch-max = 3\nlog-level = debug\n"
	    "log-format = json\nguard-copy = /g\n");
	assert_true(reload(&c, restart, sizeof(restart), &err));
	assert_string_equal(restart, "guard-copy, workers");
	assert_int_equal(c.low_water, 1 << 30);
	assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c.log_format, LOG_FORMAT_JSON);
	assert_int_equal(c.workers, 0);
	assert_int_equal(c.batch_max, 77);
	assert_int_equal(c.guard_copies.count, 0);
	assert_true(reload(&c, short_text, sizeof(short_text), &err));
	assert_string_equal(short_text, "guard-c");
	/* What is wrong changes nothing. */
	put_file("mtlogd.conf", "origin = a\nlog-level = warn\nworkers = x\n");
	assert_false(reload(&c, restart, sizeof(restart), &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
	err = (struct error){0};
	put_file("mtlogd.conf", "log-level = warn\n");
	assert_false(reload(&c, restart, sizeof(restart), &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
}

static void
format_text(const struct config *c, struct buf *out)
{
	struct error err = {0};

	config_format(c, out);
	assert_true(buf_ok(out, &err));
}

/* What init writes, read again from the same folder. */
static void
read_again(const char *dir, const char *path, bool bare, struct buf *out)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
	AUTO(config) c = {0};
	struct error err = {0};

	assert_true(file_read(path, &text, &err));
	/* Every default that is shown behind '#' becomes a line. */
	for (size_t i = 1; bare && i + 1 < text.len; i++)
		if (text.ptr[i] == '#' && text.ptr[i - 1] == '\n' &&
		    text.ptr[i + 1] != ' ')
			text.ptr[i] = ' ';
	assert_true(config_defaults(dir, &c, &err));
	if (!config_parse(buf_bytes(&text), path, &c, &err))
		fail_msg("%s", err.text);
	format_text(&c, out);
}

static void
test_write_default(void **state)
{
	static const char *const few[] = {
	    "origin=log.example", "listen=localhost:9", NULL};
	static const char *const many[] = {"origin=b", "gather=0",
	    "guard-copy=/mnt/a", "guard-copy=x/y", "database=/elsewhere/db",
	    "guard=deep/guard", "key= k ey#", "low-water=1GiB", "max-body=4097",
	    "submit-timeout=7s", "log-format=journal", "trusted-proxy=::/0",
	    "public-submissions=yes", "url=http://b", NULL};
	static const char *const *const flags[] = {few, many};
	static const char *const dirs[] = {"/log", "log", "./log/", "/"};
	char path[128];

	(void)state;
	in_folder("new.conf", path);
	for (size_t i = 0; i < 8; i++) {
		AUTO(buf) want = BUF_INIT(CONFIG_MAX_LEN);
		AUTO(buf) got = BUF_INIT(CONFIG_MAX_LEN);
		AUTO(buf) bare = BUF_INIT(CONFIG_MAX_LEN);
		AUTO(config) c = {0};
		struct error err = {0};

		(void)unlink(path);
		assert_true(
		    config_from_flags(dirs[i / 2], flags[i % 2], &c, &err));
		assert_true(config_write_default(path, &c, &err));
		format_text(&c, &want);
		read_again(dirs[i / 2], path, false, &got);
		assert_true(bytes_equal(buf_bytes(&got), buf_bytes(&want)));
		assert_false(config_write_default(path, &c, &err));
		assert_int_equal(err.code, ERR_CONFLICT);
		/* With lines behind '#', `few` is all defaults. */
		if (i % 2 == 1)
			continue;
		read_again(dirs[i / 2], path, true, &bare);
		assert_true(bytes_equal(buf_bytes(&bare), buf_bytes(&want)));
	}
}

static void
test_from_flags_refused(void **state)
{
	static const char *const bad[] = {"origin=", "origin=a b",
	    "origin=a\nkey=x", "listen=127.0.0.1:1\nkey = x", "listen=nowhere",
	    "listen=1.2.3.4:5 # x"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const flags[] = {bad[i], NULL};
		AUTO(config) c = {0};
		struct error err = {0};

		assert_false(config_from_flags("/log", flags, &c, &err));
		assert_int_equal(err.code, ERR_USAGE);
	}
}

static void
test_print_keys(void **state)
{
	const char *name, *fallback, *help;
	char *text = NULL;
	size_t len = 0, n = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	config_print_keys(f);
	(void)fclose(f);
	assert_non_null(strstr(text,
	    "low-water\tsize\t256MiB\t128MiB to 1048576GiB\treload\tonce\t"));
	assert_non_null(
	    strstr(text, "guard-copy\tpath\t-\t-\trestart\trepeatable\t"));
	for (char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	free(text);
	for (size_t i = 0; i < n; i++) {
		assert_true(config_key(i, &name, &fallback, &help));
		assert_true(name[0] && help[0]);
	}
	assert_false(config_key(n, &name, &fallback, &help));
}

/* tests/vectors/config: valid-* are read, invalid-* are not. */
static void
test_vectors(void **state)
{
	const char *srcdir = getenv("srcdir");
	char path[600];
	unsigned valid = 0, invalid = 0;
	struct dirent *e;
	DIR *d;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/tests/vectors/config",
	    srcdir ? srcdir : ".");
	d = opendir(path);
	if (!d)
		skip();
	while ((e = readdir(d))) {
		AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
		AUTO(config) c = {0};
		struct error err = {0};
		bool want = strncmp(e->d_name, "valid-", 6) == 0;

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/tests/vectors/config/%s",
		    srcdir ? srcdir : ".", e->d_name);
		assert_true(file_read(path, &text, &err));
		assert_true(config_defaults("/log", &c, &err));
		if (config_parse(buf_bytes(&text), e->d_name, &c, &err) != want)
			fail_msg("%s: %s", e->d_name, err.text);
		if (want)
			valid++;
		else
			invalid++;
	}
	(void)closedir(d);
	assert_true(valid >= 7 && invalid >= 16);
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"mtlogd.conf", "new.conf"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		in_folder(names[i], path);
		(void)unlink(path);
	}
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_precedence),
	    cmocka_unit_test(test_outside_refused),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_check),
	    cmocka_unit_test(test_unknown_variable),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_write_default),
	    cmocka_unit_test(test_from_flags_refused),
	    cmocka_unit_test(test_print_keys),
	    cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
