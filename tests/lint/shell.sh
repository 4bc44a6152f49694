#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The scripts: shellcheck finds nothing in the scripts.
. "$(dirname "$0")/common.sh"
need shellcheck

faults=$({ echo bootstrap; find contrib/bash-completion -type f; find .ci tests schema bench fuzz -type f -name '*.sh' -o -path '.ci/run'; } |
	grep -v node_modules | xargs shellcheck -x -P SCRIPTDIR -e SC1091 -f gcc 2>&1 || true)
finish "$faults" "shellcheck finds nothing"
