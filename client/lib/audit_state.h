/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_AUDIT_STATE_H
#define MTLOG_CLIENT_LIB_AUDIT_STATE_H

#include "core/tlog/checkpoint.h"
#include "core/tlog/frontier.h"

#define AUDIT_STATE_MAX (2 * NOTE_MAX_LEN + 65536)

/*
 * How far an audit came: the first `done.size` entries were walked under the
 * signed checkpoint in `note`, whose head is at least as large. `{0}`: not begun.
 *
 *	{"schema":"mtlog-audit-state/1","origin":"…","size":"48300",
 *	"root":"<hex>","frontier":["<hex>",…],"entries":true,
 *	"checkpoint":"<the signed note>"}
 *
 * `frontier` has a hash for each bit that is set in `size`, the lowest first.
 */
struct audit_state {
	struct frontier done;
	bool entries;	 /* their signatures, too */
	struct buf note; /* empty: not begun */
};

/*
 * audit_state_read reads the file at `path`; one that is not there is an audit
 * not begun. The root must be the frontier's, and the note signed by `log`.
 * ERR_IO for a file that is broken or of another log. Release.
 */
bool audit_state_read(const char *path, const struct vkey *log,
    struct audit_state *out, struct error *err) MUST_USE;
void audit_state_release(struct audit_state *s);

/* audit_state_write replaces the file, atomically and durably. ERR_CONFLICT
 * where the file has a larger tree by now: that one must not be forgotten. */
bool audit_state_write(const char *path, const struct vkey *log,
    const struct audit_state *s, struct error *err) MUST_USE;

/* audit_state_path: `word` itself, or if that is a folder the file in it that
 * belongs to the log: sha256 of the origin in hex. malloc'd; NULL: no memory. */
char *audit_state_path(
    const char *word, const struct vkey *log, struct error *err);

/* audit_log_folder is "<folder>/<sha256 of the origin in hex>", where what
 * belongs to one log is kept. malloc'd; NULL with `err`. */
char *audit_log_folder(
    const char *folder, const struct vkey *log, struct error *err);

#endif
