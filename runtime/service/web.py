"""The status page, metrics and health over HTTP.

    /          the page
    /metrics   for Prometheus
    /healthz   200 while the service tells its state, else 503; needs no token, and says no more

Who is not on this machine needs the token: ``Authorization: Bearer TOKEN``, or as the password of
HTTP's basic authentication, which browsers and Prometheus know. There is no TLS here: over a
network put it behind a proxy that has it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6
from urllib.parse import urlsplit

from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.service.metrics import CONTENT_TYPE, exposition
from sealshot.runtime.service.page import page
from sealshot.runtime.service.state import LATE_S, State

TIMEOUT_S = 10.0
TOKEN_LENGTH = 16
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Web:
    """Serves pages in threads of its own.

    Args:
        listen: ``host:port``.
        token: who has it may read; needed unless ``listen`` is on the loopback.
        state: gives the state that was told last.

    Raises:
        InputError: others reach the address, and there is no token, or it is a weak one.
        SealshotError: the address cannot be had: another program has the port.
    """

    def __init__(self, listen: str, token: str | None, state: Callable[[], State]) -> None:
        check_listen(listen, token)
        host, _, port = listen.rpartition(":")
        try:
            self._server = _Server(host.strip("[]"), int(port), token, state)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise SealshotError(
                f"the status page cannot listen on {listen}: {why}",
                hint="another program may have the port: name another one",
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="web", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def check_listen(listen: str, token: str | None) -> None:
    """Check that nobody else may read.

    Raises:
        InputError: there is no such port; or others reach the address, and there is no token,
            or it is a weak one.
    """
    if int(listen.rpartition(":")[2]) > 65535:
        raise InputError(f"{listen} has no such port", hint="give one from 1 to 65535")
    if token is None and not is_local(listen.rpartition(":")[0].strip("[]")):
        raise InputError(
            f"others than this machine may reach {listen}, and there is no token",
            hint="name a file with one in token_file, or listen on 127.0.0.1",
        )
    if token is not None and len(token) < TOKEN_LENGTH:
        raise InputError(
            f"the token of the page has less than {TOKEN_LENGTH} characters",
            hint="make one: `openssl rand -hex 16`",
        )


def is_local(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, token: str | None, state: Callable[[], State]) -> None:
        if ":" in host:
            self.address_family = AF_INET6
        self.token, self.state = token, state
        super().__init__((host, port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a reader who goes away is no matter for a log."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_S
    server_version, sys_version = "sealshot", ""

    def do_GET(self) -> None:
        """Answer."""
        path, state = urlsplit(self.path).path, self.server.state()
        if path == "/healthz":
            alive = state.age_s(utc_now()) <= LATE_S
            status = HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(status, b"ok\n" if alive else b"late\n", "text/plain")
        elif not self._may_read():
            self._answer(HTTPStatus.UNAUTHORIZED, b"a token is needed\n", "text/plain")
        elif path == "/":
            self._answer(HTTPStatus.OK, page(state, utc_now()).encode(), "text/html; charset=utf-8")
        elif path == "/metrics":
            self._answer(HTTPStatus.OK, exposition(state), CONTENT_TYPE)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"there is no such page\n", "text/plain")

    do_HEAD = do_GET  # noqa: N815

    def _may_read(self) -> bool:
        if self.server.token is None:
            # by its name another site's page may make a browser here ask us (DNS rebinding)
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
            return is_local(host)
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif kind.lower() != "bearer":
            return False
        return hmac.compare_digest(given.encode(), self.server.token.encode())

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="sealshot", charset="UTF-8"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: who looks is no matter for a log."""
