"""Whose a container is: what a killed run has left is told from what a live one works with."""

from __future__ import annotations

import time

import pytest

from local_test.conformance import owner


@pytest.fixture
def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime())


def test_what_this_process_made_is_not_gone(now: str) -> None:
    assert not owner.is_gone(owner.here(), now)


def test_a_number_that_is_another_process_now_is_gone(now: str) -> None:
    *rest, began = owner.here().split("/")
    assert owner.is_gone("/".join([*rest, str(int(began) + 1)]), now)


def test_what_was_before_a_boot_is_gone(now: str) -> None:
    node, namespace, _, *rest = owner.here().split("/")
    assert owner.is_gone("/".join([node, namespace, "another-boot", *rest]), now)


def test_what_another_machine_made_is_left_alone_for_a_day(now: str) -> None:
    elsewhere = "/".join(["elsewhere", *owner.here().split("/")[1:]])
    assert not owner.is_gone(elsewhere, now)
    assert owner.is_gone(elsewhere, "2020-01-02T03:04:05.6Z")


@pytest.mark.parametrize("text", ["", "1234", "a/b/c/d/e", "a/b/c/99999999999999999999/1"])
def test_an_owner_that_nobody_wrote_is_gone(text: str) -> None:
    assert owner.is_gone(text, "2020-01-02T03:04:05Z")
