/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_BOOK_H
#define MTLOG_CLIENT_LIB_SCAN_BOOK_H

#include "core/base/json.h"
#include "core/model/statement.h"
#include "core/policy/policy.h"
#include "core/tlog/frontier.h"

#define SCAN_BOOK_MAX  (64u << 20) /* bytes of JSON */
#define SCAN_FOUND_MAX 100000	   /* entries of the watched signers */

/*
 * What scans of one log have found so far, in the state folder
 * (DIR/scan-<16 digits>.json, of the SHA-256 of the origin), replaced
 * atomically. Who keeps the folder believes it.
 *
 *	{"schema":"mtlog-scan/1","origin":"log.example","watched":["<hex>"],
 *	"pin":{"size":"9","root":"<hex>","checkpoint":"<note>"},
 *	"head":{…,"time":"1795600000"},
 *	"scanned":{"size":"9","frontier":["<hex>",…]},
 *	"found":{"<digest> <SHA-256 of the verifier>":{"index":"7",
 *	"digest":"<hex>","key":"<hex>","by":["<credential>"],"kind":"model",
 *	"statement":"<S>","name":"acme/r50"},…}}
 *
 * `pin` is the newest head that was believed, `head` the one up to which every
 * leaf was scanned, `scanned` the frontier of where a scan stands. A leaf whose
 * envelope the log does not give has "missing" (why) in place of "kind"; so has
 * one that may be another's ("undecided").
 */
struct scan_book {
	char *path;
	json_t *root;
	json_t *found; /* of `root` */
};

/* A head in the book. The note borrows from the book. */
struct scan_head {
	bool there;
	uint64_t size;
	struct hash root;
	struct bytes note;
	bool dated; /* its quorum says how fresh it is: */
	uint64_t time;
};

/* One leaf of a watched signer. Borrows from the book. */
struct scan_found {
	uint64_t index;
	struct bytes digest;   /* hex, of what was signed */
	struct hash key;       /* SHA-256 of the SPKI */
	const json_t *by;      /* hex: the credentials that it is */
	struct bytes missing;  /* why there is no envelope; empty: there is */
	struct bytes kind;     /* scan_kind_word; empty: missing */
	struct hash statement; /* S */
	struct bytes name;     /* models, approvals */
	const json_t *about;   /* hex: its subjects; NULL: not kept */
	struct bytes leaf;     /* base64; missing ones, and what refuses */
	struct bytes bundle;   /* what refuses: the evidence itself */
	bool proven;	       /* with its entry in it */
};

/* scan_book_open reads the book of a log; one that is not there is empty.
 * ERR_IO, also for a broken file. */
struct scan_book *scan_book_open(
    const char *dir, struct bytes origin, struct error *err) MUST_USE;
void scan_book_close(struct scan_book *b);

/* scan_book_write makes it durable. ERR_LIMIT beyond SCAN_BOOK_MAX. */
bool scan_book_write(struct scan_book *b, struct error *err) MUST_USE;

/* scan_book_broken is the error of a file that says what none of ours does. */
bool scan_book_broken(const struct scan_book *b, struct error *err);

/* scan_book_restart forgets what was found, and never the pin. */
bool scan_book_restart(struct scan_book *b, struct error *err) MUST_USE;

/* `name` is "pin" or "head". */
bool scan_book_head(const struct scan_book *b, const char *name,
    struct scan_head *out, struct error *err) MUST_USE;
bool scan_book_put_head(struct scan_book *b, const char *name,
    const struct scan_head *head, struct error *err) MUST_USE;

bool scan_book_frontier(const struct scan_book *b, struct frontier *out,
    struct error *err) MUST_USE;
bool scan_book_put_frontier(
    struct scan_book *b, const struct frontier *f, struct error *err) MUST_USE;

/* scan_found_read reads a value of `found`. ERR_IO if it is none. */
bool scan_found_read(const struct scan_book *b, const json_t *value,
    struct scan_found *out, struct error *err) MUST_USE;

/* scan_kind_word: "model", "approval" …; "other" for a kind that we do not
 * know or use. */
const char *scan_kind_word(enum statement_kind kind);
bool scan_is_kind(const struct scan_found *f, enum statement_kind kind);

/* scan_credential_id names a credential whatever party or line it has: what it
 * takes to be it. Books of one policy serve others with these credentials. */
void scan_credential_id(struct hasher *h, const struct policy *p,
    const struct policy_credential *c, struct hash *out);

/* scan_book_watches tells whether the scan looked for all of a policy's
 * credentials; scan_book_watch makes them what it looks for. */
bool scan_book_watches(const struct scan_book *b, const struct policy *p,
    bool *out, struct error *err) MUST_USE;
bool scan_book_watch(
    struct scan_book *b, const struct policy *p, struct error *err) MUST_USE;

/* JSON of the book's kind: hex in strings; NULL when memory ran out. */
json_t *scan_hex(struct bytes raw);
bool scan_list_has(const json_t *list, const struct hash *h);

#endif
