"""Names and tags. Called by requests/, down and clean-up.

A model and a configuration are named by what they are, so the same input is the same name and no call. An endpoint
keeps its name, since clients know it. docs/decisions/0013 says why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from deploy.config import Config
from deploy.facts import Facts

LIMIT = 63
"""Of a name in SageMaker."""
DIGITS = 8

MANAGED_BY = ("managed-by", "sagemaker-serving-deploy")
APP = "app"


def digest(parameters: Mapping[str, Any]) -> str:
    """Eight hex digits of the request; tags are not part of it, as a new commit alone is no new model."""
    told = {name: value for name, value in parameters.items() if name != "Tags"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:DIGITS]


def by_content(prefix: str, parameters: Mapping[str, Any]) -> str:
    """PREFIX-1a2b3c4d, the prefix cut where it is too long; the digest covers all of it."""
    return f"{cut(prefix, DIGITS + 1)}-{digest({'prefix': prefix, **parameters})}"


def cut(name: str, room: int = 0) -> str:
    return name[: LIMIT - room].rstrip("-")


def component(app: str, name: str) -> str:
    """The whole name of what deploy.toml calls so."""
    return cut(f"{app}-{name}")


def prefix_of(app: str) -> str:
    """What every name that by_content gives to an app begins with."""
    return cut(app, DIGITS + 1)


def without_digest(name: str) -> str:
    """What by_content has put before it: the prefix, cut."""
    return name[: -DIGITS - 1]


def tags(config: Config, facts: Facts) -> dict[str, str]:
    ours = {APP: config.name, "version": version(config), "git-sha": facts.git_sha}
    return {**config.tags, **{name: value for name, value in ours.items() if value}, MANAGED_BY[0]: MANAGED_BY[1]}


def version(config: Config) -> str:
    """What the file says, or the start of the image's digest, or its tag."""
    if config.version:
        return config.version
    _, _, hexes = config.image.partition("@sha256:")
    return hexes[:12] or config.image.rpartition("/")[2].partition(":")[2]


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]


def as_mapping(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """as_list the other way."""
    return {each["Key"]: each["Value"] for each in tags}
