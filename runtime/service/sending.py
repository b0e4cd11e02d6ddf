"""Outlets that take one event after the other and may fail: a file of lines, webhooks."""

from __future__ import annotations

import http.client
import logging
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealshot.runtime.errors import InputError
from sealshot.runtime.service.events import Event, as_json
from sealshot.runtime.service.state import State
from sealshot.runtime.sources.redact import redact

logger = logging.getLogger(__name__)

KEPT = 10_000
"""Events that wait while nothing gets through; then the oldest go."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
CLOSE_S = 3.0
TIMEOUT_S = 10.0


class Sending:
    """Sends events in their order, in a thread of its own; what fails is tried again.

    Args:
        name: of the outlet, for the log.
        send: one event; raises OSError where it failed.
    """

    def __init__(self, name: str, send: Callable[[Event], None]) -> None:
        self._name, self._send = name, send
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._problem, self._lost = "", 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Take an event."""
        with self._changed:
            if len(self._waiting) == KEPT:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(event)
            self._changed.notify_all()

    def show(self, _state: State) -> None:
        """Leave it: events alone are sent here."""

    def problem(self) -> str:
        """Return why nothing gets through at present."""
        return self._problem

    def close(self) -> None:
        """Send what waits, for a moment at most, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(CLOSE_S)
        if self._waiting:
            logger.warning("%s: events that were never sent: %d", self._name, len(self._waiting))

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                event = self._waiting[0]
            try:
                self._send(event)
            except OSError as error:
                self._tell_failure(error)
                with self._changed:
                    if self._closed:
                        return
                    self._changed.wait_for(lambda: self._closed, wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            wait_s = FIRST_WAIT_S
            with self._changed:
                if self._waiting and self._waiting[0] is event:
                    self._waiting.popleft()
            if self._problem:
                logger.warning("%s works again; events that were lost: %d", self._name, self._lost)
                self._problem, self._lost = "", 0

    def _tell_failure(self, error: OSError) -> None:
        why = error.strerror or str(error)
        if not self._problem:  # once, not each time
            logger.warning("%s: %s; events wait and are tried again", self._name, why)
        self._problem = f"{self._name}: {why}"


def lines_to(path: Path | None) -> Sending:
    """Return what appends events to a file, or standard output without one, as lines of JSON."""

    def send(event: Event) -> None:
        line = as_json(event) + b"\n"
        fd = os.dup(1) if path is None else os.open(path, _APPEND, 0o640)
        try:
            start = os.fstat(fd).st_size if path else 0
            done = os.write(fd, line)
            if done < len(line) and path:  # a full disk: no half line stays
                os.ftruncate(fd, start)
                raise OSError(28, "No space left on device")
        finally:
            os.close(fd)

    return Sending(f"events to {path or 'standard output'}", send)


def check_hook(url: str) -> None:
    """Check that events can be posted to an address.

    Raises:
        InputError: it is none.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port  # the port is only checked when it is asked for
    except ValueError:  # its words may have a part of a password in them
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise InputError("the address is none", hint="give http://HOST/... or https://HOST/...")


def webhook_to(url: str, *, timeout_s: float = TIMEOUT_S) -> Sending:
    """Return what POSTs each event to an address; an answer of 2xx takes it."""

    def send(event: Event) -> None:
        request = urllib.request.Request(
            url, as_json(event), {"Content-Type": "application/json", "User-Agent": "sealshot"}
        )
        try:
            with _OPENER.open(request, timeout=timeout_s):
                pass
        except urllib.error.HTTPError as error:
            with error:
                raise OSError(f"it answers {error.code} {error.reason}") from None
        except urllib.error.URLError as error:
            raise OSError(redact(str(error.reason))) from None
        except http.client.HTTPException as error:
            raise OSError(f"what it answers is no HTTP ({type(error).__name__})") from None

    return Sending(f"webhook {redact(url)}", send)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: urllib would ask the other address for a page, and post nothing."""

    def redirect_request(self, *_: Any) -> None:
        """Leave it an error."""


_OPENER = urllib.request.build_opener(_NoRedirect)
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
