"""No password in a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.runtime.sources import redact
from sealshot.runtime.sources.redact import holds_secret

CASES = [
    ("clip.mp4", "clip.mp4"),
    ("me@home.mp4", "me@home.mp4"),
    ("rtsp://10.0.0.7:554/", "rtsp://10.0.0.7:554"),
    ("rtsp://10.0.0.7:554/live", "rtsp://10.0.0.7:554/***"),
    ("rtsp://[fe80::1]:554/live", "rtsp://[fe80::1]:554/***"),
    ("rtsp://admin:1234@10.0.0.7/live", "rtsp://***@10.0.0.7/***"),
    ("rtsp://admin@cam/", "rtsp://***@cam"),
    ("rtsp://admin:p@ss@cam/live", "rtsp://***@cam/***"),
    ("rtsp://admin:p/w?#@cam/live", "rtsp://***@cam/***"),
    ("http://cam/v?user=a&password=b&x=1", "http://cam/***"),
    ("http://cam?loginpas=b", "http://cam/***"),
    ("http://cam/4f1ce0a9b2/snap.jpg", "http://cam/***"),
    ("rtsp://cam/user=admin_password=tlJ_channel=1", "rtsp://cam/***"),
    (
        "rtspsrc location=rtsp://u:p@cam/1 ! appsink",
        "rtspsrc location=rtsp://***@cam/*** ! appsink",
    ),
    (
        "rtspsrc user-id=u user-pw=secret location=rtsp://cam ! appsink",
        "rtspsrc user-id=u user-pw=*** location=rtsp://cam ! appsink",
    ),
    (
        "src loginpas=a psw=b p=c credential=d ! x",
        "src loginpas=*** psw=*** p=*** credential=*** ! x",
    ),
    ("src access_token=a PASS=b;pwd=c ! x", "src access_token=*** PASS=***;pwd=*** ! x"),
    ("a://u:p@x ! b://u:q@y", "a://***@x ! b://***@y"),
]


@pytest.mark.parametrize(("spec", "shown"), CASES)
def test_redact(spec: str, shown: str) -> None:
    assert redact(spec) == shown


@pytest.mark.parametrize(
    "spec", ["clip.mp4", "rtsp://cam/live?channel=1", "videotestsrc ! appsink"]
)
def test_no_secret(spec: str) -> None:
    assert not holds_secret(spec)


@pytest.mark.parametrize(
    "spec", ["rtsp://u:p@cam/live", "http://cam/v?psw=b", "rtspsrc user-pw=x location=a ! appsink"]
)
def test_a_secret(spec: str) -> None:
    assert holds_secret(spec)


WORD = st.text(st.characters(exclude_categories=("Z", "C")), min_size=4)


@given(WORD)
def test_whatever_the_password_it_is_gone(password: str) -> None:
    secret = f"<{password}>"
    for spec in (f"rtsp://user:{secret}@host/live", f"http://host/v?password={secret}"):
        assert secret not in redact(spec)
    assert secret not in redact(f"http://host/{secret}/live")
