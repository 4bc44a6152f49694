/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SIGNER_H
#define MTLOG_SERVER_SIGNER_H

#include "core/tlog/checkpoint.h"
#include "core/tlog/proof.h"
#include "server/guard.h"

/*
 * The private key lives in a process of its own, forked before the server has
 * threads, a database or a socket. It reads no network and no file but key and
 * guard, verifies a consistency proof from *its own* last head, makes the
 * guard durable, and only then lets a signature out. It ends at end of file on
 * its socket, and may not be traced.
 */
struct signer;

/* What the signer found at its start. */
enum signer_guard {
	SIGNER_GUARD_OK,
	SIGNER_GUARD_MISSING,
	SIGNER_GUARD_BAD,     /* both slots unreadable */
	SIGNER_GUARD_FOREIGN, /* another origin or key */
};

struct signer_hello {
	enum signer_guard guard;
	struct guard_state state; /* valid with SIGNER_GUARD_OK */
	struct vkey vkey;	  /* the log's, from the key */
	char note_error[200];	  /* why the guard is not OK; else "" */
	char sandbox[100];	  /* what confines the signer, for status */
};

struct signer_options {
	const char *key_path;	     /* PEM */
	const char *passphrase_path; /* NULL: key is not encrypted */
	const char *guard_path;
	const char *const *guard_copies; /* further guard files, NULL-ended */
	const char *origin;
	unsigned lock_wait_ms; /* for an orphan of a killed server: 2000 */
};

/*
 * signer_start forks the signer, which locks and reads key and guard, confines
 * itself, and says hello. Call before any thread. ERR_IO and ERR_DENIED name
 * the file; ERR_CONFLICT: another signer holds the lock.
 */
struct signer *signer_start(const struct signer_options *options,
    struct signer_hello *hello, struct error *err) MUST_USE;

/* signer_close closes the socket and waits for the process (NULL-safe). */
void signer_close(struct signer *s);

/*
 * signer_sign asks for a signature over a head of `size` and `root`; `proof` is
 * the consistency proof from the last signed head (empty when equal, or when
 * that was size 0). `store_identity` is written into the guard. Appends the
 * signed note. The same head again gives the same bytes.
 * ERR_BADSIG: the signer refuses (proof wrong, size smaller, roots differ);
 * ERR_DENIED reason "log-frozen"; ERR_UNAVAILABLE reason "signer-down".
 * Anything but success means: nothing new was signed.
 */
bool signer_sign(struct signer *s, uint64_t size, const struct hash *root,
    const struct proof *proof, uint64_t store_identity, struct buf *note,
    struct error *err) MUST_USE;

/* signer_freeze sets the frozen flag in the guard: that signer never signs a
 * new head again (the same head is still answered with its stored note). */
bool signer_freeze(struct signer *s, struct error *err) MUST_USE;

/* signer_fd polls readable (end of file) when the signer has died. */
int signer_fd(const struct signer *s);

#endif
