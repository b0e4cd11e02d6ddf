"""Cameras by ONVIF: a device that checks what it is asked, read as users' cameras are."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from certificates import HERE, certificate
from onvif_device import Device, Discoverable, probe_match

from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.sources import open_source
from sealshot.runtime.sources.discover import discover
from sealshot.runtime.sources.onvif import profiles_of, stream_address
from sealshot.runtime.sources.reader import NoVideoError

pytest.importorskip("onvif")
MEDIA_2 = "http://www.onvif.org/ver20/media/wsdl"
STREAMS = (("s", "Sub", 640, 360), ("m", "Main", 1920, 1080), ("4k", "Full", 3840, 2160))


@pytest.fixture
def device() -> Iterator[type[Device]]:
    made = []

    def make(**given: object) -> Device:
        made.append(Device(**given))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_device_says_where_it_streams(device) -> None:
    camera = device(stream="rtsp://127.0.0.1:8554/live?channel=1")
    assert stream_address(camera.spec) == "rtsp://127.0.0.1:8554/live?channel=1"
    assert camera.asked[-1] == "GetStreamUri main"
    assert stream_address(camera.spec, sandbox=False) == stream_address(camera.spec)
    assert profiles_of(camera.spec, sandbox=False) == profiles_of(camera.spec)


@pytest.mark.parametrize("days", [0, 2500, -20000], ids=["right", "ahead", "1972"])
def test_a_password_is_taken_whatever_the_clock_of_the_device_says(device, days) -> None:
    camera = device(user="me", password="secret", clock=timedelta(days=days))
    assert stream_address(camera.spec) == "rtsp://me:secret@127.0.0.1/live"


def test_signs_of_a_password_reach_device_and_stream(device) -> None:
    camera = device(user="me", password="a@b:/?#é")
    spec = camera.spec.replace("a@b:/?#é", "a%40b%3A%2F%3F%23%C3%A9")
    assert stream_address(spec) == "rtsp://me:a%40b%3A%2F%3F%23%C3%A9@127.0.0.1/live"


def test_a_device_behind_a_router_is_spoken_to_where_it_was_reached(device) -> None:
    camera = device(address="http://192.0.2.9:8000", stream="rtsp://192.0.2.9:554/a")
    assert stream_address(camera.spec) == "rtsp://127.0.0.1:554/a"


def test_an_older_device_says_what_it_has_as_capabilities(device) -> None:
    assert stream_address(device(knows_services=False).spec) == "rtsp://127.0.0.1/live"


@pytest.mark.parametrize(("path", "token"), [("", "m"), ("/4k", "4k"), ("/Sub", "s")])
def test_of_several_profiles_the_one_that_was_named_or_fits_is_taken(device, path, token) -> None:
    camera = device(profiles=(("audio", "Audio", 0, 0), *STREAMS))
    stream_address(camera.spec + path)
    assert camera.asked[-1] == f"GetStreamUri {token}"
    assert [profile.token for profile in profiles_of(camera.spec)] == ["s", "m", "4k"]


@pytest.mark.parametrize(
    ("given", "spec", "why", "lasting"),
    [
        ({"user": "me", "password": "secret"}, "{0}", "user or password is refused", True),
        ({}, "{0}/7", "the device has no profile '7'", True),
        ({"profiles": (("a", "A", 0, 0),)}, "{0}", "offers no stream of video", True),
        ({"media": None}, "{0}", "no media service", True),
        ({"media": MEDIA_2}, "{0}", "no media service of ONVIF's version 1", True),
        ({"http_digest": True, "user": "me", "password": "secret"}, "{0}", "is refused", True),
        ({"stream": "file:///etc/hostname"}, "{0}", "names no rtsp:// address", True),
        ({"stream": "http://["}, "{0}", "names no rtsp:// address", True),
    ],
    ids=["password", "profile", "sound", "media", "media 2", "digest", "file", "none"],
)
def test_what_cannot_work_is_told(device, given, spec, why, lasting) -> None:
    camera = device(**given)
    with pytest.raises(NoVideoError, match=why) as caught:
        stream_address(spec.format(camera.spec.replace("me:secret@", "me:wrong@")))
    assert caught.value.lasting is lasting


def test_who_does_not_listen_is_waited_for_and_who_is_no_device_is_told(web_server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NoVideoError, match="connection refused") as caught:
        stream_address(f"onvif://127.0.0.1:{port}")
    assert not caught.value.lasting
    with pytest.raises(NoVideoError, match="there is no such host"):
        stream_address("onvif://no.such.host.invalid")
    with pytest.raises(NoVideoError, match="does not speak ONVIF there") as caught:
        stream_address(f"onvif://127.0.0.1:{web_server}")
    assert caught.value.lasting


def test_a_device_that_speaks_tls_alone_is_told(device, tmp_path) -> None:
    certificate(tmp_path / "camera.pem", HERE, None)
    with pytest.raises(NoVideoError, match="it hung up") as caught:
        stream_address(device(certificate=tmp_path / "camera.pem").spec)
    assert "HTTPS alone" in caught.value.hint


@pytest.fixture
def web_server() -> Iterator[int]:
    """The port of a web server that has something else."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("spec", ["onvif://", "onvif://host:port", "onvif://me:a/b@host:1"])
def test_an_address_that_is_none_is_told(spec) -> None:
    with pytest.raises(InputError, match="no address of a device"):
        open_source(spec)


def test_the_process_is_left_as_it_was(device, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    stream_address(device().spec)
    assert os.environ["http_proxy"] == os.environ["HTTP_PROXY"] == "http://127.0.0.1:1"
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)


def test_profiles_are_listed(device, capsys, tmp_path) -> None:
    camera = device(profiles=STREAMS, user="me", password="secret")
    (tmp_path / "source").write_text(camera.spec)
    (tmp_path / "source").chmod(0o600)
    command = ["camera", "profiles", "--source-file", str(tmp_path / "source")]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["token"] for each in found if each["default"]] == ["m"]
    assert main(command) == 0
    assert "* m" in " ".join(capsys.readouterr().out.split())
    assert main(["camera", "profiles", camera.spec.replace("secret", "wrong")]) == 2
    assert "wrong" not in capsys.readouterr().err


@pytest.fixture
def answering() -> Iterator[type[Discoverable]]:
    made = []

    def make(*answers: str) -> Discoverable:
        made.append(Discoverable(*answers))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_what_answers_is_listed_by_where_its_answer_came_from(answering) -> None:
    scopes = "onvif://www.onvif.org/name/Yard%20cam onvif://www.onvif.org/hardware/X1"
    network = answering(
        probe_match("https://192.0.2.9/onvif http://192.0.2.9:8000/onvif/device_service", scopes),
        probe_match("http://[::1]/onvif/device_service", ""),
        probe_match("http://host:port/", scopes),
        "<!DOCTYPE a []>" + probe_match("http://192.0.2.9:81/", scopes),
        "no XML",
    )
    found = discover(0.8, network.group)
    assert [(d.source, d.name, d.model) for d in found] == [
        ("onvif://127.0.0.1", "", ""),
        ("onvif://127.0.0.1:8000", "Yard cam", "X1"),
    ]
    assert network.types == {"NetworkVideoTransmitter", "Device"}


def test_no_network_is_told(monkeypatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [])
    with pytest.raises(SealshotError, match="no network to ask"):
        discover(0.1)
