#!/usr/bin/env bash
# Has Go's own packages for transparency logs verify a log: checkpoints, tiles, proofs, consistency;
# and refuse one in which a tile, a proof or a checkpoint was altered. As root on Debian:
#
#   apt-get install golang-go golang-golang-x-mod-dev && tests/runtime/seal/go/stock.sh
#
# Another Go, or the packages elsewhere: `PATH=.../go/bin:$PATH GOCODE=.../gocode`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$(command -v python || command -v python3)
export GO111MODULE=off GOPATH=${GOCODE:-/usr/share/gocode} GOCACHE=$work/cache GOFLAGS=
go version
go build -o "$work/stock" "$here/stock.go"
vkey=$("$python" "$here/write_log.py" "$work")
proofs=("$work"/*.proof)
"$work/stock" "$vkey" "$work/log" "$work/log.checkpoint" "$work/early" "${proofs[@]}"

refused() {
    cp "$1" "$work/kept"
    "$python" - "$1" <<'EOF'
import pathlib, sys
path = pathlib.Path(sys.argv[1])
data = bytearray(path.read_bytes())
signature = data.find(b"\n\n") + 60  # the first, the others are of kinds that Go passes over
at = {".proof": data.find(b"\n") // 2, ".checkpoint": signature}.get(path.suffix, len(data) // 2)
if path.name == "early":
    at = signature
data[at] ^= 1
path.write_bytes(data)
EOF
    if "$work/stock" "$vkey" "$work/log" "$work/log.checkpoint" "$work/early" "${proofs[@]}" \
        >/dev/null 2>"$work/why"; then
        echo "$1 was altered, and nobody saw it"
        exit 1
    fi
    echo "altered ${1#"$work"/}: $(<"$work/why")"
    cp "$work/kept" "$1"
}
refused "$work/log"
refused "$work/log.checkpoint"
refused "$work/early"
refused "$work/log.tiles/tile/0/000"
