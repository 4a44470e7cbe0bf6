"""What processes count is added up once each, whoever uses a slot next."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.slots import Slot, Slots


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    slots = Slots(tmp_path)
    slots.open()
    return slots


def answer(slot: Slot, status: int) -> None:
    slot.note_busy(1)
    slot.numbers[status] += 1
    slot.note_busy(0)


def test_news_is_told_once(slots: Slots, tmp_path: Path) -> None:
    seen = slots.take()
    process = Slot(tmp_path, seen.number)
    assert sum(seen.news() or [0]) == 0
    assert seen.news() is None
    answer(process, 200)
    news = seen.news()
    assert news is not None
    assert (news[200], sum(news)) == (1, 1)
    assert seen.news() is None


def test_a_busy_slot_is_looked_at_each_time(slots: Slots, tmp_path: Path) -> None:
    seen = slots.take()
    process = Slot(tmp_path, seen.number)
    process.note_busy(1)
    assert seen.busy
    assert seen.news() is not None
    process.numbers[503] += 1  # in a stream that has begun, say
    news = seen.news()
    assert news is not None
    assert news[503] == 1


def test_the_next_user_of_a_slot_begins_where_the_last_one_ended(slots: Slots, tmp_path: Path) -> None:
    first = slots.take()
    answer(Slot(tmp_path, first.number), 200)
    first.news()
    slots.give_back(first)
    second = slots.take()
    assert (second.number, second.busy, second.memory_bytes) == (first.number, False, 0)
    answer(Slot(tmp_path, second.number), 200)
    news = second.news()
    assert news is not None
    assert news[200] == 1


def test_each_process_has_a_slot_of_its_own(slots: Slots, tmp_path: Path) -> None:
    taken = [slots.take() for _ in range(50)]
    for each in taken:
        Slot(tmp_path, each.number).numbers[200] = each.number
    assert [each.numbers[200] for each in taken] == list(range(50))
