"""What uploads brought to a bucket: opened, verified, listed; and how little that asks for."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault.bucket import Bucket, epochs_for
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.s3 import Store, open_store
from sealshot.runtime.vault.store import list_objects

URL = "s3://shots/cam1"
HOUR = timedelta(hours=1)
ELSEWHERE = "/".join(("2026-01-01", "0" * 32 + ".sealed"))


@pytest.fixture(scope="module")
def _moto() -> Iterator[str]:
    """moto's S3 server, which answers a range with 206."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(_moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket named `shots`, and the environment that leads there."""
    pytest.importorskip("obstore")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "investigator",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-investigator",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": _moto,
    }.items():
        monkeypatch.setenv(name, value)
    _ask(f"{_moto}/moto-api/reset", "POST")
    _ask(f"{_moto}/shots", "PUT")
    return _moto


def _ask(address: str, method: str) -> None:
    urllib.request.urlopen(urllib.request.Request(address, method=method)).close()


@pytest.fixture
def vault(parties, shot, origin, tmp_path: Path) -> Path:
    """A vault of three shots of this hour."""
    with Keeper(tmp_path / "vault", parties.sealing()) as keeper:
        for _ in range(3):
            keeper.put(replace(shot, utc=format_time(utc_now())), origin)
    return tmp_path / "vault"


@pytest.fixture
def store(vault: Path, parties, s3: str, capsys: pytest.CaptureFixture[str]) -> Store:
    """The three shots in the bucket, and one of another day that nobody should look at."""
    assert main(["vault", "upload", str(vault), URL, "--policy", str(parties.camera_policy)]) == 0
    store = open_store(URL, retries=0)
    store.put(ELSEWHERE, b"of no concern")
    capsys.readouterr()
    return store


def warrant(parties, path: Path, start: datetime, end: datetime) -> list[str]:
    """Sign a warrant for a time; return the options that name it."""
    policy = ["--policy", str(parties.policy)]
    recipient = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    new = ["warrant", "new", "--case", "1", "--camera", str(parties.camera_pub)]
    new += ["--from", format_time(start), "--to", format_time(end), "--investigator", recipient]
    assert main([*new, *policy, "-o", str(path)]) == 0
    for name in ("judge", "police"):
        key = ["--key", str(parties.key(name))]
        assert main(["warrant", "sign", str(path), *policy, *key]) == 0
    return ["--warrant", str(path), *policy]


def open_all(parties, place: str, under: list[str], tmp_path: Path) -> int:
    """Walk the two steps of an opening; return the exit code of the second."""
    request = str(tmp_path / "request.zip")
    assert main(["open", place, *under, "--request", request]) == 0
    answers = []
    for name in ("judge", "police", "custodian"):
        own = ["authority", "answer", request, *under, "--key", str(parties.key(name))]
        if name == "custodian":
            own = ["custodian", "answer", request, *under, "--keys", str(parties.custodian)]
        file = str(tmp_path / f"{name}.answer")
        assert main([*own, "--log", str(tmp_path / f"{name}.log"), "-o", file]) == 0
        answers += ["--answer", file]
    opened = ["open", place, *under, "--identity", str(parties.investigator), *answers]
    return main([*opened, "-o", str(tmp_path / "out"), "--json"])


def test_a_warrant_opens_from_a_bucket_and_fetches_what_it_covers(
    parties, vault: Path, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    under = warrant(parties, tmp_path / "w.json", utc_now() - HOUR, utc_now() + HOUR)
    assert open_all(parties, URL, under, tmp_path) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out[shown.out.index("{") :])["opened"]
    assert sorted(one["object"] for one in found) == sorted(
        f"{URL}/{one.id}" for one in list_objects(vault)
    )
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 3
    assert "of 2 epochs looked through" in shown.err
    assert "8 requests (2 listings, 3 headers, 3 objects)" in shown.err
    assert "whether a shot was replaced is not checked" in shown.err


def test_a_server_that_gives_no_parts_of_objects_is_told_and_read(
    parties, vault: Path, bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
) -> None:
    for name, value in bucket.environment().items():
        monkeypatch.setenv(name, value)
    assert main(["vault", "upload", str(vault), URL, "--policy", str(parties.camera_policy)]) == 0
    under = warrant(parties, tmp_path / "w.json", utc_now() - HOUR, utc_now() + HOUR)
    assert open_all(parties, URL, under, tmp_path) == 0
    shown = capsys.readouterr()
    assert len(json.loads(shown.out[shown.out.index("{") :])["opened"]) == 3
    assert "gives no part of an object" in shown.err


def test_a_warrant_for_another_time_reads_no_object(
    parties, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past = datetime(2025, 6, 1, tzinfo=timezone.utc)
    under = warrant(parties, tmp_path / "w.json", past, past + HOUR)
    request = tmp_path / "request.zip"
    assert main(["open", URL, *under, "--request", str(request)]) == 2
    assert "of the 2 days or hours in the bucket none is in the warrant's time" in (
        capsys.readouterr().err
    )
    assert not request.exists()


@pytest.mark.parametrize(
    ("options", "code", "fact"),
    [
        (("vault", "list", "s3://nowhere/cam1"), 1, "the server has no bucket 'nowhere'"),
        (("vault", "list", "s3://"), 2, "names no bucket"),
        (("vault", "verify", URL), 2, "give the --log FILE of its camera, or --no-log"),
        (("open", "here", "--late", "1h", "--identity", "x", "-o", "y"), 2, "--late is for"),
    ],
)
def test_what_cannot_be(
    s3: str, options: tuple[str, ...], code: int, fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(options)) == code
    assert fact in capsys.readouterr().err


def test_verify_list_and_stats(
    parties, vault: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(*options: str, code: int = 0) -> Any:
        assert main(["vault", *options, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    log = ["--log", str(vault / LOG), "--policy", str(parties.camera_policy)]
    found = answer("verify", URL, *log, code=1)
    assert [(one["id"], one["state"]) for one in found["wrong"]] == [(ELSEWHERE, "altered")]
    store._obstore.delete(store._store, ELSEWHERE)
    assert answer("verify", URL, *log)["counts"] == {"present": 3}
    assert answer("verify", URL, "--no-log")["counts"] == {"present": 3}
    ids = [one.id for one in list_objects(vault)]
    assert [one["id"] for one in answer("list", URL)] == sorted(ids)
    assert answer("stats", URL)["shots"] == 3
    store.put(ids[0], store.get(ids[1]))
    store._obstore.delete(store._store, ids[2])
    states = {one["id"]: one["state"] for one in answer("verify", URL, *log, code=1)["wrong"]}
    assert states == {ids[0]: "misplaced", ids[2]: "missing"}


def test_all_shots_are_sent_again(
    parties, vault: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    upload = ["vault", "upload", str(vault), "s3://shots/second", "--json"]
    upload += ["--policy", str(parties.camera_policy)]
    for options, sent in (([], 0), (["--all"], 3), ([], 0)):
        assert main([*upload, *options]) == 0
        assert json.loads(capsys.readouterr().out)["uploaded"] == sent


class Million:
    """A store of 1000 hours of 1000 shots each, that counts what it is asked for."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self.listed: list[str] = []
        self.heads = 0

    def folders(self) -> list[str]:
        first = datetime(2026, 10, 1, tzinfo=timezone.utc)
        return [f"{first + n * HOUR:%Y-%m-%dT%H}" for n in range(1000)]

    def list(self, folder: str) -> Iterator[list[tuple[str, int, datetime]]]:
        self.listed.append(folder)
        time = datetime(2026, 10, 1, tzinfo=timezone.utc)
        yield [(f"{folder}/{n:032x}.sealed", 50_000, time) for n in range(1000)]

    def get_start(self, name: str, size: int) -> bytes:
        self.heads += 1
        return self._head[:size]


def test_a_warrant_for_an_hour_among_a_million_objects(vault: Path) -> None:
    million = Million(list_objects(vault)[0].path.read_bytes())
    bucket = Bucket(million)  # type: ignore[arg-type]
    start = datetime(2026, 10, 20, 12, tzinfo=timezone.utc)
    epochs = epochs_for(bucket.epochs(), start, start + HOUR, HOUR)
    assert epochs == ["2026-10-20T12", "2026-10-20T13"]
    objects = bucket.objects(epochs)
    headers = list(bucket.headers(objects))
    assert million.listed == epochs
    assert len(headers) == len(objects) == million.heads == 2000
    assert dict(bucket.requests) == {"list": 1 + 1 + 2, "header": 2000}


def test_epochs_that_may_hold_what_was_taken_in_a_time() -> None:
    start = datetime(2026, 11, 21, 23, tzinfo=timezone.utc)
    days = ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
    assert epochs_for(days, start, start + HOUR / 2, HOUR / 2) == ["2026-11-21"]
    assert epochs_for(days, start, start + HOUR, HOUR) == ["2026-11-21", "2026-11-22"]
    assert epochs_for(days, start, start + HOUR, timedelta(days=2)) == days[1:]
    with pytest.raises(InputError):
        epochs_for(days, start - timedelta(days=9), start - timedelta(days=8), HOUR)
