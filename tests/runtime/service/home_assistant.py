"""What we send to Home Assistant, held against Home Assistant's own code.

It brings a hundred packages, so it has an environment of its own:

    python3.13 -m venv ha && ha/bin/pip install homeassistant==2025.4.4 paho-mqtt==2.1.0
    ha/bin/pip install --no-deps . && ha/bin/python tests/runtime/service/home_assistant.py

Each announcement must match Home Assistant's discovery topics, be taken by the schema of its
component with nothing left out, and give a state by its template, also where a value is not known.
Exits 1 with what is wrong.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile

from homeassistant.components.mqtt import discovery as theirs
from homeassistant.components.mqtt.models import MqttValueTemplate
from homeassistant.components.mqtt.schemas import MQTT_ORIGIN_INFO_SCHEMA
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

from sealshot.runtime.service.homeassistant import discovery

KNOWN = {"alive": "on", "people_today": 3, "vault_percent": 12.5, "keys_days": 6.5, "alarms": 0}
UNKNOWN = {**KNOWN, "alive": "off", "vault_percent": None, "keys_days": None}


async def check() -> list[str]:
    """Return what is wrong."""
    wrong, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        for topic, sent in discovery("homeassistant", "site/box-1", "north_2"):
            count += 1
            payload = json.loads(json.dumps(sent))
            match = theirs.TOPIC_MATCHER.match(topic.removeprefix("homeassistant/"))
            if match is None:
                wrong.append(f"{topic}: no topic of discovery")
                continue
            component = importlib.import_module(
                f"homeassistant.components.mqtt.{match.group('component')}"
            )
            MQTT_ORIGIN_INFO_SCHEMA(payload["origin"])
            taken = component.DISCOVERY_SCHEMA(payload)
            left_out = set(payload) - set(taken) - {"origin", "availability_topic"}
            if left_out:
                wrong.append(f"{topic}: leaves out {sorted(left_out)}")
            key = payload["unique_id"].removeprefix("site_box-1_north_2_")
            template = MqttValueTemplate(Template(payload["value_template"], hass))
            for state in (KNOWN, UNKNOWN):
                shown = template.async_render_with_possible_json_value(json.dumps(state))
                if shown != str(state[key]):
                    wrong.append(f"{topic}: shows {shown!r} for {state[key]!r}")
            if match.group("component") == "binary_sensor":
                ons = {taken["payload_on"], taken["payload_off"]}
                if ons != {"on", "off"}:
                    wrong.append(f"{topic}: {ons}")
        await hass.async_stop(force=True)
    print(f"Home Assistant {__version__} takes {count - len(wrong)} of {count} announcements")
    return wrong


if __name__ == "__main__":
    found = asyncio.run(check())
    print(*found, sep="\n")
    sys.exit(1 if found else 0)
