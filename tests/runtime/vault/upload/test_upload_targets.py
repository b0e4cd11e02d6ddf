"""Targets of uploads: what counts as taken, what is said when it was not."""

from __future__ import annotations

import hashlib
import secrets
import socket
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.vault import targets as upload_targets
from sealshot.runtime.vault.s3 import CREDENTIALS
from sealshot.runtime.vault.targets import UploadError, open_target

NAME = f"2026-11-21/{'5f' * 16}.sealed"
DATA = secrets.token_bytes(200_000)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_targets, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(upload_targets, "SLOWEST", 250_000)


@pytest.mark.parametrize("prefix", ["", "presign+"])
def test_an_object_arrives_under_its_name(server, prefix: str) -> None:
    url = server.template if not prefix else f"presign+{server.address}/sign/{{name}}"
    open_target(url).deliver(NAME, DATA)
    assert server.stored == {NAME: DATA}
    assert server.requests[-1].startswith("PUT /bucket/")
    sent = {name.lower(): value for name, value in server.headers[-1].items()}
    digest = hashlib.md5(DATA, usedforsecurity=False).digest()
    assert sent["content-md5"] == b64encode(digest).decode()
    assert int(sent["content-length"]) == len(DATA)
    if prefix:
        assert server.requests == [f"GET /sign/{NAME}", f"PUT /bucket/{NAME}?X-Signature=s3cr3t"]


def test_a_slow_server_is_waited_for_while_it_takes_something(server) -> None:
    """1 MB at 500 kB/s takes longer than the time limit for an answer, and arrives."""
    server.manners = ["slow"]
    data, start = secrets.token_bytes(1_000_000), time.monotonic()
    open_target(server.template).deliver(NAME, data)
    assert time.monotonic() - start > 2 * upload_targets.TIMEOUT_S
    assert server.stored == {NAME: data}


# manner of the server: a word of the error
REFUSALS = {
    "500": "answered 500",
    "503": "answered 503",
    "403": "answered 403",
    "404": "answered 404",
    "413": "answered 413",
    "307": "answered 307",
    "drop": "cannot be reached",
    "hang": "timed out",
    "garbage": "cannot be reached",
    "other bytes": "something else",
}


@pytest.mark.parametrize("manner", REFUSALS)
def test_what_is_not_taken_is_told(server, manner: str) -> None:
    server.manners = [manner]
    with pytest.raises(UploadError, match=REFUSALS[manner]) as caught:
        open_target(server.template).deliver(NAME, DATA)
    assert server.stored == {}
    assert caught.value.exit_code == 1
    assert "http://" not in caught.value.fact
    assert "\n" not in caught.value.fact


def test_an_answer_that_ends_after_its_first_line_is_one(server) -> None:
    server.manners = ["half an answer"]
    open_target(server.template).deliver(NAME, DATA)
    assert server.stored == {NAME: DATA}


@pytest.mark.parametrize("manner", ["nothing", "a page", "another scheme", "a blank", "500"])
def test_a_signing_service_that_does_not_sign(server, manner: str) -> None:
    server.manners = [manner]
    with pytest.raises(UploadError) as caught:
        open_target(f"presign+{server.address}/sign/{{name}}").deliver(NAME, DATA)
    assert not [request for request in server.requests if request.startswith("PUT")]
    assert "page" not in caught.value.fact


def test_a_signature_is_never_told(server) -> None:
    server.manners = ["ok", "403"]
    with pytest.raises(UploadError) as caught:
        open_target(f"presign+{server.address}/sign/{{name}}").deliver(NAME, DATA)
    assert "s3cr3t" not in str(caught.value) + caught.value.hint


def test_a_host_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UploadError, match=r"127\.0\.0\.1 cannot be reached: Connection refused"):
        open_target(f"http://127.0.0.1:{port}/{{name}}").deliver(NAME, DATA)
    with pytest.raises(UploadError, match=r"camera\.invalid cannot be reached"):
        open_target("https://camera.invalid/{name}").deliver(NAME, DATA)


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("ftp://host/{name}", "a ftp:// address cannot be uploaded to"),
        ("me:pw@host/{name}", "it cannot be uploaded to"),
        ("bucket/{name}", "cannot be uploaded to"),
        ("", "cannot be uploaded to"),
        ("presign+s3://bucket", "cannot be uploaded to"),
        ("https://host/bucket", "no {name} in it"),
        ("presign+https://host/sign", "no {name} in it"),
        ("https:///{name}", "is none"),
        ("https://{name}", "is none"),
        ("https://host:port/{name}", "is none"),
        ("https://[::1/{name}", "is none"),
        ("https://host/a b/{name}", "is none"),
        ("https://me:pw@host/{name}", "password"),
        ("https://me:pw/d@host/{name}", "is none"),
    ],
)
def test_an_address_that_cannot_work_is_refused_at_once(url: str, fact: str) -> None:
    with pytest.raises(InputError) as caught:
        open_target(url)
    assert fact in caught.value.fact
    assert caught.value.hint
    assert "pw" not in caught.value.fact


Environment = Callable[..., None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Set the AWS_ variables, and no others."""

    def use(**variables: str) -> None:
        for name in CREDENTIALS:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return use


def test_an_object_arrives_in_a_bucket(bucket, environment: Environment) -> None:
    environment(**bucket.environment())
    open_target("s3://shots/camera-north").deliver(NAME, DATA)
    open_target("s3://shots").deliver(NAME, b"")
    large = secrets.token_bytes(12_000_000)
    open_target("s3://shots/large/").deliver(NAME, large)
    objects = {f"camera-north/{NAME}": DATA, NAME: b"", f"large/{NAME}": large}
    assert bucket.objects() == objects


def refusal(url: str) -> UploadError:
    """What is told of a refusal; a server that hangs up as it refuses is at times not heard."""
    for _ in range(10):
        with pytest.raises(UploadError) as caught:
            open_target(url).deliver(NAME, DATA[:100])
        if "error sending request" not in caught.value.fact:
            break
    return caught.value


def test_what_a_bucket_does_not_take_is_told(bucket, wire, environment: Environment) -> None:
    environment(**bucket.environment(wire.port))
    for url, variables, fact in (
        ("s3://nothing/here", {}, "no bucket 'nothing'"),
        ("s3://shots", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses these credentials"),
        ("s3://shots", {"AWS_ACCESS_KEY_ID": "somebody"}, "refuses these credentials"),
    ):
        environment(**{**bucket.environment(wire.port), **variables})
        refused = refusal(url)
        assert fact in refused.fact
        assert refused.hint
    environment(**bucket.environment(wire.port))
    target = open_target("s3://shots")
    wire.cut_after(50_000)
    with pytest.raises(UploadError, match="the bucket did not take it") as caught:
        target.deliver(NAME, DATA)
    assert "http://" not in caught.value.fact
    assert "\n" not in caught.value.fact
    assert bucket.objects() == {}
    wire.mend()
    target.deliver(NAME, DATA)
    assert bucket.objects() == {NAME: DATA}


@pytest.mark.parametrize(
    ("url", "variables", "fact"),
    [
        ("s3://shots", {}, "no credentials"),
        ("s3://", {"AWS_ACCESS_KEY_ID": "x"}, "names no bucket"),
        ("s3:///prefix", {"AWS_ACCESS_KEY_ID": "x"}, "names no bucket"),
    ],
)
def test_a_bucket_that_cannot_work_is_refused_at_once(
    url: str, variables: dict[str, str], fact: str, environment: Environment
) -> None:
    pytest.importorskip("obstore")
    environment(**variables)
    with pytest.raises(InputError, match=fact) as caught:
        open_target(url)
    assert caught.value.hint


def test_without_obstore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked: dict[str, ModuleType | None] = {"obstore": None}
    for name, module in blocked.items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(InputError, match="obstore") as caught:
        open_target("s3://shots")
    assert "sealshot[s3]" in caught.value.hint


def test_the_secrets_of_a_bucket_are_not_in_errors(
    bucket, environment: Environment, tmp_path: Path
) -> None:
    environment(**{**bucket.environment(), "AWS_ACCESS_KEY_ID": "somebody"})
    with pytest.raises(UploadError) as caught:
        open_target("s3://shots").deliver(NAME, DATA)
    for secret in bucket.environment().values():
        assert secret not in caught.value.fact + caught.value.hint


def test_a_server_that_keeps_nothing_is_not_believed(server) -> None:
    """Where the only other copy is deleted then, a 200 alone counts for nothing."""
    server.manners[:] = ["keeps nothing"]
    open_target(server.template).deliver(NAME, DATA)  # where it is kept here, too, that is enough
    server.manners[:] = ["keeps nothing"]
    with pytest.raises(UploadError, match=r"404|does not prove"):
        open_target(server.template, prove=True).deliver(NAME, DATA)
    open_target(server.template, prove=True).deliver(NAME, DATA)
    server.stored[NAME] = DATA[:-1]
    server.manners[:] = ["keeps nothing"]
    with pytest.raises(UploadError, match="does not prove"):
        open_target(server.template, prove=True).deliver(NAME, DATA)


def test_an_address_that_was_signed_takes_the_hash_for_a_proof(server) -> None:
    with pytest.raises(UploadError, match="does not prove"):
        open_target(f"presign+{server.address}/sign/{{name}}", prove=True).deliver(NAME, DATA)


@pytest.mark.parametrize(
    "url", ["http://archive.example/{name}", "presign+http://archive.example/{name}"]
)
def test_nothing_is_deleted_on_the_word_of_plain_http(url: str) -> None:
    open_target(url)
    with pytest.raises(InputError, match="plain http"):
        open_target(url, prove=True)


def test_a_prefix_with_a_number_sign_is_a_folder_of_its_own(
    bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment().items():
        monkeypatch.setenv(name, value)
    for number in (1, 2):
        open_target(f"s3://shots/Koeln#{number}", prove=True).deliver(NAME, DATA + bytes([number]))
    stored = bucket.objects()
    assert len(stored) == 2
    assert {name.partition("/")[0] for name in stored} == {"Koeln#1", "Koeln#2"}
