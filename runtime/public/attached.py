"""One file that carries all: a public stream, and the containers of its originals as attachments.

Matroska holds attachments beside its tracks (RFC 9559, 5.1.6). Programs that copy a video mostly
leave them out; the vault has the containers all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.files import PART, WRITE_ELSEWHERE, file_error, fsync_folder
from sealshot.runtime.public.output_file import OutputFile
from sealshot.runtime.public.recording import check_file, not_read
from sealshot.runtime.sandbox import OPTIONS
from sealshot.runtime.sources.contents import attachments
from sealshot.runtime.sources.reader import NoVideoError
from sealshot.runtime.vault.store import SEALED

logger = logging.getLogger(__name__)

TYPE = "application/octet-stream"
COPIED = ("video", "audio")


def attach(stream: Path, containers: Mapping[str, bytes], output: Path) -> None:
    """Copy a video, packet by packet, with containers beside it; write all of it or nothing.

    Args:
        stream: the video; attachments that it has are left out.
        containers: identifier to bytes; Matroska has them before the video, so all at once.
        output: a file that is not there yet.

    Raises:
        InputError: ``stream`` is no video that can be read.
        SealshotError: the file cannot be written.
    """
    part = output.with_name(output.name + PART)
    try:
        file = OutputFile(part, 0o666)
    except OSError as error:
        raise file_error(f"cannot write {output}", error, WRITE_ELSEWHERE) from None
    failure: Exception | None = None
    hidden = 0
    try:
        try:
            with _open_video(stream) as source, av.open(file, "w", format="matroska") as target:
                tracks = {
                    track.index: target.add_stream_from_template(track)
                    for track in source.streams
                    if track.type in COPIED
                }
                for name, data in containers.items():
                    target.add_attachment(name + SEALED, TYPE, data)
                for packet in source.demux([source.streams[index] for index in tracks]):
                    if packet.size:
                        hidden += packet.is_discard and packet.stream.type == "video"
                        packet.stream = tracks[packet.stream.index]
                        target.mux(packet)
            file.finish()
            part.replace(output)
            fsync_folder(output.parent)
        except (OSError, FFmpegError, ValueError) as error:
            failure = file.failure or error
    finally:
        file.close()
        part.unlink(missing_ok=True)
    if isinstance(failure, OSError) and failure.errno:
        raise file_error(f"cannot write {output}", failure, WRITE_ELSEWHERE) from None
    if failure is not None:
        raise SealshotError(f"cannot write {output}: {failure}", hint="check that it plays")
    if hidden:
        logger.warning(
            "%s shows pictures again that an edit list cut off %s, which Matroska cannot hide: %d",
            output,
            stream,
            hidden,
        )


def attached(stream: Path, *, sandbox: bool = True) -> dict[str, bytes]:
    """Return the containers that a video carries, by their identifiers.

    Args:
        stream: the video.
        sandbox: as of :class:`~sealshot.runtime.public.recording.Recording`.

    Raises:
        InputError: it is no video that can be read.
    """
    check_file(stream)
    try:
        return {
            name.removesuffix(SEALED): data
            for name, data in attachments(stream, sandbox=sandbox)
            if name.endswith(SEALED)
        }
    except NoVideoError as error:
        raise not_read(error, stream) from None


def _open_video(path: Path) -> InputContainer:
    check_file(path)
    try:
        return av.open(str(path.absolute()), options=dict(OPTIONS), metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        why = str(getattr(error, "strerror", None) or type(error).__name__)
        raise not_read(NoVideoError(why.lower()), path) from None
