"""Taking secrets out of what is shown to people and written to logs."""

from __future__ import annotations

import re

# the host stands after the last `@`, although an address may have one in its path, and a password
# any sign: rather hide too much. Cameras take passwords in paths too, so that none is shown
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*://)([^\s]*@)?([\w.:\[\]-]*)(\S*)", re.IGNORECASE)
_SECRETS = re.compile(
    r"((?:^|[?&;\s/_-])[\w-]*?"
    r"(?:passw(?:or)?d|pass|pwd|psw|pw|pas|p|token|secret|key|auth|credentials?|signature|sig)=)"
    r"[^&;\s]+",
    re.IGNORECASE,
)


def redact(spec: str) -> str:
    """Return an address with scheme and host only, a pipeline without secret properties.

    >>> redact("rtsp://admin:1234@10.0.0.7/live?channel=1&token=ab12")
    'rtsp://***@10.0.0.7/***'
    """
    return _SECRETS.sub(r"\1***", _ADDRESS.sub(_scheme_and_host, spec))


def holds_secret(spec: str) -> bool:
    """Whether an address or a pipeline has a user, or a parameter that is called as secrets are."""
    return bool(_SECRETS.search(spec)) or any(user for _, user, *_ in _ADDRESS.findall(spec))


def _scheme_and_host(address: re.Match[str]) -> str:
    scheme, user, host, rest = address.groups()
    return f"{scheme}{'***@' if user else ''}{host}{'/***' if rest.strip('/') else ''}"
