#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares trees, proofs, tiles and notes with golang.org/x/mod/sumdb.
# usage: run.sh [BUILD-DIRECTORY [COUNT [SEED]]]
# BUILD-DIRECTORY holds oracle or tests/oracle/oracle (default: .).
# Exits 77 (skipped) without the Go compiler or its one module.
set -eu

build=${1:-.}
count=${2:-10000}
seed=${3:-1}
here=$(cd "$(dirname "$0")" && pwd)

skip()
{
	echo "oracle: SKIPPED: $1" >&2
	exit 77
}

program=$build/tests/oracle/oracle
[ -x "$program" ] || program=$build/oracle
if [ ! -x "$program" ]; then
	echo "oracle: no program oracle below $build" >&2
	exit 1
fi
# An absolute name: the Go program would look for others in PATH.
program=$(cd "$(dirname "$program")" && pwd)/oracle

command -v go >/dev/null || skip "there is no go command"
(cd "$here/go" && go mod download) ||
	skip "golang.org/x/mod cannot be downloaded"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
(cd "$here/go" && go build -mod=readonly -buildvcs=false \
	-o "$scratch/oracle-go" .)
"$scratch/oracle-go" -program "$program" -count "$count" -seed "$seed"
