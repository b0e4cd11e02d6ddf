"""The quota: who goes, in which order, and no more than must."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.errors import VaultError
from sealshot.runtime.vault.quota import Quota
from sealshot.runtime.vault.store import VaultObject


@given(
    sizes=st.lists(st.integers(1, 50), max_size=12),
    size=st.integers(1, 60),
    limit=st.integers(1, 200),
    pending=st.sets(st.integers(0, 11)),
    held=st.sets(st.integers(0, 11)),
    originals=st.sets(st.integers(0, 11)),
    replaced=st.none() | st.integers(0, 11),
)
def test_the_quota_takes_as_few_as_it_must_in_the_order_that_is_stated(
    sizes: list[int],
    size: int,
    limit: int,
    pending: set[int],
    held: set[int],
    originals: set[int],
    replaced: int | None,
) -> None:
    quota = Quota(limit)
    quota.load(
        VaultObject(str(i), Path(), n, datetime.now(timezone.utc)) for i, n in enumerate(sizes)
    )
    over: Callable[[], list[str]] = lambda: quota.over(  # noqa: E731
        size,
        None if replaced is None else str(replaced),
        lambda i: int(i) in pending,
        lambda i: int(i) in held,
        lambda i: int(i) not in originals,
    )
    if size > limit:
        with pytest.raises(VaultError, match="larger than the quota"):
            over()
        return
    gone = [int(i) for i in over()]
    free = [i for i in range(len(sizes)) if i not in held and i != replaced]
    order = sorted(free, key=lambda i: (i in pending, i not in originals))
    assert gone == order[: len(gone)]
    left = sum(sizes[i] for i in free if i not in gone) + size
    assert left <= limit
    assert not gone or left + sizes[gone[-1]] > limit
