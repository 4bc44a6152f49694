#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The systemd units are sound, and systemd scores their confinement 1.5 or better.
. "$(dirname "$0")/common.sh"
need systemd-analyze

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=
scores=
for unit in mtlogd mtlog-witness mtlog-monitor@; do
	program=${unit%@}
	[ "$program" != mtlog-monitor ] || program=mtlog
	sed "s|@s\?bindir@|$work|g" "contrib/$unit.service.in" >"$work/$unit.service"
	printf '#!/bin/sh\n' >"$work/$program"
	chmod +x "$work/$program"

	# Of a machine's own units, and of manuals not yet installed, nothing is said here.
	said=$(systemd-analyze verify --man=no "$work/$unit.service" 2>&1 | grep -F "$unit" || true)
	score=$(systemd-analyze security --offline=true --no-pager "$work/$unit.service" 2>&1 |
		sed -n "s/.*Overall exposure level for $unit.*: \([0-9.]*\).*/\1/p")
	[ -n "$score" ] || { echo "SKIP: this systemd-analyze judges no unit offline"; exit 77; }
	faults+=$said$(awk "BEGIN { if ($score > 1.5) print \"contrib/$unit.service.in: exposure $score; 1.5 is the limit\" }")
	scores+=" $score"
done
finish "$faults" "exposure$scores"
