/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_keys.h"

#include "core/base/nearest.h"

#define AT(field) offsetof(struct config, field)
#define MIB	  (1ull << 20)
#define GIB	  (1ull << 30)

/* The one table of keys: file, environment, flags, help and manual follow. */
const struct config_key config_keys[CONFIG_KEYS] = {
    {"origin", KEY_ORIGIN, AT(origin), "",
	.help = "the log's name: origin of checkpoints and name of its key"},
    {"listen", KEY_ADDRESS, AT(listen), "127.0.0.1:8080",
	.help = "address and port of the log; port 0 takes a free one"},
    {"url", KEY_URL, AT(url), "", .optional = true,
	.help = "how clients reach the log; empty: http:// and the address"},
    {"metrics-listen", KEY_ADDRESS, AT(metrics_listen), "", .optional = true,
	.help = "address and port of the Prometheus metrics; empty: none"},
    {"database", KEY_PATH, AT(database), "db",
	.help = "folder of the log's database files"},
    {"guard", KEY_PATH, AT(guard), "guard/guard",
	.help = "the signer's memory of the last signed checkpoint"},
    {"guard-copy", KEY_PATHS, AT(guard_copies), "", .optional = true,
	.help = "a second guard, on another disk"},
    {"key", KEY_PATH, AT(key), "key.pem",
	.help = "file of the log's private key, PEM"},
    {"key-passphrase-file", KEY_PATH, AT(key_passphrase_file), "",
	.optional = true,
	.help = "file whose first line decrypts the key; empty: not encrypted"},
    {"former-log", KEY_VKEYS, AT(former_logs), "", .optional = true,
	.help = "vkey of a log that this one follows; stays trusted"},
    {"admit", KEY_CHOICE, AT(admit), "anyone", .choices = "anyone rules",
	.help = "whose submissions are taken: anyone's with a valid signature, "
		"or by the rules below"},
    {"admit-key", KEY_SIGNERS, AT(admit_keys), "", .optional = true,
	.max = CONFIG_LIST_MAX,
	.help = "a signer's key: SHA-256 of its SPKI in hex, or a PEM file"},
    {"admit-identity", KEY_IDENTITIES, AT(admit_identities), "",
	.optional = true, .max = CONFIG_LIST_MAX,
	.help = "a certificate's name and its roots: TYPE:VALUE [issuer=URL] "
		"PEM"},
    {"admit-token", KEY_TOKENS, AT(admit_tokens), "", .optional = true,
	.max = CONFIG_LIST_MAX,
	.help = "a submitter's token: NAME, NAME/* or *, entries a day, file"},
    {"envelope-quota", KEY_SIZE, AT(envelope_quota), "256MiB", .min = 0,
	.max = 1ull << 50,
	.help = "envelopes kept for one address, and one signer, a day"},
    {"public-submissions", KEY_YES_NO, AT(public_submissions), "no",
	.help = "yes: anyone may submit on an address that is not loopback"},
    {"trusted-proxy", KEY_PROXIES, AT(trusted_proxies), "", .optional = true,
	.help = "proxy whose X-Forwarded-For counts: ADDR or ADDR/BITS"},
    {"low-water", KEY_SIZE, AT(low_water), "256MiB", .reload = true,
	.min = CONFIG_LOW_WATER_MIN, .max = 1ull << 50,
	.help = "free disk space below which the log is read-only"},
    {"queue-entries", KEY_COUNT, AT(queue_entries), "8192", .min = 16,
	.max = 1000000, .unit = "entries",
	.help = "how many entries may wait for the sequencer"},
    {"queue-bytes", KEY_SIZE, AT(queue_bytes), "32MiB", .min = MIB,
	.max = 4 * GIB, .help = "bytes of entries that may wait"},
    {"batch-max", KEY_COUNT, AT(batch_max), "1024", .min = 1, .max = 8192,
	.unit = "entries", .help = "most entries in one commit"},
    {"gather", KEY_MILLISECONDS, AT(gather_ms), "3", .min = 0, .max = 50,
	.help = "how long a batch grows when more than a handful wait"},
    {"submit-timeout", KEY_SECONDS, AT(submit_timeout_ms), "20", .min = 1,
	.max = 600, .help = "time until a submission is answered 504"},
    {"request-timeout", KEY_SECONDS, AT(request_timeout_ms), "10", .min = 1,
	.max = 600, .help = "time in which a request must arrive whole"},
    {"idle-timeout", KEY_SECONDS, AT(idle_timeout_ms), "60", .min = 1,
	.max = 3600, .help = "time for which an idle connection is kept"},
    {"max-connections", KEY_COUNT, AT(max_connections), "8192", .min = 8,
	.max = 65536, .unit = "connections", .help = "connections in all"},
    {"max-connections-per-client", KEY_COUNT, AT(max_connections_per_client),
	"0", .min = 0, .max = 65536, .unit = "connections",
	.help = "connections of one address (IPv6: one /64); 0: no limit"},
    {"max-body", KEY_SIZE, AT(max_body), "1MiB", .min = 4096, .max = 16 * MIB,
	.help = "largest body of a request"},
    {"workers", KEY_COUNT, AT(workers), "0", .min = 0, .max = 64,
	.unit = "threads",
	.help = "threads that verify submissions; 0: one a processor"},
    {"http-threads", KEY_COUNT, AT(http_threads), "2", .min = 1, .max = 64,
	.unit = "threads", .help = "threads that serve connections"},
    {"cache-size", KEY_SIZE, AT(cache_size), "48MiB", .min = MIB,
	.max = 64 * GIB, .help = "memory for tiles and entry bundles"},
    {"log-format", KEY_CHOICE, AT(log_format), "text", .reload = true,
	.choices = "text json journal",
	.help = "form of the lines on standard error"},
    {"log-level", KEY_CHOICE, AT(log_level), "info", .reload = true,
	.choices = "error warn info debug",
	.help = "least grave event that is written"},
    {"witness-mode", KEY_CHOICE, AT(witness_mode), "off",
	.choices = "off open required",
	.help = "whether the checkpoint, or every answer, waits for witnesses"},
    {"witness-policy", KEY_PATH, AT(witness_policy), "", .optional = true,
	.help = "file of witnesses, groups and their quorum (tlog-policy)"},
    {"witness-interval", KEY_MILLISECONDS, AT(witness_interval_ms), "1000",
	.min = 50, .max = 3600000,
	.help = "least time between two requests to one witness"},
    {"witness-timeout", KEY_SECONDS, AT(witness_timeout_ms), "5", .min = 1,
	.max = 60, .help = "time in which a witness must have answered"},
    {"witness-option", KEY_WITNESSES, AT(witness_options), "", .optional = true,
	.max = CONFIG_LIST_MAX,
	.help = "for one witness: NAME [interval=MS] [timeout=S] "
		"[monitoring=URL]"},
};

bool
config_key_repeats(const struct config_key *k)
{
	return k->kind == KEY_PROXIES || k->kind == KEY_PATHS ||
	    k->kind == KEY_VKEYS || k->kind == KEY_SIGNERS ||
	    k->kind == KEY_IDENTITIES || k->kind == KEY_TOKENS ||
	    k->kind == KEY_WITNESSES;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How much of a text a message shows; no character is cut. */
static int
shown(struct bytes text)
{
	size_t n = least(text.len, CONFIG_NAME_MAX);

	while (n > 0 && n < text.len && (text.ptr[n] & 0xc0) == 0x80)
		n--;
	return (int)n;
}

const struct config_key *
config_key_find(struct bytes name, struct error *err)
{
	const char *names[CONFIG_KEYS + 1];
	const char *near;

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		if (bytes_equal(name, bytes_str(config_keys[i].name)))
			return &config_keys[i];
		names[i] = config_keys[i].name;
	}
	names[CONFIG_KEYS] = NULL;
	near = nearest_word(name, names);
	if (near)
		(void)error_set(err, ERR_SYNTAX,
		    "unknown key \"%.*s\"; did you mean \"%s\"?", shown(name),
		    name.ptr, near);
	else
		(void)error_set(err, ERR_SYNTAX,
		    "unknown key \"%.*s\"; mtlogd.conf(5) lists the keys",
		    shown(name), name.len > 0 ? (const char *)name.ptr : "");
	return NULL;
}
