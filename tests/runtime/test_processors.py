"""How many threads can run at once: affinity, and the quotas of cgroups of both versions."""

import os

import pytest

from sealshot.runtime import processors as module
from sealshot.runtime.cli.main import main
from sealshot.runtime.engines import onnx_session
from sealshot.runtime.processors import processors


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of eight processors: call it with the membership and the files of the cgroups."""

    def make(membership="", files={}, allowed=range(8)):  # noqa: B006
        (tmp_path / "self").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "fs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(module, "CGROUPS", tmp_path / "fs")
        monkeypatch.setattr(module, "MEMBERSHIP", tmp_path / "self")
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(allowed))
        monkeypatch.setattr(os, "cpu_count", lambda: 8)

    return make


QUOTA, PERIOD = "cpu,cpuacct/{}cpu.cfs_quota_us", "cpu,cpuacct/{}cpu.cfs_period_us"
OF_ROOT = {PERIOD.format(""): "100000"}


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000\n"}, 8),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "200000 100000\n", "a/cpu.max": "300000 100000\n"}, 2),
        ("0::/of/the/host\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "0 0\n"}, 8),
        ("0::/\n", {"cpu.max": "rubbish\n"}, 8),
        ("4:memory:/x\n3:cpu,cpuacct:/\n", {QUOTA.format(""): "250000", **OF_ROOT}, 3),
        ("3:cpu,cpuacct:/a\n", {QUOTA.format("a/"): "100000", PERIOD.format("a/"): "100000"}, 1),
        ("3:cpu,cpuacct:/\n", {QUOTA.format(""): "-1", **OF_ROOT}, 8),
        ("3:cpuset:/\n", {"cpuset/cpu.cfs_quota_us": "1", "cpuset/cpu.cfs_period_us": "1"}, 8),
        ("", {"cpu.max": "200000 100000\n"}, 8),
    ],
)
def test_the_quota_of_time_limits(machine, membership, files, expected):
    machine(membership, files)
    assert processors() == expected


def test_the_processors_that_it_is_bound_to_limit(machine):
    machine("0::/\n", {"cpu.max": "400000 100000"}, allowed={3})
    assert processors() == 1


def test_without_cgroups_the_affinity_counts(machine, monkeypatch, tmp_path):
    machine(allowed=range(5))
    monkeypatch.setattr(module, "MEMBERSHIP", tmp_path / "absent")
    assert processors() == 5


@pytest.mark.parametrize(("quota", "threads"), [("200000 100000", 2), ("max 100000", 0)])
def test_an_engine_takes_no_more_threads_than_may_run(machine, quota, threads):
    machine("0::/\n", {"cpu.max": quota})
    assert onnx_session._own_count() == threads  # 0 is one a core


def test_show_env_for_a_user_without_a_home(monkeypatch, capsys):
    for name in ("HOME", "SEALSHOT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert main(["show-env"]) == 0
    told = capsys.readouterr()
    assert "this user has no home folder" in " ".join(told.out.split())
    assert "Traceback" not in told.out + told.err
