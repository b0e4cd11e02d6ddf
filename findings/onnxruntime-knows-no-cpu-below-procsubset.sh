#!/usr/bin/env bash
# ONNX Runtime does not know its processor in a service of systemd with ProcSubset=pid, and warns of slowness.
#
# Expected: on x86 what a processor can do comes from the CPUID instruction, which no sandbox takes away; a session in
# a hardened service (systemd.exec(5): ProcSubset=pid, advised for every service by `systemd-analyze security`) is
# silent.
# Seen (onnxruntime 1.32.0, x86-64): /proc/cpuinfo is not there, so its cpuinfo library fails: five lines on standard
# error at each import ("Unknown CPU vendor. cpuinfo_vendor value: 0", "May cause CPU EP performance degradation"),
# three of them before any logger can be set. Convolutions in fp32, fp16 and int8 run as fast as before (AVX2).
set -euo pipefail
[[ $(uname -m) == x86_64 ]] || { echo "tried on x86-64 alone"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnxruntime==1.32.0 numpy==2.4.*
cat > "$folder/service" <<SERVICE
mount -t proc -o subset=pid proc /proc  # what ProcSubset=pid does
"$folder/venv/bin/python" -c 'import onnxruntime; print("onnxruntime", onnxruntime.__version__)'
SERVICE
as=(--mount --pid --fork)
((EUID == 0)) || as+=(--user --map-root-user)
unshare "${as[@]}" mount -t proc -o subset=pid proc /proc 2> /dev/null || {
    echo "there are no namespaces to try it in"
    exit 0
}
"$folder/venv/bin/python" -c 'import onnxruntime' 2>&1 | grep -q cpuinfo && { echo "it warns without, too"; exit 1; }
unshare "${as[@]}" bash "$folder/service" 2>&1 | tee "$folder/said"
grep -q 'Unknown CPU vendor' "$folder/said" || { echo "changed: it knows the processor"; exit 1; }
