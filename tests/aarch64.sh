#!/usr/bin/env bash
# Checks the wheel on aarch64, emulated by qemu-user on an x86 machine: golden scores of every form
# that ships, sealing and opening, and a short clip, whose shots must show the people of this machine's.
#
#   tests/aarch64.sh [FOLDER]     FOLDER keeps the Debian root and the wheels for the next time
#
# Needs root, qemu-user-static and mmdebstrap of Debian, and a Python with sealshot installed. Takes
# about four minutes of one core, some twenty times slower than the same work here. ONNX Runtime 1.26 starts
# under the qemu 7.2 of Debian 12, later ones do not; so it says nothing of speed, nor of those.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kept=$(realpath -m "${1:-$work/kept}")

if [[ ! -x $kept/root/usr/bin/python3.11 ]]; then
    mkdir -p "$kept"
    mmdebstrap --quiet --mode=root --variant=extract --architectures=arm64 bookworm "$kept/root" \
        --include=python3,python3-minimal,libpython3.11-stdlib,libstdc++6,libgomp1,zlib1g,libffi8,libssl3,libglib2.0-0
    platforms=()
    for tag in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
        platforms+=(--platform "${tag}_aarch64")
    done
    python3 -m pip install -q --no-compile --only-binary=:all: --python-version 3.11 \
        --implementation cp "${platforms[@]}" --target "$kept/site" \
        numpy 'onnxruntime==1.26.*' av opencv-python-headless cryptography scipy rich
fi

# of a copy, so that no build lies in the tree
mkdir "$work/source" "$work/site"
git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$work/source"
python3 -m pip wheel -q --no-deps -w "$work" "$work/source"
python3 -m pip install -q --no-deps --no-compile --target "$work/site" "$work"/*.whl

there() {
    PYTHONPATH=$work/site:$kept/site \
        qemu-aarch64-static -L "$kept/root" "$kept/root/usr/bin/python3.11" "$@" \
        2> >(grep -v 'cpuid_info warning' >&2)
}

echo "== golden scores"
there tests/aarch64_scores.py

echo "== a clip: sealed there, opened there, against the shots of this machine"
python3 - "$work/clip.avi" <<'PYTHON'
import itertools, sys, cv2
from sealshot.runtime.demo.clip import FPS, HEIGHT, WIDTH, render

size = (WIDTH, HEIGHT)
writer = cv2.VideoWriter(sys.argv[1], cv2.VideoWriter.fourcc(*"MJPG"), float(FPS), size)
for frame in itertools.islice(render(), 80, 95):
    writer.write(frame)
writer.release()
PYTHON
here() { python3 "$@"; }
for machine in here there; do
    "$machine" -m sealshot keys new "$work/$machine.key" >"$work/$machine.pub"
    to=$(grep -o 'age1[0-9a-z]*' "$work/$machine.pub")
    "$machine" -m sealshot run "$work/clip.avi" --to "$to" --vault "$work/$machine" \
        --engine onnxruntime --json 2>"$work/$machine.log" >"$work/$machine.json" ||
        { cat "$work/$machine.log"; exit 1; }
    "$machine" -m sealshot open "$work/$machine" --identity "$work/$machine.key" -o "$work/$machine-opened"
done
# boxes are not the same to the pixel there, and MTCNN is chaotic in the last bit of one: so the same
# people in the same place with a shot about as good, but of neighbouring frames, which are near-equal
python3 - "$work/here-opened" "$work/there-opened" <<'PYTHON'
import json
import sys
from pathlib import Path

here, there = (
    sorted((json.loads(p.read_text()) for p in Path(folder).glob("*.json")), key=lambda s: s["box"])
    for folder in sys.argv[1:]
)
for shot in (*here, *there):
    print(shot["frame"], [round(x) for x in shot["box"]], round(shot["score"], 3))
assert len(here) == len(there) == 2, "two people are in the clip"
for ours, theirs in zip(here, there):
    ours_at, theirs_at = ((shot["box"][0] + shot["box"][2]) / 2 for shot in (ours, theirs))
    width = ours["box"][2] - ours["box"][0]
    assert abs(ours_at - theirs_at) < width, "another person"
    assert abs(ours["score"] - theirs["score"]) < 0.5, "another score: a spread is about 1"
PYTHON
echo "aarch64: passed"
