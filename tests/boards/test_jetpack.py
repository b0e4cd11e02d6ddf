"""JetPack by release of Jetson Linux, as NVIDIA's archive has them."""

import pytest

from sealshot.boards import boards
from sealshot.boards.jetpack import JETPACKS, jetpack_of


@pytest.mark.parametrize(
    ("l4t", "jetpack"),
    [
        ("32.7.4", "4.6.4"),
        ("34.1.1", "5.0.1 DP"),
        ("35.1.0", "5.0.2"),
        ("35.2.1", "5.1"),
        ("35.3.1", "5.1.1"),
        ("35.4.1", "5.1.2"),
        ("35.5.0", "5.1.3"),
        ("35.6.0", "5.1.4"),
        ("36.2.0", "6.0 DP"),
        ("36.3.0", "6.0"),
        ("36.4.0", "6.1"),
        ("36.4.3", "6.2"),
        ("36.4.7", "6.2.1"),
        ("36.5.0", "6.2.2"),
        ("38.2.0", "7.0"),
        ("38.4.0", "7.1"),
        ("39.2.0", "7.2"),
        ("36.40.1", ""),
        ("36.4.99", ""),
        ("99.1", ""),
        (".0", ""),
        ("", ""),
    ],
)
def test_jetpack_of_a_release(l4t, jetpack):
    assert jetpack_of(l4t) == jetpack


def test_releases_are_written_as_they_are_looked_up():
    assert all(jetpack_of(l4t) == jetpack for l4t, jetpack in JETPACKS.items())


def test_the_profiles_name_the_first_and_the_last_jetpack_of_their_releases():
    for board in boards().values():
        for software in board.software:
            of = [
                jetpack
                for l4t, jetpack in JETPACKS.items()
                if any(l4t == known or l4t.startswith(f"{known}.") for known in software.l4t)
            ]
            assert software.jetpack == (of[0] if of[0] == of[-1] else f"{of[0]}-{of[-1]}")
