#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job, on real input, told as it happens: a log is made and started,
# statements about files of this very tree are signed with a fresh key, logged,
# proven and verified, and what was tampered with is refused.
set -euo pipefail
build=${BUILD:-build}
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

step() { printf '\n%s\n' "== $*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

step "1. A new log: key, database, configuration. The line it prints is what others trust."
show "$build/mtlogd" init --dir "$work/log" --origin models.example.org --listen 127.0.0.1:0

step "2. Serve it, on a port the kernel chooses."
"$build/mtlogd" serve --dir "$work/log" >"$work/ready" 2>"$work/server.log" &
server=$!
for _ in $(seq 100); do
	grep -q ^ready "$work/ready" && break
	sleep 0.05
done
url=$(sed -n 's/^ready //p' "$work/ready")
[ -n "$url" ] || { cat "$work/server.log"; exit 1; }
echo "ready $url"

step "3. A publisher's key, and signed statements about five files."
openssl ecparam -name prime256v1 -genkey -noout -out "$work/publisher.pem"
openssl pkey -in "$work/publisher.pem" -pubout -outform DER -out "$work/publisher.der"
sign() { # FILE NAME: a DSSE envelope with an in-toto statement, as a submission
	local sum type=application/vnd.in-toto+json
	sum=$(sha256sum "$1" | cut -d' ' -f1)
	printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"%s","digest":{"sha256":"%s"}}],"predicateType":"https://example.org/demo","predicate":{}}' \
		"$2" "$sum" >"$work/payload"
	{ printf 'DSSEv1 %d %s %d ' ${#type} $type "$(stat -c %s "$work/payload")"; cat "$work/payload"; } >"$work/pae"
	openssl dgst -sha256 -sign "$work/publisher.pem" -out "$work/sig" "$work/pae"
	printf '{"dsseRequestV002":{"envelope":{"payload":"%s","payloadType":"%s","signatures":[{"sig":"%s"}]},"verifiers":[{"publicKey":{"rawBytes":"%s"},"keyDetails":"PKIX_ECDSA_P256_SHA_256"}]}}\n' \
		"$(base64 -w0 "$work/payload")" $type "$(base64 -w0 "$work/sig")" "$(base64 -w0 "$work/publisher.der")"
}
files=()
for f in bootstrap configure.ac Makefile.am core/tlog/proof.c server/sequencer.c; do
	name=$(echo "$f" | tr / -)
	sign "$here/$f" "demo/$name" >"$work/$name.json"
	files+=("$work/$name.json")
	echo "signed $f"
done

step "4. Log them. Every answer carries an inclusion proof, verified before it is kept."
show "$build/mtlog" submit --log "$url" --vkey "$work/log/vkey" "${files[@]}"

step "5. Again: the same entries, the same places, fresh proofs. A retry is always safe."
show "$build/mtlog" submit --log "$url" --vkey "$work/log/vkey" "${files[0]}"

step "6. Anyone can check offline, with nothing but the log's line."
show "$build/mtlog" proof verify --vkey "$work/log/vkey" --submission "${files[3]}" "${files[3]}.tlog-proof"

step "7. A tampered statement is not in the log, whatever proof stands beside it."
sed 's/"payload":"ey/"payload":"ez/' "${files[3]}" >"$work/tampered.json"
if "$build/mtlog" proof verify --vkey "$work/log/vkey" --submission "$work/tampered.json" "${files[3]}.tlog-proof"; then
	echo "a tampered statement was accepted"; exit 1
fi
echo "refused, as it must be"
step "   Nor does the log take it."
if "$build/mtlog" submit --log "$url" --vkey "$work/log/vkey" "$work/tampered.json"; then
	echo "a tampered statement was logged"; exit 1
fi
echo "refused, as it must be"

step "8. What everyone sees: the signed checkpoint, and the log by any tile client."
show curl -fsS "$url/checkpoint"
show curl -fsS -o "$work/tile" "$url/tile/0/000.p/5"
echo "a tile of $(stat -c %s "$work/tile") bytes: five leaf hashes"

step "9. Everything recomputed from the entries, beside the running server."
show "$build/mtlogd" fsck --dir "$work/log"

step "Done. Nothing of this is left; your own log: mtlogd init --dir DIR --origin NAME"
