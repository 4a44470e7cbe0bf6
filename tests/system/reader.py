"""The predictor.py of test_large_bodies: asks for its body as a file, and tells what it found there.

Staged into the program folder of a server; it never runs in the test's own process. Beside obedient.py, for gates. The
custom attributes of a request say what to do, and TRANSFORM in the environment which function serves.
"""

from __future__ import annotations

import os
import signal
import zlib
from typing import TYPE_CHECKING

from obedient import gate

if TYPE_CHECKING:
    from typing import BinaryIO

PIECE_BYTES = 1 << 20


def model_fn(model_dir):
    return None


def told(body, context):
    """Size and checksum, read piece by piece; then three bytes of the middle once more."""
    do, _, name = (context.custom_attributes or "").partition(" ")
    if do == "wait":
        gate(name)
    elif do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    checksum = 0
    while piece := body.read(PIECE_BYTES):
        checksum = zlib.crc32(piece, checksum)
    size = body.tell()
    body.seek(size // 2)
    middle = body.read(3).hex()
    return {
        "size": size,
        "crc32": checksum,
        "middle": middle,
        "kind": type(body).__name__,
        "headers": [name for name in context.headers if "Body" in name],
    }


if "TRANSFORM" in os.environ:

    def transform_fn(model, body: BinaryIO, content_type, accept, context):
        return told(body, context)

else:

    def input_fn(body: BinaryIO, content_type, context):
        return told(body, context)

    def predict_fn(data, model):
        return data
