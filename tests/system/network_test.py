# SPDX-License-Identifier: Apache-2.0
"""What the tests of a whole network share: a log, three witnesses of which two
are a quorum, a publisher, a loader, an auditor and a monitor, all of them the
real programs, on loopback."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

import mtlog_test as t
import witness_test as w

MTLOG = w.MTLOG
NAMES = ("w1.example", "w2.example", "w3.example")


class Network:
    """`clocks` (clock_test.py), one for each, are the witnesses' own."""

    def __init__(self, mode, clocks=None):
        self.root = tempfile.mkdtemp(prefix="mtlog-network-")
        self.log = t.Server(os.path.join(self.root, "log")).init()
        self.witnesses = [w.Witness(os.path.join(self.root, n), n) for n in NAMES]
        for one, clock in zip(self.witnesses, clocks or [contextlib.nullcontext()] * len(NAMES)):
            one.add(self.log.vkey.text.strip())
            with clock.worn() if clocks else clock:
                one.start()
        with open(os.path.join(self.log.dir, "witnesses"), "w", encoding="utf-8") as f:
            f.write(self.quorum(urls=True))
        with open(os.path.join(self.log.dir, "mtlogd.conf"), "a", encoding="utf-8") as f:
            f.write(f"witness-mode = {mode}\nwitness-policy = witnesses\nwitness-interval = 50\n"
                    "witness-timeout = 1\n")
        self.key = os.path.join(self.root, "key")
        self.mtlog("key", "new", "--out", self.key)
        spki = next(l for l in self.mtlog("key", "show", self.key + ".pub").splitlines() if "signer NAME key " in l)
        self.policy = self.write("policy", f"log {self.log.vkey.text.strip()}\n" + self.quorum()
                                 + "mtlog-policy 1\n" + spki[spki.index("signer"):].replace("NAME", "ci")
                                 + "\nmodel acme/*\n  signed-by ci\n")
        self.models = 0

    def quorum(self, urls=False):
        lines = "".join(f"witness {x.key.name} {x.key.text}" + (f" http://127.0.0.1:{x.port}\n" if urls else "\n")
                        for x in self.witnesses)
        return lines + "group two 2 " + " ".join(NAMES) + "\nquorum two\n"

    def write(self, name, text):
        path = os.path.join(self.root, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def mtlog(self, *words, expect=0):
        done = subprocess.run([MTLOG, *words], capture_output=True, text=True, timeout=120)
        wanted = expect if isinstance(expect, tuple) else (expect,)
        t.check(done.returncode in wanted,
                f"mtlog {' '.join(words[:3])}: exit {done.returncode}, not {expect}: {done.stdout}{done.stderr}")
        return done.stdout

    def url(self):
        return f"http://127.0.0.1:{self.log.port}"

    def model(self):
        self.models += 1
        folder = os.path.join(self.root, f"model{self.models}")
        os.mkdir(folder)
        with open(os.path.join(folder, "weights.bin"), "wb") as f:
            f.write(os.urandom(1000))
        return folder

    def publish(self, folder=None, expect=0, wait="10"):
        folder = folder or self.model()
        self.mtlog("publish", "--key", self.key, "--log", self.url(), "--vkey", self.log.vkey.text.strip(),
                   "--wait", wait, "--name", f"acme/m{self.models}", "--yes", folder, expect=expect)
        return folder

    def verify(self, folder, *words, expect=0, policy=None):
        return self.mtlog("verify", "--policy", policy or self.policy, "--name", "acme/" + os.path.basename(folder)[0]
                          + os.path.basename(folder)[5:], *words, folder, expect=expect)

    def audit(self, *words, expect=0):
        return self.mtlog("audit", "--log", self.log.vkey.text.strip(), "--url", self.url(), "--entries", *words,
                          expect=expect)

    def monitor(self, *words, expect=0):
        rules = self.write("rules", "model acme/*\n")
        out = self.mtlog("monitor", "--log", self.log.vkey.text.strip(), "--url", self.url(), "--state",
                         os.path.join(self.root, "monitor"), "--rules", rules, "--once", "--json", *words,
                         expect=expect)
        return [json.loads(line) for line in out.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.witnesses:
            one.__exit__()
        self.log.remove()
        shutil.rmtree(self.root, ignore_errors=True)
