"""`sealshot run --upload` as a user runs it: cut networks, wrong addresses, full disks, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.runtime.seal.checkpoint import parse_checkpoint
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.s3 import CREDENTIALS
from sealshot.runtime.vault.store import list_objects
from sealshot.runtime.vault.upload import SPOOL, waiting

RUN = (sys.executable, "-m", "sealshot", "run")


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    return {**kept, **variables}


def start(*argv: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*RUN, *map(str, argv), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env or environment(),
    )


def end(run: subprocess.Popen[str], code: int = 0) -> tuple[dict, str]:
    out, err = run.communicate(timeout=120)
    assert run.returncode == code, err
    assert "Traceback" not in err
    return json.loads(out) if out else {}, err


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A source of three pictures with nobody in them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((120, 160, 3), 90, np.uint8))
    return folder


def there(vault: Path) -> dict[str, bytes]:
    return {found.id: found.path.read_bytes() for found in list_objects(vault)}


def uploaded(vault: Path, parties) -> set[str]:
    """What the verified log has as uploaded."""
    read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    return {entry["id"] for entry in logged(vault) if entry["event"] == "uploaded"}


def logged(vault: Path) -> list[dict[str, str]]:
    lines = (vault / LOG).read_text().splitlines()
    return [json.loads(line.rpartition(" ")[0]) for line in lines]


def test_a_network_that_is_cut_in_the_middle_loses_nothing(
    demo, parties, bucket, wire, pictures: Path, tmp_path: Path
) -> None:
    """The wire is cut in the first object, mended and cut again while the run goes on."""
    vault = tmp_path / "vault"
    options = ("--policy", parties.camera_policy, "--vault", vault, "--upload", "s3://shots/camera")
    env = environment(**bucket.environment(wire.port))
    wire.cut_after(3000)
    run = start(demo.clip, *options, "--emit", "live", env=env)
    while run.poll() is None:
        time.sleep(0.3)
        if wire.is_cut:
            wire.mend()
        elif wire.cuts < 4:
            wire.cut_after(10_000)
        if wire.cuts >= 3:
            wire.left = None
            wire.mend()
    summary, err = end(run)
    assert "upload fails" in err
    assert wire.cuts >= 2
    if waiting(vault):  # the clip was over before a try on the mended wire was due
        end(start(pictures, *options, env=env))
    stored = {name.removeprefix("camera/"): data for name, data in bucket.objects().items()}
    kept = there(vault)
    assert len(kept) == summary["people_seen"] == 2
    lost = kept.keys() - stored.keys()
    print(f"run: {len(stored)} objects uploaded, {wire.cuts} cuts, {len(lost)} lost")
    assert lost == set()
    assert all(stored[name] == data for name, data in kept.items())
    assert uploaded(vault, parties) == stored.keys()
    assert waiting(vault) == []
    assert not list((vault / SPOOL).iterdir())
    camera = read_party(parties.camera_pub, "camera")
    sizes = [parse_checkpoint(note, camera.verify_key).size for note in bucket.checkpoints()]
    ids = [entry["id"] for entry in logged(vault) if entry["event"] == "sealed"]
    assert max(sizes) >= len(ids)  # the newest covers all shots that were sent
    read_logged(vault / LOG, [camera], bucket.checkpoints())


def test_what_was_not_sent_is_by_the_next_run(
    demo, parties, bucket, wire, pictures: Path, tmp_path: Path, capsys
) -> None:
    vault = tmp_path / "vault"
    options = ("--policy", parties.camera_policy, "--vault", vault, "--upload", "s3://shots")
    env = environment(**bucket.environment(wire.port))
    wire.cut()
    summary, err = end(start(demo.clip, *options, env=env))
    assert summary["people_seen"] == 2
    assert "2 shots are not uploaded yet" in err
    assert bucket.objects() == {}
    kept = there(vault)
    assert waiting(vault) == sorted(kept)
    wire.mend()
    _, err = end(start(pictures, *options, "--after-upload", "delete", env=env))
    assert bucket.objects() == kept
    assert there(vault) == {}
    assert uploaded(vault, parties) == kept.keys()


def test_deleting_after_upload_keeps_what_was_not_taken(demo, server, tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    server.manners = ["ok", *["403"] * 50]
    options = ("--to", demo.recipient, "--vault", vault, "--after-upload", "delete")
    _, err = end(start(demo.clip, *options, "--upload", server.template))
    assert "answered 403" in err
    assert "hint: " in err
    kept = there(vault)
    assert len(kept) == len(server.stored) == 1
    assert not kept.keys() & server.stored.keys()


@pytest.mark.parametrize(
    ("url", "variables", "fact"),
    [
        ("http://host/path", {}, "no {name} in it"),
        ("htps://host/{name}", {}, "cannot be uploaded to"),
        ("https://me:secret-word@host/{name}", {}, "password"),
        ("s3://shots", {}, "no credentials for S3"),
        ("s3://", {"AWS_ACCESS_KEY_ID": "x"}, "names no bucket"),
    ],
)
def test_a_target_that_cannot_work_is_told_before_anything_is_written(
    demo, tmp_path: Path, url: str, variables: dict[str, str], fact: str
) -> None:
    vault = tmp_path / "vault"
    run = start(
        *(demo.clip, "--to", demo.recipient, "--vault", vault, "--upload", url),
        env=environment(**variables),
    )
    summary, err = end(run, code=2)
    error, hint = err.splitlines()
    assert error.startswith("error: ")
    assert fact in error
    assert hint.startswith("hint: ")
    assert "secret-word" not in err
    assert summary == {}
    assert not vault.exists()


def test_a_server_that_is_not_there_costs_no_shot_and_the_vault_can_be_opened(
    demo, tmp_path: Path
) -> None:
    vault = tmp_path / "vault"
    url = "http://127.0.0.1:9/{name}"
    summary, err = end(start(demo.clip, "--to", demo.recipient, "--vault", vault, "--upload", url))
    assert err.count("upload fails: 127.0.0.1 cannot be reached: Connection refused") == 1
    assert len(there(vault)) == summary["people_seen"] == 2
    assert waiting(vault)
    done = subprocess.run(
        [*RUN[:-1], "open", vault, "--identity", demo.key, "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 opened" in done.stderr


def test_ctrl_c_during_an_upload_ends_soon_and_keeps_everything(
    demo, server, tmp_path: Path
) -> None:
    vault = tmp_path / "vault"
    server.manners = ["hang"]
    run = start(
        *(demo.clip, "--to", demo.recipient, "--vault", vault, "--upload", server.template),
        *("--emit", "timely", "--within", "0.2"),
    )
    limit = time.monotonic() + 60
    while not server.requests and time.monotonic() < limit:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)  # ends the run, which then waits for the upload
    time.sleep(0.5)
    asked = time.monotonic()
    run.send_signal(signal.SIGINT)  # ends the wait
    summary, err = end(run)
    assert time.monotonic() - asked < 10
    assert summary["interrupted"]
    assert "not uploaded yet" in err
    kept = there(vault)
    assert len(kept) == summary["people_seen"] >= 1
    assert waiting(vault) == sorted(kept)
    assert not list(vault.rglob("*.part"))


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """A vault on a file system that is mounted read-only, which stops root as well."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,ro", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_vault_that_cannot_be_written(demo, unwritable: Path) -> None:
    vault = unwritable / "vault"
    _, err = end(start(demo.clip, "--to", demo.recipient, "--vault", vault), code=1)
    lines = [line for line in err.splitlines() if not line.startswith("engine: ")]
    assert lines[0].startswith("error: cannot write to the vault")
    assert "Read-only" in lines[0]
    assert lines[1].startswith("hint: ")


def test_a_disk_that_fills_up(demo, parties, small_disk: Path) -> None:
    """The run ends with what it could keep; vault, log and spool agree."""
    vault = small_disk / "vault"
    (small_disk / "filler").write_bytes(bytes(165_000))
    run = start(
        *(demo.clip, "--policy", parties.camera_policy, "--vault", vault, "--picture", "png"),
        *("--emit", "live", "--margin", "2", "--upload", "http://127.0.0.1:9/{name}"),
    )
    summary, err = end(run, code=1)
    assert "No space left" in err
    assert "hint: " in err
    assert summary["failure"]["fact"] in err
    (small_disk / "filler").unlink()
    kept = there(vault)
    people = {person["object_id"] for person in summary["people"]}
    assert people <= kept.keys()
    assert not list(vault.rglob("*.part"))
    view = read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    assert people <= view.sealed.keys()
    assert not people & view.purged.keys()
