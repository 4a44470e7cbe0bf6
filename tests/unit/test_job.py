"""What a job is made of: the platform's files as they come, as they may be missing, and as they may be wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from container.errors import StartupError
from container.job import MissingChannel, decode_hyperparameters, load_job
from container.settings import Settings

PIPE = {"TrainingInputMode": "Pipe", "S3DistributionType": "FullyReplicated"}


@pytest.fixture
def base_dir(tmp_path: Path) -> Path:
    (tmp_path / "input" / "config").mkdir(parents=True)
    return tmp_path


def write(base_dir: Path, name: str, content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (base_dir / "input" / "config" / f"{name}.json").write_text(text)


def job_of(base_dir: Path) -> Any:
    return load_job(Settings(base_dir=base_dir))


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("5", 5), ("0.5", 0.5), ("1e-3", 0.001), ("true", True), ("null", None), ('"5"', "5"), ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}), ("rbf", "rbf"), ("", ""), ("007", "007"), ("True", "True"), ("NaN", "NaN"),
        ("-Infinity", "-Infinity"), ("[" * 2500, "[" * 2500), ("9" * 2500, int("9" * 2500)), ("9" * 5000, "9" * 5000),
        ("s3://bucket/key", "s3://bucket/key"), (7, 7), (None, None),
    ],
)  # fmt: skip
def test_trn_03_hyperparameters_are_decoded_from_strings(sent: Any, means: Any) -> None:
    decoded = decode_hyperparameters({"key": sent})["key"]
    assert (type(decoded), decoded) == (type(means), means)


def test_hyperparameters_of_the_sagemaker_sdk_are_taken_out() -> None:
    assert decode_hyperparameters({"sagemaker_program": '"train.py"', "depth": "3"}) == {"depth": 3}


def test_trn_04_an_empty_base_directory_is_an_empty_job(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    assert (dict(job.hyperparameters), dict(job.channels), dict(job.input_config)) == ({}, {}, {})
    assert (job.hosts, job.current_host, job.is_leader) == (("algo-1",), "algo-1", True)
    assert job.model_dir == tmp_path / "model"
    assert job.output_data_dir == tmp_path / "output" / "data"
    assert job.checkpoint_dir == tmp_path / "checkpoints"


@pytest.mark.parametrize("name", ["hyperparameters", "inputdataconfig", "resourceconfig", "checkpointconfig"])
@pytest.mark.parametrize(("content", "says"), [("{", "as JSON: "), ("", "as JSON: "), ("[1]", "object, not list")])
def test_a_broken_configuration_file_is_named(base_dir: Path, name: str, content: str, says: str) -> None:
    write(base_dir, name, content)
    with pytest.raises(StartupError, match=rf"{name}\.json .*{says}"):
        job_of(base_dir)


def test_channels_are_the_folders_declared_or_not(base_dir: Path) -> None:
    for name in ("training", "extra", ".hidden"):
        (base_dir / "input" / "data" / name).mkdir(parents=True)
    (base_dir / "input" / "data" / "training-manifest").write_text("a file that the platform puts there")
    write(base_dir, "inputdataconfig", {"training": {"TrainingInputMode": "FastFile"}})
    data = base_dir / "input" / "data"
    assert dict(job_of(base_dir).channels) == {"extra": data / "extra", "training": data / "training"}


def test_a_missing_channel_is_told_with_the_channels_there_are(base_dir: Path) -> None:
    for name in ("train", "validation"):
        (base_dir / "input" / "data" / name).mkdir(parents=True)
    with pytest.raises(MissingChannel) as caught:
        job_of(base_dir).channels["training"]
    assert str(caught.value) == "the job has no channel 'training'; it has: train, validation"


def test_a_declared_channel_without_folder_is_told(base_dir: Path) -> None:
    write(base_dir, "inputdataconfig", {"training": {}})
    with pytest.raises(MissingChannel, match=r"declared, but the folder .*/input/data/training is not there"):
        job_of(base_dir).channels["training"]


def test_trn_08_a_pipe_channel_has_one_fifo_an_epoch_and_no_folder(base_dir: Path) -> None:
    write(base_dir, "inputdataconfig", {"training": PIPE})
    job = job_of(base_dir)
    assert job.pipe("training", 0) == base_dir / "input" / "data" / "training_0"
    assert job.pipe("training", epoch=1) == base_dir / "input" / "data" / "training_1"
    with pytest.raises(MissingChannel, match=r"Pipe mode, it has no folder: read job\.pipe\('training', epoch\)"):
        job.channels["training"]


def test_pipe_of_a_file_channel_is_an_error(base_dir: Path) -> None:
    write(base_dir, "inputdataconfig", {"training": {"TrainingInputMode": "File"}})
    with pytest.raises(MissingChannel, match=r"not in Pipe mode: use job\.channels\['training'\]"):
        job_of(base_dir).pipe("training")


@pytest.mark.parametrize(("host", "leads"), [("algo-1", True), ("algo-2", False)])
def test_trn_09_the_first_host_leads(base_dir: Path, host: str, leads: bool) -> None:
    write(base_dir, "resourceconfig", {"current_host": host, "hosts": ["algo-2", "algo-1"]})
    assert job_of(base_dir).is_leader is leads


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"current_host": "algo-3", "hosts": ["algo-1"]}, "current_host 'algo-3' is not one of hosts"),
        ({"hosts": "algo-1"}, "hosts must be a list of names"),
        ({"hosts": [1]}, "hosts must be a list of names"),
    ],
)
def test_impossible_hosts_are_named(base_dir: Path, config: dict[str, Any], says: str) -> None:
    write(base_dir, "resourceconfig", config)
    with pytest.raises(StartupError, match=says):
        job_of(base_dir)


def test_the_checkpoint_folder_is_where_the_job_says(base_dir: Path) -> None:
    write(base_dir, "checkpointconfig", {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml/elsewhere"})
    assert job_of(base_dir).checkpoint_dir == Path("/opt/ml/elsewhere")


def test_the_sm_variables_are_as_the_training_toolkit_writes_them(base_dir: Path) -> None:
    (base_dir / "input" / "data" / "training").mkdir(parents=True)
    write(base_dir, "hyperparameters", {"max-depth": "3", "flag": "true", "name": "a b", "n": "null"})
    write(base_dir, "inputdataconfig", {"stream": PIPE})
    write(
        base_dir, "resourceconfig", {"current_host": "a", "hosts": ["a", "b"], "current_instance_type": "ml.m5.xlarge"}
    )
    variables = job_of(base_dir).environment()
    expected = {
        "SM_MODEL_DIR": f"{base_dir}/model",
        "SM_OUTPUT_DATA_DIR": f"{base_dir}/output/data",
        "SM_OUTPUT_DIR": f"{base_dir}/output",
        "SM_INPUT_DIR": f"{base_dir}/input",
        "SM_INPUT_CONFIG_DIR": f"{base_dir}/input/config",
        "SM_CHANNELS": '["stream","training"]',
        "SM_CHANNEL_TRAINING": f"{base_dir}/input/data/training",
        "SM_CHANNEL_STREAM": f"{base_dir}/input/data/stream",
        "SM_HPS": '{"flag":true,"max-depth":3,"n":null,"name":"a b"}',
        "SM_HP_MAX-DEPTH": "3",
        "SM_HP_FLAG": "true",
        "SM_HP_NAME": "a b",
        "SM_HP_N": "",
        "SM_HOSTS": '["a","b"]',
        "SM_CURRENT_HOST": "a",
        "SM_CURRENT_INSTANCE_TYPE": "ml.m5.xlarge",
        "SM_NETWORK_INTERFACE_NAME": "eth0",
        "SM_USER_ARGS": '["--flag","True","--max-depth","3","-n","","--name","a b"]',
    }
    assert {name: variables[name] for name in expected} == expected
    assert int(variables["SM_NUM_CPUS"]) >= 1
    assert all(isinstance(value, str) for value in variables.values())


def test_a_huge_float_stays_a_number_the_user_can_check(base_dir: Path) -> None:
    write(base_dir, "hyperparameters", {"C": "1e999"})
    assert math.isinf(job_of(base_dir).hyperparameters["C"])
