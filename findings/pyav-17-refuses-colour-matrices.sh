#!/usr/bin/env bash
# PyAV from 17 on cannot show video that is tagged YCgCo, ICtCp or BT.2020 of constant luminance: EOPNOTSUPP.
#
# Expected: `frame.to_ndarray(format="bgr24")` of a plain yuv420p frame works whatever its colour tag says; at worst
# the colours come out wrong, as with PyAV 16 and with the ffmpeg program, which take an unknown matrix for BT.601.
# Seen, av 18.1.0 (17.0.0 alike): of 13 matrices of H.273 that H.264 can name, 6 (8 and 10 to 14) raise OSError 95
# ("Operation not supported"), so that a player stops at the first picture, or in mid-stream where a damaged header
# says so. av 16.1.0 shows all of them. Naming a matrix (`reformat(..., src_colorspace=, dst_colorspace=)`) helps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/show.py" <<'PYTHON'
import io

import av

refused, named = [], []
for matrix in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14):
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = matrix
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.colorspace = matrix
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    data.seek(0)
    with av.open(data) as clip:
        shown = next(clip.decode(video=0))
        try:
            shown.to_ndarray(format="bgr24")
        except OSError as error:
            assert error.errno == 95, error
            refused.append(shown.colorspace)
            shown.reformat(format="bgr24", src_colorspace=5, dst_colorspace=5).to_ndarray()
            named.append(shown.colorspace)
print(f"av {av.__version__}: refused matrices {refused}; with a named one they are shown: {named == refused}")
raise SystemExit(len(refused))
PYTHON
refuses() { # package, number of refused matrices
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install -q "$1" "numpy==2.2.6"
    local count=0
    "$folder/$1/bin/python" "$folder/show.py" || count=$?
    [ "$count" = "$2" ] || { echo "$1 refuses $count matrices, not $2"; exit 1; }
}
refuses av==16.1.0 0
refuses av==18.1.0 6
