#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the README's tour as it stands there, line by line, with a real
# statement.json; only the port is changed where another server has it.
set -euo pipefail
source=${SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${BUILD:-$source/build}
PATH=$build:$PATH
work=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

openssl ecparam -name prime256v1 -genkey -noout -out key.pem 2>/dev/null
openssl pkey -in key.pem -pubout -outform DER -out key.der
printf 'a model' >model
openssl dgst -sha256 -sign key.pem -out sig model
printf '{"hashedRekordRequestV002":{"digest":"%s","signature":{"content":"%s","verifier":{"publicKey":{"rawBytes":"%s"},"keyDetails":"PKIX_ECDSA_P256_SHA_256"}}}}' \
	"$(openssl dgst -sha256 -binary model | base64 -w0)" "$(base64 -w0 sig)" "$(base64 -w0 key.der)" >statement.json

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -n '/^<!-- tour/,/^```$/p' "$source/README.md" | sed '1,2d;$d' | sed "s/:8080/:$port/g" >tour
[ "$(wc -l <tour)" -eq 5 ] || { echo "the tour has not five lines"; exit 1; }
while read -r line; do
	echo "\$ $line"
	eval "$line" || { echo "failed: $line"; exit 1; }
	case $line in
	*'&')
		for _ in $(seq 100); do
			curl -fs "http://127.0.0.1:$port/readyz" >/dev/null && break
			sleep 0.05
		done
		;;
	esac
done <tour
[ -s statement.json.tlog-proof ] || { echo "no proof was kept"; exit 1; }
echo "the tour works"
