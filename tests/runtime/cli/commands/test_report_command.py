"""`sealshot report` from the outside."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault.dpia import Told, write_dpia
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.report import Period


@pytest.fixture
def vault(fresh_parties, shot, origin, tmp_path: Path) -> Path:
    with Keeper(tmp_path / "vault", fresh_parties.sealing()) as keeper:
        now = replace(shot, utc=format_time(utc_now()))
        first = keeper.put(now, origin)
        keeper.put(now, origin, "jpg", first)
        keeper.put(now, origin)
    return tmp_path / "vault"


def test_a_month(vault: Path, fresh_parties, capsys: pytest.CaptureFixture[str]) -> None:
    logs = [str(vault / LOG), str(fresh_parties.custodian / LOG)]
    ask = [
        "report",
        *logs,
        "--policy",
        str(fresh_parties.policy),
        "--camera",
        str(fresh_parties.camera_pub),
    ]
    capsys.readouterr()
    assert main([*ask, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    camera = told["cameras"]["cam1"]
    assert (camera["hours"], camera["watched"], camera["sealed"], camera["there"]) == (720, 1, 3, 2)
    assert camera["purged"] == {"a better shot of the person": 1}
    assert told["parties"]["custodian"]["role"] == "custodian"
    assert told["parties"]["custodian"]["published"] > 0
    assert main(ask) == 0
    out, err = capsys.readouterr()
    assert "1 of 720 h" in out
    assert "no shot was opened" in out
    assert "epoch keys published; of 0 whose time was over 0 were destroyed on time" in out
    assert err == ""
    assert main([*ask, "--from", "2020-01-01", "--to", "2020-02-01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cameras"]["cam1"]["sealed"] == 0


def test_what_is_refused(
    vault: Path, fresh_parties, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, policy = str(vault / LOG), ["--policy", str(fresh_parties.policy)]
    camera = ["--camera", str(fresh_parties.camera_pub)]
    altered = tmp_path / "altered"
    altered.mkdir()
    (altered / LOG).write_bytes((vault / LOG).read_bytes().replace(b'"sealed"', b'"Sealed"'))
    (altered / "log.checkpoint").write_bytes((vault / "log.checkpoint").read_bytes())
    for given, code, why in (
        ([log], 2, "whose key is not known"),
        ([log, log, *camera], 2, "a second log of cam1"),
        ([str(tmp_path / "none"), *camera], 2, "there is no log"),
        ([str(altered / LOG), *camera], 1, "was altered, put in, or moved"),
        ([log, *camera, "--from", "2026-02-01", "--to", "2026-01-01"], 2, "end before it begins"),
        ([log, *camera, "--from", "yesterday"], 2, "yesterday"),
    ):
        assert main(["report", *given, *policy]) == code, why
        assert why in capsys.readouterr().err


def test_a_draft_of_an_impact_assessment(
    vault: Path, fresh_parties, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, policy = tmp_path / "dpia.html", ["--policy", str(fresh_parties.policy)]
    assert main(["report", *policy, "--dpia", str(page)]) == 0
    text = page.read_text()
    for said in ("any 2 of judge", "30d after the end of the day", "custodian (custodian)"):
        assert said in text
    assert "No log was given" in text
    assert text.count('class="ask"') > 10
    assert text.count('class="law"') > 4
    assert "the quorum is 1" not in text
    assert "CLASSICAL" not in text
    assert "<script" not in text
    assert "http://" not in text  # it loads nothing
    ask = ["report", str(vault / LOG), *policy, "--camera", str(fresh_parties.camera_pub)]
    capsys.readouterr()
    assert main([*ask, "--dpia", str(page)]) == 2  # what somebody has filled in stays
    assert "exists and is not overwritten" in capsys.readouterr().err
    assert page.read_text() == text
    page.unlink()
    assert main([*ask, "--dpia", str(page)]) == 0
    assert "3 shots sealed, 2 there; deleted: none" in page.read_text()
    assert main(["report", *policy]) == 2
    assert "give a LOG, or --dpia FILE.html" in capsys.readouterr().err


def test_what_is_weak_is_marked_in_the_draft(fresh_parties) -> None:
    policy = read_policy(fresh_parties.policy)
    weak = tuple(
        replace(one, recipient=X25519Identity.generate().recipient) for one in policy.authorities
    )
    weaker = replace(policy, quorum=1, retention="90d", authorities=weak, epoch_keys="<b>&")
    told = Told(Period(utc_now() - timedelta(days=1), utc_now()))
    text = write_dpia(weaker, (), told, utc_now())
    for marked in ("the quorum is 1", "CLASSICAL KEYS", "why 90d are needed", "&lt;b&gt;&amp;"):
        assert marked in text
