"""The SPI pipe against a device that clocks bytes both ways, as `spidev` does."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import pytest

from sealshot.kernels.rtl.protocol import END
from sealshot.runtime.engines import bytepipe
from sealshot.runtime.engines.bytepipe import PipeClosedError, SpiPipe, open_spi
from sealshot.runtime.errors import InputError


class Slave:
    """Takes what comes, and answers with what it has; END where it has nothing."""

    def __init__(self) -> None:
        self.came, self.answers, self.gone, self.mode = b"", b"", False, 3

    def ioctl(self, _fd: int, request: int, transfer: ctypes.Structure | bytes) -> int:
        if self.gone:
            raise OSError(5, "Input/output error")
        if isinstance(transfer, bytes):
            assert request == 0x40016B01
            (self.mode,) = transfer
            return 0
        assert request == 0x40206B00
        assert ctypes.sizeof(transfer) == 32
        count = transfer.len
        self.came += ctypes.string_at(transfer.tx_buf, count)
        back = self.answers[:count].ljust(count, bytes((END,)))
        self.answers = self.answers[count:]
        ctypes.memmove(transfer.rx_buf, back, count)
        return count


@pytest.fixture
def slave(monkeypatch: pytest.MonkeyPatch) -> Slave:
    slave = Slave()
    monkeypatch.setattr(bytepipe.fcntl, "ioctl", slave.ioctl)
    return slave


@pytest.fixture
def pipe(tmp_path: Path) -> SpiPipe:
    (tmp_path / "spidev0.0").touch()
    return open_spi(tmp_path / "spidev0.0")


def test_bytes_go_out_as_they_are_and_none_is_added(slave: Slave, pipe: SpiPipe) -> None:
    out = bytes(range(256)) * 20
    written, came = pipe.exchange(out, time.monotonic())
    assert (written, came, slave.mode) == (4096, b"", 0)
    assert slave.came == out[:4096]


def test_an_answer_is_clocked_out_by_bytes_of_nothing(slave: Slave, pipe: SpiPipe) -> None:
    slave.answers = b"\xc0" * 40 + b"answer\xc0"
    written, came = pipe.exchange(b"", time.monotonic() + 5)
    assert written == 0
    assert b"answer" in came
    assert set(slave.came) == {END}


def test_silence_ends_in_time(slave: Slave, pipe: SpiPipe) -> None:
    start = time.monotonic()
    assert pipe.exchange(b"", start + 0.02) == (0, b"")
    assert time.monotonic() - start < 1


def test_a_device_that_fails_is_a_board_that_is_gone(slave: Slave, pipe: SpiPipe) -> None:
    slave.gone = True
    with pytest.raises(PipeClosedError):
        pipe.exchange(b"x", time.monotonic())


def test_no_device_is_told() -> None:
    with pytest.raises(InputError, match=r"SPI device /dev/spidev9\.9 cannot be opened"):
        open_spi(Path("/dev/spidev9.9"))


def test_a_file_that_is_no_device_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    with pytest.raises(InputError, match=r"notes is no SPI device: Inappropriate ioctl"):
        open_spi(tmp_path / "notes")
