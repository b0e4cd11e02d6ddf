"""Home Assistant's MQTT discovery: what makes a camera appear there by itself.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sealshot import __version__

ORIGIN = {"name": "sealshot", "sw_version": __version__}

_SENSORS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "alive": (
        "binary_sensor",
        "Camera alive",
        {"device_class": "connectivity", "payload_on": "on", "payload_off": "off"},
    ),
    "people_today": (
        "sensor",
        "People today",
        {"state_class": "total_increasing", "icon": "mdi:account-multiple"},
    ),
    "vault_percent": (
        "sensor",
        "Vault fill",
        {"unit_of_measurement": "%", "state_class": "measurement", "icon": "mdi:safe"},
    ),
    "keys_days": (
        "sensor",
        "Epoch keys left",
        {"unit_of_measurement": "d", "device_class": "duration", "icon": "mdi:key"},
    ),
    "alarms": ("sensor", "Alarms", {"state_class": "measurement", "icon": "mdi:alert"}),
}
"""Key of a camera's state -> component, name, and what else it is."""


def discovery(prefix: str, topic: str, camera: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the topics and payloads that announce a camera.

    Args:
        prefix: of discovery, as Home Assistant is set up (``homeassistant``).
        topic: of this service.
        camera: its name; its state is published at ``topic/camera/state``.
    """
    box = topic.replace("/", "_")
    device = {
        "identifiers": [f"{box}_{camera}"],
        "name": f"{topic} {camera}",
        "manufacturer": "sealshot",
        "model": "camera",
        "sw_version": __version__,
    }
    for key, (component, name, more) in _SENSORS.items():
        yield (
            f"{prefix}/{component}/{box}_{camera}/{key}/config",
            {
                "name": name,
                "unique_id": f"{box}_{camera}_{key}",
                "state_topic": f"{topic}/{camera}/state",
                "value_template": f"{{{{ value_json.{key} }}}}",
                "availability_topic": f"{topic}/status",
                "device": device,
                "origin": ORIGIN,
                **more,
            },
        )
