/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_STORE_H
#define MTLOG_SERVER_STORE_STORE_H

#include "core/base/buf.h"
#include "core/crypto/hash.h"
#include "core/tlog/tile.h"

/*
 * Where the log's entries and full tiles live. The store is trusted to be
 * durable when it says so and not trusted about contents: whoever reads from
 * it hashes what came back.
 *
 * Contract, checked by tests/server/store/store_contract.h on each backend:
 *  1. One writer thread calls append/truncate/settle/compact; any number of
 *     store_reader handles read at the same time, each used by one thread at
 *     a time. A reader never waits for the writer.
 *  2. When store_append returns true, entries and tiles are durable, all or
 *     none. When it fails with ERR_UNAVAILABLE (reason "disk-full") nothing
 *     was written and the caller may go on; any other failure means *unknown*:
 *     the store latches, every later write fails, the process has to restart.
 *  3. A reader opened or used after an append returned sees that append.
 *  4. Entries are numbered from 0 without holes.
 *  5. An envelope is kept once, whatever number of entries log it; it and the
 *     link from its entry are in the batch of that entry, or in a later one.
 *     Links are numbered from 1 in the order in which they became known.
 */

/* A tile that became full in this batch. */
struct store_tile {
	uint8_t level;
	uint64_t index;
	const uint8_t *hashes; /* TILE_WIDTH * HASH_LEN bytes */
};

/*
 * A link: entry `index` logs the envelope with this S, and is the first of its
 * signer that was submitted with it. The envelope is stored by payload type and
 * payload alone: its signatures are in the entries.
 */
struct store_link {
	uint64_t id; /* from store_append: 0 if there is one already, or if the
			envelope was dropped: nothing was written then */
	uint64_t index;
	struct hash signer; /* SHA-256 of the SPKI */
	struct hash s;	    /* SHA-256 of the PAE */
	uint8_t sha384[48]; /* of the PAE, too: leaves of P-384 keys have it */
	uint8_t sha512[64]; /* and those of P-521 and Ed25519 keys this one */
	bool dropped;	    /* the operator dropped it; type, payload empty */
	struct bytes type, payload;
};

/* What one batch writes. `leaves[i]` becomes entry `first + i`. Links may be
 * to entries of this batch or earlier ones, also when `count` is 0. */
struct store_batch {
	uint64_t first;
	size_t count;
	const struct bytes *leaves;
	size_t tile_count;
	const struct store_tile *tiles;
	size_t link_count;
	struct store_link *links; /* `id` is set */
};

/* An envelope as read; its bytes are in the buffers. */
struct store_envelope {
	struct buf type, payload;
};

/* How many envelopes there are. */
struct store_envelopes {
	uint64_t kept, dropped;
	uint64_t alone; /* without a link: there should be none */
};

struct store;
struct store_reader;

/* A backend. All functions follow the contract above. */
struct store_backend {
	const char *name;
	/* open an existing log store; create makes an empty one (ERR_CONFLICT
	 * if there is one), durable with its folder when it returns. */
	bool (*create)(const char *dir, struct error *err);
	struct store *(*open)(
	    const char *dir, bool read_only, struct error *err);
	void (*close)(struct store *s);
	/* how many entries are there */
	bool (*size)(struct store *s, uint64_t *out, struct error *err);
	/* an identity that a copy does not share (the inode number) */
	bool (*identity)(struct store *s, uint64_t *out, struct error *err);
	bool (*append)(struct store *s, const struct store_batch *batch,
	    struct error *err);
	/* start-up only: drop all entries >= size, tiles beyond it, links from
	 * these entries and envelopes that have no link then */
	bool (*truncate)(struct store *s, uint64_t size, struct error *err);
	/* start-up only: everything readable is durable when this returns
	 * (spec: wal_checkpoint(TRUNCATE) with busy = 0) */
	bool (*settle)(struct store *s, struct error *err);
	/* between batches: keep the write-ahead log small; cheap when it is */
	bool (*compact)(struct store *s, struct error *err);
	/* fsck --repair: replace one tile */
	bool (*put_tile)(
	    struct store *s, const struct store_tile *tile, struct error *err);
	/* `mtlogd envelope drop`: erase type and payload, leave the rest, for
	 * ever. ERR_NOTFOUND: no such envelope, or dropped already. */
	bool (*drop_envelope)(
	    struct store *s, const struct hash *digest, struct error *err);

	struct store_reader *(*reader_open)(struct store *s, struct error *err);
	void (*reader_close)(struct store_reader *r);
	/*
	 * Calls `each` for entries first..first+count-1 in order; the leaf is
	 * borrowed for the call. A missing entry is ERR_IO (an error is never
	 * an absence). `each` returning false ends the scan with its `err`.
	 */
	bool (*read_entries)(struct store_reader *r, uint64_t first,
	    uint64_t count,
	    bool (*each)(void *arg, uint64_t index, struct bytes leaf,
		struct error *err),
	    void *arg, struct error *err);
	/* one full tile's TILE_WIDTH hashes; missing is ERR_IO */
	bool (*read_tile)(struct store_reader *r, uint8_t level, uint64_t index,
	    struct hash out[TILE_WIDTH], struct error *err);
	/*
	 * The envelope whose PAE has this digest (32, 48 or 64 bytes of SHA-2),
	 * if an entry below `size` is linked to it. ERR_NOTFOUND, reason
	 * "no-such-envelope" or "envelope-dropped". `out` may be NULL.
	 */
	bool (*read_envelope)(struct store_reader *r, struct bytes digest,
	    uint64_t size, struct store_envelope *out, struct error *err);
	/* the entry that links `signer` to the envelope `s`; ERR_NOTFOUND,
	 * reason "no-such-envelope" if there is none */
	bool (*find_link)(struct store_reader *r, const struct hash *s,
	    const struct hash *signer, uint64_t *index, struct error *err);
	/* all links with id > after, by id, as read_entries gives entries */
	bool (*read_links)(struct store_reader *r, uint64_t after,
	    bool (*each)(
		void *arg, const struct store_link *link, struct error *err),
	    void *arg, struct error *err);
	bool (*count_envelopes)(struct store_reader *r,
	    struct store_envelopes *out, struct error *err);
};

extern const struct store_backend store_sqlite;
extern const struct store_backend store_memory; /* for tests; dir is unused */

#endif
