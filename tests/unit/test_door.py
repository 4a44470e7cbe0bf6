"""A model's door: found by name once it is open, and whoever stands there is let in, however late."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from container.door import PLAIN, Door
from container.nginx import TEMPLATE


@pytest.fixture
def run_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # short, for sockets
        yield Path(folder)


def knock(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path / "s"))
    return client


def test_a_door_is_found_by_its_name_once_it_is_open(run_dir: Path) -> None:
    door = Door.build(run_dir, 7, 4)
    assert not (run_dir / "models" / "a").exists()
    door.open("a")
    assert not door.knocked()
    with knock(run_dir / "models" / "a"):
        assert door.knocked()
        (inside,) = door.let_in()
        inside.close()
    assert not door.knocked()
    door.close()


@pytest.mark.parametrize("name", [".", ".7", "a/b", "a b", "größe", "x" * 81, "a:b", ""])
def test_a_name_that_is_no_file_name_has_an_address_instead(run_dir: Path, name: str) -> None:
    door = Door.build(run_dir, 7, 4)
    door.open(name)
    assert door.address == ".7"
    with knock(run_dir / "models" / ".7"):
        assert door.knocked()
    door.close()


def test_who_stands_at_a_door_that_was_removed_still_comes_in(run_dir: Path) -> None:
    door = Door.build(run_dir, 7, 4)
    door.open("a")
    with knock(run_dir / "models" / "a"):
        door.remove()
        assert list((run_dir / "models").iterdir()) == []
        assert len(list(door.let_in())) == 1
    door.close()


def test_nginx_and_door_have_the_same_words_for_a_plain_name() -> None:
    (found,) = re.findall(r'location ~ "\^/models/\(\?<door>(.*)\)/invoke\$"', TEMPLATE.read_text())
    assert found == PLAIN.pattern
