/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_PKCS11_H
#define MTLOG_IO_PKCS11_H

#include "core/crypto/pkcs11_uri.h"
#include "core/crypto/signer.h"

#define PKCS11_PIN_MAX 256

/*
 * A private key that never leaves its token (a smart card, an HSM), reached
 * through the vendor's PKCS#11 module, which is loaded while the program runs
 * and is trusted like the program itself.
 */
struct pkcs11;

/*
 * Where the PIN comes from if the URI has no pin-source: `ask` appends it to
 * `pin` (limit PKCS11_PIN_MAX), for a token whose label is `token`, text for
 * people. It is asked at most once, only if the token wants a login and has no
 * keypad of its own. A NULL `ask` has nothing to give.
 */
struct pkcs11_pin {
	bool (*ask)(
	    void *arg, const char *token, struct buf *pin, struct error *err);
	void *arg;
};

/*
 * pkcs11_open loads the module, finds the one token and the one private key
 * that the URI fits, logs in, and finds the public half: a public key or
 * certificate with the same id. ECDSA on P-256, P-384 and P-521 and RSA of
 * 2048, 3072 and 4096 bits. `uri` and `pin` are not kept; the PIN is, until
 * close, if the key wants it for every signature. NULL on failure:
 *
 *	ERR_USAGE	no module named
 *	ERR_IO		the module cannot be loaded, or reports a failure
 *	ERR_NOTFOUND	no such token, private key or public half
 *	ERR_CONFLICT	more than one token or key fits: name it more closely
 *	ERR_DENIED	"pin-missing", "pin-wrong", "pin-locked"
 *	ERR_SYNTAX	a kind of key that signs no models
 *
 * One at a time in a process.
 */
struct pkcs11 *pkcs11_open(const struct pkcs11_uri *uri,
    const struct pkcs11_pin *pin, struct error *err) MUST_USE;
void pkcs11_close(struct pkcs11 *p);

/* pkcs11_signer makes a signer of the key, which borrows `p`. Not for several
 * threads at once. Release with signer_release before pkcs11_close. */
bool pkcs11_signer(struct pkcs11 *p, struct signer *out, struct error *err)
    MUST_USE;

#endif
