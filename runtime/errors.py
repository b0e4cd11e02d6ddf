"""The exception tree: a fact, a hint, and an exit code.

The command line prints ``fact`` and ``hint`` and nothing else; a traceback is for defects.
"""


class SealshotError(Exception):
    """Something broke: one sentence with the fact, one with the fix. Exit code 1."""

    exit_code = 1

    def __init__(self, fact: str, hint: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint


class InputError(SealshotError):
    """What the user gave is wrong: an argument, a file, a key. Exit code 2."""

    exit_code = 2


class SourceError(SealshotError):
    """A camera or a stream that worked has failed for good. Exit code 1."""


class VaultError(SealshotError):
    """The vault cannot take or give an object (full, read-only, damaged). Exit code 1."""


class SealError(InputError):
    """A sealed object, recipient or identity is malformed, tampered with or not for this key."""
