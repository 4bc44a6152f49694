#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the README's tour as it stands there, line by line, on a real model; only
# the port is changed where another server has it.
set -euo pipefail
source=${SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${BUILD:-$source/build}
PATH=$build:$PATH
work=$(mktemp -d)
trap 'kill %1 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export XDG_STATE_HOME=$work/state

mkdir model
printf 'weights' >model/weights.bin
printf '{}' >model/config.json

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
[ -s model/model.sig ] || { echo "no bundle was kept"; exit 1; }
# What was accepted must be refused once it is changed.
echo changed >model/config.json
code=0
eval "$(tail -n 1 tour)" || code=$?
[ "$code" -eq 10 ] || { echo "a changed model: exit code $code"; exit 1; }
echo "the tour works"
