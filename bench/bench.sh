#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# bench.sh BUILD: measures a log on this machine and prints a table. The load
# generator runs on the same processors. ENTRIES (1000000) sets the length of
# the long run, in steps of 100,000; RUNS (5) how often the short ones are
# repeated (median shown).
set -euo pipefail
build=${1:-build}
step=100000
entries=$(( (${ENTRIES:-1000000} + step - 1) / step * step ))
runs=${RUNS:-5}
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/mtlog-bench.XXXXXX")
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
row() { printf '| %-58s | %14s | %s |\n' "$1" "$2" "$3"; }

start() { # DIR OPTIONS...: sets url, port, vkey, server, ready_ms
	local dir=$1 began
	shift
	vkey=$dir/vkey
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
	local dir=$work/log-$1
	shift
	"$build/mtlogd" init --dir "$dir" --origin bench.example.org >/dev/null 2>&1
	start "$dir" "$@"
}
load() { "$build/bench/load" --port "$port" --vkey "$(cat "$vkey")" "$@"; }
cpu_ms() { # of the server and of its signer
	local p
	for p in "$server" $(pgrep -P "$server"); do
		awk '{ print ($14 + $15) * 10 }' "/proc/$p/stat"
	done | awk '{ s += $1 } END { print s }'
}
memory() { awk "/$1/ { print \$2 }" "/proc/$server/status"; }

printf '%s, %s processors, kernel %s, %s\n\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
	"$(nproc)" "$(uname -r)" "$(openssl version | cut -d' ' -f1,2)"
printf '| %-58s | %14s | %s |\n|---|---|---|\n' what measured 'spread (min – max)'

# One client.
for n in $(seq "$runs"); do
	"$build/mtlogd" init --dir "$work/log-first-$n" --origin bench.example.org >/dev/null 2>&1
	began=$(date +%s%N)
	start "$work/log-first-$n"
	load --clients 1 --entries 1 >/dev/null
	echo $(( ($(date +%s%N) - began) / 1000000 )) >>"$work/first"
	stop
	fresh "one-$RANDOM$RANDOM"
	load --clients 1 --entries 2000 >>"$work/one"
	stop
done
row 'first answer of a new log after its start, ms' "$(median <"$work/first")" \
	"$(sort -n "$work/first" | sed -n '1p;$p' | paste -sd ' '), the client's start included"
row 'one client: median answer, ms' "$(field p50_ms <"$work/one" | median)" \
	"$(field p50_ms <"$work/one" | sort -n | sed -n '1p;$p' | paste -sd ' ')"
row 'one client: p99, ms' "$(field p99_ms <"$work/one" | median)" \
	"$(field p99_ms <"$work/one" | sort -n | sed -n '1p;$p' | paste -sd ' ')"

# Where the time goes: the server's own counters, by entry or by batch.
phases() {
	curl -s "http://127.0.0.1:$metrics_port/metrics" >"$work/metrics"
	local phase
	for phase in admit queue integrate commit readback sign publish answer; do
		row "time in $phase, ms (mean)" "$(awk -v p="phase=\"$phase\"" '
			index($1, p) && $1 ~ /_sum/ { s = $2 }
			index($1, p) && $1 ~ /_count/ { n = $2 }
			END { printf "%.4f", s * 1000 / n }' "$work/metrics")" "$(awk -v p="phase=\"$phase\"" '
			index($1, p) && $1 ~ /_count/ { print "of " $2 }' "$work/metrics")"
	done
}

# 256 clients, until the log is large.
metrics_port=$((20000 + RANDOM % 10000))
fresh long --metrics-listen "127.0.0.1:$metrics_port"
before=$(cpu_ms)
for at in $(seq 0 "$step" $((entries - step))); do
	load --clients 256 --first "$at" --entries "$step" --timeout 600 >>"$work/many"
done
after=$(cpu_ms)
row "256 clients, $entries entries: entries/s" \
	"$(field seconds <"$work/many" | awk -v n="$entries" '{ s += $1 } END { printf "%d", n / s }')" \
	"$(field rate <"$work/many" | sort -n | sed -n '1p;$p' | paste -sd ' ') by $step"
[ "$entries" -le 1000000 ] || row 'the same: the first 1,000,000' \
	"$(head -n $((1000000 / step)) "$work/many" | field seconds | awk '{ s += $1 } END { printf "%d", 1000000 / s }')" ''
row 'the same: first three steps, last three (medians)' \
	"$(field rate <"$work/many" | head -n 3 | median), $(field rate <"$work/many" | tail -n 3 | median)" ''
row '256 clients: p50, ms' "$(field p50_ms <"$work/many" | median)" \
	"$(field p50_ms <"$work/many" | sort -n | sed -n '1p;$p' | paste -sd ' ')"
row '256 clients: p99, ms' "$(field p99_ms <"$work/many" | median)" \
	"$(field p99_ms <"$work/many" | sort -n | sed -n '1p;$p' | paste -sd ' ')"
row '256 clients: server CPU an entry, ms' "$(awk "BEGIN { printf \"%.4f\", ($after - $before) / $entries }")" 'signer included'
row '256 clients: resident memory, MB (peak)' "$(( $(memory VmHWM) / 1024 ))" ''
phases
stop
sync
row 'on disk, bytes an entry' "$(( $(du -sb "$work/log-long/db" | cut -f1) / entries ))" 'write-ahead logs included'
for _ in $(seq "$runs"); do
	start "$work/log-long"
	echo "$ready_ms" >>"$work/starts"
	kill -9 "$server"; wait "$server" 2>/dev/null || true; : >"$work/ready"
done
row "ready after kill -9 at $entries entries, ms" "$(median <"$work/starts")" \
	"$(sort -n "$work/starts" | sed -n '1p;$p' | paste -sd ' ')"
start "$work/log-long"; stop
for _ in $(seq "$runs"); do
	"$build/mtlogd" fsck --dir "$work/log-long" --json | tail -n 1 | field seconds |
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

# Reads. The library alone says what this machine gives at all.
median_row() { # NAME FILE
	row "$1" "$(median <"$2")" "$(sort -n "$2" | sed -n '1p;$p' | paste -sd ' ')"
}
read_at() { wrk -t2 -c64 -d3 "$1" | sed -n 's/^Requests\/sec: *//p'; }
reads() { # NAME PATH
	: >"$work/reads"
	for _ in $(seq "$runs"); do
		read_at "$url$2" >>"$work/reads"
	done
	median_row "reads/s: $1" "$work/reads"
}
# As `reads`, in turns with the library alone, answering as many bytes.
reads_beside() { # NAME PATH
	local fd pid bare_port
	coproc BARE { "$build/bench/bare" "$(curl -s "$url$2" | wc -c)"; }
	pid=$BARE_PID
	read -r bare_port <&"${BARE[0]}"
	: >"$work/reads"
	: >"$work/bare"
	for _ in $(seq "$runs"); do
		read_at "$url$2" >>"$work/reads"
		read_at "http://127.0.0.1:$bare_port/" >>"$work/bare"
	done
	fd=${BARE[1]}
	exec {fd}>&-
	wait "$pid" || true
	median_row "reads/s: $1" "$work/reads"
	median_row '  the HTTP library alone, as many bytes' "$work/bare"
}
if ! command -v wrk >/dev/null; then
	echo 'SKIP reads: wrk is not installed'
	exit 0
fi
start "$work/log-long"
reads_beside checkpoint /checkpoint
reads_beside 'full tile' /tile/0/000
reads_beside 'full entry bundle' /tile/entries/000
# 2,000 entries a second, from 64 clients one by one, or in batches.
for kind in singly 'in batches of 100'; do
	case $kind in
	singly) how=(--clients 64 --first 1000000000) ;;
	*) how=(--clients 2 --batch 100 --first 2000000000) ;;
	esac
	load "${how[@]}" --rate 2000 --entries $((2000 * (6 * runs + 4))) --timeout 600 >"$work/writes" &
	writes=$!
	sleep 1
	reads "checkpoint, 2,000 entries a second written $kind" /checkpoint
	reads "full tile, 2,000 entries a second written $kind" /tile/0/000
	wait "$writes"
	row "entries/s written meanwhile, $kind" "$(field rate <"$work/writes")" "p99 $(field p99_ms <"$work/writes") ms"
done
stop
