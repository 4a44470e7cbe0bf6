"""python -m local_test.talk: what it says where nobody converses; tests/docs has it converse."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading

import pytest

from tests.unit.shell import PROJECT_DIR

REFUSAL = b"HTTP/1.1 404 Not Found\r\n\r\n"
CLOSE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x88\x08" + struct.pack("!H", 1011) + b"failed"


def talk(port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_test.talk", "apple", "--port", str(port)]
    return subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (REFUSAL, "talk: no WebSocket: HTTP/1.1 404 Not Found\n"),
        (CLOSE, "talk: closed with 1011 failed\n"),
        (b"", "talk: no WebSocket: no answer\n"),
    ],
)
def test_a_refusal_or_an_end_is_told(answer: bytes, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        done = talk(server.getsockname()[1])
        thread.join()
    assert (done.returncode, done.stderr, done.stdout) == (1, told, "")
