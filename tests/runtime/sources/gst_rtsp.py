"""A real RTSP server, GStreamer's, that serves a clip to whoever asks, again and again.

Run by the system's own Python, which has GStreamer's bindings (Debian: python3-gi,
gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-good); prints its port.

    /usr/bin/python3 gst_rtsp.py CLIP.mp4 [--port N] [--udp] [--loss SHARE] [--late SHARE]
"""

import argparse
import random

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

arguments = argparse.ArgumentParser()
arguments.add_argument("clip")
arguments.add_argument("--port", default="0")
arguments.add_argument("--udp", action="store_true", help="take no other transport")
arguments.add_argument("--loss", type=float, default=0.0, help="share of packets")
arguments.add_argument("--late", type=float, default=0.0, help="share that comes after the next")
given = arguments.parse_args()


def hold_some_back(_, media):
    """Have packets of a stream overtake each other, as on a network with two ways."""
    held = []

    def pass_on(pad, info):
        if held and held[0] is not None:
            late, held[0] = held[0], None  # which comes by here as well
            pad.push(info.get_buffer())
            pad.push(late)
            held.clear()
            return Gst.PadProbeReturn.DROP
        if not held and random.random() < given.late:
            held.append(info.get_buffer().copy())
            return Gst.PadProbeReturn.DROP
        return Gst.PadProbeReturn.OK

    pad = media.get_element().get_by_name("pay0").get_static_pad("src")
    pad.add_probe(Gst.PadProbeType.BUFFER, pass_on)


Gst.init(None)
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service(given.port)
for mount in range(4):
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(
        f"( filesrc location={given.clip} ! qtdemux ! rtph264pay pt=96 config-interval=-1 mtu=1200"
        f" ! identity name=pay0 drop-probability={given.loss} )"
    )
    if given.udp:
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    factory.connect("media-configure", hold_some_back)
    server.get_mount_points().add_factory(f"/{mount}", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
