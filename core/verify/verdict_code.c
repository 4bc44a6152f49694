/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verify/verdict_code.h"

static const struct {
	const char *reason;
	enum verdict_code code;
} reasons[] = {
    {"internal", VERDICT_INTERNAL},
    {"cancelled", VERDICT_INTERNAL}, /* nothing is known */
    {"usage", VERDICT_USAGE},
    {"file-changed", VERDICT_CONTENT_MISMATCH},
    {"file-missing", VERDICT_CONTENT_MISMATCH},
    {"file-unsigned", VERDICT_CONTENT_MISMATCH},
    {"file-type", VERDICT_CONTENT_MISMATCH},
    {"changed-while-read", VERDICT_CONTENT_MISMATCH},
    {"root-mismatch", VERDICT_CONTENT_MISMATCH},
    {"signature", VERDICT_BAD_SIGNATURE},
    {"hint-mismatch", VERDICT_BAD_SIGNATURE},
    {"no-bundle", VERDICT_NO_USABLE_SIGNATURE},
    {"malformed-bundle", VERDICT_NO_USABLE_SIGNATURE},
    {"malformed-statement", VERDICT_NO_USABLE_SIGNATURE},
    {"wrong-statement-type", VERDICT_NO_USABLE_SIGNATURE},
    {"no-rule", VERDICT_NOT_ALLOWED},
    {"wrong-name", VERDICT_NOT_ALLOWED},
    {"wrong-signer", VERDICT_NOT_ALLOWED},
    {"denied", VERDICT_NOT_ALLOWED},
    {"approval-missing", VERDICT_NOT_ALLOWED},
    {"chain", VERDICT_BAD_TIME_OR_CHAIN},
    {"expired", VERDICT_BAD_TIME_OR_CHAIN},
    {"not-yet-valid", VERDICT_BAD_TIME_OR_CHAIN},
    {"key-usage", VERDICT_BAD_TIME_OR_CHAIN},
    {"timestamp", VERDICT_BAD_TIME_OR_CHAIN},
    {"no-verified-time", VERDICT_BAD_TIME_OR_CHAIN},
    {"no-entry", VERDICT_NOT_LOGGED},
    {"wrong-entry", VERDICT_NOT_LOGGED},
    {"inclusion", VERDICT_NOT_LOGGED},
    {"unknown-log", VERDICT_UNTRUSTED_CHECKPOINT},
    {"log-signature", VERDICT_UNTRUSTED_CHECKPOINT},
    {"cosignature", VERDICT_UNTRUSTED_CHECKPOINT},
    {"quorum", VERDICT_UNTRUSTED_CHECKPOINT},
    {"withdrawn", VERDICT_NOT_CURRENT},
    {"key-revoked", VERDICT_NOT_CURRENT},
    {"superseded", VERDICT_NOT_CURRENT},
    {"rollback", VERDICT_NOT_CURRENT},
    {"no-fresh-status", VERDICT_NOT_CURRENT},
    {"status-expired", VERDICT_NOT_CURRENT},
    {"inconsistent", VERDICT_LOG_FORK},
    {"tile", VERDICT_LOG_BAD_DATA},
    {"leaf", VERDICT_LOG_BAD_DATA},
    {"envelope", VERDICT_LOG_BAD_DATA},
    {"search-hit", VERDICT_LOG_BAD_DATA},
    {"watch-hit", VERDICT_WATCH_HIT},
    {"checkpoint-old", VERDICT_LOG_STALLED},
    {"network", VERDICT_NETWORK},
    {"throttled", VERDICT_THROTTLED},
    {"server-error", VERDICT_SERVER_ERROR},
    {"not-published-yet", VERDICT_NOT_PUBLISHED_YET},
    {"not-cosigned-yet", VERDICT_NOT_PUBLISHED_YET},
    {"missing", VERDICT_LOCAL_IO},
    {"permission", VERDICT_LOCAL_IO},
    {"no-space", VERDICT_LOCAL_IO},
    {"too-many-files", VERDICT_LOCAL_IO},
    {"key-unavailable", VERDICT_KEY_UNAVAILABLE},
    {"hold-unavailable", VERDICT_HOLD_UNAVAILABLE},
    {"rejected", VERDICT_REJECTED},
    {"clock", VERDICT_CLOCK},
    {"policy-expired", VERDICT_CLOCK},
    {"policy-rollback", VERDICT_CLOCK},
    {"locked", VERDICT_LOCKED},
};

#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

static const struct {
	int code;
	const char *name;
} names[] = {
    {VERDICT_ACCEPTED, "accepted"},
    {VERDICT_INTERNAL, "internal"},
    {VERDICT_USAGE, "usage"},
    {VERDICT_CONTENT_MISMATCH, "content-mismatch"},
    {VERDICT_BAD_SIGNATURE, "bad-signature"},
    {VERDICT_NO_USABLE_SIGNATURE, "no-usable-signature"},
    {VERDICT_NOT_ALLOWED, "not-allowed"},
    {VERDICT_BAD_TIME_OR_CHAIN, "bad-time-or-chain"},
    {VERDICT_NOT_LOGGED, "not-logged"},
    {VERDICT_UNTRUSTED_CHECKPOINT, "untrusted-checkpoint"},
    {VERDICT_NOT_CURRENT, "not-current"},
    {VERDICT_LOG_FORK, "log-fork"},
    {VERDICT_LOG_BAD_DATA, "log-bad-data"},
    {VERDICT_WATCH_HIT, "watch-hit"},
    {VERDICT_LOG_STALLED, "log-stalled"},
    {VERDICT_NETWORK, "network"},
    {VERDICT_THROTTLED, "throttled"},
    {VERDICT_SERVER_ERROR, "server-error"},
    {VERDICT_NOT_PUBLISHED_YET, "not-published-yet"},
    {VERDICT_LOCAL_IO, "local-io"},
    {VERDICT_KEY_UNAVAILABLE, "key-unavailable"},
    {VERDICT_HOLD_UNAVAILABLE, "hold-or-sandbox-unavailable"},
    {VERDICT_REJECTED, "rejected"},
    {VERDICT_CLOCK, "clock"},
    {VERDICT_LOCKED, "locked"},
};

enum verdict_code
verdict_code_of(const struct error *err)
{
	/* What has no reason of its own; an unknown one is a refusal, too. */
	static const enum verdict_code by_class[] = {
	    [ERR_NONE] = VERDICT_INTERNAL,
	    [ERR_USAGE] = VERDICT_USAGE,
	    [ERR_LIMIT] = VERDICT_NO_USABLE_SIGNATURE,
	    [ERR_SYNTAX] = VERDICT_NO_USABLE_SIGNATURE,
	    [ERR_BADSIG] = VERDICT_BAD_SIGNATURE,
	    [ERR_DENIED] = VERDICT_NOT_ALLOWED,
	    [ERR_NOTFOUND] = VERDICT_LOCAL_IO,
	    [ERR_CONFLICT] = VERDICT_LOCAL_IO,
	    [ERR_UNAVAILABLE] = VERDICT_NETWORK,
	    [ERR_IO] = VERDICT_LOCAL_IO,
	    [ERR_INTERNAL] = VERDICT_INTERNAL,
	};

	for (size_t i = 0; err->reason && i < REASONS; i++)
		if (strcmp(err->reason, reasons[i].reason) == 0)
			return reasons[i].code;
	return by_class[err->code];
}

const char *
verdict_code_name(int code)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "unknown";
}

bool
verdict_reason_at(size_t i, const char **reason, int *code)
{
	if (i >= REASONS)
		return false;
	*reason = reasons[i].reason;
	*code = (int)reasons[i].code;
	return true;
}

static int
severity(int code)
{
	static const int tens[] = {5, 3, 4, 1, 2};

	if (code == VERDICT_ACCEPTED)
		return 0;
	return code > 0 && code / 10 < 5 ? tens[code / 10] : 5;
}

int
verdict_worse(int a, int b)
{
	return severity(b) > severity(a) ? b : a;
}
