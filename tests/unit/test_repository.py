"""The models of a server of many, with processes that the test plays: names, pages, races, deaths."""

from __future__ import annotations

import json

import pytest

from container.errors import Conflict, DecodeError, InsufficientStorage, NotFound
from container.listing import after_token, token_after
from container.repository import JOURNAL, Repository
from container.room import Room
from container.served import folder_of
from container.settings import Settings
from tests.unit.stage import Ended, Stage, load


def test_of_loads_at_once_the_first_wins(repository: Repository) -> None:
    repository.load("a", "a", None, Ended())
    with pytest.raises(Conflict, match="being loaded"):
        repository.load("a", "a", None, Ended())
    with pytest.raises(NotFound):
        repository.get("a")


def test_a_name_is_free_again_after_a_load_that_failed(repository: Repository, stage: Stage) -> None:
    ended = Ended()
    repository.load("a", "a", None, ended)
    stage.tell(state="failed", status=507, detail="Too large.")
    stage.end()
    (error,) = ended
    assert isinstance(error, InsufficientStorage)
    load(repository, stage, "a")


def test_1000_models_are_on_ten_pages_each_once(repository: Repository, stage: Stage) -> None:
    names = {f"model-{number}" for number in range(1000)}
    for name in names:
        load(repository, stage, name)
    found, after, pages, more = [], "", 0, True
    while more:
        models, more = repository.list_models(after, 100)
        found += [model.name for model in models]
        after = after_token(token_after(models[-1].name))
        pages += 1
    assert (pages, found) == (10, sorted(names))


def test_unloading_while_a_client_walks_the_pages_moves_nobody(repository: Repository, stage: Stage) -> None:
    for name in "abcdef":
        load(repository, stage, name)
    first, _ = repository.list_models("", 3)
    repository.unload("a", Ended())
    repository.unload("c", Ended())
    rest, more = repository.list_models(first[-1].name, 3)
    assert ([model.name for model in rest], more) == (["d", "e", "f"], False)


def test_unloading_is_done_when_the_process_is_gone(repository: Repository, stage: Stage) -> None:
    load(repository, stage, "a")
    ended = Ended()
    repository.unload("a", ended)
    assert ended == []
    with pytest.raises(NotFound):
        repository.get("a")
    stage.end()
    assert ended == [None]


def test_a_dead_process_has_a_successor_and_its_end_is_no_news_to_clients(repository: Repository, stage: Stage) -> None:
    load(repository, stage, "a")
    stage.end()
    assert len(stage.orders) == 2
    assert repository.get("a").name == "a"
    stage.ready()
    repository.unload("a", ended := Ended())
    stage.end()
    assert ended == [None]


def test_a_crowded_model_gets_as_many_processes_as_there_are_workers(repository: Repository, stage: Stage) -> None:
    load(repository, stage, "a")
    stage.tell(state="crowded")
    stage.tell(0, state="crowded")
    assert len(stage.orders) == 2
    stage.ready()
    stage.tell(state="crowded")
    assert len(stage.orders) == 2


def test_a_crowded_model_gets_no_process_while_others_keep_all_cores_busy(repository: Repository, stage: Stage) -> None:
    slots = [load(repository, stage, name) for name in "abc"]
    for slot in slots:
        slot.note_busy(1)
    stage.tell(0, state="crowded")
    assert stage.names() == ["a", "b", "c"]
    slots[1].note_busy(0)
    stage.tell(0, state="crowded")
    assert stage.names() == ["a", "b", "c", "a"]


def test_a_retiring_process_is_closed_when_its_successor_is_ready(repository: Repository, stage: Stage) -> None:
    load(repository, stage, "a")
    stage.tell(0, state="retire", reason="old")
    assert len(stage.orders) == 2
    assert not stage.told_to_close(0)
    stage.ready(1)
    assert stage.told_to_close(0)


def test_what_is_loaded_is_written_down_and_wakes_under_the_next_keeper(
    repository: Repository, stage: Stage, settings: Settings
) -> None:
    for name in "abc":
        load(repository, stage, name)
    repository.unload("b", Ended())
    assert json.loads((settings.run_dir / JOURNAL).read_text()) == {"a": "a", "c": "a"}
    successor = Repository(settings, stage, Room(None), workers=1)
    successor.open()
    assert [successor.get(name).name for name in "ac"] == ["a", "c"]
    assert len(stage.orders) == 3, "who is not asked for is not loaded"


@pytest.mark.parametrize(
    "url", ["", ".", "..", "../models/a", "/etc", "nothing", "a/../a", "link", "a\0", "/", "x" * 5000]
)
def test_a_url_outside_of_the_models_folder_is_refused(settings: Settings, url: str) -> None:
    (settings.models_dir / "link").symlink_to(settings.base_dir)
    with pytest.raises(DecodeError):
        folder_of(url, settings.models_dir)


def test_a_link_within_the_models_folder_is_followed(settings: Settings) -> None:
    (settings.models_dir / "link").symlink_to(settings.models_dir / "a")
    assert folder_of("link", settings.models_dir) == (settings.models_dir / "a").resolve()
    assert folder_of(str(settings.models_dir / "a"), settings.models_dir) == (settings.models_dir / "a").resolve()
