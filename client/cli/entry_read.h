/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_ENTRY_READ_H
#define MTLOG_CLIENT_CLI_ENTRY_READ_H

#include "client/cli/pinned.h"
#include "core/model/entry.h"
#include "core/model/tle.h"
#include "core/tlog/tlog_proof.h"

/* An entry that a log showed, with its proof. Release. */
struct cli_entry {
	struct tle t;
	struct buf cosigned; /* the checkpoint of `t`, if it came alone */
	struct hash leaf;    /* the leaf hash */
	struct checkpoint head;
	bool from_tiles;
	bool opaque;  /* no signature's entry: of another kind of log */
	bool decoded; /* what follows is there */
	struct entry e;
	struct hash signer; /* SHA-256 of the SPKI */
};

/*
 * cli_entry_read asks for one entry and verifies it: its inclusion under a
 * checkpoint that the log signed, that checkpoint against the pin and, with
 * --policy, the quorum (the log is asked for its cosigned proof if it shows a
 * newer one). A log that has no such call is read by its tiles, as any C2SP log
 * can be. ERR_NOTFOUND "no-entry"; ERR_BADSIG, reasons of tlog_proof_verify;
 * ERR_* of pins_saw, quorum_verify and tiles.h.
 */
bool cli_entry_read(const struct cli_reading *r, uint64_t index,
    struct cli_entry *out, struct error *err) MUST_USE;

/* cli_entry_decode reads the leaf and verifies the signature in it; what is
 * wrong with it is reason "leaf". In a log that is read by its tiles alone there
 * may be anything: what reads as no entry of a signature is `opaque` there. */
bool cli_entry_decode(struct cli_entry *e, struct error *err) MUST_USE;
void cli_entry_release(struct cli_entry *e);

/* cli_entry_proof views the proof as a .tlog-proof has it. */
struct tlog_proof cli_entry_proof(const struct tle *t);

/* cli_entry_put appends a decoded entry: text, or one line of JSON. */
void cli_entry_put(const struct cli_reading *r, const struct cli_entry *e,
    bool json, struct buf *out);

#endif
