"""What cannot be opened is told at once and tried again; no camera minds."""

from __future__ import annotations

import json
import socket

import pytest
from msgspec import convert
from msgspec.structs import replace
from states import NOW, a_camera

from sealshot.runtime.service import reports as told
from sealshot.runtime.service.config import Config, Events, Page
from sealshot.runtime.service.reports import Reports


@pytest.fixture
def config() -> Config:
    cameras = {"north": {"source": "x", "to": ["age1"], "vault": "v"}}
    return convert({"camera": cameras}, Config)


def test_a_port_that_is_taken_is_told_at_once_and_had_when_it_is_free(
    tmp_path, config, reports, monkeypatch
) -> None:
    monkeypatch.setattr(told, "AGAIN_S", 0.0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        page = replace(config, page=Page(listen=listen))
        service = Reports(page, tmp_path, tmp_path / "state")
        service.show([a_camera()])
        assert sum("cannot listen" in line for line in reports) == 1
    service.show([a_camera()])
    with socket.create_connection(listen.split(":"), 5):
        pass
    service.close()


def test_events_say_what_changed_and_a_reload_goes_on_in_the_same_file(tmp_path, config) -> None:
    both = replace(config, events=Events(file="events"))
    service = Reports(both, tmp_path, tmp_path / "state")
    service.show([a_camera()])
    service.show([a_camera()])
    service.apply(replace(both, alarms=replace(both.alarms, burst=3)))
    service.person("north")
    service.show([a_camera(phase="waiting", problem="gone", last_frame=NOW)])
    service.close()
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    seen = [(event["kind"], event.get("state", "")) for event in events]
    assert seen == [
        ("service", "started"),
        ("camera", "running"),
        ("alarm", "on"),  # NOW is long ago: silent
        ("person", ""),
        ("camera", "waiting"),
        ("alarm", "on"),
        ("alarm", "off"),
        ("service", "stopped"),
    ]
