"""Opens what a configuration names beside the cameras: outlets of events, and the page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from sealshot.runtime.files import in_folder
from sealshot.runtime.service import config as parts
from sealshot.runtime.service.config import Config
from sealshot.runtime.service.events import Outlet
from sealshot.runtime.service.mqtt import Broker, Mqtt, tls_context
from sealshot.runtime.service.sending import check_hook, lines_to, webhook_to
from sealshot.runtime.service.state import State
from sealshot.runtime.service.web import Web, check_listen
from sealshot.runtime.sources.secret import read_secret

PORTS = {True: 8883, False: 1883}
"""Of MQTT, with TLS and without."""


Open = Callable[[Callable[[], State]], Outlet | Web]
"""Opens a part whose files are there; it gets what gives the state. Raises SealshotError."""
Part = tuple[tuple[str | int, ...], msgspec.Struct, Callable[[], Open]]
"""Where it stands in the file, what it says, and what reads the files that it names."""


def parts_of(config: Config, base: Path) -> list[Part]:
    """Return the parts of a configuration beside its cameras.

    Args:
        config: names them.
        base: folder that paths start from.
    """
    found: list[Part] = []
    if config.events is not None:
        found.append((("events",), config.events, partial(_events, config.events, base)))
    if config.mqtt is not None:
        found.append((("mqtt",), config.mqtt, partial(_mqtt, config.mqtt, base)))
    for number, hook in enumerate(config.webhook):
        if hook.url or hook.url_file:
            found.append((("webhook", number), hook, partial(_webhook, hook, base)))
    if config.page is not None:
        found.append((("page",), config.page, partial(_page, config.page, base)))
    return found


def _events(events: parts.Events, base: Path) -> Open:
    file = None if events.file == "-" else in_folder(base, events.file)
    return lambda _state: lines_to(file)


def _webhook(hook: parts.Webhook, base: Path) -> Open:
    url = hook.url or read_secret(hook.url_file or "", base, "the address")
    check_hook(url)
    return lambda _state: webhook_to(url)


def _page(page: parts.Page, base: Path) -> Open:
    token = read_secret(page.token_file, base, "the token") if page.token_file else None
    check_listen(page.listen, token)
    return lambda state: Web(page.listen, token, state)


def _mqtt(mqtt: parts.Mqtt, base: Path) -> Open:
    password = mqtt.password_file and read_secret(mqtt.password_file, base, "the password")
    ca_file = in_folder(base, mqtt.ca_file) if mqtt.ca_file else None
    broker = Broker(
        host=mqtt.host,
        port=mqtt.port or PORTS[mqtt.tls],
        tls=tls_context(ca_file) if mqtt.tls else None,
        user=mqtt.user,
        password=password,
        topic=mqtt.topic,
        discovery=mqtt.discovery,
    )
    return lambda _state: Mqtt(broker)
