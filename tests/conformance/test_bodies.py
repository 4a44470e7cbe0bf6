"""What the checks of /invocations read in bodies, and the bodies that they make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from local_test.conformance.assertion import Broken
from local_test.conformance.bench import Bench, Options, Sample
from local_test.conformance.checks.invocations import takes_25_mb
from local_test.conformance.checks.media_types import TELL_TALES
from local_test.conformance.sample import grown, misfit, pieces
from local_test.conformance.server import Setup
from local_test.conformance.subjects import Image
from local_test.conformance.wire import Answer
from tests.conformance.judge import Judge

FITTING = [
    ("application/json", b'["setosa"]'),
    ("application/json; charset=latin-1", b'"\xe4"'),
    ("application/vnd.api+json", b"{}"),
    ("application/jsonlines", b"[1]\n[2]\n"),
    ("text/csv", b'"a\nb",1.5\n'),
    ("text/csv; charset=utf-8", b"3.5\n7\n"),
    ("text/html", b"<p>"),
    ("application/x-npy", b"\x93NUMPY\x01"),
    ("image/png", b"\x89PNG"),
    ("", b""),
]
MISFITTING = [
    ("", b"x"),
    ("text/html; charset=utf-8", b'["setosa"]'),
    ("application/json", b"['setosa']"),
    ("application/json", b"[NaN]"),
    ("application/json", b"\xff"),
    ("application/jsonlines", b"[1,\n2]"),
    ("text/csv", b'{"a": 1}'),
    ("text/csv; charset=nope", b"1"),
    ("application/x-npy", b"[1]"),
]


def answer(content_type: str, body: bytes) -> Answer:
    return Answer(200, {"content-type": content_type} if content_type else {}, body, 0.1, 0.0)


@pytest.mark.parametrize(("content_type", "body"), FITTING)
def test_a_body_that_is_of_its_type_is_let_be(content_type: str, body: bytes) -> None:
    assert misfit(answer(content_type, body)) == ""


@pytest.mark.parametrize(("content_type", "body"), MISFITTING)
def test_a_body_of_another_type_is_seen(content_type: str, body: bytes) -> None:
    assert misfit(answer(content_type, body))


@pytest.mark.parametrize(
    "text",
    [
        'Traceback (most recent call last):\n  File "x", line 1',
        json.dumps({"stack-trace": 'File "/opt/ml/code/inference.py", line 3, in predict_fn'}),
        "KeyError in /usr/lib/python3/dist-packages/flask",
        "cannot open '/opt/ml/model/model.joblib'",
        "java.lang.IllegalStateException\n\tat com.example.Handler.run(Handler.java:12)",
    ],
)
def test_what_tells_of_the_machine_is_seen(text: str) -> None:
    assert TELL_TALES.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "Content-Type text/csv is not supported; use one of: application/json, application/x-npy",
        "No such path. Use POST /invocations or GET /ping.",
        "See https://example.com/docs/usr/share/errors.js#415 and /models/{name}/invoke",
        '{"type":"about:blank","instance":"/instances/0/x","detail":"row 3, column 2: at least (5) numbers"}',
        "File name and line 3 of the body do not fit",
        "and/or",
    ],
)
def test_innocent_errors_are_let_be(text: str) -> None:
    assert not TELL_TALES.search(text)


@pytest.mark.parametrize(
    ("content_type", "body"), [("text/csv", b"a,b\n1,2"), ("application/json", b"[1]"), ("image/png", b"\x89PNG")]
)
def test_a_sample_grows_to_a_size(content_type: str, body: bytes) -> None:
    larger = grown(Sample(body, content_type), 1000)
    assert 990 < len(larger) <= 1000
    assert larger.startswith(body)


def test_pieces_sum_up() -> None:
    assert sum(map(len, pieces(2_500_000))) == 2_500_000


@contextmanager
def without_scripts(judge: Judge, fault: str = "") -> Iterator[Bench]:
    """A bench that has found no claim, so that the sample must do."""
    sample = Sample(b'{"instances": [[1, 2]]}', "application/json")
    with closing(Bench(Image(judge.image, Setup(env={"FAULT": fault})), Options(sample=sample))) as bench:
        yield bench


def test_25_mb_are_tried_with_the_sample_where_scripts_are_not_run(judge: Judge) -> None:
    with without_scripts(judge) as bench:
        assert takes_25_mb(bench).startswith("200 ")


def test_25_mb_that_are_refused_are_seen_without_scripts(judge: Judge) -> None:
    with without_scripts(judge, "INV-03") as bench, pytest.raises(Broken, match="25 MB was answered 413"):
        takes_25_mb(bench)
