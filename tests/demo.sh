#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job, on real input, told as it happens: a log is made and started,
# statements about files of this very tree are signed with a fresh key, logged,
# proven and verified, and what was tampered with is refused.
set -euo pipefail
build=$(cd "${BUILD:-build}" && pwd)
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
PATH=$build:$PATH
cd "$work"

step() { printf '\n%s\n' "== $*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

step "1. A new log: key, database, configuration. The line it prints is what others trust."
show mtlogd init --dir "log" --origin models.example.org --listen 127.0.0.1:0

step "2. Serve it, on a port the kernel chooses."
mtlogd serve --dir "log" >"ready" 2>"server.log" &
server=$!
for _ in $(seq 100); do
	grep -q ^ready "ready" && break
	sleep 0.05
done
url=$(sed -n 's/^ready //p' "ready")
[ -n "$url" ] || { cat "server.log"; exit 1; }
echo "ready $url"

step "3. A publisher's key, and signed statements about five files."
openssl ecparam -name prime256v1 -genkey -noout -out "publisher.pem"
openssl pkey -in "publisher.pem" -pubout -outform DER -out "publisher.der"
sign() { # FILE NAME: a DSSE envelope with an in-toto statement, as a submission
	local sum type=application/vnd.in-toto+json
	sum=$(sha256sum "$1" | cut -d' ' -f1)
	printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"%s","digest":{"sha256":"%s"}}],"predicateType":"https://example.org/demo","predicate":{}}' \
		"$2" "$sum" >"payload"
	{ printf 'DSSEv1 %d %s %d ' ${#type} $type "$(stat -c %s "payload")"; cat "payload"; } >"pae"
	openssl dgst -sha256 -sign "publisher.pem" -out "sig" "pae"
	printf '{"dsseRequestV002":{"envelope":{"payload":"%s","payloadType":"%s","signatures":[{"sig":"%s"}]},"verifiers":[{"publicKey":{"rawBytes":"%s"},"keyDetails":"PKIX_ECDSA_P256_SHA_256"}]}}\n' \
		"$(base64 -w0 "payload")" $type "$(base64 -w0 "sig")" "$(base64 -w0 "publisher.der")"
}
files=()
for f in bootstrap configure.ac Makefile.am core/tlog/proof.c server/sequencer.c; do
	name=$(echo "$f" | tr / -)
	sign "$here/$f" "demo/$name" >"$name.json"
	files+=("$name.json")
	echo "signed $f"
done

step "4. Log them. Every answer carries an inclusion proof, verified before it is kept."
show mtlog submit --log "$url" --vkey "log/vkey" "${files[@]}"

step "5. Again: the same entries, the same places, fresh proofs. A retry is always safe."
show mtlog submit --log "$url" --vkey "log/vkey" "${files[0]}"

step "6. Anyone can check offline, with nothing but the log's line."
show mtlog proof verify --vkey "log/vkey" --submission "${files[3]}" "${files[3]}.tlog-proof"

step "7. A tampered statement is not in the log, whatever proof stands beside it."
sed 's/"payload":"ey/"payload":"ez/' "${files[3]}" >"tampered.json"
if mtlog proof verify --vkey "log/vkey" --submission "tampered.json" "${files[3]}.tlog-proof"; then
	echo "a tampered statement was accepted"; exit 1
fi
echo "refused, as it must be"
step "   Nor does the log take it."
if mtlog submit --log "$url" --vkey "log/vkey" "tampered.json"; then
	echo "a tampered statement was logged"; exit 1
fi
echo "refused, as it must be"

step "8. What everyone sees: the signed checkpoint, and the log by any tile client."
show curl -fsS "$url/checkpoint"
show curl -fsS -o "tile" "$url/tile/0/000.p/5"
echo "a tile of $(stat -c %s "tile") bytes: five leaf hashes"

step "9. Everything recomputed from the entries, beside the running server."
show mtlogd fsck --dir "log"

step "Done. Nothing of this is left; your own log: mtlogd init --dir DIR --origin NAME"
