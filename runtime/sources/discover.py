"""Which cameras there are in this machine's networks: WS-Discovery, as ONVIF devices answer it.

A probe goes out by each interface, to the group that devices listen to, and each answers to where
it came from (OASIS WS-Discovery 1.1, 3.1 and 4; ONVIF Core Specification, 7). Whoever answers is
believed nothing but the address that the answer came from.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.sandbox.onvif import PORT
from sealshot.runtime.sources.onvif import SCHEME

GROUP = ("239.255.255.250", 3702)
WAIT_S = 4.0
AGAIN_S = 0.5
"""A datagram may be lost: the probe goes out again after so long."""
LARGEST = 64 * 1024  # bytes of a datagram
MOST = 1000
"""Devices that are listed."""
TYPES = (
    ("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter"),
    ("http://www.onvif.org/ver10/device/wsdl", "Device"),
)
"""Devices answer to one of them, or to both."""
SCOPES = "onvif://www.onvif.org/"
NAMES = {
    "d": "http://schemas.xmlsoap.org/ws/2005/04/discovery",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
}
_PROBE = """<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="{a}" xmlns:d="{d}">
<s:Header><a:Action>{d}/Probe</a:Action><a:MessageID>urn:uuid:{id}</a:MessageID>
<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>
<s:Body><d:Probe><d:Types xmlns:t="{space}">t:{type}</d:Types></d:Probe></s:Body></s:Envelope>"""


@dataclass(frozen=True)
class Device:
    """A device that answered."""

    source: str
    """``onvif://HOST[:PORT]``, as :func:`sealshot.runtime.sources.open_source` takes it."""
    name: str
    """What it calls itself; empty where it does not say."""
    model: str


def discover(wait_s: float = WAIT_S, group: tuple[str, int] = GROUP) -> list[Device]:
    """Ask for cameras, and wait for answers.

    Args:
        wait_s: for how long.
        group: that devices listen to.

    Raises:
        SealshotError: there is no network to ask.
    """
    asked, found = _sockets(), dict[str, Device]()
    try:
        begin_s, rounds = time.monotonic(), 0
        while (since_s := time.monotonic() - begin_s) < wait_s and len(found) < MOST:
            if rounds < 2 and since_s >= rounds * AGAIN_S:
                rounds += 1
                _ask(asked, group)
            ready, _, _ = select.select(asked, [], [], min(0.1, wait_s))
            for one in ready:
                answer, (host, *_) = one.recvfrom(LARGEST)
                for device in _devices(answer, host):
                    found.setdefault(device.source, device)
    finally:
        for one in asked:
            one.close()
    return sorted(found.values(), key=lambda device: device.source)


def _sockets() -> list[socket.socket]:
    """Return a socket for each interface."""
    made = []
    for index, _ in socket.if_nameindex():
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", b"", b"", index)
        )
        one.setblocking(False)
        made.append(one)
    return made


def _ask(asked: list[socket.socket], group: tuple[str, int]) -> None:
    import uuid

    sent, why = 0, "it has no interface"
    for one in asked:
        for space, kind in TYPES:
            probe = _PROBE.format(id=uuid.uuid4(), space=space, type=kind, **NAMES)
            try:
                one.sendto(probe.encode(), group)
                sent += 1
            except OSError as error:  # an interface that is down, or has no address
                why = str(error.strerror).lower()
    if not sent:
        raise SealshotError(
            f"this machine has no network to ask for cameras: {why}", hint="check its network"
        )


def _devices(answer: bytes, host: str) -> Iterator[Device]:
    """Yield what an answer tells; nothing where it is none."""
    import xml.etree.ElementTree as ElementTree

    try:
        text = answer.decode()
        if "<!" in text:  # entities, which nobody needs here
            return
        envelope = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError):
        return
    for match in envelope.iterfind(".//d:ProbeMatch", NAMES):
        scopes = (match.findtext("d:Scopes", "", NAMES) or "").split()
        ports = list(_ports((match.findtext("d:XAddrs", "", NAMES) or "").split()))
        if ports:
            port = "" if ports[0] == PORT else f":{ports[0]}"
            yield Device(f"{SCHEME}{host}{port}", _said(scopes, "name"), _said(scopes, "hardware"))


def _ports(addresses: list[str]) -> Iterator[int]:
    for address in addresses:
        try:
            parts = urlsplit(address)
            if parts.scheme == "http":
                yield parts.port or PORT
        except ValueError:
            continue


def _said(scopes: list[str], what: str) -> str:
    for scope in scopes:
        if scope.startswith(f"{SCOPES}{what}/"):
            return unquote(scope.removeprefix(f"{SCOPES}{what}/"))
    return ""
