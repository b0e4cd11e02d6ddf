#!/usr/bin/env bash
# Trains on a GPU what draws faces of nobody and the reversible pair, and measures both. It is meant to
# take nine minutes of an H200; not run on one yet, so how many steps fit is an estimate. What the time
# cuts short is exported from its last checkpoint. Called again it goes on where it was. Before all
# that, faces are cut once on a processor: some minutes for ten thousand pictures.
#
# usage: export/deid/gpu.sh FACES LABELS.csv DEV-FACES DEV-LABELS.csv MATCHER.onnx OUT [DEVICE
#        [TRAINING OPTIONS]]
#   FACES: folders of pictures; LABELS.csv says who is who. DEV-FACES: a folder a person
set -euo pipefail
faces=$1 labels=$2 dev=$3 dev_labels=$4 matcher=$5 out=$6 device=${7:-cuda} options=("${@:8}")

for folder in "$faces" "$dev"; do # it would be found out after all the training
    compgen -G "$folder/*/*" >/dev/null || { echo "$folder holds no folders of pictures" >&2; exit 2; }
done

train() { # SECONDS NAME OPTIONS...
    mkdir -p "$out/$2"
    # faces and critics are the same for both
    [ "$2" = release ] || cp -u "$out"/release/{faces.npz,reader.ckpt,critic-?.ckpt} "$out/$2"
    timeout "$1" sealshot train deid "$faces" --labels "$labels" -o "$out/$2" --device "$device" \
        --batch 96 --steps 12000 "${@:3}" "${options[@]}" || {
        [ $? -eq 124 ] && sealshot export deid "$out/$2/operator.ckpt" -o "$out/$2/faces.onnx"
    }
}

measure() { # NAME OPTIONS...
    sealshot bench deid "$dev" --recognizer "$matcher" --drawn "$out/$1/faces.onnx" \
        --probe "$faces" --labels "$labels" --labels "$dev_labels" --attack "$faces" \
        --sheets "$out/$1/sheets" -o "$out/$1.json" "${@:2}"
}

mkdir -p "$out/release"
[ -e "$out/release/faces.npz" ] || python3 - "$faces" "$labels" "$out/release/faces.npz" <<'PYTHON'
import pathlib, sys

from sealshot.export.deid.faces import cut_faces

faces, labels, out = map(pathlib.Path, sys.argv[1:])
cut_faces([faces], [labels]).save(out)
PYTHON
train 300 release
train 120 reversible --reversible
measure release
measure reversible --undo "$out/reversible/undo.onnx"
