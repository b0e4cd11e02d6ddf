"""`sealshot restore`: bring people back into a public stream, exactly, under a warrant."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from sealshot.runtime.cli.arguments import Arguments, file_in_folder, natural_int
from sealshot.runtime.cli.commands import learned
from sealshot.runtime.cli.commands.containers import Sealed, in_stream, in_vault
from sealshot.runtime.cli.commands.parties import read_rewraps
from sealshot.runtime.cli.terminal import Prompter, note, progress, say, say_json
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.public.containers import check_output
from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.message import Part
from sealshot.runtime.public.picture import Form, frame_of, planes_of
from sealshot.runtime.public.recording import Recording
from sealshot.runtime.public.restore import (
    NOT_WHOLE,
    Opened,
    Restorer,
    Survey,
    survey,
)
from sealshot.runtime.public.strip import NARROWEST_PX, strip_px
from sealshot.runtime.public.writer import VideoWriter
from sealshot.runtime.seal.ceremony import Answer, open_originals, read_answer, write_request
from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.documents import named, read_file, write_file
from sealshot.runtime.seal.keys import read_openers
from sealshot.runtime.seal.memory import disable_core_dumps
from sealshot.runtime.seal.originals import Originals
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.rewrap import Rewrap
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import Warrant, check_warrant, read_warrant
from sealshot.runtime.vault.logged import Logged, read_logged
from sealshot.runtime.vault.record import LOG

USAGE = """
usage: sealshot restore STREAM [--vault DIR] [--track N]... --warrant FILE --policy FILE
                     --request FILE
       sealshot restore STREAM [--vault DIR] [--track N]... --warrant FILE --policy FILE
                     --identity FILE --answer FILE... [--rewrap FILE]...
                     [--checkpoint FILE]... [--partial] -o FILE.mkv [--json]
       sealshot restore STREAM --learned UNDO.onnx -o FILE.mkv [--json]

Bring people back into STREAM, which `sealshot run --public --policy` wrote. It takes a warrant with
--purpose restore: the first step writes a request, which each authority and the custodian answer on
their own machines, as for `sealshot open`; the second restores with their answers.

FILE.mkv is without loss (FFV1), and where people were covered it is what the source showed, bit for
bit, which SHA-256 of what was sealed proves. Elsewhere it is what the codec of STREAM left. Pieces
from outside of the warrant's time stay covered.

With --track only that track comes back; where its blocks of 16x16 pixels touch the region of
somebody else they stay covered. A track ends wherever two people may have changed places in it, so
one person may be several: `sealshot public read STREAM` lists them.

What does not fit is refused, and nothing is written: a stream that was cut, scaled or cropped, or
encoded again so that it says nothing of itself, a container that is missing, or is another than the
stream says. Where a stream was encoded again and still says which pictures it has, people come back
as they were; what is around them is as whoever encoded it wanted it.

With --learned no warrant and no key is needed, and nothing is exact: a net guesses at the faces
under those that were drawn (style face, with the net that UNDO.onnx was trained to undo). Whoever
has the net that drew can train one, so it is no lock, and what it shows proves nothing.

--learned FILE    guess with this net, of `sealshot train deid --reversible`
--vault DIR       where the containers are (default: in STREAM itself, if `sealshot public attach`
                  put them there; the vault's log then does not say whether they were replaced)
--track N         a track to bring back; may be repeated (default: everybody)
--warrant FILE    a warrant that a quorum has signed, with --purpose restore
--policy FILE     the policy of the camera
--request FILE    write the request
--identity FILE   the private key of the investigator; may be repeated
--answer FILE     the answer of an authority or of the custodian; may be repeated
--rewrap FILE     by which an authority gave its shares to those that came after; may be repeated
--checkpoint FILE  of the camera's log, kept elsewhere; may be repeated
--partial         restore what can be, where pictures of STREAM or containers are missing
-o FILE.mkv       not overwritten; readable by you only
--no-sandbox      let FFmpeg parse STREAM, and what was sealed, in the process that holds the keys
--json            print the summary as JSON

examples:
  sealshot restore public.mkv --vault vault/ --track 3 --warrant w.json --policy policy.toml \\
      --request request.zip
  sealshot restore public.mkv --vault vault/ --track 3 --warrant w.json --policy policy.toml \\
      --identity me.key --answer judge.answer --answer police.answer --answer custodian.answer \\
      -o original.mkv
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    if any(word == "--learned" or word.startswith("--learned=") for word in argv):
        return learned.main(USAGE, argv)
    arguments = Arguments("restore", USAGE)
    add = arguments.add_argument
    add("stream", type=Path)
    add("--vault", type=Path)
    add("--track", type=natural_int, action="append", default=[])
    add("--warrant", type=Path, required=True)
    add("--policy", type=Path, required=True)
    add("--request", type=file_in_folder)
    add("--identity", action="append", default=[])
    add("--answer", action="append", type=Path, default=[])
    add("--rewrap", action="append", type=Path, default=[])
    add("--checkpoint", action="append", type=Path, default=[])
    add("--partial", action="store_true")
    add("-o", dest="output", type=file_in_folder)
    add("--no-sandbox", action="store_true")
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    sandbox = not given.no_sandbox
    if (given.request is None) == (given.output is None):
        arguments.error("give --request FILE, or -o FILE.mkv")
    if given.output:
        check_output(given.output, "ffv1")
        if not given.identity:
            arguments.error("the following arguments are required: --identity")
    warrant, policy = read_warrant(given.warrant), read_policy(given.policy)
    check_warrant(warrant, policy, utc_now(), "restore")
    found = survey(given.stream, sandbox=sandbox)
    wanted = found.wanted(given.stream, frozenset(given.track))
    there = (
        in_vault(given.vault, wanted)
        if given.vault
        else in_stream(given.stream, wanted, sandbox=sandbox)
    )
    if given.request:
        return _request(there, warrant, policy, given.request)
    return _restore(given, found, wanted, there, warrant, policy)


def _request(there: Mapping[Part, Sealed], warrant: Warrant, policy: Policy, output: Path) -> int:
    containers = []
    for found in there.values():
        with named(found.path):
            container = read_container(found.read())
            check_scope(warrant, container, policy)
        containers.append(container)
    write_file(output, write_request(containers))
    note(f"a request for {counted(len(containers), 'part')}: {output}")
    return 0


def _restore(
    given: argparse.Namespace,
    found: Survey,
    wanted: Mapping[Part, str],
    there: Mapping[Part, Sealed],
    warrant: Warrant,
    policy: Policy,
) -> int:
    if not given.partial:
        where = "the vault" if given.vault else "it"
        _check_whole(given.stream, found, len(wanted) - len(there), where)
    disable_core_dumps()
    prompter = Prompter()
    identities = [one for file in given.identity for one in read_openers(file, prompter)]
    answers = []
    for path in given.answer:
        with named(path):
            answers.append(read_answer(read_file(path, "answer"), warrant, policy, identities))
    kept = [read_file(path, "checkpoint", CHECKPOINT_LIMIT) for path in given.checkpoint]
    rewraps = read_rewraps(given.rewrap, policy)
    logged = _logged(given.vault, there, warrant, kept)
    opener = _Opener(there, warrant, policy, answers, rewraps, logged)
    sandbox = not given.no_sandbox
    restorer = Restorer(found, there, opener, sandbox=sandbox)
    originals = opener(min(there)).part.originals
    with (
        closing(restorer),
        Recording(given.stream, sandbox=sandbox) as recording,
        VideoWriter(given.output, _form_of(originals, recording), "ffv1", private=True) as writer,
        progress("restoring", found.pictures) as bar,
    ):
        written = 0
        for item in recording:
            assert not isinstance(item, av.Packet)  # no sound was asked for
            _check_upright(recording)
            planes = _as(item.picture.planes, recording.form.format, originals)
            message = item.message or found.message(written)
            if message is not None:
                restorer.restore(planes, message)
            elif not given.partial:
                raise InputError(
                    f"picture {written} of {given.stream} does not say which one it is",
                    hint=NOT_WHOLE,
                )
            writer.write(planes, item.picture.ticks)
            written += 1
            bar.update(written)
        if restorer.later > 0 and not given.partial:
            raise InputError(
                f"{given.stream} was cut: {restorer.later} pictures or more after its last are "
                "missing",
                hint=NOT_WHOLE,
            )
        writer.keep()
    return _tell(given, found, restorer, written, recording.codec)


def _check_whole(stream: Path, found: Survey, missing: int, where: str) -> None:
    if found.silent:
        raise InputError(
            f"{found.silent} of the pictures of {stream} do not say which ones they are",
            hint=NOT_WHOLE,
        )
    if found.missing:
        raise InputError(
            f"{stream} was cut: {found.missing} of its first {found.last + 1} pictures are missing",
            hint=NOT_WHOLE,
        )
    if missing:
        raise InputError(
            f"{missing} of the containers of {stream} are not in {where}", hint=NOT_WHOLE
        )


class _Opener:
    """Opens a part with the answers, and checks that it is the one that was asked for."""

    def __init__(
        self,
        there: Mapping[Part, Sealed],
        warrant: Warrant,
        policy: Policy,
        answers: Sequence[Answer],
        rewraps: Sequence[Rewrap],
        logged: Logged | None,
    ) -> None:
        self._there, self._warrant, self._policy = there, warrant, policy
        self._answers, self._rewraps, self._logged = answers, rewraps, logged

    def __call__(self, part: Part) -> Opened:
        found = self._there[part]
        with named(found.path):
            data = found.read()
            container = read_container(data)
            if container.header.id != found.path.stem:
                raise SealError(
                    f"it is the container {container.header.id}, under the name of another",
                    hint="put each container back in its place: its name is its id",
                )
            wrong = self._logged.differs(found.id, data) if self._logged else ""
            if wrong:
                raise SealError(wrong, "the camera's key may be stolen: ask its keeper")
            opened = open_originals(
                container, self._warrant, self._policy, self._answers, self._rewraps
            )
        return Opened(opened, opened.within(self._warrant.start, self._warrant.end))


def _logged(
    vault: Path | None, there: Mapping[Part, Sealed], warrant: Warrant, kept: Sequence[bytes]
) -> Logged | None:
    if vault is None or not (vault / LOG).exists():
        where = f"in {vault}" if vault else "without --vault"
        note(f"there is no log {where}: whether a container was replaced is not checked")
        return None
    asked = {found.id for found in there.values()}
    return read_logged(vault / LOG, warrant.cameras, kept, there=asked)


def _form_of(originals: Originals, recording: Recording) -> Form:
    """Return the form of what is restored: that of what was covered, without a strip.

    Raises:
        InputError: the stream has another size, or is turned.
    """
    _check_upright(recording)
    form = recording.form
    width, height = originals.width, originals.height
    strip = strip_px(width) if form.height > height and width >= NARROWEST_PX else 0
    if (form.width, form.height) not in ((width, height), (width, height + strip)):
        raise InputError(
            f"the pictures are {form.width}x{form.height}, and were {width}x{height} when they "
            "were covered: the stream was scaled or cropped",
            hint="give the file that `run --public` wrote, or a copy of it (-c copy)",
        )
    return replace(form, width=width, height=height, format=originals.pixels)


def _check_upright(recording: Recording) -> None:
    """Refuse a stream that somebody's display matrix turns: originals would be put elsewhere."""
    if recording.turned:
        raise InputError(
            f"{recording.name} says that it is to be turned, which no public stream does",
            hint="give the file that `run --public` wrote, or a copy of it (-c copy)",
        )


def _as(planes: Sequence[Plane], format: str, originals: Originals) -> Sequence[Plane]:
    """Return planes as the originals are: without the strip, and in their format."""
    height = planes[0].shape[0]
    cut = [plane[: originals.height * plane.shape[0] // height] for plane in planes]
    if format == originals.pixels:
        return [np.require(plane, requirements="W") for plane in cut]
    return planes_of(frame_of(cut, format).reformat(format=originals.pixels))


def _tell(
    given: argparse.Namespace, found: Survey, restorer: Restorer, written: int, codec: str
) -> int:
    if given.json:
        say_json(
            {
                "output": str(given.output),
                "stream": found.stream,
                "pictures": written,
                "restored": restorer.restored,
                "tracks": given.track,
                "outside_of_time": restorer.outside,
                "elsewhere": codec,
            }
        )
        return 0
    who = "track " + ", ".join(map(str, given.track)) if given.track else "everybody"
    say(f"{given.output}: {counted(written, 'picture')}, {who} is back in {restorer.restored}")
    note(f"bit for bit what was there; elsewhere the picture is what {codec} left of it")
    if given.track:
        note("where blocks of 16x16 pixels touch somebody else's region they stay covered")
    if restorer.outside:
        note(f"{restorer.outside} pieces from outside of the warrant's time stay covered")
    return 0
