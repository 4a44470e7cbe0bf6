"""The errors and what the client is told of them: RFC 9457 problems, short enough to arrive."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from container import errors
from container.errors import BODY_LIMIT_CHARS, Overloaded, ServingError, StartupError, problem

STATUSES = {
    "DecodeError": 400,
    "UnknownSession": 400,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "Conflict": 409,
    "PayloadTooLarge": 413,
    "UnsupportedMediaType": 415,
    "UnprocessableInput": 422,
    "UpgradeRequired": 426,
    "Overloaded": 503,
    "DeadlineExceeded": 504,
    "InsufficientStorage": 507,
}


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_each_error_has_the_status_of_the_contract(name: str, status: int) -> None:
    error = getattr(errors, name)("Send less.")
    assert isinstance(error, ServingError)
    assert error.problem("abc")["status"] == status


def test_every_error_is_in_the_table_above() -> None:
    assert {each.__name__ for each in ServingError.__subclasses__() if each.__module__ == errors.__name__} == set(
        STATUSES
    )


def test_a_problem_has_the_members_of_rfc_9457_and_the_request_id() -> None:
    assert problem(415, "Send CSV.", "abc") == {
        "type": "about:blank",
        "title": "Unsupported Media Type",
        "status": 415,
        "detail": "Send CSV.",
        "request_id": "abc",
    }


@pytest.mark.parametrize("length", [0, 1000, 2047, 2048, 5000, 1_000_000])
@pytest.mark.parametrize("request_id", ["", "a" * 32, "a" * 128])
def test_no_problem_of_plain_text_is_longer_than_what_reaches_the_client(length: int, request_id: str) -> None:
    told = problem(431, "x" * length, request_id)
    assert len(json.dumps(told)) <= BODY_LIMIT_CHARS
    assert told["request_id"] == request_id


def test_only_a_detail_that_is_too_long_is_cut_and_shows_it() -> None:
    assert problem(400, "x" * 1500, "abc")["detail"] == "x" * 1500
    assert problem(400, "x" * 3000, "abc")["detail"].endswith("x…")


def test_an_overload_says_when_to_come_back() -> None:
    assert Overloaded("Full.").headers == {"Retry-After": "1"}
    assert Overloaded("Full.", retry_after_s=7).headers == {"Retry-After": "7"}


def test_headers_of_one_error_are_not_those_of_another() -> None:
    ServingError("a").headers["X"] = "1"
    assert ServingError("b").headers == {}


def test_a_start_up_error_names_its_phase() -> None:
    error = StartupError("load", "No model.")
    assert (error.phase, str(error)) == ("load", "No model.")


def test_pid_1_starts_without_ssl_and_email() -> None:
    """They cost it a third of its start, and it speaks neither."""
    ask = "import sys, container.supervisor; print(sorted({'ssl', 'email', 'http.client'} & set(sys.modules)))"
    asked = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert asked.stdout == "[]\n"
