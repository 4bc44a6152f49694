/* SPDX-License-Identifier: Apache-2.0 */
#include "io/clock.h"
#include "server/admit_parts.h"

/*
 * Answers that wait until a quorum of witnesses has cosigned their entries. No
 * thread waits: the job lies here until the head covers it, its time is up, or
 * the server ends; then a worker answers it like any other.
 */

#define NS_OF_MS 1000000u

/* The tree size that covers every entry of the job; 0: it has none. */
static uint64_t
needed(const struct job *job)
{
	uint64_t size = 0;

	for (size_t i = 0; i < job->count; i++) {
		const struct line *l = &job->lines[i];

		if (l->state != LINE_REFUSED && l->s.err.code == ERR_NONE &&
		    l->s.index >= size)
			size = l->s.index + 1;
	}
	return size;
}

/* By the lock. */
static void
finish_again(struct admit *a, struct job *job)
{
	job->next = NULL;
	*a->finished_last = job;
	a->finished_last = &job->next;
}

/* Takes those out of the waiting that are ready by now. By the lock. */
static void
release(struct admit *a, uint64_t now)
{
	struct job **at = &a->parked;
	bool any = false;

	while (*at) {
		struct job *job = *at;

		if (job->needs > a->cosigned && now < job->until_ns &&
		    !a->closing) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		finish_again(a, job);
		any = true;
	}
	if (any)
		(void)pthread_cond_broadcast(&a->wake);
}

bool
admit_park(struct job *job)
{
	struct admit *a = job->admit;
	bool parked;

	if (!a->p.quorum || job->late)
		return false;
	job->late = true; /* it does not wait again */
	job->needs = needed(job);
	(void)pthread_mutex_lock(&a->lock);
	parked = job->needs > a->cosigned && !a->closing &&
	    clock_monotonic_ns() < job->until_ns;
	if (parked) {
		job->next = a->parked;
		a->parked = job;
	}
	(void)pthread_mutex_unlock(&a->lock);
	return parked;
}

bool
admit_covered(
    const struct line *line, const struct head *head, struct error *err)
{
	if (!line->job->admit->p.quorum || (head && line->s.index < head->size))
		return true;
	return error_reason(err, ERR_UNAVAILABLE, "not-cosigned",
	    "entry %llu is stored, but no quorum of witnesses has cosigned it "
	    "in time; submit it again, it is safe",
	    (unsigned long long)line->s.index);
}

void
admit_cosigned(struct admit *a, uint64_t size)
{
	(void)pthread_mutex_lock(&a->lock);
	if (size > a->cosigned)
		a->cosigned = size;
	release(a, 0);
	(void)pthread_mutex_unlock(&a->lock);
}

void
admit_expire(struct admit *a)
{
	uint64_t now = clock_monotonic_ns();

	(void)pthread_mutex_lock(&a->lock);
	release(a, now);
	(void)pthread_mutex_unlock(&a->lock);
}

void
admit_hurry(struct admit *a)
{
	if (!a)
		return;
	(void)pthread_mutex_lock(&a->lock);
	a->closing = true;
	release(a, 0);
	(void)pthread_mutex_unlock(&a->lock);
}
