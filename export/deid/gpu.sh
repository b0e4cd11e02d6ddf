#!/usr/bin/env bash
# Trains what draws faces of nobody on a GPU, and measures what it hides.
# Meant for nine minutes on an H200; not run on one yet, so the number of steps is an estimate.
#
# usage: export/deid/gpu.sh FACES LABELS.csv DEV-FACES MATCHER.onnx OUT
set -euo pipefail
faces=$1 labels=$2 dev=$3 matcher=$4 out=$5
timeout 480 sealshot train deid "$faces" --labels "$labels" -o "$out" --device cuda || {
    [ $? -eq 124 ] && sealshot export deid "$out/operator.ckpt" -o "$out/faces.onnx"
}
sealshot bench deid "$dev" --recognizer "$matcher" --drawn "$out/faces.onnx" -o "$out/deid.json"
