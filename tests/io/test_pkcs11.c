/* SPDX-License-Identifier: Apache-2.0 */
/* Keys on a token of SoftHSM, in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "io/file.h"
#include "io/pkcs11.h"

#define SKIPPED	 77
#define PATH_LEN 512
#define PIN	 "9876"

extern char **environ;

static const char *module;
static char folder[PATH_LEN];

/* What is put on the token; the last two differ in nothing but their id. */
static const struct {
	const char *label;
	const char *id;
	enum key_algorithm algorithm;
} keys[] = {
    {"p256", "01", KEY_ECDSA_P256},
    {"p384", "02", KEY_ECDSA_P384},
    {"p521", "03", KEY_ECDSA_P521},
    {"rsa2048", "04", KEY_RSA_2048},
    {"rsa3072", "ff00", KEY_RSA_3072},
    {"twin", "0a", KEY_ECDSA_P256},
    {"twin", "0b", KEY_ECDSA_P256},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static struct buf spkis[KEYS];

static void
in_folder(char out[PATH_LEN + 32], const char *name)
{
	(void)snprintf(out, PATH_LEN + 32, "%s/%s", folder, name);
}

static int
run(const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(
	    &actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL,
		(char *const *)(uintptr_t)argv, environ) == 0)
		(void)waitpid(pid, &status, 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	return status;
}

static bool
make_token(const char *label)
{
	const char *argv[] = {"softhsm2-util", "--init-token", "--free",
	    "--label", label, "--pin", PIN, "--so-pin", "12345678", NULL};

	return run(argv) == 0;
}

/* Makes a key, keeps its public half, and has SoftHSM import it. */
static void
put_key(size_t i)
{
	char path[PATH_LEN + 32];
	AUTO(buf) pem = BUF_INIT(PRIVATE_KEY_MAX_LEN);
	struct error err = {0};
	struct private_key *key = private_key_generate(keys[i].algorithm, &err);
	const char *argv[] = {"softhsm2-util", "--import", path, "--token",
	    "mtlog test", "--label", keys[i].label, "--id", keys[i].id, "--pin",
	    PIN, NULL};

	assert_non_null(key);
	buf_init(&spkis[i], SPKI_MAX_LEN);
	assert_true(private_key_public(key, &spkis[i], &err));
	assert_true(private_key_format(key, (struct bytes){0}, &pem, &err));
	private_key_close(key);
	in_folder(path, "key.pem");
	(void)unlink(path);
	assert_true(file_create(path, buf_bytes(&pem), 0600, &err));
	assert_int_equal(run(argv), 0);
}

static int
setup(void **state)
{
	char conf[PATH_LEN + 32], text[PATH_LEN + 128], tokens[PATH_LEN + 32];
	struct error err = {0};

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/mtlog-pkcs11-XXXXXX",
	    getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(folder));
	in_folder(tokens, "tokens");
	assert_true(folder_create(tokens, 0700, &err));
	(void)snprintf(text, sizeof(text),
	    "directories.tokendir = %s\nobjectstore.backend = file\n"
	    "log.level = ERROR\n",
	    tokens);
	in_folder(conf, "softhsm2.conf");
	assert_true(
	    file_create(conf, bytes_of(text, strlen(text)), 0600, &err));
	assert_int_equal(setenv("SOFTHSM2_CONF", conf, 1), 0);
	assert_true(make_token("mtlog test"));
	assert_true(make_token("another"));
	for (size_t i = 0; i < KEYS; i++)
		put_key(i);
	in_folder(conf, "pin");
	return file_create(conf, BYTES_LIT(PIN "\n"), 0600, &err) ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++)
		buf_release(&spkis[i]);
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* How often the PIN was asked for, and what is then said. */
static const char *answer = PIN;
static int asked;

static bool
ask(void *arg, const char *token, struct buf *pin, struct error *err)
{
	(void)err;
	assert_ptr_equal(arg, &asked);
	assert_string_equal(token, "mtlog test");
	asked++;
	buf_put_str(pin, answer);
	return true;
}

static const struct pkcs11_pin asking = {ask, &asked};

/* Opens "pkcs11:<path>?module-path=<module><query>". */
static struct pkcs11 *
open_uri(const char *path, const char *query, const struct pkcs11_pin *pin,
    struct error *err)
{
	char text[PKCS11_URI_MAX_LEN];
	struct pkcs11_uri uri;

	(void)snprintf(text, sizeof(text), "pkcs11:%s?module-path=%s%s", path,
	    module, query);
	if (!pkcs11_uri_parse(bytes_str(text), &uri, err))
		fail_msg("%s: %s", text, err->text);
	return pkcs11_open(&uri, pin, err);
}

/* The signer signs as the key, which stands in `spki`, and only its digest. */
static void
check_signer(struct signer *s, const struct buf *spki)
{
	enum digest_algorithm alg;
	struct error err = {0};
	struct public_key key;
	struct key_verifier *v = key_verifier_open(&err);

	assert_non_null(v);
	assert_true(bytes_equal(buf_bytes(&s->spki), buf_bytes(spki)));
	assert_true(public_key_parse(buf_bytes(spki), &key, &err));
	assert_int_equal(s->algorithm, key.algorithm);
	alg = key_digest_algorithm(key.algorithm);
	/* Often enough to see r or s with its highest bit set, and short. */
	for (uint8_t n = 0; n < 40; n++) {
		AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
		uint8_t digest[DIGEST_MAX_LEN];
		struct bytes view = bytes_of(digest, digest_len(alg));

		assert_true(digest_compute(alg, bytes_of(&n, 1), digest, &err));
		if (!s->sign(s->arg, alg, view, &signature, &err))
			fail_msg("%s", err.text);
		assert_true(key_verify_digest(
		    v, &key, alg, view, buf_bytes(&signature), &err));
		buf_clear(&signature);
		view.len--;
		assert_false(s->sign(s->arg, alg, view, &signature, &err));
		assert_int_equal(err.code, ERR_USAGE);
		assert_int_equal(signature.len, 0);
		err = (struct error){0};
		if (key.rsa_exponent && n > 3)
			break;
	}
	key_verifier_close(v);
}

static void
test_sign(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		char path[128], id[16] = "";
		struct error err = {0};
		AUTO(signer) signer = {0};
		struct pkcs11 *p;

		for (const char *c = keys[i].id; *c; c += 2)
			(void)snprintf(id + strlen(id), 4, "%%%.2s", c);
		(void)snprintf(path, sizeof(path),
		    "token=mtlog%%20test;object=%s;id=%s", keys[i].label, id);
		asked = 0;
		p = open_uri(path, "", &asking, &err);
		if (!p)
			fail_msg("%s: %s", path, err.text);
		assert_int_equal(asked, 1);
		assert_true(pkcs11_signer(p, &signer, &err));
		check_signer(&signer, &spkis[i]);
		pkcs11_close(p);
	}
}

static void
test_by_label_or_id(void **state)
{
	static const char *const paths[] = {"object=p384;token=mtlog%20test",
	    "id=%02;token=mtlog%20test",
	    "id=%02;token=mtlog%20test;type=private;model=SoftHSM%20v2"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct error err = {0};
		AUTO(signer) signer = {0};
		struct pkcs11 *p = open_uri(paths[i], "", &asking, &err);

		if (!p)
			fail_msg("%s: %s", paths[i], err.text);
		assert_true(pkcs11_signer(p, &signer, &err));
		assert_true(
		    bytes_equal(buf_bytes(&signer.spki), buf_bytes(&spkis[1])));
		pkcs11_close(p);
	}
}

static void
test_pin_source(void **state)
{
	char query[PATH_LEN + 64];
	struct error err = {0};
	struct pkcs11 *p;

	(void)state;
	asked = 0;
	(void)snprintf(query, sizeof(query), "&pin-source=file:%s/pin", folder);
	p = open_uri("token=mtlog%20test;object=p256", query, &asking, &err);
	if (!p)
		fail_msg("%s", err.text);
	assert_int_equal(asked, 0);
	pkcs11_close(p);
	(void)snprintf(
	    query, sizeof(query), "&pin-source=file:%s/not-there", folder);
	assert_null(
	    open_uri("token=mtlog%20test;object=p256", query, &asking, &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_int_equal(asked, 0);
}

static void
refused(
    const char *path, const char *pin, enum error_code code, const char *reason)
{
	struct error err = {0};

	answer = pin;
	assert_null(open_uri(path, "", &asking, &err));
	answer = PIN;
	if (err.code != code || strcmp(error_reason_name(&err), reason) != 0)
		fail_msg(
		    "%s: %s (%s)", path, err.text, error_reason_name(&err));
}

static void
test_refusals(void **state)
{
	struct error err = {0};

	(void)state;
	refused("token=nobody;object=p256", PIN, ERR_NOTFOUND, "not-found");
	refused("object=p256", PIN, ERR_CONFLICT, "conflict");
	refused(
	    "token=mtlog%20test;object=p257", PIN, ERR_NOTFOUND, "not-found");
	refused("token=mtlog%20test;object=p256;id=%02", PIN, ERR_NOTFOUND,
	    "not-found");
	refused(
	    "token=mtlog%20test;object=twin", PIN, ERR_CONFLICT, "conflict");
	refused("token=mtlog%20test", PIN, ERR_CONFLICT, "conflict");
	refused("token=mtlog%20test;object=p256;serial=0", PIN, ERR_NOTFOUND,
	    "not-found");
	refused("token=mtlog%20test;object=p256;slot-id=0", PIN, ERR_NOTFOUND,
	    "not-found");
	refused(
	    "token=mtlog%20test;object=p256", "1111", ERR_DENIED, "pin-wrong");
	refused(
	    "token=mtlog%20test;object=p256", "", ERR_DENIED, "pin-missing");
	assert_null(open_uri("token=mtlog%20test;object=p256", "", NULL, &err));
	assert_string_equal(error_reason_name(&err), "pin-missing");
}

static void
test_no_module(void **state)
{
	static const struct {
		const char *uri;
		enum error_code code;
	} uris[] = {
	    {"pkcs11:object=p256", ERR_USAGE},
	    {"pkcs11:object=p256?module-path=/not/there.so", ERR_IO},
	    {"pkcs11:object=p256?module-name=not-there", ERR_IO},
	    {"pkcs11:object=p256?module-path=/dev/null", ERR_IO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
		struct error err = {0};
		struct pkcs11_uri uri;

		assert_true(
		    pkcs11_uri_parse(bytes_str(uris[i].uri), &uri, &err));
		assert_null(pkcs11_open(&uri, &asking, &err));
		assert_int_equal(err.code, uris[i].code);
	}
	pkcs11_close(NULL);
}

static const char *
find_module(void)
{
	static const char *const places[] = {
	    "/usr/lib/softhsm/libsofthsm2.so",
	    "/usr/lib64/softhsm/libsofthsm2.so",
	    "/usr/lib64/pkcs11/libsofthsm2.so",
	    "/usr/local/lib/softhsm/libsofthsm2.so",
	};
	const char *said = getenv("SOFTHSM2_MODULE");

	for (size_t i = 0; !said && i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], R_OK) == 0)
			said = places[i];
	return said;
}

int
main(void)
{
	static const char *const version[] = {
	    "softhsm2-util", "--version", NULL};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sign),
	    cmocka_unit_test(test_by_label_or_id),
	    cmocka_unit_test(test_pin_source),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_no_module),
	};

	module = find_module();
	if (!module || run(version) != 0) {
		(void)puts("SKIP: SoftHSM is not installed (softhsm2)");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
