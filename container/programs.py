"""The programs that the server consists of, as they are started. Used by supervisor, in PID 1."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from container import nginx
from container.children import Child
from container.settings import Settings
from container.workforce import Workforce

PROGRAM_DIR = Path(__file__).absolute().parent.parent
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "python:container.gunicorn_conf", "wsgi:app"]
INSTALLER = [sys.executable, "-m", "container.installer"]
KEEPER = [sys.executable, "-m", "container.keeper"]


@dataclass(frozen=True)
class Programs:
    """gunicorn, for many models the keeper; nginx; and what installs requirements first, if that is asked for."""

    gunicorn: Child
    nginx: Child
    installer: Child | None

    @classmethod
    def of(cls, settings: Settings, workforce: Workforce) -> Programs:
        environment = {**os.environ, **workforce.environment()}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROGRAM_DIR), environment.get("PYTHONPATH")]))
        many = settings.multi_model
        command = nginx.command(settings, workforce.cpus.value, workforce.plan.workers, workforce.memory)
        return cls(
            gunicorn=Child("keeper", KEEPER, environment) if many else Child("gunicorn", GUNICORN, environment),
            nginx=Child("nginx", command, os.environ, pipe_stderr=True),
            installer=Child("requirements", INSTALLER, environment) if settings.installs else None,
        )

    def __iter__(self) -> Iterator[Child]:
        return filter(None, (self.installer, self.gunicorn, self.nginx))

    def use_packages(self, settings: Settings) -> None:
        """Start gunicorn in the environment that the installer made; there is none where the image has it all."""
        if (python := settings.packages_dir / "bin" / "python").exists():
            self.gunicorn.command = [str(python), *self.gunicorn.command[1:]]
