"""What may happen to a service, one after the other: all is told, all heals, the vault is whole.

    python tests/runtime/service/bad_day.py      # as root, for the small disk; needs mosquitto

A real `sealshot serve` watches a network camera for a quorum, and tells a real broker, on a disk of
its own of 8 MB. It is killed; the camera goes and comes back; the broker goes and comes back; the
disk is full, it is killed and started on it, and has room again; it is stopped, once more on a full
disk. After each of them it has to be told where it is looked for (log, status, exit code), and
people have to be sealed again. Whoever is seen while the disk is full, after a start too, has to be
in the vault once it has room; a stop without room has to fail. In the end the vault has to be whole
by its log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt

from sealshot.runtime.demo.clip import write_clip
from sealshot.runtime.vault.store import list_objects

CAMERA = Path(__file__).parents[2] / "mjpeg_camera.py"
MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") or "mosquitto"
LIMIT_S = 180.0


class Scene:
    """The service and all around it, in a folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.log = root, root / "service.log"
        self.camera_port, self.broker_port = _free_port(), _free_port()
        self.vault = root / "disk" / "vault"
        self.told: set[str] = set()
        write_clip(root / "clip.avi")
        self._enrol()
        (root / "cameras.toml").write_text(
            f'[camera.north]\nsource = "http://127.0.0.1:{self.camera_port}/live"\n'
            f'policy = "cam/policy.toml"\nvault = "{self.vault}"\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {self.broker_port}\ntls = false\n'
            "[alarms]\nsilent = 5\ndisk_least = 0\n"
        )
        self.camera, self.broker = self.start_camera(), self.start_broker()
        self._listen()
        self.service = self.start_service()

    def _enrol(self) -> None:
        def sealshot(*arguments: str) -> None:
            command = [sys.executable, "-m", "sealshot", *arguments]
            subprocess.run(command, check=True, capture_output=True, cwd=self.root)

        parties = [f"{name}.pub" for name in ("judge", "police")]
        for party in parties:
            sealshot("authority", "new", party.replace(".pub", ".key"))
        sealshot("custodian", "new", "keys", "--name", "custodian")
        options = ["--quorum", "2", "--custodian", "keys/custodian.pub", "--retention", "30d"]
        sealshot(
            *["policy", "new", *parties, *options, "--epoch-keys", "epochs", "-o", "policy.toml"]
        )
        sealshot("custodian", "rotate", "keys", "--policy", "policy.toml", "--to", "epochs")
        sealshot("camera", "enrol", "cam", "--policy", "policy.toml")

    def start_camera(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, CAMERA, self.root / "clip.avi", str(self.camera_port)]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def start_broker(self) -> subprocess.Popen[bytes]:
        file = self.root / "mosquitto.conf"
        file.write_text(f"listener {self.broker_port} 127.0.0.1\nallow_anonymous true\n")
        return subprocess.Popen([MOSQUITTO, "-c", file], stderr=subprocess.DEVNULL)

    def start_service(self) -> subprocess.Popen[bytes]:
        command = ["serve", self.root / "cameras.toml", "--state", self.root / "state.json"]
        with self.log.open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", "sealshot", *command], stderr=log)

    def _listen(self) -> None:
        """Collect the ids of people who are told of."""
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

        def took(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
            event = json.loads(message.payload)
            if event["kind"] == "person":
                self.told.add(event["id"])

        client.on_connect = lambda *_: client.subscribe("sealshot/+/event", qos=1)
        client.on_message = took
        client.reconnect_delay_set(1, 1)
        _until("a broker", lambda: _connects(client, self.broker_port))
        client.loop_start()

    def sealed(self) -> int:
        return len(list_objects(self.vault)) if self.vault.is_dir() else 0

    def status(self) -> str:
        command = ["status", "--state", self.root / "state.json", "--json"]
        run = subprocess.run([sys.executable, "-m", "sealshot", *command], capture_output=True)
        return run.stdout.decode()

    def more_people(self) -> None:
        """Wait until two more are sealed."""
        before = self.sealed()
        _until("people", lambda: self.sealed() >= before + 2)

    def waiting(self) -> int:
        """Return how many shots wait for room, by the status of the service that runs."""
        status = self.status()
        found = re.search(r"wait in memory: (\d+)", status)
        return int(found[1]) if found and json.loads(status)["pid"] == self.service.pid else 0

    def fill(self) -> Callable[[], None]:
        """Fill the disk; return what frees it."""
        filler = self.root / "disk" / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        return filler.unlink

    def heal(self, free: Callable[[], None]) -> int:
        """Free the disk once four wait; return how many, once they are stored and more come."""
        _until("four who wait", lambda: self.waiting() >= 4)
        before, waiting = self.sealed(), self.waiting()
        free()
        _until("those who waited", lambda: self.sealed() >= before + waiting)
        self.more_people()
        return waiting

    def stop(self) -> int:
        """Stop the service, as systemd does; return its exit code."""
        self.service.send_signal(signal.SIGTERM)
        return self.service.wait(90)

    def log_says(self, words: str) -> None:
        _until(f"'{words}' in the log", lambda: words in self.log.read_text())

    def status_says(self, words: str) -> None:
        _until(f"'{words}' in the status", lambda: words in self.status())


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "disk").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(root / "disk")]
        subprocess.run(mount, check=True)
        try:
            return _watch_over(Scene(root))
        finally:
            subprocess.run(["umount", "-l", str(root / "disk")], check=True)


def _watch_over(scene: Scene) -> int:
    try:
        return _bad_day(scene)
    except BaseException:
        print(scene.log.read_text()[-3000:], scene.status(), sep="\n")
        raise
    finally:
        for process in (scene.service, scene.camera, scene.broker):
            process.kill()
            process.wait()


def _bad_day(scene: Scene) -> int:
    scene.more_people()
    print(f"it runs; sealed: {scene.sealed()}", flush=True)

    before = {found.id for found in list_objects(scene.vault)}
    scene.service.kill()
    scene.service.wait()
    scene.service = scene.start_service()
    scene.more_people()
    assert before <= {found.id for found in list_objects(scene.vault)}
    print(f"killed, and goes on; sealed: {scene.sealed()}", flush=True)

    scene.camera.kill()
    scene.log_says("connecting again")
    scene.status_says("no picture for")
    scene.camera = scene.start_camera()
    scene.log_says("is back after")
    scene.more_people()
    print(f"the camera was away, and is back; sealed: {scene.sealed()}", flush=True)

    scene.broker.kill()
    scene.broker.wait()
    scene.more_people()
    scene.status_says("events-stuck")
    told, scene.broker = len(scene.told), scene.start_broker()
    _until("the events that waited", lambda: len(scene.told) >= told + 2)
    print(f"the broker was away, and is back; told of: {len(scene.told)}", flush=True)

    free = scene.fill()
    scene.log_says("No space left on device")
    scene.status_says("No space left on device")
    waiting = scene.heal(free)
    print(f"the disk was full, {waiting} waited; sealed: {scene.sealed()}", flush=True)

    free = scene.fill()
    scene.service.kill()
    scene.service.wait()
    scene.service = scene.start_service()
    waiting = scene.heal(free)
    print(f"started on a full disk, {waiting} waited; sealed: {scene.sealed()}", flush=True)

    code = scene.stop()
    scene.service = scene.start_service()
    scene.more_people()
    free = scene.fill()
    _until("two who wait", lambda: scene.waiting() >= 2)
    full_code = scene.stop()
    scene.log_says("sealed shots that are lost")
    free()
    print(f"stopped with {code}, on a full disk with {full_code}", flush=True)
    sealed = scene.sealed()
    verify = ["vault", "verify", scene.vault, "--policy", scene.root / "cam" / "policy.toml"]
    whole = subprocess.run([sys.executable, "-m", "sealshot", *verify], capture_output=True)
    print(whole.stdout.decode() + whole.stderr.decode())
    print(f"sealed: {sealed}, told of: {len(scene.told)}", flush=True)
    traceback = "Traceback" in scene.log.read_text()
    return 0 if (code, full_code, whole.returncode, traceback) == (0, 1, 0, False) else 1


def _connects(client: mqtt.Client, port: int) -> bool:
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return False
    return True


def _until(what: str, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"in {LIMIT_S:.0f} s there was no sign of {what}")
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
