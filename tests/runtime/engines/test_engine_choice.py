"""Which engine and precision a user gets, and what is said about it."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_stand_ins import manifest

from sealshot.runtime.cli.commands import run, show_env
from sealshot.runtime.engines import (
    Scorer,
    choice,
    engine_forms,
    open_engine,
    open_for_tracks,
    survey,
)
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.weights.forms import forms, full_form, processor_recipes


class Slow(Scorer):
    """An engine that takes a known time a face."""

    def __init__(self, name, file, ms):
        self.manifest = load_manifest(file)
        self.description = f"{name} {self.manifest.precision}"
        self._s = ms / 1e3

    def score(self, crops):
        time.sleep(self._s * len(crops))
        return np.zeros(len(crops), np.float32)


@pytest.fixture
def graph(score_model):
    """NAME.onnx with all its forms beside it."""
    for form in ("fp16", "int8", "int8-arm", "int8-avx2", "int8-tensorrt"):
        file = score_model.with_name(f"mean.{form}.onnx")
        file.write_bytes(score_model.read_bytes())
        manifest(file, form.partition("-")[0])
    return score_model


@pytest.fixture
def ms(monkeypatch):
    """Milliseconds a face of each engine and precision; absent raises, and why it does."""
    table = {}

    def opener(name):
        def open_one(file, threads, device):
            precision = load_manifest(file).precision
            found = table.get((name, precision), InputError(f"no {name}"))
            if isinstance(found, Exception):
                raise found
            return Slow(name, file, found)

        return open_one

    for name in ("onnxruntime", "tensorrt"):
        kind = replace(choice.KINDS[name], open=opener(name))
        monkeypatch.setitem(choice.KINDS, name, kind)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return table


CPU, GPU = "onnxruntime", "tensorrt"


@pytest.mark.parametrize(
    ("table", "engine", "precision", "chosen"),
    [
        ({(CPU, "fp32"): 2, (CPU, "int8"): 0.5}, "auto", "auto", "onnxruntime fp32"),
        ({(CPU, "fp32"): 2, (CPU, "int8"): 0.5}, "auto", "int8", "onnxruntime int8"),
        ({(CPU, "fp32"): 0.5, (GPU, "fp32"): 2}, "auto", "auto", "onnxruntime fp32"),
        ({(CPU, "fp32"): 2, (GPU, "fp32"): 1.95}, "auto", "auto", "onnxruntime fp32"),
        ({(CPU, "fp32"): 2, (CPU, "int8"): 0.5}, "auto", "fp32", "onnxruntime fp32"),
        ({(CPU, "fp32"): 2, (CPU, "fp16"): 0.1}, "auto", "auto", "onnxruntime fp32"),
        ({(CPU, "fp32"): 2, (CPU, "fp16"): 0.1}, "auto", "fp16", "onnxruntime fp16"),
        ({(CPU, "fp32"): 2, (GPU, "fp16"): 0.5}, "auto", "auto", "tensorrt fp16"),
        ({(CPU, "int8"): 0.5, (GPU, "fp16"): 2}, "auto", "auto", "tensorrt fp16"),
        ({(CPU, "int8"): 0.5, (GPU, "fp16"): 2}, GPU, "auto", "tensorrt fp16"),
        ({(CPU, "fp32"): 2, (GPU, "int8"): 1}, CPU, "auto", "onnxruntime fp32"),
    ],
)
def test_the_choice(graph, ms, table, engine, precision, chosen):
    ms.update(table)
    opened = open_engine(graph, engine, precision)
    assert opened.description == chosen
    assert opened.why


def test_the_reason_gives_what_was_measured(graph, ms):
    ms.update({(CPU, "fp32"): 2, (GPU, "fp32"): 0.5})
    why = open_engine(graph).why
    assert why.startswith("measured 0.5")
    assert "onnxruntime fp32 2." in why


def test_the_reason_gives_what_is_missing(graph, ms):
    ms[CPU, "fp32"] = 1
    ms[GPU, "fp32"] = SealshotError("the GPU is on fire")
    why = open_engine(graph, precision="fp32").why
    assert why == "the only usable one; the GPU is on fire"


@pytest.mark.parametrize(
    ("engine", "precision", "fact"),
    [
        ("warp", "auto", "no engine 'warp'"),
        ("auto", "fp64", "no precision 'fp64'"),
        (GPU, "auto", "no tensorrt"),
        (CPU, "int8", "no onnxruntime"),
    ],
)
def test_what_is_named_and_not_usable_is_an_error(graph, ms, engine, precision, fact):
    ms[CPU, "fp32"] = 1
    with pytest.raises(InputError, match=fact):
        open_engine(graph, engine, precision)


@pytest.mark.parametrize(
    ("precision", "options"),
    [("int8", "fp32,int8 --calibrate FACES -o DIR"), ("fp16", "fp32,fp16 -o DIR")],
)
def test_a_form_that_is_not_there_is_an_error_with_the_command(score_model, precision, options):
    fact = f"has no {precision} form for onnxruntime, only fp32"
    with pytest.raises(InputError, match=fact) as caught:
        open_engine(score_model, "onnxruntime", precision)
    assert f"`sealshot export {score_model} --precision {options}`" in caught.value.hint


def test_the_command_for_a_form_of_a_form_names_the_trained_graph(score_model):
    for graph in score_model.parent.glob(f"{score_model.stem}.*"):
        graph.rename(graph.with_name(graph.name.replace(score_model.stem, "a.w8a9")))
    with pytest.raises(InputError, match=r"has no int8 form for .*, only w8a9$") as caught:
        open_engine(score_model.with_name("a.w8a9.onnx"), "onnxruntime", "int8")
    assert f"`sealshot export {score_model.with_name('a.onnx')} --precision" in caught.value.hint


def test_a_form_that_is_asked_for_fp32_names_the_trained_graph(score_model):
    for graph in score_model.parent.glob(f"{score_model.stem}.*"):
        graph.rename(graph.with_name(graph.name.replace(score_model.stem, "a.w8a9")))
    with pytest.raises(InputError, match=r"has no fp32 form for .*, only w8a9$") as caught:
        open_engine(score_model.with_name("a.w8a9.onnx"), "onnxruntime", "fp32")
    assert caught.value.hint == f"name {score_model.with_name('a.onnx')}"


def test_a_damaged_form_is_an_error_and_no_reason_to_take_another(graph):
    graph.with_name("mean.int8.onnx").write_bytes(b"junk")
    with pytest.raises(InputError, match="is not the file that"):
        open_engine(graph.with_name("mean.int8.onnx"))


@pytest.mark.parametrize(
    ("recipes", "int8"),
    [
        (("cpu", "avx2"), "mean.int8.onnx"),
        (("avx2",), "mean.int8-avx2.onnx"),
        (("arm", "cpu"), "mean.int8-arm.onnx"),
        (("tensorrt",), "mean.int8-tensorrt.onnx"),
    ],
)
def test_each_recipe_has_its_int8_form(graph, recipes, int8):
    found = forms(graph, recipes)
    assert list(found) == ["fp32", "fp16", "int8"]
    assert [file.name for file in found.values()] == ["mean.onnx", "mean.fp16.onnx", int8]
    graph.with_name(int8).unlink()
    assert list(forms(graph, recipes[:1])) == ["fp32", "fp16"]  # never that of another


@pytest.mark.parametrize(
    ("machine", "present", "int8"),
    [
        ("x86_64", ("int8", "int8-avx2", "int8-arm"), "mean.int8.onnx"),
        ("x86_64", ("int8-avx2", "int8-arm"), "mean.int8-avx2.onnx"),
        ("x86_64", ("int8-arm", "int8-tensorrt"), None),
        ("aarch64", ("int8", "int8-arm"), "mean.int8-arm.onnx"),
        ("aarch64", ("int8", "int8-tensorrt"), "mean.int8.onnx"),
    ],
)
def test_the_int8_form_of_a_processor(graph, monkeypatch, machine, present, int8):
    monkeypatch.setattr("platform.machine", lambda: machine)
    for file in graph.parent.glob("mean.int8*.onnx"):
        if file.name.removeprefix("mean.").removesuffix(".onnx") not in present:
            file.unlink()
    found = forms(graph).get("int8")
    assert (found and found.name) == int8


@pytest.mark.parametrize(
    "file",
    ["a/rp.onnx", "a/rp.fp16.onnx", "a/rp.int8-arm.onnx", "a/rp.plan", "a/rp.w8a9-stream.fpga"],
)
def test_the_full_form_of_a_file(file):
    assert full_form(Path(file)) == Path("a/rp.onnx")


def test_the_full_form_of_a_plan_in_the_cache():
    name = "rp.int8-0123456789ab-trt10.3.0-sm87-orin-b1-8-32.plan"
    assert full_form(Path(name)) == Path("rp.onnx")


def test_a_form_stands_for_itself_alone(graph):
    for name, precision in (("mean.fp16.onnx", "fp16"), ("mean.int8-arm.onnx", "int8")):
        file = graph.with_name(name)
        assert forms(file) == {precision: file}


def test_tensorrt_gets_its_own_int8(graph):
    assert engine_forms(graph, "tensorrt")["int8"].name == "mean.int8-tensorrt.onnx"


@pytest.mark.parametrize(
    ("machine", "recipes"),
    [("x86_64", ("cpu", "avx2")), ("AMD64", ("cpu", "avx2")), ("aarch64", ("arm", "cpu", "avx2"))],
)
def test_the_recipes_of_a_processor(monkeypatch, machine, recipes):
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert processor_recipes() == recipes


@pytest.mark.parametrize(
    ("machine", "file", "engine", "recipe", "option"),
    [
        ("x86_64", "mean.int8-arm.onnx", CPU, "arm", ""),
        ("x86_64", "mean.int8-tensorrt.onnx", CPU, "tensorrt", ""),
        ("aarch64", "mean.int8-tensorrt.onnx", CPU, "tensorrt", ""),
        ("x86_64", "mean.int8.onnx", GPU, "cpu", " --recipe tensorrt"),
        ("x86_64", "mean.int8.onnx", CPU, "of another world", ""),
    ],
)
def test_int8_made_for_something_else_is_refused(
    graph, ms, monkeypatch, machine, file, engine, recipe, option
):
    ms.update({(CPU, "int8"): 1, (GPU, "int8"): 1})
    monkeypatch.setattr("platform.machine", lambda: machine)
    state(graph.with_name(file), calibration={"recipe": recipe})
    with pytest.raises(InputError, match=f"int8 by the recipe '{recipe}'") as caught:
        open_engine(graph.with_name(file), engine)
    command = f"`sealshot export {graph} --precision int8{option} --calibrate FACES -o DIR`"
    assert command in caught.value.hint


@pytest.mark.parametrize("recipe", ["cpu", "avx2"])
def test_int8_that_fits_is_opened(graph, ms, recipe):
    ms[CPU, "int8"] = 1
    state(graph.with_name("mean.int8.onnx"), calibration={"recipe": recipe})
    assert open_engine(graph.with_name("mean.int8.onnx"), CPU).description == "onnxruntime int8"


def test_the_hint_of_a_missing_form_names_the_recipe_of_the_engine(score_model):
    with pytest.raises(InputError, match="has no int8 form for tensorrt") as caught:
        open_engine(score_model, GPU, "int8")
    assert "--precision fp32,int8 --recipe tensorrt --calibrate FACES" in caught.value.hint


def test_a_file_that_no_engine_runs_is_refused(graph):
    other = graph.rename(graph.with_suffix(".tflite"))
    with pytest.raises(InputError, match=r"no engine runs .*tflite") as caught:
        open_engine(other)
    assert "FILE.onnx, or a FILE.plan" in caught.value.hint


def state(file, **fields):
    """Write fields into the manifest of a file."""
    replace(load_manifest(file), **fields).write(file)


FP32, INT8 = "mean.onnx", "mean.int8.onnx"
SCREENS = "onnxruntime int8 screens, fp32 decides"
BOTH = {(CPU, "fp32"): 2, (CPU, "int8"): 0.5}


@pytest.mark.parametrize(
    ("table", "file", "precision", "chosen", "why"),
    [
        (BOTH, FP32, "int8", SCREENS, "the only"),
        (BOTH, FP32, "auto", "onnxruntime fp32", "the only"),
        (BOTH, FP32, "fp32", "onnxruntime fp32", "the only"),
        ({(CPU, "int8"): 0.5}, FP32, "auto", "onnxruntime fp32", None),
        ({(CPU, "int8"): 0.5}, FP32, "int8", "onnxruntime int8", "without fp32: no onnxruntime"),
        (BOTH, INT8, "auto", SCREENS, "the only"),
        ({**BOTH, (GPU, "int8"): 0.1}, FP32, "int8", "tensorrt int8 screens, fp32 decides", "meas"),
    ],
)
def test_on_tracks_int8_screens_where_it_can(graph, ms, table, file, precision, chosen, why):
    ms.update(table)
    for int8 in (INT8, "mean.int8-tensorrt.onnx"):
        state(graph.with_name(int8), screen_margin=3.0)
    if why is None:
        with pytest.raises(InputError, match="no onnxruntime"):
            open_for_tracks(graph.with_name(file), precision=precision)
        return
    opened = open_for_tracks(graph.with_name(file), precision=precision)
    assert opened.description == chosen
    assert why in opened.why


def test_fp32_decides_on_another_engine_where_the_one_that_screens_has_none(graph, ms):
    ms.update({(GPU, "int8"): 0.1, (CPU, "fp32"): 2})
    state(graph.with_name("mean.int8-tensorrt.onnx"), screen_margin=3.0)
    opened = open_for_tracks(graph, GPU, "int8")
    assert opened.description == "tensorrt int8 screens, fp32 decides"
    del ms[CPU, "fp32"]
    assert open_for_tracks(graph, GPU, "int8").description == "tensorrt int8"


@pytest.mark.parametrize(
    ("of_int8", "of_fp32", "why"),
    [
        ({}, {}, "decides without fp32: its manifest states no margin"),
        ({"screen_margin": 3.0}, {"samples": 9}, "what lies beside it is not its fp32 form"),
    ],
)
def test_int8_that_cannot_screen_is_opened_and_the_reason_given(graph, ms, of_int8, of_fp32, why):
    ms.update(BOTH)
    state(graph.with_name(INT8), **of_int8)
    state(graph, **of_fp32)
    opened = open_for_tracks(graph, precision="int8")
    assert opened.description == "onnxruntime int8"
    assert why in opened.why
    assert "sealshot export" in opened.why


def test_int8_without_fp32_beside_it_is_opened_and_that_is_said(graph, ms):
    ms.update(BOTH)
    state(graph.with_name(INT8), screen_margin=3.0)
    graph.unlink()
    opened = open_for_tracks(graph.with_name(INT8))
    assert opened.description == "onnxruntime int8"
    assert "decides without fp32: there is no model file" in opened.why


def test_without_tracks_int8_is_itself(graph, ms):
    ms.update(BOTH)
    state(graph.with_name(INT8), screen_margin=3.0)
    assert open_engine(graph, precision="int8").description == "onnxruntime int8"


def test_the_survey_has_every_engine_with_a_reason(graph, ms):
    ms[CPU, "fp32"] = 1
    found = {(e, p): o for e, p, o in survey(graph)}
    assert found.keys() == {(e, p) for e in (CPU, GPU) for p in ("fp32", "fp16", "int8")}
    assert [key for key, opened in found.items() if isinstance(opened, Scorer)] == [(CPU, "fp32")]


def test_show_env_says_why_an_engine_is_not_usable(capsys):
    assert show_env.main(["--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["quality on onnxruntime, fp32"].startswith("usable: ONNX Runtime")
    assert facts["quality on tensorrt, fp32"].startswith(("usable: ", "not usable: "))
    assert facts["GPU"]
    assert facts["board"]


def test_a_run_announces_its_engine(demo, tmp_path, capsys):
    argv = [str(demo.clip), "--to", demo.recipient, "--vault", str(tmp_path), "--stop-after", "0.2"]
    assert run.main([*argv, "--engine", "onnxruntime", "--precision", "fp32"]) == 0
    assert "engine: ONNX Runtime" in capsys.readouterr().err


def test_a_run_on_int8_keeps_the_shots_of_fp32(demo, tmp_path, capsys):
    argv = [str(demo.clip), "--to", demo.recipient, "--score", "rp", "--json"]
    shots = {}
    for precision, engine in (("fp32", "CPU, fp32"), ("int8", "CPU, int8 screens, fp32 decides")):
        vault = ["--vault", str(tmp_path / precision)]
        assert run.main([*argv, *vault, "--precision", precision]) == 0
        told = capsys.readouterr()
        assert f"{engine} (the only" in told.err
        summary = json.loads(told.out)
        assert summary["engine"].endswith(engine)
        shots[precision] = [
            (p["track"], p["frame"], pytest.approx(p["score"], abs=0.1)) for p in summary["people"]
        ]
    assert shots["fp32"] == shots["int8"]
    assert len(shots["int8"]) == 2
