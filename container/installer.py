"""Installs what an artifact's requirements.txt asks for, with pip, into an environment on top of the one that runs.

A program of its own: `python -m container.installer`, started by the supervisor before gunicorn where
SERVING_INSTALL_REQUIREMENTS says so; with two folders, `CODE INTO`, by Dockerfile.model while an image is built.

The environment is a venv whose .pth names the packages below it: pip sees what is there and adds what is not, and a
package is found after the standard library and before the image's (docs/decisions/0012-...). What the server itself
needs keeps its version.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import venv
from collections import deque
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from container import logs, needs, status
from container.errors import StartupError
from container.settings import REQUIREMENTS, Settings

log = logging.getLogger("container.installer")  # it is run as __main__

PHASE = "requirements"
OF_SERVER = Path(__file__).with_name("requirements.txt")
WHEELS = "wheels"
LIB = "lib"
LAST_LINES = 14  # of pip, in an error message: a conflict takes that many
RETRIES = 2  # of a connection: without a network pip's own 5 take a minute

# What pip says -> what to do about it.
CURES = {
    "(constraint)": "What the server itself needs keeps its version, which pip calls a constraint: leave that line "
    "out, or change the version in the image's own requirements.txt, then make lock",
    "DO NOT MATCH THE HASHES": "Write the hashes of the files that were meant, or find out who changed them",
    "Hashes are required": f"With one hash in {REQUIREMENTS} every requirement needs one, those of requirements too: "
    "pip-compile --generate-hashes writes them",
    "No matching distribution": "If no package index can be reached from here (network isolation), or it has no such "
    f"version, build it in with {needs.BUILD_IN}, or put its wheels into code/{WHEELS} of the artifact",
    "Failed building wheel": f"The image has no compiler: put a wheel into code/{WHEELS} of the artifact",
    "No space left": "Mount a larger folder and name it in SERVING_RUN_DIR and TMPDIR, or build it in with "
    f"{needs.BUILD_IN}",
}


def main(arguments: list[str]) -> int:
    """The exit code; with two folders for a build, without at a server's start."""
    if arguments:
        logs.configure(logging.INFO)
        code_dir, into = map(Path, arguments)
        return _ended(lambda: install(code_dir, into, lambda line: sys.stdout.write(f"{line}\n")))
    settings = Settings.from_environ()
    logs.configure(settings.log_level)
    into = settings.packages_dir

    def report(error: StartupError) -> None:
        status.report(settings.run_dir, "failed", failure=status.failure_fields(error.phase, str(error)))

    return _ended(lambda: install(settings.code_dir, into, lambda line: log.debug("pip", extra={"text": line})), report)


def install(code_dir: Path, into: Path, said: Callable[[str], object]) -> None:
    """Make the environment, and record what is in it. said is given each line of pip. Raises StartupError."""
    requirements = code_dir / REQUIREMENTS
    if needs.record().get("sha256") == needs.digest(requirements):
        log.info("requirements_met", extra={"file": str(requirements), "installed_for_it": True})
        return
    started_s = time.monotonic()
    wheels = wheel_folder(code_dir)
    log.info("installing", extra={"file": str(requirements), "wheels": wheels and str(wheels)})
    packages = create(into)
    constraints = into / "constraints.txt"
    constraints.write_text("".join(f"{pin}\n" for pin in server_pins()), encoding="utf-8")
    lines = run_pip(into, install_options(requirements, constraints, wheels), said)
    added = sorted(f"{each.name}=={each.version}" for each in metadata.distributions(path=[str(packages)]))
    changed = sorted(replaced(packages))
    _check_loadable(packages)
    content = {"sha256": needs.digest(requirements), "packages": added, "changed": changed}
    (into / needs.RECORD).write_text(json.dumps(content, indent=1), encoding="utf-8")
    log.warning(
        "requirements_installed",
        extra={
            "file": str(requirements),
            "packages": added,
            "changed": changed,
            "conflicts": [line for line in lines if " which is incompatible" in line],
            "elapsed_s": round(time.monotonic() - started_s, 3),
        },
    )


def create(into: Path) -> Path:
    """A new environment on top of the one that runs; the folder of its packages."""
    shutil.rmtree(into, ignore_errors=True)
    venv.EnvBuilder(symlinks=True, with_pip=False).create(into)
    (packages,) = into.glob("lib/python*/site-packages")
    below = [each for each in sys.path if each.endswith(status.PACKAGE_FOLDERS)]
    # addsitedir, not just the path: the .pth files there count too.
    lines = "".join(f"import site; site.addsitedir({each!r})\n" for each in below)
    (packages / "_below.pth").write_text(lines, encoding="utf-8")
    return packages


def server_pins() -> list[str]:
    """What the server imports and what that needs, as NAME==VERSION."""
    names = [line.parsed.name for line in needs.read(OF_SERVER) if line.parsed is not None]
    seen: dict[str, str] = {}
    while names:
        name = names.pop()
        version = needs.installed(name)
        if version is not None and canonicalize_name(name) not in seen:
            seen[canonicalize_name(name)] = f"{name}=={version}"
            names += _required_by(name)
    return sorted(seen.values())


def install_options(requirements: Path, constraints: Path, wheels: Path | None) -> list[str]:
    """pip install's arguments. It enforces hashes itself where there is one; saying so makes no difference but here."""
    options = ["--requirement", str(requirements), "--constraint", str(constraints), "--retries", str(RETRIES)]
    if "--hash=" in requirements.read_text(encoding="utf-8-sig", errors="replace"):
        options.append("--require-hashes")
    if wheels is not None:
        options += ["--no-index", "--find-links", str(wheels)]
    return options


def wheel_folder(code_dir: Path) -> Path | None:
    """Where the artifact brings its packages along, so that no index is asked."""
    folders = (code_dir / WHEELS, code_dir / LIB)
    return next((folder for folder in folders if any(folder.glob("*.whl"))), None)


def run_pip(into: Path, options: list[str], said: Callable[[str], object]) -> list[str]:
    """Its last lines. Raises StartupError with them if it fails."""
    command = [*_pip(), "--python", str(into / "bin" / "python"), "install"]
    command += ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--progress-bar", "off", *options]
    last: deque[str] = deque(maxlen=LAST_LINES)
    cwd = Path(options[options.index("--requirement") + 1]).parent  # ./package in it is beside it
    with subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace",
    ) as pip:  # fmt: skip
        assert pip.stdout is not None  # noqa: S101 - it is a pipe
        for line in pip.stdout:
            said(line.rstrip())
            last += [line.rstrip()] if line.strip() else []
    if pip.returncode:
        raise StartupError(
            PHASE, f"pip ended with code {pip.returncode}. {_cure(last)}pip said last: {' | '.join(last)}"
        )
    return list(last)


def replaced(packages: Path) -> Iterator[str]:
    """NAME OLD -> NEW for each package that the environment has in another version than what is below it."""
    for each in metadata.distributions(path=[str(packages)]):
        before = needs.installed(each.name)
        if before is not None and before != each.version:
            yield f"{each.name} {before} -> {each.version}"


def _pip() -> list[str]:
    """The pip of this environment, or the first on PATH: the image's environment has none of its own."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (found := shutil.which("pip")) is None:
        raise StartupError(PHASE, f"there is no pip on PATH to install it with; build it in with {needs.BUILD_IN}")
    return [found]


def _cure(last: deque[str]) -> str:
    text = "\n".join(last)
    return next((f"{cure}. " for sign, cure in CURES.items() if sign in text), "")


def _required_by(name: str) -> list[str]:
    parsed = [Requirement(text) for text in metadata.requires(name) or ()]
    return [each.name for each in parsed if each.marker is None or each.marker.evaluate({"extra": ""})]


def _check_loadable(packages: Path) -> None:
    """Compiled modules cannot be loaded from where nothing may be executed, as docker's --tmpfs /tmp has it."""
    if os.statvfs(packages).f_flag & os.ST_NOEXEC and any(packages.rglob("*.so")):
        raise StartupError(
            PHASE,
            f"{packages} is mounted noexec, so compiled modules cannot be loaded from there: name another folder in "
            f"SERVING_RUN_DIR (docker run --tmpfs /tmp:exec), or build it in with {needs.BUILD_IN}",
        )


def _ended(work: Callable[[], None], report: Callable[[StartupError], None] | None = None) -> int:
    try:
        work()
    except (OSError, StartupError) as error:
        told = error if isinstance(error, StartupError) else StartupError(PHASE, f"{error}")
        if report is None:
            log.critical("installing_failed", extra={"detail": str(told)})
        else:
            report(told)
        return status.EXIT_FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
