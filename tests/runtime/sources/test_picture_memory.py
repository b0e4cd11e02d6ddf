"""How many pictures are held while a stream is read."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from sealshot.runtime.sandbox.frames import Frames


def test_a_picture_that_nobody_holds_has_made_room_when_the_next_is_decoded(tmp_path: Path) -> None:
    path, places = tmp_path / "clip.avi", list[int]()
    with av.open(path, "w") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for grey in range(8):
            image = np.full((240, 320, 3), 20 * grey, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        out.mux(stream.encode(None))
    with av.open(path) as clip:
        for frame in Frames(clip, clip.streams.video[0], threads=1, public=False):
            places.append(frame.planes[0].buffer_ptr)
            del frame
    assert len(places) == 8
    assert len(set(places)) == 1
