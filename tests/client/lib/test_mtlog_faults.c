/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library when calls fail: the n-th, or all from the n-th on, for every n.
 * A model comes out only if it is complete and right; one that must be refused
 * never does; the verdict is always set. Linked statically, with --wrap of what
 * is listed below; the libraries below us allocate through the same counter.
 * Certificates take thousands of calls: of those every MTLOG_EVERY-th (7).
 */
#include "tests/client/lib/loader_fixture.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

/* The n-th call fails, or all from there on; 0: none. */
static atomic_uint calls, fail_at;
static bool fail_all;

static bool
fails(int cause)
{
	unsigned at = atomic_load(&fail_at);
	unsigned n = at ? atomic_fetch_add(&calls, 1) + 1 : 0;

	if (at == 0 || n < at || (n > at && !fail_all))
		return false;
	errno = cause;
	return true;
}

/* WRAP(result, failure, errno, name, parameters, arguments) */
#define WRAP(type, failure, cause, name, parameters, arguments)                \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		return fails(cause) ? (failure) : __real_##name arguments;     \
	}

WRAP(void *, NULL, ENOMEM, malloc, (size_t n), (n))
WRAP(void *, NULL, ENOMEM, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, ENOMEM, realloc, (void *p, size_t size), (p, size))
WRAP(void *, NULL, ENOMEM, reallocarray, (void *p, size_t n, size_t size),
    (p, n, size))
WRAP(void *, NULL, ENOMEM, aligned_alloc, (size_t align, size_t n), (align, n))
WRAP(char *, NULL, ENOMEM, strdup, (const char *s), (s))
WRAP(char *, NULL, ENOMEM, strndup, (const char *s, size_t n), (s, n))
WRAP(int, -1, EIO, stat, (const char *path, struct stat *st), (path, st))
WRAP(int, -1, EIO, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, EIO, fstatat,
    (int fd, const char *path, struct stat *st, int flags),
    (fd, path, st, flags))
WRAP(int, -1, EIO, statx,
    (int fd, const char *path, int flags, unsigned mask, struct statx *st),
    (fd, path, flags, mask, st))
WRAP(int, -1, EIO, fstatfs, (int fd, struct statfs *fs), (fd, fs))
WRAP(ssize_t, -1, EIO, read, (int fd, void *to, size_t n), (fd, to, n))
WRAP(ssize_t, -1, EIO, pread, (int fd, void *to, size_t n, off_t at),
    (fd, to, n, at))
WRAP(ssize_t, -1, ENOSPC, write, (int fd, const void *from, size_t n),
    (fd, from, n))
WRAP(ssize_t, -1, ENOSPC, pwrite,
    (int fd, const void *from, size_t n, off_t at), (fd, from, n, at))
WRAP(ssize_t, -1, EIO, getdents64, (int fd, void *to, size_t n), (fd, to, n))
WRAP(int, -1, EMFILE, memfd_create, (const char *name, unsigned flags),
    (name, flags))
WRAP(int, -1, ENOSPC, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, -1, EIO, fsync, (int fd), (fd))
WRAP(int, -1, EIO, rename, (const char *from, const char *to), (from, to))
WRAP(int, -1, ENOLCK, flock, (int fd, int what), (fd, what))
WRAP(int, -1, EMFILE, scandir,
    (const char *path, struct dirent ***names,
	int (*filter)(const struct dirent *),
	int (*compare)(const struct dirent **, const struct dirent **)),
    (path, names, filter, compare))
WRAP(int, EAGAIN, EAGAIN, pthread_create,
    (pthread_t * thread, const pthread_attr_t *attr, void *(*f)(void *),
	void *arg),
    (thread, attr, f, arg))
WRAP(void *, MAP_FAILED, ENOMEM, mmap,
    (void *at, size_t n, int protection, int flags, int fd, off_t offset),
    (at, n, protection, flags, fd, offset))
WRAP(int, 0, 0, EVP_DigestUpdate, (EVP_MD_CTX * c, const void *d, size_t n),
    (c, d, n))
WRAP(int, 0, 0, EVP_DigestFinal_ex,
    (EVP_MD_CTX * c, unsigned char *to, unsigned *n), (c, to, n))
WRAP(int, 0, 0, EVP_DigestInit_ex2,
    (EVP_MD_CTX * c, const EVP_MD *md, const OSSL_PARAM *p), (c, md, p))
WRAP(int, -1, 0, EVP_PKEY_verify_init, (EVP_PKEY_CTX * c), (c))
WRAP(int, -1, 0, EVP_PKEY_verify,
    (EVP_PKEY_CTX * c, const unsigned char *sig, size_t n,
	const unsigned char *d, size_t dn),
    (c, sig, n, d, dn))
WRAP(int, -1, 0, EVP_DigestVerify,
    (EVP_MD_CTX * c, const unsigned char *sig, size_t n, const unsigned char *d,
	size_t dn),
    (c, sig, n, d, dn))

/* Those with a last argument that may be missing. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static mode_t
mode_of(int flags, va_list ap)
{
	/* A mode is passed as int. */
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(ap, int)
						    : 0;
}

int
__wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(EMFILE) ? -1 : __real_open(path, flags, mode);
}

int
__wrap_openat(int at, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(EMFILE) ? -1 : __real_openat(at, path, flags, mode);
}

int
__wrap_fcntl(int fd, int what, ...)
{
	va_list ap;
	long value;

	va_start(ap, what);
	value = va_arg(ap, long);
	va_end(ap);
	return fails(EINVAL) ? -1 : __real_fcntl(fd, what, value);
}

long
__wrap_syscall(long number, ...)
{
	va_list ap;
	long a[6];

	va_start(ap, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return fails(EMFILE)
	    ? -1
	    : __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* OpenSSL's and jansson's memory. */
static void *
other_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void *
other_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	/* OpenSSL lets its own realloc free. */
	if (n > 0)
		return realloc(p, n);
	free(p);
	return NULL;
}

static void
other_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static void *
json_malloc(size_t n)
{
	return malloc(n);
}

/* What is opened, and what must come of it. */
static const struct target {
	const char *name, *model, *asked, *head;
	bool good, with_state;
	int hold;
	int64_t days; /* from now, when it is judged */
} targets[] = {
    {"good", "small", "acme/m", "", true, false, 0, 0},
    {"good, copied", "small", "acme/m", "", true, true, MTLOG_HOLD_COPY, 0},
    {"changed", "changed", "acme/m", "", false, false, MTLOG_HOLD_COPY, 0},
    {"unsigned file", "unsigned", "acme/m", "", false, false, 0, 0},
    {"withdrawn", "withdrawn", "acme/m", "", false, false, 0, 0},
    {"other name", "small", "acme/o", "", false, false, 0, 0},
    {"older policy", "small", "acme/m", "serial 6\n", false, true, 0, 0},
    {"denied", "small", "acme/m", "deny key ", false, false, 0, 0},
    {"certificate", "certified", "acme/m", "ca", true, false, 0, 0},
    {"certificate, withdrawn", "recalled", "acme/m", "ca", false, false, 0, 0},
    {"certificate, unknown", "certified", "acme/m", "", false, false, 0, 0},
    {"certificate, expired", "certified", "acme/m", "ca", false, false, 0, 10},
};

static mtlog_policy *policies[sizeof(targets) / sizeof(targets[0])];

static void
make_model(const char *name)
{
	char path[64];

	folder_put_folder(name);
	(void)snprintf(path, sizeof(path), "%s/weights.bin", name);
	loader_put(path, LOADER_WEIGHTS);
	(void)snprintf(path, sizeof(path), "%s/config.json", name);
	loader_put(path, "{}");
}

static mtlog_options *
options_for(const struct target *t)
{
	mtlog_options *o = mtlog_options_new(t->asked, NULL);

	assert_non_null(o);
	assert_int_equal(mtlog_option_number(o, MTLOG_THREADS, 1), 0);
	if (t->hold)
		assert_int_equal(
		    mtlog_option_number(o, MTLOG_HOLD, t->hold), 0);
	if (t->days)
		assert_int_equal(mtlog_option_number(o, MTLOG_NOW,
				     time(NULL) + t->days * 86400),
		    0);
	if (t->with_state)
		assert_int_equal(
		    mtlog_option_path(o, MTLOG_STATE, folder_at("state")), 0);
	return o;
}

/* A root and a signer's certificate under it; the policy that trusts them. */
static const char *
certify(void)
{
	static const char script[] =
	    "exec 2>log && "
	    "openssl ecparam -name prime256v1 -genkey -noout -out ca.key && "
	    "openssl req -x509 -key ca.key -subj /CN=root -days 9 -out ca.pem "
	    "-addext keyUsage=critical,keyCertSign && "
	    "openssl ecparam -name prime256v1 -genkey -noout -out leaf.key && "
	    "openssl req -new -key leaf.key -subj /CN=leaf -out leaf.csr && "
	    "printf 'keyUsage=critical,digitalSignature\n"
	    "extendedKeyUsage=codeSigning\n"
	    "subjectAltName=URI:https://ci.example/x\n' >ext && "
	    "openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -days 9 "
	    "-extfile ext -out leaf.pem && "
	    "openssl x509 -in ca.pem -outform DER | base64 -w0";
	static char text[8192];
	char der[4096];

	loader_shell(script, der, sizeof(der));
	assert_true(strlen(der) > 0);
	(void)snprintf(text, sizeof(text),
	    "quorum none\nmtlog-policy 1\nca root %s\n"
	    "signer ci cert root uri:https://ci.example/x\nmodel acme/*\n"
	    "  signed-by ci\n  logged no\n",
	    der);
	return text;
}

/* SHA-256 of the key: what a `deny` line has. */
static void
key_digest(char out[65])
{
	char script[5000];

	(void)snprintf(script, sizeof(script),
	    "printf %%s '%s' | base64 -d | sha256sum", loader_key);
	loader_shell(script, out, 65);
	assert_int_equal(strlen(out), 64);
}

static int
setup(void **state)
{
	static const char *const models[] = {"small", "changed", "unsigned",
	    "withdrawn", "certified", "recalled"};
	const char *certified;
	char head[128], digest[65];

	if (loader_setup(state) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		make_model(models[i]);
	certified = certify();
	for (size_t i = 0; i < 4; i++)
		loader_sign(models[i], NULL);
	for (size_t i = 4; i < 6; i++)
		loader_command((const char *[]){"mtlog", "sign", "--key",
		    "leaf.key", "--certificate", "leaf.pem", "--name", "acme/m",
		    models[i], NULL});
	loader_command((const char *[]){"mtlog", "withdraw", "--no-log",
	    "--key", "leaf.key", "--certificate", "leaf.pem", "--reason",
	    "mistake", "recalled", NULL});
	loader_put("changed/weights.bin", "the weightz");
	loader_put("unsigned/run.py", "import os");
	loader_command((const char *[]){"mtlog", "withdraw", "--no-log",
	    "--key", "k", "--reason", "mistake", "withdrawn", NULL});
	key_digest(digest);
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		const char *text;
		mtlog_verdict *v = NULL;

		(void)snprintf(head, sizeof(head), "%s%s%s", targets[i].head,
		    strcmp(targets[i].name, "denied") == 0 ? digest : "",
		    strcmp(targets[i].name, "denied") == 0 ? "\n" : "");
		text = strcmp(targets[i].head, "ca") == 0
		    ? certified
		    : loader_policy_text(head[0] ? head : "serial 7\n", "");
		policies[i] = mtlog_policy_parse(text, strlen(text), &v);
		assert_non_null(policies[i]);
		mtlog_verdict_free(v);
	}
	return 0;
}

static int
teardown(void **state)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		mtlog_policy_free(policies[i]);
	return loader_teardown(state);
}

/* A handle that was given out is whole: all files, all bytes, by name. */
static void
is_whole(const struct target *t, mtlog_model *m)
{
	char text[64] = {0};
	uint64_t size = 0;

	assert_int_equal(mtlog_model_files(m), 2);
	assert_string_equal(mtlog_model_file(m, 0, &size), "config.json");
	assert_int_equal(size, 2);
	assert_string_equal(mtlog_model_file(m, 1, &size), "weights.bin");
	assert_int_equal(size, 11);
	assert_int_equal(mtlog_model_read(m, "config.json", text, 64, 0), 2);
	assert_memory_equal(text, "{}", 2);
	assert_int_equal(mtlog_model_read(m, "weights.bin", text, 64, 0), 11);
	assert_string_equal(text, LOADER_WEIGHTS);
	assert_true(
	    mtlog_model_hold(m) >= (t->hold ? t->hold : MTLOG_HOLD_LEASE));
}

struct counts {
	unsigned runs, refused, accepted;
};

/* False: the fault lies beyond the last call. */
static bool
open_once(size_t i, unsigned at, bool all, struct counts *c)
{
	const struct target *t = &targets[i];
	mtlog_options *o = options_for(t);
	mtlog_verdict *v = NULL;
	const char *path = folder_at(t->model);
	mtlog_model *m;
	bool reached;

	fail_all = all;
	atomic_store(&calls, 0);
	atomic_store(&fail_at, at);
	m = mtlog_model_open(path, policies[i], o, &v);
	reached = atomic_load(&calls) >= at;
	atomic_store(&fail_at, 0);
	if (!v)
		fail_msg("%s: no verdict when call %u fails", t->name, at);
	if ((m != NULL) != (mtlog_verdict_code(v) == 0))
		fail_msg("%s: the verdict is not the answer when call %u fails",
		    t->name, at);
	if (m && !t->good)
		print_error("%s: accepted when call %u fails\n", t->name, at);
	assert_non_null(mtlog_verdict_reason(v));
	assert_non_null(mtlog_verdict_message(v));
	assert_non_null(mtlog_verdict_json(v));
	if (m && t->good)
		is_whole(t, m);
	c->runs++;
	c->accepted += m != NULL;
	c->refused += m == NULL;
	mtlog_model_free(m);
	mtlog_verdict_free(v);
	mtlog_options_free(o);
	return reached;
}

static void
test_open(void **state)
{
	const char *every = getenv("MTLOG_EVERY");
	unsigned step = every ? (unsigned)strtoul(every, NULL, 10) : 7;
	struct counts warm = {0};

	(void)state;
	/* What libraries make once and keep. */
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		(void)open_once(i, 1U << 30, false, &warm);
	assert_int_equal(warm.accepted, 3);
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		for (int all = 0; all < 2; all++) {
			struct counts c = {0};

			for (unsigned at = 1; open_once(i, at, all, &c);)
				at += strcmp(targets[i].head, "ca") == 0 ? step
									 : 1;
			print_message("%s, %s: %u faults, refused %u, "
				      "accepted %u\n",
			    targets[i].name, all ? "all from there" : "one",
			    c.runs - 1, c.refused, c.accepted);
			assert_true(c.runs > 40);
			assert_true(c.refused > 40);
			/* And nothing is broken for good. */
			assert_int_equal(c.accepted > 0, targets[i].good);
		}
	}
}

static void
test_policy(void **state)
{
	const char *text = loader_policy_text("serial 7\n", "");
	const char *path = folder_at("policy");
	unsigned at = 0;
	bool reached = true;

	(void)state;
	loader_put("policy", text);
	for (at = 1; reached; at++) {
		mtlog_verdict *parsed = NULL, *was_read = NULL;
		mtlog_policy *p, *q;

		fail_all = at % 2;
		atomic_store(&calls, 0);
		atomic_store(&fail_at, (at + 1) / 2);
		p = mtlog_policy_parse(text, strlen(text), &parsed);
		reached = atomic_load(&calls) >= (at + 1) / 2;
		atomic_store(&calls, 0);
		q = mtlog_policy_read(path, NULL, &was_read);
		reached = reached || atomic_load(&calls) >= (at + 1) / 2;
		atomic_store(&fail_at, 0);
		assert_non_null(parsed);
		assert_non_null(was_read);
		assert_true((p != NULL) == (mtlog_verdict_code(parsed) == 0));
		assert_true((q != NULL) == (mtlog_verdict_code(was_read) == 0));
		mtlog_policy_free(p);
		mtlog_policy_free(q);
		mtlog_verdict_free(parsed);
		mtlog_verdict_free(was_read);
	}
	print_message("%u calls\n", at / 2);
	assert_true(at > 20);
}

static void
test_options(void **state)
{
	unsigned at;
	bool reached = true;

	(void)state;
	for (at = 1; reached; at++) {
		mtlog_options *o;

		atomic_store(&calls, 0);
		atomic_store(&fail_at, at);
		o = mtlog_options_new("acme/m", "1");
		if (o) {
			bool ok = mtlog_option_path(o, MTLOG_STATE, "x") == 0 &&
			    mtlog_option_path(o, MTLOG_EVIDENCE, "x") == 0 &&
			    mtlog_option_file(o, "x") == 0;

			assert_true(ok || errno == ENOMEM);
			reached = !ok;
		}
		atomic_store(&fail_at, 0);
		mtlog_options_free(o);
	}
	assert_true(at > 6);
}

/* What is asked of a handle later: an answer or none, and a verdict. */
static void
test_handle(void **state)
{
	mtlog_options *o = options_for(&targets[1]);
	const char *path = folder_at("small");
	mtlog_verdict *v = NULL;
	unsigned given = 0;
	bool reached = true;

	(void)state;
	for (unsigned at = 1; reached; at++) {
		mtlog_model *m = mtlog_model_open(path, policies[1], o, &v);
		mtlog_verdict *checked = NULL, *of_dir = NULL;
		const char *dir;
		size_t size = 0;
		const void *map;
		int fd, code;

		assert_non_null(m);
		mtlog_verdict_free(v);
		atomic_store(&calls, 0);
		atomic_store(&fail_at, at);
		code = mtlog_model_check(m, &checked);
		map = mtlog_model_map(m, "weights.bin", &size);
		fd = mtlog_model_open_file(m, "weights.bin");
		dir = mtlog_model_dir(m, &of_dir);
		reached = atomic_load(&calls) >= at;
		atomic_store(&fail_at, 0);
		assert_non_null(checked);
		assert_int_equal(code, mtlog_verdict_code(checked));
		assert_non_null(of_dir);
		assert_true((dir != NULL) == (mtlog_verdict_code(of_dir) == 0));
		assert_true(!map || memcmp(map, LOADER_WEIGHTS, size) == 0);
		given += code == 0 && map && fd >= 0 && dir;
		if (fd >= 0)
			(void)close(fd);
		mtlog_verdict_free(checked);
		mtlog_verdict_free(of_dir);
		is_whole(&targets[1], m);
		mtlog_model_free(m);
	}
	assert_int_equal(given, 1);
	mtlog_options_free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_open),
	    cmocka_unit_test(test_policy),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_handle),
	};

	if (CRYPTO_set_mem_functions(other_malloc, other_realloc, other_free) !=
	    1)
		return 1;
	json_set_alloc_funcs(json_malloc, free);
	return cmocka_run_group_tests(tests, setup, teardown);
}
