"""The sample request: how it is answered, and made larger, malformed, or sent slowly. Used by files of checks/."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from weakref import WeakKeyDictionary

from local_test.conformance.assertion import Broken, NotApplicable, Untestable, expect
from local_test.conformance.bench import Bench, Sample
from local_test.conformance.server import INVOCATION_LIMIT_S, Server
from local_test.conformance.wire import Answer, NoAnswer, request_head

MEGABYTE = 10**6  # as the platform counts
PIECE_BYTES = 2**20
LINES = ("application/jsonlines", "application/x-jsonlines", "application/x-ndjson")
NOT_TAKEN = (413, 502, 503, 504)
"""Statuses by which a front refuses a body, or says that what stands behind it has given up."""

_answers: WeakKeyDictionary[Bench, Answer | str] = WeakKeyDictionary()
_refusals: WeakKeyDictionary[Bench, dict[str, Answer]] = WeakKeyDictionary()


def first_answer(bench: Bench) -> Answer:
    """How the sample is answered, whatever that is; it is asked once a run. Raises Broken without an answer.

    Waits for longer than the platform does, so that slow and wrong are two things.
    """
    found = _answers.get(bench)
    if found is None:
        server, sample = bench.server(), bench.sample
        try:
            found = server.invoke(sample.body, sample.content_type, timeout_s=2 * INVOCATION_LIMIT_S)
        except NoAnswer as error:
            found = str(error)
        _answers[bench] = found
    if isinstance(found, str):
        raise Broken(found)
    return found


def baseline(bench: Bench) -> Answer:
    """The sample's answer, which is 200. Raises Untestable if it is not, since INV-01 says so already."""
    try:
        answer = first_answer(bench)
    except Broken as error:
        raise Untestable(f"the sample request itself has no answer, see INV-01: {error}") from error
    if answer.status != 200:
        raise Untestable(f"the sample request itself fails, see INV-01: {answer}")
    return answer


def send(server: Server, sample: Sample, headers: dict[str, str] | None = None) -> Answer:
    """The sample, or one like it, to /invocations."""
    return server.invoke(sample.body, sample.content_type, headers)


def head(sample: Sample, **headers: str) -> bytes:
    """The head of the sample's request, its framing to be given."""
    named = {"Connection": "close", "Content-Type": sample.content_type, **headers}
    return request_head("POST", "/invocations", named)


def works(answer: Answer, how: str) -> None:
    """Raise Broken unless the sample, sent in this way, is answered 200."""
    expect(answer.status == 200, f"sent {how}, the sample was answered {answer}")


def essence(content_type: str) -> str:
    """type/subtype without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    """Whether a body of it is one JSON value."""
    return essence(content_type) == "application/json" or essence(content_type).endswith("+json")


def grows(sample: Sample) -> bool:
    """Whether it can be made larger and stay valid."""
    return is_json(sample.content_type) or essence(sample.content_type) in (*LINES, "text/csv")


def grown(sample: Sample, size_bytes: int) -> bytes:
    """The sample made that large: blanks after JSON, its last line repeated, zeros after what does not grow."""
    if not grows(sample) or is_json(sample.content_type):
        return sample.body.ljust(size_bytes, b" " if grows(sample) else b"\0")
    whole = sample.body.rstrip(b"\n") + b"\n"
    last = whole.splitlines(keepends=True)[-1]
    return whole + last * ((size_bytes - len(whole)) // len(last))


def malformed(sample: Sample) -> bytes:
    """A body that no reader of the sample's media type takes, as far as there is one."""
    if is_json(sample.content_type) or essence(sample.content_type) in LINES:
        return b'{"instances": [[1, 2'
    return b"\xff\xfe\x00\x81"


def refusals(bench: Bench) -> dict[str, Answer]:
    """Errors that it answers with, by what provoked them; asked once a run. Raises NotApplicable if nothing did."""
    baseline(bench)
    errors = _refusals.get(bench)
    if errors is None:
        errors = _refusals[bench] = _provoked(bench)
    if not errors:
        raise NotApplicable("it has no errors: it answers wrong types and bodies as if they were right")
    return dict(errors)


def _provoked(bench: Bench) -> dict[str, Answer]:
    sample, wrong = bench.sample, malformed(bench.sample)
    tries: dict[str, tuple[bytes, str, dict[str, str]]] = {
        "an unknown Content-Type": (sample.body, "application/x-nope", {}),
        "an unknown Accept": (sample.body, sample.content_type, {"Accept": "application/x-nope"}),
        "an empty body": (b"", sample.content_type, {}),
        "a malformed body": (wrong, sample.content_type, {}),
        "a long malformed body": (wrong * 5000, sample.content_type, {}),
    }
    errors = {}
    for what, request in tries.items():
        with suppress(NoAnswer):  # INV-13 to INV-16 are about that
            answer = bench.server().invoke(*request)
            if answer.status >= 400:
                errors[what] = answer
    return errors


def send_grown(server: Server, sample: Sample, size_bytes: int) -> Answer:
    """The sample made that large. Raises Broken if it is refused for its size, or fails the server."""
    answer = send(server, replace(sample, body=grown(sample, size_bytes)))
    failed = answer.status in NOT_TAKEN or (answer.status == 500 and grows(sample))
    expect(not failed, f"a body of {size_bytes / MEGABYTE:g} MB was answered {answer}")
    return answer


def pieces(size_bytes: int) -> Iterator[bytes]:
    """A body of that many bytes, never whole in memory."""
    piece = b"x" * PIECE_BYTES
    for start in range(0, size_bytes, PIECE_BYTES):
        yield piece[: size_bytes - start]


def misfit(answer: Answer) -> str:
    """What in a body contradicts its Content-Type; empty if nothing does."""
    if not answer.body:
        return ""
    if not answer.media_type:
        return "it has a body and no Content-Type"
    try:
        _reader(answer.media_type)(answer)
    except (ValueError, LookupError) as error:
        return f"Content-Type says {answer.media_type}, the body is {answer.body[:60]!r}: {error}"
    return ""


def _reader(media_type: str) -> Callable[[Answer], object]:
    if media_type.endswith("+json"):
        return _json
    return _READERS.get(media_type) or (_text if media_type.startswith("text/") else lambda _: None)


def _json(answer: Answer) -> object:
    return _strict(_text(answer))


def _lines(answer: Answer) -> object:
    return [_strict(line) for line in _text(answer).splitlines() if line.strip()]


def _csv(answer: Answer) -> object:
    text = _text(answer)
    if text.lstrip()[:1] in ("{", "[") and _is_json_text(text):
        raise ValueError("that is JSON")
    return list(csv.reader(io.StringIO(text, newline="")))


def _html(answer: Answer) -> None:
    if "<" not in _text(answer):
        raise ValueError("there is no tag in it")


def _npy(answer: Answer) -> None:
    if not answer.body.startswith(b"\x93NUMPY"):
        raise ValueError("it does not begin as an array")


def _text(answer: Answer) -> str:
    charset = re.search(r'charset="?([^\s";]+)', answer.headers["content-type"], re.IGNORECASE)
    return answer.body.decode(charset[1] if charset else "utf-8")


def _strict(text: str) -> object:
    """Python also reads NaN, which most other readers refuse."""

    def refuse(word: str) -> object:
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def _is_json_text(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


_READERS: dict[str, Callable[[Answer], object]] = {
    "application/json": _json,
    "text/csv": _csv,
    "text/html": _html,
    "application/x-npy": _npy,
    **dict.fromkeys(LINES, _lines),
}
