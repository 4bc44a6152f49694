/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier fails closed: with the n-th allocation or the n-th call of
 * OpenSSL failing, for every n, nothing is accepted; and what was withdrawn
 * stays refused although the withdrawal could not be looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/x509_vfy.h>

#include "core/base/json.h"
#include "tests/core/verify/changes.h"

/* What fails: the n-th of its kind from now on (0: nothing), or with `for_ever`
 * all from there on. */
enum fault { FAULT_OURS, FAULT_OPENSSL_MEMORY, FAULT_OPENSSL_CALL, FAULTS };

static unsigned countdown[FAULTS];
static bool for_ever;
static int answer;  /* of a call of OpenSSL that fails: 0 or -1 */
static bool failed; /* something did */
static const char *failed_call;

static bool
fails(enum fault f)
{
	if (countdown[f] == 0 || --countdown[f] > 0)
		return false;
	countdown[f] = for_ever;
	failed = true;
	return true;
}

/* --- memory --- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

void *
__wrap_malloc(size_t size)
{
	return fails(FAULT_OURS) ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails(FAULT_OURS) ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *ptr, size_t size)
{
	return fails(FAULT_OURS) ? NULL : __real_realloc(ptr, size);
}

static void *
openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size == 0)
		return NULL;
	return fails(FAULT_OPENSSL_MEMORY) ? NULL : __real_malloc(size);
}

static void *
openssl_realloc(void *ptr, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size == 0) {
		free(ptr);
		return NULL;
	}
	return fails(FAULT_OPENSSL_MEMORY) ? NULL : __real_realloc(ptr, size);
}

static void
openssl_free(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	free(ptr);
}

/* --- calls of OpenSSL --- */

static bool
call_fails(const char *name)
{
	if (!fails(FAULT_OPENSSL_CALL))
		return false;
	failed_call = name;
	return true;
}

/* WRAP defines what the linker puts in the place of an OpenSSL function. */
#define WRAP(type, failure, name, parameters, arguments)                       \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		return call_fails(#name) ? (failure)                           \
					 : __real_##name arguments;            \
	}                                                                      \
	struct semicolon_##name

WRAP(EVP_MD *, NULL, EVP_MD_fetch,
    (OSSL_LIB_CTX * x, const char *name, const char *p), (x, name, p));
WRAP(EVP_MD_CTX *, NULL, EVP_MD_CTX_new, (void), ());
WRAP(int, answer, EVP_DigestInit_ex2,
    (EVP_MD_CTX * c, const EVP_MD *m, const OSSL_PARAM p[]), (c, m, p));
WRAP(int, answer, EVP_DigestUpdate, (EVP_MD_CTX * c, const void *in, size_t n),
    (c, in, n));
WRAP(int, answer, EVP_DigestFinal_ex,
    (EVP_MD_CTX * c, unsigned char *md, unsigned int *n), (c, md, n));
WRAP(int, answer, EVP_Q_digest,
    (OSSL_LIB_CTX * x, const char *name, const char *p, const void *in,
	size_t n, unsigned char *md, size_t *len),
    (x, name, p, in, n, md, len));
WRAP(int, answer, EVP_Digest,
    (const void *in, size_t n, unsigned char *md, unsigned int *len,
	const EVP_MD *type, ENGINE *e),
    (in, n, md, len, type, e));
WRAP(EVP_PKEY *, NULL, EVP_PKEY_new_raw_public_key_ex,
    (OSSL_LIB_CTX * x, const char *type, const char *p,
	const unsigned char *raw, size_t n),
    (x, type, p, raw, n));
WRAP(int, answer, EVP_DigestVerifyInit_ex,
    (EVP_MD_CTX * c, EVP_PKEY_CTX **pc, const char *md, OSSL_LIB_CTX *x,
	const char *p, EVP_PKEY *k, const OSSL_PARAM params[]),
    (c, pc, md, x, p, k, params));
WRAP(int, answer, EVP_DigestVerify,
    (EVP_MD_CTX * c, const unsigned char *sig, size_t len,
	const unsigned char *in, size_t n),
    (c, sig, len, in, n));
WRAP(EVP_PKEY_CTX *, NULL, EVP_PKEY_CTX_new_from_name,
    (OSSL_LIB_CTX * x, const char *name, const char *p), (x, name, p));
WRAP(EVP_PKEY_CTX *, NULL, EVP_PKEY_CTX_new_from_pkey,
    (OSSL_LIB_CTX * x, EVP_PKEY *k, const char *p), (x, k, p));
WRAP(int, answer, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX * c), (c));
WRAP(int, answer, EVP_PKEY_fromdata,
    (EVP_PKEY_CTX * c, EVP_PKEY **k, int selection, OSSL_PARAM p[]),
    (c, k, selection, p));
WRAP(int, answer, EVP_PKEY_set1_encoded_public_key,
    (EVP_PKEY * k, const unsigned char *pub, size_t n), (k, pub, n));
WRAP(int, answer, EVP_PKEY_verify_init, (EVP_PKEY_CTX * c), (c));
WRAP(int, answer, EVP_PKEY_verify,
    (EVP_PKEY_CTX * c, const unsigned char *sig, size_t len,
	const unsigned char *tbs, size_t n),
    (c, sig, len, tbs, n));
WRAP(X509 *, NULL, d2i_X509, (X509 * *x, const unsigned char **in, long n),
    (x, in, n));
WRAP(X509_STORE *, NULL, X509_STORE_new, (void), ());
WRAP(int, answer, X509_STORE_add_cert, (X509_STORE * s, X509 *x), (s, x));
WRAP(X509_STORE_CTX *, NULL, X509_STORE_CTX_new, (void), ());
WRAP(int, answer, X509_STORE_CTX_init,
    (X509_STORE_CTX * c, X509_STORE *s, X509 *x, STACK_OF(X509) * more),
    (c, s, x, more));
WRAP(int, answer, X509_VERIFY_PARAM_set_flags,
    (X509_VERIFY_PARAM * p, unsigned long flags), (p, flags));
WRAP(int, answer, X509_verify_cert, (X509_STORE_CTX * c), (c));
WRAP(int, answer, X509_STORE_CTX_set_ex_data,
    (X509_STORE_CTX * c, int i, void *data), (c, i, data));
WRAP(OPENSSL_STACK *, NULL, OPENSSL_sk_new_null, (void), ());
WRAP(int, answer, OPENSSL_sk_push, (OPENSSL_STACK * s, const void *p), (s, p));

/* --- runs --- */

static struct parties parties;
static struct scene scene;
static struct verdict verdict;

/* One verification with the n-th of a kind failing; false once there is no
 * such one. */
static bool
run(enum fault f, unsigned n, bool *accepted)
{
	failed = false;
	failed_call = "memory";
	countdown[f] = n;
	*accepted = scene_verify(&scene, &verdict);
	countdown[f] = 0;
	if (*accepted != (verdict.code == VERDICT_ACCEPTED) ||
	    (!*accepted && (!verdict.reason || verdict.message[0] == '\0')))
		fail_msg("kind %u, %u: half a verdict", f, n);
	return failed;
}

/*
 * What OpenSSL does without, it does without: memory for a cache, say. Then
 * nothing may be different from a run in which nothing failed.
 */
static bool
same_verdict(const struct buf *want)
{
	AUTO(buf) got = BUF_INIT(VERDICT_JSON_MAX);

	verdict_json(&verdict, &got);
	return bytes_equal(buf_bytes(&got), buf_bytes(want));
}

static void
nothing_more(struct scene *s)
{
	s->evidence[2].kind = s->evidence[3].kind = 0;
}

static unsigned
all_faults(enum fault f, void (*change)(struct scene *), unsigned step)
{
	AUTO(buf) want = BUF_INIT(VERDICT_JSON_MAX);
	unsigned n = 1, spared = 0;
	bool accepted, base;

	scene_init(&scene, &parties);
	if (change)
		change(&scene);
	scene_build(&scene);
	(void)run(f, 0, &base);
	assert_true(base == (!change || change == nothing_more));
	verdict_json(&verdict, &want);
	verdict_release(&verdict);
	for (; run(f, n, &accepted); n += step) {
		bool same = same_verdict(&want);

		if (accepted && (f == FAULT_OURS || !same))
			fail_msg(
			    "kind %u, %u (%s): accepted", f, n, failed_call);
		spared += same;
		verdict_release(&verdict);
	}
	/* Nothing is broken for good. */
	assert_true(accepted == base && same_verdict(&want));
	verdict_release(&verdict);
	scene_release(&scene);
	print_message("%u, %u of them without consequence\n", n - 1, spared);
	return n - 1;
}

static int
setup(void **state)
{
	(void)state;
	parties_open(&parties);
	/* What OpenSSL makes once and keeps. */
	scene_init(&scene, &parties);
	scene_build(&scene);
	if (!scene_verify(&scene, &verdict))
		return -1;
	verdict_release(&verdict);
	scene_release(&scene);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	parties_close(&parties);
	return 0;
}

/* What is withdrawn, by a key or a certificate, or stated to be. */
static void (*const changes[])(struct scene *) = {
    NULL, withdrawn, withdrawn_by_certificate, key_revoked, status_withdraws};

#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static void
test_our_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < CHANGES; i++)
		assert_true(all_faults(FAULT_OURS, changes[i], 1) > 50);
}

/* There are thousands, so the two that have most of them stand for the rest. */
static void
test_memory_of_openssl(void **state)
{
	(void)state;
	assert_true(all_faults(FAULT_OPENSSL_MEMORY, NULL, 1) > 500);
	assert_true(all_faults(FAULT_OPENSSL_MEMORY, withdrawn_by_certificate,
			1) > 500);
}

static void
test_memory_that_stays_away(void **state)
{
	(void)state;
	for_ever = true;
	for (size_t i = 0; i < CHANGES; i++) {
		(void)all_faults(FAULT_OURS, changes[i], 1);
		(void)all_faults(FAULT_OPENSSL_MEMORY, changes[i], 37);
	}
	for_ever = false;
}

/* An error (-1), for which no signature is right or wrong. */
static void
test_calls_that_err(void **state)
{
	(void)state;
	answer = -1;
	for (size_t i = 0; i < CHANGES; i++)
		assert_true(
		    all_faults(FAULT_OPENSSL_CALL, changes[i], 1) > 100);
}

/* A no (0). Of a withdrawal it is an answer like any other: forged. */
static void
test_calls_that_say_no(void **state)
{
	(void)state;
	answer = 0;
	assert_true(all_faults(FAULT_OPENSSL_CALL, nothing_more, 1) > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_our_memory),
	    cmocka_unit_test(test_memory_of_openssl),
	    cmocka_unit_test(test_memory_that_stays_away),
	    cmocka_unit_test(test_calls_that_err),
	    cmocka_unit_test(test_calls_that_say_no),
	};

	/* Before OpenSSL has allocated anything. */
	if (!CRYPTO_set_mem_functions(
		openssl_malloc, openssl_realloc, openssl_free))
		return 1;
	json_set_alloc_funcs(__wrap_malloc, free);
	return cmocka_run_group_tests(tests, setup, teardown);
}
