"""A device that speaks ONVIF: SOAP 1.2 over HTTP, as cameras answer it, and WS-Discovery.

It checks what it gets by itself, so that a test sees what a camera would.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MAY_BE_OLD = timedelta(seconds=5)
NAMES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "ter": "http://www.onvif.org/ver10/error",
    "w": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "u": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "d": "http://schemas.xmlsoap.org/ws/2005/04/discovery",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
}
SPACES = " ".join(f'xmlns:{short}="{name}"' for short, name in NAMES.items())


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that does not speak TLS."""


@dataclass
class Device:
    """What it says, and how it is set up."""

    stream: str = "rtsp://127.0.0.1/live"
    profiles: tuple[tuple[str, str, int, int], ...] = (("main", "Main stream", 1280, 720),)
    """Token, name, width and height; a width of 0 has no video."""
    user: str = ""
    password: str = ""
    clock: timedelta = timedelta()
    """By how much its clock is ahead."""
    address: str = ""
    """What it takes its own address for; empty if it knows."""
    knows_services: bool = True
    media: str | None = NAMES["trt"]
    """Namespace of its media service, which says the version; None where it has none."""
    http_digest: bool = False
    """Whether it lets nobody in but by the digest of HTTP, before it looks at what is asked."""
    certificate: Path | None = None
    """With its key: it speaks TLS alone."""
    asked: list[str] = field(default_factory=list)
    """What it was asked, in order; a stream with its profile's token."""

    def __post_init__(self) -> None:
        device = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if device.http_digest:
                    self.send_response(401)
                    challenge = 'Digest realm="camera", qop="auth", nonce="7a6f", algorithm=MD5'
                    self.send_header("WWW-Authenticate", challenge)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                status, answer = device.answer(ElementTree.fromstring(body))
                data = f"<s:Envelope {SPACES}><s:Body>{answer}</s:Body></s:Envelope>".encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = _Server(("127.0.0.1", 0), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def spec(self) -> str:
        user = f"{self.user}:{self.password}@" if self.user else ""
        return f"onvif://{user}127.0.0.1:{self.port}"

    def answer(self, envelope: ElementTree.Element) -> tuple[int, str]:
        body = envelope.find("s:Body", NAMES)
        assert body is not None
        request = body[0]
        space, _, action = request.tag[1:].partition("}")
        self.asked.append(action)
        here = self.address or f"http://127.0.0.1:{self.port}"
        if action == "GetSystemDateAndTime":
            return 200, _date_and_time(datetime.now(timezone.utc) + self.clock)
        if self.user and not self._is_known(envelope):
            return 400, _fault("Sender", "ter:NotAuthorized", "Sender not authorized")
        if action == "GetServices" and self.knows_services:
            media = f"<tds:Service><tds:Namespace>{self.media}</tds:Namespace><tds:XAddr>{here}"
            media += "/onvif/media</tds:XAddr>" + _VERSION + "</tds:Service>"
            services = f"<tds:Service><tds:Namespace>{NAMES['tds']}</tds:Namespace><tds:XAddr>"
            services += f"{here}/onvif/device_service</tds:XAddr>{_VERSION}</tds:Service>"
            services += media if self.media else ""
            return 200, f"<tds:GetServicesResponse>{services}</tds:GetServicesResponse>"
        if action == "GetCapabilities":
            return 200, (
                "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media><tt:XAddr>"
                f"{here}/onvif/media</tt:XAddr><tt:StreamingCapabilities/></tt:Media>"
                "</tds:Capabilities></tds:GetCapabilitiesResponse>"
            )
        if action == "GetProfiles" and space == NAMES["trt"]:
            profiles = "".join(_profile(*each) for each in self.profiles)
            return 200, f"<trt:GetProfilesResponse>{profiles}</trt:GetProfilesResponse>"
        if action == "GetStreamUri":
            self.asked[-1] += f" {request.findtext('trt:ProfileToken', '', NAMES)}"
            return 200, (
                f"<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{self.stream}</tt:Uri>"
                "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
                "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
                "</trt:MediaUri></trt:GetStreamUriResponse>"
            )
        return 500, _fault("Receiver", "ter:ActionNotSupported", "Action not supported")

    def _is_known(self, envelope: ElementTree.Element) -> bool:
        """Check a WS-UsernameToken by this device's own clock."""
        token = envelope.find(".//w:UsernameToken", NAMES)
        if token is None or token.findtext("w:Username", "", NAMES) != self.user:
            return False
        created = token.findtext("u:Created", "", NAMES)
        nonce = base64.b64decode(token.findtext("w:Nonce", "", NAMES))
        sha1 = hashlib.sha1(nonce + created.encode() + self.password.encode()).digest()
        told = token.findtext("w:Password", "", NAMES)
        time = datetime.fromisoformat(created.replace("Z", "+00:00"))
        age = datetime.now(timezone.utc) + self.clock - time
        return told == base64.b64encode(sha1).decode() and abs(age) < MAY_BE_OLD


class Discoverable:
    """Answers probes on a UDP port of the loopback, as a device does on the group's."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.types = answers, set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.group = self.socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                probe, sender = self.socket.recvfrom(65536)
            except OSError:
                return
            root = ElementTree.fromstring(probe)
            self.types.add((root.findtext(".//d:Types", "", NAMES)).partition(":")[2])
            for answer in self.answers:
                self.socket.sendto(answer.encode(), sender)

    def close(self) -> None:
        self.socket.close()


def probe_match(addresses: str, scopes: str) -> str:
    return (
        f"<s:Envelope {SPACES}><s:Body><d:ProbeMatches><d:ProbeMatch><a:EndpointReference>"
        "<a:Address>urn:uuid:1</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter"
        f"</d:Types><d:Scopes>{scopes}</d:Scopes><d:XAddrs>{addresses}</d:XAddrs>"
        "<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches></s:Body>"
        "</s:Envelope>"
    )


_VERSION = "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version>"


def _date_and_time(time: datetime) -> str:
    return (
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual"
        "</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime><tt:Time>"
        f"<tt:Hour>{time.hour}</tt:Hour><tt:Minute>{time.minute}</tt:Minute><tt:Second>"
        f"{time.second}</tt:Second></tt:Time><tt:Date><tt:Year>{time.year}</tt:Year><tt:Month>"
        f"{time.month}</tt:Month><tt:Day>{time.day}</tt:Day></tt:Date></tt:UTCDateTime>"
        "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def _profile(token: str, name: str, width: int, height: int) -> str:
    video = (
        f'<tt:VideoEncoderConfiguration token="v-{token}"><tt:Name>{name}</tt:Name><tt:UseCount>1'
        "</tt:UseCount><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>"
        f"{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution><tt:Quality>5"
        "</tt:Quality></tt:VideoEncoderConfiguration>"
    )
    return (
        f'<trt:Profiles token="{token}" fixed="true"><tt:Name>{name}</tt:Name>'
        f"{video if width else ''}</trt:Profiles>"
    )


def _fault(code: str, subcode: str, reason: str) -> str:
    return (
        f"<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value>{subcode}</s:Value>"
        f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason>'
        "</s:Fault>"
    )
