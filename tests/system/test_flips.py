#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random bit flips in what is stored: entries and tiles (log.db), the
write-ahead log, the guard, the index. Whatever the server then does (refuse to
start, latch, answer 500), it never signs or serves anything wrong. Omissions
from a search are what fsck is for. Flips: MTLOG_FLIPS (150)."""

import base64
import json
import os
import random
import shutil

import mtlog_test as t

FLIPS = int(os.environ.get("MTLOG_FLIPS", "150"))
SEED = int(os.environ.get("MTLOG_SEED", random.randrange(1 << 32)))
FILES = ("db/log.db", "db/log.db-wal", "guard/guard", "db/index.db")
# More than the caches of SQLite hold, and no whole number of tiles.
ENTRIES = 8000
rng = random.Random(SEED)
signer = t.Signer()


class Kept:
    """The sound files, put back in place (same inodes) after each round."""

    def __init__(self, folder):
        self.folder = folder
        self.data = {}
        for name in FILES + ("db/log.db-shm", "db/index.db-wal", "db/index.db-shm"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                with open(path, "rb") as f:
                    self.data[name] = f.read()

    def put_back(self):
        for name, data in self.data.items():
            with open(os.path.join(self.folder, name), "r+b") as f:
                f.write(data)
                f.truncate(len(data))

    def flip(self, name):
        data = self.data[name]
        if not data:
            return None
        # Half of the flips hit what is written, not the empty rest of a page.
        at = rng.randrange(len(data))
        for _ in range(20):
            if data[at] or rng.random() < 0.1:
                break
            at = rng.randrange(len(data))
        with open(os.path.join(self.folder, name), "r+b") as f:
            f.seek(at)
            f.write(bytes([data[at] ^ 1 << rng.randrange(8)]))
        return at


def examine(server, what, leaves, heads, hashes):
    """Every answer is right, or an error: what became of the submission, and
    how many reads were refused."""
    refused = 0
    status, _, body = server.get("/checkpoint")
    if status == 200:
        try:
            size, root = server.vkey.checkpoint(body.decode())
            t.check(heads.get(size) == root, f"{what}: a head of size {size} that was never signed")
        except (ValueError, UnicodeDecodeError) as e:
            t.check(False, f"{what}: checkpoint {e}")
    size = len(leaves)
    for index in rng.sample(range(size), 6):
        status, _, body = server.get(f"/api/v1/entries/{index}")
        if status == 200:
            ok = base64.b64decode(json.loads(body)["canonicalizedBody"]) == leaves[index]
            t.check(ok, f"{what}: entry {index} is served with other bytes")
        else:
            refused += 1
    # Every entry and tile, so that no flip in one goes unseen.
    for n in range((size + 255) // 256):
        end = min(size, 256 * n + 256)
        part = "" if end % 256 == 0 else f".p/{end % 256}"
        for path, want in ((f"/tile/0/{n:03d}{part}", b"".join(hashes[256 * n:end])),
                           (f"/tile/entries/{n:03d}{part}",
                            b"".join(len(x).to_bytes(2, "big") + x for x in leaves[256 * n:end]))):
            status, _, body = server.get(path)
            t.check(status != 200 or body == want, f"{what}: {path} is served wrong")
            refused += status != 200
    request = signer.request(what.encode())
    status, _, body = server.post(request)
    if status == 201:
        answer = json.loads(body)
        index = t.verify_answer(server.vkey, request, answer)
        root = base64.b64decode(answer["inclusionProof"]["rootHash"])
        t.check(index == size and root == t.root_of(hashes + [t.leaf_hash(t.leaf_of(request))]),
                f"{what}: signed a tree that is not ours")
    return status, refused


def main():
    print(f"seed {SEED}, {FLIPS} flips", flush=True)
    outcomes, seen = {}, {}
    with t.Server() as server:
        server.init().start()
        leaves, heads = [], {0: t.root_of([])}
        connection = server.connect()
        batch = [json.dumps(signer.request(b"flip %d" % i)) for i in range(ENTRIES)]
        for part in (batch[i:i + 100] for i in range(0, ENTRIES, 100)):
            status, _, body = server.post("\n".join(part), "/api/v1/batch", connection)
            for line in body.decode().splitlines():
                leaves.append(base64.b64decode(json.loads(line)["canonicalizedBody"]))
        # A start carries all of this from the write-ahead log to log.db, where
        # the flips are to meet it; what comes after it is in the former.
        server.kill()
        t.check(os.path.getsize(os.path.join(server.dir, "db/log.db-wal")) > 200_000, "the batches were in the log")
        server.start()
        t.check(os.path.getsize(os.path.join(server.dir, "db/log.db")) > 200_000, "a start carries them to log.db")
        connection = server.connect()
        for i in range(20):
            request = signer.request(b"single %d" % i)
            server.submit(request, connection)
            leaves.append(t.leaf_of(request))
        hashes = [t.leaf_hash(x) for x in leaves]
        heads[len(leaves)] = t.root_of(hashes)
        t.check(server.checkpoint() == (len(leaves), heads[len(leaves)]), "the log is as it should be")
        server.kill()
        kept = Kept(server.dir)
        for n in range(FLIPS):
            name = FILES[n % len(FILES)]
            # Half of them before the start, half beneath the running server.
            late = n // len(FILES) % 2
            at = None if late else kept.flip(name)
            server.port = None
            server.start(expect_ready=False)
            if late and t.check(server.port is not None, f"no start before flip {n}: {server.tail()}"):
                at = kept.flip(name)
            what = f"flip {n} in {name} at {at}{', late' if late else ''}"
            if server.port is None:
                outcome = "no start"
                t.check(server.process.returncode not in (-11, -6, -7, -8), f"{what}: a crash: {server.tail()}")
            else:
                status, refused = examine(server, what, leaves, heads, hashes)
                outcome = f"{status}" + (", reads refused" if refused else "")
                seen[name] = seen.get(name, 0) + (refused > 0 or status != 201)
                if server.process.poll() is None:
                    server.kill()
                else:
                    t.check(server.process.returncode == 75, f"{what}: exit {server.process.returncode}")
            outcome = f"{name} {'late' if late else 'early'}: {outcome}"
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            for extra in os.listdir(os.path.join(server.dir, "db")):
                if f"db/{extra}" not in kept.data:
                    os.unlink(os.path.join(server.dir, "db", extra))
            kept.put_back()
            seen[name] = seen.get(name, 0) + (server.port is None)
    print(json.dumps(outcomes, indent=1, sort_keys=True), flush=True)
    # Where nothing is ever refused, the flips met nothing.
    for name in ("db/log.db", "db/log.db-wal"):
        t.check(FLIPS < 100 or seen[name] > FLIPS // 20, f"{seen[name]} flips in {name} were seen")
    t.finish()


main()
