/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "io/file.h"

#define FILE_MAX  (1u << 30)
#define LINE_MAX_ (JOURNAL_EVENT_MAX + 256)
#define CHECK_LEN 8
#define KEPT_MAX  1000
#define HEADER	  "mtlog-journal/1"

struct stored {
	uint64_t seq;
	struct hash id;
	bool kept;
	size_t len;
	uint8_t *json;
};

struct journal {
	char *path;
	int fd;
	off_t end; /* of what is whole */
	bool failed;
	bool headed;
	unsigned sinks;
	uint64_t last; /* number of the newest event */
	uint64_t begun[JOURNAL_SINKS], done[JOURNAL_SINKS];
	size_t count, room;
	struct stored *events; /* by number */
	struct hasher hasher;
};

static bool
failed(struct journal *j, const char *what, struct error *err)
{
	j->failed = true;
	return error_set(
	    err, ERR_IO, "cannot %s %s: %s", what, j->path, strerror(errno));
}

static bool
broken(struct journal *j, struct error *err)
{
	j->failed = true;
	return error_set(err, ERR_IO,
	    "%s is broken: which events were told is not known. Look at it, "
	    "then remove it to begin anew",
	    j->path);
}

/* --- lines --- */

static void
check_of(struct journal *j, struct bytes text, char out[CHECK_LEN + 1])
{
	AUTO(buf) hex = BUF_INIT(2 * HASH_LEN);
	struct hash h;

	sha256(&j->hasher, text, &h);
	hex_put(&hex, hash_bytes(&h));
	memset(out, '?', CHECK_LEN);
	if (hex.len >= CHECK_LEN)
		memcpy(out, hex.ptr, CHECK_LEN);
	out[CHECK_LEN] = '\0';
}

static void
put_line(struct journal *j, struct bytes text, struct buf *out)
{
	char check[CHECK_LEN + 1];

	check_of(j, text, check);
	buf_printf(out, "%s ", check);
	buf_put(out, text);
	buf_put_u8(out, '\n');
}

/* What stands in a line, if it is whole. */
static bool
take_line(struct journal *j, struct reader *r, struct bytes *text)
{
	char check[CHECK_LEN + 1];
	struct bytes line;

	if (!reader_line(r, &line) || line.len < CHECK_LEN + 1 ||
	    line.ptr[CHECK_LEN] != ' ')
		return false;
	*text = bytes_slice(line, CHECK_LEN + 1, line.len);
	check_of(j, *text, check);
	return bytes_equal(bytes_slice(line, 0, CHECK_LEN), bytes_str(check));
}

/* Half a line would make the next one a broken one. */
static bool
append(struct journal *j, struct bytes data, struct error *err)
{
	off_t at = j->end;

	if (j->failed || !hasher_ok(&j->hasher, err))
		return error_set(
		    err, ERR_IO, "%s could not be written before", j->path);
	while (data.len > 0) {
		ssize_t n = pwrite(j->fd, data.ptr, data.len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)failed(j, "write", err);
			(void)!ftruncate(j->fd, j->end);
			return false;
		}
		at += n;
		data = bytes_slice(data, (size_t)n, data.len);
	}
	j->end = at;
	return true;
}

static bool
append_line(struct journal *j, const struct buf *text, struct error *err)
{
	AUTO(buf) line = BUF_INIT(LINE_MAX_ + 16);

	if (!buf_ok(text, err))
		return false;
	put_line(j, buf_bytes(text), &line);
	return buf_ok(&line, err) && append(j, buf_bytes(&line), err);
}

bool
journal_sync(struct journal *j, struct error *err)
{
	if (j->failed)
		return error_set(
		    err, ERR_IO, "%s could not be written before", j->path);
	return fdatasync(j->fd) == 0 || failed(j, "make durable", err);
}

/* --- events in memory --- */

static bool
store(struct journal *j, const struct stored *s, struct bytes json,
    struct error *err)
{
	struct stored *e;

	if (j->count == j->room) {
		size_t room = j->room ? 2 * j->room : 64;
		struct stored *more =
		    reallocarray(j->events, room, sizeof(*more));

		if (!more)
			return error_set(err, ERR_INTERNAL, "out of memory");
		j->events = more;
		j->room = room;
	}
	e = &j->events[j->count];
	*e = *s;
	e->len = json.len;
	e->json = malloc(json.len ? json.len : 1);
	if (!e->json)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (json.len > 0)
		memcpy(e->json, json.ptr, json.len);
	j->count++;
	j->last = s->seq;
	return true;
}

/* --- reading a file --- */

static bool
take_word(struct reader *r, struct bytes *out)
{
	return reader_until(r, ' ', out);
}

static bool
read_event(struct journal *j, struct reader *r, struct error *err)
{
	struct stored s = {0};
	struct bytes kept, id;

	if (!reader_decimal(r, &s.seq) || !reader_literal(r, BYTES_LIT(" ")) ||
	    !take_word(r, &kept) || !take_word(r, &id) ||
	    !hex_decode(id, s.id.b, HASH_LEN) || s.seq <= j->last)
		return broken(j, err);
	s.kept = bytes_equal(kept, BYTES_LIT("1"));
	return store(j, &s, r->rest, err);
}

static bool
read_mark(struct journal *j, struct reader *r, uint64_t marks[JOURNAL_SINKS],
    struct error *err)
{
	uint64_t sink, seq;

	if (!reader_decimal(r, &sink) || !reader_literal(r, BYTES_LIT(" ")) ||
	    !reader_decimal(r, &seq) || !reader_done(r) ||
	    sink >= JOURNAL_SINKS)
		return broken(j, err);
	marks[sink] = seq;
	return true;
}

/* Which sinks there are: a new one begins after what there is. */
static void
turn_sinks(struct journal *j, unsigned sinks)
{
	for (unsigned i = 0; i < JOURNAL_SINKS; i++)
		if ((sinks & 1u << i) == 0 || (j->sinks & 1u << i) == 0)
			j->done[i] = j->begun[i] = j->last;
	j->sinks = sinks;
}

static bool
read_text(struct journal *j, struct bytes text, struct error *err)
{
	struct reader r = {text};
	uint64_t sinks;

	if (!j->headed) {
		j->headed = bytes_equal(text, BYTES_LIT(HEADER));
		return j->headed || broken(j, err);
	}
	if (reader_literal(&r, BYTES_LIT("event ")))
		return read_event(j, &r, err);
	if (reader_literal(&r, BYTES_LIT("begin ")))
		return read_mark(j, &r, j->begun, err);
	if (reader_literal(&r, BYTES_LIT("done ")))
		return read_mark(j, &r, j->done, err);
	if (!reader_literal(&r, BYTES_LIT("open ")) ||
	    !decimal_parse(r.rest, &sinks) || sinks >= 1u << JOURNAL_SINKS)
		return broken(j, err);
	turn_sinks(j, (unsigned)sinks);
	return true;
}

/* A line that is not whole may only be the last thing there is. */
static bool
nothing_follows(struct journal *j, struct reader r)
{
	struct bytes text;

	while (!reader_done(&r)) {
		if (take_line(j, &r, &text))
			return false;
		if (!memchr(r.rest.ptr, '\n', r.rest.len))
			break;
	}
	return true;
}

static bool
read_lines(struct journal *j, struct bytes all, struct error *err)
{
	struct reader r = {all};

	while (!reader_done(&r)) {
		struct reader before = r;
		struct bytes text;

		if (!take_line(j, &r, &text)) {
			/* A torn line may have lost its newline. */
			if (!hasher_ok(&j->hasher, err))
				return false;
			if (!nothing_follows(j, r))
				return broken(j, err);
			all.len -= before.rest.len;
			break;
		}
		if (!read_text(j, text, err))
			return false;
	}
	j->end = (off_t)all.len;
	return ftruncate(j->fd, j->end) == 0 || failed(j, "cut", err);
}

static bool
open_sinks(struct journal *j, unsigned sinks, struct error *err)
{
	AUTO(buf) text = BUF_INIT(64);
	AUTO(buf) header = BUF_INIT(64);

	if (!j->headed) {
		buf_put_str(&header, HEADER);
		if (!append_line(j, &header, err))
			return false;
		j->headed = true;
	}
	/* Nothing to say: runs by the minute would fill the file. */
	if (sinks == j->sinks)
		return journal_sync(j, err);
	turn_sinks(j, sinks);
	buf_printf(&text, "open %u", sinks);
	return append_line(j, &text, err) && journal_sync(j, err);
}

struct journal *
journal_open(const char *path, unsigned sinks, struct error *err)
{
	AUTO(buf) all = BUF_INIT(FILE_MAX);
	struct journal *j = calloc(1, sizeof(*j));
	bool ok;

	if (j) {
		j->fd = -1;
		j->path = strdup(path);
	}
	if (!j || !j->path) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		journal_close(j);
		return NULL;
	}
	ok = hasher_open(&j->hasher, err);
	if (ok && access(path, F_OK) != 0)
		ok = file_create(path, (struct bytes){0}, 0600, err);
	ok = ok && file_read(path, &all, err);
	if (ok)
		j->fd = open(path, O_RDWR | O_CLOEXEC);
	ok = ok && (j->fd >= 0 || failed(j, "open", err)) &&
	    read_lines(j, buf_bytes(&all), err) && open_sinks(j, sinks, err);
	if (ok)
		return j;
	journal_close(j);
	return NULL;
}

static void
drop_events(struct journal *j)
{
	for (size_t i = 0; i < j->count; i++)
		free(j->events[i].json);
	free(j->events);
	j->events = NULL;
	j->count = j->room = 0;
}

void
journal_close(struct journal *j)
{
	if (!j)
		return;
	drop_events(j);
	hasher_release(&j->hasher);
	if (j->fd >= 0)
		(void)close(j->fd);
	free(j->path);
	free(j);
}

/* --- adding and telling --- */

static void
put_event(const struct stored *s, struct bytes json, struct buf *out)
{
	buf_printf(out, "event %llu %d ", (unsigned long long)s->seq, s->kept);
	hex_put(out, hash_bytes(&s->id));
	buf_put_u8(out, ' ');
	buf_put(out, json);
}

static bool
known(const struct journal *j, const struct hash *id)
{
	for (size_t i = j->count; i > 0; i--)
		if (hash_equal(&j->events[i - 1].id, id))
			return true;
	return false;
}

static size_t
kept_pending(const struct journal *j, enum journal_sink sink)
{
	size_t n = 0;

	if ((j->sinks & 1u << sink) == 0)
		return 0;
	for (size_t i = j->count; i > 0 && j->events[i - 1].seq > j->done[sink];
	     i--)
		n += j->events[i - 1].kept;
	return n;
}

bool
journal_add(struct journal *j, const struct hash *id, struct bytes json,
    bool kept, struct error *err)
{
	AUTO(buf) text = BUF_INIT(LINE_MAX_);
	struct stored s = {.seq = j->last + 1, .id = *id, .kept = kept};

	if (known(j, id))
		return true;
	if (json.len > JOURNAL_EVENT_MAX ||
	    (json.len > 0 && memchr(json.ptr, '\n', json.len)))
		return error_set(err, ERR_LIMIT, "no event of one line");
	for (unsigned i = 0; kept && i < JOURNAL_SINKS; i++)
		if (kept_pending(j, i) >= JOURNAL_ROOM)
			return error_reason(err, ERR_LIMIT, "too-many-files",
			    "%d events about the log itself wait to be told; "
			    "no more are taken in",
			    JOURNAL_ROOM);
	put_event(&s, json, &text);
	return append_line(j, &text, err) && store(j, &s, json, err);
}

static void
give(const struct journal *j, size_t i, struct journal_event *out)
{
	const struct stored *e = &j->events[i];

	*out = (struct journal_event){
	    .seq = e->seq,
	    .id = e->id,
	    .json = bytes_of(e->json, e->len),
	    .kept = e->kept,
	};
}

bool
journal_next(struct journal *j, enum journal_sink sink, size_t skip,
    struct journal_event *out)
{
	size_t i = j->count;

	if ((j->sinks & 1u << sink) == 0)
		return false;
	while (i > 0 && j->events[i - 1].seq > j->done[sink])
		i--;
	if (skip >= j->count - i)
		return false;
	give(j, i + skip, out);
	out->repeated = out->seq <= j->begun[sink];
	return true;
}

static bool
mark(struct journal *j, const char *word, enum journal_sink sink, uint64_t seq,
    struct error *err)
{
	AUTO(buf) text = BUF_INIT(64);

	buf_printf(
	    &text, "%s %u %llu", word, (unsigned)sink, (unsigned long long)seq);
	return append_line(j, &text, err);
}

bool
journal_begin(
    struct journal *j, enum journal_sink sink, uint64_t seq, struct error *err)
{
	if (!mark(j, "begin", sink, seq, err) || !journal_sync(j, err))
		return false;
	j->begun[sink] = seq;
	return true;
}

bool
journal_done(
    struct journal *j, enum journal_sink sink, uint64_t seq, struct error *err)
{
	if (!mark(j, "done", sink, seq, err))
		return false;
	j->done[sink] = j->begun[sink] = seq;
	return true;
}

bool
journal_at(struct journal *j, size_t back, struct journal_event *out)
{
	if (back >= j->count)
		return false;
	give(j, j->count - 1 - back, out);
	return true;
}

uint64_t
journal_last(const struct journal *j)
{
	return j->last;
}

uint64_t
journal_pending(const struct journal *j, enum journal_sink sink)
{
	uint64_t n = 0;

	if ((j->sinks & 1u << sink) == 0)
		return 0;
	for (size_t i = j->count; i > 0; i--, n++)
		if (j->events[i - 1].seq <= j->done[sink])
			break;
	return n;
}

bool
journal_full(const struct journal *j)
{
	for (unsigned i = 0; i < JOURNAL_SINKS; i++)
		if (journal_pending(j, i) >= JOURNAL_PENDING)
			return true;
	return false;
}

/* --- forgetting --- */

static bool
told(const struct journal *j, uint64_t seq)
{
	for (unsigned i = 0; i < JOURNAL_SINKS; i++)
		if ((j->sinks & 1u << i) != 0 && seq > j->done[i])
			return false;
	return true;
}

/* Takes the events that are not needed out of memory. */
static void
thin(struct journal *j, const struct journal_stay *stay)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < j->count; i++)
		kept += j->events[i].kept;
	for (size_t i = 0; i < j->count; i++) {
		struct stored *e = &j->events[i];
		bool wanted = e->seq > stay->above ||
		    (e->seq > stay->after && e->seq <= stay->up_to);
		bool keep = wanted || i + JOURNAL_KEPT >= j->count ||
		    !told(j, e->seq) || (e->kept && kept <= KEPT_MAX);

		kept -= e->kept;
		if (keep)
			j->events[n++] = *e;
		else
			free(e->json);
	}
	j->count = n;
}

static void
put_all(struct journal *j, struct buf *out)
{
	AUTO(buf) text = BUF_INIT(LINE_MAX_);

	put_line(j, BYTES_LIT(HEADER), out);
	for (size_t i = 0; i < j->count; i++) {
		const struct stored *e = &j->events[i];

		buf_clear(&text);
		put_event(e, bytes_of(e->json, e->len), &text);
		put_line(j, buf_bytes(&text), out);
		if (text.failed)
			out->failed = true;
	}
	/* The marks come after `open`, which moves them. */
	buf_clear(&text);
	buf_printf(&text, "open %u", j->sinks);
	put_line(j, buf_bytes(&text), out);
	for (unsigned i = 0; i < JOURNAL_SINKS; i++) {
		buf_clear(&text);
		buf_printf(
		    &text, "begin %u %llu", i, (unsigned long long)j->begun[i]);
		put_line(j, buf_bytes(&text), out);
		buf_clear(&text);
		buf_printf(
		    &text, "done %u %llu", i, (unsigned long long)j->done[i]);
		put_line(j, buf_bytes(&text), out);
	}
}

bool
journal_compact(
    struct journal *j, const struct journal_stay *stay, struct error *err)
{
	AUTO(buf) all = BUF_INIT(FILE_MAX);
	int fd;

	if (j->failed)
		return error_set(
		    err, ERR_IO, "%s could not be written before", j->path);
	if (j->end < (off_t)JOURNAL_COMPACT)
		return true;
	thin(j, stay);
	put_all(j, &all);
	if (!buf_ok(&all, err) || !hasher_ok(&j->hasher, err) ||
	    !file_write(j->path, buf_bytes(&all), 0600, err))
		return false;
	/* The old file is gone from its name: nothing more goes there. */
	fd = open(j->path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return failed(j, "open", err);
	(void)close(j->fd);
	j->fd = fd;
	j->end = (off_t)all.len;
	return true;
}
