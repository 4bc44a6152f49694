#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# schema/openapi.yaml is valid OpenAPI 3.1, names exactly the routes of
# server/api/router.c, and every reason that an answer can carry.
set -euo pipefail
source=${SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
build=${BUILD:-$source/build}
command -v python3 >/dev/null || { echo "SKIP: python3 is not installed"; exit 77; }
venv=$build/lint/openapi
if [ ! -e "$venv/done" ]; then
	rm -rf "$venv"
	mkdir -p "$build/lint"
	{ python3 -m venv "$venv" && "$venv/bin/pip" -q install openapi-spec-validator==0.7.1; } >"$build/lint/openapi.log" 2>&1 ||
		{ echo "SKIP: openapi-spec-validator cannot be installed; see $build/lint/openapi.log"; exit 77; }
	touch "$venv/done"
fi
"$venv/bin/python" -m openapi_spec_validator "$source/schema/openapi.yaml"
"$venv/bin/python" - "$source" <<'PY'
import glob, re, sys, yaml
source = sys.argv[1]
spec = yaml.safe_load(open(source + "/schema/openapi.yaml"))
faults = []

routes = set(re.findall(r'\{"(/[^"]*)", (?:true|false)', open(source + "/server/api/router.c").read()))
paths = {re.sub(r"\{.*", "", p) for p in spec["paths"]}
faults += [f"schema/openapi.yaml: no path for {r}" for r in sorted(routes - paths)]
faults += [f"schema/openapi.yaml: {p} is no route" for p in sorted(paths - routes)]

# What stays inside: the store's, the signer's and the client's own words.
INSIDE = {"head-refused", "signer-down", "root-mismatch", "store-unknown", "store-version", "store-read-only",
          "index-broken", "index-read-only", "inconsistent", "passphrase-wrong", "passphrase-missing",
          "network-file-system", "no-mldsa", "inclusion", "log-signature", "wrong-entry"}
text = "".join(open(f).read() for pattern in ("core/model/*.c", "server/*.c", "server/api/*.c", "server/store/*.c")
               for f in glob.glob(source + "/" + pattern) if "/cmd_" not in f)
said = set(re.findall(r'(?:error_reason|refusal_set|refuse)\(\s*[^"();]*?"([a-z]+(?:-[a-z0-9]+)+)"', text))
said |= set(re.findall(r'\[HTTP_FAULT_\w+\] =\s*\{\s*4\d\d, "([a-z-]+)"', text))
said |= set(re.findall(r'\[HEALTH_\w+\] = \{"([a-z-]+)"', text))
named = {r["const"] for r in spec["components"]["schemas"]["Reason"]["oneOf"]}
faults += [f"schema/openapi.yaml: no reason {r}" for r in sorted(said - named - INSIDE)]
faults += [f"schema/openapi.yaml: reason {r} is nowhere in the source" for r in sorted(named) if f'"{r}"' not in text
           and r not in ("internal", "limit", "syntax")]
operations = [o["operationId"] for p in spec["paths"].values() for o in p.values()]
faults += [f"operationId {o} twice" for o in set(operations) if operations.count(o) > 1]
print("\n".join(faults) or f"{len(paths)} paths, {len(named)} reasons")
sys.exit(bool(faults))
PY
