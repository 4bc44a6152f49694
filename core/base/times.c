/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/times.h"

#include "core/base/reader.h"

#define DAY 86400

static bool
is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned
days_of(unsigned year, unsigned month)
{
	static const uint8_t days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* Days from 1970-01-01 to January 1st of `year`. */
static uint64_t
days_before(unsigned year)
{
	uint64_t y = year - 1;

	return (uint64_t)(year - 1970) * 365 + (y / 4 - y / 100 + y / 400) -
	    (1969 / 4 - 1969 / 100 + 1969 / 400);
}

bool
time_of_parts(unsigned year, unsigned month, unsigned day, unsigned hour,
    unsigned minute, unsigned second, uint64_t *out)
{
	uint64_t days;

	if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 ||
	    day > days_of(year, month) || hour > 23 || minute > 59 ||
	    second > 59)
		return false;
	days = days_before(year) + day - 1;
	for (unsigned m = 1; m < month; m++)
		days += days_of(year, m);
	*out = days * DAY + hour * 3600u + minute * 60u + second;
	return true;
}

static bool
digits(struct reader *r, size_t n, unsigned *out)
{
	struct bytes text;

	if (!reader_bytes(r, n, &text))
		return false;
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		*out = *out * 10 + (text.ptr[i] - (unsigned)'0');
	}
	return true;
}

static bool
mark(struct reader *r, uint8_t c)
{
	return reader_literal(r, bytes_of(&c, 1));
}

bool
time_parse(struct bytes text, uint64_t *out)
{
	struct reader r = {text};
	unsigned year, month, day, hour = 0, minute = 0, second = 0;

	if (!digits(&r, 4, &year) || !mark(&r, '-') || !digits(&r, 2, &month) ||
	    !mark(&r, '-') || !digits(&r, 2, &day))
		return false;
	if (!reader_done(&r) &&
	    (!mark(&r, 'T') || !digits(&r, 2, &hour) || !mark(&r, ':') ||
		!digits(&r, 2, &minute) || !mark(&r, ':') ||
		!digits(&r, 2, &second) || !mark(&r, 'Z')))
		return false;
	return reader_done(&r) &&
	    time_of_parts(year, month, day, hour, minute, second, out);
}

void
time_put(struct buf *out, uint64_t seconds)
{
	uint64_t days = seconds / DAY;
	unsigned rest = (unsigned)(seconds % DAY);
	unsigned year = 1970, month = 1;

	if (days >= days_before(9999) + 365) {
		out->failed = true;
		return;
	}
	/* A first guess that is never too late, then whole years. */
	year += (unsigned)(days / 366);
	while (days_before(year + 1) <= days)
		year++;
	days -= days_before(year);
	while (days >= days_of(year, month))
		days -= days_of(year, month++);
	buf_printf(out, "%04u-%02u-%02uT%02u:%02u:%02uZ", year, month,
	    (unsigned)days + 1, rest / 3600, rest / 60 % 60, rest % 60);
}
