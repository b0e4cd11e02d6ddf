"""What the tests of sealing share: keys, a shot, and the stock `age` programs."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealshot.runtime.seal.keys import write_identity
from sealshot.runtime.seal.payload import Origin
from sealshot.runtime.seal.x25519 import X25519Identity
from sealshot.runtime.types import Shot

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


@pytest.fixture
def shot() -> Shot:
    """A shot with a picture of noise, so that a JPEG of it is large, and a clip of two frames."""
    image = np.random.default_rng(7).integers(0, 256, (90, 70, 3), dtype=np.uint8)
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
        clip=((3.48, b"\xff\xd8\xff first"), (3.52, b"\xff\xd8\xff second")),
    )


@pytest.fixture(scope="session")
def stock_age() -> Tool:
    """Run Debian's `age` or `age-keygen`: arguments, then input as `stdin`; gives its output."""
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


NPM = Path(__file__).parent / "seal" / "npm"
Peer = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def npm_peer() -> Peer:
    """Ask the npm packages `age-encryption` and `shamir-secret-sharing`: requests, answers."""
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
