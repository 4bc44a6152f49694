/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_MONITOR_PARTS_H
#define MTLOG_CLIENT_LIB_MONITOR_PARTS_H

#include "client/lib/journal.h"
#include "client/lib/log_client.h"
#include "client/lib/monitor.h"
#include "client/lib/monitor_event.h"
#include "client/lib/tiles.h"

/* What the files of the monitor share; nobody else includes it. */

#define MONITOR_STATE_MAX (4u << 20) /* bytes of a state.json */

#define MONITOR_LATE_MAX   1024 /* entries that are asked for again */
#define MONITOR_LATE_ROUND 16	/* of them in one round */

/* An entry whose statement the log did not have. */
struct late {
	uint64_t index;
	size_t len;
	uint8_t digest[DIGEST_MAX_LEN];
};

/* A log that is followed, and what is remembered of it. */
struct watched {
	const struct monitor_log *log;
	char *folder;
	struct tile_fetch *fetch;
	struct tiles *tiles;
	struct log_client *client; /* for envelopes; NULL: not open */
	unsigned asked;		   /* what it was asked since */
	uint64_t until;		   /* others wait; monotonic, 0: nobody does */
	bool cut; /* they did: the rest of the entries comes next time */
	uint64_t seen_ns; /* as `seen`, or since the start, if that is later */
	/* From here on it is in state.json. */
	bool has_head;
	struct buf note; /* the newest verified checkpoint, */
	uint64_t size;	 /* what it says, */
	struct hash root;
	uint64_t seen;	  /* and when it was first seen, POSIX seconds */
	uint64_t next;	  /* entries below were read */
	uint64_t stalled; /* since when that was told; 0: it is not */
	struct buf ahead; /* a checkpoint others saw, larger than ours */
	uint64_t ahead_since;
	size_t late_count; /* by index */
	struct late late[MONITOR_LATE_MAX];
	/*
	 * Events up to this number are of entries below `next`. Until it is
	 * `settled`, later ones may be, from before a crash: their ids are
	 * still wanted.
	 */
	uint64_t journal;
	bool settled;
	bool dirty;	  /* state.json is older than this */
	bool advanced;	  /* and so is the checkpoint for others */
	size_t late_turn; /* whose turn it is */
	size_t late_seen; /* turns since the start */
	/* For the metrics. */
	uint64_t reached; /* when a round last went well */
	uint64_t failures;
	uint64_t events[MONITOR_KINDS];
	uint64_t opaque; /* entries whose statement could not be read */
};

struct monitor {
	struct monitor_options o;
	int lock;
	struct journal *journal;
	struct watch watch;
	struct hasher hasher;
	struct key_verifier *verifier;
	struct watched *logs;
	struct tile_fetch *compared[MONITOR_MAX_COMPARED]; /* of URLs */
	int code;	       /* of this round, so far */
	uint64_t feed_written; /* the newest event in it */
	bool feed_known;
	uint64_t hook_failures;
	bool hook_failed;   /* in this round */
	uint64_t opened_at; /* the newest event when it was opened */
};

/* monitor_now: POSIX seconds. monitor_stops: the round is to end. */
uint64_t monitor_now(const struct monitor *m);
bool monitor_stops(const struct monitor *m);

/* monitor_counts takes a code into that of the round, by monitor_worse. */
void monitor_counts(struct monitor *m, int code);

/* monitor_trouble tells a person, and takes the failure's code into the round's.
 * Clears `err`. */
void monitor_trouble(
    struct monitor *m, const struct watched *w, struct error *err);

/* monitor_tidy makes a long journal short, once states are durable. What an
 * interrupted round found stays known until it was seen again. */
bool monitor_tidy(struct monitor *m, struct error *err) MUST_USE;

/* --- monitor_state.c --- */

/* monitor_state_read makes a log's folder and reads what is remembered;
 * monitor_state_write makes it durable; monitor_state_release frees. */
bool monitor_state_read(struct monitor *m, struct watched *w, struct error *err)
    MUST_USE;
bool monitor_state_write(struct watched *w, struct error *err) MUST_USE;
void monitor_state_release(struct watched *w);

/* --- monitor_head.c --- */

/* monitor_head asks for the log's checkpoint and judges it. `*current`: there
 * is a head, and `tiles` stands on it. False only if our own files fail; what
 * else is wrong was told. */
bool monitor_head(struct monitor *m, struct watched *w, bool *current,
    struct error *err) MUST_USE;

/* monitor_judge holds a note of the same log against the head that `tiles`
 * stands on: a contradiction is written down as evidence (`*fork`). A note that
 * is larger than the head: `*larger`. */
bool monitor_judge(struct monitor *m, struct watched *w, struct bytes note,
    const char *from, bool *larger, struct error *err) MUST_USE;

/* --- monitor_compare.c --- */

bool monitor_compare(struct monitor *m, struct watched *w, struct error *err)
    MUST_USE;

/* --- monitor_entries.c --- */

/* monitor_entries reads the entries that are new, and those whose statement came
 * late. */
bool monitor_entries(struct monitor *m, struct watched *w, struct error *err)
    MUST_USE;

/* --- monitor_tell.c, monitor_files.c --- */

/* monitor_tell brings each sink up to date; a hook that fails is told of and
 * tried again in the next round. */
bool monitor_tell(struct monitor *m, struct error *err) MUST_USE;

/* monitor_feed and monitor_metrics write their files, if they are wanted. */
bool monitor_feed(struct monitor *m, struct error *err) MUST_USE;
bool monitor_metrics(struct monitor *m, struct error *err) MUST_USE;

#endif
