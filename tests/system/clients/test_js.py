#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""@sigstore/sign and @sigstore/verify (npm) against a log of ours: with a key
alone, and the whole flow with certificate and time stamp."""

import os

import clients_common as c
from cryptography.hazmat.primitives import serialization
from fulcio_tsa import Authority, pem

place = c.install("js")
with c.Scene() as scene:
    publisher = Authority("a publisher")
    settings = scene.settings(
        certificate=pem(publisher.certificate),
        key=publisher.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()).decode(),
        publicKey=publisher.key.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo).decode())
    bundles = scene.run(["node", os.path.join(c.HERE, "js", "clients.mjs"), settings],
                        c.environment(CLIENTS=place))
    scene.verify(bundles, 24)
c.t.finish()
