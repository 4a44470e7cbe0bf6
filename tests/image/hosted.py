"""Runs the containers of the double's models as SageMaker's hosting does: the image, `serve`, the artifact unpacked.

Given to the double as its host. A container lives until the end, for all models with the same image, artifact and
environment: an endpoint that goes back finds it running.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.deploy.double.hosting import MODELS, Place, unpack
from tests.deploy.double.objects import read, split, under
from tests.deploy.double.shelf import Record, images_of
from tests.image.conftest import open_to_all
from tests.image.container import AS_PLATFORM, Container

MANY = {"SAGEMAKER_MULTI_MODEL": "true"}


class Platform:
    def __init__(self, folder: Path, containers: ExitStack, image: str) -> None:
        self._folder, self._containers, self._image = folder, containers, image
        self._places: dict[str, Place] = {}

    def __call__(self, model: Record) -> list[Place]:
        return [self._place(each) for each in images_of(model)]

    def _place(self, wanted: dict[str, Any]) -> Place:
        hostname = wanted.get("ContainerHostname", "")
        key = json.dumps({**wanted, "ContainerHostname": ""}, sort_keys=True)
        if key not in self._places:
            self._places[key] = self._started(wanted, self._folder / str(len(self._places)))
        return Place(self._places[key].url, hostname, self._places[key].models)

    def _started(self, wanted: dict[str, Any], folder: Path) -> Place:
        """It may not be ready yet."""
        image, environment = self._image or wanted["Image"], wanted.get("Environment", {})
        if wanted.get("Mode") == "MultiModel":
            folder.mkdir()
            options = (*AS_PLATFORM, "-v", f"{folder}:{MODELS}:ro")
            container = Container(image, options=options, env=MANY | environment)
        else:
            fill(wanted, folder)
            container = Container(image, model_dir=open_to_all(folder), options=AS_PLATFORM, env=environment)
        self._containers.callback(container.close)
        return Place(container.url, models=folder)


def fill(wanted: dict[str, Any], folder: Path) -> None:
    """What the container sees as /opt/ml/model: an archive unpacked, the files of a prefix, or nothing."""
    if archive := wanted.get("ModelDataUrl"):
        unpack(read(archive), folder)
        return
    folder.mkdir(parents=True)
    if source := wanted.get("ModelDataSource"):
        bucket, prefix = split(source["S3DataSource"]["S3Uri"])
        for key in under(bucket, prefix):
            path = folder / key.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(read(f"s3://{bucket}/{key}"))


@contextmanager
def running(folder: Path, image: str = "") -> Iterator[Platform]:
    """Until the end, where each container's log must hold no alarm. image: instead of what the models name."""
    with ExitStack() as containers:
        yield Platform(folder, containers, image)
