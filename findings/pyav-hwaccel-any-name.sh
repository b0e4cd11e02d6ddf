#!/usr/bin/env bash
# PyAV's HWAccel takes a name that is none for CUDA, and decodes in software, unasked, for most names that it lists.
#
# Expected: `HWAccel("cuba")` raises ValueError, as no FFmpeg knows such a device (`av_hwdevice_find_type_by_name` says
# AV_HWDEVICE_TYPE_NONE); each name that `hwdevices_available()` gives opens its device, or fails where there is none.
# Seen, av 17.1.0 and 18.1.0, on a machine without any device: NONE matches the first configuration of the decoder, so
# "cuba" tries CUDA, in the same words as "cuda" does. The wheels list cuda, qsv, drm and amf: qsv and amf have decoders
# of their own (h264_qsv, h264_amf), which `av.open` never chooses, drm has none, so H.264 is decoded by the processor
# without a word. AV1, for which FFmpeg has a decoder that does nothing but CUDA, is opened with libdav1d: software too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/names.py" <<'PYTHON'
import io

import av
from av.codec.hwaccel import HWAccel, hwdevices_available


def clip(encoder):
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as out:
        stream = out.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        frame = av.VideoFrame(256, 256, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return data


def opened(data, name):
    data.seek(0)
    try:
        with av.open(data, hwaccel=HWAccel(name)) as container:
            context = container.streams.video[0].codec_context
            where = "device" if context.is_hwaccel else f"software ({context.codec.name})"
            return f"{where}: {next(container.decode(video=0)).format.name}"
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error.args[1] if len(error.args) > 1 else error}"


h264, av1 = clip("libx264"), clip("libsvtav1")
seen = {name: opened(h264, name) for name in (*hwdevices_available(), "cuba")}
seen["cuda, AV1"] = opened(av1, "cuda")
print(f"av {av.__version__}", *(f"{name}: {what}" for name, what in seen.items()), sep="\n  ")
software = [name for name in ("qsv", "drm", "amf") if seen[name] == "software (h264): yuv420p"]
assert software == ["qsv", "drm", "amf"], software
assert seen["cuba"] == seen["cuda"], "a name that is none is told"
assert seen["cuda, AV1"].startswith("software (libdav1d)"), "AV1 goes to the device"
PYTHON
for package in av==17.1.0 av==18.1.0; do
    python3 -m venv "$folder/$package"
    "$folder/$package/bin/pip" install -q "$package"
    "$folder/$package/bin/python" "$folder/names.py"
done
