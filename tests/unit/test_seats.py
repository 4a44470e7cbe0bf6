"""Which worker accepts on which socket, and who stands in for one that is gone."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from container.seats import Doors, Seats, address


def test_new_workers_fill_the_seats_in_turn() -> None:
    seats = Seats(3)
    assert [seats.assign(taken) for taken in ([], [0], [0, 1], [0, 2])] == [0, 1, 2, 1]


def test_a_successor_shares_a_seat_while_all_are_taken() -> None:
    assert Seats(2).assign([0, 1, 1]) == 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_seat_keeps_a_worker_while_the_oldest_ones_are_replaced(count: int) -> None:
    seats, workers = Seats(count), list(range(count))
    for _ in range(3 * count):
        workers = [*workers, seats.assign(workers)][1:]
        assert sorted(workers) == list(range(count))


def test_a_vacant_seat_has_one_worker_that_stands_in() -> None:
    seats = Seats(5)
    seats.sit(1, 4711)
    seats.sit(3, 4712)
    assert (seats.served_by(1), seats.served_by(3)) == ([1, 0, 4], [3, 2])
    seats.leave(4712)
    assert seats.served_by(1) == [1, 0, 2, 3, 4]


def test_who_leaves_late_does_not_unseat_its_successor() -> None:
    seats = Seats(2)
    seats.sit(0, 1)
    seats.sit(0, 2)
    seats.leave(1)
    assert seats.served_by(1) == [1]


def test_seats_are_shared_with_forks() -> None:
    seats = Seats(2)
    pid = os.fork()
    if pid == 0:
        seats.sit(0, os.getpid())
        os._exit(0)
    os.waitpid(pid, 0)
    assert seats.served_by(1) == [1]


def test_a_worker_opens_its_own_door_and_those_it_stands_in_for() -> None:
    seats = Seats(3)
    doors = [socket.socket() for _ in range(3)]
    mine = Doors(doors, seats, 1)
    mine.sit()
    assert mine.changed()
    assert mine.open() == set(doors)
    assert not mine.changed()
    seats.sit(0, 4711)
    assert mine.changed()
    assert mine.open() == {doors[1]}, "the third is served from the first seat"
    mine.leave()
    assert seats.served_by(0) == [0, 1, 2]
    for door in doors:
        door.close()


def test_without_seats_all_doors_are_open() -> None:
    with socket.socket() as door:
        doors = Doors([door])
        doors.sit()
        assert (doors.changed(), doors.open(), doors.changed()) == (True, {door}, False)
        doors.leave()


def test_each_seat_has_its_address() -> None:
    assert address(Path("/run"), 2) == Path("/run/worker-2.sock")
