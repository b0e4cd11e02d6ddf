"""`sealshot restore --learned`: a guess, by a net, at the faces under those that were drawn."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from sealshot.runtime.cli.arguments import Arguments, file_in_folder
from sealshot.runtime.cli.terminal import note, progress, say, say_json
from sealshot.runtime.cli.words import counted
from sealshot.runtime.detect import open_detector
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.carriers import message_of
from sealshot.runtime.public.containers import check_output
from sealshot.runtime.public.hiding import MIN_FACE_PX
from sealshot.runtime.public.painter import SURE_SCORE
from sealshot.runtime.public.recording import Recording
from sealshot.runtime.public.undo import Undoer, drawn_ones
from sealshot.runtime.public.writer import VideoWriter
from sealshot.runtime.types import Face

NO_LOCK = (
    "a guess, and no proof of who was there: only the quorum's originals are exact. It is no lock "
    "either: whoever has the net that drew these faces can train one that undoes it"
)


def main(usage: str, argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("restore", usage)
    arguments.add_argument("stream", type=Path)
    arguments.add_argument("--learned", type=Path, required=True)
    arguments.add_argument("-o", dest="output", type=file_in_folder, required=True)
    arguments.add_argument("--no-sandbox", action="store_true")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    check_output(given.output, "ffv1")
    undoer = Undoer(given.learned)
    find = open_detector("mtcnn", min_face_px=MIN_FACE_PX)
    pictures = guessed = silent = 0
    with (
        Recording(given.stream, sandbox=not given.no_sandbox) as recording,
        VideoWriter(given.output, recording.form, "ffv1", private=True) as writer,
        progress("guessing", recording.frames) as bar,
    ):
        for item in recording:
            assert not isinstance(item, av.Packet)  # no sound was asked for
            planes = [plane.copy() for plane in item.picture.planes]
            message = item.message or message_of(planes[0])
            if message is None:
                silent += 1
            elif message.regions:
                height, width = planes[0].shape
                scale = np.array([width / item.image.shape[1], height / item.image.shape[0]])
                found = [
                    Face(face.box * np.tile(scale, 2), face.score, face.landmarks * scale)
                    for face in find.detect(item.image)
                    if face.score >= SURE_SCORE
                ]
                faces = drawn_ones(found, message)
                undoer.undo(planes, faces)
                guessed += len(faces)
            writer.write(planes, item.picture.ticks)
            pictures += 1
            bar.update(pictures)
        if silent == pictures:
            raise InputError(
                f"no picture of {given.stream} says what was covered in it",
                hint="give the file that `deidentify` or `run --public` wrote, or a copy (-c copy)",
            )
        writer.keep()
    if given.json:
        fields = {"output": str(given.output), "pictures": pictures, "guessed": guessed}
        say_json({**fields, "silent": silent, "undoes": undoer.manifest.undoes})
    else:
        say(f"{given.output}: {counted(pictures, 'picture')}, {counted(guessed, 'face')} guessed")
    if silent:
        note(f"{counted(silent, 'picture')} did not say what was covered in them: left as they are")
    note(NO_LOCK)
    return 0
