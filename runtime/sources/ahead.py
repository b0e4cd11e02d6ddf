"""Running an iterator ahead of its reader, in a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextvars import copy_context
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

CLOSE_WAIT_S = 10.0
LOOK_EVERY_S = 0.1
"""How often a reader that waits looks whether it is to stop."""


class Ahead(Generic[T]):
    """An iterator over items that a background thread makes; see :func:`ahead`."""

    def __init__(
        self,
        items: Iterable[T],
        depth: int,
        interrupt: Callable[[], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        if depth < 0:
            raise ValueError(f"depth is {depth}, not 0 or more")
        self._items, self._depth = items, depth
        self._interrupt, self._stop = interrupt, stop
        self._ready: deque[T] = deque()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._ended = False
        self._closed = False
        run = partial(copy_context().run, self._run)  # what it logs is said of the same camera
        self._thread = threading.Thread(target=run, name="sealshot-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        items = iter(self._items)
        try:
            for item in items:
                with self._changed:
                    if not self._closed:
                        self._ready.append(item)
                    del item  # what was taken is not kept until the next one is made
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closed or len(self._ready) <= self._depth)
                    if self._closed:
                        break
        except BaseException as error:  # raised where the items are read
            self._error = error
        finally:
            if isinstance(items, Generator):
                items.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def __iter__(self) -> Ahead[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            while not (self._ready or self._ended or self._is_over()):
                self._changed.wait(LOOK_EVERY_S if self._stop else None)
            if self._is_over():
                raise StopIteration
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def _is_over(self) -> bool:
        return self._closed or (self._stop is not None and self._stop())

    def close(self) -> None:
        """Stop the thread, drop what it has made, and wait for its end."""
        with self._changed:
            self._closed = True
            self._ready.clear()
            self._changed.notify_all()
        if self._interrupt is not None:
            self._interrupt()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_WAIT_S)

    def __enter__(self) -> Ahead[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ahead(
    items: Iterable[T],
    depth: int,
    *,
    interrupt: Callable[[], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Ahead[T]:
    """Iterate over ``items`` in a background thread, so many finished items ahead.

    The order is kept; an exception arrives after the items made before it. Use it in a ``with``
    block: at its end, on Ctrl-C too, the thread stops after the item that it is making.

    Args:
        items: iterated over, and closed if it is a generator, by the thread alone.
        depth: finished items that may wait while one more is made; 0: one is made while its reader
            works on the one before.
        interrupt: called by ``close`` to wake a thread that waits for its next item, such as
            ``Source.close`` of a camera.
        stop: says when the iteration is to end although there are more items; asked before each of
            them, and while one is waited for.
    """
    return Ahead(items, depth, interrupt, stop)
