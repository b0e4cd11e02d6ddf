"""Print when each person came, and keep nothing: python watch_a_video.py VIDEO."""

import sys

import sealshot


class Arrivals(sealshot.Sink):
    """Prints a line for each person who was not seen before."""

    def __init__(self) -> None:
        self._people = 0

    def seen(self, seen: sealshot.Seen) -> None:
        """Take a frame."""
        if seen.people > self._people:
            self._people = seen.people
            print(f"{seen.frame.time_s:.2f} s: person {seen.people}")


def main() -> None:
    """Watch until the end, or Ctrl-C."""
    stop = sealshot.Stop()
    with stop.on_signals():
        done = sealshot.watch(sys.argv[1], [Arrivals()], stop)
    if done.failure:
        raise done.failure
    print(f"{done.frames} frames")


if __name__ == "__main__":
    main()
