"""MQTT 5: events, what each camera does, and a will for when the service is gone.

TOPIC/status           online or offline, retained; the broker says offline if we cannot
TOPIC/CAMERA/state     JSON, retained: alive, people_today, vault_percent, keys_days, alarms
TOPIC/CAMERA/event     JSON, see `events.py`; what concerns no camera at TOPIC/event
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from sealshot.runtime.errors import InputError
from sealshot.runtime.service.events import Event, as_json
from sealshot.runtime.service.homeassistant import discovery
from sealshot.runtime.service.state import CameraState, State

logger = logging.getLogger(__name__)

ONLINE, OFFLINE = "online", "offline"
KEEPALIVE_S = 30
KEPT = 10_000
"""Messages that wait while the broker is away."""
CLOSE_S = 3.0
RETRY_MIN_S, RETRY_MAX_S = 1, 60


@dataclass(frozen=True)
class Broker:
    """Where messages go."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """Whom the broker is believed."""
    user: str | None
    password: str | None
    topic: str
    discovery: str
    """Prefix of Home Assistant's discovery; empty for none."""


class Mqtt:
    """An outlet to a broker. One that is away is waited for, and gets what happened meanwhile."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._name = broker, f"MQTT broker {broker.host}:{broker.port}"
        self._problem = f"{self._name}: not connected yet"
        self._told = False
        self._lock = threading.Lock()
        self._shown: dict[str, bytes] = {}
        self._announced: set[str] = set()
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.max_queued_messages_set(KEPT)
        client.reconnect_delay_set(RETRY_MIN_S, RETRY_MAX_S)
        client.will_set(self._topic("status"), OFFLINE, qos=1, retain=True)
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_connect, client.on_connect_fail = self._connected, self._failed
        client.on_disconnect = self._disconnected
        self._client = client
        client.connect_async(broker.host, broker.port, KEEPALIVE_S, clean_start=True)
        client.loop_start()

    def tell(self, event: Event) -> None:
        """Publish an event."""
        self._client.publish(self._topic(event.camera, "event"), as_json(event), qos=1)

    def show(self, state: State) -> None:
        """Publish how the cameras are, where that has changed."""
        with self._lock:
            self._take_back({camera.name for camera in state.cameras})
            for camera in state.cameras:
                alarms = {alarm.name for alarm in state.alarms if alarm.camera == camera.name}
                payload = json.dumps(shown(camera, alarms)).encode()
                if self._shown.get(camera.name) != payload and not self._problem:
                    self._announce([camera.name])
                    self._publish(self._topic(camera.name, "state"), payload)
                    self._shown[camera.name] = payload

    def problem(self) -> str:
        """Return why nothing gets through at present."""
        return self._problem

    def close(self) -> None:
        """Say that we go, and go: the will is for when we cannot."""
        told = self._client.publish(self._topic("status"), OFFLINE, qos=1, retain=True)
        if not self._problem:
            told.wait_for_publish(CLOSE_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(
        self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._tell_failure(f"it refuses us: {reason}")
            return
        with self._lock:
            if self._told:
                logger.warning("%s is there again", self._name)
            self._problem, self._told = "", False
            self._shown.clear()  # a broker may have lost what it retained
            self._announced.clear()
            self._publish(self._topic("status"), ONLINE.encode())

    def _failed(self, _client: Any, _data: Any) -> None:
        self._tell_failure("it cannot be reached")

    def _disconnected(
        self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._tell_failure(f"the connection is lost: {reason}")

    def _tell_failure(self, why: str) -> None:
        self._problem = f"{self._name}: {why}"
        if not self._told:  # once, not each time
            self._told = True
            logger.warning("%s; what happens is kept for it", self._problem)

    def _announce(self, cameras: Sequence[str]) -> None:
        for camera in cameras:
            if self._broker.discovery and camera not in self._announced:
                self._announced.add(camera)
                for topic, payload in discovery(self._broker.discovery, self._broker.topic, camera):
                    self._publish(topic, json.dumps(payload).encode())

    def _take_back(self, cameras: Collection[str]) -> None:
        """Clear what is retained of cameras that are gone: Home Assistant forgets them too."""
        for gone in self._announced - set(cameras):
            self._announced.discard(gone)
            self._shown.pop(gone, None)
            for topic, _ in discovery(self._broker.discovery, self._broker.topic, gone):
                self._publish(topic, b"")
            self._publish(self._topic(gone, "state"), b"")

    def _publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1, retain=True)

    def _topic(self, *parts: str) -> str:
        return "/".join((self._broker.topic, *filter(None, parts)))


def shown(camera: CameraState, alarms: Collection[str]) -> dict[str, Any]:
    """Return what is published of a camera: counts and what it does, of nobody in particular."""
    vault = camera.vault
    fill = 100 * vault.bytes / vault.quota_bytes if vault and vault.quota_bytes else None
    days = vault.keys_days if vault else None
    alive = camera.phase == "running" and camera.last_frame and "camera-silent" not in alarms
    return {
        "alive": "on" if alive else "off",
        "people_today": camera.people_today,
        "vault_percent": None if fill is None else round(fill, 1),
        "keys_days": None if days is None else round(days, 1),
        "alarms": len(alarms),
    }


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return whom a broker is believed: authorities of a file, or without one the system's.

    Raises:
        InputError: the file has none.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl's errors are OSErrors
        raise InputError(
            f"{ca_file} has no certificates that can be used: {error.strerror}",
            hint="give a file of certificates in PEM",
        ) from None
