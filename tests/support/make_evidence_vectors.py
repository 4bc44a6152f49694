#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/evidence: two heads of one log that contradict each
other, made without core/tlog. Needs the Python package cryptography.

usage: make_evidence_vectors.py tests/vectors
"""

import base64
import hashlib
import os
import re
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORIGIN = "log.example"
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"evidence").digest())
PREAMBLE = """mtlog-evidence/1
# A transparency log signed two heads that contradict each other: it has
# forked. To check it: both notes below are signed by the log's key; at
# equal sizes their roots differ; at different sizes `root` is another
# root than the smaller note has, and the `hash` lines are a consistency
# proof (RFC 6962, 2.1.2) from that root to the larger note's.
# mtlog inspect FILE does all of this.
"""


def sha256(data):
    return hashlib.sha256(data).digest()


def split(n):
    return 1 << ((n - 1).bit_length() - 1)


def root(entries):
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0])
    k = split(len(entries))
    return sha256(b"\x01" + root(entries[:k]) + root(entries[k:]))


def subproof(m, entries, whole):
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if m == len(entries):
        return [] if whole else [root(entries)]
    k = split(len(entries))
    if m <= k:
        return subproof(m, entries[:k], whole) + [root(entries[k:])]
    return subproof(m - k, entries[k:], False) + [root(entries[:k])]


def b64(data):
    return base64.b64encode(data).decode()


def public_key():
    return b"\x01" + KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def key_id():
    return sha256(ORIGIN.encode() + b"\n" + public_key())[:4]


def note(entries):
    text = f"{ORIGIN}\n{len(entries)}\n{b64(root(entries))}\n"
    return f"{text}\n\u2014 {ORIGIN} {b64(key_id() + KEY.sign(text.encode()))}\n"


def evidence(smaller, larger):
    proof = ""
    if len(smaller) < len(larger):
        m = len(smaller)
        proof = f"root {b64(root(larger[:m]))}\n"
        proof += "".join(f"hash {b64(h)}\n" for h in subproof(m, larger, True))
    notes = note(smaller), note(larger)
    return PREAMBLE + f"vkey {ORIGIN}+{key_id().hex()}+{b64(public_key())}\n" + proof + \
        "".join(f"{word} {len(n.encode())}\n{n}" for word, n in zip(("smaller", "larger"), notes))


def main():
    folder = os.path.join(sys.argv[1], "evidence")
    ours = [str(i).encode() for i in range(20)]
    theirs = ours[:5] + [b"another"] + ours[6:]
    two, equal = evidence(ours[:7], theirs), evidence(ours, theirs)
    vectors = {
        "valid-two-sizes": two,
        "valid-equal-sizes": equal,
        "invalid-cut": two[:-1],
        "invalid-empty": "",
        "invalid-hash-base64": re.sub("\nhash .", "\nhash !", two, count=1),
        "invalid-hash-without-root": re.sub("\nroot .*", "", two),
        "invalid-leading-zero": two.replace("smaller ", "smaller 0"),
        "invalid-long-note": re.sub("smaller [0-9]+", "smaller 262145", two),
        "invalid-no-vkey": re.sub("\nvkey .*", "", two),
        "invalid-notes-swapped": two.replace("smaller ", "x ").replace("larger ", "smaller ").replace("x ", "larger "),
        "invalid-preamble": two.replace("it has\n", "it had\n"),
        "invalid-short-root": re.sub("\nroot ....", "\nroot ", two),
        "invalid-trailing": two + "\n",
        "invalid-unsigned-note": re.sub("\n\u2014 .*\n$", "\n", two),
    }
    os.makedirs(folder, exist_ok=True)
    for name, text in vectors.items():
        with open(os.path.join(folder, name + ".txt"), "w", encoding="utf-8", newline="") as out:
            out.write(text)


main()
