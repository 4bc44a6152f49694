#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""model_signing (PyPI): what it signs, mtlog verifies and logs; what mtlog
signs, it verifies; with keys and with certificates, for a SavedModel, a
safetensors folder with shards, a GGUF and an ONNX file, all made here."""

import datetime
import json
import os
import struct
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import clients_common as c

t = c.t
STOCK = os.path.join(c.install("model_signing"), "venv", "bin", "model_signing")
SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
MTLOG = os.environ.get("MTLOG", os.path.join(os.environ.get("BUILD", os.path.join(SOURCE, "build")), "mtlog"))


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def safetensors(name, count):
    header = json.dumps({name: {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}).encode()
    return struct.pack("<Q", len(header)) + header + os.urandom(4 * count)


def make_models(work):
    """Folders and single files, by name; the same bytes a framework writes at
    the start of each format."""
    folders = {
        "saved_model": {"saved_model.pb": b"\x08\x01\x12\x00", "variables/variables.index": os.urandom(64),
                        "variables/variables.data-00000-of-00001": os.urandom(4096), "fingerprint.pb": os.urandom(16)},
        "sharded": {"model-00001-of-00002.safetensors": safetensors("a", 500),
                    "model-00002-of-00002.safetensors": safetensors("b", 700),
                    "model.safetensors.index.json": b'{"weight_map":{}}', "unet/x": b"1", "unet-2/x": b"2", "unet.json": b"{}",
                    "empty": b""},
    }
    for name, files in folders.items():
        for file, data in files.items():
            write(os.path.join(work, name, file), data)
    write(os.path.join(work, "model.gguf"), b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + os.urandom(256))
    write(os.path.join(work, "model.onnx"), b"\x08\x08\x12\x07pytorch" + os.urandom(256))
    return ("saved_model", "sharded"), ("model.gguf", "model.onnx")


def certificate(subject, key, issuer, issuer_key, ca):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
               .not_valid_after(now + datetime.timedelta(days=30))
               .add_extension(x509.BasicConstraints(ca, None), True)
               .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False))
    if not ca:
        builder = (builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
                   .add_extension(x509.SubjectAlternativeName([x509.RFC822Name("release@models.example")]), False))
    return builder.sign(issuer_key, hashes.SHA256())


def make_certificates(work):
    name = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in ("root", "intermediate", "leaf")]
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in name]
    chain = [certificate(name[0], keys[0], name[0], keys[0], True), certificate(name[1], keys[1], name[0], keys[0], True),
             certificate(name[2], keys[2], name[1], keys[1], False)]
    for one, cert in zip(("root", "intermediate", "leaf"), chain):
        write(os.path.join(work, one + ".crt"), cert.public_bytes(serialization.Encoding.PEM))
    write(os.path.join(work, "leaf.key"), keys[2].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def run(work, what, *command, want=0):
    r = subprocess.run(command, cwd=work, capture_output=True, text=True)
    t.check(r.returncode == want, f"{what}: exit {r.returncode}: {r.stdout[-300:]} {r.stderr[-300:]}")


def both_ways(work, model, single, log):
    """One model: each tool signs, the other verifies; a change is refused."""
    ours, theirs = f"{model}.ours", f"{model}.theirs"
    dot = ["--dot-name"] if single else []
    methods = {
        "key": (["--key", "k"], ["--key", "k.pub"], ["key", "--private_key", "k"], ["key", "--public_key", "k.pub"]),
        "certificate": (["--key", "leaf.key", "--certificate", "leaf.crt", "--chain", "intermediate.crt"],
                        ["--ca", "root.crt", "--identity", "email:release@models.example"],
                        ["certificate", "--private_key", "leaf.key", "--signing_certificate", "leaf.crt",
                         "--certificate_chain", "intermediate.crt"],
                        ["certificate", "--certificate_chain", "root.crt"]),
    }
    for method, (sign, trust, stock_sign, stock_trust) in methods.items():
        what = f"{model} {method}"
        run(work, f"{what}: mtlog signs", MTLOG, "sign", *sign, *dot, "--name", "acme/m", "--signature", ours, model)
        run(work, f"{what}: it verifies", STOCK, "verify", stock_trust[0], model, "--signature", ours, *stock_trust[1:])
        run(work, f"{what}: it signs", STOCK, "sign", stock_sign[0], model, "--signature", theirs, *stock_sign[1:])
        run(work, f"{what}: mtlog verifies", MTLOG, "verify", *trust, "--logged=off", "--signature", theirs, model)
        key = ["--key", "k.pub"] if method == "key" else []
        run(work, f"{what}: mtlog logs", MTLOG, "submit", "--yes", *log, *key, theirs)
        run(work, f"{what}: proven", MTLOG, "verify", *trust, "--log", log[3], "--signature", theirs, model)
        run(work, f"{what}: it verifies what was logged", STOCK, "verify", stock_trust[0], model, "--signature", theirs, *stock_trust[1:])
        path = os.path.join(work, model if single else os.path.join(model, sorted(os.listdir(os.path.join(work, model)))[0]))
        if os.path.isdir(path):
            path = os.path.join(path, os.listdir(path)[0])
        with open(path, "r+b") as f:
            data = f.read()
            f.write(b"!")
        run(work, f"{what}: changed", MTLOG, "verify", *trust, "--log", log[3], "--signature", theirs, model, want=10)
        write(path, data)


def main():
    with t.Server() as server:
        server.init().start()
        work = os.path.join(server.root, "models")
        os.mkdir(work)
        folders, files = make_models(work)
        make_certificates(work)
        run(work, "key", MTLOG, "key", "new", "--out", "k")
        log = ["--log", f"http://127.0.0.1:{server.port}", "--vkey", os.path.join(server.dir, "vkey")]
        for model in folders:
            both_ways(work, model, False, log)
        for model in files:
            both_ways(work, model, True, log)


main()
t.finish()
