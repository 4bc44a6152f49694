#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each source names its licence in its first three lines.
. "$(dirname "$0")/common.sh"

faults=$(
	{ c_files; find bootstrap .ci tests schema contrib bench fuzz -type f \
		\( -name '*.sh' -o -name '*.py' -o -name '*.go' -o -name '*.js' -o -name '*.mjs' \
		-o -name '*.sql' -o -name 'bootstrap' -o -path '.ci/*' \) \
		-not -path '*/node_modules/*' -not -path '*/vectors/*'; } |
		while read -r file; do
			head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
				echo "$file:1: no SPDX-License-Identifier: Apache-2.0"
		done
)
finish "$faults" "each source names its licence"
