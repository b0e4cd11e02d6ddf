"""The page, the metrics, and who may read them."""

from __future__ import annotations

import base64
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from states import NOW, a_camera, a_state

from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.service.metrics import exposition
from sealshot.runtime.service.page import page
from sealshot.runtime.service.state import Alarm
from sealshot.runtime.service.web import Web, check_listen

TOKEN = "0123456789abcdef0123"
ALARM = Alarm("no-key", "north", "no key <b>for</b> tomorrow", NOW)
STATE = a_state(
    a_camera(),
    a_camera('y"ard', phase="waiting", problem="<script>", vault=None, last_frame=None),
    alarms=(ALARM,),
)


@pytest.fixture
def web(request) -> Iterator[Web]:
    state = msgspec.structs.replace(STATE, written=utc_now())
    served = Web("127.0.0.1:0", getattr(request, "param", None), lambda: state)
    yield served
    served.close()


def get(web: Web, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{web.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


class Tags(HTMLParser):
    """Collects what is open, and that all is closed in order."""

    VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def test_the_page_says_how_it_is_without_scripts_and_takes_no_name_for_markup() -> None:
    text = page(STATE, NOW)
    tags = Tags(text)
    assert tags.open == []
    assert not {"script", "b", "img", "link"} & set(tags.seen)
    for word in ("north", "y&quot;ard", "wrong: 2", "no key &lt;b&gt;", "24.0%", "1 of 2 cameras"):
        assert word in text
    assert "nothing is wrong" in page(a_state(a_camera()), NOW)


def test_prometheus_reads_the_metrics() -> None:
    samples = {
        (s.name, s.labels.get("camera")): s.value
        for family in text_string_to_metric_families(exposition(STATE).decode())
        for s in family.samples
    }
    assert samples["sealshot_people_total", "north"] == 3
    assert samples["sealshot_vault_bytes", "north"] == 240_000
    assert samples["sealshot_epoch_keys_seconds", "north"] == 6.5 * 86400
    assert samples["sealshot_alarm", "north"] == 1
    assert ("sealshot_vault_bytes", 'y"ard') not in samples
    assert ("sealshot_last_frame_timestamp_seconds", 'y"ard') not in samples


@pytest.mark.skipif(not shutil.which("promtool"), reason="there is no promtool")
def test_promtool_has_nothing_to_say_of_the_metrics() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition(STATE), capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_on_this_machine_no_token_is_needed_but_a_name_of_this_machine(web) -> None:
    assert get(web, "/")[0] == get(web, "/metrics")[0] == 200
    assert get(web, "/", Host="localhost:9877")[0] == 200
    assert get(web, "/", Host="evil.example:9877")[0] == 401
    assert get(web, "/etc")[0] == 404


@pytest.mark.parametrize("web", [TOKEN], indirect=True)
def test_with_a_token_nothing_is_told_without_it(web) -> None:
    for path in ("/", "/metrics"):
        assert get(web, path) == (401, "a token is needed\n")
        assert get(web, path, Authorization=f"Bearer {TOKEN}x")[0] == 401
        assert get(web, path, Authorization="Basic %%%")[0] == 401
        assert get(web, path, Authorization=f"Bearer {TOKEN}")[0] == 200
        assert get(web, path, Authorization=basic(TOKEN), Host="box.lan")[0] == 200
    assert get(web, "/healthz") == (200, "ok\n")


def test_health_is_gone_when_the_service_hangs() -> None:
    web = Web("127.0.0.1:0", None, lambda: STATE)  # told in the past
    try:
        assert get(web, "/healthz") == (503, "late\n")
    finally:
        web.close()


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "box.lan:1", "192.0.2.7:1"])
def test_others_need_a_token_that_is_none_to_guess(listen) -> None:
    with pytest.raises(InputError, match="there is no token"):
        check_listen(listen, None)
    with pytest.raises(InputError, match="less than 16"):
        check_listen(listen, "secret")
    check_listen(listen, TOKEN)


def test_a_port_that_is_taken_is_told(web) -> None:
    with pytest.raises(SealshotError, match="Address already in use"):
        Web(f"127.0.0.1:{web.port}", None, lambda: STATE)
