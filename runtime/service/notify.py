"""Telling systemd how it goes: sd_notify(3), which is a datagram."""

from __future__ import annotations

import logging
import os
import socket
import time

logger = logging.getLogger(__name__)


class Notify:
    """Talks to whoever started us, where that is systemd; else does nothing."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        own = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        limit_us = os.environ.get("WATCHDOG_USEC", "") if own else ""
        self.feed_every_s = int(limit_us) / 1e6 / 3 if limit_us.isdecimal() else float("inf")
        """How often :meth:`feed` is to be called: three times before systemd loses patience."""
        self._fed_at = time.monotonic()

    def ready(self, status: str) -> None:
        """Say that all cameras were tried."""
        self._tell("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Say how it goes, for `systemctl status`."""
        self._tell(f"STATUS={status}")

    def reloading(self) -> None:
        """Say that the configuration is read again; :meth:`ready` ends it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that it ends."""
        self._tell("STOPPING=1")

    def feed(self) -> None:
        """Feed the watchdog where it is time to; to be called only while there is progress."""
        if time.monotonic() - self._fed_at >= self.feed_every_s:
            self._fed_at = time.monotonic()
            self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        address = self._address
        address = f"\0{address[1:]}" if address.startswith("@") else address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.connect(address)
                out.sendall("\n".join(lines).encode())
        except OSError as error:
            logger.warning("systemd cannot be told: %s", error.strerror)
