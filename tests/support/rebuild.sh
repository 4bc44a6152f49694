#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# rebuild.sh NAME TARGET [CONFIGURE-ARGUMENT...]: builds the source once more,
# in $BUILD/NAME, configured so, and makes TARGET there. The folder stays, so
# that the next run makes only what has changed. What make said is in
# $BUILD/NAME/make.log; of a failure the end is shown.
set -euo pipefail
folder=$BUILD/$1
target=$2
shift 2
unset MAKEFLAGS MFLAGS MAKELEVEL
[ "$(cat "$folder/configured" 2>/dev/null)" = "$*" ] || rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
if [ ! -f configured ]; then
	"$SOURCE/configure" -q "$@" >configure.log 2>&1 || { cat configure.log; exit 1; }
	echo "$*" >configured
fi
if ! make -s -k -j"${JOBS:-$(nproc)}" "$target" >make.log 2>&1; then
	grep -E -A12 'error:|warning:|undefined reference|^(FAIL|ERROR): ' make.log | head -n 300 || true
	echo "failed: make $target in $folder (make.log there)"
	exit 1
fi
