#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A log of tessera's (Go), with its own witness client, that publishes nothing
which our witness has not cosigned."""

import json
import os
import subprocess
import tempfile

import clients_common as c
import witness_test as w

program = os.path.join(c.install("go"), "clients")

with tempfile.TemporaryDirectory(prefix="mtlog-tessera-") as folder, w.Witness() as witness:
    log = w.Log("tessera.test.example")
    seed = log.key.private_bytes(
        w.serialization.Encoding.Raw, w.serialization.PrivateFormat.Raw, w.serialization.NoEncryption())
    c.t.check(witness.add(log).returncode == 0, "add-log")
    witness.start()
    settings = os.path.join(folder, "settings.json")
    with open(settings, "w") as f:
        json.dump({"url": f"http://127.0.0.1:{witness.port}", "vkey": witness.key.text,
                   "key": f"PRIVATE+KEY+{log.name}+{log.identity.hex()}+{c.t.b64(bytes([1]) + seed)}",
                   "folder": os.path.join(folder, "log")}, f)
    run = subprocess.run([program, "witnessed", settings], capture_output=True, text=True, timeout=c.LIMIT)
    c.t.check(run.returncode == 0, run.stderr[-500:])
    sizes = []
    for line in map(json.loads, run.stdout.splitlines()):
        if "check" in line:
            c.t.check(line["ok"], f"{line['check']}: {line['detail']}")
            continue
        note = line["checkpoint"]
        text, _, lines = note.rpartition("\n\n")
        size, _ = c.t.Vkey(log.vkey).checkpoint(note)
        c.t.check(size > line["index"], f"entry {line['index']} in a tree of {size}")
        c.t.check(witness.key.time(text + "\n", lines) > 0, "cosigned")
        sizes.append(size)
    c.t.check(len(sizes) == 12 and sizes == sorted(sizes), f"sizes: {sizes}")
    shown = witness.shown(log)
    c.t.check(shown and shown[0] >= sizes[-1], f"the witness shows {shown}")
    c.t.check(witness.stop() == 0, "TERM")
    print(f"{len(set(sizes))} checkpoints cosigned", flush=True)
c.t.finish()
