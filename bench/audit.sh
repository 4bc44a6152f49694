#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# audit.sh BUILD: how fast mtlog audit goes through a log on this machine, which
# serves it, too: tree alone, and with every signature, beside what OpenSSL
# verifies on all processors in the same minute. ENTRIES (200000) is the log's
# size, RUNS (5) how often it is gone through (median shown).
set -euo pipefail
build=${1:-build}
entries=${ENTRIES:-200000}
runs=${RUNS:-5}
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/mtlog-bench.XXXXXX")
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
row() { printf '| %-58s | %14s | %s |\n' "$1" "$2" "$3"; }
spread() { sort -n "$1" | sed -n '1p;$p' | paste -sd ' '; }

"$build/mtlogd" init --dir "$work/log" --origin bench.example.org >"$work/vkey" 2>/dev/null
"$build/mtlogd" serve --dir "$work/log" --listen 127.0.0.1:0 >"$work/ready" 2>>"$work/messages" &
server=$!
while ! grep -q ^ready "$work/ready" 2>/dev/null; do sleep 0.01; done
url=$(sed -n 's/^ready //p' "$work/ready")
"$build/bench/load" --port "${url##*:}" --vkey "$(cat "$work/vkey")" --clients 16 --batch 100 \
	--entries "$entries" --timeout 600 >/dev/null

# audit FILE OPTION...: adds entries/s of one audit.
audit() {
	local file=$1
	shift
	"$build/mtlog" audit --log "$work/vkey" --url "$url" --json "$@" |
		sed -n 's/.*"clean":true.*"seconds":\([0-9.]*\).*/\1/p' |
		awk -v n="$entries" '{ printf "%d\n", n / $1 }' >>"$file"
}
# What OpenSSL verifies a second, on all processors.
verified() {
	openssl speed -seconds 2 -multi "$(nproc)" ecdsap256 2>/dev/null |
		awk '/nistp256/ { printf "%d\n", $NF }' >>"$1"
}
for _ in $(seq "$runs"); do
	audit "$work/tree"
	verified "$work/openssl"
	audit "$work/entries" --entries
done
row "audit of $entries entries, tree: entries/s" "$(median <"$work/tree")" "$(spread "$work/tree")"
row 'audit --entries: entries/s' "$(median <"$work/entries")" "$(spread "$work/entries")"
row '  OpenSSL alone, P-256 verified/s on all processors' "$(median <"$work/openssl")" "$(spread "$work/openssl")"
row '  of that, %' "$(awk -v a="$(median <"$work/entries")" -v b="$(median <"$work/openssl")" 'BEGIN { printf "%.0f", 100 * a / b }')" ''
