#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# make check-long: each fuzz target for a minute with libFuzzer (FUZZ_SECONDS),
# and the tests that draw lots, with many more of them.
set -uo pipefail
seconds=${FUZZ_SECONDS:-60}
failed=0

step() {
	local name=$1 began=$SECONDS
	shift
	if "$@" >"$BUILD/long-$name.log" 2>&1; then
		echo "PASS: $name ($((SECONDS - began)) s)"
	else
		echo "FAIL: $name ($BUILD/long-$name.log)"
		tail -n 20 "$BUILD/long-$name.log"
		failed=$((failed + 1))
	fi
}

if command -v clang-14 >/dev/null; then
	step fuzz-build "$SOURCE/tests/support/rebuild.sh" fuzz fuzz-programs \
		--enable-fuzzers --enable-sanitizers=address,undefined --disable-deep-checks \
		CC=clang-14 CFLAGS="-O1 -g"
	for target in "$BUILD"/fuzz/fuzz/fuzz_*; do
		case $target in *.o | *'*') continue ;; esac
		name=${target##*/fuzz_}
		corpus=$BUILD/fuzz/corpus/$name
		mkdir -p "$corpus"
		step "fuzz-$name" "$target" -max_total_time="$seconds" -timeout=10 \
			-rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix="$BUILD/fuzz/$name-" "$corpus" \
			"$SOURCE/tests/vectors/$("$SOURCE/fuzz/run.sh" --folder "$name")"
	done
else
	echo "SKIP: fuzzing (it needs clang-14 and its runtime)"
fi

cd "$BUILD" || exit 1
export srcdir=$SOURCE
step power-cuts env MTLOG_CUTS="${MTLOG_CUTS:-100000}" tests/server/store/test_powercut
step witness-cuts env MTLOG_CUTS="${MTLOG_CUTS:-100000}" tests/server/store/test_witness_powercut
step holds env MTLOG_ROUNDS="${MTLOG_ROUNDS:-10000}" tests/io/test_hold_race
step library-race env MTLOG_ROUNDS="${MTLOG_ROUNDS:-10000}" tests/client/lib/test_mtlog_race
step library-faults env MTLOG_EVERY=1 tests/client/lib/test_mtlog_faults
step kill env MTLOG_ROUNDS="${MTLOG_ROUNDS:-200}" "$SOURCE/tests/system/test_kill.py"
step audit env MTLOG_ROUNDS="${MTLOG_ROUNDS:-100}" "$SOURCE/tests/system/test_audit.py"
step witness env MTLOG_ROUNDS="${MTLOG_ROUNDS:-200}" "$SOURCE/tests/system/test_witness.py"
step faults env MTLOG_FAULTS="${MTLOG_FAULTS:-100000}" "$SOURCE/tests/system/test_faults.py"
step attack env MTLOG_MALFORMED="${MTLOG_MALFORMED:-100000}" "$SOURCE/tests/system/test_attack.py"
step disk env MTLOG_ROUNDS="${MTLOG_ROUNDS:-20}" "$SOURCE/tests/system/test_disk.py"
step flips env MTLOG_FLIPS="${MTLOG_FLIPS:-10000}" "$SOURCE/tests/system/test_flips.py"
step oracle "$SOURCE/tests/oracle/run.sh" "$BUILD" 100000
step distcheck make -s distcheck
exit $((failed > 0))
