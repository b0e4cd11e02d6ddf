"""Metrics for Prometheus, made from the state at the moment in which they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sealshot.runtime.service.state import CameraState, Phase, State, VaultState

CONTENT_TYPE = CONTENT_TYPE_LATEST
DAY_S = 86400.0

_COUNTERS: dict[str, tuple[str, Callable[[CameraState], float | None]]] = {
    "frames": ("Frames that were watched.", lambda c: c.frames),
    "frames_dropped": ("Frames that came faster than they could be taken.", lambda c: c.dropped),
    "people": ("People who were seen.", lambda c: c.people),
    "public_pictures": ("Pictures of the public stream.", lambda c: c.public_pictures),
}
_GAUGES: dict[str, tuple[str, Callable[[CameraState], float | None]]] = {
    "frames_per_second": ("Frames a second over the last ten seconds.", lambda c: c.fps),
    "last_frame_timestamp_seconds": (
        "When the last frame came.",
        lambda c: c.last_frame.timestamp() if c.last_frame else None,
    ),
    "score_mean": ("Mean score of the last people.", lambda c: c.mean_score),
}
_VAULT: dict[str, tuple[str, Callable[[VaultState], float | None]]] = {
    "vault_shots": ("Sealed shots in the vault.", lambda v: v.objects),
    "vault_bytes": ("Bytes of the sealed shots.", lambda v: v.bytes),
    "vault_quota_bytes": ("Bytes that the shots may take.", lambda v: v.quota_bytes),
    "vault_free_bytes": ("Bytes that are free on the vault's disk.", lambda v: v.free_bytes),
    "upload_waiting_shots": ("Shots that no server has acknowledged.", lambda v: v.waiting),
    "upload_oldest_waiting_seconds": (
        "For how long the oldest of them waits.",
        lambda v: v.oldest_waiting_s,
    ),
    "epoch_keys_seconds": (
        "For how long from now there are epoch keys.",
        lambda v: None if v.keys_days is None else v.keys_days * DAY_S,
    ),
    "log_checkpoint_timestamp_seconds": (
        "When the log was last signed.",
        lambda v: v.checkpoint.timestamp() if v.checkpoint else None,
    ),
}


class _States(Collector):
    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        state = self._state
        yield InfoMetricFamily("sealshot", "The program.", {"version": state.version})
        started = GaugeMetricFamily("sealshot_start_timestamp_seconds", "When it was started.")
        started.add_metric([], state.started.timestamp())
        yield started
        for name, (text, count) in _COUNTERS.items():
            counter = CounterMetricFamily(f"sealshot_{name}", text, labels=["camera"])
            for camera in state.cameras:
                if (value := count(camera)) is not None:
                    counter.add_metric([camera.name], value)
            yield counter
        for name, (text, of_camera) in _GAUGES.items():
            yield _gauge(name, text, ((c.name, of_camera(c)) for c in state.cameras))
        for name, (text, of_vault) in _VAULT.items():
            values = ((c.name, of_vault(c.vault)) for c in state.cameras if c.vault)
            yield _gauge(name, text, values)
        phases = GaugeMetricFamily(
            "sealshot_camera_phase", "1 for what a camera does.", labels=["camera", "phase"]
        )
        for camera in state.cameras:
            for phase in get_args(Phase):
                phases.add_metric([camera.name, phase], float(camera.phase == phase))
        yield phases
        alarms = GaugeMetricFamily(
            "sealshot_alarm", "1 for each alarm that stands.", labels=["camera", "alarm"]
        )
        for alarm in state.alarms:
            alarms.add_metric([alarm.camera, alarm.name], 1.0)
        yield alarms


def exposition(state: State) -> bytes:
    """Return the metrics of a state in Prometheus' text format."""
    collectors = CollectorRegistry(auto_describe=False)
    collectors.register(_States(state))
    return generate_latest(collectors)


def _gauge(name: str, text: str, values: Iterator[tuple[str, float | None]]) -> Metric:
    gauge = GaugeMetricFamily(f"sealshot_{name}", text, labels=["camera"])
    for camera, value in values:
        if value is not None:
            gauge.add_metric([camera], value)
    return gauge
