"""A vault whose writer is killed at any moment: what was acknowledged stays, no part does."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from sealshot.runtime import files
from sealshot.runtime.age import age
from sealshot.runtime.seal.keys import read_identities
from sealshot.runtime.vault.store import Vault, list_objects

KILLS = 12
WRITER = """
import os, sys
from pathlib import Path
from sealshot.runtime.age import age
from sealshot.runtime.seal import keys
from sealshot.runtime.vault.store import Vault
recipients = [key.recipient for key in keys.read_identities(sys.argv[1])]
before = None
with Vault(Path(sys.argv[2])) as store:
    print("ready", flush=True)
    for number in range(1_000_000):
        sealed = age.encrypt(b"%d " % number + bytes(5000), recipients)
        replaced = before if number % 3 == 2 else None
        before = store.store(sealed, replaces=replaced)
        print(before, replaced, flush=True)
"""


def test_a_kill_at_any_moment_loses_nothing_acknowledged(
    tmp_path: Path, identity_file: Path
) -> None:
    identities = read_identities(str(identity_file))
    folder = tmp_path / "vault"
    before: set[str] = set()
    acknowledged = 0
    for _ in range(KILLS):
        told = _write_until_killed(identity_file, folder)
        acknowledged += len(told)
        found = {found.id: found.path.read_bytes() for found in list_objects(folder)}
        numbers = {
            object_id: int(age.decrypt(found[object_id], identities).split(b" ")[0])
            for object_id in found.keys() - before
        }
        assert before <= found.keys()
        # A kill between storing and telling leaves one object that nobody was told of.
        untold = [numbers[object_id] for object_id in numbers.keys() - {new for new, _ in told}]
        assert untold in ([], [len(told)])
        missing = {new for new, _ in told} - {old for _, old in told} - found.keys()
        # That one may already have taken the place of the last one told of.
        assert not missing or (missing == {told[-1][0]} and untold == [len(told)])
        assert not missing or len(told) % 3 == 2
        before = set(found)
    assert acknowledged > KILLS
    Vault(folder).close()
    assert not list(folder.rglob(f"*{files.PART}"))
    assert {found.id for found in list_objects(folder)} == before


def _write_until_killed(identity_file: Path, folder: Path) -> list[tuple[str, str]]:
    """Run the writer for a moment; return each object it told of, with the one it replaced."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(identity_file), str(folder)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    time.sleep(secrets.randbelow(50) / 1000)
    writer.send_signal(signal.SIGKILL)
    lines = writer.stdout.read().decode().splitlines(keepends=True)
    writer.wait()
    told = [line.split() for line in lines if line.endswith("\n")]
    return [(new, old) for new, old in told]


def test_the_parts_that_a_kill_leaves_are_seen_by_the_test_above(tmp_path: Path) -> None:
    """The control: a writer that dies before its rename does leave a `.part`."""
    script = (
        "import os, sys; from pathlib import Path; from sealshot.runtime.vault.store import Vault\n"
        "store = Vault(Path(sys.argv[1])); Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "store.store(b'x')"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)])
    assert len(list(tmp_path.rglob(f"*{files.PART}"))) == 1
    Vault(tmp_path).close()
    assert not list(tmp_path.rglob(f"*{files.PART}"))
