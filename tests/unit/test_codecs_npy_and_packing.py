"""npy without pickle, text, gzip with a cap: what comes in besides CSV and JSON, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import pickle
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from container.codecs import DECODABLE, decode, encode, unpack, unpacked_file
from container.errors import DecodeError, NotAcceptable, PayloadTooLarge, UnsupportedMediaType

NPY = "application/x-npy"


def npy(array: np.ndarray, version: tuple[int, int] | None = None, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle)
    return file.getvalue()


@given(
    arrays.arrays(
        st.sampled_from(["f8", "f4", ">f8", "i8", "u1", "?", "c16"]), arrays.array_shapes(min_dims=0, min_side=0)
    )
)
@settings(deadline=None)
def test_arrays_come_back_as_they_went(array):
    back = decode(encode(array, NPY), NPY)
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_version_and_order_is_read(version, order):
    array = np.asarray(np.arange(6.0).reshape(2, 3), order=order)
    np.testing.assert_array_equal(decode(npy(array, version), NPY), array)


def test_arrays_are_writable_as_some_models_work_in_place():
    assert decode(npy(np.ones((2, 2))), NPY).flags.writeable


def test_arrays_of_text_are_read():
    assert decode(npy(np.array(["a", "bc"])), NPY).tolist() == ["a", "bc"]


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("request bytes reached pickle",))


@pytest.mark.parametrize("body", [npy(np.array([Bomb()], object), allow_pickle=True), pickle.dumps(Bomb())])
def test_request_bytes_never_reach_pickle(body):
    with pytest.raises(DecodeError):
        decode(body, NPY)


@pytest.mark.parametrize("cut", [1, 6, 8, 9, 11, 40, 127, 130, -1])
def test_a_truncated_array_is_an_error(cut):
    with pytest.raises(DecodeError, match="npy"):
        decode(npy(np.ones(3))[:cut], NPY)


def test_bytes_after_the_array_are_an_error():
    with pytest.raises(DecodeError, match=r"says 24 bytes of data \(shape \(3,\)\), but 25 follow"):
        decode(npy(np.ones(3)) + b"x", NPY)


def header(text: str) -> bytes:
    return np.lib.format.magic(1, 0) + len(text).to_bytes(2, "little") + text.encode("latin-1")


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999)}",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (9999999999999,)}",
        "{'descr': '|V8', 'fortran_order': False, 'shape': (0,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '<f8'}",
        "{'descr': 'nope', 'fortran_order': False, 'shape': ()}",
        "__import__('os')",
        "(" * 3000,
        "'",
        "\x00",
        "é",
        "",
    ],
)
def test_a_hostile_header_is_an_error_before_memory_is_taken(text):
    with pytest.raises(DecodeError, match="npy"):
        decode(header(text), NPY)


def test_a_huge_header_is_an_error():
    with pytest.raises(DecodeError, match="at most 10000"):
        decode(header(" " * 60_000), NPY)


@given(st.integers(0, 200), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_array_is_data_or_a_clients_error(place, byte):
    body = bytearray(npy(np.arange(12.0).reshape(3, 4)))
    body[place] = byte
    with contextlib.suppress(DecodeError):
        assert isinstance(decode(bytes(body), NPY), np.ndarray)


@pytest.mark.parametrize("value", [["a"], [{"a": 1}], np.array(["a"]), np.array([None]), None, [[1], [2, 3]], [1, "a"]])
def test_what_is_not_numbers_is_not_acceptable_as_npy(value):
    with pytest.raises(NotAcceptable, match="x-npy needs"):
        encode(value, NPY)


def test_a_plain_text_is_one_text():
    assert decode("héllo\nworld".encode(), "text/plain") == ["héllo\nworld"]
    assert decode("é".encode("latin-1"), "text/plain; charset=iso-8859-1") == ["é"]


@pytest.mark.parametrize(
    "content_type", ["application/x-nope", "application/x-pickle", "multipart/form-data; boundary=x"]
)
def test_an_unknown_type_is_415_naming_the_known(content_type):
    with pytest.raises(UnsupportedMediaType) as caught:
        decode(b"x", content_type)
    assert all(known in caught.value.detail for known in DECODABLE)


@pytest.mark.parametrize("content_type", DECODABLE)
def test_an_empty_body_is_an_error_of_the_client(content_type):
    with pytest.raises(DecodeError, match="the body is empty"):
        decode(b"", content_type)


@pytest.mark.parametrize("coding", [None, "", "identity", " Identity "])
def test_a_body_without_coding_passes_whatever_its_size(coding):
    assert unpack(b"abc", coding, 1) == b"abc"


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip"])
def test_gzip_is_unpacked(coding):
    assert unpack(gzip.compress(b"abc"), coding, 3) == b"abc"


def test_gzip_of_nothing_is_nothing():
    assert unpack(gzip.compress(b""), "gzip", 10) == b""


def test_gzip_of_several_members_and_padding_is_unpacked():
    """RFC 1952, 2.2: a file is a series of members."""
    assert unpack(gzip.compress(b"ab") + gzip.compress(b"c") + b"\0\0", "gzip", 3) == b"abc"


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"x" * 11, mtime=0), gzip.compress(b"x" * 6, mtime=0) * 2, gzip.compress(bytes(10**7), mtime=0)],
)
def test_over_the_limit_is_413(body):
    with pytest.raises(PayloadTooLarge, match="more than 10 bytes"):
        unpack(body, "gzip", 10)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"abc",
        zlib.compress(b"abc"),
        gzip.compress(b"abc" * 99, mtime=0)[:-1],
        gzip.compress(b"abc", mtime=0)[:-4],
        gzip.compress(b"abc", mtime=0) + b"x",
    ],
)
def test_damaged_gzip_is_an_error_of_the_client(body):
    with pytest.raises(DecodeError, match="gzip"):
        unpack(body, "gzip", 1000)


def test_a_wrong_checksum_is_an_error():
    body = bytearray(gzip.compress(b"abc"))
    body[-5] ^= 1
    with pytest.raises(DecodeError, match="damaged"):
        unpack(bytes(body), "gzip", 1000)


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip"])
def test_another_coding_is_415(coding):
    with pytest.raises(UnsupportedMediaType, match="use gzip or none"):
        unpack(b"abc", coding, 1000)


@pytest.mark.parametrize("as_given", [bytes, io.BytesIO])
def test_a_packed_file_is_as_any_other(as_given):
    array = np.arange(100_000.0)
    plain = io.BytesIO()
    np.save(plain, array)
    file = unpacked_file(as_given(gzip.compress(plain.getvalue())), "gzip", 10**6)
    assert (np.load(file) == array).all()
    assert file.seek(-8, io.SEEK_END) == len(plain.getvalue()) - 8
    assert file.read() == array[-1:].tobytes()
    assert (file.seek(1), file.read(5), file.tell()) == (1, b"NUMPY", 6)
    assert not file.closed


@pytest.mark.parametrize("coding", [None, "", "identity"])
def test_a_file_that_is_not_packed_is_itself(coding):
    body = io.BytesIO(b"abc")
    assert unpacked_file(body, coding, 1) is body
    assert (unpacked_file(b"abc", coding, 1).read(), unpack(body, coding, 1)) == (b"abc", b"abc")


def test_zeros_between_members_and_at_the_end_are_no_content():
    zeros = bytes(20_000)  # more than is read at once
    assert unpack(zeros.join([gzip.compress(b"a"), gzip.compress(b"b"), b""]), "gzip", 2) == b"ab"


@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 250), st.integers(0, 50)), max_size=8))
@settings(deadline=None)
def test_a_packed_file_reads_like_one_in_memory(data, steps):
    file, model = unpacked_file(gzip.compress(data), "gzip", 200), io.BytesIO(data)
    for place, count in steps:
        file.seek(place)
        model.seek(place)
        assert file.read(count) == model.read(count)


@given(st.binary(max_size=200), st.integers(0, 250))
@settings(deadline=None)
def test_unpacking_is_exact_up_to_the_limit(data, limit_bytes):
    with pytest.raises(PayloadTooLarge) if len(data) > limit_bytes else contextlib.nullcontext():
        assert unpack(gzip.compress(data), "gzip", limit_bytes) == data
