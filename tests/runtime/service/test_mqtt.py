"""A real broker (mosquitto) over TLS: what was missed comes, a will says that we are gone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from cameras import until
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion
from states import a_camera, a_state, a_vault

from sealshot.runtime.errors import InputError
from sealshot.runtime.service.events import Event
from sealshot.runtime.service.homeassistant import discovery
from sealshot.runtime.service.mqtt import Broker, Mqtt, shown, tls_context

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
real = pytest.mark.skipif(MOSQUITTO is None, reason="there is no mosquitto")


def certificate(folder: Path) -> None:
    """Write key.pem and cert.pem of 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a broker")])
    now = datetime.now(timezone.utc)
    cert = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class Mosquitto:
    """A broker that can be started and killed, and a listener on all its topics."""

    def __init__(self, folder: Path) -> None:
        certificate(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.ca = folder / "cert.pem"
        self._conf = folder / "conf"
        self._conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
            f"certfile {self.ca}\nkeyfile {folder / 'key.pem'}\n"
            + ("user root\n" if os.geteuid() == 0 else "")
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: paho.Client | None = None
        self.heard: list[tuple[str, str]] = []

    def start(self) -> None:
        assert MOSQUITTO
        self._process = subprocess.Popen([MOSQUITTO, "-c", self._conf], stderr=subprocess.DEVNULL)
        until(self._answers)
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.tls_set_context(ssl.create_default_context(cafile=self.ca))
        client.on_message = lambda _c, _d, m: self.heard.append((m.topic, m.payload.decode()))
        client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        self._listener = client

    def kill(self) -> None:
        if self._listener:
            self._listener.disconnect()
            self._listener.loop_stop()
        if self._process:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def last(self, topic: str) -> str | None:
        return dict(self.heard).get(topic)

    def events(self) -> list[str]:
        return [json.loads(text)["text"] for topic, text in self.heard if topic.endswith("event")]

    def ours(self, ca: Path | None = None) -> Broker:
        return Broker(
            host="127.0.0.1",
            port=self.port,
            tls=tls_context(ca or self.ca),
            user=None,
            password=None,
            topic="box",
            discovery="homeassistant",
        )


@pytest.fixture
def broker(tmp_path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    yield made
    made.kill()


@real
def test_what_happens_while_the_broker_is_away_comes_later_once_in_order(
    broker, monkeypatch
) -> None:
    monkeypatch.setattr("sealshot.runtime.service.mqtt.RETRY_MAX_S", 1)
    outlet = Mqtt(broker.ours())
    try:
        outlet.tell(Event(kind="person", camera="north", text="1"))
        until(lambda: "cannot be reached" in outlet.problem())
        broker.start()
        until(lambda: broker.events() == ["1"] and not outlet.problem())
        outlet.show(a_state(a_camera()))
        until(lambda: broker.last("box/north/state"))
        assert json.loads(broker.last("box/north/state"))["people_today"] == 2
        outlet.show(a_state(a_camera("south")))
        until(lambda: broker.last("box/north/state") == "")
        gone = [topic for topic, text in broker.heard if "_north/" in topic and not text]
        assert len(gone) == 5
        broker.kill()
        until(outlet.problem)
        outlet.tell(Event(kind="person", camera="north", text="2"))
        outlet.tell(Event(kind="alarm", text="3"))
        broker.heard.clear()
        broker.start()
        until(lambda: broker.events() == ["2", "3"] and not outlet.problem())
        outlet.show(a_state(a_camera()))  # a broker that was killed has lost what it retained
        until(lambda: broker.last("box/north/state") and broker.last("box/status") == "online")
        assert len([topic for topic, _ in broker.heard if topic.startswith("homeassistant/")]) == 5
    finally:
        outlet.close()
    until(lambda: broker.last("box/status") == "offline")


@real
def test_the_broker_says_that_we_are_gone_when_we_are_killed(broker) -> None:
    broker.start()
    code = (
        "import sys, time; from pathlib import Path;"
        "from sealshot.runtime.service.mqtt import Broker, Mqtt, tls_context;"
        "Mqtt(Broker('127.0.0.1', int(sys.argv[1]), tls_context(Path(sys.argv[2])), None, None,"
        " 'box', '')); time.sleep(60)"
    )
    service = subprocess.Popen([sys.executable, "-c", code, str(broker.port), str(broker.ca)])
    try:
        until(lambda: broker.last("box/status") == "online")
    finally:
        service.send_signal(signal.SIGKILL)
        service.wait()
    until(lambda: broker.last("box/status") == "offline")


@real
def test_a_broker_whose_certificate_is_another_is_not_spoken_to(broker, tmp_path) -> None:
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other")
    broker.start()
    outlet = Mqtt(broker.ours(tmp_path / "other" / "cert.pem"))
    outlet.tell(Event(kind="person", text="1"))
    until(lambda: "cannot be reached" in outlet.problem())
    time.sleep(0.3)
    outlet.close()
    assert broker.heard == []


def test_a_file_without_certificates_is_told(tmp_path) -> None:
    (tmp_path / "ca").write_text("none")
    with pytest.raises(InputError, match="no certificates"):
        tls_context(tmp_path / "ca")


# https://www.home-assistant.io/integrations/mqtt/#discovery-messages
TOPIC = re.compile(
    r"homeassistant/(?P<component>sensor|binary_sensor)/(?P<node>[a-zA-Z0-9_-]+)/"
    r"(?P<object>[a-zA-Z0-9_-]+)/config"
)
KEYS = {
    *("name", "unique_id", "state_topic", "value_template", "availability_topic", "device"),
    *("origin", "icon", "device_class", "state_class", "unit_of_measurement"),
    *("payload_on", "payload_off"),
}


def test_home_assistant_is_told_of_each_value_that_is_published() -> None:
    found = dict(discovery("homeassistant", "site/box", "north"))
    values = shown(a_camera(vault=a_vault()), ())
    assert {topic.split("/")[3] for topic in found} == set(values)
    assert all(TOPIC.fullmatch(topic) for topic in found)
    assert len({payload["unique_id"] for payload in found.values()}) == len(found)
    for payload in found.values():
        assert set(payload) <= KEYS
        assert payload["state_topic"] == "site/box/north/state"
        assert payload["availability_topic"] == "site/box/status"


@pytest.mark.parametrize(
    ("camera", "alarms", "alive"),
    [
        (a_camera(), (), "on"),
        (a_camera(last_frame=None), (), "off"),
        (a_camera(), {"camera-silent"}, "off"),
        (a_camera(phase="waiting"), (), "off"),
    ],
)
def test_a_camera_is_alive_while_it_gives_pictures(camera, alarms, alive) -> None:
    assert shown(camera, alarms)["alive"] == alive
