/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_CRYPTO_PKCS11_URI_H
#define MTLOG_CORE_CRYPTO_PKCS11_URI_H

#include "core/base/bytes.h"
#include "core/base/error.h"

#define PKCS11_URI_MAX_LEN 2048

/*
 * A PKCS#11 URI (RFC 7512) as it names one private key and how to get at it:
 *
 *	pkcs11:token=release;object=model%20key;id=%01?module-path=/usr/lib/
 *	    softhsm/libsofthsm2.so&pin-source=file:/run/keys/pin
 *
 * Before the question mark what token and key must match; behind it the module
 * to load and where the PIN is. An attribute that is not there is empty.
 */
struct pkcs11_uri {
	struct bytes token, manufacturer, serial, model; /* of the token */
	struct bytes object;				 /* the key's label */
	struct bytes id;				 /* raw bytes */
	struct bytes module_path;			 /* absolute */
	struct bytes module_name; /* a file's name without folder or ending */
	struct bytes pin_source;  /* absolute path of a file */
	bool has_slot;
	uint64_t slot;
	uint8_t store[PKCS11_URI_MAX_LEN]; /* what the views borrow from */
};

/*
 * pkcs11_uri_parse reads such a URI. `out` borrows from itself: it stays where
 * it is, and needs no release. Refused (ERR_SYNTAX): attributes that are
 * unknown, empty or there twice, longer than the field of a token that they
 * match, text that is not UTF-8 or has control characters, an object that is no
 * private key, a pin-source that is no file. ERR_DENIED for pin-value, since a
 * command line is no place for a secret. ERR_LIMIT.
 */
bool pkcs11_uri_parse(
    struct bytes text, struct pkcs11_uri *out, struct error *err) MUST_USE;

#endif
