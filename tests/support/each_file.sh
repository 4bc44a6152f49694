#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# each_file.sh NAME RULES COMMAND [ARGUMENT...]: runs COMMAND ARGUMENT... FILE
# in the source folder for each C file of the program, as many at a time as
# there are processors, one file a process. A file for which COMMAND is
# content is asked about again only when it, a header or one of RULES (files,
# separated by blanks) has changed: stamps in $BUILD/NAME remember it.
set -euo pipefail
stamps=$BUILD/$1
rules=$2
shift 2
mkdir -p "$stamps"
cd "$SOURCE"
# shellcheck disable=SC2086 # a list
# sed reads to the end; a head that does not would end sort by a signal.
newest=$({ find core io server client -name '*.h'; printf '%s\n' $rules; } |
	xargs stat -c '%Y %n' | sort -rn | sed -n '1s/^[^ ]* //p')
export stamps newest
# shellcheck disable=SC2016 # for the inner shell
find core io server client -name '*.c' | LC_ALL=C sort |
	xargs -P "${JOBS:-$(nproc)}" -I '{}' bash -c '
	file=$1
	shift
	stamp=$stamps/${file//\//-}.ok
	[ "$stamp" -nt "$file" ] && [ "$stamp" -nt "$newest" ] && exit 0
	"$@" "$file" && : >"$stamp"' each '{}' "$@"
