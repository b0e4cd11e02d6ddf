"""`sealshot deidentify`: write a video in which nobody's face can be seen; nothing is sealed."""

from __future__ import annotations

import time
from pathlib import Path

import av

from sealshot.runtime.cli.arguments import Arguments, file_in_folder, positive_int, seconds
from sealshot.runtime.cli.commands.styles import promise, style
from sealshot.runtime.cli.terminal import note, progress, say, say_json
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.public.carriers import CARRIERS
from sealshot.runtime.public.containers import CODECS, CONTAINERS, check_output
from sealshot.runtime.public.cover import DEFAULT_STYLE
from sealshot.runtime.public.hiding import MIN_FACE_PX, Hiding, open_detectors
from sealshot.runtime.public.lookback import LOOK_S
from sealshot.runtime.public.recording import Recording, check_file
from sealshot.runtime.public.stream import PublicStream
from sealshot.runtime.public.writer import VideoWriter

USAGE = f"""
usage: sealshot deidentify VIDEO -o FILE [options]

Write VIDEO with every face covered. What was covered is gone: nothing is sealed. (`sealshot run
--public` does the same for a camera, beside the sealed shots.)

A face is covered where it is found and also where it must have been: each picture waits for what is
found after it, and people who are turned away or hidden stay covered along their way. So much is
covered that is no face. Time stamps, pixel aspect and colours stay as they are; pictures are turned
upright. Title, place, device, subtitles, chapters and cover picture are left out.

H.264 and H.265 say in each picture what is covered in it: `sealshot public read` shows it.

FILE appears when it is whole. Ctrl-C ends it well: what was looked at so far is kept.

  -o FILE             {", ".join(CONTAINERS)}; not overwritten
  --style STYLE       mosaic (default), blur or solid. Blur shows no more than mosaic does; solid
                      shows nothing. face draws faces of nobody over the blur, face:FILE.onnx with a
                      net of `sealshot train deid` (`sealshot bench deid` says what it hides);
                      face:FILE.onnx:Male,-Young keeps the one label of everybody, turns the other
  --codec NAME        {", ".join(CODECS)} (default: h264)
  --keep-audio        copy the sound. A voice tells who speaks: it is left out unless asked for
  --min-face PX       width of the smallest face to look for (default {MIN_FACE_PX}); smaller ones
                      stay as they are
  --look-back S       seconds that a picture waits for what is found after it, and that somebody
                      who is lost stays covered (default {LOOK_S:g}); memory holds so much video
  --message CARRIER   sei (default); the others say in the picture too which one it is. strip: in
                      cells below it, which outlive encoding and scaling; qim: unseen, in the
                      brightness of blocks, which outlives H.264 up to CRF 28 and no scaling; lsb:
                      with its boxes, in the lowest bits, for --codec ffv1
  --detector NAME     mtcnn (default), mtcnn:exact, or yunet:FILE.onnx; may be repeated: what any
                      of them finds is covered
  --no-sandbox        let FFmpeg read VIDEO in this process, as it does with --keep-audio
  --json              print the summary as JSON

examples:
  sealshot deidentify crowd.mp4 -o public.mp4
  sealshot deidentify crowd.mp4 -o public.mkv --codec ffv1 --style solid --keep-audio
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("deidentify", USAGE)
    add = arguments.add_argument
    add("video")
    add("-o", dest="output", type=file_in_folder, required=True)
    add("--style", type=style, default=(DEFAULT_STYLE, None))
    add("--codec", choices=CODECS)
    add("--keep-audio", action="store_true")
    add("--min-face", type=positive_int, default=MIN_FACE_PX)
    add("--look-back", type=seconds, default=LOOK_S)
    add("--message", choices=CARRIERS, default=CARRIERS[0])
    add("--detector", action="append")
    add("--no-sandbox", action="store_true")
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    codec = check_output(given.output, given.codec)
    if "://" in given.video or given.video.isdecimal():
        raise InputError(
            f"{given.video} is no file",
            hint="a camera is watched by `sealshot run --public FILE`",
        )
    video = Path(given.video)
    check_file(video)
    covered, drawn = given.style
    painter = drawn.painter() if drawn else None
    hiding = Hiding(covered, given.look_back, given.min_face, given.message, painter)
    detectors = open_detectors(given.detector or ["mtcnn"], hiding.min_face_px)
    stop, start_s = Stop(), time.perf_counter()
    with (
        stop.on_signals(),
        Recording(video, sound=given.keep_audio, sandbox=not given.no_sandbox) as recording,
        VideoWriter(
            given.output,
            recording.form,
            codec,
            recording.sound,
            below=hiding.below(codec, recording.form.width, recording.form.height),
        ) as writer,
        progress("covering") as bar,
    ):
        stream, taken = PublicStream(writer, detectors, hiding), 0
        with stop.heeded():
            for item in recording:
                if isinstance(item, av.Packet):
                    writer.copy(item)
                else:
                    stream.take(item.picture, item.see)
                    taken += 1
                    fps = taken / (time.perf_counter() - start_s)
                    bar.update(taken, f"{fps:.1f} fps", recording.frames)
                if stop.is_set():
                    break
            stream.finish(whole=not stop.is_set())
            if stream.pictures:
                writer.keep()
    if not stream.pictures:
        raise KeyboardInterrupt  # before the first one had waited enough: there is no file
    done_s = time.perf_counter() - start_s
    if given.json:
        say_json(
            {
                "output": str(given.output),
                "pictures": stream.pictures,
                "regions": stream.covered,
                "style": "face" if drawn else covered,
                "min_face_px": hiding.min_face_px,
                "damaged_packets": recording.damaged,
                "seconds": done_s,
                "interrupted": stop.is_set(),
            }
        )
    else:
        say(
            f"{given.output}: {counted(stream.pictures, 'picture')}, "
            f"{counted(stream.covered, 'region')} covered "
            f"({'face' if drawn else covered}), {stream.pictures / done_s:.1f} fps"
            + (", interrupted" if stop.is_set() else "")
        )
    if painter:
        note(promise(painter))
    note(f"faces narrower than {hiding.min_face_px} px were not looked for (--min-face)")
    if stop.is_set():
        left = counted(taken - stream.pictures, "picture")
        note(f"left out: {left}, since what comes after is unknown")
    return 0
