/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module in this program, in place of one that dlopen() finds: it
 * does what real tokens seldom do on demand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/crypto/der.h"
#include "io/pkcs11_parts.h"

#define PIN "4711"

/* The objects on the token. */
enum { PRIVATE = 1, TWIN, PUBLIC, CERTIFICATE };

/* How the module behaves; reset by each test. */
static struct {
	/* the module */
	bool no_file, no_symbol, no_list;
	uint8_t version;
	ck_rv_t initialize;
	/* slots and tokens */
	unsigned long slots, claimed_slots;
	ck_flags_t flags;
	char pad;
	ck_rv_t session, login;
	/* objects: one bit each */
	unsigned objects;
	unsigned long key_type;
	bool no_id, bare_point, always_authenticate;
	unsigned long claimed_len;
	struct buf certificate;
	/* signatures */
	ck_rv_t sign;
	bool other_key;
	size_t cut, claimed_signature;
	/* what was seen */
	int initialized, finalized, opened, closed, logins, context_logins;
	bool keypad_used;
	/* the search at hand */
	unsigned found;
} fake;

static struct private_key *key, *other;
static struct buf spki;
static struct public_key public;

static ck_rv_t
fake_initialize(void *args)
{
	const struct ck_c_initialize_args *a = args;

	assert_int_equal(a->flags, CKF_OS_LOCKING_OK);
	fake.initialized += fake.initialize == CKR_OK;
	return fake.initialize;
}

static ck_rv_t
fake_finalize(void *reserved)
{
	assert_null(reserved);
	fake.finalized++;
	return CKR_OK;
}

static ck_rv_t
fake_slots(unsigned char present, ck_slot_id_t *out, unsigned long *count)
{
	assert_int_equal(present, 1);
	assert_true(*count >= fake.slots);
	for (unsigned long i = 0; i < fake.slots; i++)
		out[i] = 10 + i;
	*count = fake.claimed_slots ? fake.claimed_slots : fake.slots;
	return CKR_OK;
}

static ck_rv_t
fake_token(ck_slot_id_t slot, struct ck_token_info *out)
{
	/* The second token was just pulled out. */
	if (slot == 11)
		return CKR_TOKEN_NOT_PRESENT;
	memset(out, fake.pad, offsetof(struct ck_token_info, flags));
	memcpy(out->label, "a t\xc3\xb6ken", 8);
	out->flags = fake.flags;
	return CKR_OK;
}

static ck_rv_t
fake_open(ck_slot_id_t slot, ck_flags_t flags, void *application,
    ck_notify_t notify, ck_session_handle_t *out)
{
	(void)application;
	(void)notify;
	assert_int_equal(slot, 10);
	assert_int_equal(flags, CKF_SERIAL_SESSION);
	*out = 99;
	fake.opened += fake.session == CKR_OK;
	return fake.session;
}

static ck_rv_t
fake_close(ck_session_handle_t session)
{
	assert_int_equal(session, 99);
	fake.closed++;
	return CKR_OK;
}

static ck_rv_t
fake_login(ck_session_handle_t session, ck_user_type_t user, unsigned char *pin,
    unsigned long len)
{
	assert_int_equal(session, 99);
	fake.keypad_used = !pin && len == 0;
	if (!fake.keypad_used && (len != strlen(PIN) || memcmp(pin, PIN, len)))
		return CKR_PIN_INCORRECT;
	if (user == CKU_CONTEXT_SPECIFIC)
		fake.context_logins++;
	else
		fake.logins++;
	return fake.login;
}

static ck_rv_t
fake_find(
    ck_session_handle_t session, struct ck_attribute *t, unsigned long count)
{
	static const unsigned classes[] = {
	    [CKO_PRIVATE_KEY] = 1u << PRIVATE | 1u << TWIN,
	    [CKO_PUBLIC_KEY] = 1u << PUBLIC,
	    [CKO_CERTIFICATE] = 1u << CERTIFICATE,
	};
	unsigned long class;

	(void)session;
	assert_true(count > 0 && t[0].type == CKA_CLASS);
	memcpy(&class, t[0].value, sizeof(class));
	fake.found = fake.objects & classes[class];
	/* The public half is looked for by id, or by label if there is none. */
	if (class != CKO_PRIVATE_KEY) {
		assert_int_equal(count, 2);
		assert_int_equal(t[1].type, fake.no_id ? CKA_LABEL : CKA_ID);
	}
	return CKR_OK;
}

static ck_rv_t
fake_next(ck_session_handle_t session, ck_object_handle_t *out,
    unsigned long max, unsigned long *count)
{
	(void)session;
	*count = 0;
	for (unsigned i = 0; i < 8 && *count < max; i++)
		if (fake.found & 1u << i)
			out[(*count)++] = i;
	return CKR_OK;
}

static ck_rv_t
fake_find_final(ck_session_handle_t session)
{
	(void)session;
	return CKR_OK;
}

/* The value of an attribute; false if the object has none. */
static bool
attribute(ck_object_handle_t object, ck_attribute_type_t type, struct buf *out)
{
	struct reader r, fields, identifier;
	unsigned long number;
	uint8_t yes = fake.always_authenticate;

	switch (type) {
	case CKA_KEY_TYPE:
		number = fake.key_type;
		buf_put(out, bytes_of(&number, sizeof(number)));
		return true;
	case CKA_ALWAYS_AUTHENTICATE:
		buf_put(out, bytes_of(&yes, 1));
		return yes;
	case CKA_ID:
		buf_put(out, BYTES_LIT("\x01\x02"));
		return !fake.no_id;
	case CKA_LABEL:
		buf_put(out, BYTES_LIT("label"));
		return true;
	case CKA_VALUE:
		assert_int_equal(object, CERTIFICATE);
		buf_put(out, buf_bytes(&fake.certificate));
		return true;
	case CKA_EC_PARAMS:
		reader_init(&r, buf_bytes(&spki));
		assert_true(der_enter(&r, DER_SEQUENCE, &fields));
		assert_true(der_enter(&fields, DER_SEQUENCE, &identifier));
		assert_true(der_skip(&identifier, DER_OID));
		buf_put(out, identifier.rest);
		return true;
	case CKA_EC_POINT:
		if (fake.bare_point)
			buf_put(out, public.raw);
		else
			der_put(out, DER_OCTET_STRING, public.raw);
		return true;
	case CKA_MODULUS:
		buf_put(out, public.raw);
		return true;
	case CKA_PUBLIC_EXPONENT:
		buf_put(out, BYTES_LIT("\x01\x00\x01"));
		return true;
	default:
		return false;
	}
}

static ck_rv_t
fake_attribute(ck_session_handle_t session, ck_object_handle_t object,
    struct ck_attribute *t, unsigned long count)
{
	AUTO(buf) value = BUF_INIT(32768);

	(void)session;
	assert_int_equal(count, 1);
	if (!attribute(object, t->type, &value)) {
		t->value_len = CK_UNAVAILABLE_INFORMATION;
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
	if (fake.claimed_len && t->type == CKA_EC_POINT &&
	    fake.claimed_len < value.len)
		value.len = fake.claimed_len;
	if (t->value) {
		assert_true(t->value_len >= value.len);
		if (value.len > 0)
			memcpy(t->value, value.ptr, value.len);
	}
	t->value_len = value.len;
	if (fake.claimed_len && t->type == CKA_EC_POINT)
		t->value_len = fake.claimed_len;
	return CKR_OK;
}

static ck_rv_t
fake_sign_init(ck_session_handle_t session, struct ck_mechanism *how,
    ck_object_handle_t object)
{
	(void)session;
	assert_int_equal(object, PRIVATE);
	assert_int_equal(how->mechanism,
	    fake.key_type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA);
	fake.context_logins = 0;
	return CKR_OK;
}

/* r || s of a signature in DER, each `half` bytes long. */
static void
to_raw(struct bytes der, size_t half, uint8_t *out)
{
	struct reader r = {der}, fields;
	struct bytes number;

	memset(out, 0, 2 * half);
	assert_true(der_enter(&r, DER_SEQUENCE, &fields));
	for (size_t i = 1; i <= 2; i++) {
		assert_true(der_positive(&fields, &number));
		assert_true(number.len <= half);
		memcpy(out + i * half - number.len, number.ptr, number.len);
	}
}

static ck_rv_t
fake_sign(ck_session_handle_t session, unsigned char *data, unsigned long len,
    unsigned char *out, unsigned long *out_len)
{
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	struct error err = {0};
	size_t half = (public.raw.len - 1) / 2;

	(void)session;
	if (fake.always_authenticate)
		assert_int_equal(fake.context_logins, 1);
	if (fake.sign != CKR_OK)
		return fake.sign;
	assert_true(private_key_sign_digest(fake.other_key ? other : key,
	    key_digest_algorithm(public.algorithm), bytes_of(data, len),
	    &signature, &err));
	assert_true(*out_len >= 2 * half);
	to_raw(buf_bytes(&signature), half, out);
	*out_len = 2 * half - fake.cut;
	if (fake.claimed_signature)
		*out_len = fake.claimed_signature;
	return CKR_OK;
}

static struct ck_function_list functions = {
    .version = {2, 40},
    .C_Initialize = fake_initialize,
    .C_Finalize = fake_finalize,
    .C_GetSlotList = fake_slots,
    .C_GetTokenInfo = fake_token,
    .C_OpenSession = fake_open,
    .C_CloseSession = fake_close,
    .C_Login = fake_login,
    .C_FindObjectsInit = fake_find,
    .C_FindObjects = fake_next,
    .C_FindObjectsFinal = fake_find_final,
    .C_GetAttributeValue = fake_attribute,
    .C_SignInit = fake_sign_init,
    .C_Sign = fake_sign,
};

static ck_rv_t
fake_list(struct ck_function_list **out)
{
	functions.version.major = fake.version;
	*out = fake.no_list ? NULL : &functions;
	return CKR_OK;
}

void *__wrap_dlopen(const char *path, int flags);
void *__wrap_dlsym(void *module, const char *name);
char *__wrap_dlerror(void);

static char opened_path[128];

void *
__wrap_dlopen(const char *path, int flags)
{
	(void)flags;
	(void)snprintf(opened_path, sizeof(opened_path), "%s", path);
	return fake.no_file ? NULL : &fake;
}

void *
__wrap_dlsym(void *module, const char *name)
{
	CK_C_GetFunctionList get = fake_list;
	void *out;

	assert_ptr_equal(module, &fake);
	assert_string_equal(name, "C_GetFunctionList");
	memcpy(&out, &get, sizeof(out));
	return fake.no_symbol ? NULL : out;
}

char *
__wrap_dlerror(void)
{
	static char text[] = "no such file";

	return text;
}

static void
use_key(enum key_algorithm algorithm)
{
	struct error err = {0};

	private_key_close(key);
	private_key_close(other);
	key = private_key_generate(algorithm, &err);
	other = private_key_generate(algorithm, &err);
	assert_non_null(key);
	assert_non_null(other);
	buf_init(&spki, SPKI_MAX_LEN);
	assert_true(private_key_public(key, &spki, &err));
	assert_true(public_key_parse(buf_bytes(&spki), &public, &err));
}

/* A good token with a P-256 key. */
static int
setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.version = 2;
	fake.slots = 1;
	fake.pad = ' ';
	fake.flags = CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED;
	fake.objects = 1u << PRIVATE | 1u << PUBLIC;
	fake.key_type = CKK_EC;
	use_key(KEY_ECDSA_P256);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	private_key_close(key);
	private_key_close(other);
	key = other = NULL;
	buf_release(&spki);
	buf_release(&fake.certificate);
	return 0;
}

static bool
ask(void *arg, const char *token, struct buf *pin, struct error *err)
{
	(void)err;
	/* What is not ASCII is not shown. */
	assert_string_equal(token, "a t??ken");
	buf_put_str(pin, arg);
	return true;
}

static struct pkcs11 *
open_it(const char *uri, const char *pin, struct error *err)
{
	char answer[16];
	struct pkcs11_pin asking = {ask, answer};
	struct pkcs11_uri parsed;

	(void)snprintf(answer, sizeof(answer), "%s", pin);
	assert_true(pkcs11_uri_parse(bytes_str(uri), &parsed, err));
	return pkcs11_open(&parsed, &asking, err);
}

#define URI "pkcs11:object=k?module-path=/m.so"

/* Opens, signs, closes: everything that was begun is ended. */
static bool
use_it(struct error *err)
{
	static const uint8_t zeros[DIGEST_MAX_LEN];
	enum digest_algorithm alg = key_digest_algorithm(public.algorithm);
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	struct signer signer = {0};
	struct pkcs11 *p = open_it(URI, PIN, err);
	bool ok = p && pkcs11_signer(p, &signer, err) &&
	    signer.sign(signer.arg, alg, bytes_of(zeros, digest_len(alg)),
		&signature, err);

	if (!ok)
		assert_int_equal(signature.len, 0);
	signer_release(&signer);
	pkcs11_close(p);
	assert_int_equal(fake.opened, fake.closed);
	assert_int_equal(fake.initialized, fake.finalized);
	return ok;
}

static void
works(void)
{
	struct error err = {0};

	if (!use_it(&err))
		fail_msg("%s", err.text);
}

static void
fails(enum error_code code, const char *reason)
{
	struct error err = {0};

	assert_false(use_it(&err));
	if (err.code != code || strcmp(error_reason_name(&err), reason) != 0)
		fail_msg("%s (%s)", err.text, error_reason_name(&err));
}

static void
test_good(void **state)
{
	static const enum key_algorithm all[] = {
	    KEY_ECDSA_P256, KEY_ECDSA_P384, KEY_ECDSA_P521};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		buf_release(&spki);
		use_key(all[i]);
		for (size_t k = 0; k < 4; k++) {
			fake.bare_point = k & 1;
			fake.no_id = k & 2;
			works();
		}
	}
	assert_string_equal(opened_path, "/m.so");
}

static void
test_module_name(void **state)
{
	struct error err = {0};
	struct pkcs11 *p =
	    open_it("pkcs11:object=k?module-name=some-module", PIN, &err);

	(void)state;
	assert_non_null(p);
	pkcs11_close(p);
	assert_string_equal(
	    opened_path, MTLOG_PKCS11_MODULES "/some-module.so");
}

static void
test_module_faults(void **state)
{
	(void)state;
	fake.no_file = true;
	fails(ERR_IO, "io");
	fake.no_file = false;
	fake.no_symbol = true;
	fails(ERR_IO, "io");
	fake.no_symbol = false;
	fake.no_list = true;
	fails(ERR_IO, "io");
	fake.no_list = false;
	fake.version = 3;
	fails(ERR_IO, "io");
	fake.version = 2;
	fake.initialize = CKR_GENERAL_ERROR;
	fails(ERR_IO, "io");
	assert_int_equal(fake.finalized, 0);
	/* Somebody else has started it, and will end it. */
	fake.initialize = CKR_CRYPTOKI_ALREADY_INITIALIZED;
	works();
	assert_int_equal(fake.finalized, 0);
}

static void
test_tokens(void **state)
{
	(void)state;
	fake.slots = 0;
	fails(ERR_NOTFOUND, "not-found");
	fake.slots = 2; /* the second does not answer */
	works();
	fake.slots = 3;
	fails(ERR_CONFLICT, "conflict");
	fake.slots = 1;
	fake.claimed_slots = 1000000;
	fails(ERR_IO, "io");
	fake.claimed_slots = 0;
	fake.pad = 0;
	works();
	fake.flags &= ~(ck_flags_t)CKF_TOKEN_INITIALIZED;
	fails(ERR_NOTFOUND, "not-found");
}

static void
test_login(void **state)
{
	struct error err = {0};

	(void)state;
	works();
	assert_int_equal(fake.logins, 1);
	assert_null(open_it(URI, "0000", &err));
	assert_string_equal(error_reason_name(&err), "pin-wrong");
	fake.session = CKR_GENERAL_ERROR;
	fails(ERR_IO, "io");
	fake.session = CKR_OK;
	fake.login = CKR_PIN_LOCKED;
	fails(ERR_DENIED, "pin-locked");
	fake.login = CKR_USER_PIN_NOT_INITIALIZED;
	fails(ERR_DENIED, "pin-locked");
	fake.login = CKR_GENERAL_ERROR;
	fails(ERR_IO, "io");
	fake.login = CKR_USER_ALREADY_LOGGED_IN;
	works();
	/* A token that says that it is locked is not asked. */
	fake.logins = 0;
	fake.flags |= CKF_USER_PIN_LOCKED;
	fails(ERR_DENIED, "pin-locked");
	assert_int_equal(fake.logins, 0);
	/* One with a keypad gets no PIN. */
	fake.flags = CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED |
	    CKF_PROTECTED_AUTHENTICATION_PATH;
	works();
	assert_true(fake.keypad_used);
	fake.flags = CKF_TOKEN_INITIALIZED;
	fake.logins = 0;
	works();
	assert_int_equal(fake.logins, 0);
}

/* A key that wants the PIN for every signature gets it, between the beginning
 * of each and its end. */
static void
test_always_authenticate(void **state)
{
	static const uint8_t zeros[32];
	AUTO(buf) signature = BUF_INIT(3 * SIGNATURE_MAX_LEN);
	AUTO(signer) signer = {0};
	struct error err = {0};
	struct pkcs11 *p;

	(void)state;
	fake.always_authenticate = true;
	p = open_it(URI, PIN, &err);
	assert_non_null(p);
	assert_true(pkcs11_signer(p, &signer, &err));
	for (size_t i = 0; i < 3; i++)
		assert_true(signer.sign(signer.arg, DIGEST_SHA256,
		    BYTES_OF(zeros), &signature, &err));
	fake.login = CKR_PIN_LOCKED;
	assert_false(signer.sign(
	    signer.arg, DIGEST_SHA256, BYTES_OF(zeros), &signature, &err));
	assert_string_equal(error_reason_name(&err), "pin-locked");
	pkcs11_close(p);
}

static void
test_objects(void **state)
{
	(void)state;
	fake.objects = 1u << PUBLIC;
	fails(ERR_NOTFOUND, "not-found");
	fake.objects = 1u << PRIVATE;
	fails(ERR_NOTFOUND, "not-found");
	fake.objects = 1u << PRIVATE | 1u << TWIN | 1u << PUBLIC;
	fails(ERR_CONFLICT, "conflict");
	fake.objects = 1u << PRIVATE | 1u << PUBLIC;
	fake.key_type = CKK_EC_EDWARDS;
	fails(ERR_SYNTAX, "syntax");
	fake.key_type = CKK_RSA; /* with a modulus that is a point */
	fails(ERR_SYNTAX, "syntax");
	fake.key_type = CKK_EC;
	fake.claimed_len = 1000000;
	fails(ERR_LIMIT, "limit");
	fake.claimed_len = CK_UNAVAILABLE_INFORMATION;
	fails(ERR_LIMIT, "limit");
	fake.claimed_len = 10; /* a point cut short */
	fails(ERR_SYNTAX, "syntax");
}

/* A certificate stands in for the public key; its key counts. */
static void
test_certificate(void **state)
{
	/* TBSCertificate with nothing in it but what must be there. */
	static const uint8_t before[] = {
	    0x02, 0x01, 0x01, 0x30, 0x00, 0x30, 0x00, 0x30, 0x00, 0x30, 0x00};
	AUTO(buf) tbs = BUF_INIT(2048);
	AUTO(buf) fields = BUF_INIT(2048);

	(void)state;
	buf_put(&fields, BYTES_OF(before));
	buf_put(&fields, buf_bytes(&spki));
	der_put(&tbs, DER_SEQUENCE, buf_bytes(&fields));
	buf_put(&tbs, BYTES_LIT("\x30\x00\x03\x01\x00"));
	buf_init(&fake.certificate, 2048);
	der_put(&fake.certificate, DER_SEQUENCE, buf_bytes(&tbs));
	fake.objects = 1u << PRIVATE | 1u << CERTIFICATE;
	works();
	fake.certificate.len--;
	fails(ERR_SYNTAX, "syntax");
	fake.certificate.len = 0;
	fails(ERR_SYNTAX, "syntax");
}

/* What comes back from the token is not believed. */
static void
test_signatures(void **state)
{
	(void)state;
	fake.sign = CKR_DEVICE_ERROR;
	fails(ERR_IO, "io");
	fake.sign = CKR_OK;
	fake.other_key = true;
	fails(ERR_INTERNAL, "internal");
	fake.other_key = false;
	fake.cut = 1;
	fails(ERR_SYNTAX, "syntax");
	fake.cut = 64;
	fails(ERR_SYNTAX, "syntax");
	fake.cut = 2; /* the halves are others then */
	fails(ERR_INTERNAL, "internal");
	fake.cut = 0;
	fake.claimed_signature = SIGNATURE_MAX_LEN;
	fails(ERR_SYNTAX, "syntax");
	fake.claimed_signature = SIGNATURE_MAX_LEN + 2;
	fails(ERR_IO, "io");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_good),
	    TEST(test_module_name),
	    TEST(test_module_faults),
	    TEST(test_tokens),
	    TEST(test_login),
	    TEST(test_always_authenticate),
	    TEST(test_objects),
	    TEST(test_certificate),
	    TEST(test_signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
