#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments under load. After every restart: ready in under a
second, every head ever shown is consistent with the current one, every
acknowledged entry is at its index. Rounds: MTLOG_ROUNDS (20)."""

import base64
import json
import random
import threading
import time

import mtlog_test as t

ROUNDS = int(t.os.environ.get("MTLOG_ROUNDS", "20"))
SEED = int(t.os.environ.get("MTLOG_SEED", random.randrange(1 << 32)))
THREADS = 6


class Load(threading.Thread):
    """Submits until the server goes away; keeps what was acknowledged."""

    def __init__(self, server, signer, name):
        super().__init__(daemon=True)
        self.server, self.signer, self.prefix = server, signer, name
        self.acked, self.bad, self.n = [], [], 0

    def run(self):
        try:
            connection = self.server.connect(timeout=10)
            while True:
                self.n += 1
                request = self.signer.request(f"{self.prefix}-{self.n}".encode())
                status, _, body = self.server.post(request, connection=connection)
                if status != 201:
                    if status != 503:
                        self.bad.append((status, body[:200]))
                    continue
                self.acked.append((request, json.loads(body)))
        except (OSError, t.http.client.HTTPException):
            pass


def bundle_leaves(server, size):
    """Every leaf of the log, out of its entry bundles."""
    leaves = []
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        path = f"/tile/entries/{n:03d}" + (f".p/{width}" if width < 256 else "")
        status, _, body = server.get(path)
        if status != 200:
            raise RuntimeError(f"{path}: {status}")
        at = 0
        while at < len(body):
            length = int.from_bytes(body[at:at + 2], "big")
            leaves.append(body[at + 2:at + 2 + length])
            at += 2 + length
    return leaves


def main():
    print(f"seed {SEED}, {ROUNDS} rounds", flush=True)
    rng = random.Random(SEED)
    signer = t.Signer()
    heads, acked, slowest = {}, {}, 0.0
    with t.Server() as server:
        server.init()
        for number in range(ROUNDS):
            server.start()
            slowest = max(slowest, server.ready_after)
            size, root = server.checkpoint()
            for old, old_root in list(heads.items())[-50:]:
                t.check(old <= size, f"round {number}: size {size} after {old}")
                t.check(t.consistent(old, size, server.consistency(old, size), old_root, root),
                        f"round {number}: {old} and {size} are not consistent")
            heads[size] = root
            loads = [Load(server, signer, f"{SEED}-{number}-{i}") for i in range(THREADS)]
            for load in loads:
                load.start()
            time.sleep(rng.uniform(0.02, 0.6))
            server.kill()
            for load in loads:
                load.join(timeout=20)
                t.check(not load.is_alive(), "a client hangs")
                t.check(not load.bad, f"unexpected answers: {load.bad[:2]}")
                for request, answer in load.acked:
                    index = t.verify_answer(server.vkey, request, answer)
                    t.check(index not in acked or acked[index] == t.leaf_of(request),
                            f"index {index} was handed out twice")
                    acked[index] = t.leaf_of(request)
                    p = answer["inclusionProof"]
                    head = base64.b64decode(p["rootHash"])
                    known = heads.setdefault(int(p["treeSize"]), head)
                    t.check(known == head, f"two roots at size {p['treeSize']}")
        server.start()
        slowest = max(slowest, server.ready_after)
        size, root = server.checkpoint()
        leaves = bundle_leaves(server, size)
        t.check(len(leaves) == size, "bundles do not hold the whole log")
        t.check(t.root_of([t.leaf_hash(x) for x in leaves]) == root, "the entries do not give the root")
        for index, leaf in acked.items():
            t.check(index < size and leaves[index] == leaf, f"acknowledged entry {index} is not there")
        for old, old_root in heads.items():
            t.check(t.consistent(old, size, server.consistency(old, size), old_root, root),
                    f"head {old} is not consistent with {size}")
        t.check(server.stop() == 0, "clean stop")
        result = server.fsck()
        t.check(result.returncode == 0, f"fsck: {result.stdout}{result.stderr}")
        t.check(slowest < 1.0 or "asan" in t.BUILD, f"ready only after {slowest:.2f} s")
    print(f"{ROUNDS} kills, {len(acked)} entries acknowledged, {len(heads)} heads seen, "
          f"slowest start {slowest * 1000:.0f} ms", flush=True)
    t.check(len(acked) > ROUNDS, "too little load to mean anything")
    t.finish()


main()
