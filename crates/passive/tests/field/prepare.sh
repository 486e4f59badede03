#!/usr/bin/env bash
# Once before record.py: Python packages of the clients and servers, and the client in Go, in FIELD_TOOLS.
set -euo pipefail
tools=${FIELD_TOOLS:-/tmp/thru-field}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$tools/bin"
python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet aiohttp aioquic cryptography dnslib h2 "httpx[http2]" Hypercorn requests scapy websockets
(cd "$here/clients/go" && go build -o "$tools/bin/goget" .)
echo "ready: $tools"
