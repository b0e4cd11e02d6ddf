"""The parts of every page of results: escaped, whole, and fit for a phone."""

from sealshot.benchmarks.conditions.environment import origin
from sealshot.benchmarks.page.html import ABSENT, bullets, facts, page, table


def test_a_page_fits_a_phone_and_fetches_nothing():
    text = page("<Speed> & cost", ["<p>a</p>"], style=".only-here { color: red; }")
    assert '<meta name="viewport"' in text
    assert "@media print" in text
    assert "<title>&lt;Speed&gt; &amp; cost</title>" in text
    assert ".only-here" in text
    assert "http" not in text
    assert "<script" not in text


def test_columns_of_numbers_stand_to_the_right_and_every_cell_names_its_column():
    text = table(
        ("score", "pAUC", "spread", "note"),
        [("rp", "0.82 (0.76 to 0.89)", "3 to 4", "as <b>it</b> is"), ("size", ABSENT, "", "")],
    )
    assert '<th class="v">pAUC</th><th class="v">spread</th><th class="text">note</th>' in text
    assert '<td class="v" data-head="pAUC"><span>0.82 (0.76 to 0.89)</span></td>' in text
    assert '<td class="v empty" data-head="spread">' in text  # a card leaves it out
    assert '<td class="name text" data-head="score"><span>rp</span></td>' in text


def test_a_table_without_rows_has_its_heads():
    assert '<th class="text">b</th>' in table(("a", "b"), [])


def test_facts_and_bullets_leave_out_what_is_not_known():
    assert facts([("a", "1"), ("b", ""), ("c", ABSENT)]) == "<dl><dt>a</dt><dd>1</dd></dl>"
    assert bullets([]) == ""


def test_an_unknown_commit_is_explained():
    assert origin("abc-dirty", {}) == "commit abc-dirty"
    told = origin("unknown", {"sealshot": "0.1.0"})
    assert told == "sealshot 0.1.0 as installed, so no commit is known"
