"""Taking passwords out of what is shown to people and written to logs."""

from __future__ import annotations

import re

# up to the last `@`, although an address may have one in its path: rather hide too much
_USER_INFO = re.compile(r"(://)[^\s]*@")
_SECRETS = re.compile(
    r"((?:^|[?&;\s/_-])[\w-]*?(?:passw(?:or)?d|pass|pwd|pw|token|secret|key|auth|signature|sig)=)"
    r"[^&;\s]+",
    re.IGNORECASE,
)


def redact(spec: str) -> str:
    """Return an address or a pipeline without ``user:password`` and without secret parameters.

    >>> redact("rtsp://admin:1234@10.0.0.7/live?channel=1&token=ab12")
    'rtsp://***@10.0.0.7/live?channel=1&token=***'
    """
    return _SECRETS.sub(r"\1***", _USER_INFO.sub(r"\1***@", spec))
