"""A source as a board reads it best: through the GStreamer pipeline of its profile."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.redact import redact

if TYPE_CHECKING:
    from sealshot.boards import Board

CSI = "csi:"
"""Before the number of a camera on the board's CSI connector."""

# in a quoted value of a pipeline these would end it, or be read as an escape
UNSAFE = re.compile(r"[\"\\\x00-\x20\x7f]")


def find_board(name: str) -> Board:
    """Return the profile of a board; ``auto`` is the one that this program runs on.

    Raises:
        InputError: there is no such board, or none is recognised.
    """
    from sealshot.boards import ProfileError, boards, detect

    try:
        known = boards()
    except ProfileError as error:
        raise InputError(f"a board profile is damaged: {error}", hint="install again") from None
    if name == "auto":
        found = detect()
        if found.board is None:
            raise InputError(
                f"this board is not recognised: {found.why}",
                hint="name one of `sealshot board list`",
            )
        return known[found.board]
    if name not in known:
        raise InputError(f"there is no board '{name}'", hint="`sealshot board list` shows them")
    return known[name]


def board_source(board: Board, spec: str) -> str:
    """Return what to open for ``spec`` on ``board``.

    Args:
        board: its pipelines are used where it has one for this kind of source.
        spec: ``csi:0`` is a camera on the board's CSI connector, by its number. An rtsp:// address
            is decoded by the board's hardware, a V4L2 camera (``0``, ``/dev/video0``) is read by
            its pipeline. All else comes back as it is.

    Raises:
        InputError: the board has no CSI pipeline, or the address cannot stand in a pipeline.
    """
    if spec.startswith(CSI):
        sensor = spec.removeprefix(CSI)
        if not re.fullmatch("[0-9]{1,2}", sensor):
            raise InputError(f"'{spec}' is no CSI camera", hint="give csi:0 or csi:1")
        if board.camera.csi is None:
            raise InputError(
                f"the profile of {board.title} has no pipeline for a CSI camera",
                hint="give an address, a device or a GStreamer pipeline of your own",
            )
        return board.camera.csi.value.replace("{sensor}", sensor)
    if board.camera.rtsp and re.match("rtsps?://", spec, re.IGNORECASE):
        return board.camera.rtsp.value.replace("{address}", _quoted(spec))
    if board.camera.v4l2 and re.fullmatch("[0-9]{1,3}|/dev/video[0-9]{1,3}", spec):
        device = spec if spec.startswith("/") else f"/dev/video{int(spec)}"
        return board.camera.v4l2.value.replace("{device}", _quoted(device))
    return spec


def _quoted(text: str) -> str:
    if UNSAFE.search(text):
        raise InputError(
            f"{redact(text)} has a space, a quote or a backslash in it",
            hint="write it as %20, %22 or %5C",
        )
    return f'"{text}"'
