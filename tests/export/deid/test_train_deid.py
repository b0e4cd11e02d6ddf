"""`sealshot train deid`: from labelled faces to a net that draws, with nets of seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sealshot.export.command import main as export  # noqa: E402
from sealshot.export.deid import losses  # noqa: E402
from sealshot.export.deid.export import export_operator, load_operator  # noqa: E402
from sealshot.export.deid.faces import ATTRIBUTES, UNKNOWN, DeidFaces  # noqa: E402
from sealshot.export.deid.training import Plan, train  # noqa: E402
from sealshot.export.nets.deid import Critic, Operator  # noqa: E402
from sealshot.runtime.errors import InputError  # noqa: E402
from sealshot.runtime.public.painter import Painter  # noqa: E402
from sealshot.runtime.public.placing import WANTED  # noqa: E402

PLAN = Plan(critic_steps=2, people=4, warm_up_steps=1, steps=3, batch=2)


@pytest.fixture(scope="module")
def faces() -> DeidFaces:
    """Noise, two pictures each of twenty people."""
    draw = np.random.default_rng(0)
    return DeidFaces(
        draw.integers(0, 256, (40, 3, 72, 72), dtype=np.uint8),
        np.tile(WANTED.astype(np.float32), (40, 1, 1)),
        np.repeat(np.arange(20), 2),
        draw.integers(-1, 2, (40, len(ATTRIBUTES)), dtype=np.int8),
    )


def test_what_was_stopped_ends_as_what_was_not(faces: DeidFaces, tmp_path: Path) -> None:
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole = train(faces, PLAN, tmp_path / "whole", training_set="noise")

    def stop(*_: object) -> torch.Tensor:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sealshot.export.deid.training.SAVE_STEPS", 1)
        patch.setattr("sealshot.export.deid.training.losses.colours", stop)
        with pytest.raises(KeyboardInterrupt):
            train(faces, PLAN, tmp_path / "stopped", training_set="noise")
    again = train(faces, PLAN, tmp_path / "stopped", training_set="noise")
    for left, right in zip(whole.operator.parameters(), again.operator.parameters(), strict=True):
        assert torch.equal(left, right)
    with pytest.raises(InputError, match="other settings"):
        train(faces, replace(PLAN, batch=3), tmp_path / "stopped")

    file = tmp_path / "faces.onnx"
    assert export(["deid", str(tmp_path / "whole" / "operator.ckpt"), "-o", str(file)]) == 0
    assert Painter(file).manifest.training_set == "noise"
    assert Painter(file).manifest.critics_auc == whole.auc


def test_the_net_sees_only_means_of_cells() -> None:
    torch.manual_seed(0)
    operator = Operator()
    crops = torch.rand(1, 3, 64, 64)
    shuffled = crops.reshape(1, 3, 4, 16, 4, 16).flip((3, 5)).reshape(1, 3, 64, 64)
    landmarks, noise = torch.tensor(WANTED, dtype=torch.float32)[None], torch.rand(1, 64)
    one, other = (operator.draw(x, landmarks, noise) for x in (crops, shuffled))
    assert not torch.equal(crops, shuffled)
    assert torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(one, operator.draw(crops, landmarks, torch.rand(1, 64)), atol=1e-4)


def test_the_file_draws_what_the_net_draws(tmp_path: Path) -> None:
    torch.manual_seed(1)
    operator, path = Operator(), tmp_path / "faces.onnx"
    manifest = export_operator(operator, path, "none", (0.5, 0.5))
    assert manifest.macs_per_face < 35e6
    crops = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    landmarks = torch.tensor(WANTED, dtype=torch.float32).repeat(3, 1, 1)
    noise = torch.rand(3, 64)
    wanted = operator(crops, landmarks, noise).numpy().astype(int)
    given = {"crops": crops.numpy(), "landmarks": landmarks.numpy(), "noise": noise.numpy()}
    drawn = Painter(path)._net.run(given)["faces"]
    assert np.abs(drawn - wanted).max() <= 1


def test_a_critic_is_deceived_when_it_takes_one_for_two() -> None:
    critic = Critic(len(ATTRIBUTES), colour=True)
    x = torch.nn.functional.normalize(torch.eye(2, 128))
    alike, apart = losses.other([critic], [x], [x]), losses.other([critic], [x], [x.flip(0)])
    assert alike > apart
    assert losses.same([critic], [x], [x]) < losses.same([critic], [x], [x.flip(0)])


def test_an_unknown_label_costs_nothing() -> None:
    logits = torch.tensor([[5.0, -5.0]])
    unknown = torch.tensor([[UNKNOWN, 0]], dtype=torch.int8)
    assert losses.attributes(logits, unknown) < losses.attributes(logits, unknown.abs())


def test_no_checkpoint_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(b"no")
    with pytest.raises(InputError, match="no checkpoint"):
        load_operator(tmp_path / "x.ckpt")
