#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cppcheck finds nothing. It remembers by itself what it has read. Suppressed:
# `extra` in read_all, which read() fills.
set -euo pipefail
command -v cppcheck >/dev/null || { echo "SKIP: cppcheck is not installed"; exit 77; }
memory=$BUILD/cppcheck
mkdir -p "$memory"
cd "$SOURCE"
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	--error-exitcode=1 --cppcheck-build-dir="$memory" -j "${JOBS:-$(nproc)}" \
	-I. -I"$BUILD" -D_GNU_SOURCE -DMTLOG_VERSION='"0"' -DMTLOG_PKCS11_MODULES='"/"' --suppress=missingIncludeSystem --suppress=uninitvar:io/file.c \
	core io server client
echo "cppcheck: nothing"
