"""Events get through in their order, whatever the other side does; nothing in them tells who."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cameras import until

from sealshot.runtime.service import sending
from sealshot.runtime.service.events import Event, as_json
from sealshot.runtime.service.sending import lines_to, webhook_to


class Hook(ThreadingHTTPServer):
    """Takes what is posted, after as many refusals as it is given."""

    daemon_threads = True

    def __init__(self, *refusals: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refusals, self.taken = list(refusals), []


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_GET(self) -> None:
        self.send_response(200)  # what a redirection leads to
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refusal = self.server.refusals.pop(0) if self.server.refusals else None
        if refusal is None:
            self.server.taken.append(json.loads(body))
        self.send_response(refusal or 204)
        if refusal == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def at_once(monkeypatch) -> None:
    monkeypatch.setattr(sending, "FIRST_WAIT_S", 0.02)


def test_an_event_tells_nothing_of_a_person_but_when_and_at_which_camera() -> None:
    told = json.loads(as_json(Event(kind="person", camera="north")))
    assert set(told) == {"kind", "camera", "time", "id"}
    assert len(told["id"]) == 32
    assert "." not in told["time"]
    assert as_json(Event(kind="person")) != as_json(Event(kind="person"))


def test_a_webhook_gets_each_event_once_in_order_although_it_refuses(reports) -> None:
    hook = Hook(500, 429, 302)
    threading.Thread(target=hook.serve_forever, args=(0.02,)).start()
    outlet = webhook_to(f"http://127.0.0.1:{hook.server_port}/hook?token=secret1")
    try:
        for number in range(5):
            outlet.tell(Event(kind="person", camera=str(number)))
        until(lambda: len(hook.taken) == 5)
        until(lambda: not outlet.problem())
    finally:
        outlet.close()
        hook.shutdown()
        hook.server_close()
    assert [event["camera"] for event in hook.taken] == list("01234")
    assert [line for line in reports if "it answers 500" in line] == reports[:1]
    assert "works again" in reports[-1]
    assert not any("secret1" in line for line in reports)


def test_an_answer_that_is_no_http_is_told_and_ends_nothing(reports) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outlet = webhook_to(f"http://127.0.0.1:{server.getsockname()[1]}/")
        outlet.tell(Event(kind="person", camera="a"))
        for answer in (b"220 mail.example ready\r\n\r\n", b"HTTP/1.1 204 Yes\r\n\r\n"):
            other, _ = server.accept()
            with other:
                other.recv(4096)
                other.sendall(answer)
        until(lambda: any("works again" in line for line in reports))
        outlet.close()
    assert "what it answers is no HTTP (BadStatusLine)" in reports[0]


def test_lines_are_appended_whole_as_soon_as_the_folder_is_there(tmp_path, reports) -> None:
    file = tmp_path / "later" / "events.jsonl"
    outlet = lines_to(file)
    outlet.tell(Event(kind="person", camera="a"))
    until(lambda: "No such file" in outlet.problem())
    file.parent.mkdir()
    outlet.tell(Event(kind="person", camera="b"))
    until(lambda: not outlet.problem())
    outlet.close()
    assert [json.loads(line)["camera"] for line in file.read_text().splitlines()] == ["a", "b"]
    assert file.stat().st_mode & 0o007 == 0


def test_a_full_disk_leaves_no_half_line(reports) -> None:
    outlet = sending.Sending("events", _full)
    outlet.tell(Event(kind="person"))
    until(lambda: "No space left" in outlet.problem())
    outlet.close()
    assert "never sent: 1" in reports[-1]


def _full(_event: Event) -> None:
    with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
        file.write(b"x")


def test_what_waits_too_long_goes_oldest_first(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(sending, "KEPT", 3)
    file = tmp_path / "later" / "events"
    outlet = lines_to(file)
    for number in range(5):
        outlet.tell(Event(kind="person", camera=str(number)))
    file.parent.mkdir()
    until(lambda: not outlet.problem() and file.exists() and len(file.read_text().split()) == 3)
    outlet.close()
    assert [json.loads(line)["camera"] for line in file.read_text().splitlines()] == list("234")
