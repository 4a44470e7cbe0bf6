"""deploy.toml and flags to a Config, with every problem named at once. Pure; called by every verb."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import placeholders
from deploy.errors import DeployError
from deploy.forms import ARTIFACT, IMAGE, NAME, REGION, ROLE, TAG_NAME
from deploy.sections import (
    JOBS,
    MODES,
    Async,
    Batch,
    Capture,
    Component,
    Container,
    Instances,
    MultiModel,
    Network,
    Recommend,
    Registry,
    Scaling,
    Serverless,
    Training,
    Update,
    Variant,
    key,
    some,
)

FILE = Path("deploy.toml")
SCHEMA = 1
CHANGE = "Change these, then run the verb again."
Table = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that is wanted of AWS."""

    schema: int = key("version of this file's format", SCHEMA)
    name: str = key("the endpoint, and what every other name begins with", "", form=NAME)
    mode: str = key("what to deploy", "realtime", one_of=MODES + JOBS)
    region: str | None = key(
        "AWS region; AWS_REGION, AWS_DEFAULT_REGION or the AWS profile says it if this does not", form=REGION
    )
    role: str = key("execution role, an ARN", "", form=ROLE)
    image: str = key("image, by digest", "", form=IMAGE)
    artifact: str | None = key("s3:// model.tar.gz, or a prefix that ends in / with its files", form=ARTIFACT)
    artifact_mb: int | None = key("its size; asked of S3 if not said")
    version: str | None = key("a tag; the image's digest if not said")
    environment: Mapping[str, str] = some("environment of the container")
    tags: Mapping[str, str] = some("tags on everything, beside our own")
    network: Network = key("where the container is", Network())
    instances: Instances = key("what it runs on", Instances())
    serverless: Serverless = key("mode serverless", Serverless())
    asynchronous: Async = key("mode async", Async(), key="async")
    batch: Batch = key("mode batch", Batch())
    multi_model: MultiModel = key("mode multi-model", MultiModel())
    containers: tuple[Container, ...] = key("modes multi-container and pipeline", ())
    variants: tuple[Variant, ...] = key("several models behind one endpoint", ())
    shadow: Variant | None = key("a variant that gets copies of requests")
    components: tuple[Component, ...] = key("inference components on the instances", ())
    capture: Capture | None = key("copies of requests and answers")
    scaling: Scaling | None = key("how instances follow the load")
    update: Update = key("how a new version takes over", Update())
    training: Training = key("up training", Training())
    registry: Registry = key("up register", Registry())
    recommend: Recommend = key("up recommend", Recommend())


def load(path: Path = FILE, flags: Mapping[str, Any] | None = None) -> Config:
    """The file under the flags. Without the file the flags have to say all. Raises DeployError naming each problem."""
    step = CHANGE if path.exists() else f"There is no {path} here: `python -m deploy init` writes one."
    return parse(merged(path, flags or {}), step)


def merged(path: Path, flags: Mapping[str, Any]) -> Table:
    """The file under the flags, as it is: nothing checked but that it is TOML."""
    return _over(_read(path), flags)


def parse(table: Mapping[str, Any], step: str = CHANGE) -> Config:
    problems: list[str] = []
    config = _section(Config, table, "", problems)
    _refuse([*problems, *_missing(config)], step)
    return typing.cast(Config, config)


def check(table: Mapping[str, Any]) -> Config:
    """Raises DeployError for what is wrong with the values that are there, whatever is missing."""
    problems: list[str] = []
    config = _section(Config, table, "", problems)
    _refuse(problems, CHANGE)
    return typing.cast(Config, config)


def _refuse(problems: list[str], step: str) -> None:
    if problems:
        raise DeployError("deploy.toml and flags: " + "; ".join(problems), step)


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        if path.name == FILE.name:
            return {}
        raise DeployError(f"There is no {path}.", "Give the file's own path: --file PATH.") from None
    except OSError as error:
        raise DeployError(f"{path} cannot be read: {error.strerror}.", "Give another: --file PATH.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeployError(f"{path} is not TOML: {error}", "See https://toml.io for its form.") from None


def _over(under: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """Both, flags winning; sections are merged key by key."""
    merged = dict(under)
    for name, value in over.items():
        old = merged.get(name)
        merged[name] = _over(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _section(kind: type, table: Mapping[str, Any], where: str, problems: list[str]) -> Any:
    """An object of the section's class; what is wrong goes to problems; what is of no use is left out."""
    hints = typing.get_type_hints(kind)
    fields = {field.metadata.get("key") or field.name: field for field in dataclasses.fields(kind)}
    values = {}
    for name, value in table.items():
        if (field := fields.get(name)) is None:
            problems.append(f"{where}{name} is not a key{_nearest(name, fields)}")
            continue
        found = len(problems)
        value = _value(hints[field.name], value, f"{where}{name}", problems)
        if len(problems) == found or _is_of_sections(value):
            values[field.name] = value
            problems += _misfits(field, value, f"{where}{name}")
    return kind(**values)


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1) or difflib.get_close_matches(name.replace("-", "_"), known, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _is_of_sections(value: Any) -> bool:
    """What is wrong in a section is told with its key; the rest of it is there."""
    return all(dataclasses.is_dataclass(each) for each in (value if isinstance(value, tuple) else (value,)))


def _misfits(field: dataclasses.Field[Any], value: Any, where: str) -> Iterator[str]:
    """Of a value that is of the right type."""
    words, form = field.metadata.get("one_of"), field.metadata.get("form")
    if words and value not in words:
        yield f"{where} is {value!r}; it is one of {', '.join(words)}"
    if form and not placeholders.in_value(value):  # which _missing tells
        yield from form.misfits(value, where)


def _value(hint: Any, value: Any, where: str, problems: list[str]) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(each for each in typing.get_args(hint) if each is not type(None))
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return _section(typing.cast(type, hint), value, f"{where}.", problems)
    if origin is tuple and isinstance(value, list):
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, each, f"{where}[{index}]", problems) for index, each in enumerate(value))
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {name: _word(each, f"{where}.{name}", problems) for name, each in value.items()}
    return _plain(hint, value, where, problems)


def _word(value: Any, where: str, problems: list[str]) -> str:
    """Environment, tags and hyperparameters are strings to AWS; numbers and booleans may be written as such."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        problems.append(f"{where} has to be a string")
    return str(value)


def _plain(hint: Any, value: Any, where: str, problems: list[str]) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (str, int, float, bool) and type(value) is hint:
        return value
    problems.append(f"{where} has to be {_said(hint)}, not {value!r}")
    return value


def _said(hint: Any) -> str:
    plain = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    return plain.get(hint) or ("a list" if typing.get_origin(hint) is tuple else "a section")


def _missing(config: Config) -> Iterator[str]:
    """What the mode cannot do without."""
    needed = {"name": config.name, "role": config.role} | _needed_of(config)
    for name, value in needed.items():
        if not value:
            yield f"{name} is missing"
    for name, value in placeholders.left(config):
        yield f"{name} is still what `init` wrote, {value}"
    if config.components and config.mode in MODES and config.mode not in ("realtime", "batch"):
        yield f"components go with mode realtime, not with {config.mode}"
    for name in config.tags:
        yield from TAG_NAME.misfits(name, f"the name of tags.{name}")
    if config.schema != SCHEMA:
        yield f"schema is {config.schema}, this program knows {SCHEMA}; use the version of deploy/ that wrote the file"


def _needed_of(config: Config) -> dict[str, Any]:
    needed: dict[str, Any] = {}
    if any(not each.image for each in _images_of(config)):
        needed["image"] = config.image
    match config.mode:
        case "async":
            needed["async.output"] = config.asynchronous.output
        case "batch":
            needed |= {"batch.input": config.batch.input, "batch.output": config.batch.output}
        case "multi-model":
            needed["artifact"] = config.artifact
        case "multi-container" | "pipeline":
            needed["containers"] = config.containers
        case "training":
            needed["training.output"] = config.training.output
        case "recommend":
            needed["recommend.sample"] = config.recommend.sample
    return needed | {f"components[{i}].name": each.name for i, each in enumerate(config.components)}


def _images_of(config: Config) -> tuple[Container | Variant | Component, ...]:
    if config.mode in ("multi-container", "pipeline"):
        return config.containers
    return config.components or (*(config.variants or (Variant(),)), *((config.shadow,) if config.shadow else ()))
