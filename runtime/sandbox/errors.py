"""What a process that parses refuses for."""

from __future__ import annotations


class NoStreamError(Exception):
    """There is no video, or not now."""

    def __init__(
        self, why: str, hint: str = "", *, lasting: bool = False, unread: bool = False
    ) -> None:
        """Say why.

        Args:
            why: a clause without an address, such as "connection refused".
            hint: what to do about it.
            lasting: whether waiting does not help: a wrong password, no such page, no video.
            unread: whether it failed as it does where a certificate is not believed.
        """
        super().__init__(why)
        self.why, self.hint, self.lasting, self.unread = why, hint, lasting, unread
