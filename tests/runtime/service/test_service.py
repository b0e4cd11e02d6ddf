"""Each camera for itself; a new configuration disturbs only what it changes; all is told."""

from __future__ import annotations

import threading

import pytest
from cameras import config, until

from sealshot.runtime.errors import InputError, SourceError
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.service import service as services
from sealshot.runtime.service import station as stations
from sealshot.runtime.service.service import Service
from sealshot.runtime.service.state import read_state, wrongs


@pytest.fixture
def served(cameras, tmp_path, monkeypatch):
    """Starts a service in a thread; ends it with the test."""
    monkeypatch.setattr(services, "ROUND_S", 0.02)
    monkeypatch.setattr(services, "TELL_EVERY_S", 0.05)
    stop, news, codes = Stop(), [], []
    file = tmp_path / "run" / "status.json"
    threads = []

    def start(first):
        service = Service(first, cameras.opener, file)
        file.parent.mkdir()
        reload = lambda: news.pop() if news else None  # noqa: E731
        thread = threading.Thread(target=lambda: codes.append(service.run(stop, reload)))
        thread.start()
        threads.append(thread)
        return service

    start.stop, start.news, start.codes, start.file = stop, news, codes, file
    yield start
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def phases(service) -> dict[str, str]:
    return {camera.name: camera.phase for camera in service.cameras()}


def test_a_camera_that_fails_is_tried_again_and_costs_the_others_nothing(
    served, cameras, monkeypatch
) -> None:
    monkeypatch.setattr(stations, "FIRST_WAIT_S", 0.05)
    failures = [SourceError("the camera went away"), ZeroDivisionError("a bug"), None]
    cameras.acts["b"] = lambda: failures.pop(0)
    service = served(config("a", "b"))
    until(lambda: phases(service) == {"a": "running", "b": "running"})
    assert sorted(cameras.watches) == ["a", "b", "b", "b"]


def test_a_failure_is_told_until_it_is_over(served, cameras) -> None:
    cameras.acts["b"] = lambda: InputError("there is no such policy", "look")
    service = served(config("a", "b"))
    until(lambda: phases(service) == {"a": "running", "b": "waiting"})
    until(lambda: served.file.exists() and wrongs(read_state(served.file)))
    assert wrongs(read_state(served.file)) == ["b: there is no such policy"]


def test_a_recording_that_breaks_off_is_not_watched_twice(served, cameras) -> None:
    cameras.recorded["a"] = SourceError("the file ends early")
    service = served(config("a"))
    until(lambda: served.codes)
    assert served.codes == [1]
    assert cameras.watches == ["a"]
    assert phases(service) == {"a": "ended"}
    assert wrongs(read_state(served.file)) == ["a: the file ends early"]


def test_a_reload_disturbs_no_camera_whose_part_is_the_same(served, cameras) -> None:
    service = served(config("a", "b"))
    until(lambda: phases(service) == {"a": "running", "b": "running"})
    people = service.cameras()[0].people
    served.news.append(config("a", "c"))
    until(lambda: phases(service) == {"a": "running", "c": "running"})
    assert sorted(cameras.watches) == ["a", "b", "c"]
    assert service.cameras()[0].people == people == 1


def test_a_stop_ends_all_and_is_told(served) -> None:
    service = served(config("a", "b"))
    until(lambda: phases(service) == {"a": "running", "b": "running"})
    served.stop.set()
    until(lambda: served.codes)
    assert served.codes == [0]
    assert {camera.phase for camera in read_state(served.file).cameras} == {"stopped"}


def test_a_stop_that_loses_shots_is_a_failure(served, cameras) -> None:
    cameras.losing.add("b")
    service = served(config("a", "b"))
    until(lambda: phases(service) == {"a": "running", "b": "running"})
    served.stop.set()
    until(lambda: served.codes)
    assert served.codes == [1]
    assert wrongs(read_state(served.file)) == ["b: shots are lost"]


def test_a_camera_that_hangs_ends_the_service_once_the_others_are_sealed(
    served, cameras, monkeypatch
) -> None:
    free = threading.Event()
    monkeypatch.setattr(services, "STUCK_STARTING_S", 0.5)
    monkeypatch.setattr(services, "STOP_S", 0.5)
    cameras.acts["b"] = lambda: free.wait(60) and None
    service = served(config("a", "b"))
    until(lambda: served.codes)
    assert served.codes == [1]
    assert phases(service)["a"] == "stopped"
    free.set()


def test_two_services_do_not_tell_their_state_in_one_file(cameras, tmp_path) -> None:
    first, second = (
        Service(config("a"), cameras.opener, tmp_path / "status.json") for _ in range(2)
    )
    with first.alone(), pytest.raises(InputError, match="another service"), second.alone():
        pass
    with second.alone():
        pass
