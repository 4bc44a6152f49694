/* SPDX-License-Identifier: Apache-2.0 */
#include "io/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/encoding.h"
#include "io/clock.h"

#define FIRST_NS 500000000
#define STEP_NS	 100000000
#define SECOND	 1000000000

#define BAR	    20 /* columns */
#define COLUMNS	    80 /* of a terminal that does not say */
#define COLUMNS_MAX 500

#define CLEAR_LINE "\r\033[K"

/* The line as it is made up: `columns` are what is left of the terminal's. */
struct line {
	char text[4 * COLUMNS_MAX + 64];
	size_t len;
	size_t columns;
};

void
progress_init(struct progress *p, int fd)
{
	*p = (struct progress){.fd = fd,
	    .terminal = isatty(fd) == 1,
	    .began = clock_monotonic_ns()};
}

static void
show(struct progress *p, const char *text, size_t len)
{
	/* What a terminal does not take is not worth an error. */
	if (write(p->fd, text, len) < 0)
		p->terminal = false;
}

void
progress_release(struct progress *p)
{
	if (p->shown)
		show(p, CLEAR_LINE, sizeof(CLEAR_LINE) - 1);
	p->shown = false;
}

/* Text of our own: a column for each byte. */
static void
put(struct line *l, const char *text)
{
	for (; *text && l->columns > 0; text++) {
		l->text[l->len++] = *text;
		l->columns--;
	}
}

/*
 * A name from elsewhere. How wide a character is only the terminal knows; two
 * columns are enough for any. What could be a command to it becomes '?'.
 */
static void
put_name(struct line *l, struct bytes name)
{
	bool valid = utf8_valid(name);

	for (size_t i = 0; i < name.len;) {
		uint8_t c = name.ptr[i];
		size_t n = !valid || c < 0xc0 ? 1
		    : c < 0xe0		      ? 2
		    : c < 0xf0		      ? 3
					      : 4;
		bool wide = n > 1;
		bool plain = wide ? c != 0xc2 || name.ptr[i + 1] >= 0xa0
				  : c >= 0x20 && c < 0x7f;

		if (l->columns < (wide ? 2 : 1))
			return;
		if (plain)
			memcpy(l->text + l->len, name.ptr + i, n);
		else
			l->text[l->len] = '?';
		l->len += plain ? n : 1;
		l->columns -= wide ? 2 : 1;
		i += n;
	}
}

/* "512 B", "1.5 GiB" */
static void
put_bytes(struct line *l, double n)
{
	static const char *const units[] = {
	    "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	size_t unit = 0;
	char text[32];

	while (n >= 1024 && unit < 6) {
		n /= 1024;
		unit++;
	}
	(void)snprintf(
	    text, sizeof(text), unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
	put(l, text);
}

/* "48,213": groups of three are read at a glance. */
static void
put_count(struct line *l, double n)
{
	char digits[32], text[48];
	int len = snprintf(digits, sizeof(digits), "%.0f", n);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	put(l, text);
}

static void
put_amount(struct line *l, const struct progress *p, double n)
{
	if (p->unit)
		put_count(l, n);
	else
		put_bytes(l, n);
}

static void
put_left(struct line *l, uint64_t seconds)
{
	char text[48];

	if (seconds >= 3600)
		(void)snprintf(text, sizeof(text), "%" PRIu64 ":%02u:%02u left",
		    seconds / 3600, (unsigned)(seconds / 60 % 60),
		    (unsigned)(seconds % 60));
	else
		(void)snprintf(text, sizeof(text), "%u:%02u left",
		    (unsigned)(seconds / 60), (unsigned)(seconds % 60));
	put(l, text);
}

static void
put_bar(struct line *l, double part)
{
	unsigned full = (unsigned)(part * BAR);
	char text[16];

	put(l, "[");
	for (unsigned i = 0; i < BAR; i++)
		put(l, i < full ? "#" : "-");
	(void)snprintf(
	    text, sizeof(text), "] %3u %%  ", (unsigned)(part * 100));
	put(l, text);
}

static size_t
columns_of(int fd)
{
	struct winsize size = {0};
	size_t columns = COLUMNS;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		columns = size.ws_col;
	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	/* In the last one some terminals begin a new line. */
	return columns - 1;
}

static void
draw(struct progress *p, uint64_t now, struct bytes name, uint64_t done,
    uint64_t total)
{
	struct line l = {.text = "\r", .len = 1, .columns = columns_of(p->fd)};
	double seconds = (double)(now - p->began) / SECOND;
	double rate = (double)done / seconds;

	/* Files may have grown since they were counted. */
	if (total > 0 && done > total)
		total = done;
	if (total > 0)
		put_bar(&l, (double)done / (double)total);
	put_amount(&l, p, (double)done);
	if (total > 0) {
		put(&l, " of ");
		put_amount(&l, p, (double)total);
	}
	if (p->unit) {
		put(&l, " ");
		put(&l, p->unit);
	}
	put(&l, "  ");
	put_amount(&l, p, rate);
	put(&l, "/s  ");
	if (total > 0 && rate >= 1) {
		put_left(&l, (uint64_t)((double)(total - done) / rate));
		put(&l, "  ");
	}
	put_name(&l, name);
	memcpy(l.text + l.len, "\033[K", 3);
	show(p, l.text, l.len + 3);
}

bool
progress_update(
    void *progress, struct bytes name, uint64_t done, uint64_t total)
{
	struct progress *p = progress;
	uint64_t now;

	if (!p->terminal)
		return true;
	now = clock_monotonic_ns();
	if (now - p->began < FIRST_NS || now - p->drawn < STEP_NS)
		return true;
	p->drawn = now;
	p->shown = true;
	draw(p, now, name, done, total);
	return true;
}
