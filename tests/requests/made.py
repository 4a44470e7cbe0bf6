"""The fixtures that are large or binary, a line each. Replayed by tests/system/test_requests.py with the files."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.requests import Fixture, fixture

ROW = b"5.1,3.5,1.4,0.2\n"
SETOSA = '["setosa"]'
ARRAY = np.array([[5.1, 3.5, 1.4, 0.2]])
BODY_LIMIT_BYTES = 25 * 1024 * 1024
NPY = "application/x-npy"


def make_all() -> list[Fixture]:
    """Every fixture of this file."""
    return [*packed(), *floods(), *noise(), *arrays(), *large_texts(), *large_bodies(), *ends()]


def post(body: bytes, content_type: str, *headers: str, length: int | None = None) -> bytes:
    """A POST /invocations, with the right length or a wrong one."""
    lines = [
        "POST /invocations HTTP/1.1", "Host: model.aws.local:8080", f"Content-Type: {content_type}", *headers,
        f"Content-Length: {len(body) if length is None else length}",
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def packed() -> Iterator[Fixture]:
    """Content-Encoding: gzip. What unpacks is bounded by SERVING_MAX_UNPACKED_MB, 100 by default."""

    def row(name: str, body: bytes, expects: str, *says: str, coding: str = "gzip") -> Fixture:
        sent = post(body, "text/csv", f"Content-Encoding: {coding}")
        return fixture(f"content_encoding/{name}", sent, expects, says=says)

    whole = gzip.compress(ROW, mtime=0)
    head, data, crc, size = whole[:10], whole[10:-8], whole[-8:-4], whole[-4:]
    yield row("gzip", whole, "200", SETOSA)
    yield row("gzip-in-upper-case", whole, "200", SETOSA, coding="GZIP")
    yield row("x-gzip", whole, "200", SETOSA, coding="x-gzip")  # RFC 9110 8.4.1.3
    yield row("gzip-of-two-members", whole + gzip.compress(b"6.3,2.7,4.9,1.8\n"), "200", '["setosa","virginica"]')
    yield row("gzip-padded-with-zeros", whole + bytes(512), "200", SETOSA)  # as tar and tape do
    named = b"\x1f\x8b\x08\x08" + head[4:] + b"iris.csv\0"
    yield row("gzip-with-a-file-name", named + data + crc + size, "200", SETOSA)
    yield row("gzip-twice", gzip.compress(whole), "400")
    yield row("gzip-list", whole, "415", "gzip", coding="gzip, gzip")
    for cut in (1, 4, 9, 10, 15, len(whole) - 8, len(whole) - 1):
        yield row(f"gzip-cut-after-{cut}-bytes", whole[:cut], "400", "gzip")
    yield row("gzip-with-a-bad-checksum", head + data + b"\0\0\0\0" + size, "400", "gzip")
    yield row("gzip-with-a-bad-size", head + data + crc + b"\xff\xff\xff\xff", "400", "gzip")
    yield row("gzip-with-reserved-flags", b"\x1f\x8b\x08\xe0" + whole[4:], "400", "gzip")
    yield row("gzip-with-another-method", b"\x1f\x8b\x07" + whole[3:], "400", "gzip")
    yield row("gzip-with-bad-data", head + b"\xff" * len(data) + crc + size, "400", "gzip")
    yield row("gzip-then-noise", whole + b"noise", "400", "gzip")
    yield row("gzip-of-nothing", gzip.compress(b""), "400", "empty")
    yield row("gzip-of-noise", gzip.compress(random.Random(1).randbytes(4000)), "400")
    yield row("gzip-bomb", gzip.compress(bytes(101 * 1024 * 1024), 9), "413", str(100 * 1024 * 1024))
    yield row("gzip-bomb-in-members", gzip.compress(bytes(26 * 1024 * 1024), 1) * 4, "413", str(100 * 1024 * 1024))
    # 4 MB of members that hold nothing: two minutes, and no answer, for a reader that copies the rest at each end
    yield row("gzip-of-200000-empty-members", gzip.compress(b"") * 200_000 + whole, "200", SETOSA)


def floods() -> Iterator[Fixture]:
    """More header, or a longer first line, than anyone needs. SageMaker's own headers take some 5 KB."""

    def row(name: str, expects: str, *headers: str) -> Fixture:
        return fixture(f"headers/{name}", post(ROW, "text/csv", *headers), expects)

    yield row("cookie-of-8-kb", "200", "Cookie: " + "a" * 8_000)
    yield row("value-of-15-kb", "200", "X-Custom: " + "a" * 15_000)
    yield row("value-of-17-kb", "431 closed", "X-Custom: " + "a" * 17_000)
    yield row("value-of-1-mb", "431 closed", "X-Custom: " + "a" * 1_000_000)
    yield row("name-of-17-kb", "431 closed", "X" * 17_000 + ": a")
    yield row("flood-of-200", "200", *(f"X-Custom-{n}: {n}" for n in range(200)))
    yield row("flood-of-400", "431", *(f"X-Custom-{n}: {n}" for n in range(400)))
    yield row("flood-of-900", "431", *(f"X-Custom-{n}: {n}" for n in range(900)))
    yield row("flood-of-1-mb", "431 closed", *(f"X-Custom-{n}: {n}" for n in range(50_000)))
    yield row("flood-of-100-kb-in-ten", "200", *(f"X-Custom-{n}: {'a' * 10_000}" for n in range(10)))
    yield row("flood-of-400-kb-in-forty", "431 closed", *(f"X-Custom-{n}: {'a' * 10_000}" for n in range(40)))
    yield row("flood-of-one-name", "431", *("X-Custom: 1" for _ in range(400)))
    for kilobytes, expects in ((15, "200"), (17, "414 closed"), (1_000, "414 closed")):
        line = b"POST /invocations?" + b"a" * (kilobytes * 1_000) + b" HTTP/1.1\r\n"
        sent = line + post(ROW, "text/csv").partition(b"\r\n")[2]
        yield fixture(f"request_line/query-of-{kilobytes}-kb", sent, expects)


def noise() -> Iterator[Fixture]:
    """Bytes without any sense, where a request and where a body should be."""
    for seed in range(8):
        yield fixture(f"noise/{seed}", random.Random(seed).randbytes(4_000), "400 closed")
    yield fixture("noise/nulls", bytes(4_000), "400 closed")
    for content_type in ("text/csv", "application/json", "application/jsonlines", NPY, "text/plain"):
        sent = post(random.Random(content_type).randbytes(4_000), content_type)
        yield fixture(f"noise/as-{content_type.replace('/', '-')}", sent, "400")


def arrays() -> Iterator[Fixture]:
    """application/x-npy: every dtype that numbers have, and headers that want memory, time or pickle."""

    def row(name: str, body: bytes, expects: str, *says: str) -> Fixture:
        return fixture(f"npy/{name}", post(body, NPY), expects, says=says)

    for dtype in ("<f8", ">f8", "<f4", "<f2", "<i8", "<i2", "u1"):
        name = dtype.replace("<", "little-").replace(">", "big-")
        yield row(f"dtype-{name}", saved(ARRAY.astype(dtype)), "200", "setosa")
    yield row("column-order", saved(np.asfortranarray(np.vstack([ARRAY, ARRAY]))), "200", '["setosa","setosa"]')
    yield row("nan", saved(np.full((1, 4), np.nan)), "200")
    yield row("infinity", saved(np.full((1, 4), np.inf)), "422", "infinity")
    yield row("one-dimension", saved(ARRAY[0]), "422")
    yield row("three-dimensions", saved(ARRAY[None]), "422")
    yield row("no-dimension", saved(ARRAY[0, 0]), "422")
    yield row("no-rows", saved(ARRAY[:0]), "422")
    yield row("no-columns", saved(ARRAY[:, :0]), "422", "4")
    yield row("three-columns", saved(ARRAY[:, :3]), "422", "3", "4")
    yield row("complex", saved(ARRAY.astype(complex)), "422")
    yield row("texts", saved(np.array([["a", "b", "c", "d"]])), "422")
    yield row("records", saved(np.zeros(1, [("a", "f8"), ("b", "f8")])), "400")
    yield row("objects", saved(np.array([[Marker()] * 4], object)), "400", "pickle")
    yield row("pickle-alone", pickle.dumps(Marker()), "400")
    yield row("zip-of-arrays", zipped(), "400")
    yield row("empty", b"", "400", "empty")
    yield row("magic-alone", b"\x93NUMPY", "400")
    whole = saved(ARRAY)
    yield row("data-cut-off", whole[:-1], "400", "32")
    yield row("data-too-long", whole + b"\0", "400", "32")
    yield row("header-cut-off", whole[:40], "400")
    yield row("version-9", whole[:6] + b"\x09\x00" + whole[8:], "400")
    yield row("header-of-4-gb", b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + whole[10:], "400")
    for name, header in HEADERS.items():
        yield row(f"header-{name}", headed(header), "400")


HEADERS = {
    "empty": "",
    "no-dictionary": "[1, 2]",
    "without-shape": "{'descr': '<f8', 'fortran_order': False}",
    "with-more-keys": "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 4), 'x': 1}",
    "code": "__import__('os').abort()",
    "shape-of-8-exabytes": "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,)}",
    "shape-that-overflows": "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 8)}",
    "shape-that-wraps-to-4": "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387905, 4)}",
    "shape-negative": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 4)}",
    "shape-of-texts": "{'descr': '<f8', 'fortran_order': False, 'shape': ('1', '4')}",
    "shape-no-tuple": "{'descr': '<f8', 'fortran_order': False, 'shape': 4}",
    "of-1000-dimensions": f"{{'descr': '<f8', 'fortran_order': False, 'shape': {(1,) * 1000}}}",
    "texts-of-4-gb": "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1, 4)}",
    "no-such-dtype": "{'descr': 'x9', 'fortran_order': False, 'shape': (1, 4)}",
    "dtype-a-number": "{'descr': 5, 'fortran_order': False, 'shape': (1, 4)}",
    # No data at all is the right amount for a billion rows of nothing
    "rows-of-nothing": "{'descr': '|V0', 'fortran_order': False, 'shape': (1000000000, 4)}",
    "texts-of-nothing": "{'descr': '|S0', 'fortran_order': False, 'shape': (1000000000, 4)}",
    "deep": "(" * 3000,
    "deep-in-minus-signs": "-" * 9000 + "1",
    "of-9-kb": "{'descr': '<f8', " + " " * 9000,
    "of-60-kb": " " * 60_000,
    "null-bytes": "\0" * 64,
}


class Marker:
    """Unpickled, it would end the worker: a test that finds all workers alive has shown that nobody did."""

    def __reduce__(self) -> Any:
        return (eval, ("__import__('os').abort()",))


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=ARRAY)
    return file.getvalue()


def headed(header: str) -> bytes:
    """An .npy file of version 1.0 with this header and no data."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode("latin-1") + b"\n"


def large_texts() -> Iterator[Fixture]:
    """Deep, wide, long: what makes parsers recurse, multiply or complain at length."""

    def json_row(name: str, text: str, expects: str, *says: str) -> Fixture:
        return fixture(f"json/{name}", post(text.encode(), "application/json"), expects, says=says)

    def csv_row(name: str, text: str, expects: str, *says: str) -> Fixture:
        return fixture(f"csv/{name}", post(text.encode(), "text/csv"), expects, says=says)

    for depth in (2_000, 1_000_000):
        yield json_row(f"arrays-{depth}-deep", "[" * depth + "]" * depth, "400")
        yield json_row(f"objects-{depth}-deep", '{"a":' * depth + "1" + "}" * depth, "400")
    yield json_row("arrays-never-closed", "[" * 100_000, "400")
    yield json_row("integer-of-5000-digits", f"[[{'9' * 5_000}, 3.5, 1.4, 0.2]]", "400")
    yield json_row("fraction-of-5000-digits", f"[[5.{'1' * 5_000}, 3.5, 1.4, 0.2]]", "200", SETOSA)
    yield json_row("integer-of-1-mb", "[[" + "9" * 1_000_000 + "]]", "400")
    yield json_row("text-of-1-mb-for-a-number", '[["' + "a" * 1_000_000 + '", 3.5, 1.4, 0.2]]', "422")
    yield json_row("key-of-100-kb", '{"' + "a" * 100_000 + '": 1}', "422")
    yield json_row("row-of-100000-columns", "[[" + ",".join("1" * 100_000) + "]]", "422", "100000", "4")
    yield json_row("100000-empty-rows", "[" + ",".join(["[]"] * 100_000) + "]", "422")
    names = ", ".join(f'"column_{n:04}": 1' for n in range(1_000))
    yield json_row("records-of-1000-unknown-columns", f"[{{{names}}}]", "422", "column_0000")
    yield json_row("key-that-unicode-makes-long", '{"' + "\U0001f600" * 2_000 + '": 1}', "422")
    yield csv_row("field-of-200-kb", "a" * 200_000 + ",3.5,1.4,0.2\n", "422")  # the csv module alone refuses 128 KB
    yield csv_row("row-of-10000-columns", ",".join("1" * 10_000) + "\n", "422", "10000", "4")
    yield csv_row("100000-columns-of-nothing", "," * 100_000, "422", "100001", "4")
    yield csv_row("bad-row-20001", ROW.decode() * 20_000 + "x,3.5,1.4,0.2\n", "400", "row 20001", "column 1")
    yield csv_row("short-row-20001", ROW.decode() * 20_000 + "3.5\n", "400", "row 20001")
    yield csv_row("quotes-only", '"' * 100_001, "400")
    yield csv_row("newlines-only", "\n" * 1_000_000, "400")
    lines = b"[5.1, 3.5, 1.4, 0.2]\n" * 5_000 + b"[5.1,\n"
    yield fixture("jsonlines/bad-line-5001", post(lines, "application/jsonlines"), "400", says=["line 5001"])


def large_bodies() -> Iterator[Fixture]:
    """Over the limit of 25 MiB, sent to the end: the answer must arrive all the same."""
    body = bytes(BODY_LIMIT_BYTES + 1)
    says = ["25 MiB", "SAGEMAKER_MAX_PAYLOAD_IN_MB"]
    yield fixture("framing/body-over-the-limit-by-1", post(body, "text/csv"), "413 closed", says=says)
    head = post(b"", "text/csv").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunks = (b"%x\r\n" % 2**20 + bytes(2**20) + b"\r\n") * 26 + b"0\r\n\r\n"
    yield fixture("framing/chunks-over-the-limit", head + chunks, "413 closed", says=says)
    yield fixture("framing/pipelined-100", post(ROW, "text/csv") * 100, " ".join(["200"] * 100))
    yield fixture("framing/pipelined-100-bad", post(b"{", "application/json") * 100, " ".join(["400"] * 100))


def ends() -> Iterator[Fixture]:
    """Clients that go away: nothing to answer, but a server to keep."""
    whole = post(ROW * 10_000, "text/csv")
    for name, sent in (("head", whole[:50]), ("body", whole[:50_000]), ("answer", whole)):
        yield fixture(f"ends/abort-before-the-{name}-ends", sent, "closed", then="abort")
    yield fixture("ends/half-close-in-the-body", whole[:50_000], "closed", then="half-close")
    yield fixture("ends/connect-and-leave", b"", "closed", then="half-close")
    yield fixture("ends/connect-and-abort", b"", "closed", then="abort")
