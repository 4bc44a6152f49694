# SPDX-License-Identifier: Apache-2.0
"""sigstore (PyPI) against a log of ours: signs, logs and verifies through a
trust configuration, as its users do. What it prints is read by
clients_common.py.

usage: clients.py SETTINGS.json"""

import base64
import copy
import json
import sys

from sigstore import dsse
from sigstore.errors import Error
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

ARTIFACT = b"weights of a model"
PREDICATE = "https://test.example/predicate"


def say(line):
    print(json.dumps(line), flush=True)


def check(what, ok, detail=""):
    say({"check": f"sigstore-python: {what}", "ok": bool(ok), "detail": str(detail)})


def told(what, bundle, artifact=b""):
    say({"what": what, "bundle": json.loads(bundle.to_json()),
         "artifact": base64.b64encode(artifact).decode()})


def accepts(what, call):
    try:
        call()
        check(what, True)
    except Error as e:
        check(what, False, f"{e!r}")


def refuses(what, call):
    """Refused by a verdict: any other exception would be a fault of the test."""
    try:
        call()
        check(f"{what} is refused", False, "it was accepted")
    except Error:
        check(f"{what} is refused", True)


def flip(text, at):
    data = bytearray(base64.b64decode(text))
    data[at] ^= 1
    return base64.b64encode(data).decode()


def entry_of(document):
    return document["verificationMaterial"]["tlogEntries"][0]


def another_signature(document):
    message = document.get("messageSignature")
    if message:
        message["signature"] = flip(message["signature"], -1)
    else:
        signature = document["dsseEnvelope"]["signatures"][0]
        signature["sig"] = flip(signature["sig"], -1)


def another_leaf(document):
    entry = entry_of(document)
    leaf = base64.b64decode(entry["canonicalizedBody"])
    entry["canonicalizedBody"] = base64.b64encode(
        leaf.replace(b'"0.0.2"', b'"0.0.2" ')).decode()


def another_proof(document):
    hashes = entry_of(document)["inclusionProof"]["hashes"]
    hashes[0] = flip(hashes[0], 5)


def another_checkpoint(document):
    checkpoint = entry_of(document)["inclusionProof"]["checkpoint"]
    checkpoint["envelope"] = checkpoint["envelope"].replace("\n", "\n1", 1)


def another_log(document):
    log = entry_of(document)["logId"]
    log["keyId"] = flip(log["keyId"], 0)


def no_entry(document):
    document["verificationMaterial"]["tlogEntries"] = []


def no_time(document):
    document["verificationMaterial"]["timestampVerificationData"] = {}


TAMPERED = {
    "another signature": another_signature, "another leaf": another_leaf,
    "another proof": another_proof, "another checkpoint": another_checkpoint,
    "another log": another_log, "no log entry": no_entry, "no time stamp": no_time}


def tampered(what, bundle, verify):
    for name, change in TAMPERED.items():
        document = copy.deepcopy(json.loads(bundle.to_json()))
        change(document)
        refuses(f"{what} with {name}",
                lambda: verify(Bundle.from_json(json.dumps(document))))


def message(signer, verifier, policy, another):
    bundle = signer.sign_artifact(ARTIFACT)
    told("message", bundle, ARTIFACT)

    def verify(one, artifact=ARTIFACT, by=policy):
        verifier.verify_artifact(artifact, one, by)
    accepts("a message verifies", lambda: verify(Bundle.from_json(bundle.to_json())))
    refuses("another artifact", lambda: verify(bundle, b"another"))
    refuses("another identity", lambda: verify(bundle, by=another))
    tampered("a message", bundle, verify)


def envelope(signer, verifier, policy, another):
    subject = dsse.Subject(name="model", digest=dsse.DigestSet(root={"sha256": "00" * 32}))
    statement = (dsse.StatementBuilder().subjects([subject])
                 .predicate_type(PREDICATE).predicate({"a": 1}).build())
    bundle = signer.sign_dsse(statement)
    told("envelope", bundle)

    def verify(one, by=policy):
        kind, payload = verifier.verify_dsse(one, by)
        if (kind, json.loads(payload)["predicateType"]) != (dsse.Envelope._TYPE, PREDICATE):
            raise Error(f"another payload: {kind} {payload!r}")
    accepts("an envelope verifies", lambda: verify(Bundle.from_json(bundle.to_json())))
    refuses("an envelope of another identity", lambda: verify(bundle, another))
    tampered("an envelope", bundle, verify)


def main():
    with open(sys.argv[1]) as f:
        settings = json.load(f)
    with open(settings["trustConfig"]) as f:
        trust = ClientTrustConfig.from_json(f.read())
    verifier = Verifier(trusted_root=trust.trusted_root)
    policy = Identity(identity=settings["identity"], issuer=settings["issuer"])
    another = Identity(identity="mallory@test.example", issuer=settings["issuer"])
    with SigningContext.from_trust_config(trust).signer(
            IdentityToken(settings["token"])) as signer:
        for i in range(8):
            artifact = b"artifact %d" % i
            told("one of many", signer.sign_artifact(artifact), artifact)
        message(signer, verifier, policy, another)
        envelope(signer, verifier, policy, another)


main()
