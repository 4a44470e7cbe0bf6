"""Records of a request that works, and how each is answered alone: what the answer of many is held against.

Used by checks of batch transform.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from local_test.conformance.assertion import Broken, Claim, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.server import Server
from local_test.conformance.wire import Answer

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = ("application/jsonlines", "application/x-ndjson", "application/jsonl")
BATCH_ENV = {"SAGEMAKER_BATCH": "true"}
RECORDS_LIMIT = 6
TOLERANCE = 1e-3  # a batch may be summed in another order
NO_RECORDS = (
    "needs a request of one record a line that works: --payload FILE --content-type text/csv or application/jsonlines"
)
NUMBERED = """
def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return (body if isinstance(body, str) else body.decode()).splitlines()

def predict_fn(lines, model):
    return [line if line.isdigit() else "bad" for line in lines]

def output_fn(prediction, accept):
    return "".join(line + "\\n" for line in prediction), "text/csv"
"""
"""A script whose records are numbers; its answer to each is the number."""


@dataclass(frozen=True)
class Records:
    """Lines that a server answers with one record each, and these."""

    server: Server
    content_type: str
    lines: tuple[bytes, ...]
    answers: tuple[str, ...] = ()

    def ask(self, lines: Sequence[bytes], end: bytes = b"") -> Answer:
        """One request of these lines, answered in their own media type where that is possible."""
        body = b"\n".join(lines) + end
        answer = self.server.invoke(body, self.content_type, {"Accept": self.content_type})
        return self.server.invoke(body, self.content_type) if answer.status == 406 else answer

    def answered_alone(self) -> Records:
        """Those of the lines that are answered with one record when each is sent alone, with these answers."""
        alone = {line: self.ask([line]) for line in self.lines}
        good = {line: records_of(answer) for line, answer in alone.items() if answer.status == 200}
        single = {line: records[0] for line, records in good.items() if len(records) == 1}
        return replace(self, lines=tuple(single), answers=tuple(single.values()))

    def as_json_lines(self) -> Records:
        """The same records as JSON arrays, as far as it takes them."""
        rows = list(csv.reader(line.decode() for line in self.lines))
        lines = tuple(json.dumps([number_or_text(field) for field in row]).encode() for row in rows)
        return replace(self, content_type=JSON_LINES[0], lines=lines).answered_alone()

    def expect_answers(self, answer: Answer, numbers: Sequence[int | None]) -> None:
        """Raise Broken unless it is the answers of the lines of these numbers; None stands for any record."""
        expect(answer.status == 200, f"{len(numbers)} records were answered {answer}")
        found = records_of(answer)
        expect(len(found) == len(numbers), f"{len(numbers)} records in, {len(found)} out: {answer}")
        for place, (number, record) in enumerate(zip(numbers, found, strict=True), 1):
            wanted = record if number is None else self.answers[number]
            expect(alike(record, wanted), f"record {place} is {record[:80]}, but {wanted[:80]} when it is sent alone")


def records(bench: Bench) -> Records:
    """Of the sample, or else of a script. Raises Untestable."""
    sample = bench.sample_or_none
    media_type = sample.content_type.partition(";")[0].strip().lower() if sample else ""
    if sample is not None and media_type in (CSV, *JSON_LINES):
        lines = [line for line in sample.body.splitlines() if line.strip()]
        if media_type == CSV:
            lines += [turned(line, places) for places in range(1, RECORDS_LIMIT) for line in lines]
        different = tuple(dict.fromkeys(lines))[:RECORDS_LIMIT]
        found = Records(server(bench), sample.content_type, different).answered_alone()
    elif Claim.SCRIPTS in bench.claims:
        setup = bench.change(model_dir=bench.script_dir(NUMBERED), env=BATCH_ENV)
        numbers = tuple(b"%d" % number for number in range(RECORDS_LIMIT))
        found = Records(bench.shared("batch of numbers", setup), CSV, numbers).answered_alone()
    else:
        raise Untestable(NO_RECORDS)
    if not found.lines:
        raise Untestable("no line of the request that works is a record that is answered with one record")
    return found


def server(bench: Bench) -> Server:
    """The server that checks of batch transform share. Raises Untestable if it does not start: BT-01 says why."""
    return bench.shared("batch", bench.change(env=BATCH_ENV))


def turned(line: bytes, places: int) -> bytes:
    """A CSV record with its numbers in other columns, and larger; the same line if it has others than numbers."""
    fields = line.split(b",")
    start = places % len(fields)
    try:
        return b",".join(b"%.6g" % ((1 + places) * float(field)) for field in fields[start:] + fields[:start])
    except ValueError:
        return line


def number_or_text(field: str) -> float | str:
    try:
        return float(field)
    except ValueError:
        return field


def records_of(answer: Answer) -> list[str]:
    """An answer's records as texts. Raises Broken."""
    try:
        text = answer.body.decode()
        if answer.media_type != JSON:
            return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
        return [json.dumps(each) for each in items(json.loads(text))]
    except ValueError:
        raise Broken(f"the answer is not {answer.media_type or 'text'}: {answer}") from None


def items(value: Any) -> list[Any]:
    """The list that a JSON answer is, or has as its only list."""
    lists = [each for each in value.values() if isinstance(each, list)] if isinstance(value, dict) else [value]
    return lists[0] if len(lists) == 1 and isinstance(lists[0], list) else [value]


def alike(one: str, other: str) -> bool:
    """Whether two records are the same but for the last digits of their numbers."""
    words, others = (re.split(r"[\s,:\[\]{}\"]+", text) for text in (one, other))
    return len(words) == len(others) and all(map(word_alike, words, others))


def word_alike(one: str, other: str) -> bool:
    try:
        return one == other or math.isclose(float(one), float(other), rel_tol=TOLERANCE, abs_tol=1e-6)
    except ValueError:
        return False
