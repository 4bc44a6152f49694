#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything, tests too, compiles without a warning by gcc and by clang.
set -euo pipefail
rebuild=$SOURCE/tests/support/rebuild.sh
"$rebuild" warnings-gcc check-programs --enable-werror CC=gcc CFLAGS=-O2
echo "gcc: no warning"
command -v clang-14 >/dev/null || { echo "SKIP: clang-14 is not installed"; exit 77; }
"$rebuild" warnings-clang check-programs --enable-werror CC=clang-14 CFLAGS=-O1
echo "clang: no warning"
