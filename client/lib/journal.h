/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_JOURNAL_H
#define MTLOG_CLIENT_LIB_JOURNAL_H

#include "core/base/buf.h"
#include "core/crypto/hash.h"

#define JOURNAL_EVENT_MAX (64u * 1024) /* bytes of an event's JSON */
#define JOURNAL_KEPT	  100	       /* newest events, for the feed */
#define JOURNAL_PENDING	  10000	       /* it is full */
#define JOURNAL_ROOM	  1000	       /* `kept` ones; more are not taken in */
#define JOURNAL_COMPACT	  (1u << 20)   /* bytes from which it is worth it */

/*
 * What a monitor found and whom it told, so that no event is lost, and none is
 * told twice without saying so, whenever the program dies. One file, which only
 * grows, of lines that end in a newline and begin with the first 8 hex digits
 * of the SHA-256 of what follows them:
 *
 *	<check> mtlog-journal/1
 *	<check> open <sinks>			as bits
 *	<check> event <seq> <kept> <id> <json>	kept: 1 or 0
 *	<check> begin <sink> <seq>
 *	<check> done <sink> <seq>
 *
 * A last line that is cut or wrong was being written when the program or the
 * machine died: it is taken away. Elsewhere it is a broken file (ERR_IO), never
 * a lost event.
 *
 * An event is told to each sink that was open when it came. `begin` is durable
 * before it is told, `done` follows; an event that was begun and not done may
 * have been told, and is told again, marked as `repeated`.
 *
 * After an error of the operating system a journal takes nothing more.
 */
enum journal_sink { JOURNAL_OUTPUT = 0, JOURNAL_HOOK, JOURNAL_SINKS };

struct journal;

struct journal_event {
	uint64_t seq;
	struct hash id;
	struct bytes json; /* until something is added */
	bool kept;
	bool repeated;
};

/* journal_open: `sinks` are those of this run, as bits; one that was open before
 * and is not now is told nothing of what it has missed. ERR_IO, also for a
 * broken file; ERR_INTERNAL. */
struct journal *journal_open(
    const char *path, unsigned sinks, struct error *err) MUST_USE;
void journal_close(struct journal *j);

/*
 * journal_add takes an event in; not if its id is there already. Durable with
 * journal_sync. `kept` ones are remembered for good (the newest thousand), so
 * that they are not told again; others until journal_compact. ERR_LIMIT: it is
 * too long, or kept, and JOURNAL_ROOM such were not told yet.
 */
bool journal_add(struct journal *j, const struct hash *id, struct bytes json,
    bool kept, struct error *err) MUST_USE;
bool journal_sync(struct journal *j, struct error *err) MUST_USE;

/* journal_next is the first event that a sink was not told, or the one that is
 * `skip` behind it; false: none. */
bool journal_next(struct journal *j, enum journal_sink sink, size_t skip,
    struct journal_event *out);

/* journal_begin: all up to `seq` are about to be told. journal_done: they were.
 */
bool journal_begin(struct journal *j, enum journal_sink sink, uint64_t seq,
    struct error *err) MUST_USE;
bool journal_done(struct journal *j, enum journal_sink sink, uint64_t seq,
    struct error *err) MUST_USE;

/* journal_at gives the event that is `back` before the newest; false: none. */
bool journal_at(struct journal *j, size_t back, struct journal_event *out);

/* journal_last is the newest event's number, 0 if there was none;
 * journal_pending, how many a sink is behind. */
uint64_t journal_last(const struct journal *j);
uint64_t journal_pending(const struct journal *j, enum journal_sink sink);

/* journal_full: JOURNAL_PENDING or more wait to be told to one of the sinks.
 * What can be found again later is better not added; what a log does wrong has
 * room of its own. */
bool journal_full(const struct journal *j);

/*
 * journal_compact rewrites a long file without what is not needed. From then on
 * the ids of those may come again as new ones, so it is for when the monitor's
 * own state is durable. Those of `stay` do in any case: numbers in (after,
 * up_to], and above `above`.
 */
struct journal_stay {
	uint64_t after, up_to, above;
};

bool journal_compact(struct journal *j, const struct journal_stay *stay,
    struct error *err) MUST_USE;

#endif
