"""`sealshot train deid`: from labelled faces to nets that draw and undo, with nets of seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sealshot.export.command import main as export  # noqa: E402
from sealshot.export.deid import losses  # noqa: E402
from sealshot.export.deid.attack import train_outsider  # noqa: E402
from sealshot.export.deid.batches import Sampler  # noqa: E402
from sealshot.export.deid.codec import coded  # noqa: E402
from sealshot.export.deid.command import train as train_command  # noqa: E402
from sealshot.export.deid.critics import train_critic  # noqa: E402
from sealshot.export.deid.export import export_drawing, load_trained  # noqa: E402
from sealshot.export.deid.faces import DeidFaces  # noqa: E402
from sealshot.export.deid.labels import ATTRIBUTES, UNKNOWN, labels_of  # noqa: E402
from sealshot.export.deid.operators import heeded  # noqa: E402
from sealshot.export.deid.plan import Plan  # noqa: E402
from sealshot.export.deid.pose import HEAD_MM, pose  # noqa: E402
from sealshot.export.deid.precision import quick  # noqa: E402
from sealshot.export.deid.training import Trained, papers_critic, train  # noqa: E402
from sealshot.export.nets.deid import (  # noqa: E402
    CODE,
    NOISE,
    WIDE,
    Drawing,
    Release,
    Reversible,
    latent,
)
from sealshot.export.nets.deid_judges import Critic, PairCritic, spots  # noqa: E402
from sealshot.export.nets.onnx_export import count_macs  # noqa: E402
from sealshot.runtime.errors import InputError  # noqa: E402
from sealshot.runtime.public.painter import Painter  # noqa: E402
from sealshot.runtime.public.placing import WANTED, placing  # noqa: E402
from sealshot.runtime.public.undo import Undoer  # noqa: E402

PLAN = Plan(critic_steps=2, people=4, warm_up=0.25, steps=4, batch=2)
A = len(ATTRIBUTES)


@pytest.fixture(scope="module")
def faces() -> DeidFaces:
    """Noise, two pictures each of twenty people, and four of people without a name."""
    draw = np.random.default_rng(0)
    return DeidFaces(
        draw.integers(0, 256, (44, 3, 72, 72), dtype=np.uint8),
        np.tile(WANTED.astype(np.float32), (44, 1, 1)),
        np.r_[np.repeat(np.arange(20), 2), np.full(4, -1)],
        draw.integers(-1, 2, (44, A), dtype=np.int8),
    )


@pytest.mark.parametrize("reversible", [False, True])
def test_what_was_stopped_ends_as_what_was_not(
    faces: DeidFaces, tmp_path: Path, reversible: bool
) -> None:
    plan = replace(PLAN, reversible=reversible)
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole = train(faces, plan, tmp_path / "whole", training_set="noise")

    colours, calls = losses.colours, iter(range(9))

    def stop(*given: torch.Tensor) -> torch.Tensor:
        if next(calls) == (2 if reversible else 0):  # step 2, and the release's first of nobody
            raise KeyboardInterrupt
        return colours(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sealshot.export.deid.loop.SAVE_STEPS", 1)
        patch.setattr("sealshot.export.deid.operators.losses.colours", stop)
        with pytest.raises(KeyboardInterrupt):
            train(faces, plan, tmp_path / "stopped", training_set="noise")
    again = train(faces, plan, tmp_path / "stopped", training_set="noise")
    for left, right in zip(whole.drawing.parameters(), again.drawing.parameters(), strict=True):
        assert torch.equal(left, right)
    with pytest.raises(InputError, match="other settings"):
        train(faces, replace(plan, batch=3), tmp_path / "stopped")

    file = tmp_path / "faces.onnx"
    assert export(["deid", str(tmp_path / "whole" / "operator.ckpt"), "-o", str(file)]) == 0
    manifest = Painter(file).manifest
    assert (manifest.training_set, manifest.critics_auc) == ("noise", whole.auc)
    assert manifest.reversible is reversible
    assert (tmp_path / "undo.onnx").exists() is reversible
    if reversible:
        assert Undoer(tmp_path / "undo.onnx").manifest.undoes == manifest.sha256


def test_the_release_sees_only_means_of_cells_and_what_is_asked_for() -> None:
    torch.manual_seed(0)
    net = Release(A)
    crops = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    shuffled = crops.reshape(1, 3, 4, 16, 4, 16).flip((3, 5)).reshape(1, 3, 64, 64)
    points, noise = torch.tensor(WANTED, dtype=torch.float32)[None], torch.rand(1, NOISE)
    nothing, signs = torch.zeros(1, A), torch.sign(net.reader(crops / 255)[1])

    def drawn(crops: torch.Tensor, control: torch.Tensor) -> torch.Tensor:
        return net(crops, points, noise, control).int()

    assert not torch.equal(crops, shuffled)
    assert (drawn(crops, nothing) - drawn(shuffled, nothing)).abs().max() <= 1  # rounded
    asked = torch.ones(1, A)
    assert not torch.equal(drawn(crops, asked), drawn(crops, nothing))
    assert not torch.equal(drawn(crops, asked), drawn(crops, -asked))
    z = latent(noise)
    given = net.draw(*net.given(crops / 255, points, z), signs)
    assert (drawn(crops, asked) - given * 255).abs().max() <= 1  # a label passes as its sign alone
    other = net(crops, points, torch.rand(1, NOISE), nothing).int()
    assert not torch.equal(other, drawn(crops, nothing))


def _heads(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return aligned landmarks of heads that are turned, each of a shape of its own, and poses."""
    draw = np.random.default_rng(0)
    yaw, pitch = draw.normal(0, 0.3, count), draw.normal(0, 0.15, count)
    heads = HEAD_MM + draw.normal(0, 2, (count, 5, 3))
    zero, one = np.zeros(count), np.ones(count)
    y = [np.cos(yaw), zero, np.sin(yaw), zero, one, zero, -np.sin(yaw), zero, np.cos(yaw)]
    p = [one, zero, zero, zero, np.cos(pitch), -np.sin(pitch), zero, np.sin(pitch), np.cos(pitch)]
    turn = np.stack(p, 1).reshape(-1, 3, 3) @ np.stack(y, 1).reshape(-1, 3, 3)
    points = (heads @ turn.transpose(0, 2, 1))[..., :2]
    aligned = [np.c_[head, np.ones(5)] @ placing(head).T for head in points]
    poses = torch.tensor(np.array([pose(head) for head in aligned]))
    return torch.tensor(np.array(aligned), dtype=torch.float32), poses


def test_two_tracks_of_one_face_are_drawn_from_other_means_spread_as_those_of_faces() -> None:
    torch.manual_seed(0)
    n, net = 4000, Release(A)
    points, poses = _heads(n)
    turned = poses[:, :1].float()
    bright = 0.05 * torch.randn(n, 1, 1, 1) + 0.2 * turned[..., None, None]
    cells = 0.5 + bright + 0.03 * torch.randn(n, 3, 4, 4)
    net.learn(cells, points, poses)
    faces = cells.repeat_interleave(16, 2).repeat_interleave(16, 3)
    z = latent(torch.rand(n, NOISE))
    given = net.given(faces, points, z)
    again = net.given(faces, points, z)
    assert all(map(torch.equal, given, again))  # the same within a track
    made = given.faces[:, :, 8::16, 8::16]
    assert torch.equal(made.repeat_interleave(16, 2).repeat_interleave(16, 3), given.faces)

    def spread(cells: torch.Tensor) -> torch.Tensor:
        return torch.cov(torch.cat([cells.flatten(1), turned], 1).T)

    assert (spread(made) - spread(cells)).norm() < 0.1 * spread(cells).norm()
    by_turn = torch.cov(torch.cat([cells.flatten(1), turned], 1).T)[-1, :-1] / turned.var()
    usual = cells.mean(0) + by_turn.reshape(3, 4, 4) * turned[..., None, None]
    of_cells, of_made = (cells - usual).flatten(1), (made - usual).flatten(1)
    kept = (of_cells * of_made).sum(0) / of_cells.square().sum(0)
    assert kept.max() < 0.9  # the rest is the noise's
    other = net.given(faces, points, latent(torch.rand(n, NOISE)))
    assert (other.faces - given.faces).abs().mean() > 0.02
    reversible = Reversible(A)
    assert torch.equal(reversible.given(faces, points, z).faces, faces)  # it is to be undone


def test_of_landmarks_the_pose_stays_and_the_shape_of_the_head_does_not() -> None:
    torch.manual_seed(0)
    points, poses = _heads(4000)
    net = Release(A)
    net.learn(torch.rand(4000, 3, 4, 4), points, poses)
    faces = torch.full((4000, 3, 64, 64), 0.5)
    one, other = (net.given(faces, points, latent(torch.rand(4000, NOISE))) for _ in range(2))
    drawn = torch.tensor(np.array([pose(head) for head in one.landmarks.numpy()]))
    assert (drawn - poses).abs().mean(0).max() < 0.06
    assert torch.corrcoef(torch.stack([drawn[:, 0], poses[:, 0]]))[0, 1] > 0.97

    def shape(landmarks: torch.Tensor) -> torch.Tensor:
        """What no line of the pose explains."""
        x, y = poses.float() - poses.float().mean(0), landmarks.flatten(1)
        y = y - y.mean(0)
        return y - x @ torch.linalg.lstsq(x, y).solution

    own, here, there = (shape(given) for given in (points, one.landmarks, other.landmarks))
    assert abs(here.norm() / own.norm() - 1) < 0.1  # spread as those of faces
    for left, right in ((own, here), (here, there)):
        assert abs((left * right).sum() / left.norm() / right.norm()) < 0.2
    reversible = Reversible(A)
    z = latent(torch.rand(4000, NOISE))
    assert torch.equal(reversible.given(faces, points, z).landmarks, points)


def test_codes_of_nobody_are_spread_as_those_of_faces() -> None:
    torch.manual_seed(0)
    net = Release(A)
    basis = torch.randn(CODE, CODE) / 8
    for _ in range(1500):
        net.heed(0.3 + torch.randn(64, CODE) @ basis.T, torch.full((64, CODE), -2.0))
    z = latent(torch.rand(4000, NOISE))
    code = net.given(torch.rand(1, 3, 64, 64), torch.tensor(WANTED).float()[None], z[:1]).code
    assert code.shape == (1, CODE)
    faces = torch.full((4000, 3, 64, 64), 0.5)
    code = net.given(faces, torch.tensor(WANTED).float().expand(4000, 5, 2), z).code
    assert (code.mean(0) - 0.3).abs().max() < 0.2
    wanted = WIDE**2 * (basis @ basis.T + np.exp(-2.0) * torch.eye(CODE))
    assert (torch.cov(code.T) - wanted).norm() < 0.15 * wanted.norm()


def test_what_aligned_landmarks_never_do_moves_no_cell_far_and_is_kept() -> None:
    torch.manual_seed(0)
    points, poses = _heads(2000)
    cells, net = 0.5 + 0.1 * torch.randn(2000, 3, 4, 4), Release(A)
    net.learn(cells, points, poses)
    faces, z = cells.repeat_interleave(16, 2).repeat_interleave(16, 3), torch.zeros(2000, NOISE)
    shift = torch.tensor([3.0, -3.0])
    plain, shifted = net.given(faces, points, z), net.given(faces, points + shift, z)
    assert (shifted.faces - plain.faces).abs().max() < 0.05  # as the training does
    assert (shifted.landmarks - plain.landmarks - shift).abs().max() < 0.3


def test_nets_compute_in_bfloat16_where_that_is_faster_and_give_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    net, x = Critic(A, colour=True), torch.rand(2, 3, 64, 64)
    seen = []
    net.body[0].register_forward_hook(lambda *given: seen.append(given[2].dtype))
    for is_quick in (False, True):
        monkeypatch.setattr("sealshot.export.deid.precision.is_quick", lambda kind, q=is_quick: q)
        embedding, *others = quick(net)(x)
        assert {part.dtype for part in (embedding, *others)} == {torch.float32}
        assert (embedding.norm(dim=1) - 1).abs().max() < 1e-5
        assert all(part.dtype == torch.float32 for part in quick(net.features)(x))
    assert set(seen[:2]) == {torch.float32}
    assert set(seen[2:]) == {torch.bfloat16}


@pytest.mark.parametrize("kind", [Release, Reversible])
def test_the_file_draws_what_the_net_draws(tmp_path: Path, kind: type[Drawing]) -> None:
    torch.manual_seed(1)
    net, path = kind(A), tmp_path / "faces.onnx"
    manifest = export_drawing(Trained(net, None, "none", (0.5, 0.5)), path)
    assert manifest.macs_per_face < 35e6
    crops = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    landmarks = torch.tensor(WANTED, dtype=torch.float32).repeat(3, 1, 1)
    noise, control = torch.rand(3, NOISE), torch.ones(3, A)
    wanted = net(crops, landmarks, noise, control).numpy().astype(int)
    inputs = {"crops": crops, "landmarks": landmarks, "noise": noise, "control": control}
    drawn = Painter(path)._net.run({name: value.numpy() for name, value in inputs.items()})
    assert np.abs(drawn["faces"] - wanted).max() <= 1


def test_noise_becomes_of_mean_0_and_variance_1() -> None:
    z = latent(torch.linspace(0, 1, 256))  # all that a painter gives
    assert z.isfinite().all()
    assert abs(z.mean()) < 1e-3
    assert abs(z.var() - 1) < 0.1


def test_a_spot_lies_where_its_landmark_is() -> None:
    landmarks = torch.tensor([[[10.5, 20.5], [40.5, 8.5], [3, 3], [3, 60], [60, 3]]])
    for size in (64, 32, 8):
        row, column = divmod(int(spots(landmarks, size)[0, 0].argmax()), size)
        assert (row, column) == (20 * size // 64, 10 * size // 64)


def test_a_critic_is_deceived_when_it_takes_one_for_two() -> None:
    critic = Critic(A, colour=True)
    x = torch.nn.functional.normalize(torch.eye(2, 128))
    assert losses.other(critic, x, x) > losses.other(critic, x, x.flip(0))
    assert losses.same(critic, x, x) < losses.same(critic, x, x.flip(0))


def test_the_papers_critic_is_of_its_size_and_is_judged(faces: DeidFaces, tmp_path: Path) -> None:
    def two(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(count, 3, 64, 64), torch.zeros(count, 3, 64, 64)

    assert count_macs(PairCritic(0), two) == pytest.approx(108e6, rel=0.01)  # as Table I has it
    auc = papers_critic(faces, PLAN, tmp_path)
    assert 0 <= auc <= 1
    assert papers_critic(faces, PLAN, tmp_path) == auc  # from its checkpoint


def test_a_critic_says_rare_labels_as_often_as_it_misses_them(
    faces: DeidFaces, tmp_path: Path
) -> None:
    labels = np.full_like(faces.labels, UNKNOWN)
    labels[:, 0] = np.arange(len(labels)) % 4 == 0
    labels[:, 1] = 1
    sampler = Sampler(replace(faces, labels=labels), 1, torch.device("cpu"))
    share = labels[sampler.train, 0].mean()
    torch.manual_seed(0)
    critic = Critic(A, colour=True, width=8)
    before = critic.heads.bias.detach().clone()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sealshot.export.deid.critics.RATE", 0.0)
        bias = train_critic(critic, sampler, PLAN, tmp_path / "critic.ckpt").heads.bias
    assert bias[0] - before[0] == pytest.approx(-np.log(share / (1 - share)), abs=1e-5)
    assert torch.equal(bias[1:], before[1:])


def test_what_two_share_costs_nothing_where_nobody_knows() -> None:
    left, right = torch.tensor([[1, 0], [2, 1]]), torch.tensor([[1, UNKNOWN], [3, 1]])
    good = torch.tensor([[9.0, 9.0], [-9.0, 9.0]])
    assert losses.shared(good, left, right) < 1e-3
    wrong_where_unknown = torch.tensor([[9.0, -9.0], [-9.0, 9.0]])
    assert losses.shared(wrong_where_unknown, left, right) < 1e-3
    assert losses.shared(-good, left, right) > 1


def test_an_outsider_learns_from_what_draws_alone(faces: DeidFaces, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Reversible(A)
    torch.nn.init.zeros_(net.net.last.weight)
    torch.nn.init.zeros_(net.net.last.bias)  # it draws what it sees
    export_drawing(Trained(net, None, "none", (0.5,)), tmp_path / "same.onnx")
    smooth = torch.nn.functional.avg_pool2d(torch.from_numpy(faces.crops).float(), 9, 1, 4).byte()
    photos = replace(faces, crops=smooth.numpy(), identity=np.zeros(len(smooth), int))
    held = smooth[:4, :, 4:-4, 4:-4] / 255

    def off(steps: int) -> float:
        undo = train_outsider(Painter(tmp_path / "same.onnx"), photos, steps)
        return float((undo.undo(held) - held).detach().abs().mean())

    assert off(12) < 0.5 * off(1)


def test_an_unknown_label_costs_nothing() -> None:
    logits = torch.tensor([[5.0, -5.0]])
    unknown = torch.tensor([[UNKNOWN, 0]], dtype=torch.int8)
    assert losses.attributes(logits, unknown) < losses.attributes(logits, unknown.abs())


def test_labels_of_two_kinds_of_file_are_read() -> None:
    of_celeba = dict(zip(ATTRIBUTES, labels_of({"Male": "1", "Bangs": "0"}), strict=True))
    assert (of_celeba["Male"], of_celeba["Bangs"], of_celeba["White"]) == (1, 0, UNKNOWN)
    row = {"sex": "female", "age": "60", "ethnicity": "east-asian"}
    of_utk = dict(zip(ATTRIBUTES, labels_of(row), strict=True))
    assert [of_utk[name] for name in ("Male", "Young", "White", "East_Asian")] == [0, 0, 0, 1]
    assert of_utk["Bangs"] == UNKNOWN
    for wrong in ({"Male": "-1"}, {"age": "old"}):
        with pytest.raises(InputError, match="is no"):
            labels_of(wrong)


def test_a_codec_leaves_less_of_a_face_the_coarser_it_is() -> None:
    torch.manual_seed(0)
    faces = torch.rand(1, 3, 64, 64, requires_grad=True)
    away = [
        (coded(faces, torch.tensor([step])) - faces).abs().mean().item() for step in (0, 0.05, 0.3)
    ]
    assert away[0] <= 0.5 / 255
    assert away[0] < away[1] < away[2]
    coded(faces, torch.tensor([0.3])).sum().backward()
    assert torch.equal(faces.grad, torch.ones_like(faces))
    flat = torch.full((1, 3, 64, 64), 128 / 255)  # a mean is a whole number of such steps
    assert torch.allclose(coded(flat, torch.tensor([16 / 255])), flat, atol=1e-6)


def test_a_training_begins_with_the_nets_of_another(faces: DeidFaces, tmp_path: Path) -> None:
    plan = replace(PLAN, reversible=True)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first = train(faces, plan, tmp_path / "first")
    start = tmp_path / "first" / "operator.ckpt"
    with pytest.MonkeyPatch.context() as patch:
        for rate in ("RATE", "RATE_OF_PATCHES"):
            patch.setattr(f"sealshot.export.deid.operators.{rate}", 0.0)
        changed = replace(plan, colours=50.0, seed=1)
        second = train(faces, changed, tmp_path / "second", start=start)
    pairs = zip(first.drawing.parameters(), second.drawing.parameters(), strict=True)
    begun = torch.load(start, weights_only=True)
    now = torch.load(tmp_path / "second" / "operator.ckpt", weights_only=True)
    assert all(torch.equal(begun["net"][name], now["net"][name]) for name in begun["net"])
    assert now["done"] == plan.steps
    assert any(not torch.equal(left, right) for left, right in pairs)  # the average went on
    with pytest.raises(InputError, match="not a checkpoint of this training"):
        train(faces, plan, tmp_path / "second", start=tmp_path / "second" / "reader.ckpt")


def test_wrong_words_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.ckpt").write_bytes(b"no")
    with pytest.raises(InputError, match="no checkpoint"):
        load_trained(tmp_path / "x.ckpt")
    with pytest.raises(InputError, match="'anonymity=-1' is no weight"):
        train_command([str(tmp_path), "-o", str(tmp_path / "o"), "--weight", "anonymity=-1"])


def test_nothing_is_trained_to_look_unreal():
    """The reversible pair does not wait for D_f to learn, as the release does."""
    shares = [heeded(step / 1000, Plan().warm_up) for step in range(1001)]
    assert shares == sorted(shares)
    assert shares[0] == heeded(Plan().warm_up, Plan().warm_up) == 0
    assert shares[-1] == 1
