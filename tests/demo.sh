#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job, on real input, told as it happens: a log is made and started, a
# model is signed, logged and verified by a policy; then everything that must be
# refused is refused: a changed byte, a file nobody signed, a stranger's
# signature, another name, a withdrawn release.
set -euo pipefail
build=$(cd "${BUILD:-build}" && pwd)
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
PATH=$build:$PATH
cd "$work"

step() { printf '\n%s\n' "== $*"; }
show() { printf '$ %s\n' "$*"; "$@"; }
refused() { # CODE COMMAND...: it must exit with this code
	local want=$1 code=0
	shift
	printf '$ %s\n' "$*"
	"$@" || code=$?
	[ "$code" -eq "$want" ] || { echo "exit code $code, where $want must be"; exit 1; }
	echo "(exit code $code)"
}

step "1. A new log: key, database, configuration. The line it prints is what others trust."
show mtlogd init --dir log --origin models.example.org --listen 127.0.0.1:0
mtlogd serve --dir log >ready 2>server.log &
server=$!
for _ in $(seq 100); do
	grep -q ^ready ready && break
	sleep 0.05
done
url=$(sed -n 's/^ready //p' ready)
[ -n "$url" ] || { cat server.log; exit 1; }
echo "it serves on $url"

step "2. A model: weights as safetensors, a configuration, a tokenizer."
mkdir -p r50/tokenizer
header='{"__metadata__":{"format":"pt"},"fc.weight":{"dtype":"F32","shape":[64,64],"data_offsets":[0,16384]}}'
{
	printf '%b' "$(printf '\\x%02x\\x00\\x00\\x00\\x00\\x00\\x00\\x00' ${#header})"
	printf '%s' "$header"
	head -c 16384 /dev/urandom
} >r50/model.safetensors
echo '{"architectures":["ResNet"]}' >r50/config.json
echo '{"model":{"type":"BPE"}}' >r50/tokenizer/tokenizer.json
find r50 -type f -printf '%s bytes  %p\n'

step "3. The publisher makes a key, and publishes: sign, log, verify the answer, keep it beside the model."
show mtlog key new --out release.pem
show mtlog publish --key release.pem --log "$url" --vkey log/vkey --name acme/r50 --version 1.0 --yes r50

step "4. The loader's policy: this log, this signer, these names. Nothing is trusted by default."
{
	echo "log $(cat log/vkey) $url"
	echo "quorum none"
	echo "mtlog-policy 1"
	mtlog key show release.pem.pub | sed -n 's/^policy line *signer NAME/signer release/p'
	echo "model acme/*"
	echo "  signed-by release"
} >loader.policy
cat loader.policy

step "5. Before the load: every requirement, offline. The exit code is the answer."
show mtlog verify --policy loader.policy --name acme/r50 r50

step "6. One changed byte in the weights."
cp r50/model.safetensors kept
printf x | dd of=r50/model.safetensors bs=1 seek=5000 conv=notrunc status=none
refused 10 mtlog verify --policy loader.policy --name acme/r50 r50
cp kept r50/model.safetensors

step "7. A file that nobody signed."
echo 'import os' >r50/modeling.py
refused 10 mtlog verify --policy loader.policy --name acme/r50 r50
rm r50/modeling.py

step "8. A stranger signs the same model under the same name. The log takes it; the policy does not."
mtlog key new --out stranger.pem >/dev/null
show mtlog publish --key stranger.pem --log "$url" --vkey log/vkey --name acme/r50 --signature stranger.sig --yes r50
refused 11 mtlog verify --policy loader.policy --name acme/r50 --signature stranger.sig r50

step "9. The right signer, but another model than was asked for."
refused 13 mtlog verify --policy loader.policy --name acme/r101 r50

step "10. Everyone sees who signed what."
show curl -fsS "$url/checkpoint"
show curl -fsS "$url/api/v1/search?model=acme%2Fr50" | cut -c 1-300
echo

step "11. The publisher withdraws the release. Who asks the log, is told."
show mtlog withdraw --key release.pem --log "$url" --vkey log/vkey --reason unsafe --comment "wrong labels" --yes r50
refused 17 mtlog verify --policy loader.policy --name acme/r50 --online r50

step "12. Everything recomputed from the entries, beside the running server."
show mtlogd fsck --dir log

step "Done. Nothing of this is left; your own log: mtlogd init --dir DIR --origin NAME"
