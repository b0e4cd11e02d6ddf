"""`sealshot bench sealing`: what sealing costs beside the stock `age` program."""

from __future__ import annotations

import importlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.speed.sealing.quorum import Quorum
from sealshot.benchmarks.speed.sealing.run import Throughput, measure_runs
from sealshot.runtime.age import age
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import note, progress, say_json, table
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.seal.keys import write_identity
from sealshot.runtime.vault.store import Vault

USAGE = """\
usage: sealshot bench sealing [--rounds N] [--runs N] [options]

Seal and open a picture of 20 kB and a clip of 5 MB, in turns: with the stock `age` program, with
its Rust twin pyrage where it is installed, and with sealshot: one recipient (X25519, and the
post-quantum hybrid), and the signed container that 2 of 3 authorities and the custodian open, with
all that they and the investigator compute. `age` is a program of its own: what starting it costs is
measured on an empty input.

Then run `sealshot run` on the clip of the demo with sealing, and watch it with no sink that takes
the shots, in turns.

  --rounds N      turns of each (default 30)
  --runs N        of the clip, each with and without sealing (default 5; 0 leaves them out)
  -o, --output F  write the result as JSON
  --json          print the result as JSON instead of the table

example:
  sealshot bench sealing -o sealing.json
"""

PAYLOADS = {"empty": 0, "picture": 20_000, "clip": 5_000_000}  # bytes

Operation = Callable[[bytes], bytes]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Peer:
    """One implementation of age, with one key pair."""

    name: str
    encrypt: Operation
    decrypt: Operation


@dataclass(frozen=True)
class Cost:
    """What one implementation takes for one payload: medians over the rounds."""

    peer: str
    payload: str
    plain_bytes: int
    extra_bytes: int
    """What the sealed file has more than the payload."""
    seal_ms: float
    open_ms: float
    seal_ratio: float
    """Median over the rounds of this peer's time over that of `age` in the same round."""
    open_ratio: float


def main(argv: list[str]) -> int:
    """Run the benchmark."""
    arguments = Arguments("bench sealing", USAGE)
    arguments.add_argument("--rounds", type=positive_int, default=30)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("-o", "--output", type=output_file)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs = measure(peers(folder), given.rounds)
        put_ms = measure_put(folder / "vault", given.rounds)
        runs = measure_runs(folder, given.runs) if given.runs > 0 else []
    result = {
        **asdict(environment(["cryptography"])),
        "age": _version(),
        "rounds": given.rounds,
        "costs": [asdict(cost) for cost in costs],
        "vault_put_ms": put_ms,
        "runs": [asdict(one) for one in runs],
    }
    if given.output:
        write_result(given.output, result)
    if given.json:
        say_json(result)
        return 0
    table(
        ("payload", "with", ">bytes", ">extra", ">seal ms", ">x age", ">open ms", ">x age"),
        [
            (
                cost.payload,
                cost.peer,
                f"{cost.plain_bytes:,}",
                f"{cost.extra_bytes:,}",
                f"{cost.seal_ms:.2f}",
                f"{cost.seal_ratio:.2f}",
                f"{cost.open_ms:.2f}",
                f"{cost.open_ratio:.2f}",
            )
            for cost in costs
        ],
    )
    stored = ", ".join(f"{name} {ms:.2f} ms" for name, ms in put_ms.items())
    note(f"storing it durably in a vault on top: {stored}")
    if runs:
        _print_runs(runs)
    return 0


def _print_runs(runs: list[Throughput]) -> None:
    table(
        (">emit", ">shots", ">fps sealing", ">fps without", ">ratio", "from - to", ">ms a shot"),
        [
            (
                one.emit,
                str(one.shots),
                f"{one.sealed_fps.median:.1f}",
                f"{one.plain_fps.median:.1f}",
                f"{one.ratio.median:.3f}",
                f"{one.ratio.low:.3f} - {one.ratio.high:.3f}",
                f"{one.seal_ms.median:.1f}",
            )
            for one in runs
        ],
    )


def peers(folder: Path) -> list[Peer]:
    """Return the implementations that are here; the stock program is first.

    Raises:
        InputError: the `age` program is not installed.
    """
    if shutil.which("age") is None:
        raise InputError("the `age` program is not installed", hint="apt-get install age")
    identity = X25519Identity.generate()
    recipient = str(identity.recipient)
    write_identity(folder / "key", identity)
    found = [
        Peer(
            "age",
            lambda plain: _run("age", "-r", recipient, data=plain),
            lambda sealed: _run("age", "-d", "-i", str(folder / "key"), data=sealed),
        ),
        Peer(
            "sealshot, X25519",
            lambda plain: age.encrypt(plain, [identity.recipient]),
            lambda sealed: age.decrypt(sealed, [identity]),
        ),
        _hybrid(HybridIdentity.generate()),
    ]
    for name, kind in (("classical", X25519Identity), ("hybrid", HybridIdentity)):
        quorum = Quorum(kind.generate, folder)
        found.append(Peer(f"sealshot 2 of 3, {name}", quorum.seal, quorum.open))
    if find_spec("pyrage"):
        rage = importlib.import_module("pyrage")
        to = rage.x25519.Recipient.from_str(recipient)
        key = rage.x25519.Identity.from_str(identity.secret_text())
        found.append(
            Peer(
                "pyrage",
                lambda plain: bytes(rage.encrypt(plain, [to])),
                lambda sealed: bytes(rage.decrypt(sealed, [key])),
            )
        )
    return found


def _hybrid(identity: HybridIdentity) -> Peer:
    return Peer(
        "sealshot, hybrid",
        lambda plain: age.encrypt(plain, [identity.recipient]),
        lambda sealed: age.decrypt(sealed, [identity]),
    )


def measure(peers: list[Peer], rounds: int) -> list[Cost]:
    """Time each peer on each payload, in turns; ratios are to the first peer."""
    costs = []
    with progress("sealing", len(PAYLOADS) * rounds) as bar:
        for done, (payload, size) in enumerate(PAYLOADS.items()):
            plain = os.urandom(size)
            seal_ms: dict[str, list[float]] = {peer.name: [] for peer in peers}
            open_ms: dict[str, list[float]] = {peer.name: [] for peer in peers}
            extra = {}
            for turn in range(-2, rounds):  # two turns to warm up
                for peer in peers:
                    sealed, sealing = _time(peer.encrypt, plain)
                    opened, opening = _time(peer.decrypt, sealed)
                    if opened != plain:
                        raise SealshotError(f"{peer.name} does not give back what it sealed")
                    extra[peer.name] = len(sealed) - len(plain)
                    if turn >= 0:
                        seal_ms[peer.name].append(sealing)
                        open_ms[peer.name].append(opening)
                bar.update(done * rounds + max(turn, 0), payload)
            first = peers[0].name
            costs += [
                Cost(
                    peer=peer.name,
                    payload=payload,
                    plain_bytes=size,
                    extra_bytes=extra[peer.name],
                    seal_ms=statistics.median(seal_ms[peer.name]),
                    open_ms=statistics.median(open_ms[peer.name]),
                    seal_ratio=_ratio(seal_ms[peer.name], seal_ms[first]),
                    open_ratio=_ratio(open_ms[peer.name], open_ms[first]),
                )
                for peer in peers
            ]
    return costs


def measure_put(folder: Path, rounds: int) -> dict[str, float]:
    """Return the median ms of storing each payload in a vault (fsync included)."""
    with Vault(folder) as vault:
        return {
            payload: statistics.median(
                _time(vault.store, os.urandom(size))[1] for _ in range(rounds)
            )
            for payload, size in PAYLOADS.items()
        }


def _time(operation: Callable[[bytes], Result], data: bytes) -> tuple[Result, float]:
    start = time.perf_counter()
    result = operation(data)
    return result, 1000 * (time.perf_counter() - start)


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _run(*command: str, data: bytes) -> bytes:
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def _version() -> str:
    return _run("age", "--version", data=b"").decode().strip()
