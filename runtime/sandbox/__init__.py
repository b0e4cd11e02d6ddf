"""What parses what others send, in a process of its own that holds no key and may do little else.

It imports nothing of the other rooms, and, so that this process is small, neither NumPy nor OpenCV
but for the pictures of a folder.
"""

ASK_AGAIN = 100
"""Failed reads in a row after which a reader takes it for the end. One damaged packet is none."""
OPTIONS = {"correct_ts_overflow": "0"}
"""For FFmpeg, whatever is opened: a clock that began anew is not one that overflowed, or it would
go on 26 hours later."""
