# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For the lints, which source it: they run in the source folder, print each
# fault as file:line: what is wrong, and end with finish.
set -euo pipefail
shopt -s inherit_errexit
source=${SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
# shellcheck disable=SC2034 # for those who source this
build=${BUILD:-$source/build}
cd "$source"

# The project's C files, those in the folders named or in all.
c_files() {
	[ $# -gt 0 ] || set -- core io server client tests fuzz bench
	find "$@" -name '*.[ch]' -type f | LC_ALL=C sort
}

# A check that lacks its tool is skipped, and says so.
need() {
	command -v "$1" >/dev/null || { echo "SKIP: $1 is not installed"; exit 77; }
}

# finish FAULTS SENTENCE: prints the faults, or that there are none.
finish() {
	[ -z "$1" ] || { printf '%s\n' "$1"; printf '%s faults\n' "$(printf '%s\n' "$1" | wc -l)"; exit 1; }
	echo "$2"
}
