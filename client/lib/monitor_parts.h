/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_MONITOR_PARTS_H
#define MTLOG_CLIENT_LIB_MONITOR_PARTS_H

#include "client/lib/monitor_watched.h"

/*
 * What the files of the monitor share; nobody else includes it.
 *
 * Each log is followed in a thread of its own, so that a slow one keeps nobody
 * else waiting. The caller's prints what they find, and one more runs the hook.
 * They meet in the journal, and in what is marked below: all of that is behind
 * `lock`.
 */

/* monitor_now: POSIX seconds. monitor_stops: the round is to end. */
uint64_t monitor_now(const struct monitor *m);
bool monitor_stops(const struct monitor *m);

/* monitor_lock and monitor_unlock: see above; not to be held while anything is
 * waited for but a disk. monitor_news wakes those who tell; with the lock held. */
void monitor_lock(struct monitor *m);
void monitor_unlock(struct monitor *m);
void monitor_news(struct monitor *m);

/* monitor_wait waits, with the lock held, for one of the two conditions; false:
 * `until`, of the monotonic clock in ns and 0 for never, has come. */
bool monitor_wait(struct monitor *m, pthread_cond_t *what, uint64_t until);

/* monitor_counts takes a code into another one: the smallest of 2x, else the
 * worse one. */
void monitor_counts(int *into, int code);

/* monitor_show is what the metrics say of a log from now on; with the lock held.
 */
void monitor_show(struct watched *w);

/* monitor_trouble tells a person, and takes the failure's code into the log's
 * (NULL: the round's). Clears `err`. What ends because all does is no trouble.
 */
void monitor_trouble(struct monitor *m, struct watched *w, struct error *err);

/* monitor_visit asks a log once and takes in what is new. False: it cannot go
 * on. */
bool monitor_visit(struct monitor *m, struct watched *w, struct error *err)
    MUST_USE;

/* monitor_tidy makes a long journal short. What an interrupted round found stays
 * known until it was seen again. */
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

/* monitor_tell writes what standard output takes without waiting. `*blocked`:
 * nobody reads. */
bool monitor_tell(struct monitor *m, bool *blocked, struct error *err) MUST_USE;

/*
 * monitor_hook runs the hook for the events that there are, and those that come,
 * until all ends or every log was visited for the last time. One that fails is
 * told of, and tried again in the next round.
 */
bool monitor_hook(struct monitor *m, struct error *err) MUST_USE;

/* monitor_feed and monitor_metrics write their files, if they are wanted. */
bool monitor_feed(struct monitor *m, struct error *err) MUST_USE;
bool monitor_metrics(struct monitor *m, struct error *err) MUST_USE;

#endif
