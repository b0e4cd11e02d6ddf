"""What the tests of sealing share: keys, a shot, and the stock `age` programs."""

from __future__ import annotations

import base64
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.commands.camera import read_camera
from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.epochs import EpochKeys
from sealshot.runtime.seal.keys import write_identity
from sealshot.runtime.seal.payload import Origin
from sealshot.runtime.types import Shot
from sealshot.runtime.vault.keeper import Sealing

Tool = Callable[..., bytes]


@pytest.fixture(scope="session")
def identity() -> X25519Identity:
    return X25519Identity.generate()


@pytest.fixture(scope="session")
def identity_file(identity: X25519Identity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "authority.key"
    write_identity(path, identity)
    return path


@pytest.fixture(scope="session")
def origin() -> Origin:
    return Origin(source="crowd.mp4", score_name="rp", model_sha256="0f" * 32)


@pytest.fixture(scope="session")
def shot() -> Shot:
    """A shot with a picture of noise, so that a JPEG of it is large, and a clip of two frames."""
    image = np.random.default_rng(7).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    frames = [cv2.imencode(".jpg", np.full((16, 24, 3), grey, np.uint8))[1] for grey in (60, 190)]
    return Shot(
        track=3,
        frame=88,
        time_s=3.52,
        utc="2026-11-21T10:20:30.125Z",
        box=(10.0, 20.5, 60.0, 80.25),
        score=-1234.5,
        percentile=91.5,
        frames_seen=41,
        reason="highest score of 41 frames",
        image=image,
        clip=tuple(zip((3.48, 3.52), (frame.tobytes() for frame in frames), strict=True)),
    )


@pytest.fixture(scope="session")
def stock_age() -> Tool:
    """Run stock `age` or `age-keygen`: arguments, then input as `stdin`; gives its output."""
    for program in ("age", "age-keygen"):
        if shutil.which(program) is None:
            reason = f"`{program}` is not installed (apt-get install age)"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)

    def run(*command: object, stdin: bytes = b"") -> bytes:
        done = subprocess.run(
            [str(part) for part in command], input=stdin, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


@pytest.fixture(scope="session")
def hybrid_age(stock_age: Tool) -> Tool:
    """`stock_age`, of a version that knows post-quantum keys and keys in hardware: 1.3 or later."""
    version = stock_age("age", "--version").decode().strip()
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None or tuple(map(int, found.groups())) < (1, 3):
        pytest.skip(f"age {version} is none of 1.3 (go install filippo.io/age/cmd/...@v1.3.1)")
    return stock_age


@pytest.fixture(scope="session")
def other() -> SimpleNamespace:
    """The reader that was made from FORMAT.md alone."""
    folder = Path(__file__).parent / "seal"
    path, log = folder / "independent_reader.py", folder / "independent_log.py"
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    names = runpy.run_path(str(log)) | runpy.run_path(str(path))
    return SimpleNamespace(paths=(path, log), **names)


NPM = Path(__file__).parent / "seal" / "npm"
Peer = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def npm_peer() -> Peer:
    """Ask the npm packages of `npm/package.json`: requests, answers."""
    if not (NPM / "node_modules").is_dir() or shutil.which("node") is None:
        reason = f"the npm packages are not installed (npm ci --prefix {NPM})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    def ask(*requests: dict[str, Any]) -> list[Any]:
        done = subprocess.run(
            ["node", NPM / "peer.mjs"],
            input=json.dumps(requests, default=_base64).encode(),
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return list(json.loads(done.stdout))

    return ask


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class Parties:
    """Three authorities of which two open, a custodian, a camera: each with a folder of its own."""

    folder: Path

    @property
    def policy(self) -> Path:
        return self.folder / "shared" / "policy.toml"

    @property
    def camera_policy(self) -> Path:
        return self.folder / "camera" / "cam1" / "policy.toml"

    @property
    def camera_pub(self) -> Path:
        return self.folder / "camera" / "cam1" / "cam1.pub"

    def key(self, name: str) -> Path:
        return self.folder / name / f"{name}.key"

    @property
    def custodian(self) -> Path:
        return self.folder / "custodian" / "custodian"

    @property
    def investigator(self) -> Path:
        return self.folder / "investigator" / "me.key"

    def sealing(self) -> Sealing:
        """What `sealshot run --policy` seals with."""
        camera = read_camera(self.camera_policy)
        folder = self.camera_policy.parent
        keys = EpochKeys(camera.policy, folder / "epochs", folder)
        return Sealing(camera=camera, epoch_keys=keys, retention=camera.policy.retention_time)


AUTHORITIES = ("judge", "police", "ombudsman")


def make_parties(folder: Path, *options: str) -> Parties:
    """Make all keys and a policy through the command line."""
    parties = Parties(folder)
    for name in (*AUTHORITIES, "custodian", "camera", "investigator", "shared"):
        (folder / name).mkdir(parents=True)
    for name in AUTHORITIES:
        assert main(["authority", "new", str(parties.key(name)), *options]) == 0
    assert main(["custodian", "new", str(parties.custodian)]) == 0
    public = [str(parties.key(name).with_suffix(".pub")) for name in AUTHORITIES]
    epochs = str(folder / "shared" / "epochs")
    policy = ["--quorum", "2", "--retention", "30d", "--epoch-keys", epochs]
    policy += ["--custodian", str(parties.custodian / "custodian.pub"), "-o", str(parties.policy)]
    assert main(["policy", "new", *public, *policy]) == 0
    rotate = ["custodian", "rotate", str(parties.custodian), "--policy", str(parties.policy)]
    assert main([*rotate, "--to", epochs, "--ahead", "2d"]) == 0
    enrol = ["camera", "enrol", str(parties.camera_policy.parent), "--policy", str(parties.policy)]
    assert main(enrol) == 0
    assert main(["keys", "new", "--post-quantum", str(parties.investigator)]) == 0
    return parties


SHARED: dict[Path, bytes] = {}
"""The key files of cameras that tests share, as they were at first."""


def make_shared(folder: Path, *options: str) -> Parties:
    parties = make_parties(folder, *options)
    file = parties.camera_policy.with_name("camera.key")
    SHARED[file] = file.read_bytes()
    return parties


@pytest.fixture(autouse=True)
def each_test_begins_on_the_first_day() -> Iterator[None]:
    """Whoever sets a clock ahead destroys the keys of the days before: others need them."""
    yield
    for file, data in SHARED.items():
        if file.read_bytes() != data:
            file.write_bytes(data)


@pytest.fixture(scope="session")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return make_shared(tmp_path_factory.mktemp("parties"))


@pytest.fixture
def fresh_parties(tmp_path: Path) -> Parties:
    """Parties of one test's own, whose keys it may destroy."""
    return make_parties(tmp_path / "parties")


@pytest.fixture
def copied_parties(parties: Parties, tmp_path: Path) -> Parties:
    """The same in folders of a test's own: it may change all but the published epoch keys."""
    return Parties(shutil.copytree(parties.folder, tmp_path / "parties"))


@pytest.fixture(scope="session")
def classical_parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return make_shared(tmp_path_factory.mktemp("classical"), "--classical")


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A real file system of 256 KiB, or of the size that is its parameter."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = getattr(request, "param", "256k")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root; the injected faults cover the rest")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@dataclass
class SteadyClock:
    """A machine that stays on; its clock and the true time are two things."""

    true: datetime
    offset: timedelta = timedelta()
    booted: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.booted = self.true - timedelta(minutes=1)

    def wall(self) -> datetime:
        return self.true + self.offset

    def since_boot_s(self) -> float:
        return (self.true - self.booted).total_seconds()

    def boot_id(self) -> str:
        return "boot"


@pytest.fixture
def steady_clock() -> type[SteadyClock]:
    """A clock that a test sets."""
    return SteadyClock
