"""Fetching what a custodian publishes: from a folder, or from an address that may be hostile.

A server can drip one byte at a time, before every time-out of a socket. So a thread of its own
asks, and is left to itself at the deadline; its address is not asked again before it has ended.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sealshot.runtime.errors import SealError
from sealshot.runtime.files import read_regular

DEADLINE_S = 20.0
"""For all of an answer; an epoch key takes a few hundred milliseconds over a bad line."""
SILENCE_S = 10.0

_late: dict[str, threading.Thread] = {}
"""Address to who still waits for it after the deadline."""


def fetch(where: str, base: Path, name: str, limit: int) -> bytes | None:
    """Return a file of a folder or address, cut at ``limit`` bytes; None where it is not had.

    Args:
        where: folder, or address.
        base: folder that a relative folder starts from.
        name: of the file.
        limit: bytes.

    Raises:
        SealError: nothing can be fetched from such an address.
    """
    if "://" not in where:
        try:
            return read_regular(base / where / name, limit, follow=True)
        except OSError:
            return None
    if not where.startswith(("https://", "http://")):
        raise SealError(f"epoch keys cannot be fetched from {where}", hint="give https://...")
    if where in _late and _late[where].is_alive():
        return None
    answers: list[bytes] = []
    deadline = time.monotonic() + DEADLINE_S
    address = f"{where.rstrip('/')}/{name}"
    asking = threading.Thread(target=_ask, args=(address, limit, deadline, answers), daemon=True)
    asking.start()
    asking.join(DEADLINE_S)
    if asking.is_alive():
        _late[where] = asking
        return None
    return answers[0] if answers else None


def _ask(address: str, limit: int, deadline: float, answers: list[bytes]) -> None:
    import http.client  # what only few need takes 3 MB
    import urllib.request

    data = bytearray()
    try:
        with urllib.request.urlopen(address, timeout=SILENCE_S) as answer:
            while len(data) < limit and (more := answer.read1(limit - len(data))):
                if time.monotonic() > deadline:
                    return
                data += more
            if len(data) < limit and answer.length:  # it ended before what it said
                return
    except (OSError, ValueError, http.client.HTTPException):
        return
    answers.append(bytes(data))
