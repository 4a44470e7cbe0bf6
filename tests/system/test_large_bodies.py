"""Bodies as files, through the real nginx and both kinds of worker: a gigabyte must not need a gigabyte of memory."""

from __future__ import annotations

import gzip
import os
import random
import signal
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.client import wait_until
from tests.system.many import ManyModels
from tests.system.replies import Reply, check_problem
from tests.system.server import OBEDIENT, Server
from tests.system.wire import Wire, request

READER = (Path(__file__).parent / "reader.py").read_text()
OLD_STYLE = """
import flask

app = flask.Flask(__name__)

@app.route("/ping")
def ping():
    return ""

@app.route("/invocations", methods=["POST"])
def invocations():
    count = 0
    while piece := flask.request.stream.read(1 << 20):
        count += len(piece)
    return {"size": count, "length": flask.request.content_length}
"""
OF_BYTES = """
def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return len(body)

def predict_fn(data, model):
    return data
"""
BYTES = "application/octet-stream"
DO = "X-Amzn-SageMaker-Custom-Attributes"
MEGABYTE = 1 << 20
LARGE = 128
"""Megabytes of a body that stands for a gigabyte: what grows with it shows at an eighth of it."""

GROWTH_LIMIT_BYTES = 12 * MEGABYTE
PING_LIMIT_S = 2.0
PIECE = random.Random(0).randbytes(MEGABYTE)
PROFILE = {"SERVING_PROFILE": "asynchronous", "SERVING_MAX_UNPACKED_MB": "64"}


@pytest.fixture(scope="module", params=["loop, input_fn", "gthread, transform_fn"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    worker_class, _, function = request.param.partition(", ")
    env = {
        **PROFILE,
        "SERVING_WORKER_CLASS": worker_class,
        **({"TRANSFORM": "1"} if function == "transform_fn" else {}),
    }
    server = Server(
        predictor=READER, files={"obedient.py": OBEDIENT}, env=env, expect=("SIGKILL", "killed", "signal 9")
    )
    try:
        server.start().wait_ready()
        yield server
    finally:
        server.close()


def head(length: int, *headers: str) -> bytes:
    """Of a request with a body of so many bytes, which is still to come."""
    return request(b"", BYTES, *headers).replace(b"Content-Length: 0", b"Content-Length: %d" % length)


def send(server: Server, megabytes: int = 2, *headers: str) -> Reply:
    """PIECE so many times as one body."""
    with Wire(server.port) as wire:
        wire.send([head(megabytes * MEGABYTE, *headers)])
        wire.send([PIECE] * megabytes)
        return wire.reply()


def begin(server: Server) -> Wire:
    """All of a body but its last byte; returns when nginx has written most of it."""
    wire = Wire(server.port)
    wire.send([head(4 * MEGABYTE), *[PIECE] * 3, PIECE[:-1]])
    files = (server.run_dir / "body").iterdir
    wait_until(lambda: any(each.stat().st_size >= 2 * MEGABYTE for each in files()), 5, "nginx keeps the body")
    return wire


def checksum(megabytes: int) -> int:
    """Of PIECE so many times."""
    value = 0
    for _ in range(megabytes):
        value = zlib.crc32(PIECE, value)
    return value


def kept(server: Server) -> list[str]:
    """The bodies that lie in the run folder."""
    return os.listdir(server.run_dir / "body")


def wait_empty(server: Server) -> None:
    wait_until(lambda: not kept(server), 5, "no body is kept")


class Peaks:
    """The most memory that nginx and the workers have had since then."""

    def __init__(self, server: Server) -> None:
        self._pids = [*server.pids("nginx_worker"), *server.pids("gunicorn_worker")]
        for pid in self._pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew: proc(5)
        self._before = [_peak_bytes(pid) for pid in self._pids]

    def growth_bytes(self) -> int:
        return max(_peak_bytes(pid) - before for pid, before in zip(self._pids, self._before, strict=True))


def _peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


# memory


def test_asy_02_a_body_is_a_file_and_needs_no_memory(server: Server) -> None:
    peaks = Peaks(server)
    reply = send(server, LARGE)
    middle = (PIECE * 2)[MEGABYTE:][:3].hex()
    assert (reply.status, reply.json()) == (
        200,
        {"size": LARGE * MEGABYTE, "crc32": checksum(LARGE), "middle": middle, "kind": "BufferedReader", "headers": []},
    )
    assert peaks.growth_bytes() < GROWTH_LIMIT_BYTES
    wait_empty(server)


def test_asy_02_so_is_one_that_comes_in_chunks(server: Server) -> None:
    peaks = Peaks(server)
    pieces = iter([PIECE] * (LARGE // 2))
    reply = server.request("POST", "/invocations", pieces, {"Content-Type": BYTES})
    assert (reply.status, reply.json()["crc32"]) == (200, checksum(LARGE // 2))
    assert peaks.growth_bytes() < GROWTH_LIMIT_BYTES


def test_a_packed_one_is_unpacked_as_it_is_read(server: Server) -> None:
    """The unpacked size is that of SERVING_MAX_UNPACKED_MB, at which it is still taken."""
    plain = bytes(64 * MEGABYTE)
    packed = gzip.compress(plain, 1)
    for body, wanted in ((packed, plain), (gzip.compress(PIECE, 0), PIECE)):
        peaks = Peaks(server)
        reply = server.invoke(body, BYTES, content_encoding="gzip")
        assert (reply.status, reply.json()["crc32"]) == (200, zlib.crc32(wanted))
        assert peaks.growth_bytes() < GROWTH_LIMIT_BYTES


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (gzip.compress(bytes(64 * MEGABYTE + 1), 1), 413, "unpacks to more than"),
        (gzip.compress(PIECE, 0)[:-4], 400, "ends too early"),
        (PIECE, 400, "is not gzip"),
    ],
    ids=["too large", "cut", "not packed"],
)
def test_a_packed_one_that_is_wrong_is_the_clients_fault(server: Server, body: bytes, status: int, detail: str) -> None:
    reply = server.invoke(body, BYTES, content_encoding="gzip")
    assert reply.status == status
    assert detail in reply.json()["detail"]


def test_a_small_one_never_touches_the_disk(server: Server) -> None:
    wait_empty(server)  # of the last test's
    folder = server.run_dir / "body"
    before = folder.stat().st_mtime_ns
    reply = server.invoke(b"small", BYTES)
    assert (reply.json()["size"], reply.json()["kind"]) == (5, "BytesIO")
    assert before == folder.stat().st_mtime_ns, "nothing was made or removed there"


# who may name a file


@pytest.mark.parametrize("name", ["X-Body-File", "x-body-file", "X_Body_File"])
@pytest.mark.parametrize("size", [3, 2 * MEGABYTE])
def test_a_client_cannot_name_a_file(server: Server, name: str, size: int) -> None:
    reply = server.request("POST", "/invocations", b"x" * size, {"Content-Type": BYTES, name: "/etc/passwd"})
    assert (reply.json()["size"], reply.json()["headers"]) == (size, [])


def test_even_past_nginx_only_bodies_are_opened(server: Server) -> None:
    for path in ("/etc/passwd", server.run_dir / "body/../nginx.conf", server.run_dir / "body/0123456789", "body/1"):
        with Wire(path=server.run_dir / "worker-0.sock") as wire:
            sent = request(b"", BYTES, f"X-Body-File: {path}").replace(b"Content-Length: 0\r\n", b"")
            wire.send([sent])
            reply = wire.reply()
        check_problem(reply)
        assert reply.status == 400


# ends


def test_asy_03_pings_are_answered_while_bodies_come_and_are_worked_on(server: Server) -> None:
    with begin(server) as half, Wire(server.port) as working:
        working.send([head(2 * MEGABYTE, f"{DO}: wait ping"), PIECE, PIECE])
        server.wait_gate("ping")
        replies = [server.ping() for _ in range(20)]
        assert {reply.status for reply in replies} == {200}
        assert max(reply.seconds for reply in replies) < PING_LIMIT_S
        server.open_gate("ping")
        assert working.reply().status == 200
        half.send([PIECE[-1:]])
        assert half.reply().json()["crc32"] == checksum(4)
    wait_empty(server)


def test_a_client_that_leaves_takes_its_body_along(server: Server) -> None:
    half = begin(server)
    half.abort()
    wait_empty(server)
    with Wire(server.port) as wire:
        wire.send([head(2 * MEGABYTE, f"{DO}: wait leave"), PIECE, PIECE])
        server.wait_gate("leave")
        wire.abort()
    wait_empty(server)
    server.open_gate("leave")
    assert send(server).status == 200


def test_kill_9_of_the_worker_leaves_no_body_behind(server: Server) -> None:
    ready = len(server.log_events("worker_ready"))
    reply = send(server, 2, f"{DO}: die")
    check_problem(reply)
    assert reply.status == 503
    wait_empty(server)
    server.wait_event("worker_ready", count=ready + 1)  # /ping may be 200 until the death has been seen
    wait_until(server.is_ready, 10, "/ping is 200")
    assert send(server).status == 200


@pytest.mark.parametrize("server", ["loop, input_fn"], indirect=True)
def test_kill_9_of_nginx_leaves_no_body_behind(server: Server) -> None:
    """nginx's master makes a new worker; what the old one had is removed by the supervisor."""
    with begin(server):
        for pid in server.pids("nginx_worker"):
            os.kill(pid, signal.SIGKILL)
        wait_empty(server)
    assert server.wait_event("bodies_removed")["bytes"] > MEGABYTE
    wait_until(server.is_ready, 5, "a new nginx worker answers")
    assert send(server).status == 200


@pytest.mark.parametrize("server", ["loop, input_fn"], indirect=True)
def test_a_body_that_is_being_worked_on_is_not_taken_for_one_that_was_left(server: Server) -> None:
    """The supervisor looks every two seconds. A name that nobody holds shows that it has."""
    orphan = server.run_dir / "body" / "9999999999"
    with Wire(server.port) as wire, begin(server) as half:
        wire.send([head(2 * MEGABYTE, f"{DO}: wait look"), PIECE, PIECE])
        server.wait_gate("look")
        orphan.write_bytes(b"left")
        wait_until(lambda: not orphan.exists(), 5, "the orphan is removed")
        assert len(kept(server)) == 2
        server.open_gate("look")
        half.send([PIECE[-1:]])
        assert (wire.reply().status, half.reply().status) == (200, 200)
    wait_empty(server)


def test_a_disk_that_takes_no_more_is_a_507(server: Server) -> None:
    """A folder that is none fails as a full disk does; tests/image has a full one."""
    folder = server.run_dir / "body"
    aside = folder.rename(server.run_dir / "aside")
    folder.touch()
    try:
        with Wire(server.port) as wire:
            wire.send([head(2 * MEGABYTE), PIECE, PIECE])
            reply = wire.reply()
    finally:
        folder.unlink()
        aside.rename(folder)
    check_problem(reply)
    assert reply.status == 507
    assert str(2 * MEGABYTE) in reply.json()["detail"]
    assert "SERVING_RUN_DIR" in reply.json()["detail"]
    assert (server.invoke(b"small", BYTES).status, send(server).status) == (200, 200)


def test_over_the_limit_it_is_413_by_length_and_in_chunks(serve: Callable[..., Server]) -> None:
    server = serve(predictor=READER, files={"obedient.py": OBEDIENT}, env={"SAGEMAKER_MAX_PAYLOAD_IN_MB": "3"})
    server.wait_ready()
    for body in (PIECE * 4, iter([PIECE] * 4)):
        reply = server.request("POST", "/invocations", body, {"Content-Type": BYTES})
        assert reply.status == 413
        assert "3 MiB" in reply.json()["detail"]
    wait_empty(server)
    before = (server.run_dir / "body").stat().st_mtime_ns
    reply = server.request("POST", "/invocations", iter([b"in", b" chunks"]), {"Content-Type": BYTES})
    assert (reply.json()["size"], before) == (9, (server.run_dir / "body").stat().st_mtime_ns), "not by way of the disk"


def test_one_that_still_comes_at_the_stop_is_answered(serve: Callable[..., Server]) -> None:
    server = serve(predictor=READER, files={"obedient.py": OBEDIENT}, env=PROFILE)
    server.wait_ready()
    with begin(server) as half:
        server.process.send_signal(signal.SIGTERM)
        server.wait_event("stop")
        half.send([PIECE[-1:]])
        assert half.reply().json()["crc32"] == checksum(4)
    assert server.wait_exit(10) == 0


# others


def test_of_many_models_each_gets_it_as_it_asks() -> None:
    server = ManyModels(env=PROFILE)
    try:
        server.start().wait_ready()
        server.load("file", {"code/inference.py": READER})
        server.load("bytes", {"code/inference.py": OF_BYTES})
        answers = [
            server.request("POST", f"/models/{name}/invoke", PIECE * 4, {"Content-Type": BYTES}).json()
            for name in ("file", "bytes")
        ]
        assert (answers[0]["kind"], answers[0]["crc32"], answers[1]) == ("BufferedReader", checksum(4), 4 * MEGABYTE)
    finally:
        server.close()


def test_an_app_of_the_old_style_reads_it_as_ever(serve: Callable[..., Server]) -> None:
    server = serve(predictor=OLD_STYLE, env=PROFILE)
    server.wait_ready()
    peaks = Peaks(server)
    reply = send(server, 32)
    assert reply.json() == {"size": 32 * MEGABYTE, "length": 32 * MEGABYTE}
    assert peaks.growth_bytes() < GROWTH_LIMIT_BYTES
    with Wire(server.port) as wire:
        wire.send([request(b"small", BYTES)])
        assert wire.reply().json() == {"size": 5, "length": 5}
