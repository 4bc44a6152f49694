/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_GUARD_H
#define MTLOG_SERVER_GUARD_H

#include "core/base/buf.h"
#include "core/crypto/hash.h"
#include "core/tlog/note.h"

/*
 * The guard: the signer's own memory of the last head it signed, in a folder
 * of its own. Two preallocated slots of 4 KiB; the older is overwritten in
 * place and made durable (fdatasync) before a signature leaves. Layout in
 * schema/PROTOCOL.guard.
 */
#define GUARD_SLOT_LEN 4096
#define GUARD_FILE_LEN (2 * GUARD_SLOT_LEN)
#define GUARD_NOTE_MAX 3072

/* What a slot says. */
struct guard_state {
	uint64_t generation; /* counts writes; the larger slot counts */
	char origin[NOTE_NAME_MAX + 1];
	struct hash log_id;	 /* of the key: vkey.log_id */
	uint64_t store_identity; /* inode of the database */
	bool frozen;
	size_t note_len;
	uint8_t note[GUARD_NOTE_MAX]; /* the signed checkpoint, whole note */
};

/* guard_encode / guard_decode: one slot. Decoding is strict: magic, version,
 * checksum (SHA-256 over the rest), lengths, zero padding. ERR_SYNTAX. */
bool guard_encode(struct hasher *h, const struct guard_state *s,
    uint8_t slot[GUARD_SLOT_LEN], struct error *err) MUST_USE;
bool guard_decode(struct hasher *h, const uint8_t slot[GUARD_SLOT_LEN],
    struct guard_state *out, struct error *err) MUST_USE;

struct guard;

/*
 * guard_create makes the guard file `path` (0600) with both slots, durable with
 * its folder. ERR_CONFLICT if it exists. Only `init` (and restore) call it.
 */
bool guard_create(const char *path, const struct guard_state *first,
    struct error *err) MUST_USE;

/*
 * guard_open opens it, takes flock (waiting up to `wait_ms` for an orphaned
 * holder) and reads the newer valid slot into `*state`, from the disk rather
 * than from the page cache as far as the kernel lets it.
 * ERR_NOTFOUND missing, ERR_SYNTAX both slots bad, ERR_CONFLICT locked, ERR_IO.
 */
struct guard *guard_open(const char *path, unsigned wait_ms,
    struct guard_state *state, struct error *err) MUST_USE;
void guard_close(struct guard *g);

/*
 * guard_write stores `next` (its generation is set by guard_write) in the older
 * slot and makes it durable. After any failure the guard is latched: every
 * later write fails.
 */
bool guard_write(struct guard *g, struct guard_state *next, struct error *err)
    MUST_USE;

/*
 * guard_read looks at the guard without a lock and changes nothing: for
 * `status` and `fsck` beside a running server. What it saw may be one write
 * old, and may not be durable yet. Errors as guard_open, never ERR_CONFLICT.
 */
bool guard_read(const char *path, struct guard_state *state, struct error *err)
    MUST_USE;

/*
 * guard_lock takes an exclusive flock on `fd` (of a guard or a key), trying for
 * `wait_ms`: a killed server's signer needs a moment to notice. ERR_CONFLICT
 * names `path`.
 */
bool guard_lock(int fd, const char *path, unsigned wait_ms, struct error *err)
    MUST_USE;

#endif
