"""Clients of the soak: each asks for what only it knows, in every form, size and ill manner, and checks its answer.

Called by soak, in threads. The predictor that they ask is PREDICTOR.
"""

from __future__ import annotations

import http.client
import io
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PREDICTOR = '''"""Answers 2 a + b for each row (a, b). A negative a is a bad row; a row of more columns takes long."""

import time

ROWS_ARE_INDEPENDENT = True


def model_fn(model_dir):
    return 2


def predict_fn(data, model):
    if (data[:, 0] < 0).any():
        raise ValueError("a bad row")
    if data.shape[1] > 2:
        time.sleep(0.7)
    return model * data[:, 0] + data[:, 1]
'''
TIMEOUT_S = 2.0
"""SAGEMAKER_MODEL_SERVER_TIMEOUT of the soak; its deadline is 1.7 s, so three slow requests in a row are too many."""

EARLIEST_504_S = 1.6
SIZES = (1, 1, 1, 1, 1, 2, 7, 30, 120, 150, 1000, 5000)
CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"
PATIENCE_S = 20.0

Table = NDArray[np.float64]


@dataclass
class Told:
    """What came of a client's requests."""

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """A sentence for each answer that must not be."""


def encode(rows: Table, media_type: str) -> bytes:
    if media_type == NPY:
        out = io.BytesIO()
        np.save(out, rows)
        return out.getvalue()
    whole = rows.astype(np.int64).tolist()
    if media_type == JSON:
        return json.dumps(whole).encode()
    return "".join(",".join(map(str, row)) + "\n" for row in whole).encode()


def decode(body: bytes, media_type: str) -> list[float]:
    """Raises ValueError for what is not of that type."""
    if media_type == NPY:
        values: list[float] = np.load(io.BytesIO(body)).tolist()
        return values
    return [float(each) for each in (json.loads(body) if media_type == JSON else body.split())]


class Client:
    """One client after the other of its kind: a new request each time, in a random manner."""

    def __init__(self, port: int, number: int, seed: int = 0) -> None:
        self._port, self._number, self._serial = port, number, 0
        self._chance = random.Random(f"{seed}.{number}")  # noqa: S311 - a soak is to be repeated
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self.told = Told()

    def run_until(self, end_s: float) -> None:
        """Ask until then. What goes wrong is told, never raised."""
        manners = [self.ask] * 16 + [self.ask_badly] * 2 + [self.send_nonsense, self.leave_body, self.leave_answer]
        while time.monotonic() < end_s:
            self.try_to(self._chance.choice(manners))
        self._link.close()

    def run_slowly_until(self, end_s: float, pause_s: float) -> None:
        """Ask for what takes long: some of it is answered, some is too late, and delays others."""
        while time.monotonic() < end_s:
            self.try_to(self.ask_for_long)
            time.sleep(pause_s)
        self._link.close()

    def try_to(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.wrong(f"{act.__name__}: {type(error).__name__}: {error}")
            self._link.close()

    # manners

    def ask(self) -> None:
        self._exchange(self.rows(self._chance.choice(SIZES)))

    def ask_badly(self) -> None:
        """One bad row among good ones: the fault is this request's alone."""
        rows = self.rows(self._chance.choice(SIZES[:-2]))
        rows[self._chance.randrange(len(rows)), 0] = -1
        self._exchange(rows, expected="500")

    def ask_for_long(self) -> None:
        """As many columns as no other sender has, so that each of these goes alone."""
        rows = self.rows(1)
        self._exchange(np.hstack([rows, np.ones((1, 1 + self._number % 50))]))

    def send_nonsense(self) -> None:
        self._send(b"[[1, 2", JSON, JSON)
        self._judge(self._read(), JSON, None, "400", 0.0)

    def leave_body(self) -> None:
        """Gone in the middle of the request."""
        head, body = self._raw(self.rows(200))
        self._leave(head + body[: len(body) // 2], read=0)
        self.told.statuses["left in the body"] += 1

    def leave_answer(self) -> None:
        """Gone in the middle of the answer, or before it."""
        head, body = self._raw(self.rows(self._chance.choice((1, 5000))))
        self._leave(head + body, read=self._chance.choice((0, 100)))
        self.told.statuses["left in the answer"] += 1

    # one exchange

    def rows(self, count: int) -> Table:
        """Numbers that no other request of this soak has."""
        self._serial += 1
        first = self._number * 10**11 + self._serial * 10**4
        return np.array([[first + row, self._chance.randrange(1000)] for row in range(count)], dtype=np.float64)

    def _exchange(self, rows: Table, expected: str = "200") -> None:
        content_type, accept = self._chance.choice((CSV, JSON, NPY)), self._chance.choice((CSV, JSON, NPY))
        body, started_s = encode(rows, content_type), time.monotonic()
        self._send(body, content_type, accept)
        answer = self._read()
        right = (2 * rows[:, 0] + rows[:, 1]).tolist()
        self._judge(answer, accept, right, expected, time.monotonic() - started_s)

    def _send(self, body: bytes, content_type: str, accept: str) -> None:
        self._link.request("POST", "/invocations", body, {"Content-Type": content_type, "Accept": accept})

    def _read(self) -> tuple[int, bytes]:
        answer = self._link.getresponse()
        return answer.status, answer.read()

    def _judge(
        self, answer: tuple[int, bytes], accept: str, right: list[float] | None, expected: str, took_s: float
    ) -> None:
        status, body = answer
        self.told.statuses[str(status)] += 1
        if status == 504 and took_s >= EARLIEST_504_S:
            return  # a slow one was before it
        if str(status) != expected:
            self.wrong(f"{status} after {took_s:.2f} s, expected {expected}: {body[:150]!r}")
        elif status == 200 and decode(body, accept) != right:
            self.wrong(f"someone else's answer, or none: {body[:80]!r}, expected {str(right)[:80]}")

    def wrong(self, text: str) -> None:
        self.told.wrong.append(f"client {self._number}, request {self._serial}: {text}")

    def _raw(self, rows: Table) -> tuple[bytes, bytes]:
        body = encode(rows, CSV)
        head = (
            f"POST /invocations HTTP/1.1\r\nHost: model\r\nContent-Type: {CSV}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode(), body

    def _leave(self, data: bytes, read: int) -> None:
        """Send, read a little, end with RST as a client that was killed."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE_S) as link:
            link.sendall(data)
            if read:
                link.recv(read)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
