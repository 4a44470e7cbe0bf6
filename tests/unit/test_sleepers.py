"""Models that sleep so that others have a process: who goes, who never goes, and how they wake."""

from __future__ import annotations

from dataclasses import replace

import pytest

from container import room
from container.errors import InsufficientStorage
from container.places import places_for
from container.repository import Repository
from container.resources import MEGABYTE, Limit
from container.room import Room
from container.settings import Settings
from tests.unit.stage import Ended, Stage, load

LIMIT = Limit(1000 * MEGABYTE, "cgroup limit")
SIZE = 100 * MEGABYTE


@pytest.fixture
def two(settings: Settings, stage: Stage) -> Repository:
    """Two places, both taken: a, and b which was used after it."""
    made = Repository(replace(settings, model_processes=2), stage, Room(None), workers=2)
    made.open()
    for name in "ab":
        load(made, stage, name).note_busy(0)
    return made


@pytest.fixture
def small(settings: Settings, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Memory for models of 100 MB, of which three are loaded: a, b, c."""
    made = Repository(settings, stage, Room(LIMIT), workers=2)
    made.open()
    monkeypatch.setattr(room, "memory_used", lambda _limit: 550 * MEGABYTE + SIZE * len(made._processes))
    monkeypatch.setattr(room, "directory_bytes", lambda _folder: SIZE)
    for name in "abc":
        slot = load(made, stage, name)
        slot.memory_bytes = SIZE
        slot.note_busy(0)
    return made


def test_who_was_used_longest_ago_sleeps_and_is_listed_as_ever(two: Repository, stage: Stage) -> None:
    two.load("c", "a", None, ended := Ended())
    assert (stage.told_to_close(0), stage.told_to_close(1), stage.names()) == (True, False, ["a", "b"])
    stage.end(0)
    assert stage.names() == ["a", "b", "c"]
    stage.ready()
    assert (ended, [model.name for model in two.list_models("", 9)[0]]) == ([None], ["a", "b", "c"])


def test_a_model_with_a_request_never_sleeps(two: Repository, stage: Stage) -> None:
    two.get("a").processes[0].slot.note_busy(1)
    two.load("c", "a", None, Ended())
    assert (stage.told_to_close(0), stage.told_to_close(1)) == (False, True)


def test_nor_does_one_at_whose_door_somebody_stands(two: Repository, stage: Stage) -> None:
    with stage.knock(two, "a"):
        two.load("c", "a", None, Ended())
        assert (stage.told_to_close(0), stage.told_to_close(1)) == (False, True)


def test_a_load_is_refused_if_all_are_in_use(two: Repository, stage: Stage) -> None:
    for name in "ab":
        two.get(name).processes[0].slot.note_busy(1)
    with pytest.raises(InsufficientStorage, match="All 2 places"):
        two.load("c", "a", None, Ended())
    assert [model.name for model in two.list_models("", 9)[0]] == ["a", "b"]


def asleep(two: Repository, stage: Stage) -> None:
    """Put a to sleep for c."""
    two.load("c", "a", None, Ended())
    stage.end(0)
    stage.ready()


def test_whoever_knocks_wakes_a_model_once(two: Repository, stage: Stage) -> None:
    asleep(two, stage)
    with stage.knock(two, "a"), stage.knock(two, "a"):
        assert stage.told_to_close(1), "b sleeps for it"
        stage.end(1)
        assert stage.names() == ["a", "b", "c", "a"]
        stage.ready()
        assert two.get("a").door.knocked(), "who waits is left to the process"


def test_who_wakes_waits_until_another_is_idle(two: Repository, stage: Stage) -> None:
    asleep(two, stage)
    for name in "bc":
        two.get(name).processes[0].slot.note_busy(1)
    with stage.knock(two, "a"):
        assert not stage.told_to_close(1)
        assert two.rest_s is not None
        two.get("b").processes[0].slot.note_busy(0)
        two.grant()
        assert stage.told_to_close(1)
        stage.end(1)
        assert stage.names()[3:] == ["a"]


def test_who_cannot_be_woken_in_time_is_told_and_sleeps_on(two: Repository, stage: Stage) -> None:
    two._sleepers._settings = replace(two._settings, timeout_s=0.0)
    asleep(two, stage)
    for name in "bc":
        two.get(name).processes[0].slot.note_busy(1)
    with stage.knock(two, "a"):
        assert len(stage.away) == 1
    assert isinstance(two.get("a").trouble, InsufficientStorage)
    two.get("b").processes[0].slot.note_busy(0)
    with stage.knock(two, "a"):
        assert stage.told_to_close(1), "the next one may have more luck"


def test_a_model_that_cannot_be_loaded_again_is_lost(two: Repository, stage: Stage) -> None:
    asleep(two, stage)
    with stage.knock(two, "a"):
        stage.end(1)
        stage.tell(state="failed", status=500, detail="No file.")
        stage.end()
        assert len(stage.away) == 1
    assert [model.name for model in two.list_models("", 9)[0]] == ["b", "c"]


def test_a_sleeping_model_can_be_unloaded_also_while_it_wakes(two: Repository, stage: Stage) -> None:
    asleep(two, stage)
    two.unload("a", ended := Ended())
    assert ended == [None]
    asleep_again = load(two, stage, "d") if stage.told_to_close(1) else None
    assert asleep_again is None
    two.load("d", "a", None, Ended())
    stage.end(1)  # b slept for it
    stage.ready()
    with stage.knock(two, "b"):
        two.unload("b", ended := Ended())
    assert ended == [None]
    two.grant()
    assert stage.names() == ["a", "b", "c", "d"]


def test_nobody_is_woken_once_the_server_stops(two: Repository, stage: Stage) -> None:
    asleep(two, stage)
    two.close()
    for number in (1, 2):
        stage.end(number)
    with stage.knock(two, "a"), stage.knock(two, "b"):
        assert (two.empty, stage.names()) == (True, ["a", "b", "c"])


def test_a_crowded_model_gets_the_place_of_no_model_that_was_used_lately(two: Repository, stage: Stage) -> None:
    stage.tell(0, state="crowded")
    assert (stage.names(), stage.told_to_close(1)) == (["a", "b"], False)


def crowd(two: Repository, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """b sleeps for a second process of a."""
    monkeypatch.setattr("container.repository.CROWDED_IDLE_S", 1e-9)
    two.get("a").processes[0].slot.note_busy(1)
    stage.tell(0, state="crowded")
    stage.tell(0, state="crowded")
    assert stage.told_to_close(1)
    stage.end(1)
    stage.ready()
    assert stage.names() == ["a", "b", "a"]


def test_but_that_of_one_which_was_not(two: Repository, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(two, stage, monkeypatch)


def test_who_wakes_takes_the_second_process_of_a_model_back_if_nobody_is_idle(
    two: Repository, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(two, stage, monkeypatch)
    for process in two.get("a").processes:
        process.slot.note_busy(1)
    with stage.knock(two, "b"):
        assert (stage.told_to_close(0), stage.told_to_close(2)) == (False, True)
        stage.end(2)
        assert stage.names() == ["a", "b", "a", "b"]
    assert len(two.get("a").processes) == 1


# memory


def test_a_load_that_memory_is_short_for_is_refused_while_all_were_used_lately(small: Repository, stage: Stage) -> None:
    with pytest.raises(InsufficientStorage, match="of 1000"):
        small.load("d", "b", None, Ended())
    assert stage.names() == ["a", "b", "c"]


def test_who_was_not_used_for_long_sleeps_before_a_load_is_refused(
    small: Repository, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container.repository.IDLE_S", 0.0)
    small.load("d", "b", None, Ended())
    assert stage.told_to_close(0)
    stage.end(0)
    assert stage.names() == ["a", "b", "c", "d"]


def test_nobody_sleeps_in_vain(small: Repository, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("container.repository.IDLE_S", 0.0)
    monkeypatch.setattr(room, "directory_bytes", lambda _folder: 8 * SIZE)
    with pytest.raises(InsufficientStorage, match="takes about 800 MB"):
        small.load("large", "b", None, Ended())
    assert not any(stage.told_to_close(number) for number in range(3))


def test_who_wakes_takes_the_memory_of_whoever_is_idle(
    small: Repository, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("container.repository.IDLE_S", 0.0)
        small.load("d", "b", None, Ended())
        stage.end(0)
        stage.ready()
    with stage.knock(small, "a"):
        assert stage.told_to_close(1)
        stage.end(1)
        assert stage.names()[4:] == ["a"]


def test_a_reload_that_memory_is_short_for_puts_to_sleep_what_has_the_old_code(small: Repository, stage: Stage) -> None:
    small.reload()
    assert [stage.told_to_close(number) for number in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("asked", "workers", "memory_mb", "places"), [(7, 2, 1000, 7), (0, 2, 1000, 32), (0, 4, 10, 8), (0, 2, None, 0)]
)
def test_half_of_the_memory_may_go_into_processes(asked: int, workers: int, memory_mb: int | None, places: int) -> None:
    assert places_for(asked, workers, Limit(memory_mb * MEGABYTE, "") if memory_mb else None) == places
