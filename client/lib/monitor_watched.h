/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_MONITOR_WATCHED_H
#define MTLOG_CLIENT_LIB_MONITOR_WATCHED_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/lib/journal.h"
#include "client/lib/monitor.h"
#include "client/lib/monitor_event.h"
#include "client/lib/monitor_statements.h"
#include "client/lib/tiles.h"

/* What a monitor and the logs that it follows are made of: see
 * monitor_parts.h. */

#define MONITOR_STATE_MAX (4u << 20) /* bytes of a state.json */

#define MONITOR_LINES 64 /* told at once: each time costs a sync */

#define MONITOR_LATE_MAX   1024 /* entries that are asked for again */
#define MONITOR_LATE_ROUND MONITOR_AT_ONCE /* of them in one round */

/* An entry whose statement the log did not have. */
struct late {
	uint64_t index;
	size_t len;
	uint8_t digest[DIGEST_MAX_LEN];
};

/* What the metrics say of a log. */
struct watched_numbers {
	uint64_t size, next, seen, stalled;
	uint64_t reached; /* when a round last went well */
	uint64_t failures;
	uint64_t opaque; /* entries whose statement could not be read */
};

/* A log that is followed, and what is remembered of it: its thread's, unless it
 * says otherwise. */
struct watched {
	struct monitor *m;
	pthread_t thread;
	const struct monitor_log *log;
	struct watch watch;
	struct hasher hasher;
	struct key_verifier *verifier;
	char *folder;
	struct tile_fetch *fetch;
	struct tiles *tiles;
	struct statements *statements;
	struct tile_fetch *compared[MONITOR_MAX_COMPARED]; /* of URLs */
	int code;	  /* of this visit, so far */
	uint64_t until;	  /* when it makes room for the next one, monotonic ns;
			   0: once all is read */
	bool cut;	  /* it did, and the rest waits */
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
	uint64_t reached, failures, opaque; /* see watched_numbers */
	/* Behind `lock`, as are `journal` and `settled` where they change. */
	bool visited;	 /* now */
	uint64_t synced; /* events up to this one are of what state.json says */
	uint64_t events[MONITOR_KINDS];
	struct watched_numbers shown;
};

struct monitor {
	struct monitor_options o;
	int folder_lock;
	struct watched *logs;
	struct hasher hasher;  /* of the thread that tells */
	struct buf lines;      /* that are being written, */
	size_t written;	       /* as far as this, */
	uint64_t lines_last;   /* the event they end with, */
	bool lines_entries;    /* and whether there is an entry among them */
	uint64_t feed_written; /* the newest event in it */
	bool feed_known;
	uint64_t opened_at; /* the newest event when it was opened */
	uint64_t pause_ns;  /* between two visits; 0: one visit each */
	atomic_bool ending;
	pthread_mutex_t lock;
	pthread_cond_t news;  /* for who tells: there may be more */
	pthread_cond_t moved; /* for all others: it told something, or ends */
	/* Behind `lock`. */
	struct journal *journal;
	pthread_t hook;
	bool hooking;	      /* that thread runs */
	unsigned running;     /* threads */
	bool news_known;      /* since it was last looked at */
	int code;	      /* of this round, so far */
	struct error failure; /* of our own files: it cannot go on */
	uint64_t hook_failures;
	bool hook_failed; /* in this round */
};

#endif
