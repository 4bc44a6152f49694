/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/crypto/pkcs11_uri.h"
#include "tests/support/vector_file.h"

#define TEXT_MAX 16384

/* Every line of tests/vectors/pkcs11_uri/NAME.txt gets this verdict. */
static void
check_lines(const char *name, enum error_code code, size_t count)
{
	char path[VECTOR_PATH_MAX], inside[64];
	AUTO(buf) text = BUF_INIT(TEXT_MAX);
	struct reader lines;
	struct bytes line;
	size_t seen = 0;

	(void)snprintf(inside, sizeof(inside), "pkcs11_uri/%s.txt", name);
	assert_true(vector_read(vector_own(path, inside), &text));
	reader_init(&lines, buf_bytes(&text));
	for (; reader_line(&lines, &line); seen++) {
		struct error err = {0};
		struct pkcs11_uri u;
		bool ok = pkcs11_uri_parse(line, &u, &err);

		if (err.code != code || ok != (code == ERR_NONE))
			fail_msg("%.*s: %s", (int)line.len,
			    (const char *)line.ptr, err.text);
	}
	assert_int_equal(seen, count);
}

static void
test_vectors(void **state)
{
	(void)state;
	check_lines("good", ERR_NONE, 19);
	check_lines("bad", ERR_SYNTAX, 59);
	check_lines("denied", ERR_DENIED, 3);
}

static void
test_values(void **state)
{
	struct error err = {0};
	struct pkcs11_uri u;

	(void)state;
	assert_true(pkcs11_uri_parse(
	    BYTES_LIT("pkcs11:token=My%20token;manufacturer=M;serial=12;"
		      "model=v2;object=a%2Fb;id=%00%ffz;slot-id=7;type=private"
		      "?module-path=/usr/lib/m.so&module-name=soft-hsm_2&"
		      "pin-source=file:/run/p%20in"),
	    &u, &err));
	assert_true(bytes_equal(u.token, BYTES_LIT("My token")));
	assert_true(bytes_equal(u.manufacturer, BYTES_LIT("M")));
	assert_true(bytes_equal(u.serial, BYTES_LIT("12")));
	assert_true(bytes_equal(u.model, BYTES_LIT("v2")));
	assert_true(bytes_equal(u.object, BYTES_LIT("a/b")));
	assert_true(bytes_equal(u.id, BYTES_LIT("\x00\xffz")));
	assert_true(u.has_slot);
	assert_int_equal(u.slot, 7);
	assert_true(bytes_equal(u.module_path, BYTES_LIT("/usr/lib/m.so")));
	assert_true(bytes_equal(u.module_name, BYTES_LIT("soft-hsm_2")));
	assert_true(bytes_equal(u.pin_source, BYTES_LIT("/run/p in")));

	assert_true(pkcs11_uri_parse(BYTES_LIT("pkcs11:"), &u, &err));
	assert_int_equal(u.token.len, 0);
	assert_int_equal(u.id.len, 0);
	assert_int_equal(u.module_path.len, 0);
	assert_false(u.has_slot);
}

/* A PIN is not repeated in what is said about it. */
static void
test_pin_value(void **state)
{
	struct error err = {0};
	struct pkcs11_uri u;

	(void)state;
	assert_false(pkcs11_uri_parse(
	    BYTES_LIT("pkcs11:object=k?pin-value=82736455"), &u, &err));
	assert_string_equal(error_reason_name(&err), "pin-in-uri");
	assert_null(strstr(err.text, "82736455"));
}

static void
test_length(void **state)
{
	static uint8_t text[PKCS11_URI_MAX_LEN + 1];
	const struct bytes start = BYTES_LIT("pkcs11:object=k?module-path=/");
	struct error err = {0};
	struct pkcs11_uri u;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, start.ptr, start.len);
	assert_true(
	    pkcs11_uri_parse(bytes_of(text, start.len + 1023), &u, &err));
	assert_false(
	    pkcs11_uri_parse(bytes_of(text, start.len + 1024), &u, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	err = (struct error){0};
	assert_false(pkcs11_uri_parse(BYTES_OF(text), &u, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	/* The longest there may be, of one known attribute. */
	err = (struct error){0};
	assert_false(
	    pkcs11_uri_parse(bytes_of(text, PKCS11_URI_MAX_LEN), &u, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_pin_value),
	    cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
