/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy/rule.h"

bool
party_set_has(const struct party_set *s, size_t party)
{
	return party < POLICY_MAX_PARTIES &&
	    (s->bits[party / 64] >> party % 64 & 1) != 0;
}

unsigned
party_set_count(const struct party_set *s)
{
	unsigned count = 0;

	for (size_t i = 0; i < POLICY_MAX_PARTIES / 64; i++)
		for (uint64_t bits = s->bits[i]; bits; bits &= bits - 1)
			count++;
	return count;
}

void
party_set_add(struct party_set *s, size_t party)
{
	if (party < POLICY_MAX_PARTIES)
		s->bits[party / 64] |= UINT64_C(1) << party % 64;
}

static const char *const hold_names[] = {
    [HOLD_NONE] = "none",
    [HOLD_OPEN] = "open",
    [HOLD_LEASE] = "lease",
    [HOLD_VERITY] = "verity",
    [HOLD_COPY] = "copy",
};

const char *
hold_strength_name(enum hold_strength hold)
{
	return hold_names[hold];
}

bool
hold_strength_find(struct bytes word, enum hold_strength *out)
{
	for (unsigned i = HOLD_OPEN; i <= HOLD_COPY; i++)
		if (bytes_equal(word, bytes_str(hold_names[i]))) {
			*out = (enum hold_strength)i;
			return true;
		}
	return false;
}
