"""Bad and odd requests as files: what is sent, byte for byte, and which answers must come. Replayed by test_requests.

SUBJECT/NAME.http begins with lines that start with "# ":

    # 400 closed        the status of each answer in order; `closed`: then the server ends the connection
    # then half-close   what the client does once all is sent: half-close, or abort; keep the connection if not said
    # says line 2       words of the last answer's body; may come several times
    # A sentence        why it is so, where the name does not tell

All after them is sent to the server of the sample model. Line breaks of the file count for nothing; \\r \\n \\t \\\\
and \\xHH are the bytes that they are in Python, and $length is the number of bytes after the headers. Requests that are
large or binary are made in made.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


@dataclass(frozen=True)
class Fixture:
    """One conversation with the server."""

    name: str
    sent: bytes
    answers: tuple[int, ...]
    closed: bool = False
    then: str = ""
    says: tuple[str, ...] = ()


def read_all() -> list[Fixture]:
    """Every .http file."""
    return [read(path) for path in sorted(FOLDER.glob("*/*.http"))]


def read(path: Path) -> Fixture:
    """Read one .http file."""
    lines = path.read_text("ascii").splitlines()
    head = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    return fixture(
        name=str(path.relative_to(FOLDER).with_suffix("")),
        sent=_with_length(_bytes("".join(lines[len(head) :]))),
        expects=head[0],
        then="".join(line.removeprefix("then ") for line in head if line.startswith("then ")),
        says=[line.removeprefix("says ") for line in head if line.startswith("says ")],
    )


def fixture(name: str, sent: bytes, expects: str, then: str = "", says: list[str] | tuple[str, ...] = ()) -> Fixture:
    """A fixture whose answers are spelled as in a file: "200 400 closed"."""
    words = expects.split()
    closed = words[-1:] == ["closed"]
    return Fixture(name, sent, tuple(map(int, words[:-1] if closed else words)), closed, then, tuple(says))


def _bytes(text: str) -> bytes:
    def unescaped(match: re.Match[bytes]) -> bytes:
        return ESCAPES[match[1]] if match[1] in ESCAPES else bytes.fromhex(match[2].decode())

    return re.sub(rb"\\([rnt\\]|x([0-9a-f]{2}))", unescaped, text.encode())


def _with_length(request: bytes) -> bytes:
    _, _, body = request.partition(b"\r\n\r\n")
    return request.replace(b"$length", b"%d" % len(body), 1)
