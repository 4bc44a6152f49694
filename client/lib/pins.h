/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_PINS_H
#define MTLOG_CLIENT_LIB_PINS_H

#include "client/lib/log_client.h"
#include "core/tlog/checkpoint.h"

#define PINS_FILE    "pins.json"
#define PINS_MAX     256	 /* logs */
#define PINS_MAX_LEN (16u << 20) /* bytes of JSON */

/*
 * The logs that somebody chose to trust, and of each the newest checkpoint that
 * was seen and verified. One file, replaced atomically; a lock (FILE.lock) is
 * held while it changes, never while a log is asked.
 *
 *	{"schema":"mtlog-pins/1","logs":[{"vkey":"…","url":"…","checkpoint":
 *	"<signed note>","trusted":"1764000000","seen":"1764000300",
 *	"witnessed":true}]}
 *
 * Times are POSIX seconds. Size and root are the note's, whose signature is
 * verified whenever the file is read. One key to an origin.
 */
struct pin {
	struct vkey key; /* its name is the origin */
	char *url;
	char *note; /* the newest verified checkpoint */
	uint64_t size;
	struct hash root;
	uint64_t trusted; /* when it was pinned */
	uint64_t seen;	  /* when the note was first seen */
	/* It once showed a checkpoint with what looks like a cosignature; that
	 * it has no witnesses is from then on not taken from it without asking.
	 */
	bool witnessed;
};

struct pins {
	size_t count;
	struct pin *list;
};

/* pins_read reads the file at `path`; one that is not there holds none. ERR_IO,
 * also for a broken one; ERR_DENIED; ERR_INTERNAL. Release. */
bool pins_read(const char *path, struct pins *out, struct error *err) MUST_USE;
void pins_release(struct pins *p);

/* pins_find is the log of this origin or URL, or NULL; pins_find_origin that of
 * this origin. */
const struct pin *pins_find(const struct pins *p, const char *word);
const struct pin *pins_find_origin(const struct pins *p, struct bytes origin);

/* pins_cosigned tells whether a note of this log has a line that a witness may
 * have written. Whose it is, and whether it verifies, is not known. */
bool pins_cosigned(const struct note *n, const struct vkey *log);

/* pins_same_key is ERR_DENIED "unknown-log" unless the log is pinned with this
 * key. */
bool pins_same_key(
    const struct pin *p, const struct vkey *key, struct error *err) MUST_USE;

/*
 * Where a checkpoint came from, and how to ask there how two trees connect:
 * mtlogd says it in one answer, and any log has the tiles, which are asked where
 * that answer is none or does not hold.
 */
struct pins_contact {
	const char *path;	/* of the pins */
	const struct vkey *key; /* of the log that was asked */
	bool (*connection)(void *arg, uint64_t old_size, uint64_t new_size,
	    struct log_connection *out, struct error *err);
	void *arg;
	struct tile_source tiles;
};

/* What a checkpoint is to the pin. */
enum pins_sight {
	PINS_NOT_PINNED = 0,
	PINS_SAME,
	PINS_LARGER, /* it is the pin now */
	PINS_OLDER,  /* a prefix of the pin, which stays */
};

/*
 * pins_trust pins a log whose `note` was fetched from `url`: with a new pin
 * `*out` is PINS_NOT_PINNED, else the old pin is checked as in pins_saw and
 * then gets this URL. ERR_DENIED "unknown-log" if the origin is pinned with
 * another key, or the URL with another log.
 */
bool pins_trust(const struct pins_contact *c, const char *url,
    struct bytes note, enum pins_sight *out, struct error *err) MUST_USE;

/* pins_forget drops the pin of this origin or URL. ERR_USAGE: there is none. */
bool pins_forget(const char *path, const char *word, struct error *err)
    MUST_USE;

/*
 * pins_saw judges a checkpoint that a log shows: its signature by the pinned
 * key, then a larger one by a consistency proof from the pin to it, an equal
 * one by its root, a smaller one by a proof from it to the pin. Where the log
 * gives no proof that holds, its tiles decide (history.h). A larger one becomes
 * the pin before this returns; a log that is not pinned is none of our business.
 * Whatever fails leaves the pin as it was:
 *
 *	ERR_BADSIG "inconsistent"   a fork, of which evidence that stands alone
 *	                            is written beside the pins (fork.h); or a
 *	                            smaller tree, and of the pinned one the log
 *	                            has (404) neither a proof nor tiles: it went
 *	                            back
 *	ERR_BADSIG, ERR_SYNTAX      "tile": neither the proof nor the tiles hash
 *	                            to what the log signed; whose fault it is
 *	                            cannot be told, and nobody is accused
 *	ERR_BADSIG "log-signature"  not signed by the pinned key
 *	ERR_DENIED "unknown-log"    the origin is pinned with another key
 *	ERR_UNAVAILABLE             "locked", and what the contact says
 */
bool pins_saw(const struct pins_contact *c, struct bytes note,
    enum pins_sight *out, struct error *err) MUST_USE;

#endif
