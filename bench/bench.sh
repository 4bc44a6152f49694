#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# bench.sh BUILD: measures a log on this machine and prints a table. The load
# generator runs on the same processors. ENTRIES (100000) sets the length of
# the long runs, RUNS (5) how often the short ones are repeated (median shown).
set -euo pipefail
build=${1:-build}
entries=${ENTRIES:-100000}
runs=${RUNS:-5}
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/mtlog-bench.XXXXXX")
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
row() { printf '| %-52s | %14s | %s |\n' "$1" "$2" "$3"; }

start() { # DIR OPTIONS...: sets url, port, server, ready_ms
	local dir=$1 began
	shift
	began=$(date +%s%N)
	"$build/mtlogd" serve --dir "$dir" --listen 127.0.0.1:0 "$@" >"$work/ready" 2>>"$work/log" &
	server=$!
	while ! grep -q ^ready "$work/ready" 2>/dev/null; do sleep 0.002; done
	ready_ms=$(( ($(date +%s%N) - began) / 1000000 ))
	url=$(sed -n 's/^ready //p' "$work/ready")
	port=${url##*:}
}
stop() { kill "$server"; wait "$server" || true; : >"$work/ready"; }
fresh() { # NAME OPTIONS...
	local dir=$work/$1
	shift
	"$build/mtlogd" init --dir "$dir" --origin bench.example.org 2>/dev/null >"$work/vkey"
	start "$dir" "$@"
}
load() { "$build/bench/load" --port "$port" --vkey "$(cat "$work/vkey")" "$@"; }
cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$server/stat"; }
memory() { awk "/$1/ { print \$2 }" "/proc/$server/status"; }

printf '%s, %s processors, kernel %s, %s\n\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
	"$(nproc)" "$(uname -r)" "$(openssl version | cut -d' ' -f1,2)"
printf '| %-52s | %14s | %s |\n|---|---|---|\n' what measured 'spread (min – max)'

# One client.
for _ in $(seq "$runs"); do
	fresh "one-$RANDOM$RANDOM"
	load --clients 1 --entries 2000 >>"$work/one"
	stop
done
row 'one client: median answer, ms' "$(field p50_ms <"$work/one" | median)" \
	"$(field p50_ms <"$work/one" | sort -n | sed -n '1p;$p' | paste -sd ' ')"
row 'one client: p99, ms' "$(field p99_ms <"$work/one" | median)" \
	"$(field p99_ms <"$work/one" | sort -n | sed -n '1p;$p' | paste -sd ' ')"

# 256 clients.
fresh long
before=$(cpu_ms)
load --clients 256 --entries "$entries" --timeout 3000 >"$work/many"
after=$(cpu_ms)
row "256 clients, $entries entries: entries/s" "$(field rate <"$work/many")" ''
row '256 clients: p50, p99, ms' "$(field p50_ms <"$work/many"), $(field p99_ms <"$work/many")" ''
row '256 clients: server CPU an entry, ms' "$(awk "BEGIN { printf \"%.4f\", ($after - $before) / $entries }")" ''
row '256 clients: resident memory, MB (peak)' "$(( $(memory VmHWM) / 1024 ))" ''
stop
sync
row 'on disk, bytes an entry' "$(( $(cat "$work"/long/db/* | wc -c) / entries ))" 'write-ahead logs included'
for _ in $(seq "$runs"); do
	start "$work/long"
	echo "$ready_ms" >>"$work/starts"
	kill -9 "$server"; wait "$server" 2>/dev/null || true; : >"$work/ready"
done
row "ready after kill -9 at $entries entries, ms" "$(median <"$work/starts")" \
	"$(sort -n "$work/starts" | sed -n '1p;$p' | paste -sd ' ')"
start "$work/long"; stop
for _ in $(seq "$runs"); do
	"$build/mtlogd" fsck --dir "$work/long" --json | tail -n 1 | field seconds |
		awk "{ printf \"%.0f\n\", $entries / \$1 }" >>"$work/fsck"
done
row 'fsck, entries/s (index included)' "$(median <"$work/fsck")" "$(sort -n "$work/fsck" | sed -n '1p;$p' | paste -sd ' ')"

# Other loads.
for _ in $(seq "$runs"); do
	fresh "x509-$RANDOM$RANDOM"
	load --clients 256 --entries 30000 --x509 >>"$work/x509"
	stop
	fresh "batch-$RANDOM$RANDOM"
	load --clients 16 --batch 100 --entries 60000 >>"$work/batch"
	stop
done
row 'X.509 verifiers, 256 clients: entries/s' "$(field rate <"$work/x509" | median)" \
	"$(field rate <"$work/x509" | sort -n | sed -n '1p;$p' | paste -sd ' ')"
row 'batches of 100, 16 clients: entries/s' "$(field rate <"$work/batch" | median)" \
	"$(field rate <"$work/batch" | sort -n | sed -n '1p;$p' | paste -sd ' ')"
fresh crowd
load --clients 4096 --entries 80000 >"$work/crowd"
row '4,096 clients: entries/s' "$(field rate <"$work/crowd")" "p99 $(field p99_ms <"$work/crowd") ms"
row '4,096 clients: resident memory, MB (peak)' "$(( $(memory VmHWM) / 1024 ))" ''
stop

# Reads.
if command -v wrk >/dev/null; then
	reads() { # NAME PATH
		for _ in $(seq "$runs"); do
			wrk -t1 -c64 -d3 "$url$2" | sed -n 's/^Requests\/sec: *//p' >>"$work/read-$1"
		done
		row "reads/s: $1" "$(median <"$work/read-$1")" "$(sort -n "$work/read-$1" | sed -n '1p;$p' | paste -sd ' ')"
	}
	start "$work/long"
	reads checkpoint /checkpoint
	reads 'full tile' /tile/0/000
	reads 'full entry bundle' /tile/entries/000
	load --first 100000000 --clients 64 --rate 2000 --entries 100000 --timeout 60 >"$work/writes" &
	writes=$!
	reads 'checkpoint while 2,000 entries/s are written' /checkpoint
	reads 'full tile while 2,000 entries/s are written' /tile/0/000
	wait "$writes" || true
	stop
fi
