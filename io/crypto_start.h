/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_CRYPTO_START_H
#define MTLOG_IO_CRYPTO_START_H

/*
 * crypto_start_short prepares OpenSSL for a program that verifies something and
 * ends, where its own start takes longer than the work. Its configuration
 * (openssl.cnf, OPENSSL_CONF) is not read: that names modules to load, and a
 * verifier runs no code that an environment variable names. Of the old tables
 * of algorithms by name only the digests of certificates and time-stamps are
 * filled, its sentences for errors are not loaded (ours say what failed), and
 * nothing is torn down at the end. Call once, before all else of
 * core/crypto; it cannot be taken back. Not for a library, which is not alone;
 * nor before TLS or encrypted keys, which want the rest.
 */
void crypto_start_short(void);

#endif
