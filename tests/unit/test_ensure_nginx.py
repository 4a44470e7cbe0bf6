"""local_test/ensure_nginx.sh: finds nginx, installs it where that is allowed, else says in a sentence what to run.

The package managers are a few lines of shell; an nginx of this machine is hidden from the script.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.shell import LOCAL_TEST_DIR, Shell

SEARCHED = ":/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
FREE_SUDO = '[[ $1 != -n ]] || exit 0\nexec env "$@"'


class Machine:
    """A machine with the programs that a test puts on it."""

    def __init__(self, folder: Path) -> None:
        self.shell = Shell(folder)
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        self.script = folder / "ensure_nginx.sh"
        text = (LOCAL_TEST_DIR / "ensure_nginx.sh").read_text()
        assert text.count(SEARCHED) == 1
        self.script.write_text(text.replace(SEARCHED, ""))

    def put(self, name: str, does: str = "true") -> None:
        """A program that notes how it was called."""
        program = self.bin / name
        program.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >>{self.calls}\n{does}\n')
        program.chmod(0o755)

    def put_apt_get(self, user: int) -> None:
        """A Debian on which this user calls; installing makes an nginx."""
        self.put("apt-get", f'[[ $1 != install ]] || ln -s "$(command -v bash)" {self.bin}/nginx')
        self.put("id", f"echo {user}")
        (self.bin / "ln").symlink_to("/bin/ln")

    def run(self, **environment: str) -> tuple[int, str]:
        """Exit code, and all that the script printed."""
        done = self.shell.run("bash", self.script, PATH=f"{self.bin}:{self.shell.path}", **environment)
        return done.returncode, done.stdout + done.stderr

    def called(self, name: str) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_nginx_that_is_there_costs_no_word(machine: Machine) -> None:
    machine.put("nginx")
    assert machine.run() == (0, "")


def test_root_gets_it_from_apt(machine: Machine) -> None:
    machine.put_apt_get(user=0)
    assert machine.run() == (0, "nginx is missing; installing nginx-light with apt-get\n")
    assert [line.split()[1] for line in machine.called("apt-get")] == ["update", "install"]


def test_who_may_use_sudo_without_a_password_gets_it_too(machine: Machine) -> None:
    machine.put_apt_get(user=1000)
    machine.put("sudo", FREE_SUDO)
    assert machine.run()[0] == 0
    assert len(machine.called("apt-get")) == 2


@pytest.mark.parametrize("sudo", ["exit 1", None], ids=["asks for a password", "is not there"])
def test_others_are_told_the_exact_command(machine: Machine, sudo: str | None) -> None:
    machine.put_apt_get(user=1000)
    if sudo is not None:
        machine.put("sudo", sudo)
    said = "Run this, then try again: sudo apt-get update && sudo apt-get install nginx-light"
    assert machine.run() == (1, f"nginx is missing. {said}\n")
    assert machine.called("apt-get") == []


def test_fedora_is_told_its_own_command(machine: Machine) -> None:
    machine.put("dnf")
    assert machine.run() == (1, "nginx is missing. Run this, then try again: sudo dnf install nginx\n")


def test_without_a_known_package_manager_the_setting_is_named(machine: Machine) -> None:
    code, said = machine.run()
    assert code == 1
    assert said.count("\n") == 1
    assert "SERVING_NGINX" in said


def test_a_setting_that_names_no_program_is_told(machine: Machine) -> None:
    code, said = machine.run(SERVING_NGINX="/nowhere/nginx")
    assert (code, said) == (1, "SERVING_NGINX=/nowhere/nginx is not a program. Set it to nginx's path or unset it.\n")
