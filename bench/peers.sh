#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# peers.sh BUILD [INPUT...]: verifies the same models with mtlog and with its
# peers, in turns, on warm files, and prints a table; medians of RUNS (5).
# The inputs are small, files, tiny, one and four; BIG=1 makes the last three as
# large as the README's. mtlog checks the log's proof, too; the others cannot.
# The port in Go is measured if MODEL_SIGNING_GO names the program.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: peers.sh BUILD [INPUT...]}" && pwd)
shift
inputs=("$@")
[ $# -gt 0 ] || inputs=(small files tiny one four)
runs=${RUNS:-5}
if [ "${BIG:-0}" = 1 ]; then
	tiny=100000 large=4096
else
	tiny=20000 large=512
fi
processors=$(nproc)
work=$(mktemp -d "${BENCH_DIR:-/var/tmp}/mtlog-peers.XXXXXX")
trap 'kill "${server:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export XDG_STATE_HOME=$work/state

fail() { echo "peers: $1" >&2; exit 1; }

# Models: folders of files with nothing in common, and of none too little.
bytes() { openssl enc -aes-128-ctr -K "$(printf '%032x' "$2")" -iv 0 -in /dev/zero 2>/dev/null | head -c "$1" || true; }
many() { # MODEL COUNT BYTES
	mkdir "$1"
	bytes $(($2 * $3)) 1 | split -d -a 6 -b "$3" - "$1/f"
}
make_small() { many small 10 104858; }
make_files() { many files 10000 10240; }
make_tiny() { many tiny "$tiny" 1024; }
make_one() { mkdir one && bytes $((large << 20)) 2 >one/weights; }
make_four() { many four 4 $((large << 18)); }
title_small() { echo '10 files, 1 MB in all'; }
title_files() { echo '10,000 files of 10 KiB'; }
title_tiny() { echo "$tiny files of 1 KiB"; }
title_one() { echo "one file of $large MiB, in shards (mtlog alone)"; }
title_four() { echo "4 files of $((large / 4)) MiB"; }
options_one() { echo "--shard-size $((64 << 20))"; }

# The tools: each a command for a model.
use_mtlog() {
	"$build/bench/spend" "$build/mtlog" verify --key key.pub --log log/vkey --name "acme/$1" --signature "$1.sig" "$1"
}
use_python() { "$build/bench/spend" "$python" verify key "$1" --signature "$1.whole.sig" --public_key key.pub; }
use_go() { "$build/bench/spend" "$MODEL_SIGNING_GO" verify key "$1" --signature "$1.whole.sig" --public-key key.pub; }
# The hashes alone, on one processor and on all: nobody compares them.
use_openssl() { find "$1" -type f -print0 | "$build/bench/spend" xargs -0 openssl dgst -sha256; }
use_openssls() {
	find "$1" -type f -print0 |
		"$build/bench/spend" xargs -0 -n "$(share "$1")" -P "$processors" openssl dgst -sha256
}
# One signature over one file: the least that a verifier does.
use_bare() { "$build/bench/spend" openssl dgst -sha256 -verify key.pub -signature bare.sig bare; }
share() { # files for each process
	local count
	count=$(find "$1" -type f | wc -l)
	echo $(((count + processors - 1) / processors > 1000 ? 1000 : (count + processors - 1) / processors))
}

# once TOOL MODEL: a measurement into a file.
once() {
	"use_$1" "$2" 3>>"times-$1-$2" >output 2>&1 || { cat output >&2; fail "$1 does not verify $2"; }
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

row() { # TITLE TOOL MODEL
	local file=times-$2-$3
	awk -v title="$1" -v seconds="$(cut -d' ' -f1 "$file" | median)" -v ours="$(cut -d' ' -f1 "times-mtlog-$3" | median)" \
		-v low="$(sort -n "$file" | head -n 1 | cut -d' ' -f1)" -v high="$(sort -n "$file" | tail -n 1 | cut -d' ' -f1)" \
		-v memory="$(cut -d' ' -f2 "$file" | sort -n | tail -n 1)" 'BEGIN {
		printf "|   %-45s | %9.2f | %9.2f – %-9.2f | %7.1f | %7.2f |\n", title, seconds * 1000, low * 1000, high * 1000,
			memory / 1024, seconds / ours }'
}

start_log() {
	"$build/mtlogd" init --dir log --origin peers.example.org >/dev/null 2>&1
	"$build/mtlogd" serve --dir log --listen 127.0.0.1:0 >ready 2>log.txt &
	server=$!
	while ! grep -q ^ready ready; do
		kill -0 "$server" 2>/dev/null || fail "the log does not start"
		sleep 0.01
	done
	url=$(sed -n 's/^ready //p' ready)
}

# sign MODEL: for mtlog and a log; and for tools that cannot verify shards.
sign() {
	local options=()
	! declare -F "options_$1" >/dev/null || read -ra options < <("options_$1")
	"$build/mtlog" publish --key key --log "$url" --vkey log/vkey --yes --no-envelope --name "acme/$1" \
		--signature "$1.sig" "${options[@]}" "$1" >signed.txt 2>&1 || { cat signed.txt >&2; fail "$1 is not published"; }
	cp "$1.sig" "$1.whole.sig"
	[ ${#options[@]} -eq 0 ] || "$build/mtlog" sign --key key --name "acme/$1" --signature "$1.whole.sig" "$1" >/dev/null
}

# measure MODEL: all tools in turns, after a round that nobody counts.
measure() {
	local model=$1 n=$runs tool tools=(mtlog openssl openssls)
	# What takes milliseconds is noisy, and cheap.
	[ "$model" != small ] || n=$((4 * runs + 1))
	[ -z "$python" ] || tools+=(python)
	[ -z "${MODEL_SIGNING_GO:-}" ] || tools+=(go)
	[ "$model" != small ] || tools+=(bare)
	for tool in "${tools[@]}"; do once "$tool" "$model"; done
	rm -f times-*
	for _ in $(seq "$n"); do
		for tool in "${tools[@]}"; do once "$tool" "$model"; done
	done
	printf '| %-47s | %9s | %21s | %7s | %7s |\n' "$("title_$model")" '' '' '' ''
	row 'mtlog verify, with the proof of a log' mtlog "$model"
	if [ -n "$python" ]; then
		row "model_signing $version verify (Python)" python "$model"
	else
		printf '|   %-45s | not available |\n' 'model_signing verify (Python)'
	fi
	if [ -n "${MODEL_SIGNING_GO:-}" ]; then
		row 'model-signing verify (Go)' go "$model"
	else
		printf '|   %-45s | not available |\n' 'model-signing verify (Go)'
	fi
	row 'openssl dgst -sha256, one process' openssl "$model"
	row "the same, $processors at a time" openssls "$model"
	[ "$model" != small ] || row 'openssl dgst -verify of one small file' bare "$model"
}

python=
version=
if BUILD=$build "$here/../tests/system/clients/setup.sh" model_signing >setup.txt 2>&1; then
	python=$build/clients/model_signing/venv/bin/model_signing
	version=$("$build/clients/model_signing/venv/bin/python" -c 'from importlib.metadata import version as v; print(v("model-signing"))')
else
	tail -n 1 setup.txt
fi
[ -n "${MODEL_SIGNING_GO:-}" ] ||
	echo 'model-signing in Go: not available (it is in no module proxy here; MODEL_SIGNING_GO=PROGRAM names one)'
start_log
"$build/mtlog" key new --out key >/dev/null
openssl pkey -in key -out plain.pem
echo 'one small file' >bare
openssl dgst -sha256 -sign plain.pem -out bare.sig bare
printf '\n%s, %s processors, kernel %s, %s, warm files, medians of %s\n\n' \
	"$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$processors" "$(uname -r)" \
	"$(openssl version | cut -d' ' -f1,2)" "$runs"
printf '| %-47s | %9s | %21s | %7s | %7s |\n|---|---|---|---|---|\n' '' ms 'min – max' 'RSS, MB' '÷ mtlog'
for model in "${inputs[@]}"; do
	declare -F "make_$model" >/dev/null || fail "no input is called $model"
	"make_$model"
	sign "$model"
	measure "$model"
	rm -rf "$model"
done
