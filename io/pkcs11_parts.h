/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_PKCS11_PARTS_H
#define MTLOG_IO_PKCS11_PARTS_H

#define CRYPTOKI_GNU 1 /* the header's lower-case names */
#include <p11-kit/pkcs11.h>

#include "io/pkcs11.h"

/* What the files pkcs11*.c share, and no one else has. */
struct pkcs11 {
	void *module; /* of dlopen */
	const struct ck_function_list *f;
	bool initialized; /* by us, so by us to end */
	bool opened;
	ck_session_handle_t session;
	struct buf pin; /* wiped at close */
	bool keypad;	/* the token asks for the PIN itself */
	ck_object_handle_t key;
	bool rsa;
	bool always_authenticate; /* a login for every signature */
	struct buf spki;
	enum key_algorithm algorithm;
};

/* The longest attribute that is read: a certificate. */
#define PKCS11_VALUE_MAX CERTIFICATE_MAX_LEN

/* pkcs11_failed is ERR_IO with the module's own code, or, for those about the
 * PIN, ERR_DENIED. */
bool pkcs11_failed(struct error *err, const char *doing, ck_rv_t rv);

/* pkcs11_login gives the PIN to the session, as `user` CKU_USER or
 * CKU_CONTEXT_SPECIFIC. */
bool pkcs11_login(struct pkcs11 *p, ck_user_type_t user, struct error *err);

/* pkcs11_find_key finds the private key and its public half. */
bool pkcs11_find_key(
    struct pkcs11 *p, const struct pkcs11_uri *uri, struct error *err);

#endif
