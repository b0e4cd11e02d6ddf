"""The network fails at each call of an upload, or the run is killed there: all arrives later.

At each call of the upload's thread one fault of three in turn, with SEALSHOT_ALL_FAULTS=1 all: an
error once, an error from then on, SIGKILL.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sealshot.runtime.vault.store import list_objects
from sealshot.runtime.vault.upload import waiting

ERRORS = {
    "socket": "ENOBUFS",
    "connect": "ENETUNREACH",
    "sendto": "EPIPE",
    "sendmsg": "EPIPE",
    "recvfrom": "ECONNRESET",
    "recvmsg": "ECONNRESET",
    "poll": "",
    "rename": "",
    "unlink": "",
    "fsync": "",
}
"""What a call of the network can fail with; the others can only be killed at."""
FAULTS = ("once", "for good", "killed")
pytestmark = pytest.mark.usefixtures("strace")


class Server(ThreadingHTTPServer):
    """Takes objects by PUT, whole ones only."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), _Put)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{{name}}"

    def handle_error(self, *_: object) -> None:
        """Say nothing: connections are cut on purpose."""


class _Put(BaseHTTPRequestHandler):
    server: Server

    def do_PUT(self) -> None:
        size = int(self.headers["Content-Length"])
        data = self.rfile.read(size)
        if len(data) == size:
            self.server.objects[self.path[1:]] = data
            self.send_response(200)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_network_cut_at_each_call_forgets_nothing(yard, order, server, tell) -> None:
    order = replace(order, quota_bytes=None, upload=server.url)
    calls = [call for call in yard.calls(order) if not call.main and call.name in ERRORS]
    trials = [(call, fault) for call in calls for fault in FAULTS]
    possible = [t for t in trials if t[1] == "killed" or ERRORS[t[0].name]]
    if not yard.every:
        possible = [trial for n, trial in enumerate(possible) if n % 4 == 0]
    before = {found.id for found in list_objects(yard.template)}
    verdicts, forgotten, late, waited, told_of = {}, [], [], 0, 0
    for call, fault in possible:
        server.objects.clear()
        trial = replace(order, vault=yard.new_vault())
        told = yard.run(
            trial, ["-e", f"trace={call.name}", "-e", _inject(call, fault), "-o/dev/null"]
        )
        left = [found for found in list_objects(trial.vault) if found.id not in before]
        spool = set(waiting(trial.vault))
        waited += bool(spool)
        told_of += any(re.match("upload fails: .* tried again", text) for text in told.reports)
        for found in left:
            if found.id not in spool and server.objects.get(found.id) != found.path.read_bytes():
                forgotten.append(f"{call} {fault}: {found.id}")
        yard.run(replace(trial, steps=()))
        # what the log has as replaced when the kill came, the next run deletes
        for found in (found for found in left if found.path.exists()):
            if server.objects.get(found.id) != found.path.read_bytes():
                late.append(f"{call} {fault}: {found.id}")
        assert not any(yard.is_plain(data) for data in server.objects.values())
        verdicts[f"{call} {fault}"] = yard.judge(trial, told)
        shutil.rmtree(trial.vault)
    tell(
        f"network cut: {yard.count(verdicts.values())}; {len(forgotten)} forgotten, "
        f"{len(late)} not there after the next run; {waited} runs ended with shots to send"
    )
    assert {call: v.faults for call, v in verdicts.items() if v.faults} == {}
    assert (forgotten, late) == ([], [])
    assert waited > 5
    assert told_of > 5
    assert len(verdicts) > 15


def _inject(call: Any, fault: str) -> str:
    how = "signal=KILL" if fault == "killed" else f"error={ERRORS[call.name]}"
    return f"inject={call.name}:{how}:when={call.number}{'+' if fault == 'for good' else ''}"
