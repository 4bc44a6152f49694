#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The systemd unit is sound, and systemd scores its confinement 1.5 or better.
. "$(dirname "$0")/common.sh"
need systemd-analyze

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s|@sbindir@|$work|g" contrib/mtlogd.service.in >"$work/mtlogd.service"
printf '#!/bin/sh\n' >"$work/mtlogd"
chmod +x "$work/mtlogd"

# Of a machine's own units, and of manuals not yet installed, nothing is said here.
said=$(systemd-analyze verify --man=no "$work/mtlogd.service" 2>&1 | grep -F mtlogd.service || true)
score=$(systemd-analyze security --offline=true --no-pager "$work/mtlogd.service" 2>&1 |
	sed -n 's/.*Overall exposure level for mtlogd.service: \([0-9.]*\).*/\1/p')
[ -n "$score" ] || { echo "SKIP: this systemd-analyze judges no unit offline"; exit 77; }
finish "$said$(awk "BEGIN { if ($score > 1.5) print \"contrib/mtlogd.service.in: exposure $score; 1.5 is the limit\" }")" \
	"exposure $score"
