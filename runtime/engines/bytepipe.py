"""A pipe of bytes to a board: a serial port, or a program that is the board in simulation."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import termios
import time
from pathlib import Path

from sealshot.runtime.errors import InputError, SealshotError

BAUD = termios.B3000000
CHUNK = 4096


class PipeClosedError(OSError):
    """The other end is gone."""


class BytePipe:
    """Two file descriptors that never block."""

    def __init__(self, reads: int, writes: int, program: subprocess.Popen[bytes] | None = None):
        self._reads, self._writes, self._program = reads, writes, program
        for fd in (reads, writes):
            os.set_blocking(fd, False)

    def exchange(self, out: bytes, until_s: float) -> tuple[int, bytes]:
        """Write what can be written and read what has come, or wait until ``time.monotonic()``.

        Returns:
            How many bytes of ``out`` are written, and what was read; 0 and none after ``until_s``.

        Raises:
            PipeClosedError: the other end is gone.
        """
        wait_s = max(0.0, until_s - time.monotonic())
        try:
            readable, writable, _ = select.select(
                [self._reads], [self._writes] if out else [], [], wait_s
            )
            written = os.write(self._writes, out[:CHUNK]) if writable else 0
            came = os.read(self._reads, CHUNK) if readable else b""
        except OSError as error:  # EIO of a port whose cable is out, EPIPE
            raise PipeClosedError(str(error)) from error
        if readable and not came:
            raise PipeClosedError("the other end is closed")
        return written, came

    def close(self) -> None:
        """Let go of the port, or end the program."""
        for fd in {self._reads, self._writes}:
            with contextlib.suppress(OSError):
                os.close(fd)
        if self._program is not None:
            self._program.kill()
            self._program.wait()


def open_serial(path: Path) -> BytePipe:
    """Open a serial port: 3 Mbaud, 8 bits, no parity, raw.

    Raises:
        InputError: there is no such port, or it is none.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(
            f"the port {path} cannot be opened: {error.strerror}",
            hint="check the cable, the path, and that you are in the group dialout",
        ) from error
    try:
        settings = termios.tcgetattr(fd)
        settings[:6] = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, BAUD, BAUD]
        termios.tcsetattr(fd, termios.TCSANOW, settings)
        termios.tcflush(fd, termios.TCIOFLUSH)
    except termios.error as error:
        os.close(fd)
        raise InputError(
            f"{path} is no serial port of 3 Mbaud: {error.args[-1]}",
            hint="name the board's, such as fpga:/dev/ttyUSB0",
        ) from error
    return BytePipe(fd, fd)


def open_program(program: Path, *arguments: str) -> BytePipe:
    """Start a program that is a board on its standard input and output.

    Raises:
        SealshotError: it cannot be started.
    """
    try:
        started = subprocess.Popen(
            [program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
    except OSError as error:
        raise SealshotError(
            f"the simulated board cannot be started: {error.strerror}",
            hint=f"delete {program}; it is built again",
        ) from error
    assert started.stdin is not None
    assert started.stdout is not None
    return BytePipe(os.dup(started.stdout.fileno()), os.dup(started.stdin.fileno()), started)
