/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exhaustive search through a small world of one log and three witnesses, of
 * everything that may happen in it in any order: commits, signatures,
 * cosignatures, crashes between any two steps, an fsync that fails, a database
 * or a whole machine that comes back from a backup, a stolen log key, witnesses
 * that lie. It looks for two heads that contradict each other and that clients
 * accept, for a signature that contradicts what was acknowledged, and for a log
 * that stops for good although nothing came back from a backup. Under the rules
 * of log and witness there is none of it; and with each rule left out there is,
 * or the search would show nothing.
 *
 * Histories are strings of at most DEPTH entries that are each one of two: node
 * 0 is the empty one, those with one entry more than node h are 2h+1 and 2h+2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEPTH	  2
#define HEADS	  ((1u << (DEPTH + 1)) - 1)
#define NO_HEAD	  7u
#define WITNESSES 3
#define STATES	  (1u << 20)

enum mode { MODE_OFF, MODE_OPEN, MODE_REQUIRED };

enum finding { HOLDS, FORKS, CONTRADICTS, DIES };

/* What a run leaves out, or brings in. */
struct rules {
	const char *name;
	enum mode mode;
	unsigned quorum; /* k of the three */
	unsigned liars;	 /* of them cosign whatever the log signed */
	bool stolen;	 /* somebody signs what he likes with the log's key */
	bool database_back; /* the database may come back from a backup, */
	bool machine_back;  /* or all of the machine */
	bool guard_late; /* the signature leaves before the guard is written */
	bool fsync_trusted; /* goes on after an fsync that failed */
	bool guard_ignored; /* a start does not look at the guard */
	bool start_unasked; /* a start asks no witness, though required */
	bool answer_first;  /* a witness answers before it writes */
	bool swap_in_two;   /* it looks and writes in two steps */
	unsigned faults;    /* as many things go wrong in one history */
	enum finding found; /* what must be */
};

struct witness {
	uint8_t last;	/* on its disk */
	uint8_t memory; /* what it takes for that */
	uint8_t looked; /* bit h: a request for it passed, and is not written */
	uint8_t cosigned; /* bit h: head h */
};

enum phase { STOPPED, RUNNING, LATCHED };

struct world {
	uint8_t phase;
	uint8_t disk; /* the database, on the disk */
	uint8_t seen; /* the database, as it can be read */
	uint8_t guard;
	uint8_t backup;			     /* of the database, or NO_HEAD */
	uint8_t machine_disk, machine_guard; /* of all, or NO_HEAD */
	uint8_t signed_heads;		     /* bit h: head h */
	uint8_t answered; /* required: those with a quorum, which submitters
			     were told */
	uint8_t faults;
	uint8_t restored;
	struct witness w[WITNESSES];
};

/* What was seen already, and what is yet to be looked at. */
static struct world *queue;
static uint32_t *table; /* index in queue, and 1 */
static size_t queue_len, looked_at;
static enum finding found;

static bool
extends(unsigned head, unsigned older)
{
	while (head > older)
		head = (head - 1) / 2;
	return head == older;
}

/* Does one of these heads contradict one of those? */
static bool
contradict(unsigned these, unsigned those)
{
	for (unsigned a = 0; a < HEADS; a++)
		for (unsigned b = 0; b < HEADS; b++)
			if ((these >> a & 1) && (those >> b & 1) &&
			    !extends(a, b) && !extends(b, a))
				return true;
	return false;
}

/* The heads that a client with this policy accepts. */
static unsigned
accepted(const struct rules *r, const struct world *s)
{
	unsigned out = 0;

	if (r->mode == MODE_OFF)
		return s->signed_heads;
	for (unsigned h = 0; h < HEADS; h++) {
		unsigned n = r->liars;

		for (unsigned i = r->liars; i < WITNESSES; i++)
			n += s->w[i].cosigned >> h & 1;
		if ((s->signed_heads >> h & 1) && n >= r->quorum)
			out |= 1u << h;
	}
	return out;
}

/* --- what was seen --- */

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct witness));
}

static uint32_t
slot_of(const struct world *s)
{
	uint64_t hash = 14695981039346656037u;
	const uint8_t *p = (const uint8_t *)s;

	for (size_t i = 0; i < sizeof(*s); i++)
		hash = (hash ^ p[i]) * 1099511628211u;
	return (uint32_t)((hash ^ hash >> 29) & (2 * STATES - 1));
}

static void
judge(const struct rules *r, const struct world *s)
{
	unsigned heads = accepted(r, s);

	if (contradict(heads, heads))
		found = FORKS;
	else if (s->phase == LATCHED && !s->restored)
		found = DIES;
}

/* Comes to a state. Honest witnesses are alike, so their order is one. */
static void
reach(const struct rules *r, const struct world *where)
{
	struct world s = *where;
	uint32_t at;

	qsort(s.w + r->liars, WITNESSES - r->liars, sizeof(s.w[0]), by_bytes);
	for (at = slot_of(&s); table[at] != 0; at = (at + 1) % (2 * STATES))
		if (memcmp(&queue[table[at] - 1], &s, sizeof(s)) == 0)
			return;
	if (queue_len == STATES)
		fail_msg("%s: more than %u states", r->name, STATES);
	queue[queue_len++] = s;
	table[at] = (uint32_t)queue_len;
	judge(r, &s);
}

/* --- the log --- */

static void
step_commit(const struct rules *r, const struct world *s)
{
	for (unsigned bit = 1; bit <= 2; bit++) {
		struct world n = *s;

		if (s->phase != RUNNING || 2u * s->seen + bit >= HEADS)
			continue;
		n.disk = n.seen = (uint8_t)(2 * s->seen + bit);
		reach(r, &n);
		/* The fsync fails, and the cache has what the disk has not. */
		if (s->faults == r->faults)
			continue;
		n.disk = s->disk;
		n.faults++;
		n.phase = r->fsync_trusted ? RUNNING : STOPPED;
		reach(r, &n);
	}
}

static void
step_sign(const struct rules *r, const struct world *s)
{
	struct world n = *s;

	if (s->phase != RUNNING || !extends(s->seen, s->guard))
		return;
	if (contradict(s->answered, 1u << s->seen))
		found = CONTRADICTS;
	if (r->guard_late) {
		n.signed_heads |= (uint8_t)(1u << s->seen);
		reach(r, &n);
		n.guard = s->seen;
		reach(r, &n);
		return;
	}
	n.guard = s->seen;
	reach(r, &n); /* and no signature: killed here */
	n.signed_heads |= (uint8_t)(1u << s->seen);
	reach(r, &n);
}

/* What got its quorum is told to those who wait for it: by the process that
 * signed it, as long as it lives. */
static void
step_answer(const struct rules *r, const struct world *s)
{
	struct world n = *s;

	if (r->mode != MODE_REQUIRED || s->phase != RUNNING)
		return;
	for (unsigned h = 0; h < HEADS; h++)
		if ((accepted(r, s) >> h & 1) && extends(s->guard, h))
			n.answered |= (uint8_t)(1u << h);
	reach(r, &n);
}

/* Do the witnesses that answer, of which there are `quorums` at least, know
 * nothing that the log does not have? */
static bool
witnesses_content(const struct rules *r, const struct world *s, unsigned who)
{
	unsigned answered = 0;

	for (unsigned i = 0; i < WITNESSES; i++) {
		if (!(who >> i & 1))
			continue;
		answered++;
		/* A liar says what suits him: that he knows nothing. */
		if (i >= r->liars && !extends(s->seen, s->w[i].last))
			return false;
	}
	/* One of them is in every quorum. */
	return answered >= WITNESSES - r->quorum + 1;
}

static void
step_start(const struct rules *r, const struct world *s)
{
	struct world n = *s;
	bool content = r->mode != MODE_REQUIRED || r->start_unasked;

	if (s->phase != STOPPED)
		return;
	n.disk = n.seen; /* made durable again, before anything is signed */
	n.phase =
	    r->guard_ignored || extends(s->seen, s->guard) ? RUNNING : LATCHED;
	if (r->guard_ignored)
		n.guard = n.seen;
	for (unsigned who = 0; who < 1u << WITNESSES; who++)
		content = content || witnesses_content(r, s, who);
	if (!content)
		return; /* it waits for them */
	reach(r, &n);
}

static void
step_faults(const struct rules *r, const struct world *s)
{
	struct world n = *s;

	if (s->faults == r->faults)
		return;
	n.faults++;
	n.phase = STOPPED;
	reach(r, &n); /* killed */
	n.seen = n.disk;
	reach(r, &n); /* power cut */
	for (unsigned i = r->liars; i < WITNESSES; i++) {
		n = *s;
		n.faults++;
		n.w[i].memory = n.w[i].last;
		n.w[i].looked = 0;
		reach(r, &n);
	}
	if (s->backup != NO_HEAD) {
		n = *s;
		n.faults++;
		n.phase = STOPPED;
		n.restored = 1;
		n.disk = n.seen = s->backup;
		reach(r, &n);
	}
	if (s->machine_disk != NO_HEAD) {
		n = *s;
		n.faults++;
		n.phase = STOPPED;
		n.restored = 1;
		n.disk = n.seen = s->machine_disk;
		n.guard = s->machine_guard;
		reach(r, &n);
	}
}

static void
step_backup(const struct rules *r, const struct world *s)
{
	struct world n = *s;

	if (r->database_back && s->backup == NO_HEAD) {
		n.backup = s->disk;
		reach(r, &n);
	}
	if (r->machine_back && s->machine_disk == NO_HEAD) {
		n = *s;
		n.machine_disk = s->disk;
		n.machine_guard = s->guard;
		reach(r, &n);
	}
}

/* --- the witnesses --- */

/* The log, or a thief of its key, asks witness i to cosign h. */
static void
step_cosign(const struct rules *r, const struct world *s, unsigned i)
{
	for (unsigned h = 0; h < HEADS; h++) {
		struct world n = *s;

		if (!(s->signed_heads >> h & 1) || !extends(h, s->w[i].memory))
			continue;
		if (r->swap_in_two) {
			n.w[i].looked |= (uint8_t)(1u << h);
			reach(r, &n);
			continue;
		}
		n.w[i].memory = (uint8_t)h;
		if (!r->answer_first) {
			n.w[i].last = (uint8_t)h;
			reach(r, &n); /* killed before it answers */
		}
		n.w[i].cosigned |= (uint8_t)(1u << h);
		reach(r, &n);
		n.w[i].last = (uint8_t)h;
		reach(r, &n);
	}
}

/* The second half of a swap that is none; the first may be long ago. */
static void
step_write(const struct rules *r, const struct world *s, unsigned i)
{
	for (unsigned h = 0; h < HEADS; h++) {
		struct world n = *s;

		if (!(s->w[i].looked >> h & 1))
			continue;
		n.w[i].looked &= (uint8_t) ~(1u << h);
		n.w[i].last = n.w[i].memory = (uint8_t)h;
		n.w[i].cosigned |= (uint8_t)(1u << h);
		reach(r, &n);
	}
}

static void
search(const struct rules *r)
{
	struct world start = {.phase = STOPPED,
	    .backup = NO_HEAD,
	    .machine_disk = NO_HEAD,
	    .machine_guard = NO_HEAD};

	memset(table, 0, 2 * STATES * sizeof(*table));
	queue_len = 0;
	found = HOLDS;
	/* A thief has signed everything already. */
	if (r->stolen)
		start.signed_heads = (1u << HEADS) - 1;
	reach(r, &start);
	for (looked_at = 0; looked_at < queue_len && found == HOLDS;
	     looked_at++) {
		struct world s = queue[looked_at];

		if (!r->stolen) {
			step_commit(r, &s);
			step_sign(r, &s);
			step_answer(r, &s);
			step_start(r, &s);
			step_backup(r, &s);
		}
		step_faults(r, &s);
		for (unsigned i = r->liars;
		     r->mode != MODE_OFF && i < WITNESSES; i++) {
			step_cosign(r, &s, i);
			step_write(r, &s, i);
		}
	}
}

static const struct rules runs[] = {
    {.name = "the log alone", .faults = 3, .database_back = true},
    {.name = "the signature before the guard",
	.faults = 3,
	.database_back = true,
	.guard_late = true,
	.found = FORKS},
    {.name = "going on after an fsync that failed",
	.faults = 3,
	.fsync_trusted = true,
	.found = DIES},
    {.name = "a start that does not look at the guard",
	.faults = 3,
	.database_back = true,
	.guard_ignored = true,
	.found = FORKS},
    {.name = "the machine comes back",
	.faults = 2,
	.machine_back = true,
	.found = FORKS},
    {.name = "2 of 3, the machine comes back",
	.mode = MODE_OPEN,
	.quorum = 2,
	.faults = 1,
	.machine_back = true},
    {.name = "2 of 3 required, the machine comes back",
	.mode = MODE_REQUIRED,
	.quorum = 2,
	.faults = 1,
	.machine_back = true},
    {.name = "2 of 3 required, and none is asked at the start",
	.mode = MODE_REQUIRED,
	.quorum = 2,
	.faults = 1,
	.machine_back = true,
	.start_unasked = true,
	.found = CONTRADICTS},
    {.name = "2 of 3, the log's key is stolen",
	.mode = MODE_OPEN,
	.quorum = 2,
	.faults = 3,
	.stolen = true},
    {.name = "3 of 3, and one lies",
	.mode = MODE_OPEN,
	.quorum = 3,
	.liars = 1,
	.faults = 3,
	.stolen = true},
    {.name = "3 of 3, and two lie",
	.mode = MODE_OPEN,
	.quorum = 3,
	.liars = 2,
	.faults = 3,
	.stolen = true},
    {.name = "3 of 3, and all lie",
	.mode = MODE_OPEN,
	.quorum = 3,
	.liars = 3,
	.stolen = true,
	.found = FORKS},
    {.name = "2 of 3, and one lies",
	.mode = MODE_OPEN,
	.quorum = 2,
	.liars = 1,
	.stolen = true,
	.found = FORKS},
    {.name = "1 of 3",
	.mode = MODE_OPEN,
	.quorum = 1,
	.stolen = true,
	.found = FORKS},
    {.name = "a witness that answers before it writes",
	.mode = MODE_OPEN,
	.quorum = 2,
	.faults = 1,
	.stolen = true,
	.answer_first = true,
	.found = FORKS},
    {.name = "a witness that looks and writes in two steps",
	.mode = MODE_OPEN,
	.quorum = 2,
	.stolen = true,
	.swap_in_two = true,
	.found = FORKS},
};

static void
test_no_fork(void **state)
{
	static const char *const words[] = {
	    [HOLDS] = "holds",
	    [FORKS] = "forks",
	    [CONTRADICTS] = "contradicts what was acknowledged",
	    [DIES] = "stops for good",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		search(&runs[i]);
		print_message("%8zu states: %s: %s\n", queue_len, runs[i].name,
		    words[found]);
		if (found != runs[i].found)
			fail_msg("%s: %s is wanted", runs[i].name,
			    words[runs[i].found]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_fork)};

	queue = calloc(STATES, sizeof(*queue));
	table = calloc(2 * STATES, sizeof(*table));
	if (!queue || !table)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
