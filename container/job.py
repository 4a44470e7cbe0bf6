"""What a training job is given: hyperparameters, channels, hosts and folders, read from /opt/ml/input/config.

Made by training; the user's train function receives it. The files, and the SM_ variables that older training scripts
read: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html and the
environment of the SageMaker training toolkit (sagemaker_training/environment.py).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from container import resources
from container.errors import StartupError
from container.manifest import Manifest, Sample, write_manifest
from container.settings import Settings
from container.stopping import StopFlag

DEFAULT_HOST = "algo-1"  # what the platform calls the first host


class MissingChannel(KeyError):
    """A channel that the job does not have as a folder."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the sentence in quotes


class Channels(dict[str, Path]):
    """Channel name -> folder. A missing one is told with what there is."""

    def __init__(self, folders: Mapping[str, Path], data_dir: Path, input_config: Mapping[str, Any]) -> None:
        super().__init__(folders)
        self._data_dir = data_dir
        self._input_config = input_config

    def __missing__(self, name: str) -> NoReturn:
        if _mode(self._input_config, name) == "Pipe":
            raise MissingChannel(f"channel {name!r} is in Pipe mode, it has no folder: read job.pipe({name!r}, epoch)")
        if name in self._input_config:
            raise MissingChannel(f"channel {name!r} is declared, but the folder {self._data_dir / name} is not there")
        raise MissingChannel(f"the job has no channel {name!r}; it has: {', '.join(sorted(self)) or 'none'}")


@dataclass(frozen=True)
class Job:
    """One training job on one host. All folders exist when train(job) is called."""

    hyperparameters: Mapping[str, Any]
    channels: Channels
    input_config: Mapping[str, Any]
    resource_config: Mapping[str, Any]
    hosts: tuple[str, ...]
    current_host: str
    base_dir: Path
    model_dir: Path
    checkpoint_dir: Path
    stopping: StopFlag = field(default_factory=StopFlag)

    @property
    def is_leader(self) -> bool:
        """Whether this is the host whose model is kept: the first by name."""
        return self.current_host == min(self.hosts)

    @property
    def output_data_dir(self) -> Path:
        """For what shall be kept beside the model, such as plots: it becomes output.tar.gz."""
        return self.base_dir / "output" / "data"

    def pipe(self, channel: str, epoch: int = 0) -> Path:
        """The FIFO of a Pipe mode channel, to be opened once for each epoch, the first is 0."""
        if _mode(self.input_config, channel) != "Pipe":
            raise MissingChannel(f"channel {channel!r} is not in Pipe mode: use job.channels[{channel!r}]")
        return self.base_dir / "input" / "data" / f"{channel}_{epoch}"

    def save_manifest(
        self, *, feature_names: Iterable[str] | None = None, sample: tuple[str, str] | None = None
    ) -> Manifest:
        """Say that the model is complete, and how it is asked. Call it last, after the model's files are written.

        feature_names: the columns in the model's order; sample: (content type, body) of a request that it answers.
        """
        return write_manifest(self.model_dir, feature_names=feature_names, sample=sample and Sample(*sample))

    def environment(self) -> dict[str, str]:
        """The SM_ variables, as the training toolkit names and writes them."""
        values: dict[str, Any] = {
            "MODEL_DIR": self.model_dir,
            "CHANNELS": sorted({*self.channels, *self.input_config}),
            "HPS": self.hyperparameters,
            "HOSTS": self.hosts,
            "CURRENT_HOST": self.current_host,
            "CURRENT_INSTANCE_TYPE": self.resource_config.get("current_instance_type"),
            "CURRENT_INSTANCE_GROUP": self.resource_config.get("current_group_name"),
            "NETWORK_INTERFACE_NAME": self.resource_config.get("network_interface_name", "eth0"),
            "NUM_CPUS": resources.cpu_limit().value,
            "NUM_GPUS": len(list(Path("/dev").glob("nvidia[0-9]*"))),
            "LOG_LEVEL": logging.root.level,
            "INPUT_DIR": self.base_dir / "input",
            "INPUT_CONFIG_DIR": self.base_dir / "input" / "config",
            "INPUT_DATA_CONFIG": self.input_config,
            "RESOURCE_CONFIG": self.resource_config,
            "OUTPUT_DIR": self.base_dir / "output",
            "OUTPUT_DATA_DIR": self.output_data_dir,
            "OUTPUT_INTERMEDIATE_DIR": self.base_dir / "output" / "intermediate",
            "USER_ARGS": [word for key in sorted(self.hyperparameters) for word in self._as_arguments(key)],
        }
        values |= {f"CHANNEL_{name}": self.base_dir / "input" / "data" / name for name in values["CHANNELS"]}
        values |= {f"HP_{name}": value for name, value in self.hyperparameters.items()}
        return {f"SM_{name}".upper(): _variable(value) for name, value in values.items()}

    def _as_arguments(self, key: str) -> list[str]:
        value = self.hyperparameters[key]
        return [f"--{key}" if len(key) > 1 else f"-{key}", "" if value is None else str(value)]


def load_job(settings: Settings) -> Job:
    """Read the job of this container. Missing files are an empty job; StartupError names a file that is wrong."""
    config_dir, data_dir = (settings.base_dir / "input" / name for name in ("config", "data"))
    input_config = _read(config_dir / "inputdataconfig.json")
    resource_config = _read(config_dir / "resourceconfig.json")
    hosts, current_host = _hosts(config_dir / "resourceconfig.json", resource_config)
    checkpoints = _read(config_dir / "checkpointconfig.json").get("LocalPath")
    return Job(
        hyperparameters=MappingProxyType(decode_hyperparameters(_read(config_dir / "hyperparameters.json"))),
        channels=Channels(_folders(data_dir), data_dir, input_config),
        input_config=MappingProxyType(input_config),
        resource_config=MappingProxyType(resource_config),
        hosts=hosts,
        current_host=current_host,
        base_dir=settings.base_dir,
        model_dir=settings.model_dir,
        checkpoint_dir=Path(checkpoints) if isinstance(checkpoints, str) else settings.base_dir / "checkpoints",
    )


def decode_hyperparameters(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The platform sends every value as a string: JSON where it parses, else the string. sagemaker_* are not ours."""
    return {key: _decode(value) for key, value in raw.items() if not key.startswith("sagemaker_")}


def _decode(value: Any) -> Any:
    try:
        return json.loads(value, parse_constant=_refuse) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")  # Python's parser would take NaN, Infinity and -Infinity


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StartupError("job", f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise StartupError("job", f"{path} must hold a JSON object, not {type(content).__name__}")
    return content


def _hosts(path: Path, config: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    hosts = config.get("hosts") or [config.get("current_host", DEFAULT_HOST)]
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise StartupError("job", f"{path}: hosts must be a list of names, not {hosts!r}")
    current_host = config.get("current_host", min(hosts))
    if current_host not in hosts:
        raise StartupError("job", f"{path}: current_host {current_host!r} is not one of hosts {hosts!r}")
    return tuple(hosts), current_host


def _folders(data_dir: Path) -> dict[str, Path]:
    found = sorted(data_dir.iterdir()) if data_dir.is_dir() else []
    return {path.name: path for path in found if path.is_dir() and not path.name.startswith(".")}


def _mode(input_config: Mapping[str, Any], channel: str) -> str:
    """File, FastFile (a folder too) or Pipe."""
    config = input_config.get(channel)
    return str(config.get("TrainingInputMode", "File")) if isinstance(config, dict) else "File"


def _variable(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (str, Path)):
        return str(value)
    if isinstance(value, MappingProxyType):
        value = dict(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
