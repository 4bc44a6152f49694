/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_LOG_CLIENT_H
#define MTLOG_CLIENT_LIB_LOG_CLIENT_H

#include "client/lib/tile_fetch.h"
#include "core/base/json.h"
#include "core/model/bundle.h"
#include "core/tlog/proof.h"
#include "core/tlog/note.h"

/*
 * A log as its clients see it: addresses, answers and refusals. Nothing that
 * comes back is believed here; who asks, verifies. All calls together end
 * within the time given at the start. Errors: "network", "throttled",
 * "rejected", "server-error"; ERR_LIMIT; ERR_SYNTAX for an answer that is none.
 */
struct log_client;

/* log_client_open: `url` is the log's base, `token` a bearer token or NULL. One
 * thread at a time. ERR_USAGE, ERR_INTERNAL. */
struct log_client *log_client_open(const char *url, const char *token,
    unsigned timeout_ms, struct error *err) MUST_USE;
void log_client_close(struct log_client *c);

/* log_client_renew: the time of the calls that follow begins now. */
void log_client_renew(struct log_client *c, unsigned timeout_ms);

/* log_client_cancel ends the call under way, and those that follow, as if there
 * was no answer. Any thread may call it. */
void log_client_cancel(struct log_client *c);

const char *log_client_url(const struct log_client *c);

/* log_client_get appends the body of a 200 to `out`; 404 is ERR_NOTFOUND.
 * `path` begins with '/'. */
bool log_client_get(struct log_client *c, const char *path, struct buf *out,
    struct error *err) MUST_USE;

/*
 * log_client_tiles has what any C2SP log serves, /checkpoint and /tile/…,
 * fetched by this client and within its time: for tile_fetch_open, whose
 * worker 0 alone may ask. Statuses mean what they mean to tile_fetch_get.
 */
struct tile_source log_client_tiles(struct log_client *c);

/* log_client_silent tells whether a failure means that the log was reached and
 * gave no answer to what mtlogd alone answers: no such address, something else
 * there, an error. Its tiles may say it yet. */
bool log_client_silent(const struct error *why);

/* log_client_post appends the body of a 200 or 201 to `out`. A busy log is
 * asked again while there is time: submitting twice is safe. */
bool log_client_post(struct log_client *c, const char *path, const char *type,
    struct bytes body, struct buf *out, struct error *err) MUST_USE;

/*
 * log_client_bundle submits a bundle and appends the completed one. `spki` is
 * the key of a bundle that has only a hint; else empty.
 */
bool log_client_bundle(struct log_client *c, struct bytes bundle,
    struct bytes spki, struct buf *out, struct error *err) MUST_USE;

/* log_client_envelope appends the payload that the log keeps under S. */
bool log_client_envelope(struct log_client *c, const struct hash *statement,
    struct buf *out, struct error *err) MUST_USE;

/* log_client_consistency asks for the proof from one size to another. */
bool log_client_consistency(struct log_client *c, uint64_t old_size,
    uint64_t new_size, struct proof *out, struct error *err) MUST_USE;

/* What the log says about two of its trees; the roots are its claims. */
struct log_connection {
	struct proof proof;
	bool has_roots;
	struct hash old_root, new_root;
};

/* log_client_connection asks for the proof, with the roots if they are said. */
bool log_client_connection(struct log_client *c, uint64_t old_size,
    uint64_t new_size, struct log_connection *out, struct error *err) MUST_USE;

/* Whether a log has a proof under a checkpoint that its witnesses cosigned. */
enum log_cosigned_state {
	LOG_NO_WITNESSES = 0, /* it has none, or knows of no such proofs */
	LOG_NOT_YET,
	LOG_COSIGNED,
};

struct log_cosigned {
	enum log_cosigned_state state;
	unsigned retry_after; /* seconds; 0: not said */
	struct proof proof;   /* of LOG_COSIGNED, and a signed note */
	struct buf checkpoint;
};

/* log_client_cosigned asks once, for at most `ms`. The checkpoint is appended;
 * its limit is the caller's. */
bool log_client_cosigned(struct log_client *c, uint64_t index, unsigned ms,
    struct log_cosigned *out, struct error *err) MUST_USE;

/* log_client_key asks the log for its own vkey: for first contact only. */
bool log_client_key(struct log_client *c, struct vkey *out, struct error *err)
    MUST_USE;

#endif
