"""What `cameras.toml` says: the cameras, and who is told of what they see.

Names are those of the options of `sealshot run`. Paths start from the folder of the file; ``~`` is
the home of who runs it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from sealshot.runtime.detect import MIN_FACE_PX, YUNET
from sealshot.runtime.files import in_folder
from sealshot.runtime.pipeline.settings import Choice, Emit, Settings
from sealshot.runtime.public.cover import DEFAULT_STYLE
from sealshot.runtime.seal.payload import PictureType
from sealshot.runtime.service.schedule import PATTERN as SCHEDULE
from sealshot.runtime.sources import Tls
from sealshot.runtime.weights import DEFAULT_SCORE

# A description says in the words of `serve --check` which values a key takes.
Text = Annotated[
    str, Meta(pattern=r"\A[^\x00-\x1f\x7f]+\Z", description="text of one line that is not empty")
]
FINITE = sys.float_info.max
Above0 = Annotated[float, Meta(gt=0, le=FINITE, description="a number above 0")]
From0 = Annotated[float, Meta(ge=0, le=FINITE, description="a number from 0 on")]
From1 = Annotated[int, Meta(ge=1, description="a whole number from 1 on")]
Share = Annotated[float, Meta(ge=0, le=1)]
Corners = Annotated[tuple[tuple[Share, Share], ...], Meta(min_length=3)]
Polygons = Annotated[
    tuple[Corners, ...],
    Meta(
        description="polygons of three corners or more, as "
        "[[[0.5, 0.0], [1.0, 0.0], [1.0, 1.0]]], each number from 0 to 1"
    ),
]
Port = Annotated[int, Meta(ge=1, le=65535, description="a whole number from 1 to 65535")]
Name = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="letters, digits, - and _, at most 64 of them",
    ),
]
Listen = Annotated[
    str,
    Meta(
        pattern=r"^(\[[0-9a-fA-F:]+\]|[^:\s]+):[0-9]{1,5}$",
        description="an address and a port, as 127.0.0.1:9877",
    ),
]
Topic = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9][A-Za-z0-9_/-]{0,99}$",
        description="letters, digits, -, _ and /, at most 100 of them",
    ),
]

EXAMPLE = Path(__file__).parent / "example.toml"


class Public(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stream that everybody may see, as of `sealshot run --public`: a file an hour."""

    folder: Text
    style: Text = DEFAULT_STYLE
    message: Annotated[
        Literal["sei", "strip", "qim"],
        Meta(description="sei, strip or qim (lsb does not outlive H.264)"),
    ] = "sei"
    originals: bool = True
    """With ``policy``: whether what is covered is sealed, for a quorum to bring back."""
    quota: Text | None = None
    """Above it the oldest files go."""


class Camera(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One camera, and all that is its own."""

    source: Text | None = None
    """As for `sealshot run`, without a password."""
    source_file: Text | None = None
    """A file with the source as its only line, or ``credential:NAME``; it may hold a password."""
    policy: Text | None = None
    to: (
        Annotated[
            tuple[Text, ...], Meta(min_length=1, description='a list of recipients, as ["age1..."]')
        ]
        | None
    ) = None
    """Recipients, in place of a policy."""
    retention: Text | None = None
    """With ``to``."""
    vault: Text
    quota: Text | None = None
    rate: From1 | None = None
    """People a minute; above it those with the lowest scores go."""
    upload: Text | None = None
    upload_file: Text | None = None
    """A file, or ``credential:NAME``, with an address of uploads that holds a secret."""
    after_upload: Literal["keep", "delete"] = "keep"
    emit: Literal["end", "timely", "live"] = "end"
    within: Above0 = 5.0
    clip: From0 = 0.0
    margin: Annotated[float, Meta(ge=0, le=5, description="a number from 0 to 5")] = Choice().margin
    picture: PictureType = "jpg"
    ca_file: Text | None = None
    tls_unverified: bool = False
    sandbox: bool = True
    """Whether FFmpeg reads the camera in a process of its own that holds nothing."""
    hwaccel: Text | None = None
    """Device that decodes what FFmpeg reads, with ``sandbox = false``."""
    masks: Polygons = ()
    """Polygons that are black before anything looks: corners as shares of width and height."""
    zones: Polygons = ()
    """Polygons, where there are any, outside of which all is black."""
    schedule: Annotated[
        tuple[Annotated[str, Meta(pattern=SCHEDULE)], ...],
        Meta(description='a list of hours, as ["Mon-Fri 07:00-19:30", "Sat 22:00-02:00"]'),
    ] = ()
    """When it watches, as ``Mon-Fri 07:00-19:30``, by the clock of the place; always if empty."""
    min_face: From1 = MIN_FACE_PX
    min_seen: From0 = Settings.min_seen_s
    detector: Text = Settings.detector
    tracker: Text = Settings.tracker
    score: Text = DEFAULT_SCORE
    engine: Text = Settings.engine
    precision: Text = Settings.precision
    board: Text | None = None
    fps: Above0 | None = None
    public: Public | None = None

    def settings(self, source: str, base: Path = Path()) -> Settings:
        """Return what to run on.

        Args:
            source: as it is to be opened.
            base: folder that paths start from.
        """
        return Settings(
            source=source,
            detector=self.detector_in(base),
            tracker=self.tracker,
            score=self.score_in(base),
            engine=self.engine,
            precision=self.precision,
            min_face_px=self.min_face,
            min_seen_s=self.min_seen,
            emit=Emit(self.emit, self.within if self.emit == "timely" else 0.0),
            choice=Choice(self.margin, self.clip),
            fps=self.fps,
            masks=self.masks,
            zones=self.zones,
            decoded=self.public is not None,
            sandbox=self.sandbox,
            hwaccel=self.hwaccel,
            tls=Tls(
                not self.tls_unverified, in_folder(base, self.ca_file) if self.ca_file else None
            ),
        )

    def detector_in(self, base: Path) -> str:
        """Return the detector, its file as it is to be opened."""
        name, colon, file = self.detector.partition(":")
        return f"{name}:{in_folder(base, file)}" if colon and name == YUNET else self.detector

    def score_in(self, base: Path) -> str:
        """Return the score, its file as it is to be opened."""
        return str(in_folder(base, self.score)) if Path(self.score).suffix else self.score


class Page(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Status page, metrics and health over HTTP."""

    listen: Listen = "127.0.0.1:9877"
    token_file: Text | None = None
    """Who may read them; needed where others than this machine reach them."""


class Events(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Events as lines of JSON."""

    file: Text
    """``-`` is standard output."""


class Mqtt(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Events and states to an MQTT broker."""

    host: Text
    port: Port | None = None
    """8883, or 1883 without TLS."""
    tls: bool = True
    ca_file: Text | None = None
    user: Text | None = None
    password_file: Text | None = None
    topic: Topic = "sealshot"
    """Of this box: a box has a topic of its own."""
    discovery: Annotated[str, Meta(pattern="^[^+#]*$", description="text without + and #")] = (
        "homeassistant"
    )
    """Prefix of Home Assistant's discovery; empty for none."""


class Webhook(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Events to an address."""

    url: (
        Annotated[
            str,
            Meta(
                pattern=r"\Ahttps?://[^\x00-\x20\x7f]+\Z",
                description="an address with http:// or https://",
            ),
        ]
        | None
    ) = None
    url_file: Text | None = None
    """A file with the address in its one line, or ``credential:NAME``."""


class Alarms(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is too much."""

    silent: Above0 = 60.0
    """Seconds without a picture."""
    burst: From1 = 120
    """People in a minute."""
    upload: Above0 = 3600.0
    """Seconds for which a shot waits for its upload."""
    disk_days: Above0 = 7.0
    disk_least: Annotated[int, Meta(ge=0, description="a whole number from 0 on")] = 500_000_000
    """Bytes that are free."""


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    camera: Annotated[
        dict[Name, Camera],
        Meta(min_length=1, description="a table for each camera, as [camera.north]"),
    ]
    page: Page | None = None
    events: Events | None = None
    mqtt: Mqtt | None = None
    webhook: Annotated[
        tuple[Webhook, ...], Meta(description="a table for each, as [[webhook]]")
    ] = ()
    alarms: Alarms = Alarms()
