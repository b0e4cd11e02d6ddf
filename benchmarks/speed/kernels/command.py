"""`sealshot bench kernels`: error, bandwidth and latency of the CUDA kernels.

Bandwidth counts each input read once and the result written once, over buffers that take turns and
together are several times the cache. Beside it, in the same rounds: a copy on the device, which is
the ceiling, and the same function in PyTorch and Triton.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.speed.kernels.errors import ErrorRow, measure_errors
from sealshot.benchmarks.speed.kernels.rivals import (
    Score,
    as_tensor,
    on_stream,
    rivals,
    why_no_torch,
)
from sealshot.benchmarks.speed.kernels.timing import (
    LATENCY_FACES,
    Latency,
    Rates,
    SplitTime,
    likelihood_buffers,
    measure_latency,
    measure_splits,
    race,
)
from sealshot.kernels.compiler import find_nvcc
from sealshot.kernels.device import DeviceKernels
from sealshot.kernels.driver import Stream
from sealshot.kernels.errors import DeviceError
from sealshot.kernels.resources import Resources, resources
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import note, say, say_json, table
from sealshot.runtime.errors import InputError, SealshotError

SAMPLES, PIXELS = 10, 4096
TYPES = ("float16", "float32")
COPY, OURS = "copy on the device", "ours"
ALIKE = 1e-3
"""A rival whose result is farther off, relatively, does not compute the same function."""

USAGE = """
usage: sealshot bench kernels [options]

Measure the CUDA kernels on the first GPU: error against the float64 reference, bandwidth of the
likelihood beside a copy, PyTorch and Triton, latency of the chain of kernels with and without a
CUDA graph. Without a GPU it says so, writes why, and ends with 1.

  --items N           items in a launch, for bandwidth (default 1024)
  --rounds N          (default 20)
  --compile SM,...    measure nothing: compile all kernels for these GPUs, such as 87,90,110, print
                      registers, spills, shared memory and 128-bit loads; 1 if a kernel spills or
                      the likelihood loads less than 128 bits at a time. Needs nvcc and no GPU
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  sealshot bench kernels -o results/kernels.json
  sealshot bench kernels --compile 87,90,110
"""


@dataclass(frozen=True)
class Bandwidth:
    """One way to compute the likelihood, or the copy."""

    name: str
    type: str
    """Of mu and log_var; x is uint8."""
    items: int
    microseconds: float
    """A launch, median of the rounds."""
    gb_per_s: float
    to_copy: float
    """Of the copy's rate, taken within a round; median."""
    slower_than_ours: float
    """Time over that of our kernel, taken within a round; median."""
    relative_error: float | None
    """The largest difference to our result, relative; none for the copy."""


@dataclass(frozen=True)
class Result:
    """The figures, and where they come from."""

    kind: str
    why_not: str
    """Why nothing was measured, if so."""
    device: str
    sm: int
    driver: str
    samples: int
    pixels: int
    errors: tuple[ErrorRow, ...]
    bandwidth: tuple[Bandwidth, ...]
    no_rivals: str
    """Why PyTorch and Triton were not raced, if so."""
    latency: tuple[Latency, ...]
    splits: tuple[SplitTime, ...]
    """The likelihood by blocks an item: what the default is chosen by."""
    registers: dict[str, int]
    local_bytes: dict[str, int]
    """A thread, of each loaded kernel: spills lie there; as the driver reports it."""
    environment: Environment


def measure(items: int, rounds: int) -> Result:
    """Measure all on the first GPU.

    Raises:
        DeviceError: there is none, or it failed.
    """
    where = environment(("torch", "triton"))
    kernels = DeviceKernels()
    no_rivals = why_no_torch()
    bandwidth: list[Bandwidth] = []
    for type in TYPES:
        bandwidth += measure_bandwidth(kernels, type, items, rounds, with_rivals=not no_rivals)
    loaded = [
        *(("rp_likelihood", f"_u8_{type}") for type in ("f16", "f32")),
        *(("sample_latents", f"_{type}") for type in ("f16", "f32")),
        *(("crop_resize_grey", f"_{format}") for format in ("bgr", "nv12")),
        ("track_argmax", ""),
    ]
    found = [kernels.kernel(module, variant) for module, variant in loaded]
    return Result(
        kind="kernels",
        why_not="",
        device=kernels.device.name,
        sm=kernels.device.sm,
        driver=kernels.device.driver,
        samples=SAMPLES,
        pixels=PIXELS,
        errors=measure_errors(kernels),
        bandwidth=tuple(bandwidth),
        no_rivals=no_rivals,
        latency=tuple(measure_latency(kernels, faces, rounds) for faces in LATENCY_FACES),
        splits=measure_splits(kernels, (*LATENCY_FACES, items), rounds),
        registers={kernel.name: kernel.registers for kernel in found},
        local_bytes={kernel.name: kernel.local_bytes for kernel in found},
        environment=where,
    )


def measure_bandwidth(
    kernels: DeviceKernels, type: str, items: int, rounds: int, *, with_rivals: bool
) -> list[Bandwidth]:
    """Race our kernel, the copy and the rivals on rotating buffers."""
    stream = Stream()
    buffers = likelihood_buffers(items, SAMPLES, PIXELS, type)
    workspace = kernels.rp_workspace(items, SAMPLES)
    nbytes = buffers[0].nbytes

    def ours(i: int) -> None:
        b = buffers[i]
        kernels.rp_likelihood(b.x, b.mu, b.log_var, b.out, workspace=workspace, stream=stream)

    def copy(i: int) -> None:
        buffers[i - 1].mu.copy_from(buffers[i].mu, stream)

    contenders: dict[str, Callable[[int], object]] = {OURS: ours}
    errors: dict[str, float | None] = {OURS: 0.0, COPY: None}
    ours(0)
    stream.synchronize()
    expected = buffers[0].out.get()
    if with_rivals:
        tensors = [tuple(as_tensor(a) for a in (b.x, b.mu, b.log_var)) for b in buffers]
        for name, score in rivals().items():
            call = on_stream(score, stream)
            got = call(*tensors[0])
            stream.synchronize()
            off = float(max(abs(got.float().cpu().numpy() / expected - 1)))
            if not off < ALIKE:
                raise SealshotError(f"{name} computes something else: it is off by {off:g}")
            errors[name] = off
            contenders[name] = _on_tensors(call, tensors)
    contenders[COPY] = copy  # last: it alters the buffers
    rates = race(contenders, len(buffers), rounds, stream)
    stream.close()
    moved = {name: nbytes for name in contenders} | {COPY: 2 * buffers[0].mu.nbytes}
    return [_bandwidth(name, type, items, moved, rates, errors[name]) for name in contenders]


def _on_tensors(score: Score, tensors: Sequence[tuple[Any, ...]]) -> Callable[[int], object]:
    return lambda i: score(*tensors[i])


def _bandwidth(
    name: str, type: str, items: int, moved: dict[str, int], rates: Rates, error: float | None
) -> Bandwidth:
    pairs = list(zip(rates[name], rates[COPY], rates[OURS], strict=True))  # ms
    return Bandwidth(
        name=name,
        type=type,
        items=items,
        microseconds=round(median(rates[name]) * 1e3, 2),
        gb_per_s=round(moved[name] / median(rates[name]) / 1e6, 1),
        to_copy=round(median(moved[name] / t / (moved[COPY] / c) for t, c, _ in pairs), 4),
        slower_than_ours=round(median(t / o for t, _, o in pairs), 3),
        relative_error=error,
    )


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench kernels", USAGE)
    arguments.add_argument("--items", type=positive_int, default=1024)
    arguments.add_argument("--rounds", type=positive_int, default=20)
    arguments.add_argument("--compile")
    arguments.add_argument("-o", "--output", type=output_file)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    if given.compile:
        return _compile(given.compile, given.output, as_json=given.json)
    try:
        result = measure(given.items, given.rounds)
    except DeviceError as error:
        fields: dict[str, Any] = {
            "kind": "kernels",
            "why_not": f"no GPU: {error.fact}",
            "environment": asdict(environment()),
        }
        _deliver(fields, given.output, as_json=given.json)
        if not given.json:
            say(f"kernels: not measured. no GPU: {error.fact}")
            note(f"hint: {error.hint}")
        return 1
    _deliver(asdict(result), given.output, as_json=given.json)
    if not given.json:
        _print(result)
    return 0


def _deliver(fields: dict[str, Any], output: Path | None, *, as_json: bool) -> None:
    if output:
        write_result(output, fields)
    if as_json:
        say_json(fields)


def _compile(targets: str, output: Path | None, *, as_json: bool) -> int:
    """Compile for each GPU, print what came of it; 1 if a kernel is not as it should be."""
    nvcc = find_nvcc()
    if nvcc is None:
        raise SealshotError(
            "there is no nvcc here", hint="install the CUDA toolkit, or set CUDA_HOME"
        )
    if not all(sm.isdecimal() for sm in targets.split(",")):
        raise InputError(f"'{targets}' is no list of GPUs", hint="such as --compile 87,90,110")
    try:
        found = [each for sm in targets.split(",") for each in resources(nvcc, int(sm))]
    except DeviceError as error:
        raise SealshotError(error.fact, hint=error.hint) from error
    faults = [f"{each.kernel}, sm_{each.sm}: {fault}" for each in found if (fault := each.fault())]
    fields = {
        "kind": "kernel resources",
        "kernels": [asdict(each) for each in found],
        "environment": asdict(environment()),
    }
    _deliver(fields, output, as_json=as_json)
    if not as_json:
        _print_resources(found)
    for fault in faults:
        note(f"fault: {fault}")
    return 1 if faults else 0


def _print_resources(found: list[Resources]) -> None:
    heads = ("kernel", ">sm", ">registers", ">spills", ">stack", ">shared", ">128-bit loads", "in")
    table(
        heads,
        (
            (
                each.kernel,
                *(str(n) for n in (each.sm, each.registers, each.spill_bytes, each.stack_bytes)),
                str(each.shared_bytes),
                str(each.loads_128),
                each.loads_seen_in,
            )
            for each in found
        ),
    )


def _print(result: Result) -> None:
    table(
        ("error against float64", "types", ">items", ">relative error", ">Spearman"),
        (
            (
                row.kernel,
                row.types,
                str(row.items),
                f"{row.relative_error:.1e}",
                "" if row.spearman is None else f"{row.spearman:.6f}",
            )
            for row in result.errors
        ),
    )
    say()
    table(
        (f"likelihood, L = {result.samples}", "type", ">us", ">GB/s", ">of copy", ">x our time"),
        (
            (
                each.name,
                each.type,
                f"{each.microseconds:.1f}",
                f"{each.gb_per_s:.0f}",
                f"{each.to_copy:.1%}",
                f"{each.slower_than_ours:.2f}",
            )
            for each in result.bandwidth
        ),
    )
    if result.no_rivals:
        note(f"not measured: PyTorch, Triton: {result.no_rivals}")
    say()
    table(
        ("chain of kernels", ">us, launches", ">us, one graph"),
        (
            (f"{each.faces} faces", f"{each.launches_us:.1f}", f"{each.graph_us:.1f}")
            for each in result.latency
        ),
    )
    say(f"{result.device}, sm_{result.sm}, CUDA {result.driver}")
