/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_PINNED_H
#define MTLOG_CLIENT_CLI_PINNED_H

#include "client/cli/cli.h"
#include "client/lib/log_client.h"
#include "client/lib/pins.h"
#include "client/lib/tiles.h"
#include "core/policy/policy.h"

/* The option of verbs that meet a log, for their tables. */
#define CLI_PINS_OPTION                                                        \
	{                                                                      \
		"--pins", "FILE|DIR",                                          \
		    "the logs that are pinned; else the user's own", false     \
	}

/* The options of verbs that read a log. */
#define CLI_READ_OPTIONS                                                       \
	{"--log", "URL",                                                       \
	    "the log's address, or a pinned one's origin; else "               \
	    "the only one that is pinned",                                     \
	    false},                                                            \
	    {"--vkey", "VKEY",                                                 \
		"the key of a log that is not pinned, or a file with it",      \
		false},                                                        \
	    CLI_PINS_OPTION,                                                   \
	    {"--policy", "FILE",                                               \
		"whose witnesses must have cosigned the checkpoint", false},   \
	{                                                                      \
		"--timeout", "MS", "for all that goes over the network", false \
	}

/*
 * cli_pins_path is where the pins are: --pins (for a folder PINS_FILE in it),
 * else PINS_FILE in the user's state folder; malloc'd. `*out` is NULL without
 * either. ERR_INTERNAL.
 */
bool cli_pins_path(const struct cli_args *a, char **out, struct error *err)
    MUST_USE;

/* cli_state_folder is $XDG_STATE_HOME/mtlog, else ~/.local/state/mtlog;
 * malloc'd, NULL: neither is known. cli_make_folders makes it and its parents,
 * for the user alone. */
char *cli_state_folder(void);
bool cli_make_folders(const char *path, struct error *err) MUST_USE;

/* cli_pinned_note appends the checkpoint that is pinned of a log, if it is.
 * ERR_DENIED "unknown-log" where its origin is pinned with another key; errors
 * of cli_pins_path and pins_read. */
bool cli_pinned_note(const struct cli_args *a, const struct vkey *log,
    struct buf *note, struct error *err) MUST_USE;

/* A log that is read. `{0}` is closed. */
struct cli_reading {
	struct log_client *client;
	struct tile_fetch *fetch; /* by the client, and so */
	struct tiles *tiles;	  /* in its time */
	struct vkey key;
	char *pins; /* the file; NULL: nothing is kept anywhere */
	bool pinned;
	struct policy *policy; /* NULL: no witness is asked for */
};

/*
 * cli_reading_open reads CLI_READ_OPTIONS. A log that is neither pinned nor
 * named with its key is ERR_USAGE: nothing that it says could be verified.
 */
bool cli_reading_open(const struct cli_args *a, struct cli_reading *out,
    struct error *err) MUST_USE;
void cli_reading_close(struct cli_reading *r);

/* cli_reading_connect is the part of cli_reading_open that opens client and
 * tiles of the log at `url`. */
bool cli_reading_connect(const struct cli_args *a, const char *url,
    struct cli_reading *r, struct error *err) MUST_USE;

/* A checkpoint as the log shows it. Release. */
struct cli_head {
	struct buf text; /* the signed note */
	struct note note;
	struct checkpoint now;
	enum pins_sight sight;
	bool judged; /* with --policy: what the witnesses say follows */
	struct quorum_result *quorum;
};

/*
 * cli_head_read asks for the checkpoint: signed by the log, consistent with the
 * pin, which it may become, and then cosigned as --policy wants it (`*out` is
 * whole even where that alone fails: `judged`). ERR_* of pins_saw,
 * quorum_verify and tile_fetch_checkpoint.
 */
bool cli_head_read(const struct cli_reading *r, struct cli_head *out,
    struct error *err) MUST_USE;
void cli_head_release(struct cli_head *h);

/* cli_saw is pins_saw for a log that answered something else than a
 * checkpoint, with a checkpoint in it. Nothing if `pins` is NULL. */
bool cli_saw(const char *pins, const struct vkey *key,
    struct log_client *client, struct bytes note, struct error *err) MUST_USE;

/* cli_sight_name is what a checkpoint was to the pin: "same", "larger" … */
const char *cli_sight_name(enum pins_sight s);

/* cli_timeout reads --timeout. ERR_USAGE. */
bool cli_timeout(const struct cli_args *a, unsigned *out, struct error *err)
    MUST_USE;

/* cli_contact asks `client` what the pins at `path` need to know. */
struct pins_contact cli_contact(
    const char *path, const struct vkey *key, struct log_client *client);

#endif
