"""The TensorRT engine and chain, on stand-ins for TensorRT and the GPU."""

import dataclasses
import json
import threading

import numpy as np
import pytest
from engine_stand_ins import manifest

from sealshot.export.tensorrt.build import build
from sealshot.kernels import reference
from sealshot.kernels.device import DeviceFrame
from sealshot.kernels.memory import DeviceArray
from sealshot.runtime.engines import device_scorer, open_engine, open_onnxruntime
from sealshot.runtime.engines.chain import open_chain
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeRunner
from sealshot.runtime.engines.plans import Batch
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.types import Face, Track, Tracks
from sealshot.runtime.weights import score_graph

BATCH = Batch(2, 4, 8)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 9, 40])
def test_a_plan_scores_as_its_graph(trt, score_model, crops, n):
    build(score_model, batch=BATCH)
    engine = open_engine(score_model, "tensorrt")
    assert engine.score(crops[:n]) == pytest.approx(crops[:n].mean(axis=(1, 2, 3)), rel=1e-6)
    assert engine.description.startswith("TensorRT 10.3.0, ")
    assert engine.manifest.name == "test"


def test_the_score_that_ships_runs_as_a_plan(trt, crops):
    model = score_graph("quality")
    build(model)
    expected = open_onnxruntime(model, threads=1).score(crops)
    assert open_engine(model, "tensorrt", "fp32").score(crops) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n", [1, 2, 11])
def test_our_kernel_takes_the_pixels_of_a_plan_where_they_are(trt, pixels_graph, crops, n):
    build(pixels_graph, batch=BATCH)
    engine = open_engine(pixels_graph, "tensorrt")
    x = crops[:n].reshape(n, 4096)
    scales = np.linspace(0.5, 1.1, 3, dtype=np.float32).reshape(1, 3, 1) / 255
    mu = x[:, None].astype(np.float32) * scales
    expected = reference.rp_likelihood(x, mu, -1.5 * mu)
    assert engine.score(crops[:n]) == pytest.approx(expected, rel=1e-5)


def test_another_thread_may_score(trt, score_model, crops):
    build(score_model, batch=BATCH)
    engine = open_engine(score_model, "tensorrt")
    results = []
    thread = threading.Thread(target=lambda: results.append(engine.score(crops)))
    thread.start()
    thread.join()
    assert results[0] == pytest.approx(crops.mean(axis=(1, 2, 3)), rel=1e-6)


def test_a_plan_file_stands_for_itself(trt, score_model, tmp_path, crops):
    built = build(score_model, tmp_path / "out", batch=BATCH)
    engine = open_engine(score_graph(str(built.plan)))
    assert engine.score(crops) == pytest.approx(crops.mean(axis=(1, 2, 3)), rel=1e-6)
    with pytest.raises(InputError, match="is built for tensorrt"):
        open_engine(built.plan, "onnxruntime")


def test_without_a_plan_the_error_says_how_to_build_it(trt, score_model):
    with pytest.raises(InputError, match="has no TensorRT plan") as caught:
        open_engine(score_model, "tensorrt")
    assert f"sealshot export {score_model} --engine tensorrt" in caught.value.hint


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("tensorrt", "10.16.1.11", "TensorRT 10.16.1.11"),
        ("compute_capability", "8.6", "compute capability 8.6"),
        ("device", "Orin", "the GPU Orin"),
        ("jetpack", "6.2", "JetPack 6.2 (here: none)"),
    ],
)
def test_a_plan_of_another_machine_is_refused(trt, score_model, tmp_path, field, value, words):
    built = build(score_model, tmp_path / "out", batch=BATCH)
    target = dataclasses.replace(built.manifest.target, **{field: value})
    dataclasses.replace(built.manifest, target=target).write(built.plan)
    with pytest.raises(InputError) as caught:
        open_engine(built.plan)
    assert words in caught.value.fact
    assert "sealshot export" in caught.value.hint


def test_the_nearest_plan_in_the_cache_says_what_differs(trt, score_model):
    built = build(score_model, batch=BATCH)
    target = dataclasses.replace(built.manifest.target, tensorrt="11.4.0")
    dataclasses.replace(built.manifest, target=target).write(built.plan)
    with pytest.raises(InputError, match=r"was built for TensorRT 11.4.0 \(here: 10.3.0\)"):
        open_engine(score_model, "tensorrt")


def test_a_changed_model_has_no_plan(trt, score_model):
    build(score_model, batch=BATCH)
    score_model.write_bytes(score_model.read_bytes() + b"\x62\x00")  # an empty domain name
    manifest(score_model)
    with pytest.raises(InputError, match="has no TensorRT plan"):
        open_engine(score_model, "tensorrt")


@pytest.mark.parametrize("junk", ["", "{", "[]", "null", '{"plan_sha256": 1}', '{"model": {}}'])
def test_a_junk_manifest_is_refused(trt, score_model, tmp_path, junk):
    built = build(score_model, tmp_path / "out", batch=BATCH)
    built.plan.with_suffix(".json").write_text(junk)
    with pytest.raises(InputError, match="is not the manifest of a plan"):
        open_engine(built.plan)
    built.plan.with_suffix(".json").unlink()
    with pytest.raises(InputError, match="has no manifest"):
        open_engine(built.plan)


def test_a_damaged_plan_never_reaches_tensorrt(trt, score_model, tmp_path):
    built = build(score_model, tmp_path / "out", batch=BATCH)
    built.plan.write_bytes(built.plan.read_bytes()[:-1])
    with pytest.raises(InputError, match="is not the file that its manifest describes"):
        open_engine(built.plan)


def test_a_manifest_with_another_batch_is_refused(trt, score_model, tmp_path):
    built = build(score_model, tmp_path / "out", batch=BATCH)
    dataclasses.replace(built.manifest, batch=Batch(1, 2, 3)).write(built.plan)
    with pytest.raises(InputError, match="takes batches of 2-4-8, its manifest says 1-2-3"):
        open_engine(built.plan)


def test_what_tensorrt_refuses_is_an_error_with_its_reason(trt, score_model, tmp_path, monkeypatch):
    built = build(score_model, tmp_path / "out", batch=BATCH)
    monkeypatch.setattr(trt, "__version__", "10.3.1")  # the manifest cannot know everything
    with pytest.raises(InputError, match=r"cannot load the plan: the plan is of version 10.3.0"):
        open_engine(built.plan)


@pytest.mark.parametrize("version", ["8.6.1", "10.2.0", "12.0.1"])
def test_another_age_of_tensorrt_is_refused(trt, score_model, monkeypatch, version):
    monkeypatch.setattr(trt, "__version__", version)
    with pytest.raises(InputError, match=r"is not between 10.3 and 11"):
        open_engine(score_model, "tensorrt")


def test_without_a_gpu_the_reason_is_the_drivers(trt, emulation, score_model):
    emulation.emulation_devices(0)
    with pytest.raises(InputError, match="finds no GPU"):
        open_engine(score_model, "tensorrt")


def test_auto_takes_the_cpu_and_says_why_not_tensorrt(trt, score_model):
    engine = open_engine(score_model)
    assert isinstance(engine.runner, OnnxRuntimeRunner)
    assert "has no TensorRT plan" in engine.why


def test_a_failure_of_the_gpu_is_an_error_of_ours(trt, score_model, crops, monkeypatch):
    build(score_model, batch=BATCH)
    engine = open_engine(score_model, "tensorrt")
    engine.score(crops[:4])
    engine.runner._recordings.close()
    context = engine.runner.plan._contexts[4]._context
    monkeypatch.setattr(context, "execute_async_v3", lambda stream: False)
    with pytest.raises(SealshotError, match="TensorRT failed"):
        engine.score(crops[:4])


@pytest.fixture
def frame():
    return np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)


@pytest.fixture(params=["score_model", "pixels_graph"])
def chain(request, trt):
    model = request.getfixturevalue(request.param)
    build(model, batch=BATCH)
    engine = open_engine(model, "tensorrt")
    chain = open_chain(engine.runner, tracks=4)
    yield chain, engine
    chain.close()


def boxes_of(n):
    random = np.random.default_rng(n)
    corner = random.uniform(-20, 120, (n, 2))
    return np.hstack([corner, corner + random.uniform(5, 90, (n, 2))]).astype(np.float32)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 19])
def test_the_chain_gives_the_scores_of_crops_cut_one_by_one(chain, frame, n):
    chain, engine = chain
    boxes = boxes_of(n)
    expected = engine.score(reference.crop_resize_grey(frame, boxes))
    memory = DeviceArray.of(frame)
    on_device = DeviceFrame.of(memory)
    for _ in range(3):  # recorded, then launched again
        assert chain.score(on_device, boxes) == pytest.approx(expected, rel=1e-6)
    assert len(chain._recordings) <= 3


def test_the_chain_reads_a_new_picture_in_the_same_memory(chain, frame):
    chain, engine = chain
    memory = DeviceArray.of(frame)
    on_device, boxes = DeviceFrame.of(memory), boxes_of(3)
    before = chain.score(on_device, boxes)
    memory.set(255 - frame)
    after = chain.score(on_device, boxes)
    assert len(chain._recordings) == 1
    assert after == pytest.approx(
        engine.score(reference.crop_resize_grey(255 - frame, boxes)), rel=1e-6
    )
    assert not np.allclose(before, after)


def test_the_chain_keeps_each_tracks_best(chain, frame):
    chain, _ = chain
    random = np.random.default_rng(5)
    best_scores, best_frames = np.full(4, -np.inf, np.float32), np.full(4, -1, np.int64)
    memory = DeviceArray.of(frame)
    on_device = DeviceFrame.of(memory)
    for index in range(6):
        n = int(random.integers(0, 5))
        boxes, slots = boxes_of(n + 10 * index)[:n], random.permutation(4)[:n].astype(np.int32)
        scores = chain.score(on_device, boxes, slots, index)
        reference.track_argmax(scores, slots, np.full(n, index), best_scores, best_frames)
    assert np.isfinite(best_scores).any()
    assert chain.best().scores.tolist() == best_scores.tolist()
    assert chain.best().frames.tolist() == best_frames.tolist()
    slot = int(best_frames.argmax())
    chain.forget(slot)
    assert chain.best().scores[slot] == -np.inf
    assert chain.best().frames[slot] == -1


def test_faces_without_a_slot_leave_the_table_alone(chain, frame):
    chain, _ = chain
    memory = DeviceArray.of(frame)
    chain.score(DeviceFrame.of(memory), boxes_of(5))
    assert (chain.best().frames == -1).all()


def test_a_ring_of_frames_keeps_a_bounded_number_of_graphs(chain, frame, monkeypatch):
    chain, engine = chain
    monkeypatch.setattr("sealshot.runtime.engines.tensorrt.MOST_GRAPHS", 2)
    ring = [DeviceArray.of(frame) for _ in range(5)]
    expected = engine.score(reference.crop_resize_grey(frame, boxes_of(2)))
    for memory in ring * 2:
        assert chain.score(DeviceFrame.of(memory), boxes_of(2)) == pytest.approx(expected, rel=1e-6)
    assert len(chain._recordings) == 2


def tracks_of(boxes):
    points = np.zeros((5, 2), np.float32)
    faces = [Face(box, 1.0, points) for box in boxes]
    return Tracks(tuple(Track(i, face, 1) for i, face in enumerate(faces)), ())


@pytest.fixture
def uploads(monkeypatch):
    """Shapes of the pictures that were copied to the device."""
    seen = []

    def of(cls_array, *given, of=DeviceFrame.of):
        seen.append(cls_array.shape)
        return of(cls_array, *given)

    monkeypatch.setattr(DeviceFrame, "of", of)
    return seen


@pytest.mark.parametrize("share", [0.0, 9.0])
def test_the_faces_of_a_frame_are_cut_on_the_gpu_where_that_is_less_work(
    trt, score_model, frame, share, uploads, monkeypatch
):
    build(score_model, batch=BATCH)
    scorer = open_engine(score_model, "tensorrt")
    monkeypatch.setattr(device_scorer, "WORTH_A_FRAME", share)
    pictures = (frame, 255 - frame, np.ascontiguousarray(frame[:70, :90]), frame)
    for picture in pictures:
        for n in (3, 11):
            boxes = boxes_of(n)
            expected = scorer.score(reference.crop_resize_grey(picture, boxes))
            rated = scorer.rate_frame(picture, tracks_of(boxes))
            assert rated.quality == pytest.approx(expected, abs=0.5)
    assert uploads == ([] if share else [p.shape for p in pictures for _ in range(2)])


def test_a_frame_is_copied_when_faces_cover_an_eighth_of_it(trt, score_model, uploads):
    build(score_model, batch=BATCH)
    scorer = open_engine(score_model, "tensorrt")
    image = np.zeros((80, 160, 3), np.uint8)  # 12,800 pixels: an eighth is a square of 40
    for side, copied in ((39, 0), (40, 1)):
        box = np.array([20, 20, 20 + side, 20 + side], np.float32)
        scorer.rate_frame(image, tracks_of([box]))
        assert len(uploads) == copied
    assert scorer.rate_frame(image, tracks_of([])).order.shape == (0,)
    assert len(uploads) == 1


def test_without_recording_the_scores_are_the_same(chain, frame):
    recorded, engine = chain
    plain = open_chain(engine.runner, tracks=4, record=False)
    memory, boxes = DeviceArray.of(frame), boxes_of(5)
    on_device = DeviceFrame.of(memory)
    assert plain.score(on_device, boxes).tolist() == recorded.score(on_device, boxes).tolist()
    assert len(plain._recordings) == 0


def test_the_stand_in_refuses_a_capture_before_a_run(chain, frame, monkeypatch):
    """Else the tests above could not notice a chain that forgets to warm up."""
    chain, engine = chain
    plan = engine.runner.plan
    plan._contexts.clear()

    def warm(n):
        plan._contexts[n] = plan._plan.context(n, plan._addresses)
        if plan._likelihood:
            plan._likelihood.allocate(n)

    monkeypatch.setattr(plan, "warm", warm)
    memory = DeviceArray.of(frame)
    with pytest.raises(SealshotError, match="captured before it was run"):
        chain.score(DeviceFrame.of(memory), boxes_of(4))


def test_the_stand_in_spoils_a_graph_whose_context_was_changed(trt, score_model, crops):
    """Else the tests above could not notice a context that serves two sizes."""
    build(score_model, batch=BATCH)
    engine = open_engine(score_model, "tensorrt")
    assert np.isfinite(engine.score(crops[:4])).all()
    context = engine.runner.plan._contexts[4]._context
    assert context.set_input_shape("crops", (2, 1, 64, 64))
    assert not np.isfinite(engine.score(crops[:4])).any()


def test_manifests_are_plain_json(trt, score_model):
    built = build(score_model, batch=BATCH)
    fields = json.loads(built.plan.with_suffix(".json").read_text())
    assert fields["batch"] == [2, 4, 8]
    assert fields["target"]["tensorrt"] == "10.3.0"
    assert fields["model"]["sha256"] == built.manifest.model.sha256
