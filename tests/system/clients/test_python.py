#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sigstore (PyPI) against a log of ours: the whole flow with certificate and
time stamp, for messages and envelopes."""

import os

import clients_common as c

python = os.path.join(c.install("python"), "venv", "bin", "python")
with c.Scene() as scene:
    bundles = scene.run([python, os.path.join(c.HERE, "python", "clients.py"),
                         scene.settings()])
    scene.verify(bundles, 10)
c.t.finish()
