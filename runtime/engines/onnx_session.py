"""Opening ONNX files with ONNX Runtime: one place for its options and its errors."""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path
from weakref import WeakValueDictionary

import onnxruntime as ort

from sealshot.runtime.engines.identity import model_sha256
from sealshot.runtime.errors import InputError
from sealshot.runtime.processors import processors

POOL_BYTES = 32 << 20
"""Asked for at once, of which what was never written to takes no memory. In a pool that grows by
what is asked for next each piece is a little larger than those before, which lie unused."""
LEFT_OVER_BYTES = 64 << 10
"""Of a place that is given away; what is more serves another."""

_OPEN = WeakValueDictionary[tuple[str, int], ort.InferenceSession]()
_OPENING = threading.Lock()


@cache
def _share_arena() -> None:
    """Let all sessions of the process take their memory from one pool: 80 MB less in `run`."""
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    in_one_piece = ort.OrtArenaCfg(
        {
            "max_mem": 0,
            "arena_extend_strategy": 0,  # twice as much as before
            "initial_chunk_size_bytes": POOL_BYTES,
            "max_dead_bytes_per_chunk": LEFT_OVER_BYTES,
        }
    )
    ort.create_and_register_allocator(memory, in_one_piece)


def _own_count() -> int:
    """Return a number of threads; 0 lets ONNX Runtime count cores, which knows no quota."""
    allowed = processors()
    return allowed if allowed < (os.cpu_count() or 1) else 0


def open_session(path: Path, *, threads: int = 0) -> ort.InferenceSession:
    """Open an ONNX file on the CPU; it is open once, and its runs may overlap.

    Args:
        path: the ONNX file.
        threads: threads inside one operator; 0 takes one a core that this process may use.

    Raises:
        InputError: the file is missing or is not an ONNX model.
    """
    if not path.is_file():
        raise InputError(f"there is no model file {path}", hint="check the path")
    model, threads = model_sha256(path), threads or _own_count()
    with _OPENING:
        session = _OPEN.get((model, threads))
        if session is None:
            session = _OPEN[model, threads] = _opened(path, threads)
        return session


def _opened(path: Path, threads: int) -> ort.InferenceSession:
    _share_arena()
    options = ort.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    # threads that wait in a loop take the cores from the stages that run beside this one
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # x86 without VNNI adds pairs of products in 16 bits, where those of U8S8 saturate; with this
    # ONNX Runtime takes its U8U8 kernels there, which do not, and elsewhere it changes nothing
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # shapes differ from call to call, and it would keep a plan of the memory for each of them
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise InputError(
            f"{path} is not a model that ONNX Runtime can load: {str(error).splitlines()[0]}",
            hint="export it again, or check that the copy is complete",
        ) from error
