#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: setup.sh js|go|litewitness|python|model_signing
# Installs the stock clients of one language, as pinned here, into
# $BUILD/clients/LANGUAGE. A second run finds them there. Exits 77 when the
# language is missing (or too old), and says so.
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "$0")" && pwd)
language=${1:?usage: setup.sh js|go|litewitness|python|model_signing}
place=${BUILD:-$here/../../../build}/clients/$language
log=$place/setup.log

# Tests run side by side, and some want the same clients.
mkdir -p "$place"
exec 9>"$place/lock"
flock 9

skip() {
	echo "SKIP $1"
	exit 77
}

fail() {
	[ ! -f "$log" ] || tail -n 30 "$log" >&2
	echo "setup.sh: $1" >&2
	exit 1
}

# What the installed clients depend on: the tool and the files named.
marker_of() {
	printf '%s\n' "$1"
	shift
	(cd "$here" && sha256sum "$@")
}

# Ends the script when that is what was installed last.
already() {
	[ "$(cat "$place/installed" 2>/dev/null)" != "$1" ] || exit 0
	mkdir -p "$place"
	rm -f "$place/installed"
}

setup_js() {
	command -v node >/dev/null || skip "stock clients in JavaScript: node is not installed"
	command -v npm >/dev/null || skip "stock clients in JavaScript: npm is not installed"
	node -e 'const [a, b] = process.versions.node.split("."); process.exit(a < 20 || (a == 20 && b < 17) ? 1 : 0)' ||
		skip "stock clients in JavaScript: node $(node --version) is too old"
	local marker
	marker=$(marker_of "node $(node --version)" setup.sh js/package.json js/package-lock.json)
	already "$marker"
	cp "$here/js/package.json" "$here/js/package-lock.json" "$place/"
	(cd "$place" && timeout 600 npm ci --ignore-scripts --no-audit --no-fund) >"$log" 2>&1 ||
		fail "npm ci failed"
	printf '%s\n' "$marker" >"$place/installed"
}

# A Go since 1.21 fetches the one that go.mod asks for, unless told not to.
go_ready() {
	if ! (cd "$here/$1" && timeout 600 go list -mod=readonly -f '{{.GoVersion}}' -m) >"$log" 2>&1; then
		if grep -qE 'requires go >=|invalid go version|go\.mod:[0-9]+:' "$log"; then
			skip "$2: $(cd / && go version) is too old: $(head -n 1 "$log")"
		fi
		fail "go list failed"
	fi
}

setup_go() {
	command -v go >/dev/null || skip "stock clients in Go: go is not installed"
	local marker
	marker=$(cd "$here" && marker_of "$(cd / && go version)" setup.sh go/go.mod go/go.sum go/*.go)
	already "$marker"
	go_ready go "stock clients in Go"
	(cd "$here/go" && timeout 1200 go build -mod=readonly -trimpath -buildvcs=false -o "$place/clients" .) >"$log" 2>&1 ||
		fail "go build failed"
	printf '%s\n' "$marker" >"$place/installed"
}

# A witness as it was released: go.sum has the checksum of all that it is made
# of, and nothing but it asks for other versions.
setup_litewitness() {
	command -v go >/dev/null || skip "a witness in Go: go is not installed"
	local marker
	marker=$(cd "$here" && marker_of "$(cd / && go version)" setup.sh litewitness/go.mod litewitness/go.sum)
	already "$marker"
	go_ready litewitness "a witness in Go"
	(cd "$here/litewitness" && CGO_ENABLED=0 timeout 1200 go build -mod=readonly -trimpath -buildvcs=false \
		-o "$place/litewitness" filippo.io/torchwood/cmd/litewitness) >"$log" 2>&1 ||
		fail "go build failed"
	printf '%s\n' "$marker" >"$place/installed"
}

# The interpreter of the system tests, which a newer one in PATH may hide, with
# the packages of one file.
setup_python() {
	local requirements=python/$1
	local python=/usr/bin/python3 marker
	[ -x "$python" ] || python=$(command -v python3) || skip "stock clients in Python: python3 is not installed"
	"$python" -c 'import ensurepip, venv' 2>/dev/null || skip "stock clients in Python: venv is not installed"
	"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "stock clients in Python: $("$python" --version) is too old"
	marker=$(marker_of "$("$python" --version)" setup.sh "$requirements")
	already "$marker"
	{
		"$python" -m venv --clear "$place/venv"
		timeout 600 "$place/venv/bin/python" -m pip install --quiet --no-input \
			--disable-pip-version-check --only-binary :all: --no-deps \
			--requirement "$here/$requirements"
		"$place/venv/bin/python" -m pip check
	} >"$log" 2>&1 || fail "pip install failed"
	printf '%s\n' "$marker" >"$place/installed"
}

case $language in
js) setup_js ;;
go) setup_go ;;
litewitness) setup_litewitness ;;
python) setup_python requirements.txt ;;
model_signing) setup_python model_signing.txt ;;
*) fail "no such language: $language" ;;
esac
