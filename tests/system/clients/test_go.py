#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tessera's client and fsck, and sigstore-go's sign and verify packages (Go)
against a log of ours."""

import concurrent.futures
import os

import clients_common as c

program = os.path.join(c.install("go"), "clients")


def submit(server, count):
    """Entries by several keys, alone and in batches."""
    signer = c.t.Signer()
    requests = [signer.request(os.urandom(16)) for _ in range(count)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        indexes = list(pool.map(server.submit, requests))
    c.t.check(len(set(indexes)) == count, f"{count} entries with an index each")


with c.Scene() as scene:
    submit(scene.server, 130)
    earlier = scene.server.get("/checkpoint")[2].decode()
    # Two full tiles and a partial one.
    submit(scene.server, 500)
    scene.run([program, "tiles", scene.settings(checkpoint=earlier)])
    scene.verify(scene.run([program, "sigstore", scene.settings()]), 12)
    # What sigstore-go has added is there for tile clients, too.
    scene.run([program, "tiles", scene.settings(checkpoint=earlier)])
c.t.finish()
