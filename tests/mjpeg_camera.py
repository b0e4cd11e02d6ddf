"""A network camera that shows a clip for ever: ``python mjpeg_camera.py CLIP [PORT]``."""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

FPS = 10


class Handler(BaseHTTPRequestHandler):
    """Serves pictures as MJPEG, forth and back."""

    pictures: list[bytes]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while True:
            for jpeg in self.pictures:
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                time.sleep(1 / FPS)


def main() -> None:
    clip, pictures = cv2.VideoCapture(sys.argv[1]), []
    while (read := clip.read())[0]:
        pictures.append(cv2.imencode(".jpg", read[1])[1].tobytes())
    Handler.pictures = pictures + pictures[::-1]
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8090
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
