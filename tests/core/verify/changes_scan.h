/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_CORE_VERIFY_CHANGES_SCAN_H
#define MTLOG_TESTS_CORE_VERIFY_CHANGES_SCAN_H

#include "tests/core/verify/scene.h"

/* What may be wrong with a scan: for the table in changes.h. */

/* A scan that would do. */
static void
scanned_well(struct scene *s)
{
	s->fresh = "1h scan";
	s->has_scan = s->scan_newest = true;
	s->scan = (struct verify_scan){
	    .origin = BYTES_LIT(ORIGIN),
	    .size = MODEL_INDEX + 1,
	    .dated = true,
	    .time = NOW - 3600,
	    .covers = true,
	    .complete = true,
	    .has_newest = true,
	};
}

static void
scan_of_another_log(struct scene *s)
{
	scanned_well(s);
	s->scan.origin = BYTES_LIT("other.example");
}

static void
scan_before_model(struct scene *s)
{
	scanned_well(s);
	s->scan.size--;
}

static void
scan_ahead(struct scene *s)
{
	scanned_well(s);
	s->scan.time = NOW + CLAIM_CLOCK_SKEW + 1;
}

static void
scan_old(struct scene *s)
{
	scanned_well(s);
	s->scan.time--;
}

static void
scan_undated(struct scene *s)
{
	scanned_well(s);
	s->scan.dated = false;
}

static void
scan_of_other_signers(struct scene *s)
{
	scanned_well(s);
	s->scan.covers = false;
}

static void
scan_incomplete(struct scene *s)
{
	scanned_well(s);
	s->scan.complete = false;
	s->scan.missing = 1;
}

static void
scan_found_newer(struct scene *s)
{
	scanned_well(s);
	s->scan_newest = false;
}

static void
scan_found_nothing(struct scene *s)
{
	scanned_well(s);
	s->scan.has_newest = false;
}

#endif
