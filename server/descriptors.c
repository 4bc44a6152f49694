/* SPDX-License-Identifier: Apache-2.0 */
#include "server/descriptors.h"

#include <sys/resource.h>

/* Connections need descriptors; the database and the rest need a few. */
void
descriptors_raise(const struct config *c)
{
	rlim_t want = (rlim_t)c->max_connections + 256;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= want)
		return;
	l.rlim_cur = want;
	if (l.rlim_max < want)
		l.rlim_max = want;
	if (setrlimit(RLIMIT_NOFILE, &l) == 0)
		return;
	/* Not root: as many as we may have. */
	(void)getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
	if (l.rlim_cur < want)
		log_event(LOG_LEVEL_WARN, "few-descriptors",
		    "max-connections needs %llu, the limit is %llu",
		    (unsigned long long)want, (unsigned long long)l.rlim_cur);
}
