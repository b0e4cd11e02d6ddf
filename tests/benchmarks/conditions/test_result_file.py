"""Result files: whole, told where they cannot be written, and JSON that everybody can read."""

import json

import numpy as np
import pytest

from sealshot.benchmarks.conditions.result_file import as_json, known, write_result, writing
from sealshot.runtime.errors import InputError, SealshotError


def test_what_is_not_finite_is_null():
    values = {"a": known(np.array([[1.5, np.nan], [np.inf, -2.0]])), "b": known(float("nan"))}
    assert json.loads(as_json(values)) == {"a": [[1.5, None], [None, -2.0]], "b": None}
    assert known([1, "x", np.float32(0.5)]) == [1, "x", 0.5]


def test_a_number_that_is_not_finite_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_result(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_told_by_its_name(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file") as told:
        write_result(tmp_path / "file" / "x.json", {}, "folder")
    assert "another folder with -o" in told.value.hint
    with (
        pytest.raises(SealshotError, match="cannot write /full: No space left") as told,
        writing(tmp_path, "file"),
    ):
        raise OSError(28, "No space left on device", "/full")
    assert told.value.exit_code == 1  # it is no wrong input
