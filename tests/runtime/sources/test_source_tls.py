"""Streams over TLS: who is believed, and who is not."""

from __future__ import annotations

import functools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from certificates import HERE, certificate
from cryptography import x509

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import Tls, frames_of, open_source
from sealshot.runtime.sources import tls as tls_module
from sealshot.runtime.sources.media import open_media
from sealshot.runtime.sources.reader import NoVideoError

FRAMES = 20


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder; what begins with /to/ is sent on to that address."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if not self.path.startswith("/to/"):
            return super().do_GET()
        self.send_response(302)
        self.send_header("Location", self.path.removeprefix("/to/"))
        self.end_headers()
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, a clip, and an HLS list of it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = certificate(folder / "ca.pem", (), None)
    certificate(folder / "good.pem", HERE, authority)
    certificate(folder / "other.pem", (x509.DNSName("other.example"),), authority)
    certificate(folder / "alone.pem", HERE, None)
    for name, form, codec in (("clip.avi", "avi", "mjpeg"), ("list.m3u8", "hls", "libx264")):
        with av.open(str(folder / name), "w", format=form) as out:
            stream = out.add_stream(codec, rate=10)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for index in range(FRAMES):
                picture = np.full((48, 64, 3), 10 * index, np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            out.mux(stream.encode(None))
    return folder


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[[str], str]]:
    """Serves the folder with a certificate, or without TLS; gives host and port."""
    servers = []

    def start(name: str) -> str:
        server = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
        if name:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / f"{name}.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def count(address: str, tls: Tls) -> int:
    with open_source(address, tls=tls) as source:
        return sum(1 for _ in frames_of(source))


def test_a_certificate_of_a_known_authority_is_believed(folder, serve) -> None:
    assert count(f"https://{serve('good')}/clip.avi", Tls(ca_file=folder / "ca.pem")) == FRAMES


def test_a_camera_s_own_certificate_is_believed_where_it_is_given(folder, serve) -> None:
    assert count(f"https://{serve('alone')}/clip.avi", Tls(ca_file=folder / "alone.pem")) == FRAMES


def test_a_file_of_certificates_may_be_named_from_where_one_is(folder, serve, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    assert count(f"https://{serve('good')}/clip.avi", Tls(ca_file=Path("ca.pem"))) == FRAMES
    monkeypatch.setenv("SSL_CERT_FILE", "ca.pem")
    assert count(f"https://{serve('good')}/clip.avi", Tls()) == FRAMES


def test_the_list_of_the_system_is_taken_wherever_it_lies(folder, serve, monkeypatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(tls_module, "STORES", ("/no/such/file", str(folder / "ca.pem")))
    assert count(f"https://{serve('good')}/clip.avi", Tls()) == FRAMES
    monkeypatch.setattr(tls_module, "STORES", ("/no/such/file",))
    with pytest.raises(InputError, match="no list of certificate authorities"):
        open_source("https://127.0.0.1:9/clip.avi")


@pytest.mark.parametrize(
    ("name", "why"), [("other", "IP address mismatch"), ("alone", "self-signed certificate")]
)
def test_another_certificate_is_refused(folder, serve, name, why) -> None:
    with pytest.raises(InputError) as caught:
        open_source(f"https://{serve(name)}/clip.avi", tls=Tls(ca_file=folder / "ca.pem"))
    assert why in caught.value.fact
    assert "--ca-file" in caught.value.hint


@pytest.mark.parametrize("scheme", ["rtsps", "rtmps"])
@pytest.mark.parametrize(("name", "asked"), [("good", True), ("alone", False)])
def test_no_request_goes_to_who_is_not_believed(folder, monkeypatch, scheme, name, asked) -> None:
    """The server hangs up after the first bytes: what matters is whether it got any."""
    monkeypatch.setattr(tls_module, "EXPLAIN_S", 0.1)  # it answers once
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem")
    got = []

    def serve() -> None:
        try:
            connection = listener.accept()[0]
            with context.wrap_socket(connection, server_side=True) as stream:
                got.append(stream.recv(100))
        except OSError:  # nobody came, or the handshake was broken off
            got.append(b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        with pytest.raises(NoVideoError):
            open_media(f"{scheme}://127.0.0.1:{port}/x", tls=Tls(ca_file=folder / "ca.pem"))
        thread.join()
    assert bool(got[0]) is asked


def test_nothing_leads_from_a_verified_stream_to_another(folder, serve) -> None:
    tls = Tls(ca_file=folder / "ca.pem")
    good = serve("good")
    assert count(f"https://{good}/to/https://{good}/clip.avi", tls) == FRAMES
    for address in (f"https://{serve('alone')}/clip.avi", f"http://{serve('')}/clip.avi"):
        with pytest.raises(InputError):
            open_source(f"https://{good}/to/{address}", tls=tls)
    with pytest.raises(InputError, match="segments"):
        open_source(f"https://{good}/list.m3u8", tls=tls)


def test_who_believes_everybody_is_told_and_each_shot_says_so(serve, reports) -> None:
    address = serve("other")
    with open_source(f"https://{address}/clip.avi", tls=Tls(verify=False)) as source:
        assert source.name == f"https://{address}/*** (TLS not verified)"
        assert sum(1 for _ in frames_of(source)) == FRAMES
    assert any("can alter it" in report for report in reports)


@pytest.mark.parametrize("tls", [Tls(verify=False), Tls(ca_file=Path("ca.pem"))])
def test_what_says_nothing_is_refused(tls) -> None:
    with pytest.raises(InputError, match="nothing to verify"):
        open_source("clip.avi", tls=tls)


def test_a_file_of_no_certificates_is_refused(tmp_path) -> None:
    for content in (None, "", "no certificate"):
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(InputError, match="cannot be read"):
            open_source("https://127.0.0.1:9/clip.avi", tls=Tls(ca_file=path))
