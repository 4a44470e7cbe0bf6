"""WebSocket frames: what the Autobahn test suite asks of a server's parser, and the same answers as wsproto's.

Numbers such as 2.5 are Autobahn's case groups. wsproto is a second opinion: it passes that suite.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection
from wsproto.events import Ping as TheirPing
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from container.frames import (
    BINARY,
    CLOSE,
    MORE,
    PING,
    PONG,
    TEXT,
    BadFrame,
    Close,
    Event,
    Frames,
    Ping,
    Pong,
    accept,
    close_frame,
    frame,
)

MASK = b"\x01\x7f\x80\xff"
LIMIT_BYTES = 1 << 17
LENGTHS = [0, 1, 2, 3, 4, 125, 126, 127, 128, 65535, 65536, 65537]


def sent(opcode: int, payload: bytes = b"", *, last: bool = True, bits: int = 0) -> bytes:
    """A frame as a client sends it."""
    length = len(payload)
    head = bytes((bits | opcode | (0x80 if last else 0),))
    if length <= 125:
        head += bytes((0x80 | length,))
    elif length < 1 << 16:
        head += struct.pack("!BH", 0x80 | 126, length)
    else:
        head += struct.pack("!BQ", 0x80 | 127, length)
    return head + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


def fed(*pieces: bytes, limit_bytes: int = LIMIT_BYTES) -> list[Event]:
    frames = Frames(limit_bytes)
    return [event for piece in pieces for event in frames.feed(piece)]


def refused(*pieces: bytes, limit_bytes: int = LIMIT_BYTES) -> int:
    with pytest.raises(BadFrame) as error:
        fed(*pieces, limit_bytes=limit_bytes)
    assert error.value.reason
    return error.value.code


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("cut", [1, 997, 1 << 20])
def test_1_messages_of_every_length_in_pieces_of_any_size(length: int, cut: int) -> None:
    data = bytes(index % 251 for index in range(length))
    text = "x" * length
    whole = sent(BINARY, data) + sent(TEXT, text.encode())
    assert fed(*(whole[at : at + cut] for at in range(0, len(whole), cut))) == [data, text]


def test_2_pings_and_pongs_keep_their_bytes() -> None:
    long = bytes(125)
    assert fed(sent(PING, b"\xff\xfe"), sent(PING), sent(PING, long), sent(PONG, b"unasked")) == [
        Ping(b"\xff\xfe"), Ping(b""), Ping(long), Pong(b"unasked"),
    ]  # fmt: skip
    assert refused(sent(PING, bytes(126))) == 1002


@pytest.mark.parametrize("bits", [0x10, 0x20, 0x40, 0x70])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
def test_3_reserved_bits_are_refused(bits: int, opcode: int) -> None:
    assert refused(sent(opcode, b"", bits=bits)) == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_4_reserved_opcodes_are_refused(opcode: int) -> None:
    assert refused(sent(TEXT, b"before"), sent(opcode, b"x")) == 1002


def test_5_fragments_are_joined_and_may_have_pings_between_them() -> None:
    parts = (sent(TEXT, b"a", last=False), sent(PING, b"!"), sent(MORE, b"", last=False), sent(MORE, b"b"))
    assert fed(*parts) == [Ping(b"!"), "ab"]
    assert fed(sent(BINARY, b"a", last=False), sent(MORE, b"\xff")) == [b"a\xff"]


@pytest.mark.parametrize(
    "pieces",
    [
        [sent(PING, b"", last=False)],
        [sent(PONG, b"", last=False)],
        [sent(CLOSE, b"", last=False)],
        [sent(MORE, b"of nothing")],
        [sent(MORE, b"of nothing", last=False)],
        [sent(TEXT, b"a", last=False), sent(TEXT, b"b")],
        [sent(TEXT, b"a"), sent(MORE, b"b")],
        [sent(TEXT, b"a", last=False), sent(MORE, b"b"), sent(MORE, b"c")],
    ],
)
def test_5_fragments_in_the_wrong_order_are_refused(pieces: list[bytes]) -> None:
    assert refused(*pieces) == 1002


TEXTS = ["", "κόσμε", "\N{SNOWMAN}\U0010ffff\x00\x7f\u0080\u07ff\u0800\uffff\ufffe\U00010000\ufffd"]
NO_TEXTS = [
    b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xed\xaf\xbf\xed\xbf\xbf",
    b"\xf0\x80\x80\xaf", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xce\xba\xe1\xbd",
    b"\xe2\x98",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_6_letters_may_be_cut_anywhere(text: str) -> None:
    data = text.encode()
    pieces = [sent(TEXT if at == 0 else MORE, data[at : at + 1], last=False) for at in range(len(data))]
    assert fed(sent(TEXT, data)) == [text]
    assert fed(*(pieces or [sent(TEXT, b"", last=False)]), sent(MORE)) == [text]


@pytest.mark.parametrize("data", NO_TEXTS)
def test_6_what_is_no_utf_8_is_refused(data: bytes) -> None:
    assert refused(sent(TEXT, b"before" + data)) == 1007
    assert refused(sent(TEXT, data[:1], last=False), sent(MORE, data[1:])) == 1007
    assert fed(sent(BINARY, data)) == [data]


def test_6_a_fragment_that_is_no_utf_8_is_refused_before_the_message_ends() -> None:
    assert refused(sent(TEXT, b"\xc0\xaf", last=False)) == 1007


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999])
def test_7_a_close_has_its_code_and_reason(code: int) -> None:
    reason = "é" * 61
    assert fed(sent(CLOSE, struct.pack("!H", code) + reason.encode())) == [Close(code, reason)]
    assert fed(sent(CLOSE)) == [Close(1005, "")]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_7_codes_that_must_not_be_sent_are_refused(code: int) -> None:
    assert refused(sent(CLOSE, struct.pack("!H", code))) == 1002


def test_7_half_a_code_and_a_reason_that_is_no_text_are_refused() -> None:
    assert refused(sent(CLOSE, b"\x03")) == 1002
    assert refused(sent(CLOSE, b"\x03\xe8\xff")) == 1007


def test_9_a_message_may_be_as_large_as_the_limit_and_no_larger() -> None:
    whole = bytes(LIMIT_BYTES)
    assert fed(sent(BINARY, whole)) == [whole]
    assert fed(sent(BINARY, whole[1:], last=False), sent(MORE, b"x"), sent(BINARY, whole)) == [whole[1:] + b"x", whole]
    assert refused(sent(BINARY, whole + b"x")[:10]) == 1009
    assert refused(sent(BINARY, whole, last=False), sent(MORE, b"x")[:2]) == 1009
    assert fed(sent(BINARY, whole + b"x"), limit_bytes=0) == [whole + b"x"]


def test_frames_without_a_mask_are_refused() -> None:
    assert refused(frame(TEXT, b"as a server sends it")) == 1002


@pytest.mark.parametrize(
    "head", [b"\x82\xfe\x00\x7d", b"\x82\xff" + struct.pack("!Q", 65535), b"\x82\xff" + b"\xff" * 8]
)
def test_lengths_that_are_not_written_as_short_as_can_be_are_refused(head: bytes) -> None:
    assert refused(head + MASK) == 1002


def test_what_is_refused_comes_after_what_was_whole() -> None:
    coming = Frames(LIMIT_BYTES).feed(sent(TEXT, b"whole") + sent(3))
    assert next(coming) == "whole"
    with pytest.raises(BadFrame):
        next(coming)


def test_the_handshake_answers_the_key_of_the_rfc() -> None:
    assert accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("length", LENGTHS)
def test_wsproto_reads_what_we_send(length: int) -> None:
    theirs = Connection(ConnectionType.CLIENT)
    theirs.receive_data(frame(BINARY, bytes(length)) + frame(PING, b"?") + close_frame(1011, "é" * 100))
    found = list(theirs.events())
    assert b"".join(each.data for each in found if isinstance(each, BytesMessage)) == bytes(length)
    assert found[-2:] == [TheirPing(b"?"), CloseConnection(1011, "é" * 61)]


OPCODES = st.sampled_from([MORE, TEXT, TEXT, BINARY, BINARY, PING, PONG, CLOSE, 3, 11])
PAYLOADS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=40).map(str.encode),
    st.sampled_from([b"\x03\xe8", b"\x03\xe8bye", b"\x0f\xa0"]),
)


@st.composite
def conversations(draw: st.DrawFn) -> bytes:
    made = st.tuples(OPCODES, PAYLOADS, st.booleans(), st.sampled_from([0, 0, 0, 0, 0, 0x40]))
    listed = draw(st.lists(made, max_size=8))
    return b"".join(
        sent(opcode, payload, last=last or opcode >= CLOSE, bits=bits) for opcode, payload, last, bits in listed
    )


@settings(max_examples=500, deadline=None)
@given(conversations(), st.integers(1, 300), st.booleans(), st.data())
def test_whatever_comes_it_is_what_wsproto_says_it_is(data: bytes, cut: int, broken: bool, draw: st.DataObject) -> None:
    """A broken length may leave the last frame without its end, which one of the two may refuse before it is there."""
    if broken and data:
        at = draw.draw(st.integers(0, len(data) - 1))
        data = data[:at] + bytes((draw.draw(st.integers(0, 255)),)) + data[at + 1 :]
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    (ours, our_code), (theirs, their_code) = by_us(pieces), by_wsproto(pieces)
    assert ours == theirs
    assert our_code == their_code or (broken and None in (our_code, their_code))


def by_us(pieces: list[bytes]) -> tuple[list[object], int | None]:
    """Events up to a Close, and the code of what was refused."""
    frames, found = Frames(0), list[object]()
    try:
        for piece in pieces:
            for event in frames.feed(piece):
                if event == Close(1014, getattr(event, "reason", "")):
                    return found, 1002  # wsproto does not know it
                found.append(event)
                if isinstance(event, Close):
                    return found, None
    except BadFrame as error:
        return found, error.code
    return found, None


def by_wsproto(pieces: list[bytes]) -> tuple[list[object], int | None]:
    theirs, found, parts = FrameProtocol(client=False, extensions=[]), list[object](), []
    try:
        for piece in pieces:
            theirs.receive_bytes(piece)
            for each in theirs.received_frames():
                if each.opcode is Opcode.CLOSE:
                    return [*found, Close(int(each.payload[0]), each.payload[1])], None
                if each.opcode in (Opcode.PING, Opcode.PONG):
                    found.append((Ping if each.opcode is Opcode.PING else Pong)(bytes(each.payload)))
                    continue
                parts.append(each.payload)
                if each.message_finished:
                    found.append(parts[0][:0].join(parts))
                    parts = []
    except ParseFailed as error:
        return found, int(error.code)
    return found, None
