"""`sealshot keys`: make a key pair; show its recipient."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import say
from sealshot.runtime.seal.keys import PrivateKey, read_identities, write_identity

USAGE = """\
usage: sealshot keys new FILE [--post-quantum]
       sealshot keys show FILE

new   Make a key pair. FILE gets the identity: who has it can open what is sealed to it, and when it
      is lost, nobody can. Its recipient is printed: give it to the cameras. FILE is never
      overwritten.
show  Print the recipient of each identity in FILE (- reads standard input).

--post-quantum  Make a key that is also safe from quantum computers (ML-KEM-768 with X25519,
                age1pq1...). The `age` program opens it from version 1.3 on.

FILE has the form that age-keygen writes; either program reads the other's. A key that is to stay in
hardware is made by the plugin of age for it, age-plugin-NAME: its recipient (age1tag1...,
age1tagpq1...) can stand wherever one is asked for, and `open`, `restore` and `evidence` take its
identity, `authority new --hardware` makes it that of an authority. A custodian's keys are in files,
for they die one by one.

examples:
  sealshot keys new authority.key
  sealshot run crowd.mp4 --to "$(sealshot keys show authority.key)" --vault vault/
"""


def main(argv: list[str]) -> int:
    """Run `sealshot keys`."""
    arguments = Arguments("keys", USAGE)
    arguments.add_argument("action", metavar="ACTION", choices=("new", "show"))
    arguments.add_argument("file", metavar="FILE")
    arguments.add_argument("--post-quantum", action="store_true")
    given = arguments.parse_args(argv)
    if given.action == "new":
        kind = HybridIdentity if given.post_quantum else X25519Identity
        identity: PrivateKey = kind.generate()
        write_identity(Path(given.file), identity)
        say(str(identity.recipient))
    else:
        for identity in read_identities(given.file):
            say(str(identity.recipient))
    return 0
