"""Building TensorRT plans: cache, timings, progress, Ctrl-C, errors. On a stand-in for TensorRT."""

import dataclasses
import shlex
import signal
import threading
import time
from pathlib import Path

import pytest
from engine_stand_ins import *  # noqa: F403
from engine_stand_ins import manifest

from sealshot.export import command
from sealshot.export.tensorrt import build as tensorrt_build
from sealshot.export.tensorrt.build import build, in_thread
from sealshot.export.tensorrt.progress import BuildProgress
from sealshot.runtime.engines import open_engine
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.plans import Batch
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import cache_folder


def files(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def test_the_name_says_what_the_plan_depends_on(trt, score_model):
    built = build(score_model)
    sha = built.manifest.model.sha256[:12]
    name = built.plan.name
    assert name.startswith(f"test.fp32-{sha}-trt10.3.0-sm")
    assert name.endswith("-b1-8-32.plan")
    assert built.plan.parent == cache_folder() / "plans"
    assert not built.from_cache


def test_the_same_plan_is_built_once(trt, score_model):
    first = build(score_model)
    again = build(score_model)
    assert again == dataclasses.replace(first, from_cache=True)
    assert len(trt.BUILDS) == 1
    assert not build(score_model, rebuild=True).from_cache
    assert len(trt.BUILDS) == 2


@pytest.mark.parametrize("damage", ["plan", "json", "sha"])
def test_a_damaged_plan_is_built_again(trt, score_model, damage):
    built = build(score_model)
    if damage == "plan":
        built.plan.write_bytes(b"junk")
    elif damage == "json":
        built.plan.with_suffix(".json").write_text("junk")
    else:
        model = dataclasses.replace(built.manifest.model, sha256="0" * 64)
        dataclasses.replace(built.manifest, model=model).write(built.plan)
    assert not build(score_model).from_cache
    assert build(score_model).from_cache


def test_another_batch_is_another_plan(trt, score_model):
    build(score_model)
    other = build(score_model, batch=Batch(1, 1, 4))
    assert not other.from_cache
    assert len(files(cache_folder() / "plans")) == 4


def test_timings_are_kept_for_the_next_build(trt, score_model):
    build(score_model)
    build(score_model, rebuild=True)
    (timings,) = cache_folder().glob("timings-trt10.3.0-sm*.cache")
    assert timings.read_bytes() == b"timings+1+1"


@pytest.mark.parametrize("junk", [b"damaged", b"of another machine"])
def test_useless_timings_are_measured_afresh(trt, score_model, junk):
    build(score_model)
    (timings,) = cache_folder().glob("timings-*.cache")
    timings.write_bytes(junk)
    build(score_model, rebuild=True)
    assert timings.read_bytes() == b"timings+1"


def test_options_reach_tensorrt(trt, score_model):
    build(score_model, workspace_mib=256)
    (config,) = trt.BUILDS
    assert config.limits == {trt.MemoryPoolType.WORKSPACE: 256 << 20}
    (profile,) = config.profiles
    assert profile == {"crops": [[n, 1, 64, 64] for n in (1, 8, 32)]}
    assert config.default_device_type == trt.DeviceType.GPU
    assert config.flags == set()  # not even TF32, which is on unless it is turned off


@pytest.mark.parametrize("batch", [(0, 8, 32), (8, 4, 32), (1, 33, 32), (-1, -1, -1)])
def test_a_batch_that_does_not_rise_is_refused(trt, score_model, batch):
    with pytest.raises(InputError, match="does not rise"):
        build(score_model, batch=Batch(*batch))


def test_int8_by_another_recipe_is_refused(trt, score_model):
    for recipe in ("cpu", "tensorrt"):
        manifest = load_manifest(score_model)
        dataclasses.replace(manifest, calibration={"recipe": recipe}).write(score_model)
        if recipe == "tensorrt":
            assert build(score_model).manifest.model.calibration == {"recipe": recipe}
        else:
            with pytest.raises(InputError, match="by the recipe 'cpu'") as caught:
                build(score_model)
            assert "--recipe tensorrt" in caught.value.hint


def test_the_command_builds_and_run_finds_it(trt, score_model, capsys):
    with pytest.raises(InputError) as caught:
        open_engine(score_model, "tensorrt")
    words = shlex.split(caught.value.hint.partition("`")[2].rstrip("`"))
    assert words[:2] == ["sealshot", "export"]
    for said in ("built: ", "found: "):
        assert command.main(words[2:]) == 0
        assert capsys.readouterr().out.startswith(said)
    assert open_engine(score_model, "tensorrt").description.startswith("TensorRT")


def half(score_model, tmp_path):
    model = tmp_path / "mean.fp16.onnx"
    model.write_bytes(score_model.read_bytes())
    manifest(model, "fp16")
    return model


def test_a_dla_takes_one_batch_size_and_falls_back_to_the_gpu(
    trt, score_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(trt, "DLA_CORES", 2)
    built = build(half(score_model, tmp_path), dla_core=1)
    (config,) = trt.BUILDS
    assert (config.default_device_type, config.DLA_core) == (trt.DeviceType.DLA, 1)
    assert config.flags == {trt.BuilderFlag.GPU_FALLBACK}
    assert built.manifest.batch == Batch(8, 8, 8)
    assert built.plan.stem.endswith("-dla1")


def test_a_dla_that_is_not_there_is_refused(trt, score_model, tmp_path):
    for core in (0, 7, -1):
        with pytest.raises(InputError, match=rf"no DLA core {core}: TensorRT 10.3.0 sees 0"):
            build(half(score_model, tmp_path), dla_core=core)
    with pytest.raises(InputError, match="is fp32"):
        build(score_model, dla_core=0)
    assert not files(cache_folder())


def test_a_plan_cannot_be_built_for_another_board(trt, score_model):
    with pytest.raises(InputError, match="not orin-nano-8gb") as caught:
        build(score_model, board="orin-nano-8gb")
    assert "build it on the board" in caught.value.hint


def test_a_failed_build_leaves_nothing_and_gives_the_reason(trt, score_model):
    # an unknown field of the protocol buffer: a valid file that ends as the stand-in wants it
    score_model.write_bytes(score_model.read_bytes() + b"\xfa\x7f\x0bunbuildable")
    manifest(score_model)
    with pytest.raises(SealshotError, match="could not build the plan: no implementation for"):
        build(score_model)
    assert not files(cache_folder())


def test_a_graph_that_tensorrt_cannot_read_is_refused(trt, score_model):
    score_model.write_bytes(b"junk")
    manifest(score_model)
    with pytest.raises(InputError, match="TensorRT cannot read the graph: "):
        build(score_model)
    assert not files(cache_folder())


def test_an_unwritable_cache_is_found_before_the_build(trt, score_model, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(SealshotError, match="cannot be written to") as caught:
        build(score_model, cache=blocked / "cache")
    assert "SEALSHOT_CACHE=" in caught.value.hint
    assert not trt.BUILDS


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SEALSHOT_CACHE": "/a/b", "XDG_CACHE_HOME": "/x"}, Path("/a/b")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/sealshot")),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, Path("/home/me/.cache/sealshot")),
        ({"HOME": "/home/me"}, Path("/home/me/.cache/sealshot")),
    ],
)
def test_the_cache_lies_where_the_xdg_rules_say(monkeypatch, variables, expected):
    for name in ("SEALSHOT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == expected


def test_ctrl_c_stops_the_build_and_leaves_nothing(trt, score_model, monkeypatch):
    monkeypatch.setattr(trt, "STEP_S", 0.05)
    monkeypatch.setattr(tensorrt_build, "POLL_S", 0.01)
    timer = threading.Timer(0.15, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        build(score_model)
    assert len(trt.BUILDS) == 1
    assert time.monotonic() - start < 5
    assert not files(cache_folder())
    assert not [t for t in threading.enumerate() if t.name.startswith("build")]


def test_what_the_thread_raises_reaches_the_caller():
    def work():
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        in_thread(work, lambda: None, lambda: None)
    assert in_thread(lambda: 5, lambda: None, lambda: None) == 5


def test_progress_counts_nested_phases():
    state = BuildProgress()
    assert state.now() == (0.0, "")
    state.started("Building", None, 4)
    state.stepped("Building", 0)
    assert state.now() == (0.25, "Building")
    state.started("Timing", "Building", 10)
    state.stepped("Timing", 4)
    share, phases = state.now()
    assert share == pytest.approx(0.25 + 0.5 / 4)
    assert phases == "Building > Timing"
    state.finished("Timing")
    state.stepped("Building", 3)
    assert state.now() == (1.0, "Building")
    state.finished("Building")
    assert state.now() == (0.0, "")


@pytest.mark.parametrize(
    "calls",
    [
        [("stepped", "never begun", 3)],
        [("finished", "never begun")],
        [("started", "a", None, 0), ("stepped", "a", 7)],
        [("started", "child", "never begun", 2), ("stepped", "child", 0)],
        [("started", "a", None, 2), ("started", "a", None, 2), ("finished", "a")],
    ],
)
def test_odd_progress_never_raises(calls):
    state = BuildProgress()
    for name, *args in calls:
        getattr(state, name)(*args)
    share, _ = state.now()
    assert 0 <= share <= 1
