"""Which files are taken for a body, and which of them are taken for left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from container import body_files
from container.body_files import PATH, opened, remove_left
from container.errors import DecodeError

AS_NGINX = "open('/proc/self/comm', 'w').write('nginx'); held = open({path!r}); print(flush=True); input()"


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """One in the run folder tmp_path."""
    path = body_files.folder(tmp_path) / "0000000001"
    path.parent.mkdir()
    path.write_bytes(b"body")
    return path


@pytest.fixture
def nginx(body: Path) -> Iterator[None]:
    """A process of that name which has the body open."""
    command = [sys.executable, "-c", AS_NGINX.format(path=str(body))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate(b"\n")


def test_it_is_opened_and_its_path_is_nobodys_business(body: Path, tmp_path: Path) -> None:
    environ = {PATH: str(body)}
    with opened(environ, tmp_path) as file:
        assert (file.read(), environ) == (b"body", {})


@pytest.mark.parametrize("name", ["0000000002", "../body/0000000001", "../secret", "", "x", "a/0000000001"])
def test_anything_else_is_no_body(body: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").touch()
    with pytest.raises(DecodeError):
        opened({PATH: f"{body.parent}/{name}"}, tmp_path)


def test_what_nginx_has_open_stays_and_the_rest_goes(nginx: None, body: Path, tmp_path: Path) -> None:
    (body.parent / "0000000002").write_bytes(b"left behind")
    assert remove_left(tmp_path) == len(b"left behind")
    assert [path.name for path in body.parent.iterdir()] == ["0000000001"]


def test_without_a_folder_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert remove_left(tmp_path) == 0


def test_where_it_cannot_be_told_nothing_is_removed(
    body: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. No nginx to be seen, as without /proc.  2. One that may not be looked into."""
    monkeypatch.setattr(body_files, "_nginxes", lambda: iter(()))
    assert (remove_left(tmp_path), body.exists()) == (0, True)

    def forbidden(process: Path) -> set[str]:
        raise PermissionError

    monkeypatch.setattr(body_files, "_nginxes", lambda: iter([Path("/proc/1")]))
    monkeypatch.setattr(body_files, "_open_files", forbidden)
    assert (remove_left(tmp_path), body.exists()) == (0, True)
