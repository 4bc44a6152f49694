/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_CONFIG_KEYS_H
#define MTLOG_SERVER_CONFIG_KEYS_H

#include "server/config.h"

/* The table of keys and what a value of each kind is; for config*.c alone. */

enum key_kind {
	KEY_ORIGIN,
	KEY_ADDRESS, /* ADDR:PORT */
	KEY_URL,
	KEY_PROXIES, /* list of ADDR or ADDR/BITS */
	KEY_PATH,
	KEY_PATHS,	/* list */
	KEY_VKEYS,	/* list */
	KEY_SIGNERS,	/* list; this and the next three: server/rule_text.h */
	KEY_IDENTITIES, /* list */
	KEY_TOKENS,	/* list */
	KEY_WITNESSES,	/* list */
	KEY_SIZE,
	KEY_COUNT,
	KEY_SECONDS, /* kept as milliseconds */
	KEY_MILLISECONDS,
	KEY_YES_NO,
	KEY_CHOICE, /* an int, numbered from 0 */
};

struct config_key {
	const char *name;
	enum key_kind kind;
	size_t at; /* in struct config; 0: only one value is possible */
	const char *fallback;
	bool optional; /* an empty value means: none */
	bool reload;
	uint64_t min, max;   /* of a list: how many values; 0: 8 */
	const char *unit;    /* of KEY_COUNT */
	const char *choices; /* of KEY_CHOICE, separated by spaces */
	const char *help;
};

extern const struct config_key config_keys[];

#define CONFIG_KEYS	38
#define CONFIG_NAME_MAX 40

/* config_key_repeats tells whether a key takes several values. */
bool config_key_repeats(const struct config_key *k);

/* config_key_find finds a key by its exact name, or says ERR_SYNTAX with the
 * nearest name. */
const struct config_key *config_key_find(struct bytes name, struct error *err);

/*
 * config_value_set reads one value: a list grows by it, everything else is
 * replaced. `value` has passed config_text_clean. ERR_SYNTAX.
 */
bool config_value_set(const struct config_key *k, struct bytes value,
    struct config *c, struct error *err) MUST_USE;

/* config_value_clear makes a list empty; config_value_release frees a value of
 * any kind. */
void config_value_clear(const struct config_key *k, struct config *c);
void config_value_release(const struct config_key *k, struct config *c);

/* config_text_clean: UTF-8 without control characters, but for tabs outside
 * values, and without " #" in values; `*at` is the offset of what is not. */
bool config_text_clean(
    struct bytes text, bool is_value, size_t *at, struct error *err) MUST_USE;

/* config_value_format appends a value as a file has it (a list's n-th). */
void config_value_format(const struct config_key *k, const struct config *c,
    size_t n, struct buf *out);

/* config_value_relative is a KEY_PATH's value as a file has it. */
const char *config_value_relative(
    const struct config_key *k, const struct config *c);

/* config_value_count: 1, or how many values a list has. */
size_t config_value_count(const struct config_key *k, const struct config *c);

/* config_value_equal compares one key's values. */
bool config_value_equal(
    const struct config_key *k, const struct config *a, const struct config *b);

/* config_range_format appends the range or the choices, "-" where any value
 * goes: "128MiB to 1TiB", "1 to 600 seconds". */
void config_range_format(const struct config_key *k, struct buf *out);

/* config_address_loopback tells of a valid ADDR:PORT whether only this machine
 * reaches it. */
bool config_address_loopback(const char *address);

#endif
