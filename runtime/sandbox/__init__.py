"""What parses streams: FFmpeg, in a process of its own that holds no key and may do little else.

It imports neither NumPy nor OpenCV, so that this process is small, and nothing of the other rooms.
"""

ASK_AGAIN = 100
"""Failed reads in a row after which a reader takes it for the end. One damaged packet is none."""
