"""A pipe of bytes to a board: a serial port, SPI, or a program that is the board in simulation."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import subprocess
import termios
import time
from pathlib import Path

from sealshot.kernels.rtl.protocol import END
from sealshot.runtime.errors import InputError, SealshotError

BAUD = termios.B3000000
CHUNK = 4096
"""Bytes at once; what `spidev` takes at most where nobody set another limit."""
CLOSED = -1
SPI_HZ = 25_000_000
SPI_LOOK, SPI_LOOK_S = 16, 0.0005
"""Bytes of nothing that are clocked to see whether an answer is there, and how often."""
SPI_TRANSFER = 0x40206B00
"""``SPI_IOC_MESSAGE(1)`` of linux/spi/spidev.h."""
SPI_SET_MODE, SPI_MODE = 0x40016B01, 0
"""``SPI_IOC_WR_MODE`` of the same: the clock rests low, and its first edge takes the bit."""


class PipeClosedError(SealshotError):
    """The other end is gone."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the board is gone: {reason}", hint="plug it in again")
        self.reason = reason


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
        wait_ms = max(0.0, 1000 * (until_s - time.monotonic()))
        events = {self._reads: select.POLLIN}
        if out:
            events[self._writes] = events.get(self._writes, 0) | select.POLLOUT
        poll = select.poll()  # `select.select` takes no descriptor from 1,024 on
        try:
            for fd, wanted in events.items():
                poll.register(fd, wanted)
            ready = dict(poll.poll(wait_ms))
            readable = ready.get(self._reads, 0) & ~select.POLLOUT
            writable = out and ready.get(self._writes, 0) & ~select.POLLIN
            written = os.write(self._writes, out[:CHUNK]) if writable else 0
            came = os.read(self._reads, CHUNK) if readable else b""
        except (OSError, ValueError) as error:  # EIO of a port whose cable is out, EPIPE; CLOSED
            raise PipeClosedError(str(error)) from error
        if readable and not came:
            raise PipeClosedError("the other end is closed")
        return written, came

    def close(self) -> None:
        """Let go of the port, or end the program."""
        fds, self._reads, self._writes = {self._reads, self._writes}, CLOSED, CLOSED
        for fd in fds - {CLOSED}:  # once: the number may be another file's by now
            with contextlib.suppress(OSError):
                os.close(fd)
        if self._program is not None:
            self._program.kill()
            self._program.wait()


class SpiPipe(BytePipe):
    """A full-duplex device in which END means nothing: for each byte out, one comes in."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, fd)

    def exchange(self, out: bytes, until_s: float) -> tuple[int, bytes]:
        """See :meth:`BytePipe.exchange`."""
        while True:
            came = self._transfer(out[:CHUNK] or bytes((END,)) * SPI_LOOK)
            if came.strip(bytes((END,))):
                return len(out[:CHUNK]), came
            if out or time.monotonic() > until_s:
                return len(out[:CHUNK]), b""
            time.sleep(SPI_LOOK_S)

    def _transfer(self, out: bytes) -> bytes:
        came = ctypes.create_string_buffer(len(out))
        sent = ctypes.create_string_buffer(out, len(out))
        transfer = _SpiTransfer(
            ctypes.addressof(sent), ctypes.addressof(came), len(out), SPI_HZ, bits_per_word=8
        )
        try:
            fcntl.ioctl(self._reads, SPI_TRANSFER, transfer)
        except (OSError, ValueError) as error:
            raise PipeClosedError(str(error)) from error
        return came.raw


class _SpiTransfer(ctypes.Structure):
    """``struct spi_ioc_transfer`` of linux/spi/spidev.h."""

    _fields_ = (
        ("tx_buf", ctypes.c_uint64), ("rx_buf", ctypes.c_uint64), ("len", ctypes.c_uint32),
        ("speed_hz", ctypes.c_uint32), ("delay_usecs", ctypes.c_uint16),
        ("bits_per_word", ctypes.c_uint8), ("cs_change", ctypes.c_uint8),
        ("tx_nbits", ctypes.c_uint8), ("rx_nbits", ctypes.c_uint8),
        ("word_delay_usecs", ctypes.c_uint8), ("pad", ctypes.c_uint8),
    )  # fmt: skip


def _alone(fd: int, path: Path) -> None:
    """Keep a second driver away: each would take answers that are the other's.

    Raises:
        InputError: one is there already; the descriptor is closed.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise InputError(
            f"the board at {path} is in use",
            hint="end the other run, or name another board",
        ) from error


def open_spi(path: Path) -> SpiPipe:
    """Open an SPI device of the kernel, `spidev`: mode 0, 25 MHz.

    Raises:
        InputError: there is no such device, or it is none.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(
            f"the SPI device {path} cannot be opened: {error.strerror}",
            hint="turn SPI on for this board, and name it, such as fpga:spi:/dev/spidev0.0",
        ) from error
    _alone(fd, path)
    try:
        fcntl.ioctl(fd, SPI_SET_MODE, bytes((SPI_MODE,)))
    except OSError as error:
        os.close(fd)
        raise InputError(
            f"{path} is no SPI device: {error.strerror}",
            hint="name the board's, such as fpga:spi:/dev/spidev0.0",
        ) from error
    return SpiPipe(fd)


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
    _alone(fd, path)
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
