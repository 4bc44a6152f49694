/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SIGNER_H
#define MTLOG_SERVER_SIGNER_H

#include <sys/types.h>

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
	/* a copy holds a larger or another head than the guard, or is frozen
	 * when it is not: this machine was put back to an older state */
	SIGNER_GUARD_ROLLBACK,
	SIGNER_GUARD_COPY, /* a copy is missing or unreadable; the guard is not */
};

struct signer_hello {
	enum signer_guard guard;
	struct guard_state state; /* the guard's; all zero if MISSING or BAD */
	struct vkey vkey;	  /* the log's, from the key */
	char note_error[200];	  /* why the guard is not OK; else "" */
	char sandbox[100];	  /* what confines the signer, for status */
};

#define SIGNER_MAX_COPIES 8

struct signer_options {
	const char *key_path;	     /* PEM */
	const char *passphrase_path; /* NULL: key is not encrypted */
	const char *guard_path;
	const char *const *guard_copies; /* further guard files, NULL-ended */
	const char *origin;
	const struct vkey *vkey; /* the log's, in case the key is gone */
	unsigned lock_wait_ms;	 /* for an orphan of a killed server: 2000 */
};

/*
 * signer_start forks the signer, which locks and reads key and guard, writes
 * the guard once more (what it read might be in the page cache only), confines
 * itself, and says hello. Call before any thread. ERR_IO and ERR_DENIED name
 * the file; ERR_NOTFOUND: the key is missing; ERR_CONFLICT: another signer
 * holds a lock. A guard that is not OK is no error: the signer then
 * answers, but refuses every request (ERR_DENIED "log-latched"). The key of a
 * frozen log may have been destroyed: where `vkey` is given, a guard that is
 * frozen under it is served without.
 */
struct signer *signer_start(const struct signer_options *options,
    struct signer_hello *hello, struct error *err) MUST_USE;

/* signer_close closes the socket, at which the process ends, and waits for it
 * up to ten seconds (NULL-safe). */
void signer_close(struct signer *s);

/*
 * signer_init makes the guard and its copies for a new log, in a process that
 * ends with it: reads the key, signs the empty tree's head, creates the files.
 * None is left if one fails. ERR_CONFLICT: one exists, or a lock is held.
 */
bool signer_init(const struct signer_options *options, uint64_t store_identity,
    struct vkey *vkey, struct error *err) MUST_USE;

/*
 * signer_sign asks for a signature over a head of `size` and `root`; `proof` is
 * the consistency proof from the last signed head (empty when equal, or when
 * that was size 0). `store_identity` is written into the guard. Appends the
 * signed note. The same head again gives the same bytes, and writes nothing.
 * One thread at a time; waits ten seconds at most.
 * ERR_BADSIG: the signer refuses (proof wrong, size smaller, roots differ);
 * ERR_DENIED reason "log-frozen" or "log-latched"; ERR_IO reason "guard-io":
 * the guard could not be written and the signer has ended; ERR_UNAVAILABLE
 * reason "signer-down": it is dead or hangs, and stays unavailable.
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

/* signer_pid is the process, for `status` and the log; -1 once it was reaped.
 */
pid_t signer_pid(const struct signer *s);

#endif
