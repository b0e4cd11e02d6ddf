#!/usr/bin/env bash
# Table IV of UU-Net's paper: the reversible pair with the weight of each loss times and over 10, and
# with none for the reconstruction. Each of the sixteen goes on from the trained pair for some steps.
#
# usage: export/deid/ablations.sh OUT DEV-FACES MATCHER.onnx STEPS [DEVICE [TRAINING OPTIONS]]
#   OUT: as export/deid/gpu.sh left it; its faces, critics and reversible pair are used
set -euo pipefail
out=$1 dev=$2 matcher=$3 steps=$4 device=${5:-cpu} options=("${@:6}")

ablate() { # NAME OPTIONS...
    local to=$out/ablations/$1
    mkdir -p "$to"
    cp -u "$out"/release/{faces.npz,reader.ckpt,critic-?.ckpt} "$to"
    sealshot train deid "$out" -o "$to" --reversible --steps "$steps" --device "$device" \
        --start "$out/reversible/operator.ckpt" "${options[@]}" "${@:2}"
    sealshot bench deid "$dev" --recognizer "$matcher" --drawn "$to/faces.onnx" \
        --undo "$to/undo.onnx" -o "$to.json" >"$to.txt"
}

ablate as-it-is
ablate reconstruction-0 --weight reconstruction=0
for weight in reconstruction=50 colours=10 anonymity=.2 attributes=.4 track=.3 diversity=.3 adversarial=.25; do
    name=${weight%=*} value=${weight#*=}
    ablate "$name-times-10" --weight "$name=$(awk "BEGIN { print $value * 10 }")"
    ablate "$name-over-10" --weight "$name=$(awk "BEGIN { print $value / 10 }")"
done

python3 - "$out"/ablations/*.json <<'PYTHON'
import json, pathlib, sys

print(f"{'weights':24} {'same':>6} {'AUC':>6} {'AP':>6} {'KS p':>8} {'PSNR':>6} {'match':>6}")
for path in map(pathlib.Path, sys.argv[1:]):
    told = json.loads(path.read_text())
    face = next(r for r in told["rows"] if (r["style"], r["face_px"]) == ("face", 64))
    back = next(w for w in told["undone"] if w["crf"] is None)
    print(
        f"{path.stem:24} {face['same_picture']:6.3f} {face['auc']:6.3f} "
        f"{face['average_precision']:6.2f} {told['keeps']['ks_p']:8.1g} "
        f"{back['psnr_db']:6.1f} {back['match']:6.2f}"
    )
PYTHON
