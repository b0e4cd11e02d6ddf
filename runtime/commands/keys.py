"""`sealshot keys`: make a key pair; show its recipient."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.arguments import Arguments
from sealshot.runtime.seal.keys import read_identities, write_identity
from sealshot.runtime.seal.x25519 import X25519Identity
from sealshot.runtime.terminal import say

USAGE = """\
usage: sealshot keys new FILE
       sealshot keys show FILE

new   Make a key pair. FILE gets the identity: who has it can open what is sealed to it, and when it
      is lost, nobody can. Its recipient is printed: give it to the cameras. FILE is never
      overwritten.
show  Print the recipient of each identity in FILE (- reads standard input).

FILE has the form that age-keygen writes; either program reads the other's.

examples:
  sealshot keys new authority.key
  sealshot run crowd.mp4 --to "$(sealshot keys show authority.key)" --vault vault/
"""


def main(argv: list[str]) -> int:
    """Run `sealshot keys`."""
    arguments = Arguments("keys", USAGE)
    arguments.add_argument("action", metavar="ACTION", choices=("new", "show"))
    arguments.add_argument("file", metavar="FILE")
    given = arguments.parse_args(argv)
    if given.action == "new":
        identity = X25519Identity.generate()
        write_identity(Path(given.file), identity)
        say(str(identity.recipient))
    else:
        for identity in read_identities(given.file):
            say(str(identity.recipient))
    return 0
