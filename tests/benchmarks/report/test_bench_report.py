"""The report page and the comparison: every number is that of the field which it names."""

import json
import re
from html.parser import HTMLParser

import pytest

from sealshot.benchmarks import bench
from sealshot.benchmarks.energy.command import Channel, Load
from sealshot.benchmarks.energy.meters import RailEnergy
from sealshot.benchmarks.report import compare
from sealshot.benchmarks.report.command import main
from sealshot.benchmarks.report.source import Source, read_source
from sealshot.runtime.errors import InputError

ENVIRONMENT = {
    "date": "2026-01-02T03:04:05Z",
    "commit": "0123456789ab",
    "machine": "Board <X>",
    "instructions": ["ASIMD<HP>"],
    "cores": 4,
    "load_1min": 0.1,
    "versions": {"python": "3.11.7"},
}
STATE = {"temperatures_c": {"cpu": 51.25}, "clocks_mhz": {"cpu0": 1500.0}, "load_1min": 0.2}
CONDITIONS = {
    "before": STATE,
    "after": {**STATE, "temperatures_c": {"cpu": 63.5}},
    "seconds": 90.0,
    "governors": ["performance"],
    "power_mode": "MAXN (ID 0)",
    "cores": [0, 1, 2, 3],
    "stolen": 0.0,
    "busy_otherwise": 0.04,
    "not_told": [],
}


def spread(median, width=0.05):
    low, high = median * (1 - width), median * (1 + width)
    return {"median": median, "low": low, "high": high, "count": 5}


def row(name, way, batch, rate, score="quality", to_eager=None):
    latency = {"p50": 1e3 / rate, "p95": 1.2e3 / rate, "p99": 1.5e3 / rate, "count": 500}
    return {
        "name": name,
        "score": score,
        "way": way,
        "engine": "onnxruntime",
        "precision": "fp32",
        "note": "a <note>",
        "parameters": 351_234,
        "macs_per_face": 9_912_384,
        "file_bytes": 1_410_255,
        "sha256": "0" * 64,
        "batch": batch,
        "threads": 1,
        "cores": [3],
        "peak_mb": 90.5,
        "closed": {
            "faces_per_s": spread(rate),
            "call_ms": latency,
            "cpu_ms_per_face": spread(1e3 / rate),
            "to_eager": to_eager and spread(to_eager),
            "to_plain": None,
            "to_default": None,
        },
        "open": {
            "arrivals_per_s": 0.8 * rate,
            "done_per_s": 0.79 * rate,
            "face_ms": latency,
            "most_waiting": 7,
        },
    }


def throughput(factor=1.0):
    stages = {k: spread(v) for k, v in (("decode", 3.2), ("detect", 26.0), ("score", 1.9))}
    return {
        "kind": "throughput",
        "clip": {"name": "a&b.mp4", "sha256": "1" * 64, "width": 960, "height": 540, "fps": 25.0},
        "faces": 64,
        "rounds": 5,
        "seconds": 0.3,
        "rows": [
            row("quality fp32, onnxruntime", "ours", 1, 8000.0 * factor, to_eager=6.0),
            row("quality fp32, onnxruntime", "ours", 16, 9876.5 * factor, to_eager=7.5),
            row("LightQNet", "peer", 1, 612.0, score="LightQNet"),
        ],
        "frames": [
            {
                "score": "quality",
                "engine": "ONNX Runtime",
                "model_sha256": "2" * 64,
                "settings": {},
                "fps": spread(33.1),
                "cpu_ms": spread(37.0),
                "stages_ms": stages,
                "peak_mb": 307.2,
                "start_s": spread(0.1),
                "frames": 105,
                "people": 9,
            }
        ],
        "agreement": [
            {
                "name": "quality fp32, onnxruntime",
                "crops": 64,
                "max_difference": 1.3e-05,
                "spread": 4.3,
                "spearman": 1.0,
            }
        ],
        "left_out": [{"what": "quality <tensorrt>", "why": "no TensorRT & no GPU"}],
        "conditions": CONDITIONS,
        "environment": ENVIRONMENT,
    }


def energy(*, total=True, why_not=""):
    def channel(watts, joules, *, is_total):
        rail = RailEnergy("VDD_IN", "INA3221", is_total, watts * 10, 500, 0, 50.0, 0.02)
        fields = {"watts": spread(watts), "joules_each": joules and spread(joules), "note": ""}
        return vars(Channel("VDD_IN", "INA3221 1-0040", is_total, windows=(), **fields)) | {
            "windows": [vars(rail)]
        }

    loads = [
        Load("idle", "", 0, 0, None, ()),
        Load("quality fp32, onnxruntime", "face", 16, 1, None, ()),
    ]
    channels = [
        [channel(4.5, None, is_total=total)],
        [channel(9.25, 0.00093, is_total=total)],
    ]
    rates = [None, spread(9900.0)]
    return {
        "kind": "energy",
        "meter": "power rails",
        "why_not": why_not,
        "clip": {},
        "seconds": 10.0,
        "windows": 5,
        "loads": []
        if why_not
        else [
            vars(load) | {"channels": c, "per_s": r}
            for load, c, r in zip(loads, channels, rates, strict=True)
        ],
        "left_out": [],
        "conditions": CONDITIONS,
        "environment": ENVIRONMENT,
    }


class Page(HTMLParser):
    """Collects what cites a field, the text, and what would be fetched."""

    def __init__(self, html):
        super().__init__()
        self.cited, self.text, self.fetched, self.ids = [], "", [], []
        self._open = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.fetched += [
            value
            for key, value in attributes
            if key in ("src", "href", "xlink:href") and not value.startswith("#")
        ]
        self.ids += [given["id"]] if "id" in given else []
        if "data-field" in given:
            self._open = [given["data-file"], given["data-field"], float(given["data-scale"]), ""]

    def handle_data(self, data):
        self.text += data
        if self._open:
            self._open[3] += data

    def handle_endtag(self, tag):
        if self._open and tag == "span":
            self.cited.append(self._open)
            self._open = None


def make(tmp_path, **results):
    pytest.importorskip("matplotlib")
    files = []
    for name, fields in results.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(fields))
        files.append(str(path))
    out = tmp_path / "report.html"
    assert main([*files, "-o", str(out)]) == 0
    html = out.read_text()
    return html, Page(html)


KERNELS = {"kind": "kernels", "gpu": "X", "rows": [{"kernel": "crop", "gb_s": 61.5, "ok": True}]}


def test_every_number_is_that_of_its_field(tmp_path):
    results = {"throughput": throughput(), "energy": energy(), "kernels": KERNELS}
    _, page = make(tmp_path, **results)
    assert len(page.cited) > 100
    for file, pointer, scale, text in page.cited:
        value = Source(file, "", results[file.removesuffix(".json")]).at(pointer)
        digits = len(text.partition(".")[2])
        assert abs(float(text.replace(",", "")) - value * scale) <= 0.5001 * 10**-digits, pointer
    fields = {pointer for _, pointer, _, _ in page.cited}
    assert "/rows/1/closed/faces_per_s/median" in fields
    assert "/loads/1/channels/0/joules_each/median" in fields
    assert "/rows/0/gb_s" in fields


def test_the_page_is_whole_in_itself(tmp_path):
    html, page = make(tmp_path, throughput=throughput(), energy=energy())
    assert page.fetched == []
    assert "http-equiv" not in html
    assert "<script" not in html
    assert "@import" not in html
    assert len(page.ids) == len(set(page.ids))
    assert html.count("<svg") == 4
    assert 'name="viewport"' in html


def test_what_a_result_says_cannot_change_the_page(tmp_path):
    html, page = make(tmp_path, throughput=throughput())
    for text in (
        "Board <X>",
        "a <note>",
        "quality <tensorrt>",
        "no TensorRT & no GPU",
        "a&b.mp4",
        "ASIMD<HP>",
    ):
        assert text in page.text
    assert not re.search(r"<(X|note|tensorrt)>", html)


def test_it_says_what_was_found_and_what_was_not(tmp_path):
    _, page = make(tmp_path, throughput=throughput(), energy=energy(why_not="no meter here"))
    assert "9,876 faces/s at batch 16; 7.50x PyTorch one by one" in page.text
    assert "Energy: not measured. no meter here" in page.text
    assert "51.2 to 63.5 °C" in page.text
    assert "MAXN (ID 0)" in page.text
    assert "random weights" in page.text


@pytest.mark.parametrize("kind", ["throughput", "energy", "kernels"])
def test_what_was_not_measured_has_its_place_too(kind, tmp_path):
    """As `bench all` writes it of a part that failed or was interrupted."""
    absent = {"kind": kind, "why_not": "interrupted", "environment": ENVIRONMENT}
    _, page = make(tmp_path, **{kind: absent})
    assert f"{kind.capitalize()}: not measured. interrupted" in page.text


@pytest.mark.parametrize("total", [True, False])
def test_a_sum_of_rails_is_never_called_a_total(total, tmp_path):
    _, page = make(tmp_path, energy=energy(total=total))
    assert ("VDD_IN (total)" in page.text) == total
    assert ("not summed" in page.text) != total


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (None, "cannot read"),
        ("{", "not JSON"),
        ("[1]", "not a result"),
        ('{"kind": "throughput"}', "lacks a field"),
        ('{"kind": "throughput", "rows": [{"name": 5}]}', "lacks a field"),
        ('{"kind": "energy", "why_not": 7}', "lacks a field"),
    ],
)
def test_a_file_that_is_no_result_is_refused(content, fact, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=fact):
        main([str(path), "-o", str(tmp_path / "report.html")])
    assert not (tmp_path / "report.html").exists()


def test_two_files_of_one_name_cannot_be_told_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.json").write_text("{}")
    with pytest.raises(InputError, match="same name"):
        main([str(tmp_path / "a/x.json"), str(tmp_path / "b/x.json")])


def test_pointers_are_those_of_rfc_6901():
    source = Source("x", "", {"a/b": [{"m~n": 3}], "list": [1]})
    assert source.at("/a~1b/0/m~0n") == 3
    assert [p for p, _ in source.each("/a~1b")] == ["/a~1b/0"]
    assert source.at("/list/7") is None
    assert source.at("/list/x") is None
    assert source.number("/nothing") == "–"


def write(path, fields):
    path.write_text(json.dumps(fields))
    return str(path)


@pytest.mark.parametrize(
    ("factor", "code", "verdict"),
    [(1.0, 0, "same"), (0.97, 0, "same"), (0.5, 1, "worse"), (2.0, 0, "better")],
)
def test_a_regression_beyond_the_spread_is_an_error(factor, code, verdict, tmp_path, capsys):
    a = write(tmp_path / "a.json", throughput())
    b = write(tmp_path / "b.json", throughput(factor))
    assert compare.main([a, b, "--json"]) == code
    said = json.loads(capsys.readouterr().out)
    rates = [d for d in said["figures"] if d["figure"].endswith("faces_per_s")]
    found = {d["figure"]: d["verdict"] for d in rates}
    assert sorted(found.values()) == sorted(["same", verdict, verdict])
    assert sum(d["verdict"] == "worse" for d in said["figures"]) == said["worse"]
    assert compare.main([a, b]) == code
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert any(line.endswith(" worse") for line in lines) == (verdict == "worse")


def test_more_watts_are_worse_and_less_better(tmp_path):
    before = energy()
    after = json.loads(json.dumps(before))
    after["loads"][1]["channels"][0]["watts"] = spread(14.0)
    after["loads"][0]["channels"][0]["watts"] = spread(2.0)
    write(tmp_path / "a.json", before)
    write(tmp_path / "b.json", after)
    a, b = (read_source(tmp_path / name) for name in ("a.json", "b.json"))
    verdicts = {d.figure: d.verdict for d in compare.differences(a, b, 0.03)}
    assert [v for k, v in verdicts.items() if "idle" in k and "watts" in k] == ["better"]
    assert [v for k, v in verdicts.items() if "onnxruntime" in k and "watts" in k] == ["worse"]


def test_results_without_a_common_figure_are_refused(tmp_path):
    a = write(tmp_path / "a.json", throughput())
    b = write(tmp_path / "b.json", KERNELS)
    with pytest.raises(InputError, match="share no figure"):
        compare.main([a, b])


def test_the_tolerance_forgives(tmp_path):
    a, b = (write(tmp_path / n, throughput(f)) for n, f in (("a.json", 1), ("b.json", 0.8)))
    assert compare.main([a, b]) == 1
    assert compare.main([a, b, "--tolerance", "0.4"]) == 0
    with pytest.raises(InputError):
        compare.main([a, b, "--tolerance", "-1"])


def test_bench_knows_its_actions(capsys):
    with pytest.raises(SystemExit) as exited:
        bench.main(["--help"])
    assert exited.value.code == 0
    usage = capsys.readouterr().out
    assert all(f"  {action} " in usage for action in bench.ACTIONS)
    with pytest.raises(InputError):
        bench.main(["faster"])
