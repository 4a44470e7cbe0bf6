"""Keys that deploy.toml says and that change nothing: found by asking for another value. Called by checks.

No list says which mode reads what: a key is read where some other value of it makes other calls.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from deploy import requests, said
from deploy.config import Config
from deploy.errors import DeployError
from deploy.said import Key
from deploy.sections import JOBS

ELSEWHERE = ("schema", "name", "mode", "region", "role", "image", "artifact_mb", "version")
"""Read by more than the requests, or only where something else is not said."""
OF_A_MODEL = ("image", "artifact", "environment")
BIG = 10**6
"""More than any threshold."""


def check(config: Config) -> list[str]:
    """A warning that names all of them. Raises DeployError where another model would be served than the file says."""
    found = [each for each in said.keys(config) if each.name not in ELSEWHERE and not _is_read(config, each)]
    wrong = [each.name for each in found if _is_of_a_model(config, each)]
    if wrong:
        where = "[[components]]" if config.components else "[[containers]]"
        raise DeployError(
            f"{', '.join(wrong)} would not be deployed: the models are those of {where}.",
            f"Say it in {where}, or leave it out; nothing was done.",
        )
    names = ", ".join(_shortened(config, found))
    return [f"deploy.toml: {names} changes nothing as the file stands, in mode {config.mode}"] if names else []


def _is_read(config: Config, key: Key) -> bool:
    other = said.replaced(config, key.path, _other(key))
    return requests.build(other) != requests.build(config)


def _other(key: Key) -> Any:
    if words := key.field.metadata.get("one_of"):
        return next(each for each in words if each != key.value)
    match key.value:
        case bool():
            return not key.value
        case int() | float():
            return key.value + BIG
        case str():
            return f"{key.value}-other"
        case tuple():
            return (*key.value, "other")
    return {**key.value, "other": "other"}


def _is_of_a_model(config: Config, key: Key) -> bool:
    """What to a variant is its model; jobs and batch have no variants, and say so only."""
    is_model = key.path[0] in ("variants", "shadow") and key.path[-1] in OF_A_MODEL
    return is_model and config.mode not in ("batch", *JOBS)


def _shortened(config: Config, found: list[Key]) -> Iterator[str]:
    """[scaling] where nothing that is said in it is read."""
    every = {top: [*keys] for top, keys in itertools.groupby(said.keys(config), lambda key: key.path[0])}
    for top, keys in itertools.groupby(found, lambda key: key.path[0]):
        names = [each.name for each in keys]
        whole = len(names) == len(every[top]) and "." in names[0]
        yield f"[{names[0].partition('.')[0].partition('[')[0]}]" if whole else ", ".join(names)
