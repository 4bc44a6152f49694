/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SIGNER_KEY_H
#define MTLOG_SERVER_SIGNER_KEY_H

#include "server/signer.h"

/*
 * The log's private key in the signer process, and the descriptor whose lock
 * keeps a second signer off the same key file.
 */
struct signer_key {
	struct private_key *private;
	int lock_fd;
};

/*
 * signer_key_open locks and reads the key file, with the passphrase from its
 * file if there is one, and fills the log's vkey. A key file or passphrase
 * file that everyone may read is ERR_DENIED.
 */
bool signer_key_open(struct signer_key *k, const struct signer_options *options,
    struct vkey *vkey, struct error *err) MUST_USE;
void signer_key_release(struct signer_key *k);

#endif
